// SPDX-License-Identifier: Apache-2.0
//! Reads the entries of a tar, compressed or not, from front to back.
//!
//! The blocks are walked here, and only single headers are left to the tar library: its own walk reads long names of any size
//! into memory and cannot tell an archive's end from a cut.

use std::fs::File;
use std::io::{self, BufReader, Read};

use ::tar::{Header, PaxExtensions};
use flate2::read::MultiGzDecoder;

use super::path::PathError;
use super::sink::{Sink, shown};
use super::unpack::UnpackError;

const BLOCK: usize = 512;
/// A longer name could not be taken anyway.
const LONG_NAME_BYTES: u64 = 8 * 1024;
/// Extended headers hold a path and a few attributes.
const EXTENSION_BYTES: u64 = 1024 * 1024;

/// Whether a block is the header of a tar entry.
pub(super) fn has_valid_checksum(block: &[u8; BLOCK]) -> bool {
    const FIELD: std::ops::Range<usize> = 148..156;
    let sum: u32 = block.iter().enumerate().map(|(at, byte)| if FIELD.contains(&at) { 32 } else { u32::from(*byte) }).sum();
    // A file of zeros has the sum of the blanks, and no checksum.
    Header::from_byte_slice(block).cksum().is_ok_and(|claimed| claimed == sum)
}

/// Hands every entry of the compressed tar to the sink.
pub(super) fn read_gz(file: File, sink: &mut Sink<'_>) -> Result<(), UnpackError> {
    let mut plain = MultiGzDecoder::new(BufReader::new(file));
    read(&mut plain, sink)?;
    // The gzip checksum stands behind the last byte, so whatever pads the tar is read to its end.
    let mut rest = vec![0; BLOCK * 20];
    loop {
        match plain.read(&mut rest).map_err(UnpackError::reading)? {
            0 => return Ok(()),
            count => sink.inflate(count as u64)?,
        }
    }
}

/// Hands every entry of the plain tar to the sink.
pub(super) fn read(mut source: impl Read, sink: &mut Sink<'_>) -> Result<(), UnpackError> {
    let mut overrides = Overrides::default();
    let mut is_first = true;
    loop {
        let mut block = [0; BLOCK];
        match read_full(&mut source, &mut block).map_err(UnpackError::reading)? {
            BLOCK => {}
            // Even an empty archive has its end mark.
            0 if is_first => return Err(UnpackError::NotATar),
            _ => return Err(UnpackError::Truncated),
        }
        sink.inflate(BLOCK as u64)?;
        if block == [0; BLOCK] {
            return Ok(());
        }
        if !has_valid_checksum(&block) {
            return Err(if is_first { UnpackError::NotATar } else { damaged("an entry's header has a wrong checksum") });
        }
        is_first = false;
        take_entry(Header::from_byte_slice(&block), &mut source, &mut overrides, sink)?;
    }
}

/// What an entry of its own says about the entry after it.
#[derive(Debug, Default)]
struct Overrides {
    path: Option<Vec<u8>>,
    size: Option<u64>,
    is_sparse: bool,
}

fn take_entry(
    header: &Header,
    source: &mut impl Read,
    overrides: &mut Overrides,
    sink: &mut Sink<'_>,
) -> Result<(), UnpackError> {
    let size = header.entry_size().map_err(UnpackError::Damaged)?;
    let kind = header.entry_type().as_byte();
    match kind {
        b'L' => {
            let mut name = read_small(source, size, LONG_NAME_BYTES, sink)?
                .ok_or_else(|| UnpackError::name(&header.path_bytes(), PathError::TooLong))?;
            name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
            overrides.path = Some(name);
            return Ok(());
        }
        b'x' => {
            let extension =
                read_small(source, size, EXTENSION_BYTES, sink)?.ok_or_else(|| damaged("an extended header is huge"))?;
            return overrides.take_extension(&extension);
        }
        // A long link's target, and remarks on the whole archive.
        b'K' | b'g' => return skip(source, size, sink),
        _ => {}
    }

    let Overrides { path, size: claimed_size, is_sparse } = std::mem::take(overrides);
    let raw = path.unwrap_or_else(|| header.path_bytes().into_owned());
    if claimed_size.is_some_and(|claimed| claimed != size) {
        return Err(damaged("an entry gives two sizes"));
    }
    let Some(path) = sink.admit(&raw)? else { return skip(source, size, sink) };
    let name = || shown(&raw);
    if is_sparse || kind == b'S' {
        return Err(UnpackError::Special { name: name(), what: "sparse file" });
    }
    match kind {
        b'5' => {
            sink.folder(&path)?;
            skip(source, size, sink)
        }
        // Before there was a kind for it, a folder was a file with a slash behind its name.
        b'0' | 0 | b'7' if raw.ends_with(b"/") => {
            sink.folder(&path)?;
            skip(source, size, sink)
        }
        b'0' | 0 | b'7' => {
            let is_executable = header.mode().is_ok_and(|mode| mode & 0o111 != 0);
            let written = sink.file(&path, is_executable, source.by_ref().take(size), UnpackError::reading)?;
            if written < size {
                return Err(UnpackError::Truncated);
            }
            skip_padding(source, size, sink)
        }
        b'1' => Err(UnpackError::Link { name: name(), what: "hard link" }),
        b'2' => Err(UnpackError::Link { name: name(), what: "symbolic link" }),
        b'3' | b'4' => Err(UnpackError::Special { name: name(), what: "device" }),
        b'6' => Err(UnpackError::Special { name: name(), what: "FIFO" }),
        _ => Err(UnpackError::Special { name: name(), what: "thing of unknown kind" }),
    }
}

impl Overrides {
    fn take_extension(&mut self, extension: &[u8]) -> Result<(), UnpackError> {
        for record in PaxExtensions::new(extension) {
            let record = record.map_err(UnpackError::Damaged)?;
            match record.key_bytes() {
                b"path" => self.path = Some(record.value_bytes().to_vec()),
                b"size" => {
                    let size = record.value().ok().and_then(|size| size.parse().ok());
                    self.size = Some(size.ok_or_else(|| damaged("an extended header gives a size that is no number"))?);
                }
                key if key.starts_with(b"GNU.sparse") => self.is_sparse = true,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Reads the content of an entry that is kept in memory, or nothing when it is too large for that.
fn read_small(source: &mut impl Read, size: u64, most: u64, sink: &mut Sink<'_>) -> Result<Option<Vec<u8>>, UnpackError> {
    if size > most {
        return Ok(None);
    }
    let mut content = Vec::new();
    source.by_ref().take(size).read_to_end(&mut content).map_err(UnpackError::reading)?;
    if (content.len() as u64) < size {
        return Err(UnpackError::Truncated);
    }
    sink.inflate(size)?;
    skip_padding(source, size, sink)?;
    Ok(Some(content))
}

/// Passes over the content of an entry.
fn skip(source: &mut impl Read, size: u64, sink: &mut Sink<'_>) -> Result<(), UnpackError> {
    let mut left = size;
    let mut buffer = [0; BLOCK * 16];
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = read_full(source, &mut buffer[..wanted]).map_err(UnpackError::reading)?;
        if count < wanted {
            return Err(UnpackError::Truncated);
        }
        sink.inflate(count as u64)?;
        left -= count as u64;
    }
    skip_padding(source, size, sink)
}

/// Passes over what fills an entry up to a whole block.
fn skip_padding(source: &mut impl Read, size: u64, sink: &mut Sink<'_>) -> Result<(), UnpackError> {
    let block = BLOCK as u64;
    let padding = usize::try_from((block - size % block) % block).unwrap_or_default();
    let mut buffer = [0; BLOCK];
    let count = read_full(source, &mut buffer[..padding]).map_err(UnpackError::reading)?;
    if count < padding {
        return Err(UnpackError::Truncated);
    }
    sink.inflate(count as u64)
}

/// Reads until the buffer is full or the source ends.
fn read_full(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn damaged(what: &'static str) -> UnpackError {
    UnpackError::Damaged(io::Error::new(io::ErrorKind::InvalidData, what))
}
