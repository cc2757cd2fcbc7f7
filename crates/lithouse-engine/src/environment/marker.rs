// SPDX-License-Identifier: Apache-2.0
//! The completion marker of an environment: written last, so that what was interrupted is never taken for whole.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

const NAME: &str = "lithouse.json";
const LOCK: &str = "lithouse.lock.txt";

/// What the marker says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marker {
    pub(super) python: String,
    pub(super) implementation: String,
    pub(super) platform: String,
    pub(super) uv: String,
    /// RFC 3339, UTC.
    pub(super) created: String,
}

impl Marker {
    /// The marker of a complete environment; none for one that is not.
    pub(super) fn read(environment: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(environment.join(NAME)).ok()?).ok()
    }

    pub(super) fn exists(environment: &Path) -> bool {
        environment.join(NAME).is_file()
    }

    /// Declares an environment complete: its files and the lock reach the disk first, then the marker.
    pub(super) fn write(&self, environment: &Path, lock: &str) -> io::Result<()> {
        write_synced(&environment.join(LOCK), lock.as_bytes())?;
        let folder = File::open(environment)?;
        rustix::fs::syncfs(&folder)?;
        let partial = environment.join("lithouse.json.partial");
        write_synced(&partial, &serde_json::to_vec_pretty(self)?)?;
        std::fs::rename(partial, environment.join(NAME))?;
        folder.sync_all()
    }

    /// Takes the declaration back, before the environment is taken apart.
    pub(super) fn remove(environment: &Path) -> io::Result<()> {
        match std::fs::remove_file(environment.join(NAME)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// For our eyes only: the lock may name an index with its credentials.
fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::options().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}
