// SPDX-License-Identifier: Apache-2.0
//! Writing a log.

use std::fs;
use std::io::Write;

use lithouse_engine::log::{RotatingFile, tail};

use super::{LogFolder, numbered};

fn names(log: &LogFolder) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(log.folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_full_log_is_rotated_and_the_oldest_goes() {
    let log = LogFolder::new();
    let mut file = RotatingFile::open(&log.path(), 70, 3).expect("opened");
    for number in 10..50 {
        file.write_all(numbered([number]).as_bytes()).expect("written");
    }
    assert_eq!(names(&log), ["x.log", "x.log.1", "x.log.2"]);
    for name in names(&log) {
        assert!(fs::metadata(log.folder.path().join(name)).expect("metadata").len() <= 70);
    }
    // Eight lines of eight bytes fit.
    assert_eq!(tail(log.path(), 99, 9999).await.expect("no error"), numbered(26..50));
}

#[test]
fn a_log_of_one_file_begins_anew() {
    let log = LogFolder::new();
    let mut file = RotatingFile::open(&log.path(), 20, 1).expect("opened");
    file.write_all(b"one one one\ntwo two two\n").expect("written");
    file.write_all(b"three\n").expect("written");
    assert_eq!(names(&log), ["x.log"]);
    assert_eq!(fs::read_to_string(log.path()).expect("read"), "three\n");
}

#[test]
fn a_line_that_is_written_in_pieces_stays_in_one_file() {
    let log = LogFolder::new();
    let mut file = RotatingFile::open(&log.path(), 10, 9).expect("opened");
    for piece in ["12345\n", "67", "890123", "456\n", "next\n"] {
        file.write_all(piece.as_bytes()).expect("written");
    }
    assert_eq!(fs::read_to_string(log.path()).expect("read"), "next\n");
    assert_eq!(fs::read_to_string(log.rotated(1)).expect("read"), "12345\n67890123456\n");
}

#[test]
fn a_log_is_gone_on_with_after_a_crash_within_a_line() {
    let log = LogFolder::new();
    fs::write(log.path(), "half").expect("written");
    let mut file = RotatingFile::open(&log.path(), 100, 3).expect("opened");
    file.write_all(b"whole\n").expect("written");
    assert_eq!(fs::read_to_string(log.path()).expect("read"), "half\nwhole\n");
}

#[test]
fn files_beyond_the_number_go_when_the_log_is_opened() {
    let log = LogFolder::new();
    for number in 1..6 {
        fs::write(log.rotated(number), "").expect("written");
    }
    RotatingFile::open(&log.path(), 100, 3).expect("opened");
    assert_eq!(names(&log), ["x.log", "x.log.1", "x.log.2"]);
}

#[test]
fn a_log_that_cannot_be_rotated_is_written_on() {
    let log = LogFolder::new();
    let mut file = RotatingFile::open(&log.path(), 10, 3).expect("opened");
    // A folder stands where the next file has to be made.
    fs::create_dir(log.folder.path().join("x.log.next")).expect("a folder");
    file.write_all(b"first line\n").expect("written");
    file.write_all(b"second line\n").expect("written");
    assert_eq!(fs::read_to_string(log.path()).expect("read"), "first line\nsecond line\n");
    fs::remove_dir(log.folder.path().join("x.log.next")).expect("removed");
    file.write_all(b"third line\n").expect("written");
    assert_eq!(fs::read_to_string(log.path()).expect("read"), "third line\n");
}
