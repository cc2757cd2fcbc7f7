// SPDX-License-Identifier: Apache-2.0
//! Signals as a program expects to find them.

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
