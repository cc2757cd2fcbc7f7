// SPDX-License-Identifier: Apache-2.0
//! What a monitoring system reads: every number is of something that happened here.

mod page;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use lithouse_testkit::wait_until_blocking;

use crate::control::house::House;
use crate::control::replace::ask;
use crate::faults::processes::put_quick_python;
use crate::server::{HELLO, PATIENCE, Server, is_alive, signal};
use page::Page;

impl Server {
    #[track_caller]
    fn metrics(&self) -> Page {
        let answer = self.get("/metrics").expect(200);
        assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        Page::read(&answer.text())
    }

    #[track_caller]
    fn metric(&self, series: &str) -> Option<f64> {
        self.metrics().get(series)
    }

    #[track_caller]
    fn wait_for_metric(&self, series: &str, value: f64) {
        wait_until_blocking(&format!("`{series}` is {value}"), PATIENCE, || {
            let seen = self.metrics().get(series);
            if seen == Some(value) { Ok(()) } else { Err(seen) }
        });
    }
}

/// A server with one app that is quickly there.
fn with_quick_app() -> Server {
    let mut server = Server::prepare_with_uv(&["apps"]);
    let folder = server.folder().join("apps/here");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("app.py"), HELLO).unwrap();
    put_quick_python(&folder);
    server.start_again();
    server.wait_for_status("here", "running");
    server
}

#[test]
fn every_metric_of_the_reference_is_there_and_a_strict_reader_takes_the_page() {
    let server = with_quick_app();
    server.get("/apps/here/").expect(200);
    // Counted once answered, so that the next look finds itself.
    server.get("/metrics").expect(200);
    let page = server.metrics();
    let reference = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/metrics.md")).unwrap();
    let documented: Vec<_> = reference
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split(" | ");
            Some((cells.next()?.trim_end_matches('`').to_owned(), cells.next()?.to_owned()))
        })
        .collect();
    assert!(documented.len() > 30, "{documented:?}");
    let told: Vec<_> = page.kinds.iter().map(|(name, kind)| (name.clone(), kind.clone())).collect();
    let mut wanted = documented;
    wanted.sort();
    assert_eq!(told, wanted);
    assert_eq!(page.get(&format!("lithouse_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"))), Some(1.0));
    assert!(page.get("process_resident_memory_bytes").unwrap() > 1e6);
    assert!(page.get("process_open_fds").unwrap() >= 3.0);
    assert!(page.get("process_max_fds").unwrap() > page.get("process_open_fds").unwrap());
    let age =
        std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64() - page.get("process_start_time_seconds").unwrap();
    assert!((0.0..3600.0).contains(&age), "{age}");
    assert!(page.get("lithouse_data_disk_size_bytes").unwrap() >= page.get("lithouse_data_disk_free_bytes").unwrap());
}

#[test]
fn requests_count_by_what_answered_and_a_clients_words_make_no_label() {
    let server = Server::start_without_environments();
    server.get("/api/apps").expect(200);
    server.get("/api/apps/evil-name-7").expect(404);
    server.get("/evil-path-7").expect(404);
    server.get("/apps/evil-app-7/").expect(404);
    server.get_with("/api/apps", &[("Host", "evil.example")]).expect(403);
    let mut odd = TcpStream::connect(server.address()).unwrap();
    odd.write_all(format!("EVILMETHOD7 / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.address()).as_bytes())
        .unwrap();
    assert!(BufReader::new(odd).lines().next().unwrap().unwrap().contains("405"));
    let page = server.metrics();
    for (labels, count) in [
        ("handler=\"api\",method=\"GET\",status=\"200\"", 1.0),
        ("handler=\"api\",method=\"GET\",status=\"404\"", 1.0),
        ("handler=\"api\",method=\"GET\",status=\"403\"", 1.0),
        ("handler=\"other\",method=\"GET\",status=\"404\"", 1.0),
        ("handler=\"app\",method=\"GET\",status=\"404\"", 1.0),
        ("handler=\"portal\",method=\"other\",status=\"405\"", 1.0),
    ] {
        assert_eq!(page.get(&format!("lithouse_http_requests_total{{{labels}}}")), Some(count), "{labels} {page:#?}");
    }
    assert_eq!(page.get("lithouse_http_request_duration_seconds_count{handler=\"api\"}"), Some(3.0));
    assert!(page.with("evil").is_empty() && page.with("EVIL").is_empty(), "{page:#?}");
}

#[test]
fn an_apps_requests_bytes_and_restarts_are_counted_and_go_with_the_app() {
    let server = with_quick_app();
    let before = server.metric("lithouse_app_sent_bytes_total{app=\"here\"}").unwrap();
    for _ in 0..4 {
        server.get("/apps/here/").expect(200);
    }
    let page = server.metrics();
    assert_eq!(page.get("lithouse_app_requests_total{app=\"here\",status=\"2xx\"}"), Some(4.0), "{page:#?}");
    assert_eq!(page.get("lithouse_app_sent_bytes_total{app=\"here\"}"), Some(before + 8.0));
    assert_eq!(page.get("lithouse_app_received_bytes_total{app=\"here\"}"), Some(0.0));
    assert!(page.get("lithouse_app_memory_bytes{app=\"here\"}").unwrap() > 100_000.0);
    assert!(page.get("lithouse_app_cpu_cores{app=\"here\"}").is_some());
    assert_eq!(page.get("lithouse_apps{status=\"running\"}"), Some(1.0));
    assert_eq!(page.get("lithouse_apps{status=\"crashed\"}"), Some(0.0));
    let pid = server.app("here")["pid"].as_u64().unwrap();
    signal(u32::try_from(pid).unwrap(), "KILL");
    server.wait_for_metric("lithouse_app_restarts_total{app=\"here\"}", 1.0);
    std::fs::remove_dir_all(server.folder().join("apps/here")).unwrap();
    assert!(server.command().arg("refresh").status().unwrap().success());
    assert!(server.metrics().with("here").is_empty());
    assert_eq!(server.metric("lithouse_apps{status=\"running\"}"), Some(0.0));
}

#[test]
fn an_open_websocket_is_counted_until_it_is_closed() {
    let server = Server::start();
    let app = server.running_app(HELLO);
    let series = format!("lithouse_app_websockets{{app=\"{app}\"}}");
    assert_eq!(server.metric(&series), Some(0.0));
    let url = format!("ws://{}/apps/{app}/_stcore/stream", server.address());
    let (mut socket, _) = tokio_tungstenite::tungstenite::client(url, TcpStream::connect(server.address()).unwrap()).unwrap();
    assert_eq!(server.metric(&series), Some(1.0));
    assert_eq!(server.metric("lithouse_http_requests_total{handler=\"app\",method=\"GET\",status=\"101\"}"), Some(1.0));
    socket.close(None).unwrap();
    while socket.read().is_ok() {}
    server.wait_for_metric(&series, 0.0);
    assert!(server.metric(&format!("lithouse_app_received_bytes_total{{app=\"{app}\"}}")).is_some_and(|bytes| bytes > 0.0));
}

#[test]
fn builds_count_by_how_they_ended() {
    let mut server = Server::prepare_with_uv(&[]);
    let mut configuration = String::new();
    for (key, requirement) in [("good", "six"), ("bad", "no-such-package-lithouse-42")] {
        let folder = server.folder().join(key);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("requirements.txt"), format!("{requirement}\n")).unwrap();
        let command = "exec python -m http.server \"$PORT\" --bind 127.0.0.1";
        writeln!(configuration, "[apps.{key}]\ndir = \"{key}\"\ncommand = '{command}'").unwrap();
    }
    std::fs::write(server.folder().join("lithouse.toml"), configuration).unwrap();
    server.start_again();
    server.wait_for_status("bad", "failed");
    server.wait_for_status("good", "running");
    let page = server.metrics();
    for (result, count) in [("failed", 1.0), ("succeeded", 1.0), ("cancelled", 0.0)] {
        assert_eq!(page.get(&format!("lithouse_builds_total{{result=\"{result}\"}}")), Some(count), "{page:#?}");
    }
    // What cannot be locked is not built, and takes no time of builds.
    assert_eq!(page.get("lithouse_build_duration_seconds_count"), Some(1.0));
    assert_eq!((page.get("lithouse_builds_running"), page.get("lithouse_builds_waiting")), (Some(0.0), Some(0.0)));
}

#[test]
fn snippets_count_by_how_they_ended() {
    let server = Server::start_with_snippets(&[]);
    for code in ["print(1)", "1 / 0", "import os"] {
        wait_until_blocking("it is run", PATIENCE, || {
            server.post_json("/execute", &serde_json::json!({ "code": code })).status == 200
        });
    }
    let page = server.metrics();
    for (status, count) in [("success", 1.0), ("error", 1.0), ("rejected", 1.0), ("timeout", 0.0)] {
        assert_eq!(page.get(&format!("lithouse_snippet_runs_total{{status=\"{status}\"}}")), Some(count), "{page:#?}");
    }
    // What is refused takes no time, and would make the others look fast.
    assert_eq!(page.get("lithouse_snippet_run_duration_seconds_count"), Some(2.0));
}

#[test]
fn a_keeper_that_is_lost_is_counted() {
    let server = Server::start_without_environments();
    assert_eq!((server.metric("lithouse_keeper_up"), server.metric("lithouse_keeper_losses_total")), (Some(1.0), Some(0.0)));
    let keeper = server.keeper_pid().unwrap();
    signal(keeper, "KILL");
    server.wait_for_metric("lithouse_keeper_losses_total", 1.0);
    server.wait_for_metric("lithouse_keeper_up", 1.0);
    assert!(!is_alive(keeper));
}

#[test]
fn whoever_may_not_use_the_api_is_not_told_the_metrics() {
    let server = Server::start_without_environments();
    server.get_with("/metrics", &[("X-Forwarded-For", "192.0.2.1")]).expect_problem(401, "not_signed_in");
}

#[test]
fn counters_begin_anew_in_the_successor_of_a_server() {
    let house = House::new().started();
    let mut kept = TcpStream::connect(house.server()["listen"].as_str().unwrap()).unwrap();
    let mut metrics = || {
        let answer = ask(&mut kept, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        Page::read(answer.split_once("\r\n\r\n").unwrap().1)
    };
    metrics();
    let series = "lithouse_http_requests_total{handler=\"metrics\",method=\"GET\",status=\"200\"}";
    assert_eq!(metrics().get(series), Some(1.0));
    house.run("restart --server").code(0);
    // By a connection to the old server, which passes it on.
    let page = metrics();
    assert_eq!(
        (page.get(series), page.get("lithouse_keeper_up"), page.get("lithouse_keeper_losses_total")),
        (None, Some(1.0), Some(0.0))
    );
}
