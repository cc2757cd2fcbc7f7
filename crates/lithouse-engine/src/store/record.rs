// SPDX-License-Identifier: Apache-2.0
//! The rows of the store as values.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lithouse_core::app::{Desired, Origin};
use lithouse_core::id::{AppId, Key, ReleaseNumber};
use lithouse_core::lifecycle::Memory;
use lithouse_core::limits::Limits;
use lithouse_core::route::PathPrefix;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::StoreError;

/// One app as it is stored. Times are milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone)]
pub struct AppRecord {
    /// Its id.
    pub id: AppId,
    /// Its key, if it has one.
    pub key: Option<Key>,
    /// Its path, if it is not the key.
    pub url: Option<Key>,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The folder of an app that is served in place.
    pub folder: Option<PathBuf>,
    /// Who says that it is there.
    pub origin: Origin,
    /// How it is run.
    pub recipe: Recipe,
    /// What it may take.
    pub limits: Limits,
    /// Tells its files from what they were when its process was started, if they are a person's folder.
    pub fingerprint: Option<String>,
    /// What people want of it.
    pub desired: Desired,
    /// The release that visitors get.
    pub active: Option<ReleaseNumber>,
    /// The release on its way to that.
    pub wanted: Option<ReleaseNumber>,
    /// The release whose files people read and edit.
    pub head: ReleaseNumber,
    /// Whether a crash is followed by a restart.
    pub restart_on_crash: bool,
    /// The variables that people set.
    pub env: BTreeMap<String, String>,
    /// Signs the app's own cookies, so that they outlive its process.
    pub cookie_secret: String,
    /// When it was created.
    pub created_at_ms: i64,
    /// When it was last asked for.
    pub last_used_at_ms: Option<i64>,
    /// What is known of its crashes.
    pub memory: Memory,
}

/// How an app is run, where that is not left to us.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Recipe {
    /// The virtual environment that it runs in.
    pub venv: Option<PathBuf>,
    /// Its internal port.
    pub port: Option<u16>,
    /// A shell line that serves on `$PORT`, for what is not a Streamlit script.
    pub command: Option<String>,
    /// Whether an app with a command sees its path with the prefix.
    pub prefix: PathPrefix,
}

impl AppRecord {
    /// Its one canonical path is `/apps/<path_name>/`.
    pub fn path_name(&self) -> &str {
        self.url.as_ref().or(self.key.as_ref()).map_or(self.id.as_str(), Key::as_str)
    }

    /// The name of its log files: its key, else its id.
    pub fn log_name(&self) -> &str {
        self.key.as_ref().map_or(self.id.as_str(), Key::as_str)
    }

    pub(super) fn read(row: &SqliteRow) -> Result<Self, StoreError> {
        let env: String = row.try_get("env")?;
        Ok(Self {
            id: parsed(&row.try_get::<String, _>("id")?)?,
            key: row.try_get::<Option<String>, _>("key")?.as_deref().map(parsed).transpose()?,
            url: row.try_get::<Option<String>, _>("url")?.as_deref().map(parsed).transpose()?,
            name: row.try_get("name")?,
            description: row.try_get("description")?,
            folder: row.try_get::<Option<String>, _>("folder")?.map(PathBuf::from),
            origin: parsed(&row.try_get::<String, _>("origin")?)?,
            recipe: from_json(&row.try_get::<String, _>("recipe")?)?,
            limits: from_json(&row.try_get::<String, _>("limits")?)?,
            fingerprint: row.try_get("fingerprint")?,
            desired: parsed(&row.try_get::<String, _>("desired")?)?,
            active: row.try_get::<Option<u32>, _>("active")?.map(ReleaseNumber),
            wanted: row.try_get::<Option<u32>, _>("wanted")?.map(ReleaseNumber),
            head: ReleaseNumber(row.try_get("head")?),
            restart_on_crash: row.try_get("restart_on_crash")?,
            env: from_json(&env)?,
            cookie_secret: row.try_get("cookie_secret")?,
            created_at_ms: row.try_get("created_at")?,
            last_used_at_ms: row.try_get("last_used_at")?,
            memory: from_json(&row.try_get::<String, _>("memory")?)?,
        })
    }
}

/// The app that a release's row belongs to.
pub(super) fn app_of(row: &SqliteRow) -> Result<AppId, StoreError> {
    parsed(&row.try_get::<String, _>("app")?)
}

pub(super) fn env_text(env: &BTreeMap<String, String>) -> String {
    env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<serde_json::Value>().to_string()
}

pub(super) fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Damaged(error.to_string()))
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Damaged(error.to_string()))
}

fn parsed<T>(text: &str) -> Result<T, StoreError>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| StoreError::Damaged(error.to_string()))
}

/// How far a release came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseState {
    /// Accepted; neither ready nor failed yet.
    Pending,
    /// It was healthy and proved.
    Ready,
    /// Its build or its start failed.
    Failed,
}

impl ReleaseState {
    /// The word that is stored, and that the API tells.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Failed => "failed",
        }
    }
}

/// One release as it is stored.
#[derive(Debug, Clone)]
pub struct ReleaseRecord {
    /// Its number within the app.
    pub number: ReleaseNumber,
    /// How far it came.
    pub state: ReleaseState,
    /// Whether visitors ever got it.
    pub served: bool,
    /// The script that is run, relative to the release's folder.
    pub entry: String,
    /// The key of its environment.
    pub environment: Option<String>,
    /// Why it failed.
    pub reason: Option<String>,
    /// When it was accepted, in milliseconds since 1970-01-01 UTC.
    pub created_at_ms: i64,
}

impl ReleaseRecord {
    /// A release that was accepted at this time, and no more.
    pub(crate) fn accepted(number: ReleaseNumber, entry: String, created_at_ms: i64) -> Self {
        let state = ReleaseState::Pending;
        Self { number, state, served: false, entry, environment: None, reason: None, created_at_ms }
    }

    pub(super) fn read(row: &SqliteRow) -> Result<Self, StoreError> {
        let state: String = row.try_get("state")?;
        Ok(Self {
            number: ReleaseNumber(row.try_get("number")?),
            state: match state.as_str() {
                "pending" => ReleaseState::Pending,
                "ready" => ReleaseState::Ready,
                "failed" => ReleaseState::Failed,
                other => return Err(StoreError::Damaged(format!("`{other}` is not a release's state"))),
            },
            served: row.try_get("served")?,
            entry: row.try_get("entry")?,
            environment: row.try_get("environment")?,
            reason: row.try_get("reason")?,
            created_at_ms: row.try_get("created_at")?,
        })
    }
}
