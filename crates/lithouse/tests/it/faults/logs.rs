// SPDX-License-Identifier: Apache-2.0
//! Logs that are put aside: bounded, whole, and followed without a gap.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};

use lithouse_testkit::wait_until_blocking;

use super::clients::{COUNTING, number_in};
use super::rounds::SMALL_LOGS;
use crate::server::{PATIENCE, Server};

const FEW_LOGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/faults/few-logs.toml");
/// As the file says, and one line that was the first in its file.
const LARGEST: u64 = 10_000 + 4_000;

#[test]
fn the_servers_own_logs_are_put_aside_by_size_and_only_so_many_are_kept() {
    let mut server = Server::start_with(&["--config", FEW_LOGS]);
    // Each start tells of each of them.
    for index in 0..300 {
        let stray = server.data().join(format!("apps/of-a-lost-database-{index}"));
        std::fs::create_dir(&stray).unwrap();
        std::fs::write(stray.join("meta.json"), "{}").unwrap();
    }
    server.kill();
    server.start_again();
    for name in ["controller.log", "website.log"] {
        let file = |end: &str| server.data().join(format!("logs/{name}{end}"));
        wait_until_blocking(&format!("{name} was put aside twice"), PATIENCE, || {
            for _ in 0..50 {
                server.get("/api/apps").expect(200);
            }
            std::fs::metadata(file(".2")).is_ok_and(|facts| facts.len() > 0)
        });
        assert!(!file(".3").exists());
        for end in ["", ".1", ".2"] {
            // While files change their names there is none of this one for a moment.
            let facts = wait_until_blocking("the file is there", PATIENCE, || std::fs::metadata(file(end)).ok());
            assert!(facts.len() <= LARGEST, "{name}{end} has {} bytes", facts.len());
        }
        let text = wait_until_blocking("the file is there", PATIENCE, || std::fs::read_to_string(file(".1")).ok());
        assert!(text.lines().all(|line| line.starts_with("20")) && text.ends_with('\n'), "a line was torn: {text}");
    }
}

/// `lithouse logs -f` of an app, and what it prints.
fn follow(server: &Server, app: &str) -> (Child, Receiver<String>) {
    let mut command = server.command();
    command.args(["logs", app, "-f", "-n", "1"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (lines, printed) = channel();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| lines.send(line)));
    (child, printed)
}

#[test]
fn a_log_is_followed_while_it_is_put_aside_the_app_is_restarted_and_the_server_dies_and_comes_back() {
    let mut server = Server::start_with(&["--config", SMALL_LOGS]);
    let app = server.running_app(COUNTING);
    let (mut following, printed) = follow(&server, &app);
    let next = || printed.recv_timeout(PATIENCE).expect("a further line");
    let put_aside = |number: u32| server.data().join(format!("logs/{app}.log.{number}")).exists();
    let mut last: Option<u64> = None;
    let mut take = |line: &str| {
        let Some(number) = number_in(line) else { return };
        assert!(last.is_none_or(|last| last + 1 == number), "{number} after {last:?}");
        last = Some(number);
    };
    while !put_aside(2) {
        take(&next());
    }
    server.kill();
    server.start_again();
    for _ in 0..20 {
        take(&next());
    }
    server.post(&format!("/api/apps/{app}/restart")).expect(200);
    while !next().contains(" sys | started, pid ") {}
    following.kill().unwrap();
    following.wait().unwrap();
    let mut said = String::new();
    following.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.is_empty() || said == "the server is away; waiting for it\nthe server is back\n", "{said}");
}
