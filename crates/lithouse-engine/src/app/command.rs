// SPDX-License-Identifier: Apache-2.0
//! What a shell line can tell of its end besides a number.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use lithouse_core::ending::Ending;

/// The exit codes by which a shell tells that there was no such program, or that it could not be run.
const NOT_FOUND: i32 = 127;
const NOT_RUN: i32 = 126;
/// What makes a line more than one plain command, wherever it stands.
const BEYOND_ONE_COMMAND: [char; 10] = [';', '&', '|', '<', '>', '(', ')', '{', '`', '\n'];
/// Words at the beginning that are the shell's own.
const IN_THE_SHELL: [&str; 20] = [
    "!", ".", ":", "[", "alias", "case", "cd", "command", "echo", "eval", "exec", "export", "for", "if", "set", "test", "trap",
    "ulimit", "until", "while",
];
/// How much of the end of a log is looked at for the shell's words.
const LAST_WORDS: u64 = 4096;

/// The ending of a shell line that never served, in better words than its exit code.
pub(super) fn explained(ending: Ending, command: &str, log: &Path) -> Ending {
    match ending {
        Ending::Exited { code: NOT_FOUND } => {
            let said = last_words(log);
            let name = said.as_deref().and_then(missing).or_else(|| program(command)).unwrap_or(command);
            let why = format!("the command `{name}` was not found; is it installed in the app's environment?");
            Ending::NotStarted { why }
        }
        Ending::Exited { code: NOT_RUN } => {
            let name = program(command).unwrap_or(command);
            Ending::NotStarted { why: format!("the command `{name}` could not be run: it is not a program, or may not be run") }
        }
        other => other,
    }
}

fn last_words(log: &Path) -> Option<String> {
    let mut log = File::open(log).ok()?;
    let length = log.metadata().ok()?.len();
    log.seek(SeekFrom::Start(length.saturating_sub(LAST_WORDS))).ok()?;
    let mut words = Vec::new();
    log.take(LAST_WORDS).read_to_end(&mut words).ok()?;
    Some(String::from_utf8_lossy(&words).into_owned())
}

/// What the shell says it did not find: `/bin/sh: 1: gunicorn: not found`, or `sh: line 1: gunicorn: command not found`.
fn missing(said: &str) -> Option<&str> {
    let before = said.lines().rev().find_map(|line| {
        let line = line.trim_end();
        line.strip_suffix(": command not found").or_else(|| line.strip_suffix(": not found"))
    })?;
    before.rsplit(": ").next().filter(|name| !name.is_empty())
}

/// The first word of a shell line that names a program.
fn program(command: &str) -> Option<&str> {
    command.split_whitespace().find(|word| *word != "exec" && !is_assignment(word))
}

fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map_or("", |(name, _)| name);
    let is_of_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') && name.chars().all(is_of_name)
}

/// The shell line that is run: where it is one plain command, the shell becomes it, so that its pid is the app's, it gets SIGTERM
/// itself, and no shell stays in memory beside it. Any other line is left as it is.
pub(super) fn shell_line(command: &str) -> String {
    let mut rest = command.trim_start();
    while let Some(word) = rest.split_whitespace().next().filter(|word| is_assignment(word)) {
        // The value may go on after a blank.
        if word.contains(['\'', '"', '\\']) {
            return command.to_owned();
        }
        rest = rest[word.len()..].trim_start();
    }
    let before = &command[..command.len() - rest.len()];
    match rest.split_whitespace().next() {
        Some(program) if !IN_THE_SHELL.contains(&program) && !command.contains(BEYOND_ONE_COMMAND) => {
            format!("{before}exec {rest}")
        }
        _ => command.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_command_takes_the_place_of_its_shell_and_any_other_line_stays() {
        for (line, run) in [
            ("uvicorn app:app --port $PORT", "exec uvicorn app:app --port $PORT"),
            ("A=1 B=$X gunicorn 'a b'", "A=1 B=$X exec gunicorn 'a b'"),
            ("A=uvicorn uvicorn", "A=uvicorn exec uvicorn"),
        ] {
            assert_eq!(shell_line(line), run);
        }
        for line in ["exec x", "cd x && y", "A='1 2' y", "x; y", "x | y", "x &", "(x)", "echo x", "A=1", "", "if x\nthen y\nfi"] {
            assert_eq!(shell_line(line), line);
        }
    }

    #[test]
    fn the_command_that_was_not_found_is_named_by_what_the_shell_said() {
        for said in ["x | /bin/sh: 1: gunicorn: not found\n", "err | sh: line 1: gunicorn: command not found\nsys | ended\n"] {
            assert_eq!(missing(said), Some("gunicorn"), "{said}");
        }
        assert_eq!(missing("Traceback: no\n"), None);
        let nowhere = Path::new("/nonexistent");
        let ending = explained(Ending::Exited { code: 127 }, "A=1 exec uvicorn app:app", nowhere);
        assert!(ending.to_string().contains("the command `uvicorn` was not found"), "{ending}");
        assert_eq!(explained(Ending::Exited { code: 1 }, "uvicorn", nowhere), Ending::Exited { code: 1 });
    }
}
