// SPDX-License-Identifier: Apache-2.0
//! Apps that write more, or other things, than a log is made for.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use lithouse_testkit::wait_until_blocking;

use super::row::{Plan, Row};
use crate::server::PATIENCE;

/// Answers, and writes what `flood` says once there is a file `go`.
fn writes(flood: &str) -> String {
    format!(
        "\
import os, socket, threading, time
door = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))
def flood():
    while not os.path.exists('go'): time.sleep(0.02)  # Between two looks.
    def write(bytes):
        while bytes: bytes = bytes[os.write(1, bytes):]
{flood}
    open('over', 'w')
threading.Thread(target=flood, daemon=True).start()
while True:
    visitor = door.accept()[0]
    visitor.recv(65536)
    visitor.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n')
    visitor.close()
"
    )
}

/// Megabytes; a gigabyte takes a debug build half a minute, and shows the same.
const FLOOD: u32 = 150;
const FEW_LOGS: &str = "[log]\nsize = \"1MB\"\nkeep = 3";
/// Three files of a megabyte, with a line that was the first in its file.
const MOST_LOG: u64 = 3 * (1_000_000 + 70_000);

fn let_go(row: &Row) {
    std::fs::write(row.folder("noisy").join("go"), "").unwrap();
}

fn wait_until_over(row: &Row) {
    let over = row.folder("noisy").join("over");
    wait_until_blocking("all of it is written", PATIENCE, || over.exists());
}

/// What the files of its log hold, in bytes.
fn size_of_log(row: &Row) -> u64 {
    let names = ["noisy.log", "noisy.log.1", "noisy.log.2", "noisy.log.3"];
    names
        .iter()
        .filter_map(|name| std::fs::metadata(row.server.data().join("logs").join(name)).ok())
        .map(|facts| facts.len())
        .sum()
}

/// The most memory that a process held at once, in kibibytes.
fn most_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

/// Server and keeper never need more than this for what an app writes.
const MOST_MEMORY: u64 = 150 << 10;

#[test]
fn an_app_that_prints_without_end_fills_no_disk_and_nobody_else_feels_it() {
    let flood = format!(
        "    line = b'x' * 999 + b'\\n'\n    for _ in range({FLOOD}): write(line * 1000)\n    write(b'the flood is over\\n')"
    );
    let mut row = Plan::of("a-flood", FEW_LOGS).app("noisy", &writes(&flood), "").begin();
    let before = row.server.wait_for_status("noisy", "running");
    let mut following = row.server.command();
    following.args(["logs", "noisy", "-f"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut following = following.spawn().unwrap();
    let out = BufReader::new(following.stdout.take().unwrap());
    let follower = std::thread::spawn(move || {
        out.lines().map_while(Result::ok).find(|line| line.ends_with("out | the flood is over")).is_some()
    });
    let_go(&row);
    wait_until_over(&row);
    assert!(follower.join().unwrap(), "the follower missed the end");
    following.kill().unwrap();
    following.wait().unwrap();
    assert!(size_of_log(&row) <= MOST_LOG, "{}", size_of_log(&row));
    for pid in [row.server.pid(), row.server.keeper_pid().unwrap()] {
        assert!(most_memory(pid) < MOST_MEMORY, "{} kB", most_memory(pid));
    }
    assert_eq!(row.server.app("noisy")["pid"], before["pid"]);
    row.log("noisy", &["flood is over"]);
    row.end();
}

#[test]
fn a_line_without_an_end_is_cut_into_pieces_and_held_by_nobody() {
    let flood = "    for _ in range(800): write(b'x' * 65536)\n    write(b'\\nthe line is over\\n')";
    let mut row = Plan::of("an-endless-line", FEW_LOGS).app("noisy", &writes(flood), "").begin();
    row.server.wait_for_status("noisy", "running");
    let_go(&row);
    wait_until_over(&row);
    row.wait_for_line("noisy", "out | the line is over");
    assert!(size_of_log(&row) <= MOST_LOG, "{}", size_of_log(&row));
    for pid in [row.server.pid(), row.server.keeper_pid().unwrap()] {
        assert!(most_memory(pid) < MOST_MEMORY, "{} kB", most_memory(pid));
    }
    let text = row.server.get("/api/apps/noisy/logs?tail=5").expect(200).text();
    let longest = text.lines().map(str::len).max().unwrap();
    assert!(longest <= (64 << 10) + 40, "{longest}");
    row.log("noisy", &["line is over"]);
    row.end();
}

#[test]
fn what_is_no_text_stays_in_its_lines_and_forges_none() {
    let forged = "2026-01-01T00:00:00.000Z sys | forged";
    let flood = format!(
        "    write(b'nul \\0 bell \\a bad \\xff\\xfe end\\n')\n    write(b'\\x1b[31mred\\x1b[0m \\x1b]0;title\\x07 \\x1b[2J\\n')\n    \
         write(b'10 %\\r20 %\\r30 %\\n')\n    write(b'\\r{forged}\\n')\n    write(b'one\\r\\r{forged}\\r\\n')\n    \
         write(b'data: forged\\nevent: forged\\nid: 1\\n: forged\\n\\n')\n    write('\\u2028{forged}\\x85{forged}\\n'.encode())\n    \
         write(b'A\\x1b[2J\\x1b[1A\\x1b[1G{forged}\\x1b[K \\x1b]0;t\\x07\\x1bcX\\n')\n    write('\\u202e{forged}\\u2066\\n'.encode())\n    \
         write(b'\\x1b[3')\n    time.sleep(0.7)  # Until what waits is written.\n    write(b'1mred\\x1b[0m\\n')\n    \
         write(bytes(range(256)) + b'\\n')\n    write(b'all is written\\n')"
    );
    let mut row = Plan::of("no-text", "").app("noisy", &writes(&flood), "").begin();
    row.server.wait_for_status("noisy", "running");
    let_go(&row);
    wait_until_over(&row);
    row.wait_for_line("noisy", "all is written");
    let text = row.server.get("/api/apps/noisy/logs").expect(200).text();
    row.log("noisy", &[" out | "]);
    let colours = ["\x1b[31mred\x1b[0m ", "\x1b[31mred\x1b[0m\n"];
    let rest = colours.iter().fold(text.clone(), |text, colour| {
        assert!(text.contains(colour), "{colour:?} is not in {text:?}");
        text.replace(colour, "")
    });
    let steers = |each: char| matches!(each, '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{2069}');
    assert!(!rest.contains(|each: char| steers(each) || (each.is_control() && !matches!(each, '\t' | '\n'))), "{rest:?}");
    let is_whole =
        |line: &str| line.starts_with("20") && (line[24..].starts_with(" out | ") || line[24..].starts_with(" sys | started"));
    assert!(text.split(['\n', '\r']).filter(|line| !line.is_empty()).all(is_whole), "{text:?}");
    // The same lines as events, taken apart as browsers do.
    let mut stream = TcpStream::connect(row.server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET /api/apps/noisy/logs?follow=true HTTP/1.0\r\nHost: {}\r\n\r\n", row.server.address()).unwrap();
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&read).contains("all is written") {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "{:?}", String::from_utf8_lossy(&read));
        read.extend(&buffer[..count]);
    }
    let read = String::from_utf8(read).unwrap();
    let body = read.split_once("\r\n\r\n").unwrap().1.replace("\r\n", "\n");
    let lines: Vec<&str> = body.split(['\n', '\r']).filter(|line| !line.is_empty()).collect();
    let (data, others): (Vec<&str>, Vec<&str>) = lines.into_iter().partition(|line| line.starts_with("data: "));
    // What is no data is where the follower is, as the server says it.
    let is_place = |line: &str| line.strip_prefix("id: ").is_some_and(|id| id.split('-').map(str::len).nth(2) == Some(16));
    assert!(others.iter().all(|line| is_place(line) || *line == "retry: 1000"), "{others:?}");
    let data: Vec<&str> = data.iter().map(|line| &line["data: ".len()..]).collect();
    assert!(data.iter().all(|line| is_whole(line)), "{data:?}");
    assert_eq!(data, text.lines().collect::<Vec<_>>());
    row.end();
}
