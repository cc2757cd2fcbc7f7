// SPDX-License-Identifier: Apache-2.0
//! Whose connection is it? For loopback the kernel knows: the peer's end is a socket of this machine, with an owner.

mod netlink;

use std::io;
use std::net::{IpAddr, SocketAddr};

use netlink::Socket;

/// Whether the other end of a loopback connection belongs to our own user or to root.
pub(super) async fn is_ours(peer: SocketAddr, local: SocketAddr) -> bool {
    let (peer, local) = (canonical(peer), canonical(local));
    if !peer.ip().is_loopback() || !local.ip().is_loopback() {
        return false;
    }
    let us = rustix::process::getuid().as_raw();
    owner(peer, local, netlink::find).await.is_some_and(|uid| uid == us || uid == 0)
}

/// Whether the program at the other end of a loopback connection has closed its socket; none where that is not known.
pub(crate) fn has_left(peer: SocketAddr, local: SocketAddr) -> Option<bool> {
    let (peer, local) = (canonical(peer), canonical(local));
    if !peer.ip().is_loopback() || !local.ip().is_loopback() {
        return None;
    }
    // A kernel that is asked in vain for one may tell of none.
    netlink::find(peer, local).ok().flatten().map(|socket| !socket.is_open)
}

/// How the kernel is asked for a socket.
type Ask = fn(SocketAddr, SocketAddr) -> io::Result<Option<Socket>>;

/// The owner of the socket that is bound to `peer` and connected to `local`, as the kernel answers, or as its table tells.
async fn owner(peer: SocketAddr, local: SocketAddr, ask: Ask) -> Option<u32> {
    match ask(peer, local) {
        Ok(Some(socket)) => Some(socket.owner),
        // A kernel that has the interface without its part for TCP, a module, answers as if there were no such socket. The table
        // is always there, and its reading takes long.
        Ok(None) | Err(_) => tokio::task::spawn_blocking(move || owner_by_table(peer, local)).await.ok().flatten(),
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn owner_by_table(peer: SocketAddr, local: SocketAddr) -> Option<u32> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .find_map(|table| owner_in(&table, peer, local))
}

fn owner_in(table: &str, peer: SocketAddr, local: SocketAddr) -> Option<u32> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (own, remote) = (address(fields.nth(1)?)?, address(fields.next()?)?);
        let uid = fields.nth(4)?;
        (own == peer && remote == local).then(|| uid.parse().ok()).flatten()
    })
}

/// `0100007F:1F90` is 127.0.0.1:8080: each group of four bytes is a number in the machine's own byte order.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let group = |at: usize| Some(u32::from_str_radix(ip.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    let ip = match ip.len() {
        8 => IpAddr::from(group(0)?),
        32 => {
            let groups: Vec<u8> = [group(0)?, group(8)?, group(16)?, group(24)?].concat();
            IpAddr::from(<[u8; 16]>::try_from(groups).ok()?)
        }
        _ => return None,
    };
    Some(canonical(SocketAddr::new(ip, port)))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn the_owner_of_a_loopback_connection_is_found_and_one_that_is_not_there_is_not() {
        for listen in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(listen) else { continue };
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (peer, local) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
            assert!(is_ours(peer, local).await, "{listen}");
            assert_eq!(owner_by_table(peer, local), Some(rustix::process::getuid().as_raw()), "{listen}");
            assert_eq!(owner_by_table(peer, SocketAddr::new(local.ip(), 1)), None);
        }
    }

    #[tokio::test]
    async fn a_kernel_that_knows_no_sockets_or_no_such_question_is_not_believed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (peer, local) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
        let us = Some(rustix::process::getuid().as_raw());
        assert_eq!(owner(peer, local, |_, _| Ok(None)).await, us);
        assert_eq!(owner(peer, local, |_, _| Err(io::ErrorKind::Unsupported.into())).await, us);
    }

    #[test]
    fn a_client_that_has_ended_its_side_is_told_from_one_that_has_gone() {
        for listen in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(listen) else { continue };
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (_server, peer) = listener.accept().unwrap();
            let local = listener.local_addr().unwrap();
            client.shutdown(std::net::Shutdown::Write).unwrap();
            assert_eq!(has_left(peer, local), Some(false), "{listen}");
            drop(client);
            assert_eq!(has_left(peer, local), Some(true), "{listen}");
        }
        assert_eq!(has_left("192.0.2.7:4000".parse().unwrap(), "192.0.2.1:8080".parse().unwrap()), None);
    }

    #[tokio::test]
    async fn an_address_from_outside_is_never_ours() {
        assert!(!is_ours("192.0.2.7:4000".parse().unwrap(), "127.0.0.1:8080".parse().unwrap()).await);
        assert!(!is_ours("127.0.0.1:4000".parse().unwrap(), "192.0.2.1:8080".parse().unwrap()).await);
    }

    #[test]
    fn another_users_socket_is_told_by_its_uid() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                     0: 0100007F:0FA0 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1234        0 77 1\n";
        let found = owner_in(table, "127.0.0.1:4000".parse().unwrap(), "127.0.0.1:8080".parse().unwrap());
        if cfg!(target_endian = "little") {
            assert_eq!(found, Some(1234));
        }
    }
}
