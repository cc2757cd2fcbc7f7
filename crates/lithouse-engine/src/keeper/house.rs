// SPDX-License-Identifier: Apache-2.0
//! Makes a process fit to live long on its own: no folder, terminal or user's mask of whoever started it.

use std::fs::File;
use std::io;

use rustix::fs::Mode;

/// How little the keeper wants to be chosen when memory runs out: with it every app would go.
const OOM_SCORE: &str = "-500";

/// To be called first thing after the inherited descriptors are owned. Standard error stays, for the one message that says why the keeper did not start.
pub(super) fn move_in() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    // It fails for a process that leads a group already: then a shell started it, and whoever did so wants it there.
    let _ = rustix::process::setsid();
    rustix::process::umask(Mode::from_raw_mode(0o077));
    std::env::set_current_dir("/")?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    // Only root may; for others the apps' higher score does most of it.
    let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    Ok(())
}

/// Lets go of standard error too: from now on the keeper answers on its socket.
pub(super) fn fall_silent() -> io::Result<()> {
    let null = File::options().write(true).open("/dev/null")?;
    Ok(rustix::stdio::dup2_stderr(&null)?)
}
