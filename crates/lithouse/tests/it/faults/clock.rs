// SPDX-License-Identifier: Apache-2.0
//! The machine's clock is set while server and keeper run, by an hour and by a day, back and forth. A shim that is preloaded into both
//! shifts what they are told by what stands in a file; nothing else of the machine sees it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lithouse_testkit::wait_until_blocking;
use serde_json::{Value, json};

use super::clients::{COUNTING, number_in};
use super::rounds::numbers_in;
use crate::form::Form;
use crate::server::{HELLO, PATIENCE, STREAMLIT, Server, is_alive, signal};

const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, at);
    if (result || clock != CLOCK_REALTIME) return result;
    char text[32] = "";
    int file = open(SHIFT, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        if (read(file, text, sizeof text - 1) > 0) at->tv_sec += atol(text);
        close(file);
    }
    return 0;
}
"#;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// A server and its keeper with a clock that can be set.
struct Shifted {
    server: Server,
    keeper: Child,
    shift: PathBuf,
    shim: PathBuf,
}

impl Shifted {
    fn start() -> Self {
        let mut server = Server::start();
        let (shift, shim) = (server.folder().join("shift"), server.folder().join("shim.so"));
        std::fs::write(server.folder().join("shim.c"), SHIM).unwrap();
        let define = format!("-DSHIFT=\"{}\"", shift.display());
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", &define, "-o"]).arg(&shim).arg(server.folder().join("shim.c")).arg("-ldl");
        assert!(compiler.status().unwrap().success(), "the shim could not be made");
        assert!(server.stop().success());
        // The server gives its keeper a clean environment, so the keeper is there before it.
        let mut command = server.command();
        command.arg("keeper").arg("--data").arg(server.data()).env("LD_PRELOAD", &shim);
        let keeper = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_until_blocking("the keeper listens", PATIENCE, || {
            server.data().join("keeper.sock").exists() && server.keeper_pid() == Some(keeper.id())
        });
        let mut shifted = Self { server, keeper, shift, shim };
        shifted.start_server();
        crate::store_of_envs::link_into(&shifted.server.data());
        shifted
    }

    fn start_server(&mut self) {
        let shim = self.shim.to_str().unwrap().to_owned();
        self.server.start_again_with_env(&[("LD_PRELOAD", &shim)]);
        assert_eq!(self.server.keeper_pid(), Some(self.keeper.id()), "another keeper took over");
    }

    /// Sets the clock to so many seconds from the true time.
    fn set(&self, seconds: i64) {
        let new = self.shift.with_extension("new");
        std::fs::write(&new, seconds.to_string()).unwrap();
        std::fs::rename(new, &self.shift).unwrap();
    }
}

impl Drop for Shifted {
    fn drop(&mut self) {
        signal(self.keeper.id(), "TERM");
        let _ = self.keeper.wait();
    }
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// Seconds since 1970 of a time as the API and the logs tell it; everything that is told must be one.
fn seconds(time: &str) -> i64 {
    let at = time::OffsetDateTime::parse(time, &time::format_description::well_known::Rfc3339);
    at.unwrap_or_else(|error| panic!("`{time}` is no time: {error}")).unix_timestamp()
}

fn assert_times_are_valid(app: &Value) {
    for field in ["created_at", "started_at", "last_used_at"] {
        if let Some(time) = app[field].as_str() {
            seconds(time);
        }
    }
}

fn pid(app: &Value) -> u32 {
    u32::try_from(app["pid"].as_u64().unwrap()).unwrap()
}

#[test]
fn a_clock_that_jumps_changes_the_times_that_are_told_and_nothing_else() {
    let mut shifted = Shifted::start();
    let app = shifted.server.running_app(COUNTING);
    let before = shifted.server.app(&app);
    let log = shifted.server.data().join(format!("logs/{app}.log"));
    for shift in [DAY, -DAY, HOUR, -HOUR, 365 * DAY, 0] {
        shifted.set(shift);
        let server = &shifted.server;
        let is_there = |at: i64| (at - now() - shift).abs() < 60;
        wait_until_blocking("lines bear the new time", PATIENCE, || {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            let last = text.lines().rfind(|line| number_in(line).is_some()).unwrap_or("none").to_owned();
            if last != "none" && is_there(seconds(last.split(' ').next().unwrap())) { Ok(()) } else { Err(last) }
        });
        assert!(server.is_healthy(&app));
        let seen = server.app(&app);
        assert_times_are_valid(&seen);
        for field in ["pid", "port", "restarts", "status"] {
            assert_eq!(seen[field], before[field], "{field} at {shift}");
        }
        // A deploy goes its way: nothing that it waits for is over at once, and nothing takes a day, or even as long as we wait.
        let asked = now();
        let other = server.create(Form::app(STREAMLIT, HELLO));
        let created = asked..=now() + 1;
        let other_seen = server.wait_for_status(&other, "running");
        assert!(created.contains(&(seconds(other_seen["created_at"].as_str().unwrap()) - shift)), "{created:?} {other_seen}");
        server.delete(&format!("/api/apps/{other}")).expect(204);
    }
    // A server that comes back at another time than it went.
    shifted.server.kill();
    shifted.set(-DAY);
    shifted.start_server();
    let back = shifted.server.wait_for_status(&app, "running");
    assert_times_are_valid(&back);
    assert_eq!(back["pid"], before["pid"]);
    let numbers = numbers_in(&log);
    assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "lines are missing");
    let said = std::fs::read_to_string(shifted.server.data().join("logs/controller.log")).unwrap();
    assert!(!said.contains("panicked") && !shifted.server.said().contains("panicked"), "{said}");
    for line in said.lines() {
        seconds(line.split_whitespace().next().unwrap());
    }
}

#[test]
fn a_clock_that_jumps_during_the_pause_before_a_restart_neither_skips_nor_stretches_it() {
    let shifted = Shifted::start();
    let server = &shifted.server;
    let app = server.running_app(HELLO);
    for (shift, crash) in [(DAY, 1), (-DAY, 2)] {
        let seen = server.wait_for_status(&app, "running");
        // Not after its end, which may be long past when the test goes on.
        let ended = Instant::now();
        signal(pid(&seen), "KILL");
        wait_until_blocking("it has ended", PATIENCE, || !is_alive(pid(&seen)));
        shifted.set(shift);
        // Nor is the pause a day long, or even as long as we wait here.
        let back = server.wait_for(&app, "running again", |now| now["status"] == "running" && now["pid"] != seen["pid"]);
        assert_eq!(back["restarts"], json!(crash));
        assert!(ended.elapsed() > Duration::from_millis(500), "the pause was skipped: {:?}", ended.elapsed());
    }
}

#[test]
fn the_last_use_of_an_app_is_told_though_the_clock_was_set_back() {
    let shifted = Shifted::start();
    let server = &shifted.server;
    let app = server.running_app(HELLO);
    shifted.set(DAY);
    assert!(server.is_healthy(&app));
    let future = server.wait_for(&app, "used", |seen| seen["last_used_at"].is_string());
    shifted.set(0);
    let asked = now();
    assert!(server.is_healthy(&app));
    let used = seconds(server.app(&app)["last_used_at"].as_str().unwrap());
    assert!((asked..=now() + 1).contains(&used), "a wrong clock once, and {future} is told for a day");
}
