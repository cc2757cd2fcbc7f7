// SPDX-License-Identifier: Apache-2.0
//! Apps that are busy while one server takes the place of another.

use std::io::{Read, Write};
use std::net::TcpStream;

use lithouse_testkit::wait_until_blocking;
use serde_json::Value;

use super::house::House;
use crate::server::PATIENCE;

/// Does one thing at a time.
const SERVE: &str = r"
import http.server, os, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.endswith('/slow'):
            open('asked', 'w').close()
            while not os.path.exists('go'):
                time.sleep(0.02)  # between two looks at what the test does
        body = b'done'
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
";
const SILENT: &str = "it has not answered since the server came back";

impl House {
    /// A house with one app `busy`, which may take two seconds to start from the next server on.
    fn with_busy() -> Self {
        let house = Self::new();
        let folder = house.folder().join("busy");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("serve.py"), SERVE).unwrap();
        let configuration = "[apps.busy]\ndir = \"busy\"\ncommand = \"python3 serve.py\"\n";
        std::fs::write(house.folder().join("lithouse.toml"), configuration).unwrap();
        let house = house.started();
        house.wait_for("it runs", |app| app["status"] == "running");
        let shorter = format!("[hosting]\nstart_timeout = \"2s\"\n{configuration}");
        std::fs::write(house.folder().join("lithouse.toml"), shorter).unwrap();
        house
    }

    #[track_caller]
    fn wait_for(&self, what: &str, is_it: impl Fn(&Value) -> bool) {
        wait_until_blocking(what, PATIENCE, || {
            let app = self.app("busy");
            if is_it(&app) { Ok(()) } else { Err(app) }
        });
    }

    /// Asks the app over a connection of its own.
    fn begin_to_ask(&self, path: &str) -> TcpStream {
        let server: Value = self.server();
        let mut stream = TcpStream::connect(server["listen"].as_str().unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!("GET /apps/busy{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    /// The whole answer.
    fn ask(&self, path: &str) -> String {
        let mut answer = String::new();
        self.begin_to_ask(path).read_to_string(&mut answer).unwrap();
        answer
    }
}

#[test]
fn an_app_that_is_busy_for_longer_than_a_start_may_take_keeps_its_process_and_its_request() {
    let house = House::with_busy();
    let pid = house.app_pid("busy");
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| house.ask("/slow"));
        wait_until_blocking("it is asked", PATIENCE, || house.folder().join("busy/asked").exists());
        house.run("restart --server").code(0);
        house.wait_for("it is told that it does not answer", |app| app["reason"] == SILENT);
        assert_eq!(house.app("busy")["status"], "running");
        assert_eq!(house.app_pid("busy"), pid);
        std::fs::write(house.folder().join("busy/go"), "").unwrap();
        let answer = slow.join().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
    });
    house.wait_for("it answers", |app| app["reason"].is_null());
    assert_eq!(house.app_pid("busy"), pid);
    assert!(house.ask("/").ends_with("done"));
}

#[test]
fn an_app_that_is_busy_while_the_server_is_killed_and_started_again_goes_on_where_it_was() {
    let house = House::with_busy();
    let pid = house.app_pid("busy");
    let cut_off = house.begin_to_ask("/slow");
    wait_until_blocking("it is asked", PATIENCE, || house.folder().join("busy/asked").exists());
    house.kill_server();
    drop(cut_off);
    let house = house.started();
    house.wait_for("it is told that it does not answer", |app| app["reason"] == SILENT);
    assert_eq!(house.app_pid("busy"), pid);
    std::fs::write(house.folder().join("busy/go"), "").unwrap();
    house.wait_for("it answers", |app| app["reason"].is_null());
    assert_eq!(house.app_pid("busy"), pid);
    assert!(house.ask("/").ends_with("done"));
}
