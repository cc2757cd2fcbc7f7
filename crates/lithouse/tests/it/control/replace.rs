// SPDX-License-Identifier: Apache-2.0
//! One server in the place of another: `restart --server`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use lithouse_testkit::{put_program, wait_until_blocking};

use super::house::{House, finish};
use crate::server::{HELLO, PATIENCE, STREAMLIT, Server, is_alive, signal};

const ROUNDS: usize = 10;

impl House {
    fn address(&self) -> String {
        self.server()["listen"].as_str().unwrap().to_owned()
    }

    /// The servers that run; keeper and apps are others.
    fn servers(&self) -> Vec<u32> {
        let is_server = |(_, command): &(u32, String)| command.contains("lithouse") && command.contains(" serve");
        self.processes().into_iter().filter(is_server).map(|(pid, _)| pid).filter(|pid| is_alive(*pid)).collect()
    }

    /// The binary, at a path of its own.
    fn with_copy(&self) -> PathBuf {
        let copy = self.folder().join("lithouse");
        put_program(&copy, std::fs::read(env!("CARGO_BIN_EXE_lithouse")).unwrap());
        copy
    }
}

/// One request; the whole answer.
pub(crate) fn ask(stream: &mut TcpStream, request: &str) -> Result<String, String> {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(request.as_bytes()).map_err(|error| format!("not sent: {error}"))?;
    read_answer(stream)
}

fn read_answer(stream: &mut TcpStream) -> Result<String, String> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
            if length.is_some_and(|length| body.len() >= length) || (length.is_none() && text.ends_with("0\r\n\r\n")) {
                return Ok(text);
            }
        }
        match stream.read(&mut piece) {
            Ok(0) => return Err(format!("cut off after {text:?}")),
            Ok(count) => bytes.extend(&piece[..count]),
            Err(error) => return Err(format!("{error} after {text:?}")),
        }
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Asks until it is over, and counts; every answer must be a good one.
fn keep_asking(address: &str, path: &str, is_over: &AtomicBool, keep_alive: bool, answered: &AtomicUsize) {
    let mut stream: Option<TcpStream> = None;
    while !is_over.load(Ordering::Relaxed) {
        let count = answered.load(Ordering::Relaxed);
        let mut connection = stream.take().unwrap_or_else(|| TcpStream::connect(address).expect("a connection was refused"));
        let answer = ask(&mut connection, &get(path)).unwrap_or_else(|error| panic!("request {count} to {path}: {error}"));
        assert!(answer.starts_with("HTTP/1.1 200"), "request {count} to {path}: {answer}");
        if keep_alive && !answer.to_lowercase().contains("connection: close") {
            stream = Some(connection);
        }
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits until each of these who keep asking has got a further answer.
fn wait_until_all_are_answered(answered: &[AtomicUsize]) {
    let counts = || answered.iter().map(|count| count.load(Ordering::Relaxed)).collect::<Vec<_>>();
    let before = counts();
    wait_until_blocking("everybody who asks is answered", PATIENCE, || {
        let now = counts();
        if before.iter().zip(&now).all(|(before, now)| now > before) { Ok(()) } else { Err(now) }
    });
}

#[test]
fn under_load_nothing_is_refused_failed_or_lost_in_ten_replacements_in_a_row() {
    let house = House::new().started();
    let app = house.hello("sales");
    let (address, first) = (house.address(), house.pid());
    let (is_over, answered) = (AtomicBool::new(false), [const { AtomicUsize::new(0) }; 6]);
    let mut session = Session::open(&address, "sales");
    let gaps: Vec<String> = std::thread::scope(|scope| {
        let paths = ["/apps/sales/_stcore/health", "/api/apps", "/health"];
        for ((path, keep_alive), answered) in paths.into_iter().flat_map(|path| [(path, false), (path, true)]).zip(&answered) {
            let (address, is_over) = (&address, &is_over);
            scope.spawn(move || keep_asking(address, path, is_over, keep_alive, answered));
        }
        // A panic here must end the askers too.
        let replaced = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            (0..ROUNDS)
                .map(|_| {
                    wait_until_all_are_answered(&answered);
                    let told = house.run("restart --server").code(0).stderr;
                    assert_eq!(house.app_pid("sales"), app, "the app has another process");
                    session.is_alive();
                    told
                })
                .collect()
        }));
        if replaced.is_ok() {
            wait_until_all_are_answered(&answered);
        }
        is_over.store(true, Ordering::Relaxed);
        replaced.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    eprintln!("{answered:?} requests; {gaps:#?}");
    assert_ne!(house.pid(), first);
    assert_eq!(house.address(), address);
    session.is_alive();
    drop(session);
    wait_until_blocking("one server is left", PATIENCE, || {
        let servers = house.servers();
        if servers == [house.pid()] { Ok(()) } else { Err(servers) }
    });
}

/// A visitor of a Streamlit app.
struct Session(TcpStream);

impl Session {
    fn open(address: &str, app: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!(
            "GET /apps/{app}/_stcore/stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        Self(stream)
    }

    /// The app answers a ping of this very connection.
    #[track_caller]
    fn is_alive(&mut self) {
        // A masked ping with the text `hi`, under a mask of zeros.
        self.0.write_all(&[0x89, 0x82, 0, 0, 0, 0, b'h', b'i']).unwrap();
        self.0.set_read_timeout(Some(PATIENCE)).unwrap();
        loop {
            let mut head = [0; 2];
            self.0.read_exact(&mut head).expect("the session was lost");
            let length = match head[1] & 0x7f {
                126 => {
                    let mut length = [0; 2];
                    self.0.read_exact(&mut length).unwrap();
                    u64::from(u16::from_be_bytes(length))
                }
                127 => {
                    let mut length = [0; 8];
                    self.0.read_exact(&mut length).unwrap();
                    u64::from_be_bytes(length)
                }
                short => u64::from(short),
            };
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            self.0.read_exact(&mut payload).unwrap();
            match head[0] & 0x0f {
                0xa => return assert_eq!(payload, b"hi"),
                0x8 => panic!("the session was closed"),
                // What the app tells its visitor, and its own pings, which need no answer this soon.
                _ => {}
            }
        }
    }
}

#[test]
fn an_app_that_crashed_for_good_stays_so_for_the_successor() {
    let house = House::new();
    std::fs::create_dir(house.folder().join("short")).unwrap();
    let app = "[apps.short]\ndir = \"short\"\ncommand = \"exec python3 -m http.server $PORT\"\nrestart_on_crash = false\n";
    std::fs::write(house.folder().join("lithouse.toml"), app).unwrap();
    let house = house.started();
    let is = |status: &str| wait_until_blocking(status, PATIENCE, || house.app("short")["status"] == status);
    is("running");
    signal(house.app_pid("short"), "KILL");
    is("crashed");
    let crashed = house.app("short");
    house.run("restart --server").code(0);
    let after = house.app("short");
    assert_eq!((&after["status"], &after["reason"]), (&crashed["status"], &crashed["reason"]));
    house.run("start short").code(0);
    is("running");
}

#[test]
fn another_program_at_the_same_path_takes_over_and_one_that_cannot_serve_changes_nothing() {
    let house = House::new();
    let copy = house.with_copy();
    let run = |words: &str| {
        let mut command = Command::new(&copy);
        let plain = house.command();
        command.current_dir(house.folder()).envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        finish(command.args(words.split_whitespace()))
    };
    run("start").code(0);
    let app = house.hello("sales");
    let first = house.pid();
    let replace = |content: &[u8]| put_program(&copy, content);
    replace(b"#!/bin/sh\necho 'error: not today' >&2\nexit 1\n");
    let refused = house.run("restart --server").code(4);
    assert_eq!(
        refused.stderr,
        "error: the successor would not serve: not today\nhint: the server goes on as before; mend it and try again\n"
    );
    replace(b"#!/bin/sh\nexit 3\n");
    house.run("restart --server").code(4).says("the successor ended (exit status: 3) before it was ready");
    replace(b"no program at all");
    house.run("restart --server").code(4).says("could not start `");
    assert_eq!((house.pid(), house.app_pid("sales")), (first, app));
    let mut changed = std::fs::read(env!("CARGO_BIN_EXE_lithouse")).unwrap();
    changed.extend(b"changed");
    replace(&changed);
    house.run("restart --server").code(0);
    assert_ne!(house.pid(), first);
    assert_eq!(house.app_pid("sales"), app);
    let running = std::fs::read_link(format!("/proc/{}/exe", house.pid())).unwrap();
    assert_eq!(running, copy.canonicalize().unwrap());
}

#[test]
fn a_wrong_configuration_or_a_newer_database_is_found_before_anything_is_given_up() {
    let house = House::new();
    std::fs::write(house.folder().join("lithouse.toml"), "[hosting]\nstop_grace = \"3s\"\n").unwrap();
    let house = house.started();
    let first = house.pid();
    std::fs::write(house.folder().join("lithouse.toml"), "[hosting]\nstop_grace = \"soon\"\n").unwrap();
    house.run("restart --server").code(4).says("`hosting.stop_grace` is set to `soon`");
    assert_eq!(house.pid(), first);
    std::fs::write(house.folder().join("lithouse.toml"), "[hosting]\nstop_grace = \"4s\"\n").unwrap();
    house.run("restart --server").code(0).says("serves now (pid ");
    assert_ne!(house.pid(), first);
}

#[test]
fn a_successor_that_dies_while_it_takes_over_gives_everything_back() {
    let house = House::new();
    let copy = house.with_copy();
    let mut start = Command::new(&copy);
    let plain = house.command();
    start.current_dir(house.folder()).envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    finish(start.arg("start")).code(0);
    let app = house.hello("sales");
    let (first, address) = (house.pid(), house.address());
    // It is ready, is given the lock, and dies: its words are played, for the real ones are too quick to be met.
    let player = "import json, os, signal, socket\n\
                  server = socket.socket(fileno=0)\n\
                  socket.recv_fds(server, 65536, 8)\n\
                  server.send(json.dumps({'say': 'ready', 'pid': os.getpid(), 'version': '9'}).encode())\n\
                  word = socket.recv_fds(server, 65536, 8)\n\
                  assert json.loads(word[0])['say'] == 'yours' and len(word[1]) == 1\n\
                  os.kill(os.getpid(), signal.SIGKILL)\n";
    std::fs::write(house.folder().join("player.py"), player).unwrap();
    let script = format!("#!/bin/sh\nexec python3 '{}'\n", house.folder().join("player.py").display());
    put_program(&copy, script);
    let mut session = Session::open(&address, "sales");
    let (is_over, answered) = (AtomicBool::new(false), [AtomicUsize::new(0)]);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| keep_asking(&address, "/apps/sales/_stcore/health", &is_over, false, &answered[0]));
        let refused = house.run("restart --server");
        is_over.store(true, Ordering::Relaxed);
        refused.code(4).says("the server took everything back: signal: 9 (SIGKILL)");
        asking.join().unwrap();
    });
    session.is_alive();
    assert_eq!((house.pid(), house.app_pid("sales")), (first, app));
    let lock = std::fs::read_to_string(house.data().join("lithouse.lock")).unwrap();
    assert_eq!(lock.trim(), first.to_string());
    house.run("stop sales").code(0);
    house.run("start sales").code(0);
}

#[test]
fn a_request_and_a_long_upload_that_were_begun_before_come_to_their_end() {
    let house = House::new().started();
    house.hello("sales");
    let address = house.address();
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nlate\r\n--b\r\nContent-Disposition: form-data; \
         name=\"requirements\"; filename=\"requirements.txt\"\r\n\r\n{STREAMLIT}\r\n--b\r\nContent-Disposition: form-data; name=\"app\"; \
         filename=\"app.py\"\r\n\r\n{HELLO}\r\n--b--\r\n"
    );
    let head = format!(
        "POST /api/apps HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut upload = TcpStream::connect(&address).unwrap();
    upload.write_all(head.as_bytes()).unwrap();
    let (begin, rest) = body.split_at(60);
    upload.write_all(begin.as_bytes()).unwrap();
    let mut slow = TcpStream::connect(&address).unwrap();
    let request = get("/apps/sales/_stcore/health");
    let (asked, to_ask) = request.split_at(20);
    slow.write_all(asked.as_bytes()).unwrap();
    let first = house.pid();
    std::thread::scope(|scope| {
        let replacing = scope.spawn(|| house.run("restart --server").code(0));
        wait_until_blocking("there is a successor", PATIENCE, || house.servers().len() == 2);
        // What is slow is the client: it sends a piece at a time.
        for piece in rest.as_bytes().chunks(rest.len().div_ceil(20)) {
            upload.write_all(piece).unwrap();
            // The pace of a slow line.
            std::thread::sleep(Duration::from_millis(100));
        }
        let answer = read_answer(&mut upload).unwrap();
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        replacing.join().unwrap();
    });
    assert_ne!(house.pid(), first);
    let answer = ask(&mut slow, to_ask).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok"), "{answer}");
    assert_eq!(house.app("late")["key"], "late");
}

#[test]
fn stop_ends_servers_that_still_carry_a_connection_too() {
    let house = House::new().started();
    house.hello("sales");
    let mut session = Session::open(&house.address(), "sales");
    let first = house.pid();
    house.run("restart --server").code(0);
    session.is_alive();
    assert!(is_alive(first), "it carries the session");
    house.run("stop").code(0);
    wait_until_blocking("the first server is gone", PATIENCE, || !is_alive(first));
}

#[test]
fn a_server_in_the_foreground_stands_for_its_successors_and_ends_with_them() {
    let mut server = Server::prepare_with_uv(&[]).up();
    let holder = || std::fs::read_to_string(server.data().join("lithouse.lock")).unwrap().trim().parse::<u32>().unwrap();
    let mut before = server.pid();
    for _ in 0..2 {
        finish(server.command().args(["restart", "--server"])).code(0);
        assert_ne!(holder(), before);
        before = holder();
    }
    server.get("/health").expect(200);
    assert!(server.stop().success());
    assert!(!is_alive(before));
    assert_eq!(server.processes(), []);
}

#[test]
fn whoever_tells_the_server_to_end_while_it_is_replaced_ends_it_and_its_successor() {
    // Delays across the whole replacement, the same ones in each run.
    let mut state = 20_260_421_u32;
    let house = House::new();
    let mut taken_over = 0;
    for round in 0..10 {
        house.run("start").code(0);
        let first = house.pid();
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let delay = Duration::from_millis(u64::from(state >> 16) % 200);
        let mut replacing = house.command();
        replacing.args(["restart", "--server"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut replacing = replacing.spawn().unwrap();
        // The moment is what this is about.
        std::thread::sleep(delay);
        // Empty while it is written.
        let holder = || -> Option<u32> {
            let text = std::fs::read_to_string(house.data().join("lithouse.lock")).unwrap();
            text.trim().parse().ok()
        };
        let mut told = None;
        // One that is the server no more when it is told is not the one that was meant.
        while told.is_none() || (holder() != told && !house.servers().is_empty()) {
            told = holder();
            if let Some(pid) = told {
                signal(pid, "TERM");
            }
        }
        taken_over += u32::from(told != Some(first));
        // What became of the wish depends on the moment.
        replacing.wait().unwrap();
        let what = format!("round {round}, after {delay:?}: every server is gone");
        wait_until_blocking(&what, PATIENCE, || if house.servers().is_empty() { Ok(()) } else { Err(house.servers()) });
        house.run("status").code(3).says("no server runs");
        assert!(!house.data().join("control.sock").exists());
    }
    eprintln!("{taken_over} successors were told themselves");
}

#[test]
fn of_several_replacements_at_once_one_happens_and_the_others_are_told_so_at_once() {
    let house = House::new().started();
    let first = house.pid();
    let runs: Vec<_> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..5).map(|_| scope.spawn(|| house.run("restart --server"))).collect();
        asking.into_iter().map(|asking| asking.join().unwrap()).collect()
    });
    let replaced = runs.iter().filter(|run| run.code == Some(0)).count();
    assert!(replaced >= 1, "{runs:#?}");
    for run in runs.iter().filter(|run| run.code != Some(0)) {
        assert!(run.stderr.starts_with("error: the server is being replaced or stopped already\n"), "{runs:#?}");
    }
    assert_ne!(house.pid(), first);
    wait_until_blocking("one server is left", PATIENCE, || {
        let servers = house.servers();
        if servers == [house.pid()] { Ok(()) } else { Err(servers) }
    });
}

/// Changes the app's description; whether that was done, and not refused with when to ask again.
fn describe(address: &str, text: &str) -> bool {
    let body = format!("{{\"description\": \"{text}\"}}");
    let request = format!(
        "PATCH /api/apps/sales HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = ask(&mut TcpStream::connect(address).expect("a connection was refused"), &request).unwrap();
    let is_clear = |answer: &str| {
        answer.starts_with("HTTP/1.1 503")
            && answer.contains("\"code\":\"server_restarting\"")
            && answer.to_lowercase().contains("\r\nretry-after: ")
    };
    match answer {
        done if done.starts_with("HTTP/1.1 200") && done.contains(text) => true,
        refused if is_clear(&refused) => false,
        other => panic!("{other}"),
    }
}

#[test]
fn of_changes_all_the_time_each_is_done_or_refused_until_when_and_reads_are_answered_meanwhile() {
    let house = House::new().started();
    house.hello("sales");
    let address = house.address();
    let (is_over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (done, sent) = std::thread::scope(|scope| {
        let changing = scope.spawn(|| {
            let (mut done, mut sent) = (0_u32, 0);
            while !is_over.load(Ordering::Relaxed) || done == 0 {
                sent += 1;
                if describe(&address, &format!("the change {sent}.")) {
                    done = sent;
                }
            }
            (done, sent)
        });
        let reading = scope.spawn(|| keep_asking(&address, "/api/apps", &is_over, false, &answered));
        let replaced = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..3 {
                let before = answered.load(Ordering::Relaxed);
                house.run("restart --server").code(0);
                wait_until_blocking("reads are answered", PATIENCE, || answered.load(Ordering::Relaxed) > before);
            }
        }));
        is_over.store(true, Ordering::Relaxed);
        replaced.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        reading.join().unwrap();
        changing.join().unwrap()
    });
    // What was told as done is, unless a later change of which nobody was told that came after it.
    let told = house.app("sales")["description"].as_str().unwrap().to_owned();
    let last: u32 = told.trim_start_matches("the change ").trim_end_matches('.').parse().unwrap();
    assert!((done..=sent).contains(&last), "{told} after {done} of {sent}");
}
