// SPDX-License-Identifier: Apache-2.0
//! Any other server by `command`, fixed ports and given virtual environments, as the configuration names them.

mod owner;
mod ports;
mod venv;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use lithouse_testkit::wait_until_blocking;
use serde_json::Value;

use crate::server::{PATIENCE, Server, is_alive, signal};

/// A small server that tells what it was asked and what it was given.
const SERVE: &str = r"
import http.server, json, os, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        if self.headers.get('Upgrade'):
            return self.echo()
        if self.path.endswith('/events'):
            return self.events()
        if self.path.endswith('/crash'):
            os._exit(7)
        told = {'path': self.path, 'prefix': self.headers.get('X-Forwarded-Prefix'), 'env': dict(os.environ),
                'pid': os.getpid(), 'cwd': os.getcwd(), 'argv': sys.argv, 'python': sys.executable}
        body = json.dumps(told).encode()
        is_loading = os.path.exists('loading')
        self.send_response(503 if is_loading else 200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def echo(self):
        self.send_response(101)
        self.send_header('Upgrade', self.headers['Upgrade'])
        self.send_header('Connection', 'Upgrade')
        self.end_headers()
        while data := self.rfile.read1(100):
            self.wfile.write(data)
        self.close_connection = True

    def events(self):
        self.send_response(200)
        self.send_header('Content-Type', 'text/event-stream')
        self.send_header('Connection', 'close')
        self.end_headers()
        for number in range(2):
            self.wfile.write(f'data: {number}\n\n'.encode())
            self.wfile.flush()
            while not os.path.exists('more') and number == 0:
                time.sleep(0.02)  # between two looks at what the test does
        self.close_connection = True

print('serving')
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
";

/// A server, not started yet, and the folder of its one app `other`, which the configuration describes with these lines.
fn configured(lines: &str) -> (Server, PathBuf) {
    let server = Server::prepare_with_uv(&[]);
    let folder = server.folder().join("other");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("serve.py"), SERVE).unwrap();
    std::fs::write(server.folder().join("lithouse.toml"), format!("[apps.other]\ndir = \"other\"\n{lines}\n")).unwrap();
    (server, folder)
}

/// What the app tells of itself.
#[track_caller]
fn told(server: &Server, path: &str) -> Value {
    server.get(path).expect(200).json()
}

#[test]
fn a_command_serves_on_its_port_with_all_that_it_needs_to_know() {
    let (server, folder) =
        configured("command = \"python3 serve.py \\\"two words\\\" && true\"\nurl = \"else\"\nname = \"The other\"");
    let server = server.up();
    let app = server.wait_for_status("other", "running");
    let told = told(&server, "/apps/else/some/path?x=1&y=%20");
    assert_eq!(told["path"], "/some/path?x=1&y=%20");
    assert_eq!(told["prefix"], "/apps/else");
    assert_eq!(told["cwd"], folder.canonicalize().unwrap().to_str().unwrap());
    assert_eq!(told["argv"], serde_json::json!(["serve.py", "two words"]));
    let env = &told["env"];
    assert_eq!(env["PORT"], app["port"].to_string());
    assert_eq!(env["LITHOUSE_APP_PREFIX"], "/apps/else");
    assert_eq!(env["LITHOUSE_APP_URL"], server.url("/apps/else/"));
    assert_eq!(env["LITHOUSE_APP_ID"], app["app_id"]);
    let state = env["LITHOUSE_APP_DATA"].as_str().unwrap();
    assert!(PathBuf::from(state).is_dir(), "{state}");
    assert_eq!(env["HOME"], state);
    let foreign = |name: &String| name.starts_with("CARGO") || name.starts_with("STREAMLIT") || name == "VIRTUAL_ENV";
    assert!(!env.as_object().unwrap().keys().any(foreign), "{env}");
    // Nothing was built for it.
    assert!(std::fs::read_dir(server.data().join("envs")).unwrap().next().is_none());
}

#[test]
fn the_pid_of_a_simple_command_is_the_apps_own_and_a_kept_prefix_stays() {
    let (server, _) = configured("command = \"python3 serve.py\"\nprefix = \"keep\"");
    let server = server.up();
    let app = server.wait_for_status("other", "running");
    let told = told(&server, "/apps/other/x");
    assert_eq!((&told["path"], &told["pid"]), (&Value::from("/apps/other/x"), &app["pid"]));
}

#[test]
fn requests_that_come_before_a_command_is_ready_wait_for_it() {
    // All that takes its time is done before the request comes, which is not kept waiting for ever.
    let late = "\
import http.server, json, os, sys, time
print('about to serve', flush=True)
while not os.path.exists('go'):
    time.sleep(0.02)  # between two looks at what the test does
exec(open('serve.py').read())
";
    let (server, folder) = configured("command = \"python3 late.py\"");
    std::fs::write(folder.join("late.py"), late).unwrap();
    let server = server.up();
    wait_until_blocking("it is about to open its port", PATIENCE, || {
        let log = std::fs::read_to_string(server.data().join("logs/other.log")).unwrap_or_default();
        if log.contains("about to serve") { Ok(()) } else { Err(log) }
    });
    std::thread::scope(|scope| {
        let early = scope.spawn(|| server.get("/apps/other/early"));
        wait_until_blocking("the app was asked for", PATIENCE, || !server.app("other")["last_used_at"].is_null());
        assert_eq!(server.app("other")["status"], "starting");
        std::fs::write(folder.join("go"), "").unwrap();
        assert_eq!(early.join().unwrap().expect(200).json()["path"], "/early");
    });
}

#[test]
fn a_command_that_never_opens_its_port_is_told_to_visitors_as_starting_and_then_as_failed() {
    // Longer than a visitor is kept waiting, on any machine.
    let (server, _) = configured("command = \"sleep 1000\"\n[hosting]\nstart_timeout = \"10m\"");
    let server = server.up();
    server.wait_for("other", "started", |app| !app["pid"].is_null());
    let problem = server.get("/apps/other/").expect_problem(503, "app_not_running");
    assert_eq!(problem["app_status"], "starting");
    let (server, _) = configured("command = \"sleep 1000\"\n[hosting]\nstart_timeout = \"2s\"");
    let server = server.up();
    let failed = server.wait_for_status("other", "failed");
    assert!(failed["reason"].as_str().unwrap().contains("never became healthy within 2 s"), "{failed}");
    let problem = server.get("/apps/other/").expect_problem(503, "app_not_running");
    assert_eq!(problem["app_status"], "failed");
}

#[test]
fn server_errors_while_an_app_loads_are_not_its_readiness() {
    let (server, folder) = configured("command = \"python3 serve.py\"");
    std::fs::write(folder.join("loading"), "").unwrap();
    let server = server.up();
    wait_until_blocking("it was asked more than once", PATIENCE, || {
        let log = std::fs::read_to_string(server.data().join("logs/other.log")).unwrap_or_default();
        if log.matches("\" 503 ").count() >= 2 { Ok(()) } else { Err(log) }
    });
    assert_eq!(server.app("other")["status"], "starting");
    std::fs::remove_file(folder.join("loading")).unwrap();
    server.wait_for_status("other", "running");
}

#[test]
fn websockets_and_event_streams_of_a_command_pass() {
    let (server, folder) = configured("command = \"python3 serve.py\"");
    let server = server.up();
    server.wait_for_status("other", "running");
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let ask = format!(
        "GET /apps/other/ws HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        server.address()
    );
    stream.write_all(ask.as_bytes()).unwrap();
    assert!(read_until(&mut stream, "\r\n\r\n").starts_with("HTTP/1.1 101 "));
    stream.write_all(b"ping").unwrap();
    assert_eq!(read_until(&mut stream, "ping"), "ping");

    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET /apps/other/events HTTP/1.1\r\nHost: {}\r\n\r\n", server.address()).unwrap();
    // The first event is there while the app still works on the second.
    let first = read_until(&mut stream, "data: 0\n\n");
    assert!(!first.contains("data: 1"), "{first}");
    std::fs::write(folder.join("more"), "").unwrap();
    read_until(&mut stream, "data: 1\n\n");
}

fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut read = String::new();
    let mut buffer = [0; 4096];
    while !read.contains(end) {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "it ended after {read:?}");
        read.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    read
}

#[test]
fn a_command_is_logged_restarted_when_it_crashes_and_stopped_with_all_that_it_started() {
    let (server, _) = configured("command = \"sleep 1000 & python3 serve.py; echo over\"");
    let server = server.up();
    server.wait_for_status("other", "running");
    let python = u32::try_from(told(&server, "/apps/other/")["pid"].as_u64().unwrap()).unwrap();
    let shell = u32::try_from(server.app("other")["pid"].as_u64().unwrap()).unwrap();
    assert_ne!(python, shell);
    // What it prints is read beside it, and comes a moment later.
    wait_until_blocking("it is in the log", PATIENCE, || {
        let log = server.get("/api/apps/other/logs").expect(200).text();
        if log.contains("serving") { Ok(()) } else { Err(log) }
    });
    signal(shell, "KILL");
    let again = server.wait_for("other", "restarted", |app| app["restarts"] == 1 && app["status"] == "running");
    assert!(!is_alive(python));
    assert_ne!(again["pid"], shell);
    let python = u32::try_from(told(&server, "/apps/other/")["pid"].as_u64().unwrap()).unwrap();
    server.post("/api/apps/other/stop").expect(200);
    server.wait_for_status("other", "stopped");
    assert!(!is_alive(python));
    let left: Vec<_> =
        server.processes().into_iter().filter(|(_, line)| line.contains("sleep") || line.contains("serve.py")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_crash_of_a_command_is_told_with_its_exit_code() {
    let (server, _) = configured("command = \"exec python3 serve.py\"\nrestart_on_crash = false");
    let server = server.up();
    server.wait_for_status("other", "running");
    let _ = server.try_get("/apps/other/crash");
    let crashed = server.wait_for_status("other", "crashed");
    assert!(crashed["reason"].as_str().unwrap().contains("exit code 7"), "{crashed}");
}

#[test]
fn a_command_that_is_not_there_is_named() {
    let (server, _) = configured("command = \"cd . && gunicorn-that-nobody-has app:app\"");
    let server = server.up();
    let failed = server.wait_for_status("other", "failed");
    let reason = failed["reason"].as_str().unwrap();
    assert!(reason.contains("the command `gunicorn-that-nobody-has` was not found"), "{reason}");
}

#[test]
fn a_command_lives_through_the_death_of_the_server() {
    let (server, _) = configured("command = \"python3 serve.py\"");
    let mut server = server.up();
    let before = server.wait_for_status("other", "running");
    server.kill();
    server.start_again();
    let after = server.wait_for_status("other", "running");
    assert_eq!((&before["pid"], &before["port"]), (&after["pid"], &after["port"]));
    assert_eq!(told(&server, "/apps/other/")["pid"], before["pid"]);
}
