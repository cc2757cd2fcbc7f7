// SPDX-License-Identifier: Apache-2.0
//! Hundreds of apps at once.

use std::time::{Duration, Instant};

use lithouse_testkit::wait_until_blocking;
use serde_json::Value;

use super::lab::{app, assert_nothing_done, venv};
use crate::server::{PATIENCE, Server};

/// A configuration with so many apps, all of one folder and one environment.
fn with_apps(server: &Server, count: usize) {
    let folder = app(&server.folder().join("of"), "one of many");
    let venv = venv(server.folder());
    let apps = (0..count).map(|number| format!("[apps.app-{number:04}]\ndir = {folder:?}\nvenv = {venv:?}\n"));
    server.write("lithouse.toml", &apps.collect::<String>());
}

fn in_state(server: &Server, status: &str) -> usize {
    let listed = server.get("/api/apps").expect(200).json();
    listed["apps"].as_array().unwrap().iter().filter(|app| app["status"] == status).count()
}

#[test]
fn three_hundred_apps_start_without_a_storm_and_nobody_has_to_wait_for_all_of_them() {
    let server = Server::prepare(&["--port-range", "20000-21999"]);
    with_apps(&server, 300);
    let server = server.up();
    // Asked at once, while they start.
    assert_eq!(server.get("/health").expect(200).json()["status"], "up");
    let listed = server.get("/api/apps").expect(200).json();
    assert_eq!(listed["apps"].as_array().unwrap().len(), 300);
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let mut most_at_a_time = 0;
    wait_until_blocking("all run", PATIENCE, || {
        let apps = server.get("/api/apps").expect(200).json();
        let apps = apps["apps"].as_array().unwrap();
        let starting = |app: &&Value| app["status"] == "starting" && !app["pid"].is_null();
        most_at_a_time = most_at_a_time.max(apps.iter().filter(starting).count());
        let running = apps.iter().filter(|app| app["status"] == "running").count();
        if running == 300 { Ok(()) } else { Err(running) }
    });
    // Twice as many as there are cores may; a view tells of a start for a moment longer.
    assert!(most_at_a_time <= cores * 8, "{most_at_a_time} were starting at a time");
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
    let mut server = Server::prepare(&["--port-range", "20000-21999"]);
    with_apps(&server, 1000);
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
