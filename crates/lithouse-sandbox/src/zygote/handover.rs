// SPDX-License-Identifier: Apache-2.0
//! What goes from the launcher to Python, and the descriptors that it goes with.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use rustix::fs::{MemfdFlags, SeekFrom};
use rustix::io::{Errno, FdFlags};
use serde::Serialize;

use crate::level::Level;
use crate::plan::Plan;

/// The control socket's number in Python.
const CONTROL: RawFd = 3;

/// What Python is told: the JSON behind the descriptor whose number is its last argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Handover {
    /// The descriptor of the control socket.
    pub control: i32,
    /// The descriptor of the zygote's own pid namespace, to return to after each fork.
    pub pid_namespace: Option<i32>,
    /// The descriptors of the Landlock rulesets: one for all slots, one for each, or none.
    pub rulesets: Vec<i32>,
    /// The level in use.
    pub level: Level,
    /// How many slots there are.
    pub slots: u32,
    /// A child's home, in which `{slot}` stands for the slot's index.
    pub home: String,
    /// What the zygote does once it is warm.
    pub seal: Plan,
    /// What each child does before it parks.
    pub confine: Plan,
    /// Whether the zygote unshares the pid namespace before each fork, and returns after it.
    pub steps_before_fork: bool,
}

impl Handover {
    /// The JSON in a nameless file that is read from its beginning.
    pub(super) fn to_descriptor(&self) -> Result<OwnedFd, Errno> {
        let text = serde_json::to_vec(self).map_err(|_| Errno::INVAL)?;
        let file = rustix::fs::memfd_create("handover", MemfdFlags::CLOEXEC)?;
        let mut rest = text.as_slice();
        while !rest.is_empty() {
            let written = rustix::io::write(&file, rest)?;
            rest = &rest[written..];
        }
        rustix::fs::seek(&file, SeekFrom::Start(0))?;
        Ok(file)
    }
}

/// Owns the inherited control socket, at the number that Python expects.
pub(super) fn take_control(number: &OsStr) -> io::Result<OwnedFd> {
    let invalid = || io::Error::from(Errno::BADF);
    let number = match number.to_str().and_then(|text| text.parse().ok()) {
        Some(0) => from_standard_input()?,
        Some(number) if number > 2 => number,
        Some(_) | None => return Err(invalid()),
    };
    let target = std::fs::read_link(format!("/proc/self/fd/{number}"))?;
    if !target.to_str().is_some_and(|target| target.starts_with("socket:")) {
        return Err(invalid());
    }
    // Whatever else came along is nobody's business here, least of all a shepherd's, who would hold it open for as long as it lives.
    crate::descriptors::close_all_but(number)?;
    #[expect(unsafe_code, reason = "an inherited descriptor is known only by its number")]
    // SAFETY: the descriptor is open (its link was read above), it came with this process for this function to take, and
    // nothing else in this process knows its number.
    let inherited = unsafe { OwnedFd::from_raw_fd(number) };
    rustix::io::fcntl_setfd(&inherited, FdFlags::CLOEXEC)?;
    if number == CONTROL {
        return Ok(inherited);
    }
    #[expect(unsafe_code, reason = "the number is part of the contract with Python")]
    // SAFETY: nothing in this process owns the number: all that was inherited is closed, and only `inherited` was taken since.
    let control = unsafe {
        let mut control = OwnedFd::from_raw_fd(CONTROL);
        let moved = rustix::io::dup3(&inherited, &mut control, rustix::io::DupFlags::CLOEXEC);
        if let Err(errno) = moved {
            std::mem::forget(control);
            return Err(errno.into());
        }
        control
    };
    Ok(control)
}

/// The server hands the socket over as standard input: every other descriptor it would have to let through to whatever else it starts
/// at that moment.
fn from_standard_input() -> io::Result<RawFd> {
    let socket = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), CONTROL)?;
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    Ok(socket.into_raw_fd())
}

/// Lets the next program have it.
pub(super) fn let_through(descriptor: BorrowedFd<'_>) -> Result<(), Errno> {
    rustix::io::fcntl_setfd(descriptor, FdFlags::empty())
}

pub(super) fn number(descriptor: BorrowedFd<'_>) -> i32 {
    descriptor.as_raw_fd()
}
