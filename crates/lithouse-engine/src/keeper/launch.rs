// SPDX-License-Identifier: Apache-2.0
//! What the server asks the keeper to run, and what the keeper reports of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use lithouse_core::ending::Ending;
use lithouse_core::id::{AppId, InstanceId, ReleaseNumber};
use lithouse_core::limits::Limits;
use lithouse_sandbox::entry::RunAs;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// One process to be started, in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The new instance; an id is never used twice.
    pub instance: InstanceId,
    /// The app it belongs to.
    pub app: AppId,
    /// The release it runs.
    pub release: ReleaseNumber,
    /// The program; without a `/` it is looked for on the `PATH` of `env`.
    pub program: PathBuf,
    /// Its arguments, without its own name.
    pub args: Vec<String>,
    /// Its complete environment. The keeper adds `LITHOUSE_INSTANCE` and `LITHOUSE_KEEPER_HOME` and nothing else.
    pub env: BTreeMap<String, String>,
    /// Its working folder.
    pub cwd: PathBuf,
    /// The address the keeper listens on for it; the listener is its standard input. Port 0 lets the kernel choose.
    pub listen: Option<SocketAddr>,
    /// The address that the program listens on by itself: nothing is opened for it, and the report tells it.
    pub binds: Option<SocketAddr>,
    /// The file its output is appended to, absolute.
    pub log: PathBuf,
    /// How much of that log is kept.
    pub log_limits: LogLimits,
    /// What it may take together with all that it starts. Held by a control group where the keeper can have one.
    pub may_take: Limits,
    /// What each of its processes may take.
    pub limits: LaunchLimits,
    /// The user that it runs as; none for the keeper's own.
    pub run_as: Option<RunAs>,
}

/// How much of a log is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLimits {
    /// The size at which a file is put aside, in bytes.
    pub bytes: u64,
    /// How many files there are at most, the current one included.
    pub files: u32,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self { bytes: 10_000_000, files: 5 }
    }
}

/// Limits on what one process may take; `None` leaves the usual one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchLimits {
    /// Open descriptors.
    pub open_files: Option<u64>,
    /// Processes of the same user.
    pub processes: Option<u64>,
    /// The size of one file it writes, in bytes.
    pub file_size: Option<u64>,
    /// Its address space, in bytes.
    pub address_space: Option<u64>,
    /// Its priority, -20 (first) to 19 (last).
    pub nice: Option<i32>,
}

/// The answer to a launch that succeeded: the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spawned {
    /// The app's own process.
    pub pid: u32,
    /// The address it listens on, with the port the kernel chose if it was asked to.
    pub listen: Option<SocketAddr>,
    /// When it was started.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
}

/// What the keeper knows of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceReport {
    /// The instance.
    pub instance: InstanceId,
    /// The app it belongs to.
    pub app: AppId,
    /// The release it runs.
    pub release: ReleaseNumber,
    /// The app's own process, while there is one.
    pub pid: Option<u32>,
    /// The address it listens or listened on.
    pub listen: Option<SocketAddr>,
    /// When it was started.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// The most memory that it used at once, in bytes, where that is known.
    pub memory_peak: Option<u64>,
    /// Whether its own process is halted by a signal, and was so for some seconds.
    pub is_halted: bool,
    /// Whether it lives, or how it ended.
    pub state: InstanceState,
}

/// Whether an instance lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum InstanceState {
    /// Some process of it is left, or its last output is still being written.
    Alive,
    /// Nothing of it is left. The report stays until it is forgotten.
    Ended {
        /// How its own process ended.
        ending: Ending,
        /// When that was.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
}
