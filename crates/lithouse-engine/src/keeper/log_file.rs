// SPDX-License-Identifier: Apache-2.0
//! A log on disk: appended to in whole lines, put aside by size, and never a reason to stop.
//!
//! Two instances of one app may write to the same log, each through a `LogFile` of its own. That is sound because both live in the
//! keeper's one thread and look, before each write, whether the path still leads to the file they hold.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::launch::LogLimits;
use super::lines::remark;

/// One log, open or about to be opened again.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LogFile {
    path: PathBuf,
    limits: LogLimits,
    #[serde(skip)]
    open: Option<Open>,
    lost: Option<Lost>,
}

#[derive(Debug)]
struct Open {
    file: File,
    identity: (u64, u64),
    size: u64,
}

/// Lines that could not be written, and what the system said.
#[derive(Debug, Serialize, Deserialize)]
struct Lost {
    lines: usize,
    why: String,
}

impl LogFile {
    pub(super) fn new(path: PathBuf, limits: LogLimits) -> Self {
        Self { path, limits, open: None, lost: None }
    }

    /// Appends whole lines. What cannot be written is counted, and told in the log once it can be written again.
    pub(super) fn append(&mut self, lines: &str) {
        if lines.is_empty() {
            return;
        }
        if let Some(lost) = &self.lost {
            let told = remark(&format!("{} lines could not be written: {}", lost.lines, lost.why));
            match self.write(&told) {
                Ok(()) => self.lost = None,
                Err(failure) => return self.lose(lines.lines().count(), &failure.why),
            }
        }
        if let Err(failure) = self.write(lines) {
            self.lose(failure.unwritten_lines, &failure.why);
        }
    }

    fn lose(&mut self, lines: usize, why: &io::Error) {
        let before = self.lost.take().map_or(0, |lost| lost.lines);
        self.lost = Some(Lost { lines: before + lines, why: reason(why) });
    }

    fn write(&mut self, lines: &str) -> Result<(), WriteFailure> {
        let (mut rest, most) = (lines, self.limits.bytes);
        while !rest.is_empty() {
            let failed = |why| WriteFailure { why, unwritten_lines: rest.lines().count() };
            let open = self.current().map_err(failed)?;
            let fitting = fitting_lines(rest, most.saturating_sub(open.size), open.size == 0);
            if fitting == 0 {
                self.put_aside().map_err(failed)?;
                continue;
            }
            if let Err(why) = open.file.write_all(&rest.as_bytes()[..fitting]) {
                // Half a line may have been written: cut it off, so that the next one begins at the margin.
                let _ = open.file.set_len(open.size);
                return Err(failed(why));
            }
            open.size += fitting as u64;
            rest = &rest[fitting..];
        }
        Ok(())
    }

    /// The file that the path leads to at this moment, opened or made anew if it is not the one we hold.
    fn current(&mut self) -> io::Result<&mut Open> {
        let there = fs::metadata(&self.path).ok().map(|metadata| (identity(&metadata), metadata.len()));
        self.open = match (self.open.take(), there) {
            (Some(open), Some((identity, size))) if open.identity == identity => Some(Open { size, ..open }),
            _ => None,
        };
        match &mut self.open {
            Some(open) => Ok(open),
            empty => Ok(empty.insert(open(&self.path)?)),
        }
    }

    /// Moves each file one number up; the last one goes.
    fn put_aside(&mut self) -> io::Result<()> {
        self.open = None;
        let numbered = |number: u32| {
            let mut path = self.path.clone().into_os_string();
            if number > 0 {
                path.push(format!(".{number}"));
            }
            PathBuf::from(path)
        };
        let kept_aside = self.limits.files.saturating_sub(1);
        if kept_aside == 0 {
            return absent_is_fine(fs::remove_file(&self.path));
        }
        for number in (0..kept_aside).rev() {
            absent_is_fine(fs::rename(numbered(number), numbered(number + 1)))?;
        }
        Ok(())
    }
}

struct WriteFailure {
    why: io::Error,
    unwritten_lines: usize,
}

/// How many bytes of these lines fit: whole lines only, and at least one into an empty file.
fn fitting_lines(lines: &str, room: u64, file_is_empty: bool) -> usize {
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    if lines.len() <= room {
        return lines.len();
    }
    let first_line = || lines.find('\n').map_or(lines.len(), |end| end + 1);
    match lines.as_bytes()[..room].iter().rposition(|byte| *byte == b'\n') {
        Some(end) => end + 1,
        None if file_is_empty => first_line(),
        None => 0,
    }
}

fn open(path: &Path) -> io::Result<Open> {
    let open = || File::options().append(true).create(true).mode(0o640).open(path);
    let file = match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // The folder only: a home that was removed is not to rise again by a line of a log.
            path.parent().map_or(Ok(()), fs::create_dir)?;
            open()?
        }
        other => other?,
    };
    let metadata = file.metadata()?;
    Ok(Open { file, identity: identity(&metadata), size: metadata.len() })
}

fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What the system said, without the number that Rust puts behind it.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn everything(folder: &Path, files: u32) -> String {
        let mut all = String::new();
        for number in (0..files).rev() {
            let name = if number == 0 { "app.log".to_owned() } else { format!("app.log.{number}") };
            all += &fs::read_to_string(folder.join(name)).unwrap_or_default();
        }
        all
    }

    fn log_in(folder: &Path, bytes: u64, files: u32) -> LogFile {
        LogFile::new(folder.join("app.log"), LogLimits { bytes, files })
    }

    #[test]
    fn no_line_is_lost_or_torn_at_the_boundaries_of_files() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = log_in(folder.path(), 100, 50);
        let mut written = String::new();
        for number in 0..200 {
            let mut lines = String::new();
            for copy in 0..number % 4 {
                writeln!(lines, "{number} {copy} {}", "x".repeat(number % 17)).unwrap();
            }
            log.append(&lines);
            written += &lines;
        }
        assert_eq!(everything(folder.path(), 50), written);
        for entry in fs::read_dir(folder.path()).unwrap() {
            assert!(entry.unwrap().metadata().unwrap().len() <= 100);
        }
    }

    #[test]
    fn only_so_many_files_are_kept() {
        for files in [0, 1, 3] {
            let folder = tempfile::tempdir().unwrap();
            let mut log = log_in(folder.path(), 10, files);
            for number in 0..9 {
                log.append(&format!("line {number}\n"));
            }
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), files.max(1) as usize);
            assert!(everything(folder.path(), files.max(1)).ends_with("line 8\n"));
        }
    }

    #[test]
    fn a_line_longer_than_a_file_still_has_a_place() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = log_in(folder.path(), 10, 3);
        log.append("short\nmuch longer than ten bytes\nshort\n");
        assert_eq!(everything(folder.path(), 3), "short\nmuch longer than ten bytes\nshort\n");
    }

    #[test]
    fn a_log_whose_file_or_folder_was_removed_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        let mut log = log_in(&logs, 1000, 3);
        log.append("one\n");
        fs::remove_file(logs.join("app.log")).unwrap();
        log.append("two\n");
        fs::remove_dir_all(&logs).unwrap();
        log.append("three\n");
        assert_eq!(everything(&logs, 1), "three\n");
    }

    #[test]
    fn two_writers_of_one_log_put_it_aside_together() {
        let folder = tempfile::tempdir().unwrap();
        let (mut old, mut new) = (log_in(folder.path(), 40, 30), log_in(folder.path(), 40, 30));
        let mut written = String::new();
        for number in 0..60 {
            let line = format!("line {number}\n");
            if number % 3 == 0 {
                old.append(&line);
            } else {
                new.append(&line);
            }
            written += &line;
        }
        assert_eq!(everything(folder.path(), 30), written);
    }

    #[test]
    fn lines_that_could_not_be_written_are_counted_and_told() {
        let folder = tempfile::tempdir().unwrap();
        // A folder in the log's place cannot be written to, whoever we are.
        let path = folder.path().join("app.log");
        fs::create_dir(&path).unwrap();
        let mut log = log_in(folder.path(), 1000, 3);
        log.append("one\ntwo\n");
        log.append("three\n");
        fs::remove_dir(&path).unwrap();
        log.append("four\n");
        let text = everything(folder.path(), 1);
        assert!(text.contains(" sys | 3 lines could not be written: Is a directory\n"), "{text}");
        assert!(text.ends_with("four\n") && !text.contains("three"), "{text}");
    }
}
