// SPDX-License-Identifier: Apache-2.0
//! Data to stdout, all else to stderr.

mod colour;
mod human;
mod json;
mod table;

use std::io::{self, Write};

pub(super) use colour::Paint;
pub(super) use human::{Moment, age, share, size};
pub(super) use json::indent;
pub(super) use table::{Cell, Table};

use super::failure::Failure;

/// Writes data and a line end.
pub(super) fn line(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(Failure::Output)
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
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A text of somebody else's that cannot move the cursor, change colours or turn the direction of writing.
pub(super) fn plain(text: &str) -> String {
    let is_harmful = |character: char| {
        character.is_control() || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|character| if is_harmful(character) { ' ' } else { character }).collect()
}
