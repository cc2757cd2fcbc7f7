// SPDX-License-Identifier: Apache-2.0
//! From what was seen of a process's end to its name.

use lithouse_core::ending::Ending;
use lithouse_sandbox::entry::{Failure, Report};
use rustix::process::WaitStatus;
use serde::{Deserialize, Serialize};

/// What the kernel told when the process was reaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Exit {
    Code(i32),
    Signal(i32),
}

impl Exit {
    pub(super) fn of(status: WaitStatus) -> Self {
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            // Only ended processes are reaped, and there is no third way to end.
            (None, None) => Self::Code(-1),
        }
    }

    pub(super) fn is_sigkill(self) -> bool {
        self == Self::Signal(9)
    }
}

/// How far the process came on its way to its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Entered {
    /// The program runs or ran.
    Running,
    /// It could not be run.
    Failed(Failure),
    /// The process ended before it could tell.
    Vanished,
}

impl Entered {
    /// Reads everything the entry said until its end of the channel closed.
    pub(super) fn of_stream(bytes: &[u8]) -> Self {
        match Report::of_stream(bytes) {
            Some(Report::Ready) => Self::Running,
            Some(Report::Failed(failure)) => Self::Failed(failure),
            None => Self::Vanished,
        }
    }
}

/// Everything that was seen of an instance's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) exit: Exit,
    pub(super) entered: Entered,
    /// We were asked to stop it; true when we sent SIGKILL.
    pub(super) stopping: Option<bool>,
    pub(super) ran_out_of_memory: bool,
    /// Its own limit in bytes, if that is what it ran out of.
    pub(super) memory_limit: Option<u64>,
}

/// The name of this end.
pub(super) fn ending(seen: &Seen) -> Ending {
    match (seen.entered, seen.stopping, seen.exit) {
        (Entered::Failed(failure), _, _) => Ending::NotStarted { why: failure.to_string() },
        (_, Some(forced), exit) => Ending::Stopped { forced: forced && exit.is_sigkill() },
        (Entered::Vanished, None, Exit::Code(code)) => {
            Ending::NotStarted { why: format!("its process ended with exit code {code} before the program ran") }
        }
        (Entered::Vanished, None, Exit::Signal(signal)) => {
            Ending::NotStarted { why: format!("its process was ended by signal {signal} before the program ran") }
        }
        (Entered::Running, None, exit) if exit.is_sigkill() && seen.ran_out_of_memory => {
            Ending::OutOfMemory { limit: seen.memory_limit }
        }
        (Entered::Running, None, Exit::Signal(signal)) => Ending::Signalled { signal },
        (Entered::Running, None, Exit::Code(code)) => Ending::Exited { code },
    }
}

#[cfg(test)]
mod tests {
    use lithouse_sandbox::entry::Step;

    use super::Entered::{Failed, Running, Vanished};
    use super::Exit::{Code, Signal};
    use super::*;

    #[test]
    fn every_way_to_end_has_its_own_name() {
        let failure = Failure { step: Step::Folder, errno: 2 };
        let not_started = |why: &str| Ending::NotStarted { why: why.to_owned() };
        let no_folder = not_started("its working folder could not be entered: No such file or directory (os error 2)");
        let killed_early = not_started("its process was ended by signal 9 before the program ran");
        let left_early = not_started("its process ended with exit code 1 before the program ran");
        for (exit, entered, stopping, ran_out_of_memory, expected) in [
            (Code(0), Running, None, false, Ending::Exited { code: 0 }),
            (Code(3), Running, None, true, Ending::Exited { code: 3 }),
            (Signal(11), Running, None, true, Ending::Signalled { signal: 11 }),
            (Signal(9), Running, None, false, Ending::Signalled { signal: 9 }),
            (Signal(9), Running, None, true, Ending::OutOfMemory { limit: Some(7) }),
            (Signal(15), Running, Some(false), false, Ending::Stopped { forced: false }),
            (Code(143), Running, Some(false), false, Ending::Stopped { forced: false }),
            (Signal(9), Running, Some(true), true, Ending::Stopped { forced: true }),
            // It left by itself in the moment in which we lost patience.
            (Code(0), Running, Some(true), false, Ending::Stopped { forced: false }),
            (Code(127), Failed(failure), None, false, no_folder.clone()),
            (Code(127), Failed(failure), Some(false), false, no_folder),
            (Signal(9), Vanished, None, true, killed_early),
            (Code(1), Vanished, None, false, left_early),
            (Signal(15), Vanished, Some(false), false, Ending::Stopped { forced: false }),
        ] {
            let seen = Seen { exit, entered, stopping, ran_out_of_memory, memory_limit: Some(7) };
            assert_eq!(ending(&seen), expected, "{seen:?}");
        }
    }
}
