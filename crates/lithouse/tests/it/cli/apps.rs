// SPDX-License-Identifier: Apache-2.0
//! `apps` and `status`.

use serde_json::json;

use super::server::{Server, answer, app, problem, with};

#[tokio::test]
async fn each_app_is_listed_with_state_and_pid() {
    let server = Server::new(|_| {
        let failed = with(app("b", "failed"), &json!({"reason": "`pandas==0` does not exist"}));
        let nameless = with(app("c", "sleeping"), &json!({"key": null}));
        answer(200, &json!({"apps": [app("sales", "running"), failed, nameless], "next": null}))
    });
    let table = "\
APP               STATUS    PID   UP   MEMORY  CPU   URL
sales             running   4242  0 s  35 MB   12 %  http://127.0.0.1:8080/apps/sales/
b                 failed    -     -    -       -     http://127.0.0.1:8080/apps/b/
a7c1e0f2b9f84a62  sleeping  -     -    -       -     http://127.0.0.1:8080/apps/c/
";
    for verb in ["apps", "ls"] {
        server.run(verb).await.code(0).prints(table).says("`b` has failed: `pandas==0` does not exist");
    }
    let asked = server.asked("GET /api/apps");
    assert_eq!((asked.header("host"), asked.header("accept")), ("localhost", "application/json"));
    assert_eq!(asked.header("authorization"), "");
}

#[tokio::test]
async fn status_tells_what_each_app_takes_and_what_the_server_is() {
    let server = Server::new(|asked| match asked.line.as_str() {
        "GET /api/server" => answer(200, &facts()),
        _ => answer(200, &json!({"apps": [app("sales", "running"), app("b", "stopped")], "next": null})),
    });
    let table = "\
APP    STATUS   PID   PORT  UP   RESTARTS  MEMORY  CPU   URL
sales  running  4242  8501  0 s  0         35 MB   12 %  http://127.0.0.1:8080/apps/sales/
b      stopped  -     -     -    0         -       -     http://127.0.0.1:8080/apps/b/
";
    let told = server.run("status").await.code(0).prints(table);
    let line = "server: pid 7, version 1.2.3, up 0 s, at http://127.0.0.1:8080/, data /srv/data\n";
    assert_eq!(told.stderr, line.replace("1.2.3", VERSION));
    let table = "\
pid      7
version  1.2.3
up       0 s
listens  127.0.0.1:8080
url      http://127.0.0.1:8080/
data     /srv/data
config   /srv/lithouse.toml
log      /srv/data/logs/controller.log
apps     2 running, 1 stopped
";
    server.run("status --server").await.code(0).prints(&table.replace("1.2.3", VERSION));
    // One that is older does not tell of itself.
    let older = Server::new(|asked| match asked.line.as_str() {
        "GET /api/server" => problem(404, "no_such_path", "there is nothing"),
        _ => answer(200, &json!({"apps": [], "next": null})),
    });
    older.run("status").await.code(0).prints("").says("no apps yet");
}

#[tokio::test]
async fn why_a_running_app_does_nothing_is_told() {
    let halted = json!({"reason": "its processes are halted by SIGSTOP"});
    let server = Server::new(move |asked| match asked.line.as_str() {
        "GET /api/server" => answer(200, &facts()),
        _ => answer(200, &json!({"apps": [with(app("sales", "running"), &halted), app("b", "running")], "next": null})),
    });
    for verb in ["apps", "status"] {
        let told = server.run(verb).await.code(0).says("`sales` is running: its processes are halted by SIGSTOP\n");
        assert!(!told.stderr.contains("`b`"), "{told:#?}");
    }
}

/// A server of the same version as the command.
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn facts() -> serde_json::Value {
    json!({
        "pid": 7, "version": VERSION, "started_at": "2999-01-01T00:00:00Z", "listen": "127.0.0.1:8080",
        "url": "http://127.0.0.1:8080/", "data": "/srv/data", "config": "/srv/lithouse.toml", "folder": null,
        "log": "/srv/data/logs/controller.log", "apps": {"running": 2, "stopped": 1},
    })
}

#[tokio::test]
async fn json_is_exactly_what_the_api_says() {
    let body = r#"{"apps":[{"z":1.50,"a":[],"app_id":"x"}],"next":null}"#;
    let server = Server::new(move |_| super::server::typed(200, "application/json; charset=utf-8", body.into()));
    let told = "{\n  \"apps\": [\n    {\n      \"z\": 1.50,\n      \"a\": [],\n      \"app_id\": \"x\"\n    }\n  ],\n  \"next\": null\n}\n";
    server.run("apps --json").await.code(0).prints(told);
    server.run("status --json").await.code(0).prints(told);
}

#[tokio::test]
async fn a_list_of_several_pages_is_followed_to_its_end() {
    let server = Server::new(|asked| match asked.line.as_str() {
        "GET /api/apps" => answer(200, &json!({"apps": [app("a", "running")], "next": "a&b"})),
        "GET /api/apps?after=a%26b" => answer(200, &json!({"apps": [app("b", "running")], "next": null})),
        other => panic!("{other}"),
    });
    let run = server.run("apps").await.code(0);
    assert_eq!(run.stdout.lines().count(), 3, "{run:#?}");
    let json = server.run("apps --json").await.code(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((json["apps"].as_array().unwrap().len(), &json["next"]), (2, &json!(null)));
}

#[tokio::test]
async fn no_apps_print_nothing_and_hint_at_deploy() {
    let server = Server::new(|_| answer(200, &json!({"apps": [], "next": null})));
    server.run("apps").await.code(0).prints("").says("hint: `lithouse deploy FOLDER` makes one");
}

#[tokio::test]
async fn texts_of_others_cannot_steer_the_terminal() {
    let server = Server::new(|_| {
        let evil = with(app("a", "crashed"), &json!({"access_url": "http://x/\u{1b}]0;owned\u{7}", "reason": "a\u{1b}[2J\nb"}));
        answer(200, &json!({"apps": [evil], "next": null}))
    });
    let run = server.run("apps").await.code(0);
    assert!(!run.stdout.contains('\u{1b}') && !run.stderr.contains('\u{1b}'), "{run:?}");
}
