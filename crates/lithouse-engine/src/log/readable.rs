// SPDX-License-Identifier: Apache-2.0
//! What a log shows of what others write: text, tabs and colours. All else that steers a terminal could show lines that nobody wrote.

use std::borrow::Cow;

/// The longest colour, in bytes: every attribute with two colours in full needs less.
const LONGEST_COLOUR: usize = 64;

/// The text with `�` for each character that moves the cursor, ends a line, turns the direction of writing or means nothing in a text.
pub(crate) fn readable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_strange) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, strange)) = rest.find(is_strange).map(|at| rest.split_at(at)) {
        shown.push_str(before);
        if let Colour::Whole(length) = colour(strange.as_bytes()) {
            let (colour, after) = strange.split_at(length);
            shown.push_str(colour);
            rest = after;
        } else {
            shown.push(char::REPLACEMENT_CHARACTER);
            rest = strange.strip_prefix(is_strange).unwrap_or_default();
        }
    }
    shown.push_str(rest);
    shown.into()
}

/// The length of these bytes without a colour at their end that is not whole yet.
pub(crate) fn without_unfinished_colour(bytes: &[u8]) -> usize {
    let from = bytes.len().saturating_sub(LONGEST_COLOUR - 1);
    let escape = bytes.iter().skip(from).rposition(|byte| *byte == b'\x1b').map(|at| from + at);
    escape.filter(|at| bytes.get(*at..).is_some_and(|end| colour(end) == Colour::Unfinished)).unwrap_or(bytes.len())
}

fn is_strange(character: char) -> bool {
    let turns = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || matches!(character, '\u{2028}' | '\u{2029}') || (character.is_control() && character != '\t')
}

/// What bytes begin with.
#[derive(Debug, PartialEq, Eq)]
enum Colour {
    /// A colour of so many bytes.
    Whole(usize),
    /// All of them are the beginning of one.
    Unfinished,
    None,
}

/// Colours are `ESC [`, numbers with `;` between them, and `m`.
fn colour(bytes: &[u8]) -> Colour {
    let mut rest = bytes.iter().take(LONGEST_COLOUR).enumerate();
    for expected in [b'\x1b', b'['] {
        match rest.next() {
            Some((_, byte)) if *byte == expected => {}
            Some(_) => return Colour::None,
            None => return Colour::Unfinished,
        }
    }
    match rest.find(|(_, byte)| !byte.is_ascii_digit() && **byte != b';') {
        Some((at, b'm')) => Colour::Whole(at + 1),
        None if bytes.len() < LONGEST_COLOUR => Colour::Unfinished,
        Some(_) | None => Colour::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_steers_a_terminal_only_colours_and_tabs_are_left() {
        let long = "1;".repeat(LONGEST_COLOUR);
        for (text, shown) in [
            ("wörter ✓\tדוח", "wörter ✓\tדוח"),
            ("\x1b[1;31mred\x1b[0m \x1b[mplain", "\x1b[1;31mred\x1b[0m \x1b[mplain"),
            ("\x1b[38;2;255;255;255;48;2;0;0;0mx", "\x1b[38;2;255;255;255;48;2;0;0;0mx"),
            ("A\x1b[2J\x1b[1A\x1b[1GFORGED\x1b[K", "A�[2J�[1A�[1GFORGED�[K"),
            ("\x1b]0;t\x07\x1bcX\x1b(0", "�]0;t��cX�(0"),
            ("\x1b[?25l\x1b[>4;2m\x1b[ m\x1b[31\x1b[32mg", "�[?25l�[>4;2m�[ m�[31\x1b[32mg"),
            ("a\0b\x7f\u{9b}2J\u{85}", "a�b��2J�"),
            ("\u{202a}\u{202e}x\u{2066}\u{2069}\u{2028}y\u{2029}", "��x���y�"),
            ("\x1b", "�"),
            ("\x1b[31", "�[31"),
            (&format!("\x1b[{long}m"), &format!("�[{long}m")),
        ] {
            assert_eq!(readable(text), shown, "{text:?}");
        }
    }

    #[test]
    fn a_colour_that_is_not_whole_yet_is_known_and_no_other_text_is() {
        let long = format!("\x1b[{}", "1".repeat(LONGEST_COLOUR));
        for (text, end) in [
            ("abc", 0),
            ("abc\x1b", 1),
            ("abc\x1b[", 2),
            ("abc\x1b[1;3", 5),
            ("abc\x1b[1;31m", 0),
            ("abc\x1b[2J", 0),
            ("abc\x1b]", 0),
            ("\x1b\x1b[3", 3),
            (&long, 0),
            (&long[..LONGEST_COLOUR - 1], LONGEST_COLOUR - 1),
            ("", 0),
        ] {
            assert_eq!(without_unfinished_colour(text.as_bytes()), text.len() - end, "{text:?}");
        }
    }
}
