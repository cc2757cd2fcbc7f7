// SPDX-License-Identifier: Apache-2.0
//! A person's own folder of apps, `<folder>/<key>/app.py`.

use std::path::{Path, PathBuf};

use lithouse_core::app::Origin;
use lithouse_core::id::Key;
use lithouse_core::limits::Limits;

use super::declare::{Declared, PassedOver};
use crate::bundle;
use crate::store::Recipe;

/// What a folder of apps holds.
#[derive(Debug, Default)]
pub struct FolderApps {
    /// The apps, by their keys.
    pub apps: Vec<Declared>,
    /// Folders that could be apps and cannot be served.
    pub passed_over: Vec<PassedOver>,
}

/// The apps of a folder: each of its folders with a script in it. It blocks.
pub fn apps_of_folder(folder: &Path) -> std::io::Result<FolderApps> {
    let mut found = FolderApps::default();
    for (name, path) in candidates(folder)? {
        if bundle::find_entry(&path).is_none() {
            continue;
        }
        match name.parse() {
            Ok(key) => found.apps.push(declared(key, path)),
            Err(error) => {
                let hint = Key::suggest(&name).map(|near| format!("; rename the folder, such as `{near}`")).unwrap_or_default();
                let name = folder.join(&name).display().to_string();
                found.passed_over.push(PassedOver { name, reason: format!("{error}{hint}") });
            }
        }
    }
    Ok(found)
}

fn declared(key: Key, folder: PathBuf) -> Declared {
    Declared {
        name: key.to_string(),
        key,
        url: None,
        description: String::new(),
        folder,
        origin: Origin::Folder,
        recipe: Recipe::default(),
        limits: Limits::default(),
        restart_on_crash: true,
    }
}

fn candidates(folder: &Path) -> std::io::Result<Vec<(String, PathBuf)>> {
    let mut candidates: Vec<_> = std::fs::read_dir(folder.canonicalize()?)?
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
        .filter(|(name, _)| !name.starts_with('.') && name != "__pycache__")
        .collect();
    candidates.sort();
    Ok(candidates)
}
