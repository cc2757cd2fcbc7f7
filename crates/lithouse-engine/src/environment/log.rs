// SPDX-License-Identifier: Apache-2.0
//! The log of a build: bounded, timestamped lines in a file. Whoever follows a build reads that file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use time::OffsetDateTime;
use time::macros::format_description;

use crate::log::readable;

/// The longest line that is written, its timestamp included.
const LINE_LIMIT: usize = 64 * 1024;
/// The largest file that is written, before the note that says that the rest is dropped.
const FILE_LIMIT: u64 = 10_000_000;

/// Appends lines to a build's log file. Cheap to clone; clones write to the same file.
///
/// Writing never fails a build: a log that cannot be written is given up silently, since the build's own error tells more.
#[derive(Debug, Clone)]
pub struct BuildLog {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    written: u64,
    is_full: bool,
}

impl BuildLog {
    /// Starts a new log, in place of one that is there.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).write(true).truncate(true).open(path)?;
        Ok(Self::over(file, 0))
    }

    /// Goes on with the log that is there, or starts one.
    pub fn append(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let written = file.metadata()?.len();
        Ok(Self::over(file, written))
    }

    fn over(file: File, written: u64) -> Self {
        Self { inner: Arc::new(Mutex::new(Inner { file, written, is_full: written >= FILE_LIMIT })) }
    }

    /// Writes a text, each of its lines as one of the log. Passwords in addresses are masked.
    pub fn write(&self, text: &str) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        // A `\r` within a line would end it for whoever reads the log.
        for line in text.lines().flat_map(|line| line.split('\r')) {
            inner.line(line);
        }
    }
}

impl Inner {
    fn line(&mut self, text: &str) {
        if self.is_full {
            return;
        }
        let mut line = format_line(text);
        if self.written + line.len() as u64 > FILE_LIMIT {
            self.is_full = true;
            line = format_line("the log has reached its limit of 10 MB; the rest is dropped");
        }
        // One write a line, so that a follower never reads half of one.
        if self.file.write_all(line.as_bytes()).is_ok() {
            self.written += line.len() as u64;
        }
    }
}

fn format_line(text: &str) -> String {
    let stamp = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let now = OffsetDateTime::now_utc().format(stamp).unwrap_or_default();
    let text = mask_credentials(text.trim_end());
    let mut line = format!("{now} build | {}", readable(&text));
    if line.len() >= LINE_LIMIT {
        let note = " … (cut)";
        line.truncate(line.floor_char_boundary(LINE_LIMIT - note.len() - 1));
        line.push_str(note);
    }
    line.push('\n');
    line
}

/// Replaces what stands between `://` and `@` of an address by `***`.
pub(super) fn mask_credentials(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        masked.push_str(before);
        masked.push_str("://");
        let authority = after.split(|character: char| character == '/' || character.is_whitespace()).next().unwrap_or_default();
        rest = match authority.rfind('@') {
            Some(at) => {
                masked.push_str("***");
                &after[at..]
            }
            None => after,
        };
    }
    masked + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.build.log");
        (folder, path)
    }

    #[test]
    fn each_line_has_a_timestamp_and_its_stream() {
        let (_folder, path) = log();
        BuildLog::create(&path).expect("a log").write("one\ntwo\n");
        let text = std::fs::read_to_string(path).expect("the log");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        let (stamp, rest) = lines[0].split_once(' ').expect("a stamp");
        assert_eq!(rest, "build | one");
        assert_eq!(stamp.len(), "2026-11-20T07:43:19.123Z".len());
        assert!(stamp.ends_with('Z'));
    }

    #[test]
    fn what_a_build_writes_keeps_its_colours_and_steers_nothing_else() {
        let (_folder, path) = log();
        BuildLog::create(&path).expect("a log").write("\x1b[31mred\x1b[0m\x1b[2J\x1b]0;t\x07");
        let text = std::fs::read_to_string(path).expect("the log");
        assert!(text.ends_with("build | \x1b[31mred\x1b[0m\u{fffd}[2J\u{fffd}]0;t\u{fffd}\n"), "{text:?}");
    }

    #[test]
    fn a_line_is_cut_at_its_limit_between_characters() {
        let (_folder, path) = log();
        BuildLog::create(&path).expect("a log").write(&"é".repeat(LINE_LIMIT));
        let text = std::fs::read_to_string(path).expect("the log");
        assert!(text.len() <= LINE_LIMIT, "{}", text.len());
        assert!(text.ends_with("… (cut)\n"));
    }

    #[test]
    fn a_full_log_says_so_once_and_stays_bounded_when_it_is_continued() {
        let (_folder, path) = log();
        let log = BuildLog::create(&path).expect("a log");
        let line = "x".repeat(60_000);
        for _ in 0..200 {
            log.write(&line);
        }
        BuildLog::append(&path).expect("the log").write("more");
        let text = std::fs::read_to_string(path).expect("the log");
        assert!(text.len() < 10_000_200, "{}", text.len());
        assert_eq!(text.matches("the rest is dropped").count(), 1);
    }

    #[test]
    fn passwords_in_addresses_never_reach_the_log() {
        assert_eq!(
            mask_credentials("get https://me:pa@ss@host/a and git+ssh://git@host/b"),
            "get https://***@host/a and git+ssh://***@host/b"
        );
        assert_eq!(mask_credentials("https://host/a@b"), "https://host/a@b");
    }
}
