// SPDX-License-Identifier: Apache-2.0
//! Uploads that are refused while they still come.

use std::io::{Read, Write, repeat};

use super::{Exchange, around, length};
use crate::server::Server;

/// More than any buffer between the two holds.
const REST: u64 = 64 << 20;

#[test]
fn whoever_sends_all_of_a_refused_body_reads_the_answer() {
    let server = Server::start_without_environments();
    let (kind, [head, tail]) = around("requirements");
    let size = head.len() as u64 + REST + tail.len() as u64;
    let (too_large, unknown) = ("/api/apps", "/api/apps/nobody/releases");
    for (method, path, status) in
        [("POST", too_large, 413), ("POST", unknown, 404), ("POST", "/api/nothing", 404), ("DELETE", "/health", 405)]
    {
        let mut exchange = Exchange::begin(&server, method, path, &kind, size);
        let body = (&head[..]).chain(repeat(b'#').take(REST)).chain(&tail[..]);
        exchange.send(body).unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        assert!(length(exchange.expect(status)) > 100, "{path}: there is no problem in the answer");
    }
}

#[test]
fn whoever_waits_for_a_word_before_the_body_gets_the_refusal_and_sends_nothing() {
    let server = Server::start_without_environments();
    let mut connection = std::net::TcpStream::connect(server.address()).unwrap();
    write!(
        connection,
        "POST /api/nothing HTTP/1.1\r\nHost: {}\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
        server.address()
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}
