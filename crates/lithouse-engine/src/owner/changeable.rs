// SPDX-License-Identifier: Apache-2.0
//! Finds what others could change of a folder whose app has our rights.

use std::fs::{DirEntry, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::fingerprint::{DEEPEST, MOST_ENTRIES, counts, is_looked_into};

const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;

/// Why somebody else can change a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// It is theirs.
    Owner,
    /// Its mode lets them.
    Mode,
}

/// The first that is found which neither we nor root alone can change: the folder itself, everything at its top, and beneath that
/// every folder and whatever the app is run from. It blocks.
pub(super) fn find(folder: &Path, us: u32) -> Option<(By, PathBuf)> {
    let mut search = Search { us, entries: MOST_ENTRIES };
    let itself = std::fs::metadata(folder).ok().and_then(|facts| search.judge(&facts));
    itself.map(|by| (by, folder.to_owned())).or_else(|| search.folder(folder, "", 0))
}

struct Search {
    us: u32,
    /// How many may still be looked at.
    entries: usize,
}

impl Search {
    /// Looks into a folder; `path` is its own within the app's, with a final slash.
    fn folder(&mut self, folder: &Path, path: &str, depth: usize) -> Option<(By, PathBuf)> {
        let mut folders = Vec::new();
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten().take(self.entries) {
            self.entries = self.entries.saturating_sub(1);
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(facts) = entry.metadata() else { continue };
            if depth > 0 && !facts.is_dir() && !counts(path, &name) {
                continue;
            }
            if let Some(by) = self.entry(&entry, &facts) {
                return Some((by, entry.path()));
            }
            if facts.is_dir() && depth < DEEPEST && is_looked_into(&name) {
                folders.push((entry.path(), format!("{path}{name}/")));
            }
        }
        folders.into_iter().find_map(|(folder, path)| {
            let is_environment = folder.join("pyvenv.cfg").exists();
            if is_environment { None } else { self.folder(&folder, &path, depth + 1) }
        })
    }

    fn entry(&self, entry: &DirEntry, facts: &Metadata) -> Option<By> {
        if !facts.is_symlink() {
            return self.judge(facts);
        }
        if !self.is_ours(facts) {
            return Some(By::Owner);
        }
        // A link itself has no mode of its own. A folder elsewhere may be open to others, as `/tmp` is.
        match std::fs::metadata(entry.path()) {
            Ok(target) if target.is_file() => self.judge(&target),
            Ok(target) if !self.is_ours(&target) => Some(By::Owner),
            Ok(_) | Err(_) => None,
        }
    }

    fn judge(&self, facts: &Metadata) -> Option<By> {
        if !self.is_ours(facts) {
            return Some(By::Owner);
        }
        let holds_code = facts.is_file() || facts.is_dir();
        // Root's rights are what others must not get by a folder. What an ordinary user opens to others is that user's choice, and
        // some file systems show every mode as open.
        let by_group = facts.gid() != 0 && facts.mode() & GROUP_WRITES != 0;
        let by_mode = by_group || facts.mode() & OTHERS_WRITE != 0;
        (self.us == 0 && holds_code && by_mode).then_some(By::Mode)
    }

    fn is_ours(&self, facts: &Metadata) -> bool {
        facts.uid() == self.us || facts.uid() == 0
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn set(path: &Path, mode: u32) {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_others_may_write_to_is_found_wherever_an_app_is_run_from() {
        let lab = tempfile::tempdir().unwrap();
        let folder = lab.path();
        let us = rustix::process::geteuid().as_raw();
        std::fs::create_dir_all(folder.join("lib/deep/__pycache__")).unwrap();
        std::fs::create_dir_all(folder.join("venv/lib")).unwrap();
        for name in ["app.py", "data.csv", "lib/deep/part.py", "lib/deep/data.csv", "venv/lib/theirs.py"] {
            std::fs::write(folder.join(name), "").unwrap();
            set(&folder.join(name), 0o644);
        }
        symlink("/tmp", folder.join("tmp")).unwrap();
        symlink("nowhere", folder.join("broken")).unwrap();
        assert_eq!(find(folder, us), None);
        if us != 0 {
            set(folder, 0o777);
            assert_eq!(find(folder, us), None, "an ordinary user's modes are that user's choice");
            return;
        }
        for name in ["", "app.py", "data.csv", "lib", "lib/deep", "lib/deep/part.py", "lib/deep/__pycache__", "venv"] {
            let path = if name.is_empty() { folder.to_owned() } else { folder.join(name) };
            let mode = std::fs::metadata(&path).unwrap().mode();
            set(&path, mode | OTHERS_WRITE);
            assert_eq!(find(folder, us), Some((By::Mode, path.clone())), "{name}");
            set(&path, mode);
        }
        // Data below, and what is in a virtual environment, is its owner's affair.
        for name in ["lib/deep/data.csv", "venv/lib/theirs.py"] {
            set(&folder.join(name), 0o666);
            assert_eq!(find(folder, us), None, "{name}");
        }
        let elsewhere = tempfile::NamedTempFile::new().unwrap();
        set(elsewhere.path(), 0o666);
        symlink(elsewhere.path(), folder.join("lib/linked.py")).unwrap();
        assert_eq!(find(folder, us), Some((By::Mode, folder.join("lib/linked.py"))));
    }
}
