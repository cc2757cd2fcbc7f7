// SPDX-License-Identifier: Apache-2.0
//! The end of a log.

use std::fs;
use std::path::PathBuf;

use futures_util::StreamExt;
use lithouse_engine::log::{read, tail};

use super::{LogFolder, numbered};

const PLENTY: usize = 1 << 20;

#[tokio::test]
async fn a_log_that_is_not_there_is_empty() {
    let log = LogFolder::new();
    assert_eq!(tail(log.path(), 10, PLENTY).await.expect("no error"), "");
    assert_eq!(tail(log.path().join("deeper/x.log"), 10, PLENTY).await.map_err(|error| error.kind()), Ok(String::new()));
}

#[tokio::test]
async fn the_last_lines_are_read_across_rotated_files() {
    let log = LogFolder::new();
    fs::write(log.rotated(2), numbered(0..3)).expect("written");
    fs::write(log.rotated(1), numbered(3..6)).expect("written");
    fs::write(log.path(), numbered(6..8)).expect("written");
    for lines in [0, 1, 2, 3, 5, 6, 8] {
        assert_eq!(tail(log.path(), lines, PLENTY).await.expect("no error"), numbered(8 - lines..8), "{lines} lines");
    }
    assert_eq!(tail(log.path(), usize::MAX, PLENTY).await.expect("no error"), numbered(0..8));
}

#[tokio::test]
async fn a_file_that_is_missing_in_the_row_hides_no_older_one() {
    let log = LogFolder::new();
    fs::write(log.rotated(2), numbered(0..3)).expect("written");
    assert_eq!(tail(log.path().with_file_name("y.log"), 9, PLENTY).await.expect("no error"), "");
    fs::write(log.path(), numbered(3..5)).expect("written");
    assert_eq!(tail(log.path(), 9, PLENTY).await.expect("no error"), numbered(0..5));
    fs::rename(log.path(), log.rotated(1)).expect("renamed");
    assert_eq!(tail(log.path(), 9, PLENTY).await.expect("no error"), numbered(0..5));
}

#[tokio::test]
async fn a_line_without_its_end_is_given_and_runs_into_no_other() {
    let log = LogFolder::new();
    fs::write(log.rotated(1), "whole\nhalf of").expect("written");
    fs::write(log.path(), "new\nand half").expect("written");
    assert_eq!(tail(log.path(), 9, PLENTY).await.expect("no error"), "whole\nhalf of\nnew\nand half");
    assert_eq!(tail(log.path(), 2, PLENTY).await.expect("no error"), "new\nand half");
    assert_eq!(tail(log.path(), 3, PLENTY).await.expect("no error"), "half of\nnew\nand half");
}

#[tokio::test]
async fn no_more_bytes_come_than_asked_for() {
    let log = LogFolder::new();
    let line = "x".repeat(999) + "\n";
    fs::write(log.path(), line.repeat(3000)).expect("written");
    assert_eq!(tail(log.path(), 3000, 100_500).await.expect("no error"), line.repeat(100));
    fs::write(log.path(), "x".repeat(5_000_000)).expect("written");
    assert_eq!(tail(log.path(), 1, 1000).await.expect("no error"), "x".repeat(1000));
}

#[tokio::test]
async fn bytes_that_are_no_text_are_replaced() {
    let log = LogFolder::new();
    fs::write(log.path(), b"caf\xe9\n").expect("written");
    assert_eq!(tail(log.path(), 1, PLENTY).await.expect("no error"), "caf\u{fffd}\n");
}

/// Lines of all lengths in files of all lengths, so that breaks stand everywhere around the blocks that are read.
#[tokio::test]
async fn every_number_of_lines_is_what_a_plain_reading_gives() {
    let log = LogFolder::new();
    let mut all: Vec<String> = Vec::new();
    for number in 0..400_usize {
        all.push("y".repeat((number * 7919) % 1500) + "\n");
    }
    for (file, lines) in [(log.rotated(2), &all[..150]), (log.rotated(1), &all[150..160]), (log.path(), &all[160..])] {
        fs::write(file, lines.concat()).expect("written");
    }
    for lines in (0..=410).step_by(3) {
        let expected = all[all.len().saturating_sub(lines)..].concat();
        assert!(tail(log.path(), lines, PLENTY).await.expect("no error") == expected, "{lines} lines");
        assert!(pieces(log.path(), lines).await == expected, "{lines} lines in pieces");
    }
}

/// All that is given in pieces.
async fn pieces(path: PathBuf, lines: usize) -> String {
    let stream = read(path, lines).await.expect("no error");
    stream.map(|piece| piece.expect("no error")).collect::<Vec<_>>().await.concat()
}

#[tokio::test]
async fn pieces_split_no_character_and_run_no_line_into_another() {
    let log = LogFolder::new();
    assert_eq!(pieces(log.path(), 10).await, "");
    // Three bytes a character, so that they stand across the blocks that are read.
    fs::write(log.rotated(1), "…".repeat(70_000)).expect("written");
    fs::write(log.path(), [&b"caf\xe9\n"[..], "…".repeat(50_000).as_bytes(), b"\xe2\x80"].concat()).expect("written");
    let whole = format!("{}\ncaf\u{fffd}\n{}\u{fffd}", "…".repeat(70_000), "…".repeat(50_000));
    assert!(pieces(log.path(), 10).await == whole);
    for (lines, before) in [(0, 3), (1, 2), (2, 1), (3, 0)] {
        let expected: String = whole.split_inclusive('\n').skip(before).collect();
        assert!(pieces(log.path(), lines).await == expected, "{lines} lines");
    }
}
