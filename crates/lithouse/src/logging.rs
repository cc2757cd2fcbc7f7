// SPDX-License-Identifier: Apache-2.0
//! The server's own log: `logs/controller.log`, and warnings to the terminal too.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use lithouse_engine::home::Home;
use lithouse_engine::log::RotatingFile;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

const BYTES: u64 = 10_000_000;

/// Starts logging at a level such as `info`, or with a filter such as `info,lithouse_proxy=debug`, into so many files.
pub(crate) fn start(home: &Home, level: &str, files: usize) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(level).with_context(|| format!("`{level}` is not a log level"))?;
    let path = home.logs().join("controller.log");
    let file = RotatingFile::open(&path, BYTES, files).with_context(|| format!("could not open `{}`", path.display()))?;
    let file = Shared(Arc::new(Mutex::new(file)));
    let to_file = fmt::layer().with_ansi(false).with_writer(move || file.clone()).with_filter(filter);
    let to_terminal = fmt::layer()
        .with_ansi(takes_colour(io::stderr().is_terminal(), std::env::var_os("NO_COLOR").as_deref()))
        .with_target(false)
        .with_writer(io::stderr)
        .with_filter(LevelFilter::WARN);
    tracing_subscriber::registry().with(to_file).with(to_terminal).init();
    Ok(())
}

/// Colour is for a person who did not refuse it; in a file or a journal it would be noise.
fn takes_colour(is_terminal: bool, no_color: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
}

#[derive(Clone)]
struct Shared(Arc<Mutex<RotatingFile>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
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
