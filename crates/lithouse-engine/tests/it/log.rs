// SPDX-License-Identifier: Apache-2.0
//! Logs: their ends, following them while they are written and rotated, and writing them.

mod follow;
mod tail;
mod write;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder with room for one log in it.
struct LogFolder {
    folder: TempDir,
}

impl LogFolder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("x.log")
    }

    fn rotated(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("x.log.{number}"))
    }

    fn append(&self, text: &str) {
        append(&self.path(), text);
    }

    /// What a writer does whose file is full, for as many files as are there.
    fn rotate(&self) {
        let last = (1..=99).take_while(|number| self.rotated(*number).exists()).count();
        for number in (1..=last).rev() {
            fs::rename(self.rotated(number), self.rotated(number + 1)).expect("renamed");
        }
        fs::rename(self.path(), self.rotated(1)).expect("renamed");
        fs::write(self.path(), "").expect("a new file");
    }
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("the log");
    file.write_all(text.as_bytes()).expect("written");
}

/// Lines that tell their number.
fn numbered(numbers: impl IntoIterator<Item = usize>) -> String {
    numbers.into_iter().map(|number| format!("line {number}\n")).collect::<Vec<_>>().concat()
}
