// SPDX-License-Identifier: Apache-2.0
//! Settings of uv that lie in a folder or above it. They decide what is installed as much as the requirements do.

use std::ffi::OsString;
use std::path::Path;

use toml::{Table, Value};

use super::project::{Kind, Project};
use crate::plain_file;

/// The settings that uv would find when it runs in a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Configuration {
    /// Goes into the key: the same lock from another index is another environment.
    pub(super) text: String,
    /// Makes indexes that only some packages are taken from known to commands that do not look for them.
    pub(super) flags: Vec<OsString>,
}

impl Configuration {
    pub(super) fn of(folder: &Path, project: &Project) -> Self {
        let text = folder.ancestors().find_map(found_in).unwrap_or_default();
        let counts = matches!(project.kind, Kind::Project | Kind::UvLock);
        let indexes =
            project.table.get("tool").and_then(|tool| tool.get("uv")).and_then(|uv| uv.get("index")).and_then(Value::as_array);
        let explicit =
            indexes.into_iter().flatten().filter(|index| counts && index.get("explicit").and_then(Value::as_bool) == Some(true));
        let mut flags: Vec<OsString> = Vec::new();
        for index in explicit {
            let text = |name: &str| index.get(name).and_then(Value::as_str);
            if let Some(url) = text("url") {
                let url = text("name").map_or_else(|| url.to_owned(), |name| format!("{name}={url}"));
                flags.extend(["--index".into(), url.into()]);
            }
        }
        if !flags.is_empty() {
            // Safe only because such a lock carries hashes: a file of another index does not match them.
            flags.extend(["--index-strategy".into(), "unsafe-best-match".into()]);
        }
        Self { text, flags }
    }

    /// Whether the lock must carry hashes, to be installed from these indexes.
    pub(super) fn needs_hashes(&self) -> bool {
        !self.flags.is_empty()
    }
}

/// The settings in one folder: uv takes those of the nearest one that has any.
fn found_in(folder: &Path) -> Option<String> {
    if let Ok(text) = plain_file::read_text(&folder.join("uv.toml")) {
        return Some(text);
    }
    let table: Table = plain_file::read_text(&folder.join("pyproject.toml")).ok()?.parse().ok()?;
    serde_json::to_string(table.get("tool")?.get("uv")?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_a_folder_above_count_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let app = folder.path().join("apps/one");
        std::fs::create_dir_all(&app).expect("folders");
        let project = || Project::read(&app).expect("a readable folder");
        assert_eq!(Configuration::of(&app, &project()), Configuration::default());
        std::fs::write(folder.path().join("uv.toml"), "offline = true").expect("a file");
        assert_eq!(Configuration::of(&app, &project()).text, "offline = true");
        std::fs::write(app.join("pyproject.toml"), "[tool.uv]\nprerelease = 'allow'\n").expect("a file");
        assert!(Configuration::of(&app, &project()).text.contains("prerelease"));
    }

    #[test]
    fn an_index_for_some_packages_only_is_passed_on_and_asks_for_hashes() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = "[project]\nname = 'x'\n[[tool.uv.index]]\nname = 'own'\nurl = 'https://own/simple'\nexplicit = true\n";
        std::fs::write(folder.path().join("pyproject.toml"), text).expect("a file");
        let configuration = Configuration::of(folder.path(), &Project::read(folder.path()).expect("a readable folder"));
        assert_eq!(configuration.flags[..2], ["--index", "own=https://own/simple"]);
        assert!(configuration.needs_hashes());
    }
}
