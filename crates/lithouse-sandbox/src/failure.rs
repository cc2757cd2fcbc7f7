// SPDX-License-Identifier: Apache-2.0
//! What could not be done on the way into the sandbox: the step, and what the system said.

use std::borrow::Cow;
use std::fmt;
use std::io;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// A step that failed. Whatever was being confined is not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The step, in words: `mount tmpfs`.
    pub step: Cow<'static, str>,
    /// The system's error number.
    pub errno: i32,
    /// More than the number says, such as the path it was about; may be empty.
    pub message: String,
}

impl Failure {
    pub(crate) fn new(step: impl Into<Cow<'static, str>>, errno: Errno) -> Self {
        Self { step: step.into(), errno: errno.raw_os_error(), message: String::new() }
    }

    pub(crate) fn about(step: impl Into<Cow<'static, str>>, errno: Errno, message: impl fmt::Display) -> Self {
        Self { step: step.into(), errno: errno.raw_os_error(), message: message.to_string() }
    }

    pub(crate) fn of_io(step: impl Into<Cow<'static, str>>, error: &io::Error) -> Self {
        let errno = error.raw_os_error().unwrap_or(libc::EINVAL);
        Self { step: step.into(), errno, message: String::new() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the step `{}` failed: {}", self.step, io::Error::from_raw_os_error(self.errno))?;
        if self.message.is_empty() { Ok(()) } else { write!(formatter, " ({})", self.message) }
    }
}

impl std::error::Error for Failure {}
