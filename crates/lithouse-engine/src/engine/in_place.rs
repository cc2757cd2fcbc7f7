// SPDX-License-Identifier: Apache-2.0
//! Apps that are served from a person's own folder, `<folder>/<key>/app.py`.

use std::path::Path;
use std::sync::Arc;

use lithouse_core::id::{Key, ReleaseNumber};

use super::create::new_record;
use super::{Engine, EngineError};
use crate::app::AppTask;
use crate::bundle;
use crate::shared::now_ms;
use crate::store::ReleaseRecord;

/// What was found in a folder of apps.
#[derive(Debug, Default)]
pub struct Found {
    /// The keys of the apps that are served.
    pub keys: Vec<Key>,
    /// Folders that could be apps and are not served, with the reason.
    pub passed_over: Vec<(String, String)>,
}

impl Engine {
    /// Serves every app of a folder that is not served yet.
    pub async fn serve_folder(&self, folder: &Path) -> Result<Found, EngineError> {
        let mut found = Found::default();
        for (name, path) in candidates(folder) {
            let Some(entry) = bundle::find_entry(&path) else { continue };
            match name.parse::<Key>() {
                Ok(_) if !is_ours(&path) => {
                    let why = "it belongs to another user, and an app would run with the rights of this server";
                    found.passed_over.push((name, why.to_owned()));
                }
                Ok(key) => {
                    if let Some(app) = self.shared.registry.find(key.as_str()) {
                        if app.view.borrow().folder.as_deref() != Some(path.as_path()) {
                            found.passed_over.push((name, "another app has that key".to_owned()));
                            continue;
                        }
                    } else {
                        let record = new_record(Some(key.clone()), None, String::new(), Some(path));
                        self.shared.store.create(&record, &ReleaseRecord::accepted(ReleaseNumber(0), entry, now_ms())).await?;
                        AppTask::start(Arc::clone(&self.shared), record, Vec::new(), None).await?;
                    }
                    found.keys.push(key);
                }
                Err(error) => found.passed_over.push((name, error.to_string())),
            }
        }
        Ok(found)
    }
}

/// Whether the folder and its files at the top are this process's user's: an app has the server's rights, so that whoever could
/// change the app would have them too.
fn is_ours(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let us = rustix::process::geteuid().as_raw();
    let owner = |path: &Path| std::fs::metadata(path).ok().map(|facts| facts.uid());
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    // What root owns only root can change.
    std::iter::once(folder.to_owned()).chain(entries).all(|path| owner(&path).is_none_or(|uid| uid == us || uid == 0))
}

fn candidates(folder: &Path) -> Vec<(String, std::path::PathBuf)> {
    let Ok(folder) = folder.canonicalize() else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir(&folder) else { return Vec::new() };
    let mut candidates: Vec<_> = entries
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
        .filter(|(name, _)| !name.starts_with('.') && name != "__pycache__")
        .collect();
    candidates.sort();
    candidates
}
