// SPDX-License-Identifier: Apache-2.0
//! Reads the entries of a zip, by its directory at the end.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use ::zip::read::{Config, ZipFileEntry};
use ::zip::result::ZipError;
use ::zip::unstable::read::ZipIterable;
use ::zip::{CompressionMethod, ZipReadOptions};
use flate2::Crc;

use super::sink::{Sink, shown};
use super::unpack::UnpackError;

/// Hands every entry of the zip to the sink.
///
/// The directory is walked entry by entry rather than read as a whole: that bounds the memory, and it shows duplicate names,
/// of which an index would keep only one.
pub(super) fn read(mut file: File, sink: &mut Sink<'_>) -> Result<(), UnpackError> {
    find_end(&mut file)?;
    let mut archive = ZipIterable::try_new(BufReader::new(file), Config::default()).map_err(damaged)?;
    sink.expect_entries(archive.len() as u64)?;
    // What it would come to is told by its directory, before anything is written.
    let mut names = HashSet::new();
    for entry in archive.files().map_err(damaged)? {
        // A name that is refused is told in its turn.
        let Ok(Some(path)) = Sink::kept_path(entry.map_err(damaged)?.name_raw()) else { continue };
        names.insert(path.to_string());
        sink.expect_kept(names.len() as u64)?;
    }
    let entries = archive.files().map_err(damaged)?;
    while let Some(entry) = entries.next() {
        take_entry(entry.map_err(damaged)?, entries.reader_mut(), sink)?;
    }
    Ok(())
}

fn take_entry(entry: ZipFileEntry<'_>, file: &mut BufReader<File>, sink: &mut Sink<'_>) -> Result<(), UnpackError> {
    let Some(path) = sink.admit(entry.name_raw())? else { return Ok(()) };
    let name = shown(entry.name_raw());
    let mode = entry.unix_mode().unwrap_or(0);
    let is_folder = match mode & 0o170_000 {
        0 | 0o100_000 => entry.is_dir(),
        0o040_000 => true,
        0o120_000 => return Err(UnpackError::Link { name, what: "symbolic link" }),
        0o010_000 => return Err(UnpackError::Special { name, what: "FIFO" }),
        0o020_000 | 0o060_000 => return Err(UnpackError::Special { name, what: "device" }),
        0o140_000 => return Err(UnpackError::Special { name, what: "socket" }),
        _ => return Err(UnpackError::Special { name, what: "thing of unknown kind" }),
    };
    if is_folder {
        return sink.folder(&path);
    }
    if entry.encrypted() {
        return Err(UnpackError::Encrypted { name });
    }
    if !matches!(entry.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
        return Err(UnpackError::Compression { name });
    }
    if !has_same_name(file, entry.header_start(), entry.name_raw())? {
        return Err(UnpackError::Disagrees { name });
    }
    let expected_checksum = entry.crc32();
    let options = ZipReadOptions::new().ignore_crc32(true);
    let content = entry.with_reader(file, options).map_err(damaged)?;
    let mut content = Checksummed { inner: content, checksum: Crc::new() };
    let is_executable = mode & 0o111 != 0;
    sink.file(&path, is_executable, &mut content, UnpackError::reading)?;
    if content.checksum.sum() == expected_checksum { Ok(()) } else { Err(UnpackError::Checksum { name }) }
}

/// Whether the entry itself has the name that the directory gives it: others may read only one of the two.
fn has_same_name(file: &mut BufReader<File>, header_at: u64, name: &[u8]) -> Result<bool, UnpackError> {
    const HEADER: usize = 30;
    let mut header = vec![0; HEADER + name.len()];
    file.seek(SeekFrom::Start(header_at)).and_then(|_| file.read_exact(&mut header)).map_err(UnpackError::reading)?;
    let length = u16::from_le_bytes([header[26], header[27]]);
    Ok(usize::from(length) == name.len() && header.ends_with(name))
}

/// Tells a zip that was cut off, and one that was split, from one that is broken otherwise: the record at its very end, which
/// only a comment of 64 KiB at most may follow, is missing, or names other disks.
fn find_end(file: &mut File) -> Result<(), UnpackError> {
    const RECORD: usize = 22;
    let length = file.metadata().map_err(UnpackError::Read)?.len();
    let tail_starts = length.saturating_sub((RECORD + usize::from(u16::MAX)) as u64);
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(tail_starts)).and_then(|_| file.read_to_end(&mut tail)).map_err(UnpackError::Read)?;
    file.rewind().map_err(UnpackError::Read)?;
    let record = tail.windows(RECORD).rev().find(|window| window.starts_with(b"PK\x05\x06")).ok_or(UnpackError::Truncated)?;
    // The number of this disk and of the one where the directory starts; 0xffff refers to the zip64 record.
    let disks = [[record[4], record[5]], [record[6], record[7]]].map(u16::from_le_bytes);
    if disks.iter().any(|disk| !matches!(*disk, 0 | u16::MAX)) { Err(UnpackError::MultiPart) } else { Ok(()) }
}

fn damaged(error: ZipError) -> UnpackError {
    match error {
        ZipError::Io(error) => UnpackError::reading(error),
        other => UnpackError::Damaged(other.into()),
    }
}

/// A reader that computes the checksum of what it gives.
struct Checksummed<R> {
    inner: R,
    checksum: Crc,
}

impl<R: Read> Read for Checksummed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.checksum.update(&buffer[..count]);
        Ok(count)
    }
}
