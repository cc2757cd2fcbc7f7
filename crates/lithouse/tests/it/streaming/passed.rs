// SPDX-License-Identifier: Apache-2.0
//! What passes through to an app and back, also where one side stands still.

use std::io::{self, Read, Write};
use std::time::Duration;

use lithouse_testkit::wait_until_blocking;

use super::memory::assert_needs_few;
use super::{BLOCK, Exchange, LARGE, length};
use crate::server::{PATIENCE, Server};

/// Gives and takes as much as it is asked to; `/waiting` is taken only after `/go`, and `/given` tells how much went out so far.
/// `/until-gone` never answers, and `/gone` tells how many of those that asked for it have left.
const APP: &str = r"
import http.server, os, threading

going = threading.Event()
given = 0
asked, gone = [], []

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        global given
        if self.path.startswith('/large'):
            size = int(self.path.split('=')[1])
            self.send_response(200)
            self.send_header('Content-Length', str(size))
            self.end_headers()
            given = 0
            while given < size:
                block = bytes(min(size - given, 1 << 16))
                self.wfile.write(block)
                given += len(block)
        elif self.path == '/given':
            self.tell(given)
        elif self.path == '/until-gone':
            asked.append(1)
            self.rfile.read(1)
            gone.append(1)
        elif self.path == '/asked':
            self.tell(len(asked))
        elif self.path == '/gone':
            self.tell(len(gone))
        else:
            if self.path == '/go':
                going.set()
            self.tell('ok')

    def do_POST(self):
        if self.path == '/waiting':
            going.wait()
        taken = 0
        while taken < int(self.headers['Content-Length']):
            taken += len(self.rfile.read(min(int(self.headers['Content-Length']) - taken, 1 << 16)))
        self.tell(taken)

    def tell(self, what):
        text = str(what).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(text)))
        self.end_headers()
        self.wfile.write(text)

http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
";

/// What may be under way between two programs that stand still: the kernel's buffers on both connections, and a little of ours.
const UNDER_WAY: u64 = 64 << 20;

pub(super) fn serving() -> Server {
    let server = Server::prepare(&[]);
    let folder = server.folder().join("app");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("serve.py"), APP).unwrap();
    let configuration = "[apps.app]\ndir = \"app\"\ncommand = \"exec python3 serve.py\"\n";
    std::fs::write(server.folder().join("lithouse.toml"), configuration).unwrap();
    let server = server.up();
    server.wait_for_status("app", "running");
    server
}

fn text(mut body: impl Read) -> String {
    let mut text = String::new();
    body.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_large_body_passes_to_an_app_and_back_without_being_in_memory() {
    let server = serving();
    assert_needs_few("upload", &server, || {
        let mut exchange = Exchange::begin(&server, "POST", "/apps/app/taken", "application/octet-stream", LARGE);
        exchange.send(io::repeat(7).take(LARGE)).unwrap();
        assert_eq!(text(exchange.expect(200)), LARGE.to_string());
    });
    assert_needs_few("download", &server, || {
        assert_eq!(length(Exchange::get(&server, &format!("/apps/app/large?size={LARGE}")).expect(200)), LARGE);
    });
}

#[test]
fn a_reader_that_stands_still_stops_the_app_and_is_not_read_ahead_for() {
    let server = serving();
    assert_needs_few("a slow reader", &server, || {
        let mut body = Exchange::get(&server, &format!("/apps/app/large?size={LARGE}")).expect(200);
        let mut before = None;
        // It stands when it does not move between two looks.
        let given = wait_until_blocking("the app stands still", PATIENCE, || {
            let given: u64 = server.get("/apps/app/given").text().parse().unwrap();
            if before.replace(given) == Some(given) && given > 0 { Ok(given) } else { Err(given) }
        });
        assert!(given < UNDER_WAY, "{given} bytes were taken from the app although nobody reads");
        assert_eq!(length(&mut body), LARGE);
    });
}

#[test]
fn an_app_that_takes_nothing_stops_the_writer_and_is_not_held_for() {
    let server = serving();
    assert_needs_few("a slow app", &server, || {
        let mut exchange = Exchange::begin(&server, "POST", "/apps/app/waiting", "application/octet-stream", LARGE);
        // So long nothing is taken at all: then the buffers on the way are full.
        exchange.connection.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        let (block, mut sent) = (vec![7; BLOCK], 0);
        while sent < LARGE {
            match exchange.connection.write(&block) {
                Ok(count) => sent += count as u64,
                Err(error) => {
                    assert!(matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{error}");
                    break;
                }
            }
        }
        assert!(sent < UNDER_WAY, "{sent} bytes were taken although the app takes none");
        server.get("/apps/app/go").expect(200);
        exchange.connection.set_write_timeout(None).unwrap();
        exchange.send(io::repeat(7).take(LARGE - sent)).unwrap();
        assert_eq!(text(exchange.expect(200)), LARGE.to_string());
    });
}
