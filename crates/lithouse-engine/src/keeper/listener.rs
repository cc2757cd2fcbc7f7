// SPDX-License-Identifier: Apache-2.0
//! An app's listener: opened by the keeper, inherited by the app, kept open between the two.

use std::io;
use std::net::{SocketAddr, TcpListener};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::wire::Refusal;

/// Connections that wait for the app: a visitor who comes before it is ready waits here, not at an error page.
const BACKLOG: i32 = 1024;

/// Listens at the address; the second value is the address with the port that the kernel chose if it was asked to.
pub(super) fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Refusal> {
    let refused = |error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => Refusal::AddressInUse { port: address.port() },
        _ => Refusal::CannotListen { address, reason: error.to_string() },
    };
    let listener = open(address).map_err(|errno| refused(errno.into()))?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}

fn open(address: SocketAddr) -> rustix::io::Result<TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // The last app's connections may still be in their time of waiting.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    // Accepted connections inherit it. Without it, a server that writes an answer in two pieces waits 40 ms between them for an
    // acknowledgement that the client delays.
    sockopt::set_tcp_nodelay(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_connections_do_not_delay_small_pieces() {
        let (listener, address) = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let _client = std::net::TcpStream::connect(address).unwrap();
        assert!(listener.accept().unwrap().0.nodelay().unwrap());
    }

    #[test]
    fn a_port_in_use_is_told_apart() {
        let (_held, address) = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_eq!(listen(address).unwrap_err(), Refusal::AddressInUse { port: address.port() });
        let elsewhere = "192.0.2.1:80".parse().unwrap();
        assert!(matches!(listen(elsewhere), Err(Refusal::CannotListen { .. })));
    }
}
