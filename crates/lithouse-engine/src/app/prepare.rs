// SPDX-License-Identifier: Apache-2.0
//! Finds or builds the environment of a release, beside the app's task.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lithouse_core::id::{InstanceId, ReleaseNumber};
use lithouse_core::lifecycle::Event;
use lithouse_sandbox::entry::RunAs;
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument;

use super::folder::give_state;
use super::mail::Outbox;
use super::staging::{StagingError, staged};
use super::venv::{self, VenvError};
use super::{AppTask, Launchable, Message};
use crate::environment::{BuildLog, Environment, PrepareError, Source, Told, Turn, plain_requirements};
use crate::fingerprint;
use crate::owner::{self, OwnerError};
use crate::shared::{Shared, random_bytes};
use crate::store::{AppRecord, ReleaseRecord, StoreError};

/// How long the news of an end may take after a process that was told to end is killed.
const END_AFTER_GRACE: Duration = Duration::from_secs(10);

/// Why a release cannot be started.
#[derive(Debug, thiserror::Error)]
enum PreparationError {
    #[error("release {0} is not stored")]
    NoRelease(ReleaseNumber),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("could not write the build's log: {0}")]
    Log(std::io::Error),
    #[error(transparent)]
    Owner(#[from] OwnerError),
    #[error(transparent)]
    Staging(#[from] StagingError),
    #[error("could not give the app its own folder: {0}")]
    State(std::io::Error),
    #[error(transparent)]
    Venv(#[from] VenvError),
    #[error(transparent)]
    Environment(#[from] PrepareError),
}

impl AppTask {
    /// Begins to find or build; `Message::Prepared` or `Event::PrepareFailed` will tell.
    pub(super) fn prepare(&mut self, release: ReleaseNumber) {
        let shared = Arc::clone(&self.shared);
        let record = self.record.clone();
        let outbox = self.outbox.clone();
        let awaited = self.port_of_one_that_ends();
        let preparing = async move {
            // Before anything is read of them: what changes from now on is another folder than the one that was started.
            let fingerprint = fingerprint_of(&record).await;
            let message = match launchable(&shared, &record, release, &outbox).await {
                Ok(launchable) => {
                    if let Some(port) = awaited {
                        let longest = shared.settings.stop_grace + END_AFTER_GRACE;
                        // What does not come back even then is told as in use.
                        let _ = tokio::time::timeout(longest, shared.ports.given_back(port)).await;
                    }
                    match Arc::clone(&shared.starts).acquire_owned().await {
                        Ok(permit) => Message::Prepared(release, Launchable { fingerprint, ..launchable }, permit),
                        Err(_) => return,
                    }
                }
                Err(error) => Message::Event(Event::PrepareFailed { release, reason: error.to_string() }),
            };
            let _ = outbox.send(message);
        };
        let task = tokio::spawn(preparing.in_current_span());
        if let Some(old) = self.preparing.insert(release, task) {
            old.abort();
        }
    }

    /// The fixed port of the app, if a process of it that is being ended has it still.
    fn port_of_one_that_ends(&self) -> Option<u16> {
        self.record.recipe.port.filter(|port| self.processes.values().any(|process| process.port.number() == *port))
    }

    pub(super) async fn prepared(&mut self, release: ReleaseNumber, launchable: Launchable, permit: OwnedSemaphorePermit) {
        self.preparing.remove(&release);
        let instance = InstanceId::from_bytes(random_bytes());
        self.ready.insert(instance.clone(), (launchable, permit));
        self.happen(Event::Prepared { release, instance: instance.clone() }).await;
        // The life may have changed its mind meanwhile; then nothing took it.
        self.ready.remove(&instance);
    }
}

/// What the files of a person's folder are; nothing of an app whose files are ours.
async fn fingerprint_of(record: &AppRecord) -> Option<String> {
    let folder = record.folder.clone()?;
    tokio::task::spawn_blocking(move || fingerprint::of_folder(&folder)).await.ok()
}

/// All that is needed to start a release, and the user that it runs as.
async fn launchable(
    shared: &Shared,
    record: &AppRecord,
    number: ReleaseNumber,
    outbox: &Outbox,
) -> Result<Launchable, PreparationError> {
    let folder = record.folder.clone();
    let user = blocking(move || Ok(folder.as_deref().map(owner::of_folder).transpose()?.flatten())).await?;
    let launchable = find_or_build(shared, record, number, user.as_ref(), outbox).await?;
    let launchable = Launchable { user, ..launchable };
    let (home, app, launcher) = (shared.home.clone(), record.id.clone(), shared.launcher.clone());
    let folder = record.folder.clone();
    blocking(move || {
        give_state(&home, &app, launchable.user.as_ref()).map_err(PreparationError::State)?;
        if let Some(user) = &launchable.user {
            let python = launchable.venv.as_ref().map(|venv| venv.join("bin/python"));
            for needed in [folder, python, Some(launcher)].into_iter().flatten() {
                owner::can_reach(user, &needed)?;
            }
        }
        Ok(launchable)
    })
    .await
}

async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, PreparationError> + Send + 'static,
) -> Result<T, PreparationError> {
    tokio::task::spawn_blocking(act).await.map_err(|error| PreparationError::State(std::io::Error::other(error)))?
}

/// What an app runs on.
enum Ground {
    /// A virtual environment that a person made.
    Given(PathBuf),
    /// An environment that we find or build.
    Ours,
    /// A command that needs none.
    None,
}

fn ground(folder: &Path, is_in_place: bool, given: Option<PathBuf>, is_streamlit: bool) -> Result<Ground, PreparationError> {
    let own = || Some(folder.join("venv")).filter(|own| is_in_place && own.join("bin/python").exists());
    if let Some(given) = given.or_else(own) {
        venv::check(&given, is_streamlit)?;
        return Ok(Ground::Given(given));
    }
    Ok(if is_streamlit || names_requirements(folder) { Ground::Ours } else { Ground::None })
}

async fn find_or_build(
    shared: &Shared,
    record: &AppRecord,
    number: ReleaseNumber,
    user: Option<&RunAs>,
    outbox: &Outbox,
) -> Result<Launchable, PreparationError> {
    let release = shared.store.release(&record.id, number).await?.ok_or(PreparationError::NoRelease(number))?;
    let folder = record.folder.clone().unwrap_or_else(|| shared.home.release(&record.id, number));
    let is_streamlit = record.recipe.command.is_none();
    let (looked_at, is_in_place, given) = (folder.clone(), record.folder.is_some(), record.recipe.venv.clone());
    let ground = blocking(move || ground(&looked_at, is_in_place, given, is_streamlit)).await?;
    match ground {
        Ground::Given(venv) => return Ok(Launchable::without_ours(Some(venv), release.entry)),
        Ground::None => return Ok(Launchable::without_ours(None, release.entry)),
        Ground::Ours => {}
    }
    // A folder that is served in place may have other requirements by now; a release never has.
    if record.folder.is_none()
        && let Some(key) = release.environment.as_ref().and_then(|key| key.parse().ok())
        && let Some(environment) = shared.environments.find(&key)
    {
        return Ok(Launchable::of(environment, release.entry));
    }
    if record.folder.is_none()
        && let Some(environment) = same_as_before(shared, record, &release, &folder).await?
    {
        shared.store.set_environment(&record.id, number, environment.key.as_str()).await?;
        return Ok(Launchable::of(environment, release.entry));
    }
    build(shared, record, release, Files { folder, user }, outbox).await
}

/// What an environment is built of.
struct Files<'a> {
    folder: PathBuf,
    /// Whose they are, if not ours.
    user: Option<&'a RunAs>,
}

/// Whether a folder says which packages it needs.
fn names_requirements(folder: &Path) -> bool {
    ["requirements.txt", "pyproject.toml", "uv.lock"]
        .iter()
        .any(|name| std::fs::metadata(folder.join(name)).is_ok_and(|facts| !facts.is_dir()))
}

/// The environment of an earlier release with the very same requirements: a change of the code alone must not change what
/// the code runs on, and need not wait for an index.
async fn same_as_before(
    shared: &Shared,
    record: &AppRecord,
    release: &ReleaseRecord,
    folder: &Path,
) -> Result<Option<Environment>, StoreError> {
    let requirements =
        |folder: PathBuf| async move { tokio::task::spawn_blocking(move || plain_requirements(&folder)).await.ok().flatten() };
    let Some(wanted) = requirements(folder.to_owned()).await else { return Ok(None) };
    let earlier = shared.store.releases(&record.id).await?.into_iter().filter(|other| other.number < release.number);
    for other in earlier {
        if requirements(shared.home.release(&record.id, other.number)).await.as_ref() == Some(&wanted)
            && let Some(environment) =
                other.environment.and_then(|key| key.parse().ok()).and_then(|key| shared.environments.find(&key))
        {
            return Ok(Some(environment));
        }
    }
    Ok(None)
}

async fn build(
    shared: &Shared,
    record: &AppRecord,
    release: ReleaseRecord,
    files: Files<'_>,
    outbox: &Outbox,
) -> Result<Launchable, PreparationError> {
    let (outbox, number) = (outbox.clone(), release.number);
    let told = Told::by(move |turn| {
        let event = match turn {
            Turn::Waits => Event::BuildWaits { release: number },
            Turn::Goes => Event::BuildBegan { release: number },
        };
        let _ = outbox.send(Message::Event(event));
    });
    let log = BuildLog::create(&shared.home.build_log(record.log_name())).map_err(PreparationError::Log)?;
    log.write(&format!("release {}: preparing its environment", release.number));
    // What a command runs is its own affair.
    let extra = if record.recipe.command.is_some() { Vec::new() } else { vec!["streamlit".to_owned()] };
    let source = |folder| Source { folder, private_to: record.id.to_string(), extra };
    let environment = if files.user.is_some() {
        let tmp = shared.home.tmp();
        let copy = blocking(move || Ok(staged(&files.folder, &tmp)?)).await?;
        shared.environments.prepare_of_wheels(&source(copy.path().to_owned()), &log, told).await?
    } else {
        shared.environments.prepare_telling(&source(files.folder), &log, told).await?
    };
    shared.store.set_environment(&record.id, release.number, environment.key.as_str()).await?;
    log.write(&format!("release {}: its environment is ready", release.number));
    Ok(Launchable::of(environment, release.entry))
}
