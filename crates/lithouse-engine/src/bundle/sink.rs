// SPDX-License-Identifier: Apache-2.0
//! Where the entries of every kind of archive go: checked, counted, written beneath one root.
//!
//! The readers of the formats hand over names and bytes as they find them; nothing they say is believed here.

use std::collections::HashMap;
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::path::{FilePath, PathError};
use super::unpack::{UnpackError, UnpackLimits, Unpacked};

/// Names that are left out wherever they stand: what tools leave behind, and what is made anew on the server.
const SKIPPED: [&str; 6] = ["__MACOSX", ".DS_Store", "__pycache__", ".git", ".venv", "venv"];

/// So many entries are looked at for each one that may be kept, since a skipped one costs time too.
const LOOKED_AT_PER_KEPT: u64 = 10;

const COPY_BYTES: usize = 64 * 1024;

/// A name out of an archive as it may be shown: printable and short.
pub(super) fn shown(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    let mut shown: String = text.escape_debug().take(200).collect();
    if text.len() > 200 {
        shown.push('…');
    }
    shown
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    File,
    Folder,
}

/// Takes the entries of one archive.
#[derive(Debug)]
pub(super) struct Sink<'a> {
    root: &'a Path,
    limits: &'a UnpackLimits,
    archive_bytes: u64,
    looked_at: u64,
    /// Bytes that came out of the archive, kept or not.
    inflated: u64,
    kept: HashMap<String, Kept>,
    unpacked: Unpacked,
    buffer: Vec<u8>,
}

impl<'a> Sink<'a> {
    /// A sink that writes beneath `root`, which is empty.
    pub(super) fn new(root: &'a Path, limits: &'a UnpackLimits, archive_bytes: u64) -> Self {
        Self {
            root,
            limits,
            archive_bytes,
            looked_at: 0,
            inflated: 0,
            kept: HashMap::new(),
            unpacked: Unpacked { files: 0, bytes: 0 },
            buffer: vec![0; COPY_BYTES],
        }
    }

    /// Refuses an archive by the number of entries it claims, before any is read. A smaller claim is not believed either.
    pub(super) fn expect_entries(&self, claimed: u64) -> Result<(), UnpackError> {
        if claimed > self.limits.files.saturating_mul(LOOKED_AT_PER_KEPT) {
            return Err(UnpackError::TooMany { limit: self.limits.files });
        }
        Ok(())
    }

    /// Takes the name of the next entry; `None` means that the entry is skipped.
    pub(super) fn admit(&mut self, raw: &[u8]) -> Result<Option<FilePath>, UnpackError> {
        self.looked_at += 1;
        self.expect_entries(self.looked_at)?;
        Self::kept_path(raw).map_err(|reason| UnpackError::name(raw, reason))
    }

    /// The path of an entry; `None` means that the entry is skipped.
    pub(super) fn kept_path(raw: &[u8]) -> Result<Option<FilePath>, PathError> {
        let path = FilePath::from_archive(raw)?;
        Ok(path.filter(|path| !path.names().any(|name| SKIPPED.contains(&name))))
    }

    /// Counts bytes that came out of the archive, and ends it where there are too many for its size.
    pub(super) fn inflate(&mut self, bytes: u64) -> Result<(), UnpackError> {
        self.inflated = self.inflated.saturating_add(bytes);
        let allowed = self.archive_bytes.saturating_mul(self.limits.ratio).max(self.limits.ratio_free_bytes);
        if self.inflated > allowed { Err(UnpackError::TooDense { limit: self.limits.ratio }) } else { Ok(()) }
    }

    /// Makes a folder and those above it.
    pub(super) fn folder(&mut self, path: &FilePath) -> Result<(), UnpackError> {
        self.folders_above(path)?;
        self.make_folder(path.as_str())
    }

    /// Writes a file with everything the reader gives, and returns how much that was. `failed` names what a failing read means.
    pub(super) fn file(
        &mut self,
        path: &FilePath,
        is_executable: bool,
        mut content: impl Read,
        failed: impl Fn(io::Error) -> UnpackError,
    ) -> Result<u64, UnpackError> {
        self.folders_above(path)?;
        match self.kept.insert(path.as_str().to_owned(), Kept::File) {
            None => {}
            Some(Kept::File) => return Err(UnpackError::Duplicate { name: path.to_string() }),
            Some(Kept::Folder) => return Err(UnpackError::FileAndFolder { name: path.to_string() }),
        }
        self.count_kept()?;
        self.unpacked.files += 1;

        let at = path.beneath(self.root);
        let mode = if is_executable { 0o755 } else { 0o644 };
        // `create_new` neither follows a link nor takes what is there already, as a file system that ignores case may have it.
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&at).map_err(|source| {
            if source.kind() == io::ErrorKind::AlreadyExists {
                UnpackError::Duplicate { name: path.to_string() }
            } else {
                UnpackError::Write { path: at.clone(), source }
            }
        })?;
        let write_failed = |source| UnpackError::Write { path: at.clone(), source };
        // The mode given above passes the umask; this one does not.
        file.set_permissions(Permissions::from_mode(mode)).map_err(write_failed)?;
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut written = 0;
        loop {
            let count = match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(error)),
            };
            self.inflate(count as u64)?;
            self.unpacked.bytes += count as u64;
            if self.unpacked.bytes > self.limits.bytes {
                return Err(UnpackError::TooLarge { limit: self.limits.bytes });
            }
            file.write_all(&buffer[..count]).map_err(write_failed)?;
            written += count as u64;
        }
        self.buffer = buffer;
        Ok(written)
    }

    /// What was unpacked, and the single folder that holds all of it, if there is one.
    pub(super) fn finish(self) -> Result<(Unpacked, Option<String>), UnpackError> {
        if self.unpacked.files == 0 {
            return Err(UnpackError::Empty);
        }
        let mut at_top = self.kept.iter().filter(|(path, _)| !path.contains('/'));
        let single_folder = match (at_top.next(), at_top.next()) {
            (Some((name, Kept::Folder)), None) => Some(name.clone()),
            _ => None,
        };
        Ok((self.unpacked, single_folder))
    }

    fn folders_above(&mut self, path: &FilePath) -> Result<(), UnpackError> {
        path.folders().try_for_each(|folder| self.make_folder(folder))
    }

    fn make_folder(&mut self, path: &str) -> Result<(), UnpackError> {
        match self.kept.get(path) {
            Some(Kept::Folder) => return Ok(()),
            Some(Kept::File) => return Err(UnpackError::FileAndFolder { name: path.to_owned() }),
            None => {}
        }
        self.kept.insert(path.to_owned(), Kept::Folder);
        self.count_kept()?;
        let at: PathBuf = self.root.join(path);
        let made = match DirBuilder::new().mode(0o755).create(&at) {
            // Only a file system that ignores case has a folder here that was not made by this very archive.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_real_folder(&at) => Ok(()),
            made => made,
        };
        made.and_then(|()| std::fs::set_permissions(&at, Permissions::from_mode(0o755)))
            .map_err(|source| UnpackError::Write { path: at, source })
    }

    fn count_kept(&self) -> Result<(), UnpackError> {
        self.expect_kept(self.kept.len() as u64)
    }

    /// Refuses so many files and folders if they are too many.
    pub(super) fn expect_kept(&self, count: u64) -> Result<(), UnpackError> {
        if count > self.limits.files { Err(UnpackError::TooMany { limit: self.limits.files }) } else { Ok(()) }
    }
}

fn is_real_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
}
