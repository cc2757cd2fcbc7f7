// SPDX-License-Identifier: Apache-2.0
//! The network: there is none, behind two walls where the kernel allows.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};

use serde_json::json;

use crate::zygote::{everywhere, unique_name};

/// The last step of a plan.
const FILTER: &str = "filter system calls";

#[test]
fn no_socket_of_any_family_can_be_made() {
    let code = "
import errno
found = {}
for family in range(46):
    for kind in (1, 2, 3, 5):
        for protocol in (0, 1, 6, 17, 58, 255):
            if LIBC.socket(family, kind, protocol) >= 0 or ctypes.get_errno() != errno.EPERM:
                found[f'{family} {kind} {protocol}'] = ctypes.get_errno()
";
    everywhere(|zygote| assert_eq!(zygote.run(code).found(), json!({})));
}

#[test]
fn a_pair_of_sockets_works_but_reaches_nobody_else() {
    let abstract_name = unique_name();
    let address = SocketAddr::from_abstract_name(&abstract_name).expect("a name");
    let datagrams = UnixDatagram::bind_addr(&address).expect("a socket");
    datagrams.set_nonblocking(true).expect("an option");
    let code = format!(
        "
import socket, struct
one, two = socket.socketpair()
one.sendall(b'hello')
address = struct.pack('=H', socket.AF_UNIX) + b'\\0{abstract_name}'
found = [
    two.recv(5).decode(),
    attempt(lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)),
    attempt(lambda: socket.socketpair(socket.AF_INET, socket.SOCK_STREAM)),
    attempt(lambda: one.connect('\\0{abstract_name}')),
    attempt(lambda: one.bind('\\0other')),
    attempt(lambda: one.listen()),
    attempt(lambda: one.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack('i', 0))])),
]
# A stream socket that is connected takes no address.
LIBC.sendto(one.fileno(), b'x', 1, 0, address, len(address))
"
    );
    everywhere(|zygote| {
        let found = zygote.run(&code).found();
        assert_eq!(found, json!(["hello", "EPERM", "EPERM", "EPERM", "EPERM", "EPERM", "EPERM"]));
        assert!(datagrams.recv(&mut [0; 8]).is_err(), "a datagram came out");
    });
}

#[test]
fn even_without_the_filter_nothing_that_listens_can_be_reached() {
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = tcp.local_addr().expect("an address").port();
    let name = unique_name();
    let _abstract = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).expect("a name")).expect("a socket");
    let code = format!(
        "
import socket
def connect(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.settimeout(5)
        one.connect(address)
def bind():
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
found = [
    attempt(lambda: connect(socket.AF_INET, ('127.0.0.1', {port}))),
    attempt(lambda: connect(socket.AF_UNIX, '\\0{name}')),
    attempt(bind),
]
"
    );
    everywhere(|zygote| {
        let Some(landlock) = zygote.launched.landlock else {
            eprintln!("SKIPPED: the kernel has no Landlock, so there is no second wall");
            return;
        };
        let found = zygote.fork_without(0, &[FILTER]).run(&code).found();
        let is_walled = zygote.ground.level.has_namespaces();
        if is_walled || landlock >= 4 {
            assert_ne!(found[0], "done", "TCP");
            assert!(landlock < 4 || found[2] != "done", "listening");
        }
        if is_walled || landlock >= 6 {
            assert_ne!(found[1], "done", "an abstract socket");
        }
    });
}
