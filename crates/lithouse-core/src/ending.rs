// SPDX-License-Identifier: Apache-2.0
//! How a process ended. Every way has its own name, and a sentence for people.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::size;

/// How an instance ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Ending {
    /// It left by itself with this exit code.
    Exited {
        /// The exit code, 0 to 255.
        code: i32,
    },
    /// A signal that was not ours ended it.
    Signalled {
        /// The signal's number.
        signal: i32,
    },
    /// It was killed because memory ran out.
    OutOfMemory {
        /// Its own limit, in bytes, when that was what it came to, and not the end of the machine's memory.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u64>,
    },
    /// We asked it to stop and it did; `forced` when it took SIGKILL after the grace.
    Stopped {
        /// It ignored SIGTERM until the grace was over.
        forced: bool,
    },
    /// It never became healthy within the start time-out, and was ended for it.
    NeverHealthy {
        /// The time-out, in seconds.
        seconds: u64,
        /// What was seen of it last, as far as there was anything to see.
        seen: Option<String>,
    },
    /// Another program listens on the port that it should have bound.
    PortTaken {
        /// The port.
        port: u16,
        /// Who has it, where that is known.
        by: Option<String>,
    },
    /// It could not be started at all.
    NotStarted {
        /// What was tried and what the system said.
        why: String,
    },
    /// It was ended together with the keeper, its parent.
    LostWithKeeper,
}

/// The usual name of a Linux signal, for messages.
pub fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => return None,
    })
}

impl fmt::Display for Ending {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { code } => write!(formatter, "the app's process ended with exit code {code}"),
            Self::Signalled { signal } => match signal_name(*signal) {
                Some(name) => write!(formatter, "the app's process was ended by signal {signal} ({name})"),
                None => write!(formatter, "the app's process was ended by signal {signal}"),
            },
            Self::OutOfMemory { limit: Some(limit) } => {
                write!(formatter, "out of memory: it used its whole limit of {}", size(*limit))
            }
            Self::OutOfMemory { limit: None } => formatter.write_str("the app ran out of memory and was ended by the kernel"),
            Self::Stopped { forced: false } => formatter.write_str("the app was stopped"),
            Self::Stopped { forced: true } => formatter.write_str("the app was stopped; it ignored SIGTERM, so SIGKILL ended it"),
            Self::NeverHealthy { seconds, seen } => {
                write!(formatter, "the app never became healthy within {seconds} s of its start")?;
                seen.as_ref().map_or(Ok(()), |seen| write!(formatter, ": {seen}"))?;
                formatter.write_str("; `hosting.start_timeout` sets how long it may take")
            }
            Self::PortTaken { port, by: Some(by) } => write!(formatter, "port {port} is in use by {by}"),
            Self::PortTaken { port, by: None } => write!(formatter, "port {port} is in use by another program"),
            Self::NotStarted { why } => write!(formatter, "the app could not be started: {why}"),
            Self::LostWithKeeper => formatter.write_str("the keeper process ended, and the app with it"),
        }
    }
}
