// SPDX-License-Identifier: Apache-2.0
//! What the server tells of itself: to the person at the terminal, and to its log. In the background there is no such person, and
//! standard error is the log, so that it takes each line once and with its time.

use std::io::Write;

use rustix::io::Errno;
use tracing::Level;

use super::background;
use crate::logging::{self, SAID};

/// Tells the person at the terminal.
pub(super) fn say(text: &str) -> anyhow::Result<()> {
    say_at(Level::INFO, text)
}

fn say_at(level: Level, text: &str) -> anyhow::Result<()> {
    if background::is_on_its_own() {
        tracing::info!(target: SAID, "{text}");
        return Ok(());
    }
    let mut out = std::io::stderr().lock();
    match writeln!(out, "{}", logging::said(level, text)) {
        // A reader or a terminal that is gone must neither end the server nor keep it from ending well.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe || Errno::from_io_error(&error) == Some(Errno::IO) => Ok(()),
        told => Ok(told?),
    }
}

/// Tells the log, and the person at the terminal too.
pub(super) fn note(text: &str) {
    tracing::info!(target: SAID, "{text}");
    to_person(Level::INFO, text);
}

/// The same of what somebody should look at.
pub(super) fn warn(text: &str) {
    tracing::warn!(target: SAID, "{text}");
    to_person(Level::WARN, text);
}

fn to_person(level: Level, text: &str) {
    if !background::is_on_its_own() {
        // What is told is in the log.
        let _ = say_at(level, text);
    }
}
