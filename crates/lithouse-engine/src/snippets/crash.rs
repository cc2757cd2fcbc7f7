// SPDX-License-Identifier: Apache-2.0
//! What Python wrote of its own end when a signal ended it: taken out of standard error, with its paths, and told as an error.

use super::outcome::RunError;

/// Python's report begins so, on a line of its own.
const BEGINS: &str = "Fatal Python error: ";
/// As the lines of a report begin.
const LINES: [&str; 9] = [
    BEGINS,
    "Current thread",
    "Thread 0x",
    "  File ",
    "  ...",
    "  <",
    "  Binary file ",
    "Extension modules: ",
    "Python runtime state: ",
];
/// More frames are not told.
const MOST_FRAMES: usize = 100;

/// Where a report may begin in a piece of standard error.
pub(super) fn beginning(text: &str) -> Option<usize> {
    text.match_indices(BEGINS).map(|(at, _)| at).find(|at| *at == 0 || text[..*at].ends_with('\n'))
}

/// Takes the report off the end of a standard error, if it is there, and tells the error in its words.
pub(super) fn explain(stderr: &mut String, error: RunError) -> RunError {
    let Some(at) = begins_at(stderr) else { return error };
    let report = stderr.split_off(at);
    let words = report.strip_prefix(BEGINS).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let message = match signal_of(words) {
        Some(signal) => format!("its process ended without a result ({signal})"),
        None => error.message,
    };
    let frames = frames(&report);
    let line = frames.first().map(|frame| frame.0).or(error.line);
    let traceback = (!frames.is_empty()).then(|| traceback(&frames, &error.kind, &message)).or(error.traceback);
    RunError { message, line, traceback, ..error }
}

/// The first report after which nothing but reports comes: a process may end in two steps.
fn begins_at(stderr: &str) -> Option<usize> {
    let mut at = 0;
    let mut found = None;
    for line in stderr.split_inclusive('\n') {
        if line.starts_with(BEGINS) {
            found = found.or(Some(at));
        } else if !line.trim().is_empty() && !LINES.iter().any(|begin| line.starts_with(begin)) {
            found = None;
        }
        at += line.len();
    }
    found
}

/// The signal that the report names in words.
fn signal_of(words: &str) -> Option<&'static str> {
    const KNOWN: [(&str, &str); 6] = [
        ("Aborted", "SIGABRT: it gave itself up"),
        ("Segmentation fault", "SIGSEGV: memory that is not its own"),
        ("Floating point exception", "SIGFPE: a calculation without a result"),
        ("Floating-point exception", "SIGFPE: a calculation without a result"),
        ("Bus error", "SIGBUS: memory that is not there"),
        ("Illegal instruction", "SIGILL: an instruction that this processor does not have"),
    ];
    KNOWN.iter().find(|(known, _)| *known == words.trim_end()).map(|(_, signal)| *signal)
}

/// Line and function of the code's own frames in the thread that ended it, the innermost first.
fn frames(report: &str) -> Vec<(u32, &str)> {
    let Some((_, current)) = report.split_once("\nCurrent thread") else { return Vec::new() };
    let lines = current.lines().skip(1).take_while(|line| line.starts_with("  "));
    let own = lines.filter_map(|line| line.strip_prefix("  File \"snippet.py\", line ")?.split_once(" in "));
    own.filter_map(|(line, function)| Some((line.parse().ok()?, function))).take(MOST_FRAMES).collect()
}

fn traceback(frames: &[(u32, &str)], kind: &str, message: &str) -> String {
    let frames = frames.iter().rev().map(|(line, function)| format!("  File \"snippet.py\", line {line}, in {function}\n"));
    format!("Traceback (most recent call last):\n{}{kind}: {message}\n", frames.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "Fatal Python error: Aborted\n\nThread 0x1 (most recent call first):\n  File \"/opt/x/y.py\", line 7 in wait\n\n\
        Current thread 0x2 (most recent call first):\n  File \"/opt/x/ctypes.py\", line 1 in g\n  File \"snippet.py\", line 3 in f\n  \
        File \"snippet.py\", line 4 in <module>\n  File \"/opt/x/program.py\", line 5 in run\n\nExtension modules: numpy (total: 1)\n";

    fn error() -> RunError {
        let message = "its process ended without a result (signal 11)".to_owned();
        RunError { kind: "ProcessEnded".to_owned(), message, line: None, column: None, traceback: None }
    }

    #[test]
    fn the_report_of_an_end_is_told_and_nobody_sees_our_paths() {
        let mut stderr = format!("mine\n{REPORT}Fatal Python error: Segmentation fault\n\n");
        let told = explain(&mut stderr, error());
        assert_eq!(stderr, "mine\n");
        assert!(told.message.contains("SIGABRT") && told.line == Some(3), "{told:?}");
        let traceback = told.traceback.unwrap();
        let frames = "  File \"snippet.py\", line 4, in <module>\n  File \"snippet.py\", line 3, in f\nProcessEnded: ";
        assert!(traceback.contains(frames) && !traceback.contains('/'), "{traceback}");
    }

    #[test]
    fn what_the_code_wrote_stays() {
        for text in ["", "x", "Fatal Python error: mine\nand more\n", &format!("{REPORT}and more\n")] {
            let mut stderr = text.to_owned();
            assert_eq!(explain(&mut stderr, error()), error());
            assert_eq!(stderr, text);
        }
    }

    #[test]
    fn the_beginning_of_a_report_is_found_on_its_own_line() {
        assert_eq!(beginning("a\nFatal Python error: Aborted"), Some(2));
        assert_eq!(beginning("a Fatal Python error: "), None);
    }
}
