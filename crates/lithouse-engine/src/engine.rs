// SPDX-License-Identifier: Apache-2.0
//! The façade: everything that Lithouse can do with apps. CLI, API and console have no other way in.

mod create;
mod declare;
mod files;
mod hub;
mod in_place;
mod open;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use lithouse_core::id::{AppId, InstanceId, ReleaseNumber};
use lithouse_core::route::{RouteTable, UsageCounts};
use tokio::sync::Mutex;
use tokio::task::AbortHandle;

use crate::app::{AppHandle, AppView, Ask, AskError, Change, FolderError, Message};
use crate::backup;
use crate::environment::Environments;
use crate::home::Home;
use crate::keeper::CallError;
use crate::kept;
use crate::process::{Sampler, Use};
use crate::shared::Shared;
use crate::store::{ReleaseRecord, StoreError};

pub use crate::files::{FileEntry, FilesError};
pub use create::NewApp;
#[cfg(test)]
pub(crate) use create::new_record;
pub use declare::{Declared, Outcome, PassedOver, Revive};
pub(crate) use declare::{Difference, Looked, compare, declared_as, to_be_replaced};
pub use in_place::{FolderApps, apps_of_folder};
pub use open::OpenError;

pub use crate::ports::NoFreePort;

/// How often the times of use are stored.
const SAVE_USAGE: Duration = Duration::from_secs(60);
/// How long an app's task may take to come to a point where it can be left.
const LEAVING_PATIENCE: Duration = Duration::from_secs(5);
/// How long a deletion may take before whoever asked is told that it goes on without them.
const DELETION_PATIENCE: Duration = Duration::from_secs(60);

/// Why the engine did not do what was asked. Nothing has changed then, unless the variant says so.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// There is no such app.
    #[error("there is no app `{0}`")]
    NotFound(String),
    /// The app did not take the wish.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// Every port of the range is taken.
    #[error(transparent)]
    NoFreePort(#[from] NoFreePort),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A folder could not be changed.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file could not be read or written.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The keeper did not answer as it should.
    #[error(transparent)]
    Keeper(#[from] CallError),
    /// A deletion was begun and goes on.
    #[error("the app `{0}` is being deleted, which takes longer than usual")]
    StillDeleting(AppId),
}

/// Which of an app's logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogStream {
    /// What the app printed, and what happened to its process.
    Run,
    /// What its builds printed.
    Build,
}

/// The open engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    sampler: Arc<Sampler>,
    hub: Arc<AbortHandle>,
    /// One declaration after the other.
    declaring: Arc<Mutex<()>>,
}

impl Engine {
    /// The data folder.
    pub fn home(&self) -> &Home {
        &self.shared.home
    }

    /// The environments of the data folder.
    pub fn environments(&self) -> &Environments {
        &self.shared.environments
    }

    /// The table that the proxy reads.
    pub fn routes(&self) -> Arc<ArcSwap<RouteTable>> {
        self.shared.registry.routes()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// How much an app was used since the server came up.
    pub fn usage_counts(&self, app: &AppId) -> UsageCounts {
        self.shared.registry.usage_if_any(app).map(|usage| usage.counts()).unwrap_or_default()
    }

    /// The keeper's process.
    pub fn keeper_pid(&self) -> u32 {
        self.shared.keeper().pid()
    }

    /// Every app, oldest first; those that were created at the same time, as those of a folder are, by their keys.
    pub fn apps(&self) -> Vec<Arc<AppView>> {
        let mut views: Vec<_> = self.shared.registry.all().iter().map(|handle| Arc::clone(&handle.view.borrow())).collect();
        views.sort_by(|a, b| (a.created_at_ms, &a.key, &a.id).cmp(&(b.created_at_ms, &b.key, &b.id)));
        views
    }

    /// One app by its id or key.
    pub fn app(&self, name: &str) -> Result<Arc<AppView>, EngineError> {
        Ok(Arc::clone(&self.handle(name)?.view.borrow()))
    }

    /// When an app was last used, in milliseconds since 1970-01-01 UTC.
    pub fn last_used_ms(&self, view: &AppView) -> Option<i64> {
        self.shared.registry.usage(&view.id).last_used_ms().or(view.last_used_at_ms)
    }

    /// Memory and processor time of apps' processes with all their descendants, by the apps' own process.
    pub async fn usage(&self, pids: Vec<u32>) -> HashMap<u32, Use> {
        let sampler = Arc::clone(&self.sampler);
        tokio::task::spawn_blocking(move || sampler.sample(&pids)).await.unwrap_or_default()
    }

    /// The most memory that each app's process used at once, in bytes, by instance; empty where nobody knows.
    pub async fn memory_peaks(&self) -> HashMap<InstanceId, u64> {
        self.shared.keeper().peaks().await.unwrap_or_default().into_iter().collect()
    }

    /// Starts an app.
    pub async fn start(&self, name: &str) -> Result<Arc<AppView>, EngineError> {
        self.ask(name, Ask::Start).await
    }

    /// Stops an app.
    pub async fn stop(&self, name: &str) -> Result<Arc<AppView>, EngineError> {
        self.ask(name, Ask::Stop).await
    }

    /// Ends an app's process and starts it again.
    pub async fn restart(&self, name: &str) -> Result<Arc<AppView>, EngineError> {
        self.ask(name, Ask::Restart).await
    }

    /// Changes what may be changed of an app.
    pub async fn change(&self, name: &str, change: Change) -> Result<Arc<AppView>, EngineError> {
        self.ask(name, Ask::Change(change)).await
    }

    /// Takes the files of a folder as a new release; the folder is moved away.
    pub async fn release(&self, name: &str, folder: PathBuf) -> Result<ReleaseNumber, EngineError> {
        Ok(self.ask(name, Ask::Release(folder)).await?.head)
    }

    /// Makes a release that is there already the active one.
    pub async fn activate(&self, name: &str, number: ReleaseNumber) -> Result<Arc<AppView>, EngineError> {
        self.ask(name, Ask::Activate(number)).await
    }

    /// All releases of an app, newest first.
    pub async fn releases(&self, name: &str) -> Result<Vec<ReleaseRecord>, EngineError> {
        let id = self.handle(name)?.view.borrow().id.clone();
        Ok(self.shared.store.releases(&id).await?)
    }

    /// The release that visitors get, if any was ever ready.
    pub fn active_release(&self, name: &str) -> Result<Option<ReleaseNumber>, EngineError> {
        Ok(self.app(name)?.active)
    }

    /// Deletes an app and returns when all of it is gone.
    pub async fn delete(&self, name: &str) -> Result<(), EngineError> {
        let handle = self.handle(name)?;
        let id = handle.view.borrow().id.clone();
        match handle.ask(Ask::Delete).await {
            Ok(()) | Err(AskError::Gone) => {}
            Err(error) => return Err(error.into()),
        }
        let AppHandle { mut view, .. } = handle;
        let gone = async { while view.changed().await.is_ok() {} };
        tokio::time::timeout(DELETION_PATIENCE, gone).await.map_err(|_| EngineError::StillDeleting(id))
    }

    /// Comes when an app is gone, with everything that it owned.
    pub fn gone(&self, app: &AppId) -> impl Future<Output = ()> + Send + 'static {
        let view = self.shared.registry.get(app).map(|handle| handle.view);
        async move {
            if let Some(mut view) = view {
                while view.changed().await.is_ok() {}
            }
        }
    }

    /// Where an app's log is.
    pub fn log(&self, view: &AppView, stream: LogStream) -> PathBuf {
        match stream {
            LogStream::Run => self.shared.home.run_log(&view.log_name),
            LogStream::Build => self.shared.home.build_log(&view.log_name),
        }
    }

    /// Ends every app and the keeper. What people want of the apps stays as it is, for the next start.
    pub async fn shut_down(&self) -> Result<(), EngineError> {
        self.hub.abort();
        self.save_usage(&mut HashMap::new()).await;
        let ended = self.shared.keeper().shutdown(self.shared.settings.stop_grace).await;
        self.shared.store.close().await;
        Ok(ended?)
    }

    /// Lets go of everything, so that another server can open the data folder: apps and keeper go on, builds end. The routes stay
    /// as they are. What is asked of this engine from now on is never answered.
    pub async fn let_go(&self) {
        self.hub.abort();
        self.save_usage(&mut HashMap::new()).await;
        let leaving = self.shared.registry.all().into_iter().map(|app| {
            let (left, leaving) = tokio::sync::oneshot::channel();
            app.tell(Message::Leave(left));
            leaving
        });
        for leaving in leaving.collect::<Vec<_>>() {
            // A task that is gone has left already; one that hangs must not hold up a whole server.
            let _ = tokio::time::timeout(LEAVING_PATIENCE, leaving).await;
        }
        self.shared.store.close().await;
    }

    /// Ends the keeper if it holds no app: a server that could not start leaves nothing behind, and ends nobody's app.
    pub async fn leave(&self) {
        self.hub.abort();
        let keeper = self.shared.keeper();
        if keeper.list().await.is_ok_and(|reports| reports.is_empty()) {
            // A keeper that is gone by itself is as good.
            let _ = keeper.shutdown(self.shared.settings.stop_grace).await;
        }
    }

    /// Stores the times of use every minute, so that a crash of the server forgets little.
    fn save_usage_now_and_then(&self) {
        let engine = self.clone();
        tokio::spawn(async move {
            let mut minutes = tokio::time::interval(SAVE_USAGE);
            let mut saved = HashMap::new();
            loop {
                minutes.tick().await;
                // The minute may have been the last one of this engine, whose database is closed then.
                if engine.hub.is_finished() {
                    return;
                }
                engine.save_usage(&mut saved).await;
            }
        });
    }

    /// Copies the database each day, and clears what was kept for too long, as long as this engine is there.
    fn back_up_each_day(&self) {
        let engine = self.clone();
        tokio::spawn(async move {
            let mut looks = tokio::time::interval(backup::LOOK_EVERY);
            loop {
                looks.tick().await;
                if engine.hub.is_finished() {
                    return;
                }
                backup::look(&engine.shared).await;
                let shared = Arc::clone(&engine.shared);
                let clearing = move || kept::clear(&shared.home, SystemTime::now(), |key| shared.registry.is_taken(key));
                // It tells by itself what came of it.
                let _ = tokio::task::spawn_blocking(clearing).await;
            }
        });
    }

    /// Stores when each app was last used, where that is not what was saved already.
    async fn save_usage(&self, saved: &mut HashMap<AppId, i64>) {
        for view in self.apps() {
            let Some(at) = self.last_used_ms(&view) else { continue };
            if saved.get(&view.id).copied().or(view.last_used_at_ms) == Some(at) {
                continue;
            }
            match self.shared.store.set_last_used(&view.id, at).await {
                Ok(()) => drop(saved.insert(view.id.clone(), at)),
                Err(error) => tracing::warn!(app = %view.id, error = %error, "the time of the last use could not be stored"),
            }
        }
    }

    fn handle(&self, name: &str) -> Result<AppHandle, EngineError> {
        self.shared.registry.find(name).ok_or_else(|| EngineError::NotFound(name.to_owned()))
    }

    async fn ask(&self, name: &str, ask: Ask) -> Result<Arc<AppView>, EngineError> {
        let handle = self.handle(name)?;
        handle.ask(ask).await?;
        let view = Arc::clone(&handle.view.borrow());
        Ok(view)
    }
}
