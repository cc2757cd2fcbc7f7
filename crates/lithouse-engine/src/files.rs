// SPDX-License-Identifier: Apache-2.0
//! The files in an app's folder: listing, finding and copying them. An app can write links into its folder; none is followed.

use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::bundle::FilePath;

/// What is never shown nor copied: Python makes it anew.
const LEFT_OUT: &str = "__pycache__";

/// One file of an app.
#[derive(Debug, Clone)]
pub struct FileEntry {
    /// Its path in the app's folder, with `/` between its parts.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last changed, in milliseconds since 1970-01-01 UTC.
    pub modified_ms: i64,
}

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// There is no such file.
    #[error("there is no file `{0}` in the app's folder")]
    NoFile(String),
    /// The path is a folder.
    #[error("`{0}` is a folder")]
    IsFolder(String),
    /// A part of the path is a file or a link.
    #[error("`{0}` cannot be written: a part of its path is not a folder")]
    NotAFolder(String),
    /// The disk did not do it.
    #[error("could not {act} `{path}`: {source}")]
    Io {
        /// What was tried.
        act: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl FilesError {
    fn of(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { act, path, source }
    }
}

/// The files beneath a folder, sorted by path.
pub(crate) async fn list(folder: PathBuf) -> Result<Vec<FileEntry>, FilesError> {
    blocking(move || list_now(&folder)).await
}

/// Where one file lies; it is a regular file and not a link.
pub(crate) async fn existing(folder: PathBuf, file: FilePath) -> Result<PathBuf, FilesError> {
    blocking(move || existing_now(&folder, &file)).await
}

/// Copies a folder with one file replaced by `content`, which is moved away.
pub(crate) async fn edited_copy(from: PathBuf, to: PathBuf, file: FilePath, content: PathBuf) -> Result<(), FilesError> {
    blocking(move || edit_now(&from, &to, &file, &content)).await
}

async fn blocking<T: Send + 'static>(act: impl FnOnce() -> Result<T, FilesError> + Send + 'static) -> Result<T, FilesError> {
    tokio::task::spawn_blocking(act).await.unwrap_or_else(|error| Err(FilesError::of("work in", Path::new("data"))(error.into())))
}

fn list_now(folder: &Path) -> Result<Vec<FileEntry>, FilesError> {
    let mut found = Vec::new();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(FilesError::of("read", &folder))? {
            let entry = entry.map_err(FilesError::of("read", &folder))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let Ok(facts) = entry.metadata() else { continue };
            if facts.is_dir() && name != LEFT_OUT {
                folders.push((entry.path(), format!("{prefix}{name}/")));
            } else if facts.is_file() {
                let modified = facts.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
                let modified_ms = modified.and_then(|span| i64::try_from(span.as_millis()).ok()).unwrap_or_default();
                found.push(FileEntry { path: format!("{prefix}{name}"), size: facts.len(), modified_ms });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// The file itself; an app can write links into its folder, and we follow none of them.
fn existing_now(folder: &Path, file: &FilePath) -> Result<PathBuf, FilesError> {
    let no_file = || FilesError::NoFile(file.as_str().to_owned());
    let mut path = folder.to_owned();
    let mut parts = file.as_str().split('/').peekable();
    while let Some(part) = parts.next() {
        path.push(part);
        let facts = std::fs::symlink_metadata(&path).map_err(|_| no_file())?;
        match (facts.is_dir(), parts.peek().is_none()) {
            (true, true) => return Err(FilesError::IsFolder(file.as_str().to_owned())),
            (false, true) if facts.is_file() => {}
            (true, false) => {}
            (false, _) => return Err(no_file()),
        }
    }
    Ok(path)
}

fn edit_now(from: &Path, to: &Path, file: &FilePath, content: &Path) -> Result<(), FilesError> {
    copy_folder(from, to)?;
    let target = to.join(file.as_str());
    if target.is_dir() {
        return Err(FilesError::IsFolder(file.as_str().to_owned()));
    }
    let parent = target.parent().unwrap_or(to);
    std::fs::create_dir_all(parent).map_err(|_| FilesError::NotAFolder(file.as_str().to_owned()))?;
    std::fs::rename(content, &target).map_err(FilesError::of("write", &target))
}

/// Copies files and folders. Links and devices that an app made are left behind.
fn copy_folder(from: &Path, to: &Path) -> Result<(), FilesError> {
    std::fs::create_dir(to).map_err(FilesError::of("make", to))?;
    for entry in std::fs::read_dir(from).map_err(FilesError::of("read", from))? {
        let entry = entry.map_err(FilesError::of("read", from))?;
        let kind = entry.file_type().map_err(FilesError::of("read", &entry.path()))?;
        let target = to.join(entry.file_name());
        if kind.is_dir() && entry.file_name() != LEFT_OUT {
            copy_folder(&entry.path(), &target)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), &target).map_err(FilesError::of("copy", &entry.path()))?;
        }
    }
    Ok(())
}
