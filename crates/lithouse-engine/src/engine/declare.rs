// SPDX-License-Identifier: Apache-2.0
//! Apps that a folder or the configuration names: the known ones are brought to the list, and nothing else is touched.

mod look;
mod plan;

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::join_all;
use lithouse_core::app::{Desired, Origin};
use lithouse_core::id::{AppId, Key, ReleaseNumber};
use lithouse_core::limits::Limits;

use super::create::new_record;
use super::{DELETION_PATIENCE, Engine, EngineError};
use crate::app::{AppTask, Ask, Census, Done, Redeclared};
use crate::keeper::InstanceReport;
use crate::shared::{Shared, now_ms};
use crate::store::{AppRecord, Batch, Recipe, ReleaseRecord, StoreError};

pub(crate) use look::Looked;
use look::look;
pub use plan::PassedOver;
pub(crate) use plan::{Difference, compare, declared_as, to_be_replaced};
use plan::{Known, Plan, plan};

/// An app that a folder or the configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Its key.
    pub key: Key,
    /// What people call it.
    pub name: String,
    /// Its name in addresses, if that is not the key.
    pub url: Option<Key>,
    /// What it is for.
    pub description: String,
    /// Where its files lie; absolute.
    pub folder: PathBuf,
    /// Who names it.
    pub origin: Origin,
    /// How it is run.
    pub recipe: Recipe,
    /// What it may take.
    pub limits: Limits,
    /// Whether a crash is followed by a restart.
    pub restart_on_crash: bool,
}

/// What a declaration came to: keys of apps, each in one list only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// New apps, which are being started.
    pub added: Vec<Key>,
    /// Apps of which something is told differently now, or that changed while they are stopped.
    pub changed: Vec<Key>,
    /// Apps that changed and whose process, or start that was under way, is replaced.
    pub restarted: Vec<Key>,
    /// Apps that nobody names any more: they are stopped, and known no more.
    pub removed: Vec<Key>,
    /// Apps that had stopped by themselves and are started again.
    pub started: Vec<Key>,
    /// How many declared apps are as they were.
    pub unchanged: usize,
    /// What cannot be served.
    pub passed_over: Vec<PassedOver>,
}

/// Whether apps that have stopped by themselves are started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revive {
    /// They are: a person asks.
    Yes,
    /// They wait for their turn: nobody asked for more than what changed.
    No,
}

impl Engine {
    /// Brings the declared apps to this list, in which the first of two that cannot both be goes before. Returns when all of it is
    /// stored and begun, and when what is removed is gone.
    pub async fn declare(&self, declared: Vec<Declared>, revive: Revive) -> Result<Outcome, EngineError> {
        let _turn = self.declaring.lock().await;
        let shared = &self.shared;
        let looked = look_at_all(declared).await;
        self.await_deletions(&looked.fit).await;
        let views = self.apps();
        let known: Vec<Known> = views.iter().map(|view| Known::of(view)).collect();
        let Plan { create, keep, forget, passed_over } = plan(&known, looked.fit, &looked.untouched);
        let mut outcome = Outcome { passed_over: [looked.passed_over, passed_over].concat(), ..Outcome::default() };
        let url_of: HashMap<&AppId, Option<&Key>> = known.iter().map(|app| (&app.id, app.url.as_ref())).collect();
        let changes_url = |id: &AppId, app: &Looked| url_of.get(id).copied().flatten() != app.declared.stored_url().as_ref();
        let batch = Batch {
            create: new(&create),
            free: keep.iter().filter(|(id, app)| changes_url(id, app)).map(|(id, _)| id.clone()).chain(forget.clone()).collect(),
            ..Batch::default()
        };
        shared.store.declare(&batch).await?;
        // Before any new app takes one of them as the next that is free.
        for (id, app) in &keep {
            shared.ports.fix(id, app.declared.recipe.port);
        }
        let keys: HashMap<&AppId, Key> = known.iter().filter_map(|app| Some((&app.id, app.key.clone()?))).collect();
        let going = forget.iter().map(|app| async {
            self.forget(app).await;
            keys.get(app).cloned()
        });
        let keeping = keep.into_iter().map(|(id, app)| async move {
            let key = app.declared.key.clone();
            (key, self.redeclare(&id, app, revive).await)
        });
        outcome.added = create.into_iter().map(|app| app.declared.key).collect();
        begin(shared, batch.create.into_iter().map(|(record, _)| (record, Census::default())).collect()).await?;
        let (gone, kept) = tokio::join!(join_all(going), join_all(keeping));
        outcome.removed = gone.into_iter().flatten().collect();
        for (key, done) in kept {
            match done {
                Ok(Done::Nothing) => outcome.unchanged += 1,
                Ok(Done::Changed) => outcome.changed.push(key),
                Ok(Done::Restarted) => outcome.restarted.push(key),
                Ok(Done::Started) => outcome.started.push(key),
                Err(reason) => outcome.passed_over.push(PassedOver { name: key.to_string(), reason }),
            }
        }
        Ok(outcome)
    }

    /// An app that is going and whose key is wanted again is let go first.
    async fn await_deletions(&self, wanted: &[Looked]) {
        let is_wanted = |key: &Key| wanted.iter().any(|app| app.declared.key == *key);
        let views = self.apps();
        let going = views.iter().filter(|view| view.desired == Desired::Deleted && view.key.as_ref().is_some_and(is_wanted));
        let going: Vec<_> = going.map(|view| self.gone(&view.id)).collect();
        // What takes longer is told as passed over.
        let _ = tokio::time::timeout(DELETION_PATIENCE, join_all(going)).await;
    }

    async fn forget(&self, app: &AppId) {
        let gone = self.gone(app);
        if let Some(handle) = self.shared.registry.get(app) {
            // One that is gone already is as good; the wish is stored otherwise, and what cannot be stored is tried by the next one.
            if let Err(error) = handle.ask(Ask::Forget).await {
                tracing::warn!(app = %app, error = %error, "an app that nobody names any more could not be removed");
                return;
            }
        }
        let _ = tokio::time::timeout(DELETION_PATIENCE, gone).await;
    }

    async fn redeclare(&self, app: &AppId, looked: Looked, revive: Revive) -> Result<Done, String> {
        let handle = self.shared.registry.get(app).ok_or("the app is gone")?;
        let redeclared = Redeclared { looked, revive: revive == Revive::Yes };
        handle.redeclare(redeclared).await.map_err(|error| error.to_string())
    }
}

/// Takes up every app that is known, as it is declared now, and those that are new.
pub(super) async fn take_up(
    shared: &Arc<Shared>,
    declared: Vec<Declared>,
    reports: &mut Vec<InstanceReport>,
) -> Result<Outcome, StoreError> {
    let mut records = shared.store.apps().await?;
    let is_of_earlier_server = shared.keeper().was_there();
    let looked = look_at_all(declared).await;
    let known: Vec<Known> = records.iter().map(Known::of_record).collect();
    let Plan { create, keep, forget, passed_over } = plan(&known, looked.fit, &looked.untouched);
    let mut outcome = Outcome { passed_over: [looked.passed_over, passed_over].concat(), ..Outcome::default() };
    let mut batch = Batch { create: new(&create), ..Batch::default() };
    let mut replaced: BTreeSet<AppId> = BTreeSet::new();
    let places: HashMap<AppId, usize> = records.iter().enumerate().map(|(at, record)| (record.id.clone(), at)).collect();
    for (id, app) in &keep {
        let Some(record) = places.get(id).and_then(|at| records.get_mut(*at)) else { continue };
        let difference = compare(record, record.fingerprint.as_deref(), app);
        let list = match difference {
            Difference::None => {
                outcome.unchanged += 1;
                continue;
            }
            Difference::Told => &mut outcome.changed,
            Difference::Runs => &mut outcome.restarted,
        };
        list.push(app.declared.key.clone());
        let new = declared_as(record, app);
        if new.url != record.url {
            batch.free.push(id.clone());
        }
        *record = if difference == Difference::Runs {
            replaced.insert(id.clone());
            to_be_replaced(new)
        } else {
            new
        };
        batch.update.push((record.clone(), app.entry.clone()));
    }
    for id in &forget {
        let Some(record) = places.get(id).copied().and_then(|at| records.get_mut(at)) else { continue };
        record.desired = Desired::Deleted;
        outcome.removed.extend(record.key.clone());
    }
    batch.forget = forget;
    shared.store.declare(&batch).await?;
    outcome.added = create.into_iter().map(|app| app.declared.key).collect();
    let new = batch.create.into_iter().map(|(record, _)| record);
    let apps = records.into_iter().chain(new).map(|record| {
        let reports = reports.extract_if(.., |report| report.app == record.id).collect();
        let is_replaced = replaced.contains(&record.id);
        (record, Census { reports, is_replaced, is_of_earlier_server })
    });
    let apps: Vec<_> = apps.collect();
    begin(shared, apps).await?;
    Ok(outcome)
}

/// Starts the task of each app, all of whose rows are stored.
async fn begin(shared: &Arc<Shared>, apps: Vec<(AppRecord, Census)>) -> Result<(), StoreError> {
    // Before any app takes one of them as the next that is free.
    for (record, _) in &apps {
        shared.ports.fix(&record.id, record.recipe.port);
    }
    let mut releases = match apps.as_slice() {
        [] => return Ok(()),
        [(only, _)] => HashMap::from([(only.id.clone(), shared.store.releases(&only.id).await?)]),
        _ => shared.store.all_releases().await?,
    };
    let tasks: Vec<AppTask> = apps
        .into_iter()
        .map(|(record, census)| {
            let releases = releases.remove(&record.id).unwrap_or_default();
            AppTask::prepare_to_run(Arc::clone(shared), record, &releases, census)
        })
        .collect();
    // All are known before any of them begins: the routes are made once.
    shared.registry.publish();
    tasks.into_iter().for_each(AppTask::begin);
    Ok(())
}

/// The rows of new apps, which are all created at the same time.
fn new(apps: &[Looked]) -> Vec<(AppRecord, ReleaseRecord)> {
    let now = now_ms();
    apps.iter().map(|app| rows(app, now)).collect()
}

/// The rows of a new app, of which the first process is to be made of what there is on the disk now.
fn rows(app: &Looked, created_at_ms: i64) -> (AppRecord, ReleaseRecord) {
    let declared = &app.declared;
    let record = new_record(Some(declared.key.clone()), None, String::new(), Some(declared.folder.clone()));
    // Not `Folder` yet, so that all that is declared is taken.
    let record = declared_as(&AppRecord { origin: Origin::Deployed, created_at_ms, ..record }, app);
    (record, ReleaseRecord::accepted(ReleaseNumber(0), app.entry.clone(), created_at_ms))
}

/// What was found of the declared apps.
#[derive(Default)]
struct All {
    fit: Vec<Looked>,
    /// Apps that go on as they are although they cannot be looked at.
    untouched: BTreeSet<Key>,
    passed_over: Vec<PassedOver>,
}

async fn look_at_all(declared: Vec<Declared>) -> All {
    tokio::task::spawn_blocking(|| {
        let mut all = All::default();
        for declared in declared {
            match look(&declared) {
                Ok(app) => all.fit.push(app),
                Err(unfit) => {
                    all.passed_over.push(PassedOver { name: declared.key.to_string(), reason: unfit.reason });
                    if unfit.goes_on {
                        all.untouched.insert(declared.key);
                    }
                }
            }
        }
        all
    })
    .await
    .unwrap_or_default()
}

impl Declared {
    /// Tells what there is of it on the disk from what there was, also that it cannot be served, and why. It blocks.
    pub fn signature(&self) -> String {
        match look(self) {
            Ok(Looked { entry, fingerprint, .. }) => format!("{entry} {fingerprint}"),
            Err(unfit) => unfit.reason,
        }
    }

    /// The name in addresses as it is stored.
    fn stored_url(&self) -> Option<Key> {
        self.url.clone().filter(|url| *url != self.key)
    }
}

impl Known {
    fn of(view: &crate::app::AppView) -> Self {
        Self {
            id: view.id.clone(),
            key: view.key.clone(),
            url: view.url.clone(),
            origin: view.origin,
            is_going: view.desired == Desired::Deleted,
        }
    }

    fn of_record(record: &AppRecord) -> Self {
        Self {
            id: record.id.clone(),
            key: record.key.clone(),
            url: record.url.clone(),
            origin: record.origin,
            is_going: record.desired == Desired::Deleted,
        }
    }
}
