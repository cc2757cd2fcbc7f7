// SPDX-License-Identifier: Apache-2.0
//! `logs`.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::binary::{finish, lithouse_of};
use super::server::{Server, Then, events, problem, typed};

const LINES: [&str; 2] = ["2026-01-02T03:04:05.678Z run | one", "2026-01-02T03:04:06.000Z run | two: 2"];

#[tokio::test]
async fn logs_are_printed_as_they_are() {
    let server = Server::new(|_| typed(200, "text/plain; charset=utf-8", format!("{}\n{}\n", LINES[0], LINES[1]).into()));
    let text = format!("{}\n{}\n", LINES[0], LINES[1]);
    server.run("logs sales").await.code(0).prints(&text);
    server.run("logs sales -n 7 --build").await.code(0).prints(&text);
    assert_eq!(server.lines(), ["GET /api/apps/sales/logs?tail=200&stream=run", "GET /api/apps/sales/logs?tail=7&stream=build"]);
    let json = server.run("logs sales --json").await.code(0).stdout;
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(first, serde_json::json!({"time": "2026-01-02T03:04:05.678Z", "stream": "run", "line": "one"}));
}

#[tokio::test]
async fn a_followed_log_ends_with_its_stream() {
    let server = Server::new(|_| events(&LINES, Then::End));
    server.run("logs sales -f -n 5").await.code(0).prints(&format!("{}\n{}\n", LINES[0], LINES[1]));
    assert_eq!(server.lines(), ["GET /api/apps/sales/logs?tail=5&stream=run&follow=true"]);
    assert!(server.asked(&server.lines()[0]).header("accept").starts_with("text/event-stream"));
}

#[tokio::test]
async fn a_server_that_hangs_up_in_the_middle_is_told_after_what_came() {
    let server = Server::new(|_| events(&LINES, Then::HangUp));
    server.run("logs sales -f").await.code(5).prints(&format!("{}\n{}\n", LINES[0], LINES[1])).says("hung up");
}

#[tokio::test]
async fn events_that_are_no_log_lines_are_left_out_and_odd_ones_understood() {
    // It has an id, so that more is asked for.
    let stream = "event: ping\ndata: no\n\nid: 7\r\ndata: a\r\ndata:b\r\n\r\n: comment\n\ndata\n\nevent: message\ndata:  c\n\ndata: unfinished";
    let server = Server::new(move |asked| match asked.header("last-event-id") {
        "" => typed(200, "text/event-stream; charset=utf-8", stream.into()),
        _ => problem(404, "no_such_app", "there is no app `sales`"),
    });
    server.run("logs sales -f").await.code(0).prints("a\nb\n\n c\n");
}

#[tokio::test]
async fn a_followed_log_that_is_none_is_not_taken_for_one() {
    let server = Server::new(|_| typed(200, "text/html", "<html>".into()));
    server.run("logs sales -f").await.code(6).prints("").says("does not speak as Lithouse does");
    let server = Server::new(|_| problem(404, "no_such_app", "there is no app `sales`"));
    server.run("logs sales -f").await.code(3).says("error: there is no app `sales`");
}

#[tokio::test]
async fn following_goes_on_where_it_was_with_a_server_that_says_where_that_is() {
    let turn = AtomicUsize::new(0);
    let server = Server::new(move |asked| {
        let stream = |text: &'static str| typed(200, "text/event-stream", text.into());
        match (turn.fetch_add(1, Relaxed), asked.header("last-event-id")) {
            (0, "") => stream("id: a\n\ndata: one\ndata: two\nid: b\n\ndata: cut in the midd"),
            (1, "b") => problem(503, "server_restarting", "the server is being replaced"),
            (2, "b") => stream("id: b\n\n"),
            (3, "b") => stream("data: three\nid: c\n\n"),
            (4, "c") => problem(404, "no_such_app", "there is no app `sales`"),
            (turn, id) => panic!("question {turn} after `{id}`"),
        }
    });
    let run = server.run("logs sales -f -n 5").await.code(0);
    assert_eq!((&*run.stdout, &*run.stderr), ("one\ntwo\nthree\n", "the server is away; waiting for it\nthe server is back\n"));
    assert_eq!(server.lines(), ["GET /api/apps/sales/logs?tail=5&stream=run&follow=true"; 5]);
}

#[tokio::test]
async fn following_ends_with_what_a_later_server_refuses() {
    let server = Server::new(|asked| match asked.header("last-event-id") {
        "" => typed(200, "text/event-stream", "data: one\nid: a\n\n".into()),
        _ => problem(401, "not_signed_in", "only the user who runs this server may use it"),
    });
    server.run("logs sales -f").await.code(4).prints("one\n").says("error: only the user");
}

#[tokio::test]
async fn ctrl_c_ends_following_with_130() {
    let server = Server::new(|_| events(&LINES, Then::Stay));
    let mut child = lithouse_of(server.data(), "logs sales -f").spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some(LINES[0]));
    kill_process(Pid::from_child_tokio(&child), Signal::INT).unwrap();
    finish(child).await.code(130).says("error: interrupted");
}

#[tokio::test]
async fn a_reader_that_has_enough_is_no_failure() {
    let server = Server::new(|_| {
        let lines = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>("data: again\n\n"));
        typed(200, "text/event-stream", axum::body::Body::from_stream(lines))
    });
    let mut child = lithouse_of(server.data(), "logs sales -f").spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("again"));
    drop(lines);
    let run = finish(child).await.code(0);
    assert_eq!(run.stderr, "");
}

/// The pid of a child that was not waited for yet.
trait FromChild {
    fn from_child_tokio(child: &tokio::process::Child) -> Pid;
}

impl FromChild for Pid {
    fn from_child_tokio(child: &tokio::process::Child) -> Pid {
        Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap()
    }
}
