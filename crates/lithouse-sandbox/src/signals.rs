// SPDX-License-Identifier: Apache-2.0
//! Signals: as a program expects to find them, and put off while one program takes another's place.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Signals are put off until this is dropped, or let through by [`let_through`]. What comes meanwhile waits, across `exec` too.
#[derive(Debug)]
pub struct PutOff(());

impl PutOff {
    /// Puts off every signal that can be.
    pub fn all() -> io::Result<Self> {
        change_mask(libc::SIG_BLOCK)?;
        Ok(Self(()))
    }
}

impl Drop for PutOff {
    fn drop(&mut self) {
        // It fails for no set that it can be given.
        let _ = let_through();
    }
}

/// Lets every signal through that was put off, in this process or by the program before it.
pub fn let_through() -> io::Result<()> {
    change_mask(libc::SIG_UNBLOCK)
}

/// Becomes the command's program in this very process. Returns only when that failed, with all as it was.
pub fn exec(command: &mut Command) -> io::Error {
    let error = command.exec();
    // The attempt has given it its default effect, which would end this process at the next connection that breaks.
    #[expect(unsafe_code, reason = "no safe call sets a signal's disposition")]
    // SAFETY: `SIG_IGN` installs no handler, so no code of ours can run in a signal's context.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
    }
    error
}

fn change_mask(how: libc::c_int) -> io::Result<()> {
    #[expect(unsafe_code, reason = "no safe call sets the signal mask")]
    // SAFETY: the set is a plain value on this stack, filled by the first call before the second reads it. A mask runs no code.
    let answer = unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(how, &raw const all, std::ptr::null_mut())
    };
    if answer == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(answer)) }
}

/// Gives every signal its default effect and blocks none: an ignored or blocked signal would outlive `exec`, and with it a
/// SIGTERM that the app never sees.
pub(crate) fn reset() {
    for signal in 1..=64 {
        #[expect(unsafe_code, reason = "no safe call sets a signal's disposition")]
        // SAFETY: `SIG_DFL` installs no handler, so no code of ours can run in a signal's context. Numbers that cannot be set
        // (SIGKILL, SIGSTOP, those of the C library) are answered with an error and left alone.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
        }
    }
    #[expect(unsafe_code, reason = "no safe call sets the signal mask")]
    // SAFETY: the set is a plain value on this stack, made empty by the first call before the second reads it.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}
