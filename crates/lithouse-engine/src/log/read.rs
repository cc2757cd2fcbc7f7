// SPDX-License-Identifier: Apache-2.0
//! The last lines of a log, given piece by piece, so that a long log takes no more memory than a short one.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use futures_util::Stream;
use futures_util::stream;

use super::files::LogFiles;
use super::last::{BLOCK_BYTES, beginning_of_last_lines, read_block};

/// The last `lines` lines of a log in pieces of any length; none when there is no log.
///
/// It ends where the log ended when it was asked for; a last line that is still being written is given as far as it is there. What
/// is rotated away meanwhile is given nevertheless.
pub async fn read(path: PathBuf, lines: usize) -> io::Result<impl Stream<Item = io::Result<String>> + Send + 'static> {
    let reader = blocking(move || Reader::begin(&path, lines)).await?;
    Ok(stream::unfold(Some(reader), |reader| async move {
        let mut reader = reader?;
        let read = blocking(move || Ok((reader.next()?, reader))).await;
        match read {
            Ok((piece, reader)) => Some((Ok(piece?), Some(reader))),
            Err(error) => Some((Err(error), None)),
        }
    }))
}

async fn blocking<T: Send + 'static>(act: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(act).await.map_err(io::Error::other)?
}

/// A part of a file that is still to be given.
struct Part {
    file: File,
    position: u64,
    end: u64,
}

/// What is still to be given.
struct Reader {
    /// Youngest first.
    parts: Vec<Part>,
    /// The beginning of a character whose end is in the next block.
    rest: Vec<u8>,
    /// Whether what was given last ended a line.
    is_at_break: bool,
}

impl Reader {
    fn begin(path: &Path, lines: usize) -> io::Result<Self> {
        let files = LogFiles::look(path, |_| false)?;
        let mut parts = Vec::new();
        for file in files.newest.into_iter().chain(files.rotated) {
            let end = file.file.metadata()?.len();
            parts.push(Part { file: file.file, position: 0, end });
        }
        let ends: Vec<_> = parts.iter().map(|part| (&part.file, part.end)).collect();
        let beginning = beginning_of_last_lines(&ends, lines, u64::MAX)?;
        parts.truncate(beginning.file + 1);
        if let Some(oldest) = parts.last_mut() {
            oldest.position = beginning.at;
        }
        Ok(Self { parts, rest: Vec::new(), is_at_break: true })
    }

    /// The next piece.
    fn next(&mut self) -> io::Result<Option<String>> {
        loop {
            let Some(part) = self.parts.last_mut() else { return Ok(None) };
            let mut block = Vec::new();
            let end = part.end.min(part.position + BLOCK_BYTES);
            read_block(&part.file, &mut block, part.position, end)?;
            part.position = end;
            let is_over = block.is_empty() || end == part.end;
            if let Some(last) = block.last() {
                self.is_at_break = *last == b'\n';
            }
            let mut text = std::mem::take(&mut self.rest);
            text.append(&mut block);
            if is_over {
                self.parts.pop();
                // A file that ends within a line, because its writer died, must not run on into the next file.
                if !self.parts.is_empty() && !self.is_at_break {
                    text.push(b'\n');
                    self.is_at_break = true;
                }
            } else {
                self.rest = text.split_off(end_of_last_character(&text));
            }
            if !text.is_empty() {
                return Ok(Some(
                    String::from_utf8(text).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
                ));
            }
        }
    }
}

/// Where a last character begins of which a part is missing; else the end of the text.
fn end_of_last_character(text: &[u8]) -> usize {
    let last = text.iter().rev().take(4).position(|byte| byte & 0b1100_0000 != 0b1000_0000);
    let Some(begin) = last.map(|back| text.len() - 1 - back) else { return text.len() };
    let length = match text[begin] {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => 1,
    };
    if begin + length > text.len() { begin } else { text.len() }
}

#[cfg(test)]
mod tests {
    use super::end_of_last_character;

    #[test]
    fn a_character_is_held_back_until_it_is_whole() {
        for (text, end) in [("", 0), ("a", 1), ("é", 2), ("…", 3), ("🗼", 4), ("a🗼b", 6)] {
            assert_eq!(end_of_last_character(text.as_bytes()), end, "{text}");
        }
        for whole in ["é", "…", "🗼"] {
            for cut in 1..whole.len() {
                assert_eq!(end_of_last_character(&[b"ab", &whole.as_bytes()[..cut]].concat()), 2, "{whole} {cut}");
            }
        }
        // What can become no character is not waited for.
        for bytes in [&b"ab\xff"[..], b"ab\x80", b"ab\x80\x80\x80\x80\x80", b"\x80"] {
            assert_eq!(end_of_last_character(bytes), bytes.len(), "{bytes:?}");
        }
    }
}
