// SPDX-License-Identifier: Apache-2.0
//! Clients that end their side after the request: some wait for the answer, others have gone.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use lithouse_testkit::wait_until_blocking;

use super::passed::serving;
use crate::server::{PATIENCE, Server};

fn asked(server: &Server, request: &str) -> TcpStream {
    let address = server.address();
    let mut stream = TcpStream::connect(&address).unwrap();
    write!(stream, "{request} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n").unwrap();
    stream
}

#[test]
fn a_client_that_ends_its_side_gets_its_answer_however_long_that_takes() {
    let server = serving();
    let mut stream = asked(&server, "POST /apps/app/waiting");
    stream.shutdown(Shutdown::Write).unwrap();
    // Time itself: several looks whether the client is there.
    stream.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
    let nothing = stream.read(&mut [0; 1]);
    assert!(matches!(&nothing, Err(error) if error.kind() == ErrorKind::WouldBlock), "{nothing:?}");
    server.get("/apps/app/go").expect(200);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n0"), "{answer}");
    // The API answers such a client too.
    let mut stream = asked(&server, "GET /api/apps");
    stream.shutdown(Shutdown::Write).unwrap();
    answer.clear();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[test]
fn a_client_that_has_gone_takes_its_request_with_it_also_where_nothing_is_sent() {
    let server = serving();
    let gone = || server.get("/apps/app/gone").expect(200).text().parse::<u32>().unwrap();
    let stream = asked(&server, "GET /apps/app/until-gone");
    wait_until_blocking("the app has the request", PATIENCE, || server.get("/apps/app/asked").text() == "1");
    assert_eq!(gone(), 0);
    drop(stream);
    wait_until_blocking("the app is let go", PATIENCE, || gone() == 1);
}
