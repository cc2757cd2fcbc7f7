// SPDX-License-Identifier: Apache-2.0
//! The files of one log: the newest under its own name, the older ones with a number behind it.
//!
//! Somebody else renames them while we look. Files are known by device and inode and held open, so that neither can be given
//! to another file meanwhile.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How often a look is taken again when files were renamed during it.
const LOOKS: usize = 100;

/// What a file is known by, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// What it is called on its device.
    pub(super) fn inode(self) -> u64 {
        self.inode
    }

    fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    /// The file that is called so at this moment.
    pub(super) fn at(path: &Path) -> io::Result<Option<Self>> {
        Ok(found(path.metadata())?.as_ref().map(Self::of))
    }
}

/// One file of a log, held open.
#[derive(Debug)]
pub(super) struct LogFile {
    pub(super) file: File,
    pub(super) id: FileId,
}

impl LogFile {
    fn open(path: &Path) -> io::Result<Option<Self>> {
        let Some(file) = found(File::open(path))? else { return Ok(None) };
        let id = FileId::of(&file.metadata()?);
        Ok(Some(Self { file, id }))
    }

    /// Whether it still has a name, under which a later look would meet it again.
    pub(super) fn has_name(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| metadata.nlink() > 0)
    }
}

/// The files of a log, seen at one moment.
#[derive(Debug, Default)]
pub(super) struct LogFiles {
    /// The one that is written on; missing for an instant while files are renamed.
    pub(super) newest: Option<LogFile>,
    /// The others, youngest first.
    pub(super) rotated: Vec<LogFile>,
    /// Whether all was seen in one order: the newest stayed the same during the look, so that no rotation came to its end.
    pub(super) is_certain: bool,
}

impl LogFiles {
    /// Looks at the newest file and the older ones, up to the first that is known already.
    pub(super) fn look(path: &Path, is_known: impl Fn(FileId) -> bool) -> io::Result<Self> {
        let mut files = Self::default();
        for _ in 0..LOOKS {
            files = Self::look_once(path, &is_known)?;
            if files.is_certain {
                break;
            }
        }
        Ok(files)
    }

    fn look_once(path: &Path, is_known: impl Fn(FileId) -> bool) -> io::Result<Self> {
        let newest = LogFile::open(path)?;
        let newest_id = newest.as_ref().map(|newest| newest.id);
        let mut rotated: Vec<LogFile> = Vec::new();
        // A rotation in progress leaves one number free for an instant, so the end is where two are.
        let mut free_numbers = 0;
        let mut number = 0;
        while free_numbers < 2 {
            number += 1;
            let Some(file) = LogFile::open(&rotated_path(path, number))? else {
                free_numbers += 1;
                continue;
            };
            free_numbers = 0;
            if is_known(file.id) {
                break;
            }
            // A file that was renamed during the look is met again under its next number.
            if Some(file.id) != newest_id && rotated.iter().all(|seen| seen.id != file.id) {
                rotated.push(file);
            }
        }
        let is_certain = FileId::at(path)? == newest_id;
        Ok(Self { newest, rotated, is_certain })
    }
}

/// The name of the file that was rotated so many times.
pub(super) fn rotated_path(path: &Path, number: usize) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
