// SPDX-License-Identifier: Apache-2.0
//! Accepts a new app: its files in place, its row stored, its task started, all before the answer and without waiting for a build.

use std::path::PathBuf;
use std::sync::Arc;

use lithouse_core::app::{Desired, Origin};
use lithouse_core::id::{AppId, Key, ReleaseNumber};
use lithouse_core::lifecycle::Memory;
use lithouse_core::limits::Limits;

use super::{Engine, EngineError};
use crate::app::{AppTask, AppView, blocking, checked_entry, take_release};
use crate::shared::{now_ms, random_bytes};
use crate::store::{AppRecord, Recipe, ReleaseRecord, StoreError};

/// A new app whose files lie in a folder of ours.
#[derive(Debug)]
pub struct NewApp {
    /// Its key, if it shall have one.
    pub key: Option<Key>,
    /// What people call it; its key or id if not given.
    pub name: Option<String>,
    /// What it is for.
    pub description: String,
    /// What it may take.
    pub limits: Limits,
    /// Its files; the folder is moved away.
    pub files: PathBuf,
}

impl Engine {
    /// Accepts a new app. It is stored, and its start has begun, when this returns.
    pub async fn create(&self, app: NewApp) -> Result<Arc<AppView>, EngineError> {
        if let Some(key) = &app.key
            && self.shared.registry.is_taken(key)
        {
            return Err(StoreError::Taken { what: "key", value: key.to_string() }.into());
        }
        let entry = checked_entry(&self.shared, &app.files).await?;
        let promised = self.shared.ports.take()?;
        let record = AppRecord { limits: app.limits, ..new_record(app.key, app.name, app.description, None) };
        let release = ReleaseRecord::accepted(ReleaseNumber(1), entry, now_ms());
        let folder = self.shared.home.release(&record.id, release.number);
        blocking(move || take_release(&app.files, &folder)).await?;
        if let Err(error) = self.shared.store.create(&record, &release).await {
            let folder = self.shared.home.app(&record.id);
            // What cannot be removed now is cleared at the next start, since no row knows it.
            let _ = tokio::fs::remove_dir_all(folder).await;
            return Err(error.into());
        }
        let handle = AppTask::start(Arc::clone(&self.shared), record, Some(promised)).await?;
        let view = Arc::clone(&handle.view.borrow());
        Ok(view)
    }
}

pub(crate) fn new_record(key: Option<Key>, name: Option<String>, description: String, folder: Option<PathBuf>) -> AppRecord {
    let id = AppId::from_bytes(random_bytes());
    let first = if folder.is_some() { ReleaseNumber(0) } else { ReleaseNumber(1) };
    AppRecord {
        name: name.unwrap_or_else(|| key.as_ref().map_or_else(|| id.to_string(), ToString::to_string)),
        id,
        key,
        url: None,
        description,
        origin: if folder.is_some() { Origin::Folder } else { Origin::Deployed },
        recipe: Recipe::default(),
        limits: Limits::default(),
        fingerprint: None,
        folder,
        desired: Desired::Running,
        active: None,
        wanted: Some(first),
        head: first,
        restart_on_crash: true,
        env: std::collections::BTreeMap::new(),
        cookie_secret: random_bytes::<32>().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}")),
        created_at_ms: now_ms(),
        last_used_at_ms: None,
        memory: Memory::default(),
    }
}
