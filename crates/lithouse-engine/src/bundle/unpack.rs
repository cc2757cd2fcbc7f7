// SPDX-License-Identifier: Apache-2.0
//! Unpacks an archive that nobody vouches for beneath one fresh folder.
//!
//! What is refused is refused by name, and a refusal leaves nothing behind.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::kind::ArchiveKind;
use super::path::PathError;
use super::sink::{Sink, shown};
use super::{find_entry, tar, zip};

/// How much an archive may hold. Counted as it is written: what the archive says of itself is never believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnpackLimits {
    /// Bytes of all files together.
    pub bytes: u64,
    /// Files and folders together.
    pub files: u64,
    /// How many times larger than the archive its content may be, once it is larger than [`UnpackLimits::ratio_free_bytes`].
    pub ratio: u64,
    /// Up to here the ratio does not count: a small archive may well be text that compresses like nothing else.
    pub ratio_free_bytes: u64,
}

impl Default for UnpackLimits {
    fn default() -> Self {
        Self { bytes: 1 << 30, files: 20_000, ratio: 200, ratio_free_bytes: 10 << 20 }
    }
}

/// What was unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unpacked {
    /// How many files.
    pub files: u64,
    /// Their bytes together.
    pub bytes: u64,
}

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The archive itself could not be read.
    #[error("could not read the archive")]
    Read(#[source] io::Error),
    /// The target has something in it, which unpacking would mix with.
    #[error("the folder `{}` is not empty; an archive is unpacked into a fresh one", .0.display())]
    NotFresh(PathBuf),
    /// A file or folder could not be written.
    #[error("could not write `{}`", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An entry's name is not a path within the app's folder.
    #[error("the archive's entry `{name}` is refused: its name {reason}")]
    Name {
        /// The name, made printable.
        name: String,
        /// Why.
        reason: PathError,
    },
    /// An entry is a link, which could lead anywhere.
    #[error("the archive's entry `{name}` is refused: it is a {what}; put the file itself into the archive")]
    Link {
        /// The name, made printable.
        name: String,
        /// Which kind of link.
        what: &'static str,
    },
    /// An entry is a device, a FIFO, a sparse file or something else that is not a plain file or folder.
    #[error("the archive's entry `{name}` is refused: it is a {what}, and only plain files and folders are taken")]
    Special {
        /// The name, made printable.
        name: String,
        /// What it is.
        what: &'static str,
    },
    /// The same file comes twice.
    #[error("the archive holds the file `{name}` twice")]
    Duplicate {
        /// Its name.
        name: String,
    },
    /// The same name is a file and a folder.
    #[error("the archive holds `{name}` both as a file and as a folder")]
    FileAndFolder {
        /// The name.
        name: String,
    },
    /// Too many files and folders.
    #[error("the archive holds more than {limit} files and folders")]
    TooMany {
        /// How many are allowed.
        limit: u64,
    },
    /// Too many bytes.
    #[error("the archive's files are larger than {limit} bytes together")]
    TooLarge {
        /// How many are allowed.
        limit: u64,
    },
    /// It grows more than honest files do.
    #[error("the archive grows to more than {limit} times its size when unpacked")]
    TooDense {
        /// How many times are allowed.
        limit: u64,
    },
    /// An entry needs a password.
    #[error("the archive's entry `{name}` is encrypted; send an archive without a password")]
    Encrypted {
        /// Its name.
        name: String,
    },
    /// An entry is compressed in a way that is not taken.
    #[error("the archive's entry `{name}` is compressed in an unusual way; only deflate and no compression are taken")]
    Compression {
        /// Its name.
        name: String,
    },
    /// It is one piece of an archive that was split.
    #[error("the archive is one part of several; send it as a single file")]
    MultiPart,
    /// Its end is missing.
    #[error("the archive is cut off before its end; was the upload complete?")]
    Truncated,
    /// The content of an entry is not what was packed.
    #[error("the archive's entry `{name}` is damaged: its checksum does not match")]
    Checksum {
        /// Its name.
        name: String,
    },
    /// A zip says two things of the same entry.
    #[error("the archive's entry `{name}` is refused: the zip's directory calls it otherwise than the entry itself")]
    Disagrees {
        /// Its name in the directory.
        name: String,
    },
    /// It breaks the rules of its format.
    #[error("the archive is damaged")]
    Damaged(#[source] io::Error),
    /// A gzip file with something else in it.
    #[error("the archive holds no tar")]
    NotATar,
    /// There is no file in it, or none but those that are always skipped.
    #[error("the archive holds no file")]
    Empty,
}

impl UnpackError {
    /// Whether the archive is to blame, and so whoever sent it; otherwise it is this machine.
    pub fn is_of_the_archive(&self) -> bool {
        match self {
            Self::Read(_) | Self::NotFresh(_) | Self::Write { .. } => false,
            Self::Name { .. }
            | Self::Link { .. }
            | Self::Special { .. }
            | Self::Duplicate { .. }
            | Self::FileAndFolder { .. }
            | Self::TooMany { .. }
            | Self::TooLarge { .. }
            | Self::TooDense { .. }
            | Self::Encrypted { .. }
            | Self::Compression { .. }
            | Self::MultiPart
            | Self::Truncated
            | Self::Checksum { .. }
            | Self::Disagrees { .. }
            | Self::Damaged(_)
            | Self::NotATar
            | Self::Empty => true,
        }
    }

    /// A name that is refused for this reason.
    pub(super) fn name(raw: &[u8], reason: PathError) -> Self {
        Self::Name { name: shown(raw), reason }
    }

    /// What it means that the archive could not be read on.
    pub(super) fn reading(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Self::Damaged(error),
            _ => Self::Read(error),
        }
    }
}

/// Unpacks the archive into `into`, which is made, or exists and is empty. After an error `into` is gone.
///
/// Version control, virtual environments, bytecode and what macOS adds are left out. When everything lies in one folder and
/// that folder holds the entry file, its content takes the folder's place.
pub fn unpack(archive: &Path, kind: ArchiveKind, into: &Path, limits: &UnpackLimits) -> Result<Unpacked, UnpackError> {
    let file = File::open(archive).map_err(UnpackError::Read)?;
    let archive_bytes = file.metadata().map_err(UnpackError::Read)?.len();
    make_fresh(into)?;
    let unpacked = unpack_into(file, archive_bytes, kind, into, limits);
    if unpacked.is_err() {
        // The error that was met tells more than one met while clearing up.
        let _ = std::fs::remove_dir_all(into);
    }
    unpacked
}

fn unpack_into(
    file: File,
    archive_bytes: u64,
    kind: ArchiveKind,
    into: &Path,
    limits: &UnpackLimits,
) -> Result<Unpacked, UnpackError> {
    let mut sink = Sink::new(into, limits, archive_bytes);
    match kind {
        ArchiveKind::Zip => zip::read(file, &mut sink)?,
        ArchiveKind::TarGz => tar::read_gz(file, &mut sink)?,
        ArchiveKind::Tar => tar::read(std::io::BufReader::new(file), &mut sink)?,
    }
    let (unpacked, single_folder) = sink.finish()?;
    if let Some(name) = single_folder
        && find_entry(&into.join(&name)).is_some()
    {
        lift(into, &name).map_err(|source| UnpackError::Write { path: into.join(name), source })?;
    }
    Ok(unpacked)
}

/// Makes the folder, or makes sure that it is empty, so that whatever is met in it later came out of the archive.
fn make_fresh(into: &Path) -> Result<(), UnpackError> {
    let failed = |source| UnpackError::Write { path: into.to_owned(), source };
    match std::fs::create_dir(into) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let is_folder = into.symlink_metadata().map_err(failed)?.is_dir();
            if is_folder && std::fs::read_dir(into).map_err(failed)?.next().is_none() {
                Ok(())
            } else {
                Err(UnpackError::NotFresh(into.to_owned()))
            }
        }
        Err(error) => Err(failed(error)),
    }
}

/// Puts the content of the folder `name`, which is alone in `root`, in its place.
fn lift(root: &Path, name: &str) -> io::Result<()> {
    // The folder may hold something of its own name, so it steps aside first, to a name that is not among its content.
    let inner = root.join(name);
    let aside = (0..=u16::MAX).map(|n| format!(".lifting-{n}")).find(|aside| !inner.join(aside).exists());
    let aside = root.join(aside.unwrap_or_default());
    std::fs::rename(&inner, &aside)?;
    for entry in std::fs::read_dir(&aside)? {
        let entry = entry?;
        std::fs::rename(entry.path(), root.join(entry.file_name()))?;
    }
    std::fs::remove_dir(aside)
}
