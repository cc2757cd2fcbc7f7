// SPDX-License-Identifier: Apache-2.0
//! What people can want of an app. A wish is stored first and begun then, so that a crash in between loses nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lithouse_core::app::{Desired, Origin};
use lithouse_core::id::{AppId, ReleaseNumber};
use lithouse_core::lifecycle::Event;
use lithouse_core::limits::{Cores, Limits};

use super::{AppTask, FolderError, blocking};
use crate::bundle::{self, FilePath};
use crate::environment::{RequirementsError, check_sent};
use crate::files::{self, FilesError};
use crate::script::{self, ScriptError};
use crate::shared::{Shared, now_ms};
use crate::store::{AppRecord, ReleaseRecord, StoreError};

/// One wish.
#[derive(Debug)]
pub enum Ask {
    /// Run.
    Start,
    /// Hold no process.
    Stop,
    /// Replace the process.
    Restart,
    /// Be gone, with everything that was owned. An app that a folder or the configuration names does not take it.
    Delete,
    /// The same for an app that nobody names any more; its folder is a person's and stays.
    Forget,
    /// Take the files of this folder as a new release; the folder is moved away.
    Release(PathBuf),
    /// Make a new release of the newest files, with one file replaced by this one, which is moved away.
    Edit {
        /// The file's path in the app's folder.
        file: FilePath,
        /// Its new content.
        content: PathBuf,
        /// Where the copy is made; a path in `tmp` that nobody else has.
        copy: PathBuf,
    },
    /// Make a release that is there already the active one.
    Activate(ReleaseNumber),
    /// Change what may be changed.
    Change(Change),
}

impl Ask {
    /// The word for it in the log.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Delete => "delete",
            Self::Forget => "forget",
            Self::Release(_) => "release",
            Self::Edit { .. } => "edit",
            Self::Activate(_) => "activate",
            Self::Change(_) => "change",
        }
    }
}

/// What may be changed of an app; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// What people call it.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Its variables, all of them; they count from the next start.
    pub env: Option<BTreeMap<String, String>>,
    /// Whether a crash is followed by a restart.
    pub restart_on_crash: Option<bool>,
    /// What of its limits; a process that runs is held to it as far as a control group does that.
    pub limits: Option<LimitsChange>,
}

/// What becomes of one limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LimitChange<T> {
    /// It stays.
    #[default]
    Keep,
    /// It is this.
    Set(T),
    /// The app has none of its own.
    Lift,
}

impl<T> LimitChange<T> {
    fn of(self, limit: Option<T>) -> Option<T> {
        match self {
            Self::Keep => limit,
            Self::Set(value) => Some(value),
            Self::Lift => None,
        }
    }
}

/// What changes of an app's limits.
#[derive(Debug, Clone, Copy, Default)]
pub struct LimitsChange {
    /// Memory, in bytes.
    pub memory: LimitChange<u64>,
    /// Processor time.
    pub cpu: LimitChange<Cores>,
    /// Processes and threads.
    pub processes: LimitChange<u32>,
    /// Open descriptors of each process.
    pub open_files: LimitChange<u32>,
}

impl LimitsChange {
    /// What a limit is after it.
    pub fn of(self, limits: Limits) -> Limits {
        Limits {
            memory: self.memory.of(limits.memory),
            cpu: self.cpu.of(limits.cpu),
            processes: self.processes.of(limits.processes),
            open_files: self.open_files.of(limits.open_files),
        }
    }
}

/// Why a wish was not taken. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It is being deleted.
    #[error("the app is being deleted")]
    BeingDeleted,
    /// It is gone.
    #[error("the app is gone")]
    Gone,
    /// A folder or the configuration names it, and would bring it back.
    #[error("the app is there because {} names it", .0.claimant())]
    Declared(Naming),
    /// The configuration says it, and would say it again with the next refresh.
    #[error("`{setting}` of the app is what the configuration says")]
    Configured {
        /// What the configuration calls it, such as `apps.sales.name`.
        setting: String,
    },
    /// Its files are a person's folder, which we do not touch.
    #[error("the app is served from the folder `{}`, which Lithouse does not change", .0.display())]
    InPlace(PathBuf),
    /// There is no such release.
    #[error("the app `{app}` has no release {release}")]
    NoRelease {
        /// The app.
        app: AppId,
        /// The number asked for.
        release: ReleaseNumber,
    },
    /// It has that release already.
    #[error("release {0} is the active one already")]
    AlreadyActive(ReleaseNumber),
    /// Nothing in the folder can be run.
    #[error("there is no `app.py` in the folder, nor any other script that could be the app")]
    NoEntry,
    /// Python could not read the script.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// The requirements are not taken.
    #[error(transparent)]
    Requirements(#[from] RequirementsError),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The files did not take it.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The folder did not take it.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

/// What names an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// A folder of apps.
    Folder,
    /// The configuration.
    Configuration,
}

impl Naming {
    fn of(origin: Origin) -> Option<Self> {
        match origin {
            Origin::Deployed => None,
            Origin::Folder => Some(Self::Folder),
            Origin::Configured => Some(Self::Configuration),
        }
    }

    fn claimant(self) -> &'static str {
        match self {
            Self::Folder => "the folder of apps",
            Self::Configuration => "the configuration",
        }
    }
}

/// The script of a folder that was sent, if an app can be made of the folder.
pub(crate) async fn checked_entry(shared: &Shared, folder: &Path) -> Result<String, AskError> {
    let python = shared.environments.language().await;
    let sent = folder.to_owned();
    let check = move || {
        let entry = bundle::find_entry(&sent).ok_or(AskError::NoEntry)?;
        check_sent(&sent)?;
        script::check(&sent, &entry, python)?;
        Ok(entry)
    };
    blocking(move || Ok(check())).await?
}

impl AppTask {
    pub(super) async fn answer(&mut self, ask: Ask) -> Result<(), AskError> {
        if self.life.desired() == Desired::Deleted {
            return if matches!(ask, Ask::Delete | Ask::Forget) { Ok(()) } else { Err(AskError::BeingDeleted) };
        }
        match ask {
            Ask::Start => self.want(Desired::Running, Event::StartAsked).await,
            Ask::Stop => self.want(Desired::Stopped, Event::StopAsked).await,
            Ask::Restart => self.want(Desired::Running, Event::RestartAsked).await,
            Ask::Delete => match Naming::of(self.record.origin) {
                Some(naming) => Err(AskError::Declared(naming)),
                None => self.want(Desired::Deleted, Event::DeleteAsked).await,
            },
            Ask::Forget => self.want(Desired::Deleted, Event::DeleteAsked).await,
            Ask::Release(folder) => self.release(folder).await,
            Ask::Edit { file, content, copy } => self.edit(file, content, copy).await,
            Ask::Activate(number) => self.activate(number).await,
            Ask::Change(change) => self.change(change).await,
        }
    }

    async fn want(&mut self, desired: Desired, event: Event) -> Result<(), AskError> {
        let store = &self.shared.store;
        match store.set_desired(self.id(), desired).await {
            Err(error) if error.is_disk_full() && desired != Desired::Running => {
                self.shared.reserve.give();
                store.set_desired(self.id(), desired).await?;
            }
            stored => stored?,
        }
        self.record.desired = desired;
        if desired != Desired::Deleted {
            self.refresh_folder().await;
        }
        self.happen(event).await;
        Ok(())
    }

    fn refuse_in_place(&self) -> Result<(), AskError> {
        self.record.folder.clone().map_or(Ok(()), |folder| Err(AskError::InPlace(folder)))
    }

    async fn release(&mut self, folder: PathBuf) -> Result<(), AskError> {
        self.refuse_in_place()?;
        let entry = checked_entry(&self.shared, &folder).await?;
        let releases = self.shared.store.releases(self.id()).await?;
        let number = ReleaseNumber(releases.first().map_or(1, |newest| newest.number.0 + 1));
        let release = ReleaseRecord::accepted(number, entry, now_ms());
        self.take_release_folder(folder, number).await?;
        if let Err(error) = self.shared.store.add_release(self.id(), &release).await {
            self.remove_release_folder(number).await;
            return Err(error.into());
        }
        self.record.wanted = Some(number);
        self.record.head = number;
        self.happen(Event::Released { release: number, proven: false }).await;
        Ok(())
    }

    /// One edit after the other: each is made of what the one before it left.
    async fn edit(&mut self, file: FilePath, content: PathBuf, copy: PathBuf) -> Result<(), AskError> {
        self.refuse_in_place()?;
        files::edited_copy(self.shared.home.release(self.id(), self.record.head), copy.clone(), file, content).await?;
        self.release(copy).await
    }

    async fn activate(&mut self, number: ReleaseNumber) -> Result<(), AskError> {
        self.refuse_in_place()?;
        let release = self.shared.store.release(self.id(), number).await?;
        let release = release.ok_or_else(|| AskError::NoRelease { app: self.id().clone(), release: number })?;
        if self.life.active() == Some(number) && self.life.candidate().is_none() {
            return Err(AskError::AlreadyActive(number));
        }
        self.shared.store.want_release(self.id(), number).await?;
        self.record.wanted = Some(number);
        self.record.head = number;
        self.happen(Event::Released { release: number, proven: release.served }).await;
        Ok(())
    }

    async fn change(&mut self, change: Change) -> Result<(), AskError> {
        let mut record = self.record.clone();
        record.name = change.name.unwrap_or(record.name);
        record.description = change.description.unwrap_or(record.description);
        record.env = change.env.unwrap_or(record.env);
        record.restart_on_crash = change.restart_on_crash.unwrap_or(record.restart_on_crash);
        record.limits = change.limits.map_or(record.limits, |limits| limits.of(record.limits));
        self.refuse_what_is_configured(&record)?;
        self.shared.store.update(&record).await?;
        self.life.set_restart_on_crash(record.restart_on_crash);
        let is_limited_anew = self.record.limits != record.limits;
        self.record = record;
        if is_limited_anew {
            self.limit_what_runs().await;
        }
        self.refresh_folder().await;
        self.publish();
        Ok(())
    }

    /// What the configuration says of an app would be back with the next refresh, which nobody expects of a change.
    fn refuse_what_is_configured(&self, new: &AppRecord) -> Result<(), AskError> {
        let old = &self.record;
        let (Origin::Configured, Some(key)) = (old.origin, &old.key) else { return Ok(()) };
        let changed = [
            ("name", old.name != new.name),
            ("description", old.description != new.description),
            ("restart_on_crash", old.restart_on_crash != new.restart_on_crash),
            ("limits.memory", old.limits.memory != new.limits.memory),
            ("limits.cpu", old.limits.cpu != new.limits.cpu),
            ("limits.processes", old.limits.processes != new.limits.processes),
            ("limits.open_files", old.limits.open_files != new.limits.open_files),
        ];
        match changed.into_iter().find(|(_, is_changed)| *is_changed) {
            Some((name, _)) => Err(AskError::Configured { setting: format!("apps.{key}.{name}") }),
            None => Ok(()),
        }
    }

    /// Holds processes that run to the limits that are stored. What cannot be held while they run counts from their next start.
    async fn limit_what_runs(&self) {
        for instance in self.life.instances() {
            if let Err(error) = self.shared.keeper().limit(&instance, self.may_take()).await {
                tracing::info!(app = %self.id(), instance = %instance, error = %error, "its limits count from its next start");
            }
        }
    }
}
