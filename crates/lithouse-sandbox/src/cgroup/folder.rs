// SPDX-License-Identifier: Apache-2.0
//! One group as the folder that it is: its files, its processes, its end.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

/// A process that was killed is gone when the kernel has cleaned up after it, which takes as long as it has memory.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(1);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Makes it; one that is there already will do.
    pub(super) fn make(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        match fs::create_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(Self(path)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn has(&self, file: &str) -> bool {
        self.0.join(file).exists()
    }

    pub(super) fn write(&self, file: &str, text: &str) -> io::Result<()> {
        use std::io::Write;
        // One call with all of it: that is how the kernel takes a setting.
        fs::OpenOptions::new().write(true).open(self.0.join(file))?.write_all(text.as_bytes())
    }

    pub(super) fn read(&self, file: &str) -> io::Result<String> {
        fs::read_to_string(self.0.join(file))
    }

    pub(super) fn number(&self, file: &str) -> Option<u64> {
        self.read(file).ok()?.trim().parse().ok()
    }

    /// The number after a word, in a file with one of each on a line.
    pub(super) fn value_of(&self, file: &str, word: &str) -> Option<u64> {
        let text = self.read(file).ok()?;
        text.lines().find_map(|line| line.strip_prefix(word)?.trim().parse().ok())
    }

    /// Whether a file of words has all of these.
    pub(super) fn lists(&self, file: &str, words: &[&str]) -> bool {
        self.read(file).is_ok_and(|text| words.iter().all(|word| text.split_whitespace().any(|listed| listed == *word)))
    }

    pub(super) fn add(&self, pid: i32) -> io::Result<()> {
        self.write("cgroup.procs", &pid.to_string())
    }

    /// Those that have a number here; the kernel writes 0 for others.
    pub(super) fn processes(&self) -> Vec<i32> {
        self.read("cgroup.procs").unwrap_or_default().lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// Ends every process in it, and waits until none is left.
    pub(super) fn kill(&self) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !self.processes().is_empty() {
            if self.write("cgroup.kill", "1").is_err() {
                self.kill_one_by_one();
            }
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn kill_one_by_one(&self) {
        for pid in self.processes().into_iter().filter_map(Pid::from_raw) {
            // One that is gone meanwhile is what we want.
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
    }

    /// Removes it with all groups in it, if nothing lives there. One that is not there is removed already.
    pub(super) fn dismantle(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                Self(entry.path()).dismantle()?;
            }
        }
        match fs::remove_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    /// Removes it with all groups in it, and ends whatever lives there. One that is not there is removed already.
    pub(super) fn remove(&self) -> io::Result<()> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                Self(entry.path()).remove()?;
            }
        }
        self.kill()?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match fs::remove_dir(&self.0) {
                // The last process has left the list before it has left the group.
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < deadline => thread::sleep(PAUSE),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                done => return done,
            }
        }
    }
}
