// SPDX-License-Identifier: Apache-2.0
//! Tells the files that a folder is run from from what they were: names, sizes and times, and nothing of their content.
//!
//! What an app writes itself is left out as far as its name tells, so that an app which keeps its data beside its script is not
//! started again for it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sha2::{Digest, Sha256};

/// How many files count at most. A folder with more of them is not a person's app any more.
const MOST_FILES: usize = 5_000;
/// How many entries are looked at on the way to them.
pub(crate) const MOST_ENTRIES: usize = 50_000;
/// How deep folders are looked into.
pub(crate) const DEEPEST: usize = 12;
/// What an app is run from besides its Python files.
const NAMES: [&str; 5] = ["requirements.txt", "pyproject.toml", "uv.lock", ".python-version", "Procfile"];
/// Folders that hold what others made.
const PASSED_OVER: [&str; 3] = ["venv", "__pycache__", "node_modules"];

/// The fingerprint of a folder's files. It blocks.
pub(crate) fn of_folder(folder: &Path) -> String {
    let mut walk = Walk { digest: Sha256::new(), files: 0, entries: 0 };
    walk.folder(folder, "", 0);
    // Which environment runs it; what is in that is its owner's affair.
    walk.digest.update([u8::from(folder.join("venv/bin/python").exists())]);
    walk.digest.finalize().iter().take(16).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

struct Walk {
    digest: Sha256,
    files: usize,
    entries: usize,
}

impl Walk {
    /// Takes a folder in; `path` is its own within the app's, with a final slash.
    fn folder(&mut self, folder: &Path, path: &str, depth: usize) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        let mut entries: Vec<_> = entries.flatten().take(MOST_ENTRIES.saturating_sub(self.entries)).collect();
        self.entries += entries.len();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                if depth < DEEPEST && is_looked_into(&name) && !entry.path().join("pyvenv.cfg").exists() {
                    self.folder(&entry.path(), &format!("{path}{name}/"), depth + 1);
                }
            } else if counts(path, &name) && self.files < MOST_FILES {
                // Of a link, what it leads to.
                if let Ok(facts) = std::fs::metadata(entry.path())
                    && facts.is_file()
                {
                    self.files += 1;
                    self.file(&format!("{path}{name}"), &facts);
                }
            }
        }
    }

    fn file(&mut self, path: &str, facts: &Metadata) {
        self.digest.update(path.as_bytes());
        self.digest.update([0]);
        for number in [i128::from(facts.size()), i128::from(facts.mtime()), i128::from(facts.mtime_nsec())] {
            self.digest.update(number.to_be_bytes());
        }
    }
}

/// Whether a folder is one that an app is run from.
pub(crate) fn is_looked_into(name: &str) -> bool {
    name == ".streamlit" || !(name.starts_with('.') || PASSED_OVER.contains(&name))
}

/// Whether a file is one that an app is run from. `path` is its folder's, with a final slash.
pub(crate) fn counts(path: &str, name: &str) -> bool {
    let ends_with = |end: &str| name.len() > end.len() && name.ends_with(end);
    if path.ends_with(".streamlit/") {
        return ends_with(".toml");
    }
    ends_with(".py") || NAMES.contains(&name) || path.starts_with("pages/")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    fn write(folder: &Path, name: &str, text: &str) {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn lab() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "app.py", "1");
        write(folder.path(), "notes.csv", "1");
        folder
    }

    #[test]
    fn whatever_an_app_is_run_from_changes_it() {
        let names = [
            "app.py",
            "lib/deep/part.py",
            "pages/1_More.py",
            "pages/text.md",
            "requirements.txt",
            "pyproject.toml",
            "uv.lock",
            ".python-version",
            "Procfile",
            ".streamlit/config.toml",
            "venv/bin/python",
        ];
        let folder = lab();
        for name in names {
            let before = of_folder(folder.path());
            assert_eq!(before, of_folder(folder.path()), "the same files have the same fingerprint");
            write(folder.path(), name, "another one");
            assert_ne!(of_folder(folder.path()), before, "{name}");
        }
    }

    #[test]
    fn neither_data_nor_what_others_made_changes_it() {
        let names = [
            "notes.csv",
            "data/sales.db",
            "__pycache__/app.pyc",
            ".git/config.py",
            ".hidden/x.py",
            ".venv/lib/x.py",
            "venv/lib/x.py",
            "node_modules/x.py",
            ".py",
        ];
        let folder = lab();
        write(folder.path(), "environment/pyvenv.cfg", "");
        let before = of_folder(folder.path());
        for name in names.iter().chain(&["environment/lib/x.py", ".streamlit/credentials.bin"]) {
            write(folder.path(), name, "another one");
            assert_eq!(of_folder(folder.path()), before, "{name}");
        }
    }

    #[test]
    fn a_file_of_the_same_size_is_told_by_its_time_and_one_that_is_gone_by_its_absence() {
        let folder = lab();
        let before = of_folder(folder.path());
        let file = std::fs::File::options().write(true).open(folder.path().join("app.py")).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(5)).unwrap();
        let moved = of_folder(folder.path());
        assert_ne!(moved, before);
        std::fs::remove_file(folder.path().join("app.py")).unwrap();
        assert_ne!(of_folder(folder.path()), moved);
    }

    #[test]
    fn a_folder_that_links_into_itself_comes_to_an_end() {
        let folder = lab();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("again")).unwrap();
        assert_eq!(of_folder(folder.path()), of_folder(folder.path()));
    }
}
