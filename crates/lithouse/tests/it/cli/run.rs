// SPDX-License-Identifier: Apache-2.0
//! `run` and `check` against servers that build, refuse, stall and hang up. With a real one they are in `snippets::command`.

use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Response;
use serde_json::{Value, json};

use super::binary::{Run, lithouse_of, run};
use super::server::{Answer, Asked, Server, answer, problem, typed};

const DONE: &str = r#"{"status":"success","execution_time":1,"output":{"stdout":"hi\n","stderr":"","charts":[],"dataframes":[],"variables":{},"files":[],"truncated":[]},"error":null}"#;

/// Events as a server sends them.
fn told(events: &[(&str, &str)]) -> Answer {
    let pieces: Vec<String> = events.iter().map(|(name, data)| format!(": comment\n\nevent: {name}\ndata: {data}\n\n")).collect();
    typed(200, "text/event-stream", Body::from(pieces.concat()))
}

fn done() -> Answer {
    told(&[("stdout", r#""hi\n""#), ("a_newer_event", "1"), ("result", DONE)])
}

async fn run_of(answering: impl Fn(&Asked) -> Answer + Send + Sync + 'static, arguments: &str) -> (Server, Run) {
    let server = Server::new(answering);
    std::fs::write(server.data().join("a.py"), "print('hi')\n").unwrap();
    let mut command = lithouse_of(server.data(), arguments);
    command.current_dir(server.data());
    let run = run(command).await;
    (server, run)
}

#[tokio::test]
async fn everything_that_is_typed_is_sent() {
    let arguments = "run a.py --timeout 2.5 --policy open --stdin a.py --file a.py --file ./a.py";
    let (server, run) = run_of(|_| done(), arguments).await;
    run.code(0).prints("hi\n");
    let asked = server.asked("POST /api/execute");
    assert_eq!(
        (asked.header("accept"), asked.header("content-type")),
        ("text/event-stream, application/json", "application/json")
    );
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    let file = json!({ "name": "a.py", "data": "cHJpbnQoJ2hpJykK" });
    let code = "print('hi')\n";
    assert_eq!(body, json!({ "code": code, "timeout": 2.5, "policy": "open", "stdin": code, "files": [file, file] }));
}

#[tokio::test]
async fn a_server_that_builds_is_waited_for_in_silence_where_nobody_watches() {
    let asked = AtomicU32::new(0);
    let answering = move |_: &Asked| {
        if asked.fetch_add(1, Ordering::Relaxed) > 1 {
            return done();
        }
        let mut refused =
            problem(503, "environment_building", "the environment of the snippets is being built: Resolved 12 packages");
        refused.headers_mut().insert("retry-after", "1".parse().unwrap());
        refused
    };
    let (server, run) = run_of(answering, "run a.py").await;
    let run = run.code(0).prints("hi\n");
    assert_eq!((server.lines().len(), run.stderr.as_str()), (3, ""));
}

#[tokio::test]
async fn a_full_queue_is_told_and_not_waited_for() {
    let answering = |_: &Asked| problem(503, "queue_full", "all workers are busy, and 8 runs are waiting already");
    let (server, run) = run_of(answering, "run a.py").await;
    run.code(6).says("error: all workers are busy, and 8 runs are waiting already");
    assert_eq!(server.lines().len(), 1);
}

#[tokio::test]
async fn an_answer_that_ends_early_is_told() {
    let cut = |_: &Asked| told(&[("stdout", r#""half""#)]);
    run_of(cut, "run a.py").await.1.code(5).prints("half").says("ended its answer early\nhint: it may be restarting; try again");
    let hung_up = |_: &Asked| {
        let pieces = [Ok(Bytes::from("event: stdout\ndata: \"half\"\n\n")), Err(std::io::Error::other("hang up"))];
        // Each piece leaves by itself, as from a run that goes on.
        let pieces = stream::iter(pieces).then(|piece| async {
            tokio::task::yield_now().await;
            piece
        });
        typed(200, "text/event-stream", Body::from_stream(pieces))
    };
    run_of(hung_up, "run a.py").await.1.code(5).says("hung up");
}

#[tokio::test]
async fn a_run_that_is_lost_half_way_is_told_with_its_problem() {
    let lost = r#"{"code": "snippets_unavailable", "detail": "snippets cannot be run: the zygote ended", "hint": "try again"}"#;
    let answering = move |_: &Asked| told(&[("problem", lost)]);
    run_of(answering, "run a.py").await.1.code(6).says("error: snippets cannot be run: the zygote ended\nhint: try again");
}

#[tokio::test]
async fn what_is_no_answer_of_ours_is_told() {
    let odd = |_: &Asked| told(&[("result", r#"{"status": 3}"#)]);
    run_of(odd, "run a.py").await.1.code(6).says("answered with something unexpected");
    let page = |_: &Asked| typed(200, "text/html", Body::from("<p>hello"));
    run_of(page, "run a.py").await.1.code(6).says("does not speak as Lithouse does");
    run_of(page, "check a.py").await.1.code(6).says("does not speak as Lithouse does");
}

#[tokio::test]
async fn a_name_that_a_server_makes_up_leads_nowhere_else() {
    let file = |name: &str| json!({ "name": name, "size": 1, "data": "eA==" });
    let names = ["../up", "/tmp/abs", ".git/config", "fine/x"];
    let mut result: Value = serde_json::from_str(DONE).unwrap();
    result["output"]["files"] = names.iter().map(|name| file(name)).collect();
    let result = result.to_string();
    let (server, run) = run_of(move |_| told(&[("result", &result)]), "run a.py --out out").await;
    let run = run.code(0);
    for name in &names[..3] {
        assert!(run.stderr.contains(&format!("not saved, because of its name: `{name}`")), "{run:#?}");
    }
    assert!(run.stderr.ends_with("saved `out/fine/x`\n"), "{run:#?}");
    assert!(!server.data().join("up").exists() && !server.data().join("out/.git").exists());
}

#[tokio::test]
async fn issues_and_the_policy_are_those_of_the_server() {
    let verdict = json!({ "valid": false, "issues": [{ "line": 2, "column": 3, "code": "c", "message": "a\u{1b}[2Jb" }] });
    let (server, run) = run_of(move |_| answer(200, &verdict), "check a.py --policy open").await;
    run.code(1).prints("a.py:2:3: c: a [2Jb\n").says("error: `a.py` has 1 issue\n");
    let body: Value = serde_json::from_slice(&server.asked("POST /api/validate").body).unwrap();
    assert_eq!(body, json!({ "code": "print('hi')\n", "policy": "open" }));
}

#[tokio::test]
async fn a_degraded_server_is_healthy_enough_to_be_left_alone() {
    let answering = |_: &Asked| {
        Response::builder().header("content-type", "application/json").body(Body::from(r#"{"status":"degraded"}"#)).unwrap()
    };
    run_of(answering, "healthcheck").await.1.code(0).prints("degraded\n");
}
