// SPDX-License-Identifier: Apache-2.0
//! What the pool tells everybody about itself. Written by the pool, read at any time; nobody holds it for longer than a copy takes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lithouse_core::durations::{DurationCounts, Durations};
use lithouse_sandbox::level::{Finding, Level, Offer};

use super::environment::Place;
use super::error::ExecuteError;
use super::health::{Health, State, ZygoteHealth};
use super::outcome::Status;
use super::zygote::Zygote;
use crate::shared::now_ms;

/// How long a build usually takes at least from any moment on.
const BUILDS_FOR: Duration = Duration::from_secs(5);

/// In seconds: from a line of output to the longest time that a run may have.
const BOUNDS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0];

/// The board.
#[derive(Debug)]
pub(super) struct Board {
    health: Mutex<Health>,
    took: Durations,
    place: Place,
}

impl Board {
    pub(super) fn new(workers: usize, place: Place) -> Self {
        let health = Health {
            level: None,
            findings: Vec::new(),
            state: State::Unused,
            reason: None,
            workers,
            running: 0,
            queued: 0,
            parked: 0,
            zygote: None,
            runs: Status::ALL.map(|status| (status, 0)).into(),
        };
        Self { health: Mutex::new(health), took: Durations::new(BOUNDS), place }
    }

    pub(super) fn health(&self) -> Health {
        self.lock().clone()
    }

    /// The version of the warm Python, if there is one.
    pub(super) fn python(&self) -> Option<String> {
        self.lock().zygote.as_ref().map(|zygote| zygote.python.clone())
    }

    pub(super) fn state(&self) -> State {
        self.lock().state
    }

    /// What whoever asks is told while the environment is built.
    pub(super) fn building(&self) -> ExecuteError {
        ExecuteError::Building { retry_after: BUILDS_FOR, progress: self.place.last_words() }
    }

    pub(super) fn looked(&self, offer: Offer, level: Option<Level>) {
        let mut health = self.lock();
        health.findings = offer.findings;
        health.level = level;
    }

    /// Adds what was found out later, in place of what was known of the same.
    pub(super) fn found(&self, finding: Finding) {
        let findings = &mut self.lock().findings;
        findings.retain(|known| known.layer != finding.layer);
        findings.push(finding);
    }

    pub(super) fn set_state(&self, state: State, reason: Option<String>) {
        let mut health = self.lock();
        health.state = state;
        health.reason = reason;
    }

    pub(super) fn set_zygote(&self, zygote: Option<&Zygote>) {
        self.lock().zygote = zygote.map(|zygote| ZygoteHealth {
            python: zygote.ready.python.clone(),
            libraries: zygote.ready.libraries.clone(),
            started_at_ms: now_ms(),
            warm_up: zygote.ready.seconds,
            forks: 0,
        });
    }

    pub(super) fn count(&self, running: usize, queued: usize, parked: usize, forks: u64) {
        let mut health = self.lock();
        (health.running, health.queued, health.parked) = (running, queued, parked);
        if let Some(zygote) = &mut health.zygote {
            zygote.forks = forks;
        }
    }

    /// Counts a run, with the time of its code, if it was run.
    pub(super) fn ran(&self, status: Status, took: Duration) {
        if status != Status::Rejected {
            self.took.note(took);
        }
        *self.lock().runs.entry(status).or_default() += 1;
    }

    pub(super) fn took(&self) -> DurationCounts {
        self.took.read()
    }

    fn lock(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
