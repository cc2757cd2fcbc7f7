// SPDX-License-Identifier: Apache-2.0
//! Why a run was not taken. Code that was looked at is no error, however it ended: that is an outcome.

use std::time::Duration;

use super::limits::{CODE_BYTES, INPUT_BYTES, INPUT_FILES, LONGEST_TIMEOUT, SHORTEST_TIMEOUT, STDIN_BYTES};

/// Why a run was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecuteError {
    /// As many runs as may wait are waiting.
    #[error("all workers are busy, and {waiting} runs are waiting already")]
    Busy {
        /// How many.
        waiting: usize,
        /// When to come again.
        retry_after: Duration,
    },
    /// The environment that snippets run in is not built yet.
    #[error("the environment of the snippets is being built{}", said(progress))]
    Building {
        /// When to come again.
        retry_after: Duration,
        /// The last words of the build.
        progress: String,
    },
    /// Nothing can be run here for now.
    #[error("snippets cannot be run: {reason}")]
    Unavailable {
        /// Why.
        reason: String,
        /// The next step, where we know it.
        hint: Option<String>,
        /// When to come again; none where only the operator can help.
        retry_after: Option<Duration>,
    },
    /// The operator does not allow the policy `open`.
    #[error("the policy `open` is not allowed here: `snippets.allow_open` is false")]
    OpenNotAllowed,
    /// More code than is taken.
    #[error("the code has {bytes} bytes, and {CODE_BYTES} are the most that is taken")]
    CodeTooLarge {
        /// How many bytes it has.
        bytes: usize,
    },
    /// A timeout that is not offered.
    #[error(
        "a timeout of {} s is not offered: it must be from {} s to {} s",
        timeout.as_secs_f64(), SHORTEST_TIMEOUT.as_secs_f64(), LONGEST_TIMEOUT.as_secs()
    )]
    TimeoutOutOfRange {
        /// What was asked for.
        timeout: Duration,
    },
    /// More standard input than is taken.
    #[error("`stdin` has {bytes} bytes, and {STDIN_BYTES} are the most that is taken")]
    StdinTooLarge {
        /// How many bytes it has.
        bytes: usize,
    },
    /// More files than are taken.
    #[error("there are {count} files, and {INPUT_FILES} are the most that is taken")]
    TooManyFiles {
        /// How many there are.
        count: usize,
    },
    /// Larger files than are taken.
    #[error("the files have {bytes} bytes together, and {INPUT_BYTES} are the most that is taken")]
    FilesTooLarge {
        /// How many bytes they have.
        bytes: usize,
    },
    /// A name that cannot be that of a file in the working folder.
    #[error("file name {name:?} cannot be taken: {reason}")]
    BadFileName {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Two files with one name, or a file with the name of another one's folder.
    #[error("the files {name:?} and {other:?} cannot lie in one folder")]
    FilesCollide {
        /// One name.
        name: String,
        /// The other.
        other: String,
    },
    /// A file whose content is not base64.
    #[error("the data of file {name:?} is not base64")]
    NotBase64 {
        /// Its name.
        name: String,
    },
}

impl ExecuteError {
    /// The next step, where we know it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Busy { .. } => "try again, or ask the operator for more `snippets.workers`",
            Self::Building { .. } => "try again: this happens once, and its log is `snippets/build.log` in the data folder",
            Self::Unavailable { hint, .. } => return hint.clone(),
            Self::OpenNotAllowed => {
                "leave `policy` out, or ask the operator to set `snippets.allow_open`; what the sandbox forbids stays forbidden"
            }
            Self::CodeTooLarge { .. } => "pass data with `files`, and read it in the code",
            Self::TimeoutOutOfRange { .. } => "ask for less, and split the work into several runs",
            Self::StdinTooLarge { .. } => "pass larger data with `files`",
            Self::TooManyFiles { .. } => "send fewer, such as several tables in one file",
            Self::FilesTooLarge { .. } => "send less, or compress it: pandas reads `.csv.gz` as it is",
            Self::BadFileName { .. } => "use a plain name such as `data.csv`, or `folder/data.csv`",
            Self::FilesCollide { .. } => "give each file a name of its own",
            Self::NotBase64 { .. } => "encode it with the standard alphabet and with padding, in one line",
        };
        Some(hint.to_owned())
    }

    /// When to come again, where that helps.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } | Self::Building { retry_after, .. } => Some(*retry_after),
            Self::Unavailable { retry_after, .. } => *retry_after,
            Self::OpenNotAllowed
            | Self::CodeTooLarge { .. }
            | Self::TimeoutOutOfRange { .. }
            | Self::StdinTooLarge { .. }
            | Self::TooManyFiles { .. }
            | Self::FilesTooLarge { .. }
            | Self::BadFileName { .. }
            | Self::FilesCollide { .. }
            | Self::NotBase64 { .. } => None,
        }
    }
}

fn said(progress: &str) -> String {
    if progress.is_empty() { String::new() } else { format!(": {progress}") }
}
