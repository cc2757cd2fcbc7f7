// SPDX-License-Identifier: Apache-2.0
//! What moves while somebody waits: only where somebody sees it, never in a pipe, a file or an automatic job, and gone without a trace.

use std::io::{self, IsTerminal};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The one that is on the terminal now, before which everything else is written.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

const TICK: Duration = Duration::from_millis(100);

/// Something that takes its time. It is gone when this is dropped.
#[derive(Debug)]
pub(in crate::cli) struct Progress(ProgressBar);

impl Progress {
    /// Something of which nobody knows how long it takes; the seconds are told.
    pub(in crate::cli) fn of(what: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, target());
        let progress = Self::shown(bar, "{spinner} {msg} ({elapsed})").with(what);
        progress.0.enable_steady_tick(TICK);
        progress
    }

    /// So many bytes that are sent.
    pub(in crate::cli) fn of_bytes(what: &str, bytes: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(bytes), target());
        let progress = Self::shown(bar, "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}").with(what);
        // Drawn before anything is sent, so that it is seen however short the upload is.
        progress.0.tick();
        progress
    }

    fn shown(bar: ProgressBar, template: &str) -> Self {
        // The template is ours; if it were wrong, the bar would look otherwise.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        *shown() = Some(bar.clone());
        Self(bar)
    }

    fn with(self, what: &str) -> Self {
        self.tell(what);
        self
    }

    /// What is being waited for now.
    pub(in crate::cli) fn tell(&self, what: &str) {
        self.0.set_message(super::plain(what));
    }

    /// How many bytes are sent.
    pub(in crate::cli) fn reach(&self, bytes: u64) {
        self.0.set_position(bytes);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
        *shown() = None;
    }
}

fn shown() -> MutexGuard<'static, Option<ProgressBar>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn target() -> ProgressDrawTarget {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let is_seen = io::stderr().is_terminal() && set("TERM").is_none_or(|terminal| terminal != "dumb") && set("CI").is_none();
    if is_seen && !super::is_quiet() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}

/// Writes while nothing moves.
pub(super) fn beside<T>(write: impl FnOnce() -> T) -> T {
    match shown().as_ref() {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}
