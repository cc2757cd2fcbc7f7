// SPDX-License-Identifier: Apache-2.0
//! The first moments of an app's process, between its birth and its own program.
//!
//! The keeper starts its own binary again with the hidden verb `app-entry` and the number of an inherited socket. Over it comes
//! the [`Spec`]; back goes a report. Whatever must be true of an app's process before a line of foreign code runs is made true
//! here, in a fresh process with one thread, rather than between `fork` and `exec`, where hardly anything may be called.

mod report;
mod spec;
mod user;

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use rustix::process::{Resource, Rlimit, Signal};

pub use self::report::{Failure, Report, Step};
pub use self::spec::{Limits, RunAs, Spec, SpecError};

/// The exit code of a process that could not become its program, as shells have it.
const COULD_NOT_START: u8 = 127;

/// Becomes the program of the specification that comes over the socket with this number; returns only when it could not.
///
/// To be called in `main` before anything else: the process must have one thread and no work of its own.
pub fn enter(channel: &OsStr) -> ExitCode {
    if let Some(mut channel) = take(channel) {
        let failure = become_program(&mut channel);
        // Nobody may be listening any more, and then there is nobody to tell.
        let _ = channel.write_all(Report::Failed(failure).to_line().as_bytes());
    }
    ExitCode::from(COULD_NOT_START)
}

/// Owns the inherited socket; `None` when the number is not that of a socket that can be ours.
fn take(number: &OsStr) -> Option<UnixStream> {
    let number: RawFd = number.to_str()?.parse().ok()?;
    if number <= 2 {
        return None;
    }
    let target = std::fs::read_link(format!("/proc/self/fd/{number}")).ok()?;
    if !target.to_str()?.starts_with("socket:") {
        return None;
    }
    #[expect(unsafe_code, reason = "an inherited descriptor is known only by its number")]
    // SAFETY: the descriptor is open (its link was read above), it came with this process for this function to take, and
    // nothing else in this process knows its number.
    let channel = unsafe { OwnedFd::from_raw_fd(number) };
    rustix::io::fcntl_setfd(&channel, rustix::io::FdFlags::CLOEXEC).ok()?;
    Some(UnixStream::from(channel))
}

fn become_program(channel: &mut UnixStream) -> Failure {
    match prepare(channel) {
        Ok(spec) => {
            let mut program = Command::new(&spec.program);
            program.args(&spec.args).env_clear().envs(spec.env.iter().map(|(name, value)| (name, value)));
            Failure::of(Step::Program, &program.exec())
        }
        Err(failure) => failure,
    }
}

fn prepare(channel: &mut UnixStream) -> Result<Spec, Failure> {
    // First of all, so that a keeper that dies meanwhile takes this process with it.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|errno| Failure::of(Step::Parent, &errno.into()))?;
    let spec = read_spec(channel)?;
    die_with_parent(spec.parent)?;
    rustix::process::setsid().map_err(|errno| Failure::of(Step::Session, &errno.into()))?;
    crate::signals::reset();
    crate::descriptors::keep_from_next_program().map_err(|error| Failure::of(Step::Descriptors, &error))?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(spec.umask));
    limit(&spec.limits)?;
    // Where `/proc` is read-only the score stays as it was: a preference, not a promise.
    let _ = std::fs::write("/proc/self/oom_score_adj", spec.oom_score.to_string());
    if let Some(user) = &spec.run_as {
        user::become_user(user).map_err(|error| Failure::of(Step::User, &error))?;
        // The kernel forgets it with a change of user.
        die_with_parent(spec.parent)?;
    }
    rustix::thread::set_no_new_privs(true).map_err(|errno| Failure::of(Step::Privileges, &errno.into()))?;
    std::env::set_current_dir(&spec.cwd).map_err(|error| Failure::of(Step::Folder, &error))?;
    if let Some(user) = &spec.run_as {
        // Whoever may rename folders on the way could have put another user's in its place meanwhile.
        user::owns_this_folder(user).map_err(|error| Failure::of(Step::Folder, &error))?;
    }
    // From here on the end of the stream means that the program runs: the socket closes with `exec`.
    channel.write_all(Report::Ready.to_line().as_bytes()).map_err(|error| Failure::of(Step::Parent, &error))?;
    Ok(spec)
}

/// Ties this process's life to its parent's.
fn die_with_parent(parent: i32) -> Result<(), Failure> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|errno| Failure::of(Step::Parent, &errno.into()))?;
    // The signal is not sent for a parent that was gone before it was asked for.
    if rustix::process::getppid().map(|parent| parent.as_raw_nonzero().get()) != Some(parent) {
        return Err(Failure { step: Step::Parent, errno: libc::ESRCH });
    }
    Ok(())
}

fn read_spec(channel: &mut UnixStream) -> Result<Spec, Failure> {
    let mut bytes = Vec::new();
    channel.read_to_end(&mut bytes).map_err(|error| Failure::of(Step::Spec, &error))?;
    // Reading is over; writing goes on.
    let _ = channel.shutdown(Shutdown::Read);
    Spec::from_bytes(&bytes).map_err(|_| Failure { step: Step::Spec, errno: libc::EINVAL })
}

fn limit(limits: &Limits) -> Result<(), Failure> {
    let failed = |errno: rustix::io::Errno| Failure::of(Step::Limits, &errno.into());
    set_limit(Resource::Core, 0, 0).map_err(failed)?;
    if let Some(soft) = limits.open_files_soft {
        let hard = rustix::process::getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        set_limit(Resource::Nofile, soft, hard).map_err(failed)?;
    }
    if let Some(tag) = limits.tag {
        let hard = rustix::process::getrlimit(Resource::Msgqueue).maximum.unwrap_or(u64::MAX);
        set_limit(Resource::Msgqueue, tag, hard).map_err(failed)?;
    }
    for (resource, value) in [
        (Resource::Nofile, limits.open_files),
        (Resource::Nproc, limits.processes),
        (Resource::Fsize, limits.file_size),
        (Resource::As, limits.address_space),
    ] {
        if let Some(value) = value {
            set_limit(resource, value, value).map_err(failed)?;
        }
    }
    if let Some(nice) = limits.nice {
        rustix::process::setpriority_process(None, nice).map_err(failed)?;
    }
    Ok(())
}

/// Sets a limit, never above the one that already binds us: raising that one is not ours to do.
fn set_limit(resource: Resource, soft: u64, hard: u64) -> rustix::io::Result<()> {
    let ceiling = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let hard = hard.min(ceiling);
    let finite = |value: u64| (value != u64::MAX).then_some(value);
    rustix::process::setrlimit(resource, Rlimit { current: finite(soft.min(hard)), maximum: finite(hard) })
}

impl Failure {
    fn of(step: Step, error: &io::Error) -> Self {
        Self { step, errno: error.raw_os_error().unwrap_or(libc::EINVAL) }
    }
}
