// SPDX-License-Identifier: Apache-2.0
//! Which kind of archive a file is, by its first bytes and never by its name.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::tar::has_valid_checksum;

/// The kinds of archive that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveKind {
    /// A zip.
    Zip,
    /// A tar, compressed with gzip.
    TarGz,
    /// A plain tar.
    Tar,
}

/// Why the kind of an archive could not be told.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// The file could not be read.
    #[error("could not read the archive")]
    Read(#[source] io::Error),
    /// It is an archive of a kind that is not taken.
    #[error("the file is {0}; send a `.zip` or a `.tar.gz`")]
    Unsupported(&'static str),
    /// It is no archive.
    #[error("the file is neither a zip nor a tar archive")]
    NotAnArchive,
}

/// The first bytes of archives that people send, and that are not taken.
const UNSUPPORTED: &[(&[u8], &str)] = &[
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\0", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
];

/// Tells the kind of an archive by its first bytes.
pub fn detect(path: &Path) -> Result<ArchiveKind, DetectError> {
    let mut head = Vec::new();
    File::open(path).and_then(|file| file.take(512).read_to_end(&mut head)).map_err(DetectError::Read)?;
    // A zip starts with an entry, with its directory when it is empty, or with a mark when it was split.
    if [b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"].iter().any(|magic| head.starts_with(*magic)) {
        return Ok(ArchiveKind::Zip);
    }
    if head.starts_with(b"\x1f\x8b") {
        return Ok(ArchiveKind::TarGz);
    }
    if let Some((_, what)) = UNSUPPORTED.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(DetectError::Unsupported(what));
    }
    match <&[u8; 512]>::try_from(head.as_slice()) {
        Ok(block) if has_valid_checksum(block) => Ok(ArchiveKind::Tar),
        _ => Err(DetectError::NotAnArchive),
    }
}
