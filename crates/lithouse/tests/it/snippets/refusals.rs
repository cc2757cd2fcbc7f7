// SPDX-License-Identifier: Apache-2.0
//! Requests that are not taken: each with its whole problem.

use lithouse_testkit::wait_until_blocking;
use serde_json::{Value, json};

use super::{execute, ready, server};
use crate::server::{Answer, PATIENCE, Server};

/// The problem without the id of its request, which is another each time.
#[track_caller]
fn problem(answer: Answer, status: u16, code: &str) -> Value {
    let mut problem = answer.expect_problem(status, code);
    problem.as_object_mut().unwrap().remove("request_id");
    problem
}

#[track_caller]
fn refused(body: &Value, status: u16, title: &str, code: &str, detail: &str, hint: Option<&str>) {
    let found = problem(server().post_json("/execute", body), status, code);
    let mut expected = json!({ "type": "about:blank", "title": title, "status": status, "code": code, "detail": detail });
    if let Some(hint) = hint {
        expected["hint"] = hint.into();
    }
    assert_eq!(found, expected);
}

#[test]
fn fields_that_are_wrong_are_named() {
    let wrong = |body: &str, detail: &str| {
        let found = problem(server().post_body("/execute", "application/json", body.as_bytes()), 400, "invalid_field");
        let hint = "correct the field: the detail names it, and what is expected";
        let expected = json!({
            "type": "about:blank", "title": "Bad Request", "status": 400, "code": "invalid_field", "detail": detail, "hint": hint,
        });
        assert_eq!(found, expected);
    };
    wrong("{}", "the field `code` is missing");
    wrong(r#"{"code": 3}"#, "the field `code`: a text is expected, not the number 3");
    wrong(r#"{"code": "", "code": ""}"#, "the field `code` is there twice");
    let fields = "`code`, `timeout`, `policy`, `files`, `stdin`";
    wrong(r#"{"code": "", "cod": 1}"#, &format!("there is no field `cod`; known: {fields}"));
    wrong(r#"{"policy": "lax"}"#, "the field `policy`: `restricted` or `open` is expected, not `lax`");
    wrong(r#"{"timeout": "3"}"#, "the field `timeout`: a number is expected, not the text `3`");
    wrong(r#"{"files": [{"name": "a"}]}"#, "the field `data` is missing");
    wrong(r#"{"files": [["a", ""]]}"#, "the field `files[0]`: an object is expected, not a list");
    wrong("[\"1\"]", "an object is expected, not a list");
}

#[test]
fn bodies_that_are_no_json_are_told_where() {
    let server = server();
    let at = |body: &[u8]| problem(server.post_body("/execute", "application/json", body), 400, "invalid_json")["detail"].clone();
    assert_eq!(at(b"{"), "the body is not JSON: it ends too early (line 1, column 1)");
    assert_eq!(at(br#"{"code": "\ud800"}"#), "the body is not JSON: a character in a text cannot be read (line 1, column 17)");
    assert_eq!(at(b"{\"code\": \"\xff\"}"), "the body is not JSON: a character in a text cannot be read (line 1, column 11)");
    assert_eq!(at(br#"{"code": "", "timeout": NaN}"#), "the body is not JSON: a value is expected (line 1, column 25)");
    assert_eq!(at(br#"{"code": "", "timeout": 1e999}"#), "the body is not JSON: the number is too large (line 1, column 29)");
    assert_eq!(at(b""), "the body is empty");
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let told = problem(server.post_body("/execute", kind, b"{\"code\": \"\"}"), 415, "not_json");
        assert_eq!(told["detail"], "the body must be JSON, with `Content-Type: application/json`");
    }
}

#[test]
fn timeouts_out_of_range_are_told_with_the_range() {
    let hint = "ask for less, and split the work into several runs";
    for (timeout, said, hint) in [
        (json!(61), "61", Some(hint)),
        (json!(60.001), "60.001", Some(hint)),
        (json!(0), "0", Some(hint)),
        (json!(-1), "-1", Some("ask for 0.001 to 60 seconds")),
        (json!(1e300), "1e+300", Some("ask for 0.001 to 60 seconds")),
    ] {
        let detail = format!("a timeout of {said} s is not offered: it must be from 0.001 s to 60 s");
        refused(&json!({ "code": "1", "timeout": timeout }), 400, "Bad Request", "timeout_out_of_range", &detail, hint);
    }
    for timeout in [json!(60), json!(0.5), json!(1e1), Value::Null] {
        assert_eq!(execute(&server(), &json!({ "code": "", "timeout": timeout }))["status"], "success");
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let hint = "pass data with `files`, and read it in the code";
    let detail = "the code has 51201 bytes, and 51200 are the most that is taken";
    refused(&json!({ "code": "#".repeat(51_201) }), 413, "Payload Too Large", "code_too_large", detail, Some(hint));
    assert_eq!(execute(&server(), &json!({ "code": "#".repeat(51_200) }))["status"], "success");
    let detail = "`stdin` has 1048577 bytes, and 1048576 are the most that is taken";
    let hint = "pass larger data with `files`";
    refused(
        &json!({ "code": "", "stdin": "x".repeat((1 << 20) + 1) }),
        413,
        "Payload Too Large",
        "too_large",
        detail,
        Some(hint),
    );
    let body = vec![b' '; (24 << 20) + 1];
    let told = problem(server().post_body("/execute", "application/json", &body), 413, "too_large");
    assert_eq!(told["detail"], "the body is larger than 24 MiB");
}

#[test]
fn files_that_cannot_be_are_refused() {
    let wrong = |name: &str, data: &str, detail: &str, hint: &str| {
        let body = json!({ "code": "", "files": [{ "name": name, "data": data }] });
        refused(&body, 400, "Bad Request", "invalid_files", detail, Some(hint));
    };
    let name = "use a plain name such as `data.csv`, or `folder/data.csv`";
    wrong("/etc/passwd", "", "file name \"/etc/passwd\" cannot be taken: it must be relative to the working folder", name);
    wrong("../a", "", "file name \"../a\" cannot be taken: none of its parts may be empty, `.` or `..`", name);
    wrong("a\u{0}b", "", "file name \"a\\0b\" cannot be taken: it has control characters in it", name);
    let base64 = "encode it with the standard alphabet and with padding, in one line";
    wrong("a", "###", "the data of file \"a\" is not base64", base64);
    let file = json!({ "name": "a", "data": "" });
    let hint = "give each file a name of its own";
    let twice = json!({ "code": "", "files": [file, file] });
    refused(&twice, 400, "Bad Request", "invalid_files", "the files \"a\" and \"a\" cannot lie in one folder", Some(hint));
}

#[test]
fn the_open_policy_needs_the_operators_word() {
    let server = Server::start_with_snippets(&[]);
    let found = problem(server.post_json("/execute", &json!({ "code": "1", "policy": "open" })), 403, "open_not_allowed");
    assert_eq!(found["detail"], "the policy `open` is not allowed here: `snippets.allow_open` is false");
    assert_eq!(
        found["hint"],
        "leave `policy` out, or ask the operator to set `snippets.allow_open`; what the sandbox forbids stays forbidden"
    );
}

#[test]
fn a_service_that_is_turned_off_says_so() {
    let mut server = Server::prepare(&[]);
    server.start_again_with_env(&[("LITHOUSE_SNIPPETS", "false")]);
    for answer in [
        server.post_json("/execute", &json!({ "code": "1" })),
        server.post_json("/validate", &json!({ "code": "1" })),
        server.get("/templates"),
    ] {
        let told = problem(answer, 503, "snippets_unavailable");
        assert_eq!(told["detail"], "this server runs no snippets: `snippets.enabled` is false");
    }
    assert_eq!(server.get("/health").json()["snippets"], Value::Null);
}

#[test]
fn who_may_not_use_the_api_runs_nothing() {
    let server = server();
    for (header, value, status, code) in [
        ("X-Forwarded-For", "192.0.2.1", 401, "not_signed_in"),
        ("Origin", "http://evil.example", 403, "foreign_origin"),
        ("Sec-Fetch-Site", "cross-site", 403, "foreign_origin"),
        ("Host", "evil.example", 403, "host_not_served"),
    ] {
        for path in ["/execute", "/api/execute", "/validate", "/api/validate"] {
            server.post_with(path, &[(header, value)]).expect_problem(status, code);
        }
    }
    server.get_with("/templates", &[("X-Forwarded-For", "192.0.2.1")]).expect_problem(401, "not_signed_in");
    let runs = server.get("/health").json()["snippets"]["runs"].clone();
    assert!(runs.is_object(), "{runs}");
    for path in ["/health", "/api/health"] {
        let told = server.get_with(path, &[("X-Forwarded-For", "192.0.2.1")]).expect(200);
        assert_eq!(told.text(), "{\"status\":\"up\"}");
    }
}

#[test]
fn beyond_four_waiting_for_each_worker_the_queue_is_full() {
    let server = ready(&["--max-workers", "1"]);
    let asking = json!({ "code": "while True: pass", "timeout": 60 });
    std::thread::scope(|scope| {
        for _ in 0..5 {
            // They are cut off when the server ends.
            scope.spawn(|| server.try_post_json("/execute", &asking));
        }
        wait_until_blocking("one runs and four wait", PATIENCE, || {
            let health = server.get("/health").json()["snippets"].clone();
            if health["running"] == 1 && health["queued"] == 4 { Ok(()) } else { Err(health) }
        });
        let answer = server.post_json("/execute", &json!({ "code": "1" }));
        let seconds: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
        let told = problem(answer, 503, "queue_full");
        assert_eq!(told["detail"], "all workers are busy, and 4 runs are waiting already");
        // What needs no run is answered all the same.
        server.post_json("/validate", &json!({ "code": "1" })).expect(200);
        server.signal_end();
    });
}

#[test]
fn while_its_environment_is_built_a_server_says_so_and_apps_are_not_kept_waiting() {
    let mut server = Server::prepare(&[]);
    // An index that takes connections and never answers, so that the build stays under way.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let index = format!("http://{}/simple", silent.local_addr().unwrap());
    server.start_again_with_env(&[("UV_DEFAULT_INDEX", &index), ("PIP_INDEX_URL", &index), ("UV_NO_CACHE", "1")]);
    let answer = server.post_json("/execute", &json!({ "code": "1" }));
    assert!(answer.headers.contains_key("retry-after"));
    problem(answer, 503, "environment_building");
    let health = server.get("/health").json();
    assert_eq!((&health["status"], &health["snippets"]["state"]), (&json!("up"), &json!("building")), "{health:#}");
    server.get("/api/apps").expect(200);
}
