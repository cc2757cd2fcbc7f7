// SPDX-License-Identifier: Apache-2.0
//! The server's own log: `logs/controller.log`, and warnings to the terminal too, where there is one.

pub(crate) mod line;

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use anyhow::Context;
use lithouse_engine::home::Home;
use lithouse_engine::log::RotatingFile;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Span};
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log as Settings, LogFormat};
use crate::serve::background;
use line::Lines;

/// The target of what whoever is at the terminal is told in plain words besides.
pub(crate) const SAID: &str = "lithouse::said";

/// The target of the spans of requests.
const REQUEST: &str = "lithouse::request";

/// What is logged within it, or because of it, has the request's id.
pub(crate) fn span_of_request(id: &str) -> Span {
    tracing::error_span!(target: REQUEST, "request", request_id = id)
}

/// Starts logging.
pub(crate) fn start(home: &Home, settings: &Settings) -> anyhow::Result<()> {
    let Settings { level, format, size, keep } = settings;
    let usual = level.usual().map(|usual| format!("{usual},")).unwrap_or_default();
    // The spans of requests are there at every level: whatever is told, it is told of whom.
    let filter = EnvFilter::try_new(format!("{usual}{},{REQUEST}=error", level.as_str()));
    let filter = filter.with_context(|| format!("`{}` is not a log level", level.as_str()))?;
    let path = home.logs().join("controller.log");
    let file = RotatingFile::open(&path, *size, *keep).with_context(|| format!("could not open `{}`", path.display()))?;
    let _ = LOG.set(Mutex::new(file));
    let _ = FORMAT.set(*format);
    let in_file = Lines { format: *format, has_colour: false, has_target: true };
    let to_file = fmt::layer().fmt_fields(JsonFields::new()).event_format(in_file).with_writer(|| Log).with_filter(filter);
    let has_colour = takes_colour(io::stderr().is_terminal(), std::env::var_os("NO_COLOR").as_deref());
    let to_terminal = fmt::layer()
        .fmt_fields(JsonFields::new())
        .event_format(Lines { format: *format, has_colour, has_target: false })
        .with_writer(|| Terminal)
        .with_filter(filter_fn(|metadata| *metadata.level() <= LevelFilter::WARN && metadata.target() != SAID));
    tracing_subscriber::registry().with(to_file).with(to_terminal).init();
    Ok(())
}

/// Colour is for a person who did not refuse it; in a file or a journal it would be noise.
fn takes_colour(is_terminal: bool, no_color: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
}

static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// What a server that runs says to its terminal, as its log is written: for people it is the text itself. `lithouse start` has a person
/// who reads it.
pub(crate) fn said(level: Level, text: &str) -> String {
    if FORMAT.get() != Some(&LogFormat::Json) || background::is_wanted() {
        return text.to_owned();
    }
    let (level, text) = text.strip_prefix("warning: ").map_or((level, text), |text| (Level::WARN, text));
    let mut line = String::new();
    let lines = Lines { format: LogFormat::Json, has_colour: false, has_target: true };
    // Writing to a string cannot fail.
    let _ = lines.write(&mut line, level, SAID, [("message".to_owned(), text.into())].into_iter().collect());
    line.truncate(line.trim_end().len());
    line
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
