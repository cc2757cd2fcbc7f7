// SPDX-License-Identifier: Apache-2.0
//! How much confinement this machine offers, found out by doing it.

mod advice;
mod attempt;

use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::str::FromStr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a snippet is confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Namespaces, a cgroup, a filter of system calls, and Landlock where the kernel has it.
    Full,
    /// The same without a cgroup: resource limits and a watcher, threads but no further processes.
    Standard,
    /// No namespaces: Landlock, a filter of system calls, resource limits and a watcher.
    Basic,
    /// Resource limits only. Used when the operator says so, never by itself.
    None,
}

/// What the machine offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The best level of which everything works; never [`Level::None`].
    pub best: Option<Level>,
    /// Layer by layer, what was found.
    pub findings: Vec<Finding>,
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Such as `user namespaces`.
    pub layer: String,
    /// Whether it works here.
    pub available: bool,
    /// What was found, or what failed and the command that mends it.
    pub detail: String,
}

/// A word that names no level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no sandbox level: say `full`, `standard`, `basic` or `none`")]
pub struct UnknownLevel(String);

impl Level {
    /// Whether a child has a file system, processes and a network of its own.
    pub fn has_namespaces(self) -> bool {
        match self {
            Self::Full | Self::Standard => true,
            Self::Basic | Self::None => false,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Full => "full",
            Self::Standard => "standard",
            Self::Basic => "basic",
            Self::None => "none",
        })
    }
}

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(word: &str) -> Result<Self, UnknownLevel> {
        let known = [Self::Full, Self::Standard, Self::Basic, Self::None].into_iter().find(|level| level.to_string() == word);
        known.ok_or_else(|| UnknownLevel(word.to_owned()))
    }
}

impl Offer {
    /// Whether exactly this level can be used.
    pub fn has(&self, level: Level) -> bool {
        level == Level::None || self.findings.iter().any(|finding| finding.layer == format!("level {level}") && finding.available)
    }
}

/// Finds out what this machine offers, in a throw-away process of `program`, which must know the hidden verb `sandbox-probe`.
///
/// A few dozen milliseconds; a machine on which it takes longer than [`PATIENCE`] offers nothing.
pub fn probe(program: &Path) -> Offer {
    match answer_of(program) {
        Ok(offer) => offer,
        Err(error) => {
            let detail = format!("could not look by running `{} sandbox-probe`: {error}", program.display());
            Offer { best: None, findings: vec![Finding { layer: "probe".to_owned(), available: false, detail }] }
        }
    }
}

/// The hidden verb: does every step of every level in throw-away processes, and prints the [`Offer`] as JSON.
///
/// To be called in `main` before anything else: the process must have one thread and no work of its own.
pub fn run_probe() -> ExitCode {
    let _ = crate::descriptors::close_inherited();
    let offer = attempt::offer();
    let printed = serde_json::to_vec(&offer).map_err(io::Error::from).and_then(|text| io::stdout().write_all(&text));
    if printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

const PATIENCE: Duration = Duration::from_secs(20);

fn answer_of(program: &Path) -> io::Result<Offer> {
    let mut child = Command::new(program)
        .arg("sandbox-probe")
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let (tell, told) = mpsc::channel();
    // It ends with the output: when all of the probe's processes have.
    let reader = thread::spawn(move || {
        let mut text = Vec::new();
        let read = output.read_to_end(&mut text).map(|_| text);
        // Nobody listens any more when the patience was at its end.
        let _ = tell.send(read);
    });
    let text = told.recv_timeout(PATIENCE);
    let _ = child.kill();
    let _ = child.wait();
    let _ = reader.join();
    let text = text.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    serde_json::from_slice(&text).map_err(io::Error::from)
}
