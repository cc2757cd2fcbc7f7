// SPDX-License-Identifier: Apache-2.0
//! `[log]`: what is written down, and how much of it is kept.

use super::declare::Flag::Named;
use super::declare::Otherwise::Text;
use super::declare::section;
use super::reader::{Count, OneOf, Size, Word};

section! {
    /// What is written down, and how much of it is kept.
    pub(crate) struct Log in "log" {
        /// How much the log tells: `error`, `warn`, `info`, `debug` or `trace`.
        ///
        /// It holds for `logs/controller.log` in the data folder.
        level: LogLevel as OneOf<LogLevel> {
            env: &["LOG_LEVEL"],
            flag: Named("log-level", "LEVEL"),
            default: Text("info"),
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

/// How much the log tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogLevel {
    /// What went wrong.
    Error,
    /// And what may.
    Warn,
    /// And what happens.
    Info,
    /// And why.
    Debug,
    /// And everything else.
    Trace,
}

impl LogLevel {
    /// The word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl Word for LogLevel {
    const WORDS: &'static [(&'static str, Option<Self>)] = &[
        ("error", Some(Self::Error)),
        ("warn", Some(Self::Warn)),
        ("info", Some(Self::Info)),
        ("debug", Some(Self::Debug)),
        ("trace", Some(Self::Trace)),
    ];
    // `LOG_LEVEL` is shared with programs that say it so.
    const ALSO: &'static [(&'static str, Self)] = &[("critical", Self::Error), ("warning", Self::Warn)];
}
