// SPDX-License-Identifier: Apache-2.0
//! Packs what is to be deployed: the engine's packer, with the errors of a command.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use lithouse_engine::bundle::{self, Packed, UnpackLimits, find_entry};

use crate::cli::exit::Exit;

/// Why something could not be packed.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum PackError {
    /// There is no such folder or file.
    #[error("there is no `{}`", .0.display())]
    Missing(PathBuf),
    /// No script in it could be the app.
    #[error("there is no `app.py` in the folder `{}`, nor any other script that could be the app", .0.display())]
    NoEntry(PathBuf),
    /// It cannot be read.
    #[error("could not read `{}`", .path.display())]
    Read {
        /// What.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// The folder cannot be packed as it is.
    #[error(transparent)]
    Folder(#[from] bundle::PackError),
    /// The archive cannot be written.
    #[error("could not write the archive into the folder for temporary files")]
    Write(#[source] io::Error),
}

impl PackError {
    pub(in crate::cli) fn hint(&self) -> Option<String> {
        match self {
            Self::NoEntry(_) => Some("name the script `app.py`, or name the folder that holds it".to_owned()),
            Self::Missing(_) | Self::Read { .. } | Self::Folder(_) | Self::Write(_) => None,
        }
    }

    pub(in crate::cli) fn exit(&self) -> Exit {
        match self {
            Self::Missing(_) | Self::NoEntry(_) => Exit::Usage,
            Self::Read { .. } | Self::Folder(_) | Self::Write(_) => Exit::Failed,
        }
    }
}

/// The path in full, if there is something.
pub(super) fn existing(path: &Path) -> Result<PathBuf, PackError> {
    path.canonicalize().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => PackError::Missing(path.to_owned()),
        _ => PackError::Read { path: path.to_owned(), source },
    })
}

/// Refuses a folder in which a server would find no app.
pub(super) fn check_entry(folder: &Path) -> Result<(), PackError> {
    let subfolders = || std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    // A server looks into a folder that is all there is. Whether this is one shows only when it is packed.
    if find_entry(folder).is_some() || subfolders().any(|subfolder| find_entry(&subfolder).is_some()) {
        return Ok(());
    }
    Err(PackError::NoEntry(folder.to_owned()))
}

/// Packs everything of the folder that belongs to the app, within what a server takes.
pub(super) fn pack(folder: &Path, target: impl Write) -> Result<Packed, PackError> {
    Ok(bundle::pack_tar_gz(folder, target, &UnpackLimits::default())?)
}
