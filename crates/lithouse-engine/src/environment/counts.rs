// SPDX-License-Identifier: Apache-2.0
//! What became of builds, and of what they need, since the server came up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lithouse_core::durations::{DurationCounts, Durations};

use super::error::PrepareError;

/// In seconds: from a small environment out of uv's cache to half an hour of compiling.
const BOUNDS: &[f64] = &[0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0];

/// How builds went so far.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildCounts {
    /// How many left a complete environment.
    pub succeeded: u64,
    /// How many did not, with requirements that cannot be locked among them.
    pub failed: u64,
    /// How many were given up, because nobody wanted them any more or the server ended.
    pub cancelled: u64,
    /// How many run.
    pub running: u64,
    /// How many wait until one of those ends.
    pub waiting: u64,
    /// How long builds took from their turn on, however they ended. Locking is not a part of it.
    pub took: DurationCounts,
}

/// Whether there is what environments are built with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tools {
    /// Nothing has asked for them yet.
    Unused,
    /// They are there.
    Found {
        /// The version of Python.
        python: String,
        /// The version of uv.
        uv: String,
    },
    /// The last build had to do without.
    Missing {
        /// Why, for people.
        reason: String,
    },
}

#[derive(Debug)]
pub(super) struct Counts {
    succeeded: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    waiting: AtomicU64,
    took: Durations,
    tools: Mutex<Tools>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            succeeded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            took: Durations::new(BOUNDS),
            tools: Mutex::new(Tools::Unused),
        }
    }
}

impl Counts {
    pub(super) fn succeeded(&self) {
        self.succeeded.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn failed(&self, error: &PrepareError) {
        let counter = if matches!(error, PrepareError::Cancelled) { &self.cancelled } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn took(&self, time: Duration) {
        self.took.note(time);
    }

    /// One more waits, until the answer is dropped.
    pub(super) fn waits(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(self)
    }

    pub(super) fn found(&self, python: &str, uv: &str) {
        self.set(Tools::Found { python: python.to_owned(), uv: uv.to_owned() });
    }

    /// Takes note of an error that is about the tools themselves.
    pub(super) fn not_found(&self, error: &PrepareError) {
        if matches!(error, PrepareError::NoPython { .. } | PrepareError::NoUv { .. }) {
            let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
            self.set(Tools::Missing { reason: format!("{error}{hint}") });
        }
    }

    pub(super) fn tools(&self) -> Tools {
        self.tools.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, tools: Tools) {
        *self.tools.lock().unwrap_or_else(PoisonError::into_inner) = tools;
    }

    pub(super) fn read(&self, running: u64) -> BuildCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        BuildCounts {
            succeeded: read(&self.succeeded),
            failed: read(&self.failed),
            cancelled: read(&self.cancelled),
            running,
            waiting: read(&self.waiting),
            took: self.took.read(),
        }
    }
}

/// Counts one who waits.
pub(super) struct Waiting<'a>(&'a Counts);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
