// SPDX-License-Identifier: Apache-2.0
//! Which descriptors a process keeps, and which its next program inherits.

use std::collections::HashMap;
use std::ffi::c_int;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::{fs, io};

use rustix::io::FdFlags;

/// The descriptors above standard error that came with this process, each to be taken once. What nobody takes is closed with this.
#[derive(Debug, Default)]
pub struct Inherited {
    by_number: HashMap<RawFd, OwnedFd>,
}

impl Inherited {
    /// Owns whatever was inherited.
    ///
    /// To be called first thing in `main`, before this process has opened anything, and once: whatever is open then was inherited.
    pub fn take_all() -> io::Result<Self> {
        let mut by_number = HashMap::new();
        for descriptor in open_above_stderr()?.into_iter().filter(|descriptor| is_open(*descriptor)) {
            #[expect(unsafe_code, reason = "an inherited descriptor is known only by its number")]
            // SAFETY: it is open, and by this function's contract nobody in this process owns it. The descriptor of the listing itself
            // was closed with the listing, so that it is not open now.
            let owned = unsafe { OwnedFd::from_raw_fd(descriptor) };
            by_number.insert(descriptor, owned);
        }
        Ok(Self { by_number })
    }

    /// Whether there is one with this number.
    pub fn has(&self, number: RawFd) -> bool {
        self.by_number.contains_key(&number)
    }

    /// The descriptor with this number, which the next program of this process does not inherit any more.
    pub fn take(&mut self, number: RawFd) -> Option<OwnedFd> {
        let descriptor = self.by_number.remove(&number)?;
        rustix::io::fcntl_setfd(&descriptor, FdFlags::CLOEXEC).ok()?;
        Some(descriptor)
    }
}

fn is_open(descriptor: RawFd) -> bool {
    fs::symlink_metadata(format!("/proc/self/fd/{descriptor}")).is_ok()
}

/// Closes every descriptor above standard error, so that a long-lived process keeps none of its caller's.
///
/// To be called first thing in `main`, before this process has opened anything: whatever is open then was inherited.
pub fn close_inherited() -> io::Result<()> {
    if close_range(0) {
        return Ok(());
    }
    for descriptor in open_above_stderr()? {
        #[expect(unsafe_code, reason = "no safe call closes a descriptor that has no owner")]
        // SAFETY: closing touches no memory, and by this function's contract nobody in this process owns the descriptor yet.
        // The listing's own descriptor is closed already: a second close answers EBADF.
        unsafe {
            libc::close(descriptor);
        }
    }
    Ok(())
}

/// Lets no descriptor above standard error survive the next `exec`.
pub(crate) fn keep_from_next_program() -> io::Result<()> {
    if close_range(CLOSE_RANGE_CLOEXEC) {
        return Ok(());
    }
    for descriptor in open_above_stderr()? {
        #[expect(unsafe_code, reason = "no safe call flags a descriptor by its number")]
        // SAFETY: setting a descriptor's flag touches no memory; a number that is not open answers EBADF.
        unsafe {
            libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
    Ok(())
}

/// Closes every descriptor above standard error but this one.
///
/// To be called before this process has opened anything, as [`close_inherited`].
pub(crate) fn close_all_but(kept: RawFd) -> io::Result<()> {
    for descriptor in open_above_stderr()?.into_iter().filter(|descriptor| *descriptor != kept) {
        #[expect(unsafe_code, reason = "no safe call closes a descriptor that has no owner")]
        // SAFETY: as in `close_inherited`: nobody in this process owns it yet.
        unsafe {
            libc::close(descriptor);
        }
    }
    Ok(())
}

const CLOSE_RANGE_CLOEXEC: c_int = 1 << 2;

/// Asks the kernel to do it for the whole range; kernels before 5.11 do not know the flag, and some filters not the call.
fn close_range(flags: c_int) -> bool {
    const FIRST: c_int = 3;
    #[expect(unsafe_code, reason = "no safe call acts on a range of descriptors")]
    // SAFETY: the call takes three integers and touches no memory. With the flag it closes nothing now; without it, the caller
    // `close_inherited` promises that no descriptor of the range has an owner.
    let answer = unsafe { libc::syscall(libc::SYS_close_range, FIRST, c_int::MAX, flags) };
    answer == 0
}

fn open_above_stderr() -> io::Result<Vec<RawFd>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        if let Some(descriptor) = entry?.file_name().to_str().and_then(|name| name.parse().ok())
            && descriptor > 2
        {
            found.push(descriptor);
        }
    }
    Ok(found)
}
