// SPDX-License-Identifier: Apache-2.0
//! Hundreds of apps at once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use lithouse_testkit::{free_ports, wait_until_blocking};
use serde_json::Value;

use super::lab::{app, assert_nothing_done, venv};
use crate::server::{PATIENCE, Server};

/// A server, not started yet, with so many apps, all of one folder and one environment.
fn with_apps(count: u16) -> Server {
    let first = free_ports(count + 100);
    let server = Server::prepare(&["--port-range", &format!("{first}-{}", first + count + 99)]);
    let folder = app(&server.folder().join("of"), "one of many");
    let venv = venv(server.folder());
    let apps = (0..count).map(|number| format!("[apps.app-{number:04}]\ndir = {folder:?}\nvenv = {venv:?}\n"));
    server.write("lithouse.toml", &apps.collect::<String>());
    server
}

fn in_state(server: &Server, status: &str) -> usize {
    let listed = server.get("/api/apps").expect(200).json();
    listed["apps"].as_array().unwrap().iter().filter(|app| app["status"] == status).count()
}

#[test]
fn three_hundred_apps_start_without_a_storm_and_nobody_has_to_wait_for_all_of_them() {
    let server = with_apps(300);
    let server = server.up();
    // Asked at once, while they start.
    assert_eq!(server.get("/health").expect(200).json()["status"], "up");
    let listed = server.get("/api/apps").expect(200).json();
    assert_eq!(listed["apps"].as_array().unwrap().len(), 300);
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let (mut most_at_a_time, mut before) = (0, BTreeSet::new());
    wait_until_blocking("all run", PATIENCE, || {
        let apps = server.get("/api/apps").expect(200).json();
        let apps = apps["apps"].as_array().unwrap();
        let starting = |app: &&Value| app["status"] == "starting" && !app["pid"].is_null();
        let starting: BTreeSet<u64> = apps.iter().filter(starting).filter_map(|app| app["pid"].as_u64()).collect();
        // A list takes its time, in which apps come and go. What two lists tell of was so at the moment between them.
        most_at_a_time = most_at_a_time.max(starting.intersection(&before).count());
        before = starting;
        let running = apps.iter().filter(|app| app["status"] == "running").count();
        if running == 300 { Ok(()) } else { Err(running) }
    });
    // Twice as many as there are cores may.
    assert!(most_at_a_time <= cores * 2, "{most_at_a_time} were starting at a time");
    for key in ["app-0000", "app-0150", "app-0299"] {
        server.wait_to_read(&format!("/apps/{key}/"), "one of many");
    }
    let refreshed = server.refresh();
    assert_nothing_done(&refreshed, 300);
    assert_eq!(in_state(&server, "running"), 300);
}

/// `cargo test -p lithouse --test it -- --ignored --nocapture declared::many::measure`
#[test]
#[ignore = "measures"]
fn measure_a_thousand_apps() {
    let mut server = with_apps(1000);
    let began = Instant::now();
    server.start_again();
    eprintln!("listening after {:?}", began.elapsed());
    let asked = Instant::now();
    server.get("/health").expect(200);
    eprintln!("/health after {:?}", asked.elapsed());
    let asked = Instant::now();
    server.get("/api/apps").expect(200);
    eprintln!("/api/apps after {:?}", asked.elapsed());
    wait_until_blocking("all run", Duration::from_secs(600), || in_state(&server, "running") == 1000);
    eprintln!("all run after {:?}", began.elapsed());
    let asked = Instant::now();
    assert_nothing_done(&server.refresh(), 1000);
    eprintln!("a refresh of nothing took {:?}", asked.elapsed());
    let ticks = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
    let ticks: Vec<&str> = ticks.rsplit(')').next().unwrap().split_whitespace().collect();
    eprintln!("processor time of the server: user {} system {} (hundredths of a second)", ticks[11], ticks[12]);
    eprintln!("{}", server.said().lines().filter(|line| line.contains("apps:")).collect::<Vec<_>>().join("\n"));
    let began = Instant::now();
    server.kill();
    server.start_again();
    eprintln!("listening again after {:?}", began.elapsed());
}
