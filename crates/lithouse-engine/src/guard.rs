// SPDX-License-Identifier: Apache-2.0
//! The guard: a small process between the server and whatever it starts for a build, so that nothing of a build outlives it.
//!
//! Owns the whole logic of the hidden verb `lithouse guard [--hold FOLDER]… -- PROGRAM [ARGUMENT]…`. The guard leads a session of
//! its own and is the subreaper of everything the program starts, daemons included. Its standard input is a pipe of which the
//! server holds the other end: when that end closes (the server died, the build was cancelled or ran out of time), or when the
//! program has ended, the guard kills every descendant, reaps them all and passes the program's exit code on. It knows nothing of
//! environments and needs no async runtime.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, WaitStatus, getpid, kill_process, set_child_subreaper, setsid, wait, waitid,
};

/// The exit code when the program could not be started, as shells have it.
const NOT_STARTED: u8 = 127;

/// When memory runs out, a build is chosen before any app, and both before server and keeper: it can be begun again.
const OOM_SCORE: &str = "800";

/// Why the guard could not begin.
#[derive(Debug, thiserror::Error)]
enum GuardError {
    #[error("usage: guard [--hold FOLDER]... -- PROGRAM [ARGUMENT]...")]
    Usage,
    #[error("could not become the reaper of descendants: {0}")]
    Subreaper(#[source] io::Error),
    #[error("could not hold `{}`: {source}", path.display())]
    Hold { path: PathBuf, source: io::Error },
    #[error("could not start `{}`: {source}", program.display())]
    Start { program: PathBuf, source: io::Error },
}

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
struct Order {
    /// Folders that stay locked (shared) while the guard lives; whoever would remove one waits for that lock.
    hold: Vec<PathBuf>,
    program: OsString,
    arguments: Vec<OsString>,
}

/// Runs the guard to its end. `arguments` are those after the verb.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    ExitCode::from(run_for_code(arguments))
}

/// The same, for callers that end the process by themselves.
pub fn run_for_code(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    match guard(arguments) {
        Ok(code) => code,
        Err(error) => {
            // The message reaches the build log, which reads our standard error; with that gone there is nobody left to tell.
            let _ = writeln!(io::stderr(), "error: guard: {error}");
            NOT_STARTED
        }
    }
}

fn guard(arguments: impl IntoIterator<Item = OsString>) -> Result<u8, GuardError> {
    let order = parse(arguments)?;
    // Refused only to the leader of a process group, which has what we want of a session already.
    let _ = setsid();
    set_child_subreaper(Some(getpid())).map_err(|errno| GuardError::Subreaper(errno.into()))?;
    let _held = hold(&order.hold)?;
    // Anybody may ask to be chosen sooner.
    let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    let program = Command::new(&order.program)
        .args(&order.arguments)
        .stdin(Stdio::null())
        .spawn()
        .map_err(|source| GuardError::Start { program: order.program.into(), source })?;
    let family = Arc::new(Family::default());
    watch_input(Arc::clone(&family));
    // A pid is a positive `i32`, so the conversion always holds.
    let program = i32::try_from(program.id()).ok().and_then(Pid::from_raw);
    Ok(family.reap_all(program))
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Order, GuardError> {
    let mut arguments = arguments.into_iter();
    let mut hold = Vec::new();
    loop {
        match arguments.next().as_ref().and_then(|argument| argument.to_str()) {
            Some("--hold") => hold.push(arguments.next().ok_or(GuardError::Usage)?.into()),
            Some("--") => break,
            _ => return Err(GuardError::Usage),
        }
    }
    Ok(Order { hold, program: arguments.next().ok_or(GuardError::Usage)?, arguments: arguments.collect() })
}

fn hold(folders: &[PathBuf]) -> Result<Vec<File>, GuardError> {
    let hold_one = |path: &PathBuf| {
        let folder = File::open(path)?;
        flock(&folder, FlockOperation::LockShared)?;
        Ok(folder)
    };
    folders.iter().map(|path| hold_one(path).map_err(|source| GuardError::Hold { path: path.clone(), source })).collect()
}

/// Waits in a thread for the end of standard input, and ends the family then.
fn watch_input(family: Arc<Family>) {
    std::thread::spawn(move || {
        let mut buffer = [0_u8; 64];
        let mut input = io::stdin().lock();
        loop {
            match input.read(&mut buffer) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        family.end();
    });
}

/// All processes that descend from this one.
#[derive(Debug, Default)]
struct Family {
    /// True from the moment on when nothing may live any more. The lock is also held while a child is reaped, so that a pid that
    /// a sweep has just read cannot be given to a stranger before it is killed.
    ending: Mutex<bool>,
}

impl Family {
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills every child, now and whenever one ends from now on.
    fn end(&self) {
        let mut ending = self.lock();
        *ending = true;
        kill_children();
    }

    /// Waits until no child is left and answers with the exit code of `program`, whose end is the end of all.
    ///
    /// Orphans become our children before their parent can be reaped, so a sweep after each reaping meets every descendant in the end.
    fn reap_all(&self, program: Option<Pid>) -> u8 {
        let mut code = NOT_STARTED;
        loop {
            match waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(_) => return code,
            }
            let mut ending = self.lock();
            if let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG)
                && Some(pid) == program
            {
                code = exit_code(status);
                *ending = true;
            }
            if *ending && kill_children() == Sweep::OnlyUntouchable {
                return code;
            }
        }
    }
}

/// What a sweep over the children met.
#[derive(Debug, PartialEq, Eq)]
enum Sweep {
    /// None, or at least one that dies of it.
    Done,
    /// Only processes of other users, which we may not signal: waiting for them could last for ever.
    OnlyUntouchable,
}

fn kill_children() -> Sweep {
    let outcomes: Vec<bool> =
        living_children().into_iter().map(|child| kill_process(child, Signal::KILL) != Err(Errno::PERM)).collect();
    if !outcomes.is_empty() && !outcomes.contains(&true) { Sweep::OnlyUntouchable } else { Sweep::Done }
}

fn living_children() -> Vec<Pid> {
    let own = getpid().as_raw_nonzero().get();
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        is_living_child(&stat, own)
    })
    .filter_map(Pid::from_raw)
    .collect()
}

/// Reads a `/proc/<pid>/stat` line; the name in it may hold blanks and brackets, so fields count from its last bracket.
fn is_living_child(stat: &str, parent: i32) -> bool {
    let Some((_, fields)) = stat.rsplit_once(") ") else { return false };
    let mut fields = fields.split(' ');
    let state = fields.next();
    let is_living = !matches!(state, None | Some("Z" | "X" | "x"));
    is_living && fields.next().and_then(|field| field.parse().ok()) == Some(parent)
}

/// The exit code as a shell would tell it: 128 and the signal for a program that was killed.
fn exit_code(status: WaitStatus) -> u8 {
    let signalled = status.terminating_signal().map(|signal| 128 + signal);
    let code = status.exit_status().or(signalled).unwrap_or_default();
    u8::try_from(code).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(Into::into).collect()
    }

    #[test]
    fn everything_after_the_two_dashes_belongs_to_the_program() {
        let order = parse(words("--hold /a --hold /b -- cp --hold -- x")).expect("a sound order");
        assert_eq!(order.hold, [PathBuf::from("/a"), PathBuf::from("/b")]);
        assert_eq!(order.program, "cp");
        assert_eq!(order.arguments, words("--hold -- x"));
    }

    #[test]
    fn an_order_without_a_program_is_refused() {
        for wrong in ["", "--", "--hold", "--hold /a", "--hold /a --", "cp a b", "--frob -- cp"] {
            assert!(matches!(parse(words(wrong)), Err(GuardError::Usage)), "{wrong}");
        }
    }

    #[test]
    fn a_process_name_with_brackets_does_not_confuse_the_search_for_children() {
        assert!(is_living_child("12 (a) S 3) S 7 12 12 0", 7));
        assert!(!is_living_child("12 (a) S 7) S 3 12 12 0", 7));
        assert!(!is_living_child("12 (a) Z 7 12 12 0", 7));
        assert!(!is_living_child("", 7));
    }
}
