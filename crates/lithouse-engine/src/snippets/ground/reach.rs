// SPDX-License-Identifier: Apache-2.0
//! Whether somebody who is nobody could read a path: only then can runs have user ids of their own.

use std::fs::{self, Metadata};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// How many entries of a folder are looked at; all were made by one hand.
const SAMPLE: usize = 200;

/// What we keep beside an environment for ourselves. Python reads none of it, and one of them may hold a secret.
const OUR_OWN: [&str; 2] = ["lithouse.json", "lithouse.lock.txt"];

/// Whether others may read what a path leads to, and, as far as that was looked at, what lies in it for Python.
pub(super) fn is_open(path: &Path) -> bool {
    let Ok(facts) = fs::metadata(path) else { return false };
    if !others_may_read(&facts) {
        return false;
    }
    if !facts.is_dir() {
        return true;
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten().take(SAMPLE);
    let for_python = entries.filter(|entry| !OUR_OWN.iter().any(|name| entry.file_name() == *name));
    for_python.filter_map(|entry| fs::metadata(entry.path()).ok()).all(|facts| others_may_read(&facts))
}

/// Whether others get there from the root of the file system.
pub(super) fn can_be_walked_to(path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    path.ancestors().skip(1).all(|folder| fs::metadata(folder).is_ok_and(|facts| facts.permissions().mode() & 0o001 != 0))
}

fn others_may_read(facts: &Metadata) -> bool {
    let needed = if facts.is_dir() { 0o005 } else { 0o004 };
    facts.permissions().mode() & needed == needed
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_closed_to_others_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (outer, inner): (PathBuf, PathBuf) = (folder.path().join("a"), folder.path().join("a/b"));
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("file"), "").unwrap();
        set(&inner.join("file"), 0o644);
        set(&inner, 0o755);
        set(&outer, 0o700);
        for name in OUR_OWN {
            fs::write(inner.join(name), "").unwrap();
            set(&inner.join(name), 0o600);
        }
        assert!(is_open(&inner) && !can_be_walked_to(&inner));
        set(&inner.join("file"), 0o600);
        assert!(!is_open(&inner));
        assert!(!is_open(&folder.path().join("none")));
        assert!(can_be_walked_to(Path::new("/usr/bin")));
    }
}
