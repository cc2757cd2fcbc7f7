// SPDX-License-Identifier: Apache-2.0
//! A place in a log as text, to be given to somebody who comes back later, perhaps to another server.

use std::fmt;
use std::io;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::files::LogFile;
use super::last::read_block;

/// How much of what stands before the place is known again: more than the time of a line.
const KNOWN_BYTES: u64 = 256;

/// A place in a log, between two lines.
///
/// It names the file, how many bytes are before the place, and what the last of them were: a file's number is given to another one
/// some time after the file was removed, and a log may be emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bookmark {
    inode: u64,
    at: u64,
    before: u64,
}

/// It is not of the form in which bookmarks are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("that is no place in a log")]
pub struct NoBookmark;

impl Bookmark {
    /// The place in a file with so many bytes before it.
    pub(super) fn of(file: &LogFile, at: u64) -> io::Result<Self> {
        Ok(Self { inode: file.id.inode(), at, before: known(file, at)? })
    }

    /// Before all lines of a log that is not there yet.
    pub(super) fn of_nothing() -> Self {
        Self { inode: 0, at: 0, before: 0 }
    }

    /// How many bytes of the file are before the place, if it is in that file.
    pub(super) fn find_in(&self, file: &LogFile) -> io::Result<Option<u64>> {
        let is_there =
            file.id.inode() == self.inode && file.file.metadata()?.len() >= self.at && known(file, self.at)? == self.before;
        Ok(is_there.then_some(self.at))
    }
}

/// What the bytes before a place are known by.
fn known(file: &LogFile, at: u64) -> io::Result<u64> {
    let mut bytes = Vec::new();
    read_block(&file.file, &mut bytes, at.saturating_sub(KNOWN_BYTES), at)?;
    let hash = Sha256::digest(&bytes);
    Ok(hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

impl fmt::Display for Bookmark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:x}-{:x}-{:016x}", self.inode, self.at, self.before)
    }
}

impl FromStr for Bookmark {
    type Err = NoBookmark;

    fn from_str(text: &str) -> Result<Self, NoBookmark> {
        let mut numbers = text.split('-').map(|number| match number.as_bytes() {
            [b'0'..=b'9' | b'a'..=b'f', ..] => u64::from_str_radix(number, 16).map_err(|_| NoBookmark),
            _ => Err(NoBookmark),
        });
        let mut next = || numbers.next().unwrap_or(Err(NoBookmark));
        let bookmark = Self { inode: next()?, at: next()?, before: next()? };
        if numbers.next().is_some() { Err(NoBookmark) } else { Ok(bookmark) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bookmark_is_read_as_it_was_written_and_nothing_else_is() {
        let bookmark = Bookmark { inode: 42, at: 1 << 40, before: u64::MAX };
        assert_eq!(bookmark.to_string(), "2a-10000000000-ffffffffffffffff");
        assert_eq!(bookmark.to_string().parse(), Ok(bookmark));
        for text in ["", "7", "1-2", "1-2-3-4", "-1-2-3", "1-+2-3", "1-2-x", "1-2-11111111111111111", "1- 2-3", "1--2"] {
            assert_eq!(text.parse::<Bookmark>(), Err(NoBookmark), "{text:?}");
        }
    }
}
