// SPDX-License-Identifier: Apache-2.0
//! The last lines of a log, read from its end backwards, across its files.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::files::LogFiles;
use super::last::{beginning_of_last_lines, read_block};

/// The last `lines` lines of a log, `max_bytes` at most; empty when there is no log.
///
/// Lines are whole unless a single one is longer than `max_bytes`: of that the end is given. A last line that is still being
/// written is given as far as it is there.
pub async fn tail(path: PathBuf, lines: usize, max_bytes: usize) -> io::Result<String> {
    tokio::task::spawn_blocking(move || {
        let files = LogFiles::look(&path, |_| false)?;
        let mut ends = Vec::new();
        for file in files.newest.iter().chain(&files.rotated) {
            ends.push((&file.file, file.file.metadata()?.len()));
        }
        last_lines(&ends, lines, max_bytes)
    })
    .await
    .map_err(io::Error::other)?
}

/// The last lines of files, youngest first, each counted up to the given end.
fn last_lines(files: &[(&File, u64)], lines: usize, max_bytes: usize) -> io::Result<String> {
    let beginning = beginning_of_last_lines(files, lines, max_bytes as u64)?;
    let (mut bytes, mut block) = (Vec::new(), Vec::new());
    for (number, (file, end)) in files.iter().enumerate().take(beginning.file + 1).rev() {
        let start = if number == beginning.file { beginning.at } else { 0 };
        read_block(file, &mut block, start, *end)?;
        // A file that ends within a line, because its writer died, must not run on into the next file.
        if !bytes.is_empty() && !bytes.ends_with(b"\n") && !block.is_empty() {
            bytes.push(b'\n');
        }
        bytes.append(&mut block);
    }
    Ok(String::from_utf8_lossy(cut(&bytes, lines, max_bytes)).into_owned())
}

/// The last lines of a text, in so many bytes at most.
fn cut(text: &[u8], lines: usize, max_bytes: usize) -> &[u8] {
    if lines == 0 {
        return &[];
    }
    // The break that ends the text opens no line after it.
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    let breaks = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
    let start = breaks.take(lines).nth(lines - 1).map_or(0, |at| at + 1);
    let text = &text[start..];
    if text.len() <= max_bytes {
        return text;
    }
    let end = &text[text.len() - max_bytes..];
    // The first line is whole only when a break stands right before it.
    if text[text.len() - max_bytes - 1] == b'\n' {
        return end;
    }
    match end.iter().position(|byte| *byte == b'\n') {
        Some(at) if at + 1 < end.len() => &end[at + 1..],
        _ => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_text(text: &str, lines: usize, max_bytes: usize) -> &str {
        std::str::from_utf8(cut(text.as_bytes(), lines, max_bytes)).expect("still text")
    }

    #[test]
    fn the_last_lines_are_cut_whether_the_last_is_complete_or_not() {
        assert_eq!(cut_text("a\nb\nc\n", 2, 99), "b\nc\n");
        assert_eq!(cut_text("a\nb\nc", 2, 99), "b\nc");
        assert_eq!(cut_text("a\nb\n", 5, 99), "a\nb\n");
        assert_eq!(cut_text("a\n\n\n", 2, 99), "\n\n");
        assert_eq!(cut_text("a\n", 0, 99), "");
        assert_eq!(cut_text("", 3, 99), "");
    }

    #[test]
    fn lines_stay_whole_within_the_bytes_unless_one_alone_is_too_long() {
        assert_eq!(cut_text("aaaa\nbb\ncc\n", 9, 7), "bb\ncc\n");
        assert_eq!(cut_text("aaaa\nbb\ncc\n", 9, 6), "bb\ncc\n");
        assert_eq!(cut_text("aaaa\nbb\ncc\n", 9, 5), "cc\n");
        assert_eq!(cut_text("abcdefgh\n", 9, 4), "fgh\n");
        assert_eq!(cut_text("abcdefgh", 9, 4), "efgh");
    }
}
