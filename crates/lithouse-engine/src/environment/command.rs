// SPDX-License-Identifier: Apache-2.0
//! Runs one program of a build under the guard: its words go to the build log, its whole family ends with it.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::error::PrepareError;
use super::explain::begins_complaint;
use super::orphans;
use super::variables::Variables;

/// How much of a program's words is kept to find the reason of a failure in: the end of them, where the reason stands.
const KEPT: usize = 256 * 1024;
/// How much of the beginning of a complaint is kept whatever follows it.
const COMPLAINT: usize = 4096;
/// Longer lines are broken.
const LINE_LIMIT: usize = 60 * 1024;
/// How long the guard may take to end a family, before it is left to itself.
const GRACE: Duration = Duration::from_secs(15);

/// The words that start the guard: our own program and its hidden verb, to which `-- PROGRAM ARGUMENT…` is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardProgram(pub Vec<OsString>);

impl GuardProgram {
    /// The verb of the program that runs now, which also holds after its file was replaced by a newer one.
    pub fn of_this_program() -> Self {
        Self(vec!["/proc/self/exe".into(), "guard".into()])
    }
}

/// What to run.
#[derive(Debug)]
pub(super) struct Step<'a> {
    pub(super) program: &'a Path,
    pub(super) arguments: Vec<OsString>,
    pub(super) folder: &'a Path,
    pub(super) variables: &'a Variables,
    /// Locked while anything of the step lives.
    pub(super) hold: Vec<PathBuf>,
}

/// What every step of one build has in common.
pub(super) struct Runner<'a> {
    pub(super) guard: &'a GuardProgram,
    /// How long all steps together may take, and when that is over.
    pub(super) timeout: Duration,
    pub(super) deadline: Instant,
    pub(super) cancelled: &'a CancellationToken,
    /// Takes each line as it comes.
    pub(super) log: &'a (dyn Fn(&str) + Send + Sync),
}

/// How a step ended that was not cut short.
#[derive(Debug)]
pub(super) struct Outcome {
    /// As shells have it: 128 and the signal for a program that was killed.
    pub(super) code: i32,
    /// The end of what it said.
    pub(super) words: String,
}

impl Runner<'_> {
    /// Runs a step to its end. Whether that is its own, the time-out or a cancellation: nothing of it lives afterwards.
    pub(super) async fn run(&self, step: Step<'_>) -> Result<Outcome, PrepareError> {
        let mut child = self.spawn(&step)?;
        // The guard watches for the end of this pipe.
        let leash = child.stdin.take();
        let mut words = Words { log: self.log, kept: Vec::new(), is_cut: false, line: Vec::new(), complaint: Vec::new() };
        let ended = match child.stderr.take() {
            Some(stderr) => {
                let end = async {
                    let status = child.wait().await;
                    if status.as_ref().is_ok_and(|status| status.signal().is_some()) {
                        end_orphans(step.variables).await;
                    }
                    status
                };
                let both = async { tokio::join!(end, words.drain(stderr)) };
                tokio::select! {
                    (status, ()) = both => Ok(status),
                    () = self.cancelled.cancelled() => Err(PrepareError::Cancelled),
                    () = tokio::time::sleep_until(self.deadline) => Err(PrepareError::TimedOut { after: self.timeout, during: String::new() }),
                }
            }
            None => Ok(child.wait().await),
        };
        drop(leash);
        words.flush();
        match ended {
            Ok(status) => {
                let status = status.map_err(|source| PrepareError::io("waiting for", &step.program, source))?;
                Ok(Outcome { code: code(status), words: words.kept() })
            }
            Err(error) => {
                // The family is being killed; whoever asked goes on when it is gone.
                let _ = tokio::time::timeout(GRACE, child.wait()).await;
                Err(match error {
                    PrepareError::TimedOut { after, .. } => {
                        PrepareError::TimedOut { after, during: last_activity(&words.kept()) }
                    }
                    other => other,
                })
            }
        }
    }

    fn spawn(&self, step: &Step<'_>) -> Result<Child, PrepareError> {
        let mut words = self.guard.0.iter().cloned();
        let guard = words.next().unwrap_or_default();
        let holds = step.hold.iter().flat_map(|folder| [OsString::from("--hold"), folder.into()]);
        let spawned = Command::new(&guard)
            .args(words)
            .args(holds)
            .arg("--")
            .arg(step.program)
            .args(&step.arguments)
            .current_dir(step.folder)
            .env_clear()
            .envs(step.variables)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        spawned.map_err(|source| PrepareError::io("starting", &step.program, source))
    }
}

/// The guard was killed, and cannot end its family any more.
async fn end_orphans(variables: &Variables) {
    let Some(folder) = variables.get("TMPDIR").map(PathBuf::from) else { return };
    // What cannot be ended holds the build up until its time is over.
    let _ = tokio::task::spawn_blocking(move || orphans::end(&folder)).await;
}

fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

/// The last thing that uv said to have begun, for the reason of a time-out.
fn last_activity(words: &str) -> String {
    let last = words.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    last.chars().take(200).collect()
}

struct Words<'a> {
    log: &'a (dyn Fn(&str) + Send + Sync),
    kept: Vec<u8>,
    /// Whether what was said first is no longer kept.
    is_cut: bool,
    line: Vec<u8>,
    /// The beginning of the last complaint: what a build script has said, however long, stands behind it.
    complaint: Vec<u8>,
}

impl Words<'_> {
    async fn drain(&mut self, mut from: impl AsyncRead + Unpin) {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            match from.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(count) => self.take(&buffer[..count]),
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(bytes);
        if self.kept.len() > 2 * KEPT {
            self.kept.drain(..self.kept.len() - KEPT);
            self.is_cut = true;
        }
        for &byte in bytes {
            // A carriage return redraws a progress bar; each state of it is a line to us.
            if byte == b'\n' || byte == b'\r' {
                self.flush();
            } else {
                self.line.push(byte);
                if self.line.len() >= LINE_LIMIT {
                    self.flush();
                }
            }
        }
    }

    fn flush(&mut self) {
        if !self.line.is_empty() {
            let line = String::from_utf8_lossy(&self.line);
            (self.log)(&line);
            if begins_complaint(&line) {
                self.complaint.clear();
            }
            if begins_complaint(&line) || (!self.complaint.is_empty() && self.complaint.len() < COMPLAINT) {
                self.complaint.extend(self.line.iter().take(COMPLAINT));
                self.complaint.push(b'\n');
            }
            self.line.clear();
        }
    }

    fn kept(&self) -> String {
        let kept = String::from_utf8_lossy(&self.kept);
        if !self.is_cut || kept.lines().any(begins_complaint) {
            return kept.into_owned();
        }
        format!("{}{kept}", String::from_utf8_lossy(&self.complaint))
    }
}

/// Turns an end that uv did not choose into the error that it is.
pub(super) fn unless_killed(outcome: Outcome) -> Result<Outcome, PrepareError> {
    if outcome.code > 128 { Err(PrepareError::Killed { signal: outcome.code - 128 }) } else { Ok(outcome) }
}

impl PrepareError {
    pub(super) fn io(doing: &'static str, path: &(impl AsRef<Path> + ?Sized), source: io::Error) -> Self {
        let path = path.as_ref().to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { at: path.display().to_string() },
            _ => Self::Io { doing, path, source: std::sync::Arc::new(source) },
        }
    }
}
