// SPDX-License-Identifier: Apache-2.0
//! The server's own log: `logs/controller.log`, and warnings to the terminal too, where there is one.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use anyhow::Context;
use lithouse_engine::home::Home;
use lithouse_engine::log::RotatingFile;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::serve::background;

/// The target of what whoever is at the terminal is told in plain words besides.
pub(crate) const SAID: &str = "lithouse::said";

/// Starts logging at a level such as `info`, or with a filter such as `info,lithouse_proxy=debug`, into so many files of so
/// many bytes.
pub(crate) fn start(home: &Home, level: &str, bytes: u64, files: usize) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(level).with_context(|| format!("`{level}` is not a log level"))?;
    let path = home.logs().join("controller.log");
    let file = RotatingFile::open(&path, bytes, files).with_context(|| format!("could not open `{}`", path.display()))?;
    let _ = LOG.set(Mutex::new(file));
    let to_file = fmt::layer().with_ansi(false).with_writer(|| Log).with_filter(filter);
    let to_terminal = fmt::layer()
        .with_ansi(takes_colour(io::stderr().is_terminal(), std::env::var_os("NO_COLOR").as_deref()))
        .with_target(false)
        .with_writer(|| Terminal)
        .with_filter(filter_fn(|metadata| *metadata.level() <= LevelFilter::WARN && metadata.target() != SAID));
    tracing_subscriber::registry().with(to_file).with(to_terminal).init();
    Ok(())
}

/// Colour is for a person who did not refuse it; in a file or a journal it would be noise.
fn takes_colour(is_terminal: bool, no_color: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
}

static LOG: OnceLock<Mutex<RotatingFile>> = OnceLock::new();

fn log() -> Option<MutexGuard<'static, RotatingFile>> {
    LOG.get().map(|log| log.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Makes the log our standard error: what a panic, a library or the runtime says there is found in it.
pub(crate) fn take_standard_error() {
    if let Some(log) = log() {
        // Where it fails, standard error stays what it was.
        let _ = rustix::stdio::dup2_stderr(log.as_fd());
    }
}

/// Writes into the log.
struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(mut log) = log() else { return Ok(bytes.len()) };
        let before = log.as_fd().as_raw_fd();
        let written = log.write(bytes);
        if background::is_on_its_own() && log.as_fd().as_raw_fd() != before {
            // It was rotated: the new file is opened before the old one is closed, so that their numbers differ.
            let _ = rustix::stdio::dup2_stderr(log.as_fd());
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        log().map_or(Ok(()), |mut log| log.flush())
    }
}

/// Tells whoever watches, as long as that is not the log itself.
struct Terminal;

impl Write for Terminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if background::is_on_its_own() { Ok(bytes.len()) } else { io::stderr().write(bytes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_whose_person_did_not_refuse_it_gets_colour() {
        assert!(takes_colour(true, None));
        assert!(takes_colour(true, Some(OsStr::new(""))));
        assert!(!takes_colour(true, Some(OsStr::new("1"))));
        assert!(!takes_colour(false, None));
    }
}
