// SPDX-License-Identifier: Apache-2.0
//! What is different where somebody sits in front of it.

use std::process::Stdio;

use serde_json::json;
use tokio::process::Command;

use super::binary::{DEADLINE, lithouse_of};
use super::deploy::{creating, ready};
use super::server::{Server, answer, app, typed};

/// Runs a program on a terminal of its own, types, and passes on what is seen there and how it ended.
const TERMINAL: &str = "
import os, pty, sys
child, person = pty.fork()
if child == 0:
    os.execv(sys.argv[2], sys.argv[2:])
os.write(person, sys.argv[1].encode())
while True:
    try:
        seen = os.read(person, 65536)
    except OSError:
        break
    if not seen:
        break
    os.write(1, seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
";

/// Runs the command on a terminal, where `typed` was typed ahead; its exit code and all that the person sees.
pub(super) async fn on_terminal(command: &Command, typed: &str) -> (Option<i32>, String) {
    watched(TERMINAL, command, typed).await
}

async fn watched(terminal: &str, command: &Command, how: &str) -> (Option<i32>, String) {
    let (program, command) = (terminal, command.as_std());
    let mut terminal = Command::new("python3");
    terminal.args(["-c", program, how]).arg(command.get_program()).args(command.get_args());
    terminal.env_clear().env("TERM", "xterm").envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    terminal.stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
    let run = tokio::time::timeout(DEADLINE, terminal.output()).await.expect("it ends").expect("python3 is there");
    (run.status.code(), String::from_utf8_lossy(&run.stdout).into_owned())
}

/// The same with somebody who reads: each text is typed once the one before it was seen, in what came since; with nothing to type
/// the terminal is closed.
const PERSON: &str = "
import json, os, pty, signal, sys
child, person = pty.fork()
if child == 0:
    os.execv(sys.argv[2], sys.argv[2:])
steps, fresh = json.loads(sys.argv[1]), b''
while True:
    try:
        seen = os.read(person, 65536)
    except OSError:
        break
    if not seen:
        break
    os.write(1, seen)
    fresh += seen
    while steps and steps[0][0].encode() in fresh:
        expected, typed = [text.encode() for text in steps.pop(0)]
        fresh = fresh[fresh.index(expected) + len(expected):]
        if not typed:
            os.kill(child, signal.SIGKILL)
        os.write(person, typed)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256)
";

/// Runs the command on a terminal before which somebody sits who types the second of each pair after having seen the first.
pub(super) async fn with_person(command: &Command, steps: &[(&str, &str)]) -> (Option<i32>, String) {
    watched(PERSON, command, &json!(steps).to_string()).await
}

fn removable() -> Server {
    Server::new(|request| match request.line.as_str() {
        "DELETE /api/apps/sales" => typed(204, "text/plain", axum::body::Body::empty()),
        _ => answer(200, &app("sales", "running")),
    })
}

#[tokio::test]
async fn rm_asks_and_takes_only_yes_for_yes() {
    for (said, code, is_removed) in
        [("y\n", 0, true), ("YES\n", 0, true), ("\n", 1, false), ("no\n", 1, false), ("\u{4}", 1, false)]
    {
        let server = removable();
        let (ended, seen) = on_terminal(&lithouse_of(server.data(), "rm sales"), said).await;
        assert!(seen.contains("remove `sales` with all its releases, logs and data? [y/N]"), "{seen}");
        assert_eq!(ended, Some(code), "{said:?}: {seen}");
        assert_eq!(server.lines().contains(&"DELETE /api/apps/sales".to_owned()), is_removed, "{said:?}: {seen}");
    }
}

#[tokio::test]
async fn a_table_is_coloured_on_a_terminal_unless_that_is_refused() {
    let server = Server::new(|_| answer(200, &json!({"apps": [app("sales", "running")], "next": null})));
    let (_, seen) = on_terminal(&lithouse_of(server.data(), "apps"), "").await;
    assert!(seen.contains("\u{1b}[32mrunning\u{1b}[0m"), "{seen:?}");
    let mut command = lithouse_of(server.data(), "apps");
    command.env("NO_COLOR", "1");
    let (_, seen) = on_terminal(&command, "").await;
    assert!(seen.contains("running") && !seen.contains('\u{1b}'), "{seen:?}");
}

#[tokio::test]
async fn an_upload_shows_its_progress_and_clears_it_away() {
    let server = Server::new(creating(ready));
    let folder = super::deploy::folder();
    let mut command = lithouse_of(server.data(), "deploy");
    command.arg(folder.path().join("Sales"));
    let (ended, seen) = on_terminal(&command, "").await;
    assert_eq!(ended, Some(0), "{seen}");
    assert!(seen.contains("uploading "), "{seen:?}");
    assert!(seen.ends_with("http://127.0.0.1:8080/apps/sales/\r\n"), "{seen:?}");
}

#[tokio::test]
async fn what_an_app_wrote_cannot_steer_the_terminal_of_whoever_reads_its_log() {
    let log = "2026-01-02T03:04:05.678Z run | \x1b[2J\x1b]0;title\x07 \x1b[31mred\x1b[0m\n";
    let server = Server::new(move |_| typed(200, "text/plain; charset=utf-8", log.into()));
    let (ended, seen) = on_terminal(&lithouse_of(server.data(), "logs sales"), "").await;
    assert_eq!(ended, Some(0), "{seen}");
    assert!(!seen.contains("\x1b[2J") && !seen.contains("\x1b]") && !seen.contains('\x07'), "{seen:?}");
    assert!(seen.contains("\x1b[31mred\x1b[0m"), "{seen:?}");
    server.run("logs sales").await.code(0).prints(log);
}
