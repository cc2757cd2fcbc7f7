// SPDX-License-Identifier: Apache-2.0
//! Too many connections, and descriptors that run out.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;

use lithouse_testkit::wait_until_blocking;

use super::row::{NEIGHBOUR, Plan};
use super::wheels::{TINY, index};
use crate::form::Form;
use crate::server::PATIENCE;

/// The limits on open files of a process: soft and hard.
fn limits(pid: u32) -> (String, String) {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    (words[3].to_owned(), words[4].to_owned())
}

/// Sets the limit on open files of a process that runs.
fn limit(pid: u32, files: &str) {
    let set = Command::new("prlimit").args(["--pid", &pid.to_string(), &format!("--nofile={files}")]).status().unwrap();
    assert!(set.success());
}

#[test]
fn a_low_limit_of_a_shell_is_raised_for_the_server_and_stays_for_its_apps() {
    let plan = Plan::of("low-soft-limit", "");
    plan.write_configuration();
    let mut row = plan.begin_under(&["sh", "-c", "ulimit -Sn 64; exec \"$0\" \"$@\""], &[]);
    let server = limits(row.server.pid());
    assert_eq!(server.0, server.1);
    assert_eq!(limits(row.server.keeper_pid().unwrap()), server);
    let app = u32::try_from(row.server.app("neighbour")["pid"].as_u64().unwrap()).unwrap();
    assert_eq!(limits(app), ("64".to_owned(), server.1.clone()));
    // So do those that a successor starts with a keeper of its own.
    let replaced = row.server.lithouse(&["restart", "--server"]);
    assert!(replaced.status.success(), "{}", String::from_utf8_lossy(&replaced.stderr));
    row.rest();
    let keeper = row.server.keeper_pid().unwrap();
    crate::server::signal(keeper, "KILL");
    let again = row.server.wait_for("neighbour", "started again", |seen| seen["status"] == "running" && seen["pid"] != app);
    assert_eq!(limits(u32::try_from(again["pid"].as_u64().unwrap()).unwrap()), ("64".to_owned(), server.1));
    row.end();
}

/// Connections that say nothing, or only the beginning of a request.
fn idle(address: &str, number: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    if number.is_multiple_of(2) {
        stream.write_all(b"GET /apps/neighbour/ HTTP/1.1\r\nHost: local").unwrap();
    }
    stream
}

#[test]
fn idle_and_slow_connections_make_room_for_those_who_want_something() {
    const IDLE: usize = 400;
    let plan = Plan::of("idle-connections", "");
    let index = index(&plan.server);
    let mut row = plan.begin_under(&["sh", "-c", "ulimit -n 256; exec \"$0\" \"$@\""], &index);
    let address = row.server.address();
    let held: Vec<TcpStream> = (0..IDLE).map(|number| idle(&address, number)).collect();
    // Meanwhile everything goes on.
    let app = row.server.create(Form::app(TINY, "# here\n"));
    row.server.wait_for_status(&app, "running");
    assert_eq!(row.server.get(&format!("/apps/{app}/")).expect(200).text(), "# here\n");
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", row.server.pid())).unwrap().count();
    assert!(descriptors < 256, "{descriptors}");
    row.controller();
    // Whoever waits longest has been sent away.
    let mut first = &held[0];
    assert_eq!(first.read(&mut [0; 64]).unwrap_or(0), 0);
    drop(held);
    row.end();
}

/// Begins an answer and never ends it.
const ENDLESS: &str = "\
import os, socket
door = socket.create_server(('127.0.0.1', int(os.environ['PORT'])), backlog=512)
kept = []
while True:
    kept.append(door.accept()[0])
    kept[-1].recv(65536)
    kept[-1].sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 1000\\r\\n\\r\\nhere')
";

/// Sends this on a connection of its own, and reads the first line of the answer.
fn first_line(address: &str, request: &str) -> (String, BufReader<TcpStream>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "{request} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    (line, reader)
}

#[test]
fn while_all_places_are_taken_short_questions_are_answered_and_all_else_is_refused_at_once() {
    let plan = Plan::of("all-places-taken", "").app("endless", ENDLESS, "");
    let mut row = plan.begin_under(&["sh", "-c", "ulimit -n 256; exec \"$0\" \"$@\""], &[]);
    row.server.wait_for_status("endless", "running");
    // The neighbour's visitors would be refused as well.
    row.rest();
    let address = row.server.address();
    let mut held = Vec::new();
    let refused = loop {
        let (line, reader) = first_line(&address, "GET /apps/endless/");
        if line != "HTTP/1.1 200 OK\r\n" {
            break line;
        }
        held.push(reader);
    };
    assert_eq!(refused, "HTTP/1.1 503 Service Unavailable\r\n");
    assert!(held.len() > 40, "{}", held.len());
    let mut waiting: Vec<TcpStream> = Vec::new();
    for _ in 0..40 {
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(stream, "POST /api/apps HTTP/1.1\r\nHost: {address}\r\nContent-Length: 9\r\n\r\nhalf").unwrap();
        waiting.push(stream);
    }
    row.server.get("/health").expect(200);
    assert_eq!(row.server.get("/api/apps").expect(200).json()["apps"].as_array().unwrap().len(), 2);
    row.when("all places are taken");
    let answer = row.server.post("/api/apps/neighbour/stop");
    assert_eq!(answer.headers["retry-after"], "2");
    row.answer("POST /api/apps/neighbour/stop", &answer);
    let page = row.server.get_with("/apps/neighbour/", &[("Accept", "text/html")]).expect(503);
    assert!(page.text().contains("<html"), "{}", page.text());
    // The command line has a way of its own.
    let output = row.server.lithouse(&["info", "neighbour"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    row.when("they are free again");
    drop((held, waiting));
    wait_until_blocking("the neighbour is served", PATIENCE, || {
        let status = row.server.get("/apps/neighbour/").status;
        if status == 200 { Ok(()) } else { Err(status) }
    });
    row.controller();
    row.end();
}

#[test]
fn a_head_that_does_not_come_to_its_end_is_waited_for_no_longer_than_half_a_minute() {
    let row = Plan::of("slow-head", "").begin();
    let mut stream = idle(&row.server.address(), 0);
    let mut silent = idle(&row.server.address(), 1);
    // A byte now and then is no head either.
    let mut creeping = idle(&row.server.address(), 0);
    let mut sending = creeping.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        while sending.write_all(b"x").is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(500)); // Its pace.
        }
    });
    for stream in [&mut stream, &mut silent, &mut creeping] {
        // The end of the connection, with or without a word.
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
    }
    drop(creeping);
    sender.join().unwrap();
    row.end();
}

#[test]
fn without_any_descriptor_connections_wait_and_everything_goes_on_once_there_are_some() {
    let mut row = Plan::of("no-descriptors", "").begin();
    row.rest();
    let address = row.server.address();
    let (soft, hard) = limits(row.server.pid());
    limit(row.server.pid(), &format!("3:{hard}"));
    let mut waiting = TcpStream::connect(&address).unwrap();
    waiting.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(waiting, "GET /apps/neighbour/ HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let log = row.server.data().join("logs/controller.log");
    let told = || std::fs::read_to_string(&log).unwrap().lines().filter(|line| line.contains("cannot be accepted")).count();
    wait_until_blocking("it is told", PATIENCE, || told() > 0);
    limit(row.server.pid(), &format!("{soft}:{hard}"));
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("hello"), "{answer}");
    assert_eq!(told(), 1, "it fills the log");
    row.controller();
    row.visit();
    row.end();
}

#[test]
fn a_keeper_without_descriptors_starts_no_app_and_says_so_and_goes_on_once_there_are_some() {
    let mut row = Plan::of("keeper-without-descriptors", "").app("second", NEIGHBOUR, "").begin();
    row.server.wait_for_status("second", "running");
    row.server.post("/api/apps/second/stop").expect(200);
    row.server.wait_for_status("second", "stopped");
    let keeper = row.server.keeper_pid().unwrap();
    let (soft, hard) = limits(keeper);
    limit(keeper, &format!("3:{hard}"));
    row.server.post("/api/apps/second/start").expect(200);
    let mut seen = row.server.wait_for("second", "told why it does not start", |seen| seen["reason"].is_string());
    // The pause before the next attempt grows.
    let reason = seen["reason"].as_str().unwrap();
    let (why, again) = reason.split_once("; ").unwrap();
    assert!(again.starts_with("it is started again after a pause of "), "{seen}");
    seen["reason"] = why.into();
    row.told("second", &seen);
    limit(keeper, &format!("{soft}:{hard}"));
    row.server.post("/api/apps/second/start").expect(200);
    row.server.wait_for_status("second", "running");
    row.end();
}
