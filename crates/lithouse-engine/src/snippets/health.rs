// SPDX-License-Identifier: Apache-2.0
//! How the snippet service is, for operators.

use std::collections::BTreeMap;

use lithouse_sandbox::level::{Finding, Level};
use serde::Serialize;

use super::outcome::Status;

/// The service at one moment.
#[derive(Debug, Clone, Serialize)]
pub struct Health {
    /// How strongly runs are confined; none until the machine was looked at, or where it cannot confine at all.
    pub level: Option<Level>,
    /// What the machine offers, layer by layer; empty until it was looked at.
    pub findings: Vec<Finding>,
    /// How far the service is.
    pub state: State,
    /// Why it is not ready, or what happened to it last.
    pub reason: Option<String>,
    /// How many runs there may be at a time.
    pub workers: usize,
    /// How many there are.
    pub running: usize,
    /// How many wait.
    pub queued: usize,
    /// How many processes are ready to take one.
    pub parked: usize,
    /// The warm Python that all of them are forked from; none while there is none.
    pub zygote: Option<ZygoteHealth>,
    /// How many runs ended in each way since the start of the server.
    pub runs: BTreeMap<Status, u64>,
}

/// How far the service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody has asked for it yet.
    Unused,
    /// Its environment is being built.
    Building,
    /// Python is starting.
    Warming,
    /// It runs snippets.
    Ready,
    /// It cannot.
    Failed,
}

/// The warm Python.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ZygoteHealth {
    /// The version of Python.
    pub python: String,
    /// The libraries that it has imported, with their versions.
    pub libraries: BTreeMap<String, String>,
    /// When it was ready, in milliseconds since 1970-01-01 UTC.
    pub started_at_ms: i64,
    /// How long it took to be ready, in seconds.
    pub warm_up: f64,
    /// How many runs it has forked a process for.
    pub forks: u64,
}
