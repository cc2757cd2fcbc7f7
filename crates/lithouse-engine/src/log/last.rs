// SPDX-License-Identifier: Apache-2.0
//! Where the last lines of a log begin, looked for from its end backwards, across its files. Nothing is kept of what is looked at.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

pub(super) const BLOCK_BYTES: u64 = 64 * 1024;

/// A place in one of several files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Which of them.
    pub(super) file: usize,
    /// How many bytes of it are before the place.
    pub(super) at: u64,
}

/// Where the last `lines` lines of files begin, youngest first, each counted up to the given end. Once more than `max_bytes` have
/// been passed, no further block is looked at.
///
/// A file that ends within a line, because its writer died, ends that line.
pub(super) fn beginning_of_last_lines(files: &[(&File, u64)], lines: usize, max_bytes: u64) -> io::Result<Place> {
    let mut beginning = Place { file: 0, at: files.first().map_or(0, |(_, end)| *end) };
    if lines == 0 {
        return Ok(beginning);
    }
    let (mut breaks, mut passed) = (0, 0);
    let mut block = Vec::new();
    for (file, (content, end)) in files.iter().enumerate() {
        let mut position = *end;
        while position > 0 && passed <= max_bytes {
            let start = position.saturating_sub(BLOCK_BYTES);
            read_block(content, &mut block, start, position)?;
            let mut unseen = &block[..];
            if position == *end {
                // The break that ends the whole text opens no line after it; the one that ends an older file does.
                let rest = unseen.strip_suffix(b"\n").unwrap_or(unseen);
                if passed == 0 {
                    unseen = rest;
                } else if rest.len() == unseen.len() {
                    breaks += 1;
                    if breaks == lines {
                        return Ok(beginning);
                    }
                }
            }
            while let Some(at) = unseen.iter().rposition(|byte| *byte == b'\n') {
                breaks += 1;
                if breaks == lines {
                    return Ok(Place { file, at: start + at as u64 + 1 });
                }
                unseen = &unseen[..at];
            }
            passed += position - start;
            position = start;
            beginning = Place { file, at: start };
        }
    }
    Ok(beginning)
}

/// Reads what is between two places of a file into the buffer; less if the file was truncated meanwhile.
pub(super) fn read_block(file: &File, buffer: &mut Vec<u8>, start: u64, end: u64) -> io::Result<()> {
    buffer.resize(usize::try_from(end.saturating_sub(start)).unwrap_or_default(), 0);
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], start + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(filled);
    Ok(())
}
