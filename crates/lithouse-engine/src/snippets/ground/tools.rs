// SPDX-License-Identifier: Apache-2.0
//! Our own Python files for snippets, put where the zygote can read them.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../../../../python/snippets/", $name)))),+]
    };
}

/// Each file with its content. `zygote.py` is the program, the others are its package.
const FILES: &[(&str, &str)] = &files![
    "__init__.py",
    "advice.py",
    "cells.py",
    "channel.py",
    "collectors.py",
    "confine.py",
    "control.py",
    "deadline.py",
    "errors.py",
    "files.py",
    "fork_hooks.py",
    "frames.py",
    "gallery.py",
    "limits.py",
    "matplotlib_charts.py",
    "memory.py",
    "output.py",
    "plotly_charts.py",
    "program.py",
    "run.py",
    "safejson.py",
    "table.py",
    "variables.py",
    "warmup.py",
    "words.py",
    "worker.py",
    "zygote.py",
];

/// Writes what differs, each file in one step; a full disk keeps nobody from using what is there already.
pub(super) fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, text) in FILES {
        let path = folder.join(name);
        if fs::read_to_string(&path).is_ok_and(|there| there == *text) {
            continue;
        }
        let new = folder.join(format!("{name}.new"));
        fs::write(&new, text)?;
        // The zygote may be somebody whom nobody knows.
        fs::set_permissions(&new, fs::Permissions::from_mode(0o644))?;
        fs::rename(&new, &path)?;
    }
    for entry in fs::read_dir(folder)?.flatten() {
        let name = entry.file_name();
        if !FILES.iter().any(|(known, _)| name == *known) && entry.path().is_file() {
            // Of another version; if it stays it does no harm.
            let _ = fs::remove_file(entry.path());
        }
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_embedded() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python/snippets");
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let there: BTreeSet<String> = names.filter(|name| Path::new(name).extension().is_some_and(|end| end == "py")).collect();
        assert_eq!(there, FILES.iter().map(|(name, _)| (*name).to_owned()).collect());
    }

    #[test]
    fn files_of_another_version_are_replaced_or_removed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("worker.py"), "old").unwrap();
        fs::write(folder.path().join("gone.py"), "old").unwrap();
        write(folder.path()).unwrap();
        assert!(fs::read_to_string(folder.path().join("worker.py")).unwrap().contains("SPDX"));
        assert!(!folder.path().join("gone.py").exists());
        let before = fs::metadata(folder.path().join("run.py")).unwrap().modified().unwrap();
        write(folder.path()).unwrap();
        assert_eq!(fs::metadata(folder.path().join("run.py")).unwrap().modified().unwrap(), before);
    }
}
