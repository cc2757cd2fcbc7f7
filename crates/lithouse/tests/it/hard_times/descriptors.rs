// SPDX-License-Identifier: Apache-2.0
//! Too many connections, and descriptors that run out.

use std::io::{Read, Write};
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

#[test]
fn a_head_that_does_not_come_to_its_end_is_waited_for_no_longer_than_half_a_minute() {
    let row = Plan::of("slow-head", "").begin();
    let mut stream = idle(&row.server.address(), 0);
    let mut silent = idle(&row.server.address(), 1);
    for stream in [&mut stream, &mut silent] {
        // The end of the connection, with or without a word.
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
    }
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
