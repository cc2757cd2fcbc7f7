// SPDX-License-Identifier: Apache-2.0
//! `[log]`: what is written down, and how much of it is kept.

use super::declare::Flag::Named;
use super::declare::Otherwise::Text;
use super::declare::section;
use super::reader::{Count, Levels, LogLevels, OneOf, Size, Word};

section! {
    /// What is written down, and how much of it is kept.
    pub(crate) struct Log in "log" {
        /// How much the log tells: `error`, `warn`, `info`, `debug` or `trace`.
        ///
        /// It holds for `logs/controller.log` in the data folder. A part of the program may have a level of its own, such as
        /// `info,lithouse_proxy=debug`; what is not named then and has no level stays at `info`. `off` tells nothing.
        level: LogLevels as Levels {
            env: &["LOG_LEVEL"],
            flag: Named("log-level", "LEVEL"),
            default: Text("info"),
        }
        /// How lines are written: `text` for people, or `json`, an object a line, for programs.
        ///
        /// It holds for `controller.log` and `website.log`, and for what `lithouse serve` says while it runs.
        format: LogFormat as OneOf<LogFormat> {
            env: &["LOG_FORMAT"],
            default: Text("text"),
        }
        /// How large a log may become before it is put aside, the server's and the apps'.
        size: u64 as Size<10_000> {
            default: Text("10MB"),
        }
        /// How many files are kept of each log, the one that is written to included.
        keep: usize as Count<1, 1000> {
            default: Text("5"),
        }
    }
}

/// How the lines of logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For programs: an object a line.
    Json,
}

impl Word for LogFormat {
    const WORDS: &'static [(&'static str, Option<Self>)] = &[("text", Some(Self::Text)), ("json", Some(Self::Json))];
}
