// SPDX-License-Identifier: Apache-2.0
//! The server's own logs, as text and as JSON: one line each, whatever stands in it, and every line of a request under its id.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use lithouse_testkit::wait_until_blocking;
use serde_json::Value;

use crate::control::house::House;
use crate::control::replace::ask;
use crate::faults::processes::put_python;
use crate::form::Form;
use crate::server::{HELLO, PATIENCE, Server};

/// Says that it is well, tells what it was asked at `/echo`, and hangs up on everything else.
const ODD: &str = r#"#!/usr/bin/env -S python3 -S
import socket
listener = socket.socket(fileno=0)
while True:
    visitor = listener.accept()[0]
    asked = visitor.recv(65536)
    body = b"ok" if b"_stcore/health" in asked else asked if b"/echo" in asked else None
    if body is not None:
        visitor.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
    visitor.close()
"#;

/// A server with the app `odd`, which logs like this.
fn server(env: &[(&str, &str)]) -> Server {
    let mut server = Server::prepare_with_uv(&["apps"]);
    let folder = server.folder().join("apps/odd");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("app.py"), HELLO).unwrap();
    put_python(&folder, ODD);
    server.start_again_with_env(env);
    server.wait_for_status("odd", "running");
    server
}

/// The whole lines of a log: another may be on its way, of which a part is there. Nothing while the log is put aside.
fn log(data: &Path, name: &str) -> String {
    let mut text = fs::read_to_string(data.join("logs").join(name)).unwrap_or_default();
    text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
    text
}

/// The line of a log with this in it, once it is there.
#[track_caller]
fn line_with(server: &Server, name: &str, parts: &[&str]) -> String {
    wait_until_blocking(&format!("{parts:?} in {name}"), PATIENCE, || {
        let text = log(&server.data(), name);
        text.lines().find(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned).ok_or(text)
    })
}

fn object(line: &str) -> Value {
    let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert!(line.starts_with("{\"time\":\"20"), "{line}");
    for field in ["time", "level", "target", "message"] {
        assert!(object[field].as_str().is_some_and(|text| !text.is_empty()), "{line}");
    }
    object
}

/// A request that the app gives no answer to, and its id.
fn unanswered(server: &Server) -> String {
    let answer = server.get("/apps/odd/page?token=secret").expect(502);
    let id = answer.headers["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(answer.json()["request_id"], *id);
    id
}

#[test]
fn a_problems_request_is_found_in_both_logs_as_json_and_on_the_terminal() {
    let server = server(&[("LOG_FORMAT", "json")]);
    let id = unanswered(&server);
    let access = object(&line_with(&server, "website.log", &[&id]));
    for (field, value) in [
        ("method", "GET".into()),
        ("path", "/apps/odd/page".into()),
        ("app", "odd".into()),
        ("status", 502.into()),
        ("client", "127.0.0.1".into()),
        ("level", "info".into()),
        ("request_id", Value::from(&*id)),
    ] {
        assert_eq!(access[field], value, "{field} {access}");
    }
    assert!(access["bytes"].is_u64() && access["duration_ms"].is_f64() && access["user_agent"].is_string(), "{access}");
    let told = object(&line_with(&server, "controller.log", &[&id]));
    assert_eq!((&told["level"], &told["request_id"]), (&"warn".into(), &Value::from(&*id)), "{told}");
    assert!(told["target"].as_str().unwrap().starts_with("lithouse_proxy"), "{told}");
    let said = server.wait_until_said(&[&id, "listening on http://"]);
    let lines: Vec<_> = said.lines().map(object).collect();
    assert!(lines.iter().any(|line| line["request_id"] == *id && line["level"] == "warn"), "{said}");
    assert!(lines.iter().any(|line| line["message"].as_str().unwrap().starts_with("listening on http://")), "{said}");
    assert!(!said.contains("secret") && !log(&server.data(), "website.log").contains("secret"));
    log(&server.data(), "controller.log").lines().for_each(|line| drop(object(line)));
}

#[test]
fn a_problems_request_is_found_in_both_logs_as_text_at_any_level() {
    let server = server(&[("LOG_LEVEL", "warn")]);
    let id = unanswered(&server);
    let access = line_with(&server, "website.log", &[&id]);
    let words: Vec<_> = access.split(' ').collect();
    assert_eq!((words.len(), &words[1..5], words[7]), (8, &["127.0.0.1", "GET", "/apps/odd/page", "502"][..], &*id), "{access}");
    let told = line_with(&server, "controller.log", &[&id]);
    assert!(
        told.contains("  WARN lithouse_proxy::proxy: an app gave no answer") && told.contains(&format!(" request_id={id}")),
        "{told}"
    );
}

#[test]
fn what_a_request_leads_to_later_has_its_id_too() {
    let server = server(&[("LOG_FORMAT", "json")]);
    let created = server.post_form("/api/apps", Form::app("no-such-package-lithouse-42\n", HELLO)).expect(201);
    let id = created.headers["x-request-id"].to_str().unwrap();
    let app = created.json()["app_id"].as_str().unwrap().to_owned();
    server.wait_for_status(&app, "failed");
    let failed = object(&line_with(&server, "controller.log", &["a release failed", &app]));
    assert_eq!(failed["request_id"], id, "{failed}");
    let stopped = server.post("/api/apps/odd/stop").expect(200);
    let id = stopped.headers["x-request-id"].to_str().unwrap();
    let wish = object(&line_with(&server, "controller.log", &["\"wish\":\"stop\""]));
    assert_eq!(wish["request_id"], id, "{wish}");
}

#[test]
fn an_app_is_told_the_requests_id_and_never_one_of_a_clients_making() {
    let server = server(&[]);
    let answer = server.get_with("/apps/odd/echo", &[("X-Request-Id", "forged"), ("X_Request_Id", "forged")]).expect(200);
    let id = answer.headers["x-request-id"].to_str().unwrap();
    let told = answer.text().to_lowercase();
    assert!(told.contains(&format!("\r\nx-request-id: {id}\r\n")) && !told.contains("forged"), "{told}");
}

#[test]
fn no_path_and_no_header_can_forge_a_line() {
    for format in ["text", "json"] {
        let server = server(&[("LOG_FORMAT", format)]);
        let evil = "\u{2028}2026-01-01T00:00:00.000Z\u{85}127.0.0.1\u{a0}GET\u{202e}/forged\u{9b}";
        let mut client = TcpStream::connect(server.address()).unwrap();
        let request = format!(
            "GET /apps/odd/echo/{evil} HTTP/1.1\r\nHost: {}\r\nUser-Agent: a{evil}\r\nConnection: close\r\n\r\n",
            server.address()
        );
        client.write_all(request.as_bytes()).unwrap();
        client.read_to_end(&mut Vec::new()).unwrap();
        let line = line_with(&server, "website.log", &["/forged"]);
        // A blank that does not break ends no line, and JSON keeps it.
        assert!(line.chars().all(|each| matches!(each, ' ' | '\u{a0}') || each.is_ascii_graphic()), "{line:?}");
        if format == "json" {
            assert_eq!(object(&line)["user_agent"], format!("a{evil}"));
        } else {
            assert_eq!(line.split(' ').count(), 8, "{line}");
        }
        // One that the server itself complains of.
        let mut client = TcpStream::connect(server.address()).unwrap();
        client.write_all(format!("GET /apps/odd/{evil} HTTP/1.1\r\nHost: {}\r\n\r\n", server.address()).as_bytes()).unwrap();
        let told = line_with(&server, "controller.log", &["an app gave no answer"]);
        assert!(told.chars().all(|each| each == ' ' || each.is_ascii_graphic()), "{told:?}");
    }
}

#[test]
fn logs_of_json_stay_whole_across_rotation_and_a_hand_over() {
    let house = House::new();
    fs::write(house.folder().join("lithouse.toml"), "[log]\nformat = \"json\"\nsize = \"10kB\"\nkeep = 50\n").unwrap();
    let house = house.started();
    let request = |count: usize| {
        let mut client = TcpStream::connect(house.server()["listen"].as_str().unwrap()).unwrap();
        for _ in 0..count {
            ask(&mut client, "GET /counted HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        }
    };
    request(100);
    house.run("restart --server").code(0);
    request(100);
    wait_until_blocking("all are written", PATIENCE, || {
        let names = fs::read_dir(house.data().join("logs")).unwrap().flatten().map(|entry| entry.file_name());
        let names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        let of = |log: &str| names.iter().filter(|name| name.starts_with(log)).cloned().collect::<Vec<_>>();
        let access = of("website.log");
        // While a log is put aside, a line may be seen twice or not at all, but no other than a whole one.
        let counted: usize = access
            .iter()
            .map(|name| log(&house.data(), name).lines().filter(|line| object(line)["path"] == "/counted").count())
            .sum();
        for name in of("controller.log") {
            log(&house.data(), &name).lines().for_each(|line| drop(object(line)));
        }
        if counted == 200 && access.len() > 2 { Ok(()) } else { Err((counted, access)) }
    });
}

#[test]
fn a_level_of_a_part_tells_more_of_that_part_alone() {
    let server = server(&[("LOG_LEVEL", "error,lithouse_engine=info")]);
    unanswered(&server);
    server.post("/api/apps/odd/stop").expect(200);
    line_with(&server, "controller.log", &["a wish was taken", "wish=stop"]);
    assert!(!log(&server.data(), "controller.log").contains("an app gave no answer"));
    let refused = server.command().env("LOG_LEVEL", "info,lithouse_engine=debgu").arg("serve").output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(2) && said.contains("did you mean `debug`?"), "{said}");
}
