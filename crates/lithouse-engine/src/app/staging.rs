// SPDX-License-Identifier: Apache-2.0
//! What another user's folder asks for, taken over before root acts on it.
//!
//! Where an app runs as its folder's owner, its environment is still built by root. So nothing of the folder steers the build but
//! the names and versions in `requirements.txt`: read once, from a file that is the owner's own and no link, and copied to where the
//! owner cannot change it any more.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use tempfile::TempDir;

use crate::environment::is_plain;

/// Requirements are never longer.
const LONGEST: u64 = 1 << 20;

/// Why no environment is built of another user's folder.
#[derive(Debug, thiserror::Error)]
pub(super) enum StagingError {
    /// It asks for more than packages by name.
    #[error(
        "`{}` belongs to another user, for whom only packages that `requirements.txt` names are installed; \
         make a virtual environment `venv` in the folder with whatever else the app needs", .0.display()
    )]
    TooMuch(PathBuf),
    /// Not a file of the folder's owner.
    #[error("`{}` is not a file of the folder's owner", .0.display())]
    NotTheirs(PathBuf),
    /// It could not be read or copied.
    #[error("could not take over `{}`: {source}", path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A folder with nothing but the requirements of another user's folder.
pub(super) fn staged(folder: &Path, tmp: &Path) -> Result<TempDir, StagingError> {
    for name in ["pyproject.toml", "uv.lock", "uv.toml"] {
        let path = folder.join(name);
        if path.symlink_metadata().is_ok() {
            return Err(StagingError::TooMuch(path));
        }
    }
    let copy = tempfile::Builder::new().prefix("staged-").tempdir_in(tmp).map_err(failed(tmp))?;
    let path = folder.join("requirements.txt");
    if let Some(text) = read(folder, &path)? {
        if !is_plain(&text) {
            return Err(StagingError::TooMuch(path));
        }
        std::fs::write(copy.path().join("requirements.txt"), text).map_err(failed(&path))?;
    }
    Ok(copy)
}

fn read(folder: &Path, path: &Path) -> Result<Option<String>, StagingError> {
    let owner = std::fs::metadata(folder).map_err(failed(folder))?.uid();
    // Neither a link nor a pipe: whoever owns the folder could put either there.
    let opened = rustix::fs::open(path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty());
    let file = match opened {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(rustix::io::Errno::LOOP) => return Err(StagingError::NotTheirs(path.to_owned())),
        Err(errno) => return Err(failed(path)(errno.into())),
    };
    let facts = file.metadata().map_err(failed(path))?;
    if !facts.is_file() || facts.uid() != owner {
        return Err(StagingError::NotTheirs(path.to_owned()));
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).map_err(failed(path))?;
    Ok(Some(text))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> StagingError {
    let path = path.to_owned();
    move |source| StagingError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(requirements: &str) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("requirements.txt"), requirements).unwrap();
        folder
    }

    #[test]
    fn names_and_versions_are_taken_over_and_nothing_that_leads_elsewhere() {
        let tmp = tempfile::tempdir().unwrap();
        let copy = staged(folder("six==1.17.0\n# a comment\npandas\n").path(), tmp.path()).unwrap();
        assert_eq!(std::fs::read_to_string(copy.path().join("requirements.txt")).unwrap(), "six==1.17.0\n# a comment\npandas\n");
        for wrong in
            ["-r /etc/shadow", "-e .", "./pkg", "six @ https://x.example/six.whl", "--index-url https://x.example", "a/b"]
        {
            assert!(matches!(staged(folder(wrong).path(), tmp.path()), Err(StagingError::TooMuch(_))), "{wrong}");
        }
        let project = folder("six\n");
        std::fs::write(project.path().join("pyproject.toml"), "").unwrap();
        assert!(matches!(staged(project.path(), tmp.path()), Err(StagingError::TooMuch(_))));
    }

    #[test]
    fn a_link_or_a_pipe_in_place_of_the_requirements_is_not_read() {
        let tmp = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("requirements.txt");
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert!(matches!(staged(folder.path(), tmp.path()), Err(StagingError::NotTheirs(_))));
        std::fs::remove_file(&path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, Mode::RUSR).unwrap();
        assert!(matches!(staged(folder.path(), tmp.path()), Err(StagingError::NotTheirs(_))));
    }
}
