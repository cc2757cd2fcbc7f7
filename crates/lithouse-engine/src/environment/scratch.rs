// SPDX-License-Identifier: Apache-2.0
//! The folder that one preparation works in, gone when it ends.

use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::error::PrepareError;

/// A private folder in `data/tmp`.
#[derive(Debug)]
pub(super) struct Scratch {
    folder: TempDir,
}

impl Scratch {
    pub(super) fn new(tmp: &Path) -> Result<Self, PrepareError> {
        let folder = tempfile::Builder::new()
            .prefix("build-")
            .tempdir_in(tmp)
            .map_err(|source| PrepareError::io("making a folder in", tmp, source))?;
        Ok(Self { folder })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes a folder in it.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf, PrepareError> {
        let path = self.path().join(name);
        std::fs::create_dir_all(&path).map_err(|source| PrepareError::io("making", &path, source))?;
        Ok(path)
    }

    /// Writes a file in it.
    pub(super) fn file(&self, name: &str, text: &str) -> Result<PathBuf, PrepareError> {
        let path = self.path().join(name);
        let written = std::fs::File::create(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|source| PrepareError::io("writing", &path, source))?;
        Ok(path)
    }
}
