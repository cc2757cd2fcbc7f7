// SPDX-License-Identifier: Apache-2.0
//! Writes a log of the server's own, bounded and rotated. Apps' logs are written by the keeper.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use time::OffsetDateTime;
use time::UtcOffset;
use time::macros::format_description;

use super::files::rotated_path;
use super::readable;

/// A log file that is renamed when it is full, so that it never takes more than `files` times `bytes`.
///
/// Rotation happens between lines, so lines are best handed over whole: of one that comes in pieces, all pieces go into the file
/// of the first, beyond its bound if need be.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    bytes: u64,
    files: usize,
    file: File,
    length: u64,
    is_at_line_start: bool,
}

impl RotatingFile {
    /// Opens the log to write on at its end; `bytes` is the bound of one file, and `files` how many there are, this one included.
    pub fn open(path: &Path, bytes: u64, files: usize) -> io::Result<Self> {
        let mut file = open(path)?;
        let mut length = file.metadata()?.len();
        if length > 0 {
            let mut last = [0];
            file.read_exact_at(&mut last, length - 1)?;
            if last != *b"\n" {
                // Whoever wrote here before died within a line.
                file.write_all(b"\n")?;
                length += 1;
            }
        }
        let mut beyond = files.max(1);
        while fs::remove_file(rotated_path(path, beyond)).is_ok() {
            beyond += 1;
        }
        Ok(Self { path: path.to_owned(), bytes, files, file, length, is_at_line_start: true })
    }

    /// Another process may write here too, while a server takes the place of another: what it has put aside is not put aside again.
    fn follow_others(&mut self) -> io::Result<bool> {
        let (there, held) = (fs::metadata(&self.path)?, self.file.metadata()?);
        if (there.dev(), there.ino()) == (held.dev(), held.ino()) {
            self.length = held.len();
            return Ok(false);
        }
        (self.file, self.length) = (open(&self.path)?, there.len());
        Ok(true)
    }

    fn rotate(&mut self) -> io::Result<()> {
        // The next file is there before anything is renamed: where there is no room for it, all stays as it is.
        let mut next_name = self.path.clone().into_os_string();
        next_name.push(".next");
        let next = open(Path::new(&next_name))?;
        next.set_len(0)?;
        for number in (0..self.files.saturating_sub(1)).rev() {
            let from = if number == 0 { self.path.clone() } else { rotated_path(&self.path, number) };
            match fs::rename(from, rotated_path(&self.path, number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&next_name, &self.path)?;
        self.file = next;
        self.length = 0;
        Ok(())
    }
}

impl Write for RotatingFile {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let is_full = self.length > 0 && self.length.saturating_add(buffer.len() as u64) > self.bytes;
        if is_full && self.is_at_line_start && !self.follow_others().unwrap_or(false) {
            // A log that is too long is better than none; the next line tries again.
            let _ = self.rotate();
        }
        let written = self.file.write(buffer)?;
        self.length += written as u64;
        if let Some(last) = buffer[..written].last() {
            self.is_at_line_start = *last == b'\n';
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl AsFd for RotatingFile {
    /// The file of this moment; rotation replaces it.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o640).open(path)
}

/// A text as lines of a log, each with the time and the name of the stream before it.
pub fn format_line(at: OffsetDateTime, stream: &str, text: &str) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    // A time of this fixed format can only fail for years that no clock shows.
    let at = at.to_offset(UtcOffset::UTC).format(&format).unwrap_or_default();
    let mut lines = String::new();
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{at} {stream} | {}", readable(line));
    }
    lines
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_line_begins_with_the_time_in_utc_and_the_stream() {
        let line = format_line(datetime!(2026-11-20 08:43:19.1239 +1), "out", "hello");
        assert_eq!(line, "2026-11-20T07:43:19.123Z out | hello\n");
    }

    #[test]
    fn each_line_of_a_text_gets_its_own_beginning() {
        let lines = format_line(datetime!(2026-11-20 07:43:19 UTC), "err", "one\n\ntwo\n");
        let at = "2026-11-20T07:43:19.000Z err |";
        assert_eq!(lines, format!("{at} one\n{at} \n{at} two\n"));
    }
}
