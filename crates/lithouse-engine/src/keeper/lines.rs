// SPDX-License-Identifier: Apache-2.0
//! From what an app writes to the lines of its log: `2026-11-20T07:43:19.123Z out | text`.

use std::fmt::{self, Write};

use time::OffsetDateTime;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;

use crate::log::{readable, without_unfinished_colour};

/// A longer line is cut into pieces of this size.
const LONGEST_LINE: usize = 64 << 10;

/// A moment, to the millisecond, in UTC.
const STAMP: StaticFormatDescription = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// Where a line comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Out,
    Err,
    /// The keeper itself, about the app.
    Sys,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Out => "out",
            Self::Err => "err",
            Self::Sys => "sys",
        })
    }
}

/// The keeper's own remark on an app, as a line of its log.
pub(super) fn remark(text: &str) -> String {
    let mut line = String::new();
    record(&mut line, Source::Sys, &now(), text.replace('\n', " ").as_bytes());
    line
}

/// This moment as lines bear it.
pub(super) fn now() -> String {
    OffsetDateTime::now_utc().format(STAMP).unwrap_or_default()
}

/// What came on one stream and is not a whole line yet.
#[derive(Debug)]
pub(super) struct Lines {
    source: Source,
    pending: Vec<u8>,
    /// A line was ended by `\r`, so that a `\n` that follows is of the same end.
    is_after_return: bool,
    /// All that waited is a line of its own already, so that an end that follows is the end of that.
    is_flushed: bool,
}

impl Lines {
    /// Lines of which something came already.
    pub(super) fn with(source: Source, pending: Vec<u8>) -> Self {
        Self { source, pending, is_after_return: false, is_flushed: false }
    }

    /// What waits for the end of its line.
    pub(super) fn into_pending(self) -> Vec<u8> {
        self.pending
    }

    /// Takes what the app wrote and adds the lines it completes to `log`.
    ///
    /// A `\r` ends a line too, as in a bar of progress: within a line it would end one for whoever reads the log, and what follows
    /// could be taken for a line of ours.
    pub(super) fn take(&mut self, bytes: &[u8], log: &mut String) {
        let stamp = now();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            self.pending.extend_from_slice(&rest[..end]);
            let is_return = rest[end] == b'\r';
            rest = &rest[end + 1..];
            self.cut(&stamp, log);
            let ends_flushed = std::mem::take(&mut self.is_flushed) && self.pending.is_empty();
            let is_nothing = self.pending.is_empty() && (is_return || self.is_after_return || ends_flushed);
            if !is_nothing {
                record(log, self.source, &stamp, &self.pending);
            }
            self.is_after_return = is_return && (!self.pending.is_empty() || self.is_after_return || ends_flushed);
            self.pending.clear();
        }
        if !rest.is_empty() {
            (self.is_after_return, self.is_flushed) = (false, false);
        }
        self.pending.extend_from_slice(rest);
        self.cut(&stamp, log);
        if self.pending.is_empty() {
            // A log of short lines needs no memory between them.
            self.pending = Vec::new();
        }
    }

    /// Whether something waits for the end of its line.
    pub(super) fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Adds what waits as a line of its own, except for a character or a colour that is not whole yet.
    pub(super) fn flush(&mut self, log: &mut String) {
        let length = whole(&self.pending, self.pending.len());
        self.is_flushed = length > 0 && length == self.pending.len();
        self.flush_first(length, &now(), log);
    }

    /// Adds all that waits: nothing more will come.
    pub(super) fn finish(&mut self, log: &mut String) {
        self.flush_first(self.pending.len(), &now(), log);
    }

    fn cut(&mut self, stamp: &str, log: &mut String) {
        while self.pending.len() > LONGEST_LINE {
            self.flush_first(whole(&self.pending, LONGEST_LINE), stamp, log);
        }
    }

    fn flush_first(&mut self, length: usize, stamp: &str, log: &mut String) {
        if length > 0 {
            record(log, self.source, stamp, &self.pending[..length]);
            self.pending.drain(..length);
        }
    }
}

fn record(log: &mut String, source: Source, stamp: &str, text: &[u8]) {
    // Writing to a string cannot fail.
    let _ = writeln!(log, "{stamp} {source} | {}", readable(&String::from_utf8_lossy(text)));
}

/// The longest start of `bytes[..limit]` that ends neither inside a character nor inside a colour.
fn whole(bytes: &[u8], limit: usize) -> usize {
    without_unfinished_colour(&bytes[..whole_characters(bytes, limit)])
}

/// The longest start of `bytes[..limit]` that does not end inside a character. What is no UTF-8 anyway is not waited for.
fn whole_characters(bytes: &[u8], limit: usize) -> usize {
    for back in 1..=3.min(limit) {
        let byte = bytes[limit - back];
        let needed = match byte {
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            // In the middle of a character: its first byte is further back.
            0x80..=0xBF => continue,
            _ => return limit,
        };
        return if needed > back { limit - back } else { limit };
    }
    limit
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines without their stamps.
    fn texts(log: &str) -> Vec<&str> {
        log.lines().map(|line| line.split_once("Z ").unwrap().1).collect()
    }

    #[test]
    fn lines_come_out_whole_however_they_come_in() {
        let written = "one\ntwo\r\n\nwörter ✓\n";
        for size in 1..written.len() {
            let (mut lines, mut log) = (Lines::with(Source::Out, Vec::new()), String::new());
            for chunk in written.as_bytes().chunks(size) {
                lines.take(chunk, &mut log);
            }
            assert_eq!(texts(&log), ["out | one", "out | two", "out | ", "out | wörter ✓"], "{size}");
            assert!(!lines.is_pending());
        }
    }

    #[test]
    fn each_line_bears_its_moment_in_utc_to_the_millisecond() {
        let line = remark("started, pid 1");
        let stamp = line.split_once(' ').unwrap().0;
        assert_eq!((stamp.len(), &stamp[10..11], &stamp[19..20], &stamp[23..]), (24, "T", ".", "Z"));
        assert!(line.ends_with("Z sys | started, pid 1\n"));
    }

    #[test]
    fn an_endless_line_is_cut_into_pieces_at_characters() {
        let (mut lines, mut log) = (Lines::with(Source::Err, Vec::new()), String::new());
        let written = format!("x{}", "✓".repeat(100_000));
        for chunk in written.as_bytes().chunks(10_000) {
            lines.take(chunk, &mut log);
        }
        lines.finish(&mut log);
        let pieces = texts(&log);
        assert!(pieces.len() >= 4 && pieces.iter().all(|piece| piece.len() <= LONGEST_LINE + 6));
        assert_eq!(pieces.iter().map(|piece| &piece[6..]).collect::<String>(), written);
    }

    #[test]
    fn a_prompt_is_flushed_but_half_a_character_waits() {
        let (mut lines, mut log) = (Lines::with(Source::Out, Vec::new()), String::new());
        lines.take(b"name? \xE2\x9C", &mut log);
        lines.flush(&mut log);
        assert_eq!(texts(&log), ["out | name? "]);
        lines.take(b"\x93\n", &mut log);
        assert_eq!(texts(&log)[1], "out | ✓");
    }

    #[test]
    fn the_end_of_a_line_that_comes_late_makes_no_further_line() {
        for (late, then) in [("\n", ["next", ""]), ("\r\n", ["next", ""]), ("\r", ["next", ""]), (" and\n", [" and", "next"])] {
            let (mut lines, mut log) = (Lines::with(Source::Out, Vec::new()), String::new());
            lines.take(b"first", &mut log);
            lines.flush(&mut log);
            for byte in late.bytes() {
                lines.take(&[byte], &mut log);
            }
            lines.take(b"next\n\n", &mut log);
            assert_eq!(texts(&log)[..3], ["first", then[0], then[1]].map(|text| format!("out | {text}")), "{late:?}");
        }
    }

    #[test]
    fn a_return_ends_a_line_and_with_a_line_feed_it_ends_one_line() {
        let written = "10 %\r20 %\r\r\n\r\nlast\r2026-11-20T00:00:00.000Z sys | forged\r\nend\n\n";
        let expected = ["10 %", "20 %", "", "last", "2026-11-20T00:00:00.000Z sys | forged", "end", ""];
        for size in 1..written.len() {
            let (mut lines, mut log) = (Lines::with(Source::Out, Vec::new()), String::new());
            for chunk in written.as_bytes().chunks(size) {
                lines.take(chunk, &mut log);
            }
            assert_eq!(texts(&log), expected.map(|text| format!("out | {text}")), "{size}");
        }
    }

    #[test]
    fn characters_that_no_text_has_are_replaced_and_colours_stay() {
        let (mut lines, mut log) = (Lines::with(Source::Out, Vec::new()), String::new());
        lines.take("a\0b\x07\tc\x1b[31mred\u{9b}\u{85}✓\n".as_bytes(), &mut log);
        assert_eq!(texts(&log), ["out | a\u{fffd}b\u{fffd}\tc\x1b[31mred\u{fffd}\u{fffd}✓"]);
    }

    #[test]
    fn a_colour_is_one_wherever_it_is_cut_and_nothing_else_becomes_one() {
        let written = "A\x1b[2J\x1b[1;31mred\x1b[0m\x1b]0;t\x07";
        for at in 1..written.len() {
            let (mut lines, mut log) = (Lines::with(Source::Out, Vec::new()), String::new());
            lines.take(&written.as_bytes()[..at], &mut log);
            lines.flush(&mut log);
            // As by a keeper that goes on with what another has left.
            let mut lines = Lines::with(Source::Out, lines.into_pending());
            lines.take(&written.as_bytes()[at..], &mut log);
            lines.finish(&mut log);
            let whole: String = texts(&log).iter().map(|text| &text[6..]).collect();
            assert_eq!(whole, "A\u{fffd}[2J\x1b[1;31mred\x1b[0m\u{fffd}]0;t\u{fffd}", "{at}");
        }
        let (mut lines, mut log) = (Lines::with(Source::Out, Vec::new()), String::new());
        lines.take(format!("{}\x1b[31mred\n", "x".repeat(LONGEST_LINE - 3)).as_bytes(), &mut log);
        assert_eq!(texts(&log)[1], "out | \x1b[31mred");
    }

    #[test]
    fn what_is_no_text_is_replaced_and_holds_nothing_up() {
        let (mut lines, mut log) = (Lines::with(Source::Out, Vec::new()), String::new());
        lines.take(b"a\xFFb\n\x80\x80\x80\x80", &mut log);
        lines.flush(&mut log);
        assert_eq!(texts(&log)[0], "out | a\u{FFFD}b");
        assert!(!lines.is_pending());
    }
}
