// SPDX-License-Identifier: Apache-2.0
//! Brings a running server to what its configuration and its folder of apps say now. What is wrong changes nothing.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use lithouse_core::route::PathPrefix;
use lithouse_engine::engine::{self, Declared, Engine, EngineError, FolderApps, Outcome, PassedOver, Revive};
use lithouse_engine::store::Recipe;
use tokio::sync::Mutex;

use crate::config::{App, Around, Config, Environment, Prefix, Problems, Source};

/// Why a refresh changed nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RefreshError {
    /// The configuration is wrong.
    #[error(transparent)]
    Configuration(#[from] Problems),
    /// The apps cannot be found.
    #[error(transparent)]
    Apps(#[from] AppsError),
    /// The engine did not take it.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// The folder of apps cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppsError {
    /// It was served, and is not there any more.
    #[error("there is no folder `{}`", .0.display())]
    NoFolder(PathBuf),
    /// It was said, and is not there.
    #[error("{said} is set to `{}`: there is no such folder", .folder.display())]
    NoSuchFolder {
        /// Where it was said.
        said: String,
        /// The folder.
        folder: PathBuf,
    },
    /// The system does not let us.
    #[error("could not read the folder of apps `{}`: {source}", .folder.display())]
    Unreadable {
        /// The folder.
        folder: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
}

/// What a refresh came to.
#[derive(Debug)]
pub(crate) struct Refreshed {
    /// What became of the apps.
    pub(crate) outcome: Outcome,
    /// Settings that are other ones than those that the server was started with.
    pub(crate) later: Vec<String>,
}

/// Knows how the server was started, and does it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Refresher(Arc<Inner>);

struct Inner {
    engine: Engine,
    source: Source,
    started: Config,
    /// What was last taken. One refresh goes after the other.
    good: Mutex<Config>,
    /// Why the last one was refused, if it was.
    refused: std::sync::Mutex<Option<String>>,
}

impl Refresher {
    /// For a server that was started so, and last took this.
    pub(crate) fn new(engine: Engine, source: Source, started: Config, good: Config) -> Self {
        // A file that lay there at the start is the server's from then on: its absence is a mistake, not an empty configuration.
        let source = source.or_file(started.file.clone());
        Self(Arc::new(Inner { engine, source, started, good: Mutex::new(good), refused: std::sync::Mutex::default() }))
    }

    /// What was last taken.
    pub(crate) async fn good(&self) -> Config {
        self.0.good.lock().await.clone()
    }

    /// Why the last refresh was refused; none if it was taken, or there was none.
    pub(crate) fn refused(&self) -> Option<String> {
        self.0.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads everything again, and takes what changed.
    pub(crate) async fn refresh(&self, revive: Revive) -> Result<Refreshed, RefreshError> {
        let refreshed = self.take(revive).await;
        let refused = refreshed.as_ref().err().map(|error| {
            format!("the last refresh was refused, and the server goes on as it was: {error}; mend it and refresh again")
        });
        *self.0.refused.lock().unwrap_or_else(PoisonError::into_inner) = refused;
        refreshed
    }

    async fn take(&self, revive: Revive) -> Result<Refreshed, RefreshError> {
        let mut good = self.0.good.lock().await;
        let (config, found) = self.read(&good).await?;
        let outcome = self.0.engine.declare(found.apps, revive).await?;
        let later = self.0.started.differences(&config);
        *good = config;
        let passed_over = [found.passed_over, outcome.passed_over].concat();
        Ok(Refreshed { outcome: Outcome { passed_over, ..outcome }, later })
    }

    /// What a refresh would read at this moment, to be told from what it read before.
    pub(crate) async fn look(&self) -> Sight {
        let good = self.good().await;
        tokio::task::spawn_blocking(move || Sight::of(&good)).await.unwrap_or_default()
    }

    async fn read(&self, good: &Config) -> Result<(Config, FolderApps), RefreshError> {
        let config = self.0.source.resolve(&Environment::of_process(), &Around::this_process())?;
        if let (Some(folder), None) = (&good.hosting.folder, &config.hosting.folder)
            && good.file.is_none() == config.file.is_none()
            && good.is_default("hosting.folder")
        {
            // It was served because it lay there. Nobody said that its apps should go.
            return Err(AppsError::NoFolder(folder.clone()).into());
        }
        let reading = config.clone();
        let found = tokio::task::spawn_blocking(move || apps(&reading)).await;
        let found =
            found.map_err(|error| AppsError::Unreadable { folder: PathBuf::new(), source: std::io::Error::other(error) })?;
        Ok((config, found?))
    }
}

/// What there is to be read, by the configuration that was taken last.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sight {
    files: Vec<Option<Vec<u8>>>,
    apps: Vec<(Declared, String)>,
    /// What cannot be served, or why nothing can be seen.
    faults: Vec<String>,
}

impl Sight {
    /// What there is now. It blocks.
    pub(crate) fn of(config: &Config) -> Self {
        let files = config.places().iter().map(|file| std::fs::read(file).ok()).collect();
        match apps(config) {
            Ok(found) => Self {
                files,
                faults: found.passed_over.into_iter().map(|app| app.name).collect(),
                apps: found.apps.into_iter().map(|app| (app.clone(), app.signature())).collect(),
            },
            Err(error) => Self { files, apps: Vec::new(), faults: vec![error.to_string()] },
        }
    }
}

/// The apps that the configuration names, and those of its folder that it does not. It blocks.
pub(crate) fn apps(config: &Config) -> Result<FolderApps, AppsError> {
    let mut all = FolderApps::default();
    all.apps.extend(config.apps.iter().map(|(key, app)| {
        let folder = whole(&app.dir);
        declared(key.clone(), app, folder)
    }));
    let Some(folder) = &config.hosting.folder else { return Ok(all) };
    if !folder.is_dir() {
        let folder = folder.clone();
        return Err(match config.said("hosting.folder") {
            Some(said) => AppsError::NoSuchFolder { said, folder },
            None => AppsError::NoFolder(folder),
        });
    }
    let found = engine::apps_of_folder(folder);
    let found = found.map_err(|source| AppsError::Unreadable { folder: folder.clone(), source })?;
    all.passed_over.extend(found.passed_over);
    for app in found.apps {
        match all.apps.iter().find(|named| named.key == app.key) {
            None => all.apps.push(app),
            Some(named) if named.folder == app.folder => {}
            Some(named) => {
                let name = folder.join(app.key.as_str()).display().to_string();
                let reason = format!("the configuration has an app of that key in `{}`", named.folder.display());
                all.passed_over.push(PassedOver { name, reason });
            }
        }
    }
    Ok(all)
}

fn declared(key: lithouse_core::id::Key, app: &App, folder: PathBuf) -> Declared {
    let prefix = match (&app.command, app.prefix) {
        (Some(_), Prefix::Strip) => PathPrefix::Strip,
        (Some(_), Prefix::Keep) | (None, _) => PathPrefix::Keep,
    };
    Declared {
        key,
        name: app.name.clone(),
        url: app.url.clone(),
        description: app.description.clone(),
        folder,
        origin: lithouse_core::app::Origin::Configured,
        recipe: Recipe { venv: app.venv.as_deref().map(absolute), port: app.port, command: app.command.clone(), prefix },
        limits: app.limits,
        restart_on_crash: app.restart_on_crash,
    }
}

/// The path as it is on the disk, so that a folder has one name.
fn whole(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| absolute(path))
}

/// An app's process begins elsewhere than we did.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
