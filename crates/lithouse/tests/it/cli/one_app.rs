// SPDX-License-Identifier: Apache-2.0
//! The verbs of one app: `info`, `releases`, `start`, `stop`, `restart`, `open`, `rollback`, `rm`, and `healthcheck`.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use lithouse_testkit::put_program;
use serde_json::json;

use super::binary::{lithouse_of, run};
use super::server::{Server, answer, app, problem, release, releases, typed, with};

#[tokio::test]
async fn info_tells_all_and_leaves_out_what_is_not_there() {
    let server = Server::new(|_| {
        let changes = json!({"reason": "exit code 1", "reason_log": ["2026-01-02T03:04:05.678Z run | a", "b"], "created_at": "2999-01-01T00:00:00Z"});
        answer(200, &with(app("sales", "crashed"), &changes))
    });
    let text = "\
status       crashed
id           a7c1e0f2b9f84a62
key          sales
name         Sales
description  What was sold
url          http://127.0.0.1:8080/apps/sales/
reason       exit code 1
release      1
restarts     0
on crash     restart
created      0 s ago
log          a
             b
";
    server.run("info sales").await.code(0).prints(text);
    let json = server.run("info a7c1e0f2b9f84a62 --json").await.code(0).stdout;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["status"], "crashed");
    assert_eq!(server.lines(), ["GET /api/apps/sales", "GET /api/apps/a7c1e0f2b9f84a62"]);
}

#[tokio::test]
async fn info_tells_the_limits_that_there_are_and_the_most_memory_that_was_used() {
    let server = Server::new(|_| {
        let limits = json!({"memory": 512_000_000, "cpu": 1.5, "processes": null, "open_files": 1024});
        answer(200, &with(app("sales", "running"), &json!({"limits": limits, "memory_peak": 131_000_000})))
    });
    let run = server.run("info sales").await.code(0);
    assert!(run.stdout.contains("\nlimits       memory 512 MB, cpu 1.5, open files 1024\n"), "{run:#?}");
    assert!(run.stdout.contains("\npeak         124 MB\n"), "{run:#?}");
}

#[tokio::test]
async fn releases_are_listed_with_their_fate() {
    let server = Server::new(|_| {
        let ahead = json!({"created_at": "2999-01-01T00:00:00Z"});
        let failed = with(release(3, "failed", false), &json!({"reason": "no `app.py`", "created_at": "2999-01-01T00:00:00Z"}));
        releases(&[failed, with(release(2, "ready", true), &ahead), with(release(1, "ready", false), &ahead)])
    });
    let table = "\
RELEASE  STATE   MADE     ENTRY   REASON
3        failed  0 s ago  app.py  no `app.py`
2        active  0 s ago  app.py
1        ready   0 s ago  app.py
";
    server.run("releases sales").await.code(0).prints(table);
    assert!(server.run("releases sales --json").await.code(0).stdout.starts_with("{\n  \"next\": null,\n  \"releases\": ["));
}

#[tokio::test]
async fn start_waits_until_the_app_runs() {
    let asked = AtomicU32::new(0);
    let server = Server::new(move |request| match request.line.as_str() {
        "POST /api/apps/sales/start" => answer(200, &app("sales", "starting")),
        _ if asked.fetch_add(1, Ordering::Relaxed) < 2 => {
            answer(200, &with(app("sales", "starting"), &json!({"reason": "starts again in 1 s: exit code 1"})))
        }
        _ => answer(200, &app("sales", "running")),
    });
    let run = server.run("start sales").await.code(0).prints("").says("`sales` is running at http://127.0.0.1:8080/apps/sales/");
    assert_eq!(run.stderr.matches("starts again in 1 s").count(), 1, "{run:#?}");
}

#[tokio::test]
async fn start_tells_why_an_app_does_not_run() {
    let server = Server::new(|request| match request.line.as_str() {
        "POST /api/apps/sales/restart" | "POST /api/apps/sales/start" => answer(200, &app("sales", "starting")),
        _ => answer(
            200,
            &with(
                app("sales", "failed"),
                &json!({"reason": "exit code 1", "reason_log": ["2026-01-02T03:04:05Z run | ImportError"]}),
            ),
        ),
    });
    for verb in ["start", "restart"] {
        let run = server.run(&format!("{verb} sales")).await.code(1).prints("");
        assert_eq!(
            run.stderr,
            "  ImportError\nerror: `sales` has failed: exit code 1\nhint: `lithouse logs sales` shows what it wrote\n"
        );
    }
}

#[tokio::test]
async fn start_gives_up_on_an_app_that_crashes_again_and_again() {
    let asked = AtomicU32::new(0);
    let server = Server::new(move |_| {
        let restarts = asked.fetch_add(1, Ordering::Relaxed);
        answer(200, &with(app("sales", "starting"), &json!({"restarts": restarts, "reason": "exit code 1"})))
    });
    server.run("start sales").await.code(1).says("error: `sales` is starting: exit code 1");
}

#[tokio::test]
async fn stop_waits_until_the_process_is_gone() {
    let asked = AtomicU32::new(0);
    let server = Server::new(move |_| {
        let status = if asked.fetch_add(1, Ordering::Relaxed) < 2 { "stopping" } else { "stopped" };
        answer(200, &app("sales", status))
    });
    server.run("stop sales").await.code(0).prints("").says("`sales` is stopped");
    assert_eq!(server.lines()[0], "POST /api/apps/sales/stop");
    let server = Server::new(|_| answer(200, &app("sales", "stopping")));
    server.run("stop sales --no-wait").await.code(0).says("`sales` is stopping");
    assert_eq!(server.lines().len(), 1);
}

#[tokio::test]
async fn open_prints_the_url_and_gives_it_to_a_browser_only_where_there_is_a_display() {
    let server = Server::new(|_| answer(200, &app("sales", "running")));
    let browser = tempfile::tempdir().unwrap();
    let (program, opened) = (browser.path().join("xdg-open"), browser.path().join("opened"));
    put_program(&program, format!("#!/bin/sh\necho \"$@\" > '{0}.new' && mv '{0}.new' '{0}'\n", opened.display()));
    let url = "http://127.0.0.1:8080/apps/sales/\n";
    let open = |display: &str| {
        let mut command = lithouse_of(server.data(), "open sales");
        command.env("PATH", format!("{}:/usr/bin:/bin", browser.path().display())).env("DISPLAY", display);
        command
    };
    run(open("")).await.code(0).prints(url);
    assert!(!opened.exists());
    run(open(":0")).await.code(0).prints(url);
    let deadline = std::time::Instant::now() + super::binary::DEADLINE;
    while !opened.exists() {
        assert!(std::time::Instant::now() < deadline, "the browser was never run");
        tokio::task::yield_now().await;
    }
    assert_eq!(fs::read_to_string(opened).unwrap(), url);
}

#[tokio::test]
async fn open_tells_programs_the_app_as_the_api_does() {
    let server = Server::new(|_| answer(200, &app("sales", "running")));
    let shown = server.run("open sales --json").await.code(0).stdout;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), app("sales", "running"));
}

#[tokio::test]
async fn open_gives_a_browser_nothing_but_web_pages() {
    let server = Server::new(|_| answer(200, &with(app("sales", "running"), &json!({"access_url": "file:///etc/passwd"}))));
    let mut command = lithouse_of(server.data(), "open sales");
    command.env("PATH", "/nowhere").env("DISPLAY", ":0");
    let run = run(command).await.code(0).prints("file:///etc/passwd\n");
    assert_eq!(run.stderr, "", "nothing was run, so nothing failed to run");
}

#[tokio::test]
async fn rollback_takes_the_newest_earlier_release_that_was_ready() {
    let asked = AtomicU32::new(0);
    let server = Server::new(move |request| match request.line.as_str() {
        "POST /api/apps/sales/releases/2/activate" | "GET /api/apps/sales" => answer(200, &app("sales", "running")),
        "GET /api/apps/sales/releases" => {
            let is_back = asked.fetch_add(1, Ordering::Relaxed) > 1;
            let list = [(5, "failed"), (4, "ready"), (3, "failed"), (2, "ready"), (1, "ready")];
            let active = if is_back { 2 } else { 4 };
            releases(&list.map(|(number, state)| release(number, state, number == active)))
        }
        other => panic!("{other}"),
    });
    server.run("rollback sales").await.code(0).prints("http://127.0.0.1:8080/apps/sales/\n").says("goes back to release 2");
}

#[tokio::test]
async fn rollback_without_an_earlier_release_is_refused_and_one_that_is_not_there_is_not_found() {
    let server = Server::new(|request| match request.line.as_str() {
        "GET /api/apps/sales/releases" => releases(&[release(2, "ready", true), release(1, "failed", false)]),
        _ => problem(404, "no_such_release", "the app `sales` has no release 9"),
    });
    server.run("rollback sales").await.code(4).says("error: `sales` has no earlier release");
    server.run("rollback sales 9").await.code(3).says("error: the app `sales` has no release 9");
}

#[tokio::test]
async fn rm_without_a_terminal_wants_to_be_told_twice() {
    let server = Server::new(|request| match request.line.as_str() {
        "DELETE /api/apps/sales" => typed(204, "text/plain", axum::body::Body::empty()),
        "GET /api/apps/sales" => answer(200, &app("sales", "running")),
        _ => problem(404, "no_such_app", "there is no app `other`"),
    });
    server.run("rm sales").await.code(2).says("hint: say `--yes`");
    assert_eq!(server.lines(), ["GET /api/apps/sales"]);
    server.run("rm sales --yes").await.code(0).prints("").says("removed `sales`");
    server.run("rm other").await.code(3).says("error: there is no app `other`");
    server.run("rm other --yes").await.code(3);
}

#[tokio::test]
async fn rm_waits_for_a_server_that_takes_its_time_but_not_for_one_that_does_nothing() {
    let asked = AtomicU32::new(0);
    let server = Server::new(move |request| match (request.line.as_str(), asked.fetch_add(1, Ordering::Relaxed)) {
        ("DELETE /api/apps/sales", _) => problem(503, "still_deleting", "the app is still being deleted"),
        (_, 0..4) => answer(200, &app("sales", "stopping")),
        _ => problem(404, "no_such_app", "there is no app `sales`"),
    });
    server.run("rm sales --yes").await.code(0).says("removed `sales`");
    let server = Server::new(|request| match request.line.as_str() {
        "DELETE /api/apps/sales" => problem(503, "busy", "not now"),
        _ => answer(200, &app("sales", "running")),
    });
    server.run("rm sales --yes").await.code(6).says("error: not now");
}

#[tokio::test]
async fn healthcheck_knows_two_exit_codes() {
    let up = Server::new(|_| answer(200, &json!({"status": "up", "apps": 3})));
    up.run("healthcheck").await.code(0).prints("up\n");
    up.run("healthcheck --json").await.code(0).prints("{\n  \"apps\": 3,\n  \"status\": \"up\"\n}\n");
    assert_eq!(up.lines()[0], "GET /health");
    let down = Server::new(|_| answer(200, &json!({"status": "down"})));
    down.run("healthcheck").await.code(1).says("error: not up: the server says `down`");
    let broken = Server::new(|_| problem(503, "starting", "the server is starting"));
    broken.run("healthcheck").await.code(1).says("error: not up: the server is starting");
    let folder = tempfile::tempdir().unwrap();
    run(lithouse_of(folder.path(), "healthcheck")).await.code(1).says("error: not up: no server answers at");
}
