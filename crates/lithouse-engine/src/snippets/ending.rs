// SPDX-License-Identifier: Apache-2.0
//! From what was seen of a run to the name of its end.
//!
//! What we did ourselves is surest, then what the kernel counted, then what the child says, and last how its process ended.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use super::limits::OUTPUT_BYTES;
use super::outcome::{RunError, Status};

/// Why we ended a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Its time was over.
    Time,
    /// It wrote too much.
    Output,
    /// It took more memory than it may.
    Memory,
}

/// What was seen of a run that has ended, or was ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) cut: Option<Cut>,
    pub(super) ran_out_of_memory: bool,
    /// Status and error as the child tells them.
    pub(super) told: Option<(Status, Option<RunError>)>,
    /// What is wrong with what it told, if that is no result.
    pub(super) malformed: Option<String>,
    pub(super) zygote_is_gone: bool,
    pub(super) exit: Option<ExitStatus>,
}

/// The bounds of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) timeout: Duration,
    pub(super) memory: u64,
}

/// The name of this end, and the error that goes with it.
pub(super) fn ending(seen: Seen, bounds: Bounds) -> (Status, Option<RunError>) {
    match seen.cut {
        // A child that told of its time-out by itself said where it was.
        Some(Cut::Time) => {
            return (Status::Timeout, Some(told_as(seen.told, Status::Timeout).unwrap_or_else(|| time_over(bounds))));
        }
        Some(Cut::Output) => return (Status::OutputLimit, Some(too_much_output())),
        Some(Cut::Memory) => return (Status::MemoryLimit, Some(out_of_memory(bounds))),
        None => {}
    }
    if seen.ran_out_of_memory {
        return (
            Status::MemoryLimit,
            Some(told_as(seen.told, Status::MemoryLimit).map_or_else(|| out_of_memory(bounds), |error| explained(error, bounds))),
        );
    }
    if let Some((status, error)) = seen.told {
        return (status, if status == Status::MemoryLimit { error.map(|error| explained(error, bounds)) } else { error });
    }
    let words = if let Some(malformed) = seen.malformed {
        format!("its process sent a result that cannot be read: {malformed}")
    } else if seen.zygote_is_gone {
        "the warm Python that all snippets are forked from ended while it ran; it was not the code's fault: run it again"
            .to_owned()
    } else {
        match seen.exit {
            Some(status) => format!("its process ended without a result ({})", exit_words(status)),
            None => "its process ended without a result".to_owned(),
        }
    };
    (Status::Crashed, Some(ours("ProcessEnded", words)))
}

fn told_as(told: Option<(Status, Option<RunError>)>, status: Status) -> Option<RunError> {
    told.and_then(|(told, error)| if told == status { error } else { None })
}

fn time_over(bounds: Bounds) -> RunError {
    ours("TimeoutError", format!("the code ran longer than {} s", bounds.timeout.as_secs_f64()))
}

fn too_much_output() -> RunError {
    ours("OutputLimitError", format!("the code wrote more than {} MiB", OUTPUT_BYTES >> 20))
}

fn out_of_memory(bounds: Bounds) -> RunError {
    ours("MemoryError", format!("the code needed more memory than the {} MB that it may have", bounds.memory / 1_000_000))
}

/// Python's own `MemoryError` often says nothing.
fn explained(error: RunError, bounds: Bounds) -> RunError {
    if error.message.is_empty() { RunError { message: out_of_memory(bounds).message, ..error } } else { error }
}

/// An error that no line of the code is to blame for, as far as we know.
fn ours(kind: &str, message: String) -> RunError {
    RunError { kind: kind.to_owned(), message, line: None, column: None, traceback: None }
}

/// How a process ended, in words.
pub(super) fn exit_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => signal_words(signal),
        (None, None) => status.to_string(),
    }
}

/// A signal as people know it.
fn signal_words(signal: i32) -> String {
    const KNOWN: [(i32, &str); 12] = [
        (1, "SIGHUP"),
        (2, "SIGINT"),
        (4, "SIGILL: an instruction that this processor does not have"),
        (5, "SIGTRAP"),
        (6, "SIGABRT: it gave itself up"),
        (7, "SIGBUS: memory that is not there"),
        (8, "SIGFPE: a calculation without a result"),
        (9, "SIGKILL"),
        (11, "SIGSEGV: memory that is not its own"),
        (15, "SIGTERM"),
        (24, "SIGXCPU: too much processor time"),
        (31, "SIGSYS: a system call that is forbidden"),
    ];
    match KNOWN.iter().find(|(known, _)| *known == signal) {
        Some((_, words)) => format!("signal {signal}, {words}"),
        None => format!("signal {signal}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { timeout: Duration::from_millis(1500), memory: 512_000_000 };

    fn nothing() -> Seen {
        Seen { cut: None, ran_out_of_memory: false, told: None, malformed: None, zygote_is_gone: false, exit: None }
    }

    fn told(status: Status) -> (Status, Option<RunError>) {
        let error = ours("Told", "as the child says".to_owned());
        (status, (status != Status::Success).then_some(error))
    }

    fn killed_by(signal: i32) -> ExitStatus {
        ExitStatus::from_raw(signal)
    }

    #[test]
    fn what_is_surer_goes_before_what_is_said() {
        let all = Seen { ran_out_of_memory: true, told: Some(told(Status::Success)), exit: Some(killed_by(9)), ..nothing() };
        for (seen, status, words) in [
            (Seen { cut: Some(Cut::Time), ..all.clone() }, Status::Timeout, "longer than 1.5 s"),
            (Seen { cut: Some(Cut::Output), ..all.clone() }, Status::OutputLimit, "more than 64 MiB"),
            (Seen { cut: Some(Cut::Memory), ..all.clone() }, Status::MemoryLimit, "512 MB"),
            (all.clone(), Status::MemoryLimit, "512 MB"),
            (
                Seen { cut: Some(Cut::Time), told: Some(told(Status::Timeout)), ..all.clone() },
                Status::Timeout,
                "as the child says",
            ),
            (Seen { told: Some(told(Status::MemoryLimit)), ..all }, Status::MemoryLimit, "as the child says"),
            (
                Seen { told: Some(told(Status::Error)), exit: Some(killed_by(11)), ..nothing() },
                Status::Error,
                "as the child says",
            ),
            (Seen { exit: Some(killed_by(11)), ..nothing() }, Status::Crashed, "signal 11, SIGSEGV"),
            (Seen { exit: Some(ExitStatus::from_raw(3 << 8)), ..nothing() }, Status::Crashed, "exit code 3"),
            (Seen { exit: Some(killed_by(60)), ..nothing() }, Status::Crashed, "(signal 60)"),
            (Seen { zygote_is_gone: true, ..nothing() }, Status::Crashed, "run it again"),
            (Seen { malformed: Some("no PNG".to_owned()), ..nothing() }, Status::Crashed, "cannot be read: no PNG"),
            (nothing(), Status::Crashed, "without a result"),
        ] {
            let (got, error) = ending(seen.clone(), BOUNDS);
            let message = error.map(|error| error.message).unwrap_or_default();
            assert!(got == status && message.contains(words), "{seen:?}: {got:?} {message}");
        }
    }

    #[test]
    fn a_success_has_no_error() {
        assert_eq!(ending(Seen { told: Some(told(Status::Success)), ..nothing() }, BOUNDS), (Status::Success, None));
    }

    #[test]
    fn a_memory_error_without_words_gets_them_and_keeps_its_line() {
        let silent = RunError { line: Some(2), ..ours("MemoryError", String::new()) };
        for ran_out_of_memory in [false, true] {
            let told = Some((Status::MemoryLimit, Some(silent.clone())));
            let (_, error) = ending(Seen { ran_out_of_memory, told, ..nothing() }, BOUNDS);
            let error = error.unwrap();
            assert!(error.message.contains("512 MB"), "{}", error.message);
            assert_eq!((error.kind.as_str(), error.line), ("MemoryError", Some(2)));
        }
    }
}
