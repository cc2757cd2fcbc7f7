// SPDX-License-Identifier: Apache-2.0
//! Empties the folder of a slot, whatever a run has done in it.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Removes what is in a folder and leaves the folder itself. What a run has closed to itself is opened first; what it has nested so
/// deeply that no path leads there is moved up piece by piece.
pub(super) fn empty(folder: &Path) -> io::Result<()> {
    let mut moved = 0_u64;
    loop {
        let entries = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?.collect::<io::Result<Vec<_>>>()?,
        };
        if entries.is_empty() {
            return Ok(());
        }
        for entry in entries {
            if !entry.file_type()?.is_dir() {
                std::fs::remove_file(entry.path())?;
                continue;
            }
            open_to_us(&entry.path())?;
            for inner in std::fs::read_dir(entry.path())? {
                let inner = inner?;
                if inner.file_type()?.is_dir() {
                    open_to_us(&inner.path())?;
                    std::fs::rename(inner.path(), free_name(folder, &mut moved))?;
                } else {
                    std::fs::remove_file(inner.path())?;
                }
            }
            std::fs::remove_dir(entry.path())?;
        }
    }
}

fn free_name(folder: &Path, counter: &mut u64) -> PathBuf {
    loop {
        *counter += 1;
        let path = folder.join(format!(".moved-{counter}"));
        if std::fs::symlink_metadata(&path).is_err() {
            return path;
        }
    }
}

/// A folder without these rights could not be emptied by whoever owns it.
fn open_to_us(folder: &Path) -> io::Result<()> {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_emptied_whatever_a_run_has_done_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside");
        std::fs::write(&outside, "stays").unwrap();
        let slot = folder.path().join("slot");
        std::fs::create_dir_all(slot.join("closed/deeper")).unwrap();
        std::fs::write(slot.join("closed/deeper/file"), "").unwrap();
        std::os::unix::fs::symlink(&outside, slot.join("link")).unwrap();
        std::os::unix::fs::symlink(folder.path(), slot.join("link-to-folder")).unwrap();
        std::fs::set_permissions(slot.join("closed"), std::fs::Permissions::from_mode(0o000)).unwrap();
        let chain = slot.join("chain");
        std::fs::create_dir_all(slot.join(".moved-1/x")).unwrap();
        std::fs::create_dir(&chain).unwrap();
        // Its end is further away than any path that the system takes.
        for _ in 0..1000 {
            std::fs::create_dir(slot.join("outer")).unwrap();
            std::fs::rename(&chain, slot.join("outer/chain")).unwrap();
            std::fs::rename(slot.join("outer"), &chain).unwrap();
        }
        empty(&slot).unwrap();
        assert_eq!(std::fs::read_dir(&slot).unwrap().count(), 0);
        assert_eq!(std::fs::read_to_string(outside).unwrap(), "stays");
        empty(&folder.path().join("none")).unwrap();
    }
}
