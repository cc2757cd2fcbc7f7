// SPDX-License-Identifier: Apache-2.0
//! Runs as server-sent events, and clients that hang up.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use lithouse_testkit::wait_until_blocking;
use serde_json::{Value, json};

use super::server;
use crate::server::{PATIENCE, Server, is_alive};

/// A request as it goes over the wire, for whoever wants to see the answer while it comes, or to hang up.
struct Asked {
    reader: BufReader<TcpStream>,
}

impl Asked {
    fn new(server: &Server, accept: &str, body: &Value) -> Self {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (address, body) = (server.address(), body.to_string());
        let head = format!("POST /execute HTTP/1.1\r\nHost: {address}\r\nAccept: {accept}\r\nConnection: close\r\n");
        write!(stream, "{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        Self { reader: BufReader::new(stream) }
    }

    /// A line that is neither empty nor part of the transport.
    fn line(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            let line = line.trim_end();
            let is_chunk_size = !line.is_empty() && line.len() < 8 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !line.is_empty() && !is_chunk_size {
                return Some(line.to_owned());
            }
        }
    }

    /// The next event and its data.
    fn event(&mut self) -> Option<(String, Value)> {
        loop {
            let line = self.line()?;
            if let Some(name) = line.strip_prefix("event: ") {
                let data = self.line().unwrap();
                return Some((name.to_owned(), serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap()));
            }
        }
    }

    fn hang_up(self) {
        self.reader.get_ref().shutdown(Shutdown::Both).unwrap();
    }
}

const EVENTS: &str = "text/event-stream";

#[test]
fn events_come_in_order_and_the_result_is_the_plain_answer() {
    let server = server();
    let code = "import sys, matplotlib.pyplot as plt\nprint('one', flush=True)\nprint('two', file=sys.stderr, flush=True)\nplt.plot([1])\nplt.show()\nprint('three')\n";
    let mut asked = Asked::new(&server, EVENTS, &json!({ "code": code, "policy": "open" }));
    let mut head = Vec::new();
    loop {
        let line = asked.line().unwrap();
        if line.starts_with("event: ") || line.starts_with(':') {
            break;
        }
        head.push(line.to_lowercase());
    }
    assert!(head[0].contains("200") && head.contains(&"content-type: text/event-stream".to_owned()), "{head:?}");
    assert!(head.contains(&"cache-control: no-store".to_owned()), "{head:?}");
    // Output and charts come on ways of their own: of what a server that is late finds on several of them, it cannot tell the order.
    let events = wait_until_blocking("the events come in the order of the code", PATIENCE, || {
        let mut asked = Asked::new(&server, EVENTS, &json!({ "code": code, "policy": "open" }));
        let events: Vec<_> = std::iter::from_fn(|| asked.event()).collect();
        let place = |name: &str, text: &str| {
            events.iter().position(|(event, data)| event == name && data.as_str().is_none_or(|said| said.contains(text)))
        };
        let (one, chart, three) = (place("stdout", "one"), place("chart", ""), place("stdout", "three"));
        if one.is_some() && one < chart && chart < three { Ok(events) } else { Err(events) }
    });
    let text_of = |name: &str| -> String {
        events.iter().filter(|(event, _)| event == name).map(|(_, data)| data.as_str().unwrap()).collect()
    };
    assert_eq!((text_of("stdout").as_str(), text_of("stderr").as_str()), ("one\nthree\n", "two\n"));
    let (last, result) = events.last().unwrap();
    assert_eq!(
        (last.as_str(), &result["status"], &result["output"]["stdout"]),
        ("result", &json!("success"), &json!("one\nthree\n"))
    );
    let charts: Vec<&Value> = events.iter().filter(|(event, _)| event == "chart").map(|(_, data)| data).collect();
    assert_eq!(charts, result["output"]["charts"].as_array().unwrap().iter().collect::<Vec<_>>());
}

#[test]
fn output_comes_while_the_code_still_runs() {
    let server = server();
    let code = "print('now', flush=True)\nwhile True: pass\n";
    let mut asked = Asked::new(&server, EVENTS, &json!({ "code": code, "timeout": 60 }));
    let mut text = String::new();
    while text != "now\n" {
        let (name, piece) = asked.event().unwrap();
        assert_eq!(name, "stdout", "{piece}");
        text.push_str(piece.as_str().unwrap());
        assert!("now\n".starts_with(&text), "{text:?}");
    }
    asked.hang_up();
}

#[test]
fn a_refusal_is_a_problem_also_for_whoever_wants_events() {
    let server = server();
    for (body, status) in [(json!({ "code": "1", "timeout": 99 }), "400"), (json!({ "code": "#".repeat(60_000) }), "413")] {
        let mut asked = Asked::new(&server, EVENTS, &body);
        assert!(asked.line().unwrap().contains(status));
        let head: Vec<String> = std::iter::from_fn(|| asked.line()).collect();
        assert!(head.iter().any(|line| line == "content-type: application/problem+json"), "{head:?}");
    }
    let mut asked = Asked::new(&server, EVENTS, &json!({ "code": "import os" }));
    let (name, result) = asked.event().unwrap();
    assert_eq!((name.as_str(), &result["status"]), ("result", &json!("rejected")));
}

/// The processor time that each process of this server has used, in the kernel's ticks.
fn ticks(server: &Server) -> Vec<(u32, u64)> {
    let data = server.data().canonicalize().unwrap().to_string_lossy().into_owned();
    let pids = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let used = stat.rsplit_once(')')?.1.split_whitespace().nth(11)?.parse().ok()?;
        String::from_utf8_lossy(&command).contains(&data).then_some((pid, used))
    })
    .collect()
}

fn it_runs(server: &Server) {
    wait_until_blocking("it runs", PATIENCE, || {
        let health = server.get("/health").json()["snippets"].clone();
        if health["running"] == 1 { Ok(()) } else { Err(health) }
    });
}

/// Begins a run that spins, hangs up once it does, and waits until its process is gone.
fn hang_up_on_a_run(accept: &str) {
    let server = super::ready(&["--max-workers", "1"]);
    let asked = Asked::new(&server, accept, &json!({ "code": "while True: pass", "timeout": 60 }));
    it_runs(&server);
    let before = ticks(&server);
    let used_before = |pid| before.iter().find(|(known, _)| *known == pid).map(|(_, used)| *used);
    let busy = wait_until_blocking("a process spins", PATIENCE, || {
        let now = ticks(&server);
        // Those that begin later are parked for later runs.
        let spinning = now.iter().find(|(pid, used)| used_before(*pid).is_some_and(|before| used - before >= 50));
        spinning.map(|(pid, _)| *pid).ok_or(now.clone())
    });
    asked.hang_up();
    // The run itself would go on for most of a minute.
    wait_until_blocking("the process is gone", Duration::from_secs(30), || !is_alive(busy));
    wait_until_blocking("its worker is free again", PATIENCE, || {
        let health = server.get("/health").json()["snippets"].clone();
        if health["running"] == 0 { Ok(()) } else { Err(health) }
    });
    assert_eq!(super::execute(&server, &json!({ "code": "print(1)" }))["output"]["stdout"], "1\n");
}

#[test]
fn a_client_that_hangs_up_ends_its_run() {
    hang_up_on_a_run("application/json");
}

#[test]
fn a_client_that_hangs_up_on_events_ends_its_run() {
    hang_up_on_a_run(EVENTS);
}

#[test]
fn a_server_that_is_told_to_end_ends_its_runs_and_leaves_no_process() {
    let mut server = super::ready(&[]);
    let _asked = Asked::new(&server, EVENTS, &json!({ "code": "while True: pass", "timeout": 60 }));
    it_runs(&server);
    assert!(server.stop().success());
    assert_eq!(ticks(&server), []);
}

#[test]
fn a_server_that_is_killed_takes_its_runs_with_it() {
    let mut server = super::ready(&[]);
    let _asked = Asked::new(&server, EVENTS, &json!({ "code": "while True: pass", "timeout": 60 }));
    it_runs(&server);
    let keeper = server.keeper_pid().unwrap();
    server.kill();
    wait_until_blocking("nothing of the snippets is left", PATIENCE, || {
        let left: Vec<_> = ticks(&server).into_iter().filter(|(pid, _)| *pid != keeper).collect();
        if left.is_empty() { Ok(()) } else { Err(left) }
    });
}
