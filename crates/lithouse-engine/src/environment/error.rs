// SPDX-License-Identifier: Apache-2.0
//! Every way in which preparing an environment can fail, in the words of a person.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Why there is no environment. Whoever waited for the same build gets the same reason, so it can be cloned.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PrepareError {
    /// A requirement names a package, or a path, that does not exist.
    #[error("requirement `{requirement}` was not found{}", from(place))]
    NotFound {
        /// The package or path.
        requirement: String,
        /// Where it was looked for, where that is known.
        place: String,
    },
    /// The package exists, the version does not.
    #[error("there is no version of requirement `{requirement}`")]
    NoSuchVersion {
        /// As it was asked for, such as `six==99.0`.
        requirement: String,
    },
    /// The requirements exclude each other.
    #[error("the requirements conflict: {explanation}")]
    Conflict {
        /// The short form of what the resolver says.
        explanation: String,
    },
    /// The package has no build for this Python or platform.
    #[error("`{package}` has no wheel for this Python and platform: {explanation}")]
    NoWheel {
        /// The package, with its version where one was asked for.
        package: String,
        /// What there is instead.
        explanation: String,
    },
    /// A package, or the project itself, wants another Python.
    #[error("`{package}` needs Python {needed}, but this is Python {found}")]
    WrongPython {
        /// The package, or the project.
        package: String,
        /// What it asks for, such as `>=3.13`.
        needed: String,
        /// The Python in use.
        found: String,
    },
    /// The package index, or another server that a requirement names, does not answer.
    #[error("`{url}` could not be reached: {cause}")]
    Unreachable {
        /// Without credentials.
        url: String,
        /// Such as `connection refused`.
        cause: String,
    },
    /// The server answers, but with a refusal or a failure.
    #[error("`{url}` answered {status}")]
    Refused {
        /// Without credentials.
        url: String,
        /// The status and its name, such as `401 Unauthorized`.
        status: String,
    },
    /// A file came only in part.
    #[error("the download of `{package}` broke off")]
    CutOff {
        /// The package with its version.
        package: String,
    },
    /// A requirement from git could not be fetched.
    #[error("a requirement could not be fetched with git: {explanation}")]
    Git {
        /// The last words of git.
        explanation: String,
    },
    /// What was downloaded is not what the requirements say it is.
    #[error("`{package}` does not match the hashes that the requirements give for it")]
    HashMismatch {
        /// The package with its version.
        package: String,
    },
    /// Building a package from its source failed.
    #[error("building {} failed: {explanation}", package.as_ref().map_or_else(|| "a package from its source".to_owned(), |name| format!("`{name}`")))]
    BuildScript {
        /// The package, where uv names it.
        package: Option<String>,
        /// The last words of the build script.
        explanation: String,
    },
    /// A line of the requirements cannot be read.
    #[error("`{file}`{} cannot be read as requirements: {explanation}", line.map_or_else(String::new, |line| format!(", line {line}")))]
    BadRequirements {
        /// The file, as the source names it.
        file: String,
        /// Counted from 1, where it is known.
        line: Option<usize>,
        /// What is wrong with it.
        explanation: String,
    },
    /// No space is left.
    #[error("the disk is full at `{at}`")]
    DiskFull {
        /// A path on that disk.
        at: String,
    },
    /// Files cannot be written, for lack of permission or because the disk is read-only.
    #[error("`{at}` cannot be written: {explanation}")]
    NotWritable {
        /// A path.
        at: String,
        /// Such as `read-only file system`.
        explanation: String,
    },
    /// uv was killed from outside.
    #[error("uv was killed by signal {signal}{}", if *signal == 9 { " (perhaps for want of memory)" } else { "" })]
    Killed {
        /// The number of the signal.
        signal: i32,
    },
    /// The build took too long.
    #[error("the build took longer than {} and was ended{}", duration(*after), during_words(during))]
    TimedOut {
        /// How long it was allowed to take.
        after: Duration,
        /// What was the last to begin.
        during: String,
    },
    /// No suitable Python.
    #[error("no Python 3.10 or newer was found: {reason}")]
    NoPython {
        /// What was looked at.
        reason: String,
    },
    /// No uv, and none could be installed.
    #[error("uv is not available: {reason}")]
    NoUv {
        /// What was tried.
        reason: String,
    },
    /// uv failed in a way that is none of the above.
    #[error("uv failed with exit code {code}: {message}")]
    Uv {
        /// Its exit code.
        code: i32,
        /// Its own message.
        message: String,
    },
    /// A file of ours could not be read or written, or a process not be started.
    #[error("{doing} `{}` failed: {source}", path.display())]
    Io {
        /// What was tried, such as `reading`.
        doing: &'static str,
        /// On which path.
        path: PathBuf,
        /// The operating system's reason.
        source: Arc<io::Error>,
    },
    /// The server ends, or whoever asked has gone.
    #[error("the build was cancelled")]
    Cancelled,
}

impl PrepareError {
    /// The next step, where we know it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotFound { .. } => Some("check the spelling, and that the package is on the configured index"),
            Self::NoSuchVersion { .. } => Some("ask for another version, or for none in particular"),
            Self::Conflict { .. } => Some("loosen one of the versions that are named"),
            Self::NoWheel { .. } => Some("choose another version of the package, or set `hosting.python` to another Python"),
            Self::WrongPython { .. } => Some("set `hosting.python` to a Python that fits, or choose another version"),
            Self::Unreachable { .. } => Some("check the network, the proxy variables and the index settings of uv or pip"),
            Self::Refused { status, .. } if status.starts_with('5') => {
                Some("the server there fails: try again later, or name another index")
            }
            Self::Refused { .. } => Some("check the address and the credentials of the index"),
            Self::CutOff { .. } => Some("deploy again; if it stays so, the index or a proxy on the way to it is at fault"),
            Self::Git { .. } => Some("check that git is installed, and the address, branch and credentials of the requirement"),
            Self::HashMismatch { .. } => Some("correct the hash if the change is expected; otherwise do not trust the file"),
            Self::BuildScript { .. } => {
                Some("the build log has its whole output; often a compiler or a system library is missing")
            }
            Self::BadRequirements { .. } => Some("each line names one requirement, such as `pandas>=2`"),
            Self::DiskFull { .. } => Some("free some space, or move the data folder"),
            Self::NotWritable { .. } => Some("check who owns the data folder and uv's cache"),
            Self::Killed { .. } => Some("look at the memory of the machine, then deploy again"),
            Self::TimedOut { .. } => Some("look at the build log for what hung"),
            Self::NoPython { .. } => Some("install one, for example with `apt install python3`, or set `hosting.python`"),
            Self::NoUv { .. } => Some("install uv (for example `pip install uv`), or name it in the configuration"),
            Self::Uv { .. } => Some("the build log has its whole output"),
            Self::Io { .. } | Self::Cancelled => None,
        }
    }
}

fn from(place: &str) -> String {
    if place.is_empty() { String::new() } else { format!(" in {place}") }
}

fn during_words(during: &str) -> String {
    if during.is_empty() { String::new() } else { format!(" (its last words: `{during}`)") }
}

fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds > 0 && seconds.is_multiple_of(60) { format!("{} min", seconds / 60) } else { format!("{seconds} s") }
}
