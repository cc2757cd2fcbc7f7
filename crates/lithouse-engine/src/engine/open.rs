// SPDX-License-Identifier: Apache-2.0
//! From a folder on the disk to a running engine: store, keeper, environments, and every app taken up where it was.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;

use super::{Declared, Engine, Outcome, declare, hub};
use crate::backup;
use crate::environment::{self, Environments};
use crate::health::{KeeperWatch, Looks};
use crate::home::Home;
use crate::keeper::{CallError, ConnectError, InstanceState, Keeper, KeeperProgram};
use crate::ports::Ports;
use crate::process::Sampler;
use crate::registry::Registry;
use crate::reserve::Reserve;
use crate::shared::{Settings, Shared};
use crate::store::{Store, StoreError};

const MOST_ATTEMPTS: u32 = 20;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(50);

const LAUNCHER: &str = include_str!("../../../../python/launch.py");

/// How many apps' folders are brought up to date at a time.
const FOLDERS_AT_ONCE: usize = 4;

/// Why the engine could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keeper.
    #[error("the keeper could not be reached")]
    Connect(#[from] ConnectError),
    /// The keeper, after it was reached.
    #[error("the keeper did not answer")]
    Keeper(#[from] CallError),
    /// The environments.
    #[error("the environments could not be opened")]
    Environments(#[from] environment::OpenError),
    /// A file of ours could not be written.
    #[error("could not write `{path}`")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl OpenError {
    /// What a person does about it.
    pub fn hint(&self, home: &Home) -> Option<String> {
        match self {
            Self::Store(error) if error.is_damage() => Some(backup::way_back(home)),
            Self::Store(StoreError::Newer { .. }) => Some("start that version, or use another data folder".into()),
            Self::Store(StoreError::Open { .. }) => Some(
                "it must be a file that the user of this server may read and write, in a folder where that user may write".into(),
            ),
            Self::Store(_) | Self::Connect(_) | Self::Keeper(_) | Self::Environments(_) | Self::Write { .. } => None,
        }
    }
}

impl Engine {
    /// Opens the engine on a data folder that the caller has locked, with the apps that a folder or the configuration names. Every
    /// app is known when this returns, and its start has begun.
    pub async fn open(home: Home, settings: Settings, declared: Vec<Declared>) -> Result<(Self, Outcome), OpenError> {
        end_builds(&home).await;
        empty_tmp(&home.tmp()).map_err(|source| OpenError::Write { path: home.tmp(), source })?;
        let launcher = home.tools().join("launch.py");
        write_launcher(&launcher).map_err(|source| OpenError::Write { path: launcher.clone(), source })?;
        refuse_emptied(&home)?;
        let store = Store::open(&home.database()).await?;
        let environments = Environments::open(
            home.clone(),
            environment::Settings {
                uv: settings.uv.clone(),
                python: settings.python.clone(),
                parallel_builds: settings.parallel_builds,
                build_timeout: settings.build_timeout,
                ..environment::Settings::new(environment::GuardProgram::of_this_program())
            },
        )?;
        let program =
            KeeperProgram { program: settings.program.clone(), args: vec!["keeper".into(), "--data".into(), home.root().into()] };
        let (keeper, events) = Keeper::connect(&home, &program).await?;
        let shared = Arc::new(Shared {
            reserve: Reserve::new(home.reserve()),
            ports: Ports::new(settings.port_range.clone()),
            starts: Arc::new(Semaphore::new(settings.parallel_starts)),
            registry: Registry::default(),
            folders: Semaphore::new(FOLDERS_AT_ONCE),
            keeper: ArcSwap::from_pointee(keeper),
            keeper_watch: KeeperWatch::default(),
            looks: Looks::default(),
            home,
            settings,
            store,
            environments,
            launcher,
        });
        shared.reserve.take();
        let outcome = take_up_apps(&shared, declared).await?;
        let hub = tokio::spawn(hub::run(Arc::clone(&shared), program, events)).abort_handle();
        shared.collect_environments().await;
        let (sampler, hub, declaring) = (Arc::new(Sampler::default()), Arc::new(hub), Arc::default());
        let engine = Self { shared, sampler, hub, declaring };
        engine.save_usage_now_and_then();
        engine.back_up_each_day();
        Ok((engine, outcome))
    }
}

/// A file of no bytes is a good database without tables to SQLite. Where there are folders of apps it is all that is left of one
/// that was cut off, and to begin anew with it would end every app.
fn refuse_emptied(home: &Home) -> Result<(), StoreError> {
    let path = home.database();
    let is_empty = |path: &Path| std::fs::metadata(path).is_ok_and(|facts| facts.is_file() && facts.len() == 0);
    let wal = path.with_extension("db-wal");
    let has_wal = wal.exists() && !is_empty(&wal);
    let apps = std::fs::read_dir(home.apps()).into_iter().flatten().flatten();
    let knew_apps = || apps.into_iter().any(|app| app.path().join("meta.json").exists());
    if is_empty(&path) && !has_wal && knew_apps() { Err(StoreError::Empty { path }) } else { Ok(()) }
}

async fn take_up_apps(shared: &Arc<Shared>, declared: Vec<Declared>) -> Result<Outcome, OpenError> {
    let keeper = shared.keeper();
    let mut reports = keeper.list().await?;
    clear_unknown_folders(shared, &shared.store.app_ids().await?);
    let outcome = declare::take_up(shared, declared, &mut reports).await?;
    for report in reports {
        tracing::warn!(app = %report.app, instance = %report.instance, "ending a process of an app that is not known");
        match report.state {
            InstanceState::Alive => keeper.terminate(&report.instance, shared.settings.stop_grace).await?,
            InstanceState::Ended { .. } => keeper.forget(&report.instance).await?,
        }
    }
    Ok(outcome)
}

/// Removes folders of apps that were never stored: a crash came between the two. Such a folder has no `meta.json` yet; one that
/// has it belonged to an app once, which only a lost database explains, so it is left for a person to look at.
fn clear_unknown_folders(shared: &Shared, known: &HashSet<String>) {
    let Ok(entries) = std::fs::read_dir(shared.home.apps()) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(|name| known.contains(name)) {
            continue;
        }
        if entry.path().join("meta.json").exists() {
            tracing::warn!(path = %entry.path().display(), "this folder is of an app that the database does not know; it is left");
        } else if let Err(error) = std::fs::remove_dir_all(entry.path()) {
            tracing::warn!(path = %entry.path().display(), error = %error, "a folder of no app could not be removed");
        }
    }
}

/// Of a server that was killed together with the guard of a build.
async fn end_builds(home: &Home) {
    let tmp = home.tmp();
    match tokio::task::spawn_blocking(move || environment::orphans::end(&tmp)).await {
        Ok(0) | Err(_) => {}
        Ok(count) => tracing::warn!(count, "processes of a build were left behind, and were ended"),
    }
}

fn empty_tmp(tmp: &Path) -> std::io::Result<()> {
    let mut attempts = 0;
    // Builds of a server that has just gone may be dying in there.
    while let Err(error) = try_to_empty(tmp) {
        attempts += 1;
        if attempts > MOST_ATTEMPTS {
            return Err(error);
        }
        std::thread::sleep(BETWEEN_ATTEMPTS);
    }
    Ok(())
}

fn try_to_empty(tmp: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(tmp)? {
        let path = entry?.path();
        if path.is_dir() { std::fs::remove_dir_all(&path)? } else { std::fs::remove_file(&path)? }
    }
    Ok(())
}

/// Written in one step where it differs, so that an upgrade brings its own, a running start never sees half of it, and a full disk
/// keeps no server from coming back.
fn write_launcher(path: &Path) -> std::io::Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|there| there == LAUNCHER) {
        return Ok(());
    }
    let new = path.with_extension("py.new");
    std::fs::write(&new, LAUNCHER)?;
    std::fs::rename(&new, path)
}
