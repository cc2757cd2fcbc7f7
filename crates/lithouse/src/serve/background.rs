// SPDX-License-Identifier: Apache-2.0
//! A server in the background: a session of its own, nothing of its caller's, and its last words in its own log.

use std::sync::atomic::{AtomicBool, Ordering};

/// Tells a server that `lithouse start` has started it.
pub(crate) const VARIABLE: &str = "LITHOUSE_BACKGROUND";

static IS_ON_ITS_OWN: AtomicBool = AtomicBool::new(false);

/// Whether this process was started to be in the background.
pub(crate) fn is_wanted() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// Leaves the caller's session and closes what was inherited of it, but standard error, on which the caller reads whether we come up.
///
/// To be called first thing in `main`: descriptors that are open then are the caller's.
pub(crate) fn leave_caller() -> std::io::Result<()> {
    lithouse_sandbox::descriptors::close_inherited()?;
    // Refused only to the leader of a process group, which `start` does not make of us.
    let _ = rustix::process::setsid();
    Ok(())
}

/// From now on standard error is the log, and nothing is told twice.
pub(crate) fn be_on_own() {
    IS_ON_ITS_OWN.store(true, Ordering::Relaxed);
    crate::logging::take_standard_error();
}

/// Whether nobody but the log hears us.
pub(crate) fn is_on_its_own() -> bool {
    IS_ON_ITS_OWN.load(Ordering::Relaxed)
}
