// SPDX-License-Identifier: Apache-2.0
//! Data to stdout, all else to stderr.

mod colour;
mod human;
mod json;
mod progress;
mod table;

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) use colour::{Paint, When};
pub(super) use human::{Moment, age, share, size};
pub(super) use json::indent;
pub(super) use progress::Progress;
pub(super) use table::{Cell, Table};

use super::failure::Failure;
pub(super) use crate::plain::plain;

/// Writes data and a line end.
pub(super) fn line(text: &str) -> Result<(), Failure> {
    progress::beside(|| {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(Failure::Output)
    })
}

/// Writes data as it is, at once.
pub(super) fn write(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::Output)
}

/// Passes on what a program wrote to its standard error. Nobody may be listening.
pub(super) fn pass_on(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Tells people something. Nobody may be listening.
pub(super) fn note(text: &str) {
    if !is_quiet() {
        say(text);
    }
}

/// Tells people what went wrong, or may: also those who want to hear of nothing else.
pub(super) fn complain(text: &str) {
    if !colour::is_wanted_on_stderr() {
        return say(text);
    }
    let painted = text.lines().map(|line| {
        let known = [("error:", "\x1b[1;31m"), ("warning:", "\x1b[1;33m"), ("hint:", "\x1b[1;36m")];
        let found = known.iter().find_map(|(word, code)| Some((word, code, line.strip_prefix(word)?)));
        found.map_or_else(|| line.to_owned(), |(word, code, rest)| format!("{code}{word}\x1b[0m{rest}"))
    });
    say(&painted.collect::<Vec<_>>().join("\n"));
}

/// Tells a program what went wrong, in a line.
pub(super) fn problem(problem: &serde_json::Value) {
    say(&problem.to_string());
}

/// Tells people a line of somebody else's.
pub(super) fn foreign_note(text: &str) {
    if io::stderr().is_terminal() { note(&coloured(text)) } else { note(text) }
}

fn say(text: &str) {
    progress::beside(|| {
        let _ = writeln!(io::stderr().lock(), "{text}");
    });
}

static IS_QUIET: AtomicBool = AtomicBool::new(false);

/// From now on only what goes wrong is told.
pub(super) fn be_quiet() {
    IS_QUIET.store(true, Ordering::Relaxed);
}

fn is_quiet() -> bool {
    IS_QUIET.load(Ordering::Relaxed)
}

/// Writes a line of somebody else's data: for a person at a terminal made harmless, for a program as it is.
pub(super) fn foreign_line(text: &str) -> Result<(), Failure> {
    if io::stdout().is_terminal() { line(&coloured(text)) } else { line(text) }
}

/// Writes several lines of somebody else's data in the same way.
pub(super) fn foreign_text(text: &str) -> Result<(), Failure> {
    text.split('\n').try_for_each(foreign_line)
}

/// A text of somebody else's, harmless but for the colours that it has.
fn coloured(text: &str) -> String {
    let mut shown = String::new();
    let mut is_painted = false;
    for (number, piece) in text.split("\x1b[").enumerate() {
        let end = piece.find(|each: char| !each.is_ascii_digit() && each != ';').filter(|_| number > 0);
        match end.and_then(|end| Some((&piece[..end], piece[end..].strip_prefix('m')?))) {
            Some((codes, rest)) => {
                shown += &["\x1b[", codes, "m", &plain(rest)].concat();
                is_painted = true;
            }
            None if number > 0 => shown += &["  ", &plain(piece)].concat(),
            None => shown += &plain(piece),
        }
    }
    // What is written after it is not the app's.
    if is_painted {
        shown += "\x1b[0m";
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_an_app_writes_only_its_colours_reach_the_terminal() {
        for (text, shown) in [
            ("plain ü", "plain ü"),
            ("\x1b[1;31mred\x1b[0m text", "\x1b[1;31mred\x1b[0m text\x1b[0m"),
            ("a\x1b[2Jb\x1b]0;title\x07c", "a  2Jb ]0;title c"),
            ("a\x1b[?25lb\x1b[31", "a  ?25lb  31"),
            ("\x1b[31\u{202e}m\rx\u{9b}2J", "  31 m x 2J"),
            ("m[0m", "m[0m"),
        ] {
            assert_eq!(coloured(text), shown, "{text:?}");
        }
    }
}
