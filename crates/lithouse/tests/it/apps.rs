// SPDX-License-Identifier: Apache-2.0
//! The apps API: what a program that deploys would do.

use std::fs;

use serde_json::json;

use crate::faults::leftovers::listening_ports;
use crate::form::Form;
use crate::server::{HELLO, PATIENCE, STREAMLIT, Server};
use lithouse_testkit::wait_until_blocking;

#[test]
fn two_files_become_a_running_app_behind_the_one_port() {
    let server = Server::start();
    let answer = server.post_form("/api/apps", Form::app(STREAMLIT, HELLO)).expect(201);
    let created = answer.json();
    let id = created["app_id"].as_str().unwrap();
    assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert_eq!((&created["status"], &created["pid"]), (&json!("starting"), &json!(null)), "the answer waited for the build");
    assert!(created["port"].as_u64().is_some_and(|port| (8501..=8999).contains(&port)), "{created}");
    assert_eq!(created["access_url"], server.url(&format!("/apps/{id}/")));
    assert_eq!(answer.headers["location"], format!("/api/apps/{id}"));

    let app = server.wait_for_status(id, "running");
    assert_eq!(app["release"], 1);
    assert!(app["pid"].as_u64().is_some() && app["started_at"].is_string(), "{app}");
    assert_eq!(app["reason"], json!(null));
    assert_eq!(server.get(&format!("/apps/{id}/_stcore/health")).expect(200).text(), "ok");
    assert!(server.get(&format!("/apps/{id}/")).expect(200).text().contains("<title>Streamlit</title>"));
    // A session has run already, as the proof that the script works.
    let log = server.get(&format!("/api/apps/{id}/logs")).expect(200);
    assert_eq!(log.headers["content-type"], "text/plain; charset=utf-8");
    wait_until_blocking("the print is in the log", PATIENCE, || {
        let log = server.get(&format!("/api/apps/{id}/logs")).text();
        if log.contains(" out | the script ran") { Ok(()) } else { Err(log) }
    });
    let used = server.wait_for(id, "seen with its memory", |app| app["memory"].as_u64().is_some_and(|bytes| bytes > 10_000_000));
    assert!(used["cpu"].is_number() && used["last_used_at"].is_string(), "{used}");
}

#[test]
fn an_environment_is_built_with_what_the_machine_has_and_its_log_is_apart_from_the_runs() {
    let server = Server::start_without_environments();
    let app = server
        .create(Form::app("six==1.17.0\n", "import six, streamlit as st\nst.write(six.__version__)\nprint('run-log-line')\n"));
    server.wait_for_status(&app, "running");
    let build = server.get(&format!("/api/apps/{app}/logs?stream=build&tail=1000")).expect(200).text();
    assert!(build.contains("+ six==1.17.0") && build.contains("+ streamlit=="), "{build}");
    let run = server.get(&format!("/api/apps/{app}/logs?stream=run")).expect(200).text();
    assert!(!run.contains("six==1.17.0") && run.contains("started, pid"), "{run}");

    let folder = server.data().join("apps").join(&app);
    assert_eq!(fs::read_to_string(folder.join("requirements.txt")).unwrap(), "six==1.17.0\n");
    assert!(folder.join("app.py").is_file() && folder.join("venv/bin/python").exists());
    assert!(folder.join("run.log").is_file() && folder.join("state").is_dir() && folder.join("releases/1").is_dir());
    let meta: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("meta.json")).unwrap()).unwrap();
    assert_eq!(meta["app_id"], app);
    let compiled = fs::read_dir(folder.join("venv/lib"))
        .unwrap()
        .flatten()
        .any(|python| python.path().join("site-packages/streamlit/__pycache__").is_dir());
    assert!(compiled, "the environment has no bytecode");

    server.delete(&format!("/api/apps/{app}")).expect(204);
    assert_eq!(fs::read_dir(server.data().join("envs")).unwrap().flatten().filter(|entry| entry.path().is_dir()).count(), 0);
}

#[test]
fn apps_are_listed_found_by_key_renamed_and_described() {
    let server = Server::start();
    let form = Form::app(STREAMLIT, HELLO).text("key", "sales").text("name", "Sales").text("description", "All of them");
    let id = server.create(form);
    let other = server.create(Form::app(STREAMLIT, HELLO));
    let list = server.get("/api/apps").expect(200).json();
    assert_eq!(list["next"], json!(null));
    let ids: Vec<_> = list["apps"].as_array().unwrap().iter().map(|app| app["app_id"].as_str().unwrap()).collect();
    assert_eq!(ids, [&id, &other]);
    let page = server.get("/api/apps?limit=1").json();
    assert_eq!(page["apps"][0]["app_id"], id);
    let after = page["next"].as_str().unwrap();
    let rest = server.get(&format!("/api/apps?after={after}")).json();
    assert_eq!((&rest["apps"][0]["app_id"], &rest["next"]), (&json!(other), &json!(null)));

    let app = server.app("sales");
    assert_eq!((app["app_id"].as_str(), app["name"].as_str()), (Some(&*id), Some("Sales")));
    assert_eq!(app["access_url"], server.url("/apps/sales/"));
    let keys: Vec<_> = app.as_object().unwrap().keys().map(String::as_str).collect();
    for field in [
        "app_id",
        "key",
        "name",
        "description",
        "url",
        "access_url",
        "status",
        "reason",
        "port",
        "pid",
        "release",
        "restarts",
        "restart_on_crash",
        "created_at",
        "started_at",
        "last_used_at",
        "memory",
        "cpu",
    ] {
        assert!(keys.contains(&field), "{field} is missing in {keys:?}");
    }

    let changed = server.patch("/api/apps/sales", &json!({"name": "Sales 2026", "description": "Fewer"})).expect(200).json();
    assert_eq!((&changed["name"], &changed["description"]), (&json!("Sales 2026"), &json!("Fewer")));
    assert_eq!(server.app("sales")["name"], "Sales 2026");
    server.patch("/api/apps/sales", &json!({"nmae": "x"})).expect_problem(400, "invalid_field");
    server.patch("/api/apps/sales", &json!({"name": ""})).expect_problem(400, "invalid_name");
    server.patch("/api/apps/sales", &json!({"name": "a\u{202e}b"})).expect_problem(400, "invalid_name");
    server.patch("/api/apps/sales", &json!({"description": "a\0b"})).expect_problem(400, "invalid_description");
    assert!(server.get("/").expect(200).text().contains("Sales 2026"));
}

#[test]
fn a_page_follows_an_app_that_was_deleted_in_between_and_any_number_is_a_limit() {
    let server = Server::start_without_environments();
    let ids: Vec<String> = ["a", "b", "c"].map(|key| server.create(Form::app("six\n", HELLO).text("key", key))).into();
    let page = server.get("/api/apps?limit=2").expect(200).json();
    let after = page["next"].as_str().unwrap();
    server.delete(&format!("/api/apps/{}", ids[1])).expect(204);
    let many = "9".repeat(40);
    let rest = server.get(&format!("/api/apps?after={after}&limit={many}")).expect(200).json();
    assert_eq!((&rest["apps"][0]["app_id"], rest["apps"].as_array().unwrap().len()), (&json!(ids[2]), 1));
    server.get(&format!("/api/apps/a/logs?tail={many}")).expect(200);
    for after in ["b", &ids[0], "..", ""] {
        let problem = server.get(&format!("/api/apps?after={after}")).expect_problem(400, "invalid_parameter");
        assert_eq!(problem["detail"], "the parameter `after`: not a cursor; use `next` of an earlier answer as it is");
    }
}

#[test]
fn what_is_wrong_with_a_request_is_told_in_our_words() {
    let server = Server::start_without_environments();
    server.create(Form::app("six\n", HELLO).text("key", "x"));
    let told = |problem: serde_json::Value| problem["detail"].as_str().unwrap().to_owned();
    for (query, detail) in [
        ("?limit=many", "the parameter `limit`: a whole number is expected"),
        ("?lmit=1", "there is no parameter `lmit`; known: `after` or `limit`"),
    ] {
        assert_eq!(told(server.get(&format!("/api/apps{query}")).expect_problem(400, "invalid_parameter")), detail);
    }
    let stream = server.get("/api/apps/x/logs?stream=all").expect_problem(400, "invalid_parameter");
    assert_eq!(told(stream), "the parameter `stream`: `run` or `build` is expected, not `all`");
    for (body, detail) in [
        (json!({"nmae": "x"}), "there is no field `nmae`; known: `name`, `description`, `env`, `restart_on_crash`"),
        (json!({"name": 3}), "the field `name`: a text is expected, not the number 3"),
        (json!({"env": {"A": [1]}}), "the field `env.A`: a text is expected, not a list"),
        (json!("x"), "an object is expected, not the text `x`"),
    ] {
        let said = told(server.patch("/api/apps/x", &body).expect_problem(400, "invalid_field"));
        assert!(said.starts_with(detail), "{said}");
    }
    let said = told(server.patch_with("/api/apps/x", "{\"name\": ").expect_problem(400, "invalid_json"));
    assert!(said.starts_with("the body is not JSON: it ends too early"), "{said}");
    for (path, detail) in [
        ("a/%2e%2e/b", "the path `a/../b` leads upwards with `..`"),
        ("a//b", "the path `a//b` has an empty name or a `.` in it"),
    ] {
        assert_eq!(told(server.get(&format!("/api/apps/x/files/{path}")).expect_problem(400, "invalid_path")), detail);
    }
    let empty = server.post_form("/api/apps", Form::default().file("bundle", "b.tar", tar_of("notes.txt")));
    let said = told(empty.expect_problem(400, "no_entry"));
    assert_eq!(said, "there is no `app.py` in the folder, nor any other script that could be the app");
}

fn tar_of(name: &str) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o644);
    archive.append_data(&mut header, name, &b"x"[..]).unwrap();
    archive.into_inner().unwrap()
}

#[test]
fn lists_keep_the_order_of_fields_and_times_have_milliseconds() {
    let server = Server::start_without_environments();
    server.create(Form::app("six\n", HELLO).text("key", "x"));
    let lists: [(&str, &[&str]); 3] = [
        ("/api/apps", &["apps", "app_id", "key", "name", "url", "status", "created_at", "cpu", "next"]),
        ("/api/apps/x/releases", &["releases", "release", "state", "active", "entry", "created_at", "next"]),
        ("/api/apps/x/files", &["files", "path", "size", "modified_at", "next"]),
    ];
    for (list, fields) in lists {
        let text = server.get(list).expect(200).text();
        let places: Vec<_> = fields.iter().map(|field| text.find(&format!("\"{field}\":"))).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} in {text}");
        let (_, time) = text.split_once("d_at\":\"").unwrap();
        assert_eq!((&time[19..20], &time[23..25]), (".", "Z\""), "{text}");
    }
}

#[test]
fn an_app_is_stopped_started_restarted_and_deleted_without_a_trace() {
    let server = Server::start();
    let app = server.running_app(HELLO);
    let first = server.app(&app)["pid"].as_u64().unwrap();

    server.post(&format!("/api/apps/{app}/restart")).expect(200);
    let again = server.wait_for(&app, "running with another process", |seen| {
        seen["status"] == "running" && seen["pid"].as_u64().is_some_and(|pid| pid != first)
    });
    assert_eq!(again["restarts"], 0, "a wish is no crash");

    server.post(&format!("/api/apps/{app}/stop")).expect(200);
    let stopped = server.wait_for_status(&app, "stopped");
    assert_eq!((&stopped["pid"], &stopped["port"]), (&json!(null), &json!(null)));
    let page = server.get_with(&format!("/apps/{app}/"), &[("Accept", "text/html")]).expect(503);
    assert!(page.text().contains("stopped"), "{}", page.text());
    server.get(&format!("/apps/{app}/")).expect(503);
    server.post(&format!("/api/apps/{app}/start")).expect(200);
    let running = server.wait_for_status(&app, "running");
    assert!(server.is_healthy(&app));

    let (pid, port) = (running["pid"].as_u64().unwrap(), running["port"].as_u64().unwrap());
    server.delete(&format!("/api/apps/{app}")).expect(204);
    server.get(&format!("/api/apps/{app}")).expect_problem(404, "no_such_app");
    server.get(&format!("/apps/{app}/")).expect(404);
    assert!(!crate::server::is_alive(u32::try_from(pid).unwrap()));
    // Another server's app may have it by now.
    let listening = |(pid, _): &(u32, String)| listening_ports(*pid).contains(&port);
    assert!(!server.processes().iter().any(listening), "the port is still taken");
    assert!(!server.data().join("apps").join(&app).exists());
    assert!(!server.data().join(format!("logs/{app}.log")).exists());
    let left: Vec<_> = server.processes().into_iter().filter(|(_, command)| !command.contains(" keeper ")).collect();
    assert_eq!(left, []);
}

#[test]
fn whoever_follows_the_log_of_an_app_hears_its_end_and_nothing_of_the_next_with_its_key() {
    use std::io::{Read, Write};
    let server = Server::start();
    server.create(Form::app(STREAMLIT, HELLO).text("key", "again"));
    server.wait_for_status("again", "running");
    let mut stream = std::net::TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET /api/apps/again/logs?follow=true HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.address())
        .unwrap();
    let mut first = [0; 64];
    stream.read_exact(&mut first).unwrap();
    server.delete("/api/apps/again").expect(204);
    server.create(Form::app(STREAMLIT, "print('of another app')\n").text("key", "again"));
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(!rest.contains("of another app"), "{rest}");
}

#[test]
fn a_log_is_followed_as_server_sent_events() {
    use std::io::{BufRead, BufReader, Write};
    let server = Server::start();
    let app = server.running_app(HELLO);
    let mut stream = std::net::TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET /api/apps/{app}/logs?follow=true&tail=50 HTTP/1.1\r\nHost: {}\r\n\r\n", server.address()).unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(lines.by_ref().take_while(|line| !line.is_empty()).any(|line| line == "content-type: text/event-stream"));
    assert!(lines.by_ref().any(|line| line.starts_with("data: ") && line.contains("sys | started, pid")));
    server.post(&format!("/api/apps/{app}/restart")).expect(200);
    assert!(lines.by_ref().any(|line| line.starts_with("data: ") && line.contains("sys | started, pid")));
}
