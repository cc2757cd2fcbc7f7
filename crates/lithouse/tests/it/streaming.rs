// SPDX-License-Identifier: Apache-2.0
//! Large bodies in either direction: the server passes them on and never holds them.

mod cut;
mod files;
mod half_closed;
mod memory;
mod passed;
mod refused;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use crate::server::Server;

/// The size of what is large here.
const LARGE: u64 = 200 << 20;
const BLOCK: usize = 64 << 10;

/// One request on a connection of its own, sent as fast or as slowly as a test likes.
struct Exchange {
    connection: TcpStream,
}

impl Exchange {
    /// Sends the head of a request whose body has this length.
    fn begin(server: &Server, method: &str, path: &str, kind: &str, length: u64) -> Self {
        let address = server.address();
        let mut connection = TcpStream::connect(&address).unwrap();
        write!(
            connection,
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
        )
        .unwrap();
        Self { connection }
    }

    fn get(server: &Server, path: &str) -> Self {
        Self::begin(server, "GET", path, "text/plain", 0)
    }

    /// Sends a part of the body.
    fn send(&mut self, mut part: impl Read) -> io::Result<u64> {
        io::copy(&mut part, &mut self.connection)
    }

    /// The status, and the body as it comes.
    fn answer(self) -> (u16, BufReader<TcpStream>) {
        let mut reader = BufReader::with_capacity(BLOCK, self.connection);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).unwrap_or_else(|| panic!("no status in {line:?}")).parse().unwrap();
        while line != "\r\n" {
            line.clear();
            assert!(reader.read_line(&mut line).unwrap() > 0, "the head of the answer has no end");
        }
        (status, reader)
    }

    #[track_caller]
    fn expect(self, status: u16) -> BufReader<TcpStream> {
        let (answered, mut body) = self.answer();
        if answered != status {
            let mut text = String::new();
            let _ = (&mut body).take(4096).read_to_string(&mut text);
            panic!("{answered} and not {status}: {text}");
        }
        body
    }
}

/// How many bytes come.
fn length(mut body: impl Read) -> u64 {
    io::copy(&mut body, &mut io::sink()).unwrap()
}

/// What is before and behind the one file of a form.
fn around(field: &str) -> (String, [Vec<u8>; 2]) {
    let head = format!("--edge\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"f\"\r\n\r\n");
    ("multipart/form-data; boundary=edge".to_owned(), [head.into_bytes(), b"\r\n--edge--\r\n".to_vec()])
}
