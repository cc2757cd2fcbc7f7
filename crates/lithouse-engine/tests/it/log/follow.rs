// SPDX-License-Identifier: Apache-2.0
//! Following a log.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::{FutureExt, Stream, StreamExt};
use lithouse_engine::log::{Batch, Begin, Bookmark, RotatingFile, follow};
use tokio::sync::watch;

use super::{LogFolder, append, numbered};

const DEADLINE: Duration = Duration::from_mins(1);

/// A follower and all it has given so far.
struct Reader {
    stream: Pin<Box<dyn Stream<Item = io::Result<Batch>> + Send>>,
    seen: String,
    /// Behind what was seen, as text.
    bookmark: String,
}

impl Reader {
    fn of(path: PathBuf, tail: usize) -> Self {
        Self { stream: Box::pin(follow(path, Begin::Last(tail))), seen: String::new(), bookmark: String::new() }
    }

    /// The one that comes after this one.
    fn next(self, path: PathBuf) -> Self {
        let bookmark: Bookmark = self.bookmark.parse().expect("a bookmark");
        Self { stream: Box::pin(follow(path, Begin::After(bookmark))), ..self }
    }

    async fn more(&mut self) {
        let seen = self.seen.len();
        while self.seen.len() == seen {
            self.batch().await;
        }
    }

    /// The next batch, which has no lines if it is the first.
    async fn batch(&mut self) {
        let batch = tokio::time::timeout(DEADLINE, self.stream.next()).await;
        let batch = batch.unwrap_or_else(|_| panic!("nothing more came after {:?}", last(&self.seen)));
        let batch = batch.expect("the stream goes on").expect("no error");
        self.seen.push_str(&batch.lines);
        self.bookmark = batch.bookmark.to_string();
    }

    /// Reads until all that was expected has come, and nothing else.
    async fn expect(&mut self, expected: &str) {
        while self.seen.len() < expected.len() {
            self.more().await;
        }
        assert!(self.seen == expected, "it ends with {:?} and not with {:?}", last(&self.seen), last(expected));
    }

    /// Makes sure that the follower has begun, which it does when it is first asked.
    fn begin(&mut self) {
        assert!(self.stream.next().now_or_never().is_none(), "there was something already");
    }
}

fn last(text: &str) -> &str {
    &text[text.len().saturating_sub(100)..]
}

#[tokio::test]
async fn the_tail_comes_first_and_then_what_is_added() {
    let log = LogFolder::new();
    fs::write(log.rotated(1), numbered(0..5)).expect("written");
    fs::write(log.path(), numbered(5..7)).expect("written");
    let mut reader = Reader::of(log.path(), 4);
    reader.expect(&numbered(3..7)).await;
    log.append("line 7\n");
    reader.expect(&numbered(3..8)).await;
    log.append("line 8\nline 9\n");
    reader.expect(&numbered(3..10)).await;
}

#[tokio::test]
async fn without_a_tail_only_new_lines_come() {
    let log = LogFolder::new();
    log.append(&numbered(0..5));
    // Half a line is there already: the follower gives the line that becomes whole, and none before it.
    log.append("line");
    let mut late = Reader::of(log.path(), 0);
    // That nothing comes cannot be waited for; a moment is given to what must not happen.
    tokio::time::timeout(Duration::from_millis(100), late.more()).await.expect_err("no whole line is there");
    log.append(" 5\n");
    late.expect(&numbered(5..6)).await;
}

#[tokio::test]
async fn half_a_line_is_held_back_until_it_is_whole() {
    let log = LogFolder::new();
    log.append("one\nha");
    let mut reader = Reader::of(log.path(), 9);
    reader.expect("one\n").await;
    log.append("lf and ");
    log.append("half\nthr");
    reader.expect("one\nhalf and half\n").await;
    log.append("ee\n");
    reader.expect("one\nhalf and half\nthree\n").await;
}

#[tokio::test]
async fn a_log_may_come_into_being_later_with_its_folder() {
    let log = LogFolder::new();
    let path = log.folder.path().join("logs/x.log");
    let mut reader = Reader::of(path.clone(), 9);
    reader.begin();
    fs::create_dir(log.folder.path().join("logs")).expect("a folder");
    append(&path, "first\n");
    reader.expect("first\n").await;
    append(&path, "second\n");
    reader.expect("first\nsecond\n").await;
}

#[tokio::test]
async fn a_rotation_loses_nothing_and_repeats_nothing() {
    let log = LogFolder::new();
    log.append(&numbered(0..3));
    let mut reader = Reader::of(log.path(), 9);
    reader.expect(&numbered(0..3)).await;
    // Two rotations before the follower looks again, and lines in the file that it has open.
    log.append(&numbered(3..5));
    log.rotate();
    log.append(&numbered(5..7));
    log.rotate();
    log.append(&numbered(7..9));
    reader.expect(&numbered(0..9)).await;
    log.rotate();
    log.append("line 9\n");
    reader.expect(&numbered(0..10)).await;
}

#[tokio::test]
async fn a_line_that_its_writer_left_unfinished_before_a_rotation_is_given_by_itself() {
    let log = LogFolder::new();
    log.append("one\nhalf");
    let mut reader = Reader::of(log.path(), 9);
    reader.expect("one\n").await;
    log.rotate();
    log.append("two\n");
    reader.expect("one\nhalf\ntwo\n").await;
}

#[tokio::test]
async fn a_log_that_is_removed_and_made_anew_is_followed_on_without_its_old_files() {
    let log = LogFolder::new();
    fs::write(log.rotated(2), "older\n").expect("written");
    fs::write(log.rotated(1), "old\n").expect("written");
    log.append("one\n");
    let mut reader = Reader::of(log.path(), 1);
    reader.expect("one\n").await;
    fs::remove_file(log.path()).expect("removed");
    log.append("two\n");
    reader.expect("one\ntwo\n").await;
    // Also when an inode that was known is free again: the oldest file goes, and a new one comes.
    fs::remove_file(log.rotated(2)).expect("removed");
    log.rotate();
    log.append("three\n");
    reader.expect("one\ntwo\nthree\n").await;
}

#[tokio::test]
async fn a_log_that_is_truncated_is_followed_from_its_beginning() {
    let log = LogFolder::new();
    log.append("one\ntwo\nhalf");
    let mut reader = Reader::of(log.path(), 9);
    reader.expect("one\ntwo\n").await;
    OpenOptions::new().write(true).open(log.path()).expect("opened").set_len(0).expect("truncated");
    log.append("three\n");
    reader.expect("one\ntwo\nthree\n").await;
}

#[tokio::test]
async fn a_line_without_end_comes_in_pieces() {
    let log = LogFolder::new();
    let long = "x".repeat(5_000_000) + "\n";
    log.append("one\n");
    let mut reader = Reader::of(log.path(), 9);
    reader.expect("one\n").await;
    log.append(&long);
    reader.expect(&("one\n".to_owned() + &long)).await;
}

/// With a look every second, forty lines one after the other would take forty seconds.
#[tokio::test]
async fn new_lines_are_told_by_the_kernel_and_not_by_the_tick() {
    let log = LogFolder::new();
    let mut reader = Reader::of(log.path(), 9);
    let began = Instant::now();
    for number in 0..40 {
        log.append(&numbered(number..=number));
        if number % 10 == 9 {
            log.rotate();
        }
        reader.expect(&numbered(0..=number)).await;
    }
    assert!(began.elapsed() < Duration::from_secs(30), "it took {:?}", began.elapsed());
}

/// Nobody waits for the follower here; there is a file for each five lines, for it to come after.
#[tokio::test(flavor = "multi_thread")]
async fn a_fast_writer_that_rotates_every_few_lines_loses_nothing() {
    const LINES: usize = 2500;
    let log = LogFolder::new();
    let path = log.path();
    let mut reader = Reader::of(log.path(), LINES);
    let writer = thread::spawn(move || {
        let mut file = RotatingFile::open(&path, 50, LINES / 5).expect("opened");
        for number in 0..LINES {
            file.write_all(numbered([number]).as_bytes()).expect("written");
        }
    });
    reader.expect(&numbered(0..LINES)).await;
    writer.join().expect("the writer is done");
}

/// Few files, as in real life: the writer goes on when its lines have been seen.
#[tokio::test(flavor = "multi_thread")]
async fn bursts_that_rotate_several_times_lose_nothing_with_few_files() {
    const BURSTS: usize = 300;
    const LINES: usize = 12;
    let log = LogFolder::new();
    let path = log.path();
    let (told, mut seen) = watch::channel(0);
    let writer = tokio::spawn(async move {
        let mut file = RotatingFile::open(&path, 50, 5).expect("opened");
        for burst in 0..BURSTS {
            for number in burst * LINES..(burst + 1) * LINES {
                file.write_all(numbered([number]).as_bytes()).expect("written");
            }
            seen.wait_for(|seen| *seen > burst).await.expect("the reader is there");
        }
    });
    let mut reader = Reader::of(log.path(), LINES);
    for burst in 0..BURSTS {
        reader.expect(&numbered(0..(burst + 1) * LINES)).await;
        told.send(burst + 1).expect("the writer is there");
    }
    writer.await.expect("the writer is done");
}

#[tokio::test]
async fn a_follower_that_is_dropped_holds_nothing_open() {
    let log = LogFolder::new();
    log.append("one\n");
    log.rotate();
    log.append("two\n");
    let mut reader = Reader::of(log.path(), 9);
    reader.expect("one\ntwo\n").await;
    assert!(open_files_beneath(log.folder.path()) > 0);
    // Once while it waits, too.
    reader.begin();
    drop(reader);
    let deadline = Instant::now() + DEADLINE;
    while open_files_beneath(log.folder.path()) > 0 {
        assert!(Instant::now() < deadline, "files are still open");
        tokio::task::yield_now().await;
    }
}

fn open_files_beneath(folder: &Path) -> usize {
    let descriptors = fs::read_dir("/proc/self/fd").expect("descriptors");
    descriptors
        .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().read_link().is_ok_and(|target| target.starts_with(folder))))
        .count()
}

#[tokio::test]
async fn whoever_comes_back_with_a_bookmark_gets_every_line_once() {
    let log = LogFolder::new();
    let mut reader = Reader::of(log.path(), 0);
    // Of a log that is not there yet there is a bookmark too.
    reader.batch().await;
    log.append(&numbered(0..3));
    let mut reader = reader.next(log.path());
    reader.expect(&numbered(0..3)).await;
    // Half a line belongs to the next one who comes.
    log.append("line 3\nli");
    reader.expect(&numbered(0..4)).await;
    log.append("ne 4\nline 5\n");
    let mut reader = reader.next(log.path());
    reader.expect(&numbered(0..6)).await;
    // Rotated twice meanwhile, and then once more while it is followed.
    fs::rename(log.path(), log.rotated(2)).expect("renamed");
    fs::write(log.rotated(1), numbered(6..8)).expect("written");
    fs::write(log.path(), numbered(8..9)).expect("written");
    let mut reader = reader.next(log.path());
    reader.expect(&numbered(0..9)).await;
    log.append("line 9\n");
    let mut reader = reader.next(log.path());
    reader.expect(&numbered(0..10)).await;
}

#[tokio::test]
async fn a_bookmark_whose_place_is_gone_stands_before_all_that_is_left() {
    let log = LogFolder::new();
    log.append(&numbered(0..3));
    let mut reader = Reader::of(log.path(), 9);
    reader.expect(&numbered(0..3)).await;
    fs::remove_file(log.path()).expect("removed");
    fs::write(log.rotated(1), numbered(3..5)).expect("written");
    fs::write(log.path(), numbered(5..6)).expect("written");
    let mut reader = reader.next(log.path());
    reader.expect(&numbered(0..6)).await;
    // The same file with as much in it, and yet another text.
    fs::write(log.path(), numbered(6..7)).expect("written");
    fs::remove_file(log.rotated(1)).expect("removed");
    let mut reader = reader.next(log.path());
    reader.expect(&numbered(0..7)).await;
}
