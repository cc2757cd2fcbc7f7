// SPDX-License-Identifier: Apache-2.0
//! Python environments: locked, then built once for everybody who asks for the same.
//!
//! Owns `data/envs` and uv. An environment is named by a hash of its lock, its Python and the platform; it is built in its place,
//! with bytecode compiled, gets its completion marker last and is never changed afterwards. Knows nothing of apps: who uses which
//! environment is told to [`Environments::collect`]. Everything that a build starts lives under [`crate::guard`].

mod build;
mod command;
mod configuration;
mod counts;
mod error;
mod explain;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod interpreter;
mod key;
mod local;
mod lock;
mod log;
mod marker;
pub(crate) mod orphans;
mod pip;
mod prepare;
mod project;
mod recent;
mod requirements;
mod scratch;
mod sent;
mod slot;
pub mod survey;
mod uv;
mod variables;

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lithouse_core::policy::Python;
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;

pub use self::command::GuardProgram;
pub use self::counts::{BuildCounts, Tools};
pub use self::error::PrepareError;
pub use self::key::{EnvironmentKey, NotAKey};
pub use self::log::BuildLog;
pub(crate) use self::recent::{is_plain, plain_requirements};
pub use self::sent::RequirementsError;
pub(crate) use self::sent::check_sent;
pub use self::variables::Variables;

use self::build::{is_held, python_of, remove};
use self::counts::Counts;
use self::interpreter::Interpreter;
use self::marker::Marker;
pub(crate) use self::prepare::{Told, Turn};

use self::prepare::Preparation;
use self::recent::RecentLocks;
use self::slot::{Slot, Slots};
use self::uv::UvTool;
use crate::home::Home;

/// How environments are built.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The uv to use; none for that of the search path, or one that is installed on first need.
    pub uv: Option<PathBuf>,
    /// The Python to use; none for the newest on the search path that is 3.10 or newer.
    pub python: Option<PathBuf>,
    /// How many builds may run at a time.
    pub parallel_builds: usize,
    /// How long one build may take.
    pub build_timeout: Duration,
    /// What starts the guard.
    pub guard: GuardProgram,
    /// The variables that builds get their allowlisted ones from.
    pub variables: Variables,
}

impl Settings {
    /// The defaults: nothing configured, two builds at a time, half an hour for each, the variables of this process.
    pub fn new(guard: GuardProgram) -> Self {
        Self {
            uv: None,
            python: None,
            parallel_builds: 2,
            build_timeout: Duration::from_mins(30),
            guard,
            variables: Variables::ambient(),
        }
    }
}

/// What an environment is wanted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Holds `uv.lock` and `pyproject.toml`, or `pyproject.toml`, or `requirements.txt`, or none of them.
    pub folder: PathBuf,
    /// Whom an environment belongs to alone when its lock names local paths.
    pub private_to: String,
    /// Requirements to add where the folder's own do not name the package, such as `streamlit`.
    pub extra: Vec<String>,
}

/// Which packages may be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packages {
    /// Those that are built first, too, which runs code of theirs.
    Any,
    /// Ready-made ones.
    Wheels,
}

/// A complete environment. It is not collected while this value, or a clone of it, lives.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Its name.
    pub key: EnvironmentKey,
    /// The virtual environment.
    pub path: PathBuf,
    /// Its interpreter.
    pub python: PathBuf,
    /// The version of that, such as `3.12.1`.
    pub python_version: String,
    _held: Arc<Slot>,
}

/// Why environments cannot be managed in a data folder.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder of environments cannot be read.
    #[error("reading `{}` failed: {source}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
}

/// Manages the environments of a data folder. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Environments {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    home: Home,
    settings: Settings,
    uv: UvTool,
    python: Mutex<Option<Interpreter>>,
    lockings: Semaphore,
    permits: Semaphore,
    slots: Slots,
    recent: RecentLocks,
    counts: Counts,
}

impl Environments {
    /// Takes charge of the environments of a data folder, and removes those that an interrupted build has left half-made.
    pub fn open(home: Home, settings: Settings) -> Result<Self, OpenError> {
        let envs = home.envs();
        for (_, place) in environments_in(&envs).map_err(|source| OpenError::Read { path: envs.clone(), source })? {
            if !Marker::exists(&place) && !is_held(&place) {
                // If this fails, so does the next build of it, which then says why.
                let _ = remove(&place);
            }
        }
        let uv = UvTool::new(settings.uv.clone(), &home.tools());
        let parallel = || Semaphore::new(settings.parallel_builds.max(1));
        let (lockings, permits) = (parallel(), parallel());
        Ok(Self {
            shared: Arc::new(Shared {
                home,
                settings,
                uv,
                python: Mutex::default(),
                lockings,
                permits,
                slots: Slots::default(),
                recent: RecentLocks::default(),
                counts: Counts::default(),
            }),
        })
    }

    /// The language of this server's Python, if there is one.
    pub(crate) async fn language(&self) -> Option<Python> {
        Python::of_interpreter(&self.shared.python().await.ok()?.version)
    }

    /// Locks what a folder asks for, then finds or builds the environment. Progress goes to the log as it comes, and so does the reason
    /// of a failure. Dropping the future ends the build and everything that it has started; whoever waits for the same environment
    /// then builds it instead.
    pub async fn prepare(&self, source: &Source, log: &BuildLog) -> Result<Environment, PrepareError> {
        self.prepare_of(source, Packages::Any, log, Told::nobody()).await
    }

    /// The same, and tells whenever it waits for other builds or goes on.
    pub(crate) async fn prepare_telling(&self, source: &Source, log: &BuildLog, told: Told) -> Result<Environment, PrepareError> {
        self.prepare_of(source, Packages::Any, log, told).await
    }

    /// That of ready-made packages alone: nothing that they hold is run meanwhile, for whoever asks for them is not to have our
    /// rights.
    pub(crate) async fn prepare_of_wheels(
        &self,
        source: &Source,
        log: &BuildLog,
        told: Told,
    ) -> Result<Environment, PrepareError> {
        self.prepare_of(source, Packages::Wheels, log, told).await
    }

    async fn prepare_of(
        &self,
        source: &Source,
        packages: Packages,
        log: &BuildLog,
        told: Told,
    ) -> Result<Environment, PrepareError> {
        let cancelled = CancellationToken::new();
        let _ends_with_this_future = cancelled.clone().drop_guard();
        let (shared, source) = (Arc::clone(&self.shared), source.clone());
        let preparation = Preparation { shared, source, packages, log: log.clone(), told, cancelled };
        // A task of its own, because ending a build and clearing up after it takes longer than a drop may.
        let prepared = tokio::spawn(preparation.run()).await.unwrap_or(Err(PrepareError::Cancelled));
        if let Err(error) = &prepared {
            log.write(&format!("failed: {error}"));
            if let Some(hint) = error.hint() {
                log.write(&format!("hint: {hint}"));
            }
        }
        prepared
    }

    /// How builds went since the server came up.
    pub fn build_counts(&self) -> BuildCounts {
        let Shared { settings, permits, counts, .. } = &*self.shared;
        let running = settings.parallel_builds.max(1).saturating_sub(permits.available_permits());
        counts.read(running as u64)
    }

    /// Whether there is what environments are built with, as far as a build has asked for it.
    pub fn tools(&self) -> Tools {
        self.shared.counts.tools()
    }

    /// Finds a complete environment.
    pub fn find(&self, key: &EnvironmentKey) -> Option<Environment> {
        self.shared.find(key)
    }

    /// Removes every environment that is neither wanted nor held, and answers which.
    pub async fn collect(&self, wanted: &HashSet<EnvironmentKey>) -> Result<Vec<EnvironmentKey>, io::Error> {
        let mut collected = Vec::new();
        for (key, place) in environments_in(&self.shared.home.envs())? {
            if wanted.contains(&key) || is_held(&place) {
                continue;
            }
            let tmp = self.shared.home.tmp();
            // Out of the way in one step; what takes its time then happens where nobody looks for environments.
            let moved = self.shared.slots.if_free(&key, || {
                let grave = tempfile::Builder::new().prefix("collected-").tempdir_in(tmp)?;
                Marker::remove(&place)?;
                std::fs::rename(&place, grave.path().join(key.as_str()))?;
                Ok::<_, io::Error>(grave)
            });
            if let Some(grave) = moved.transpose()? {
                tokio::task::spawn_blocking(move || grave.close()).await.map_err(io::Error::other)??;
                collected.push(key);
            }
        }
        Ok(collected)
    }
}

impl Shared {
    fn place(&self, key: &EnvironmentKey) -> PathBuf {
        self.home.envs().join(key.as_str())
    }

    fn find(&self, key: &EnvironmentKey) -> Option<Environment> {
        let held = self.slots.hold(key);
        let path = self.place(key);
        let python = python_of(&path);
        let marker = Marker::read(&path)?;
        // The interpreter is a link to one that may have been removed since.
        python.exists().then(|| Environment { key: key.clone(), path, python, python_version: marker.python, _held: held })
    }
}

/// All environments of a folder, complete or not.
fn environments_in(envs: &Path) -> io::Result<Vec<(EnvironmentKey, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(envs)? {
        let entry = entry?;
        if let Some(key) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
            found.push((key, entry.path()));
        }
    }
    Ok(found)
}
