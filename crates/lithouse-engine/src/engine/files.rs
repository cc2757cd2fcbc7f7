// SPDX-License-Identifier: Apache-2.0
//! Reading and editing the files of an app. An edit is a new release: a copy of the newest files with one of them replaced.

use std::path::PathBuf;

use lithouse_core::id::ReleaseNumber;

use super::{Engine, EngineError};
use crate::app::Ask;
use crate::bundle::FilePath;
use crate::files::{self, FileEntry};
use crate::shared::random_bytes;

impl Engine {
    /// The files of an app's newest release, sorted by path.
    pub async fn files(&self, name: &str) -> Result<Vec<FileEntry>, EngineError> {
        let folder = self.head_folder(name)?;
        Ok(files::list(folder).await?)
    }

    /// Where one file of the newest release lies; it is a regular file and not a link.
    pub async fn file(&self, name: &str, file: &FilePath) -> Result<PathBuf, EngineError> {
        Ok(files::existing(self.head_folder(name)?, file.clone()).await?)
    }

    /// Makes a new release of the newest files with one file replaced by the file `content`, which is moved away.
    pub async fn write_file(&self, name: &str, file: &FilePath, content: PathBuf) -> Result<ReleaseNumber, EngineError> {
        let copy = self.new_tmp("edit");
        let edit = Ask::Edit { file: file.clone(), content, copy: copy.clone() };
        let edited = self.ask(name, edit).await;
        if edited.is_err() {
            // Whatever was copied is of no use.
            let _ = tokio::fs::remove_dir_all(copy).await;
        }
        Ok(edited?.head)
    }

    /// A path in `tmp` that nobody else has.
    pub fn new_tmp(&self, purpose: &str) -> PathBuf {
        self.shared.home.tmp().join(format!("{purpose}-{:016x}", u64::from_be_bytes(random_bytes())))
    }

    fn head_folder(&self, name: &str) -> Result<PathBuf, EngineError> {
        let view = self.app(name)?;
        Ok(view.folder.clone().unwrap_or_else(|| self.shared.home.release(&view.id, view.head)))
    }
}
