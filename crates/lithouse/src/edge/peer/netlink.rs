// SPDX-License-Identifier: Apache-2.0
//! Asks the kernel for one socket by its two addresses: some microseconds, where reading `/proc/net/tcp` takes milliseconds.

use std::io;
use std::net::{IpAddr, SocketAddr};

use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const IPPROTO_TCP: u8 = 6;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const TCP_LISTEN: u8 = 10;
const REQUEST: usize = 16 + 56;
/// Where the answer holds what: a message header of 16 bytes, then `inet_diag_msg`.
const STATE: usize = 16 + 1;
const ADDRESSES: usize = 16 + 4;
const ADDRESSES_END: usize = ADDRESSES + 36;
const OWNER: usize = 16 + 64;
const INODE: usize = 16 + 68;

/// A socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Socket {
    pub(super) owner: u32,
    /// Whether a program has it open; else the kernel alone brings it to its end.
    pub(super) is_open: bool,
}

/// The socket that is bound to `peer` and connected to `local`; none if there is no such socket.
pub(super) fn find(peer: SocketAddr, local: SocketAddr) -> io::Result<Option<Socket>> {
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(SOCK_DIAG))?;
    let request = request(peer, local);
    rustix::net::sendto(&socket, &request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut answer = [0; 1024];
    let (length, _) = rustix::net::recv(&socket, &mut answer[..], RecvFlags::empty())?;
    read(&answer[..length], &request)
}

/// `inet_diag_req_v2` for exactly one socket.
fn request(peer: SocketAddr, local: SocketAddr) -> [u8; REQUEST] {
    let mut bytes = [0; REQUEST];
    let mut put = |at: usize, content: &[u8]| bytes[at..at + content.len()].copy_from_slice(content);
    put(0, &72_u32.to_ne_bytes());
    put(4, &SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    put(6, &NLM_F_REQUEST.to_ne_bytes());
    put(8, &1_u32.to_ne_bytes());
    put(16, &[if peer.is_ipv4() { AF_INET } else { AF_INET6 }, IPPROTO_TCP]);
    put(20, &u32::MAX.to_ne_bytes());
    put(24, &peer.port().to_be_bytes());
    put(26, &local.port().to_be_bytes());
    put(28, &octets(peer.ip()));
    put(44, &octets(local.ip()));
    // No cookie is known.
    put(64, &[0xff; 8]);
    bytes
}

fn octets(address: IpAddr) -> [u8; 16] {
    let mut octets = [0; 16];
    match address {
        IpAddr::V4(address) => octets[..4].copy_from_slice(&address.octets()),
        IpAddr::V6(address) => octets = address.octets(),
    }
    octets
}

fn read(answer: &[u8], request: &[u8; REQUEST]) -> io::Result<Option<Socket>> {
    let cut = || io::Error::new(io::ErrorKind::InvalidData, "a short answer of the kernel");
    let kind = answer.get(4..6).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes).ok_or_else(cut)?;
    let number = |at: usize| answer.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_ne_bytes);
    if kind == NLMSG_ERROR {
        let error = io::Error::from_raw_os_error(number(16).ok_or_else(cut)?.cast_signed().wrapping_neg());
        return if error.kind() == io::ErrorKind::NotFound { Ok(None) } else { Err(error) };
    }
    // Where no connection fits, the kernel offers a listener.
    let addresses = answer.get(ADDRESSES..ADDRESSES_END).ok_or_else(cut)?;
    if answer.get(STATE) == Some(&TCP_LISTEN) || addresses != &request[24..60] {
        return Ok(None);
    }
    let (owner, inode) = number(OWNER).zip(number(INODE)).ok_or_else(cut)?;
    Ok(Some(Socket { owner, is_open: inode != 0 }))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_kernel_names_the_owner_of_a_connection_and_no_owner_of_what_is_not_there() {
        for listen in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(listen) else { continue };
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (peer, local) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
            let us = rustix::process::getuid().as_raw();
            assert_eq!(find(peer, local).unwrap(), Some(Socket { owner: us, is_open: true }), "{listen}");
            let nobody = SocketAddr::new(peer.ip(), 1);
            assert_eq!(find(nobody, local).unwrap(), None);
            // The listener's own address is not a connection.
            assert_eq!(find(local, nobody).unwrap(), None);
        }
    }
}
