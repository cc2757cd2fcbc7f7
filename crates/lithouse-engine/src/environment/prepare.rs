// SPDX-License-Identifier: Apache-2.0
//! One preparation from its source to its environment: lock, wait for the turn, find or build.

use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::build::Build;
use super::command::Runner;
use super::error::PrepareError;
use super::interpreter::Interpreter;
use super::key::EnvironmentKey;
use super::lock::{Lock, Locker};
use super::log::BuildLog;
use super::recent::Question;
use super::scratch::Scratch;
use super::slot::Slot;
use super::uv::Uv;
use super::{Environment, Packages, Shared, Source};

/// Runs in a task of its own, until it is done or cancelled; then nothing of it lives any more.
pub(super) struct Preparation {
    pub(super) shared: Arc<Shared>,
    pub(super) source: Source,
    pub(super) packages: Packages,
    pub(super) log: BuildLog,
    pub(super) told: Told,
    pub(super) cancelled: CancellationToken,
}

/// Whether builds of others come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Waits,
    Goes,
}

/// Whoever is told of the turns of a preparation.
#[derive(Clone)]
pub(crate) struct Told(Arc<dyn Fn(Turn) + Send + Sync>);

impl Told {
    pub(crate) fn by(tell: impl Fn(Turn) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    pub(super) fn nobody() -> Self {
        Self::by(|_| ())
    }
}

/// What is known after locking.
struct Plan {
    python: Interpreter,
    uv: Uv,
    lock: Lock,
    key: EnvironmentKey,
}

impl Preparation {
    pub(super) async fn run(self) -> Result<Environment, PrepareError> {
        let started = Instant::now();
        let scratch = Scratch::new(&self.shared.home.tmp())?;
        let counts = &self.shared.counts;
        // Locking may run build scripts, so it is bounded too; but whose environment is there already waits for no build.
        let permit = self.permit(&self.shared.lockings).await?;
        let plan = self.plan(&scratch).await.inspect_err(|error| counts.failed(error))?;
        drop(permit);
        let slot = self.shared.slots.hold(&plan.key);
        let _following = slot.follow(self.log.clone());
        let failed_before = slot.failed_builds();
        if let Some(found) = self.shared.find(&plan.key) {
            self.log.write(&format!("environment `{}` is built already", plan.key));
            return Ok(found);
        }
        let _turn = if let Ok(turn) = slot.turn.try_lock() {
            turn
        } else {
            self.log.write(&format!("environment `{}` is being built for somebody else; waiting for it", plan.key));
            self.unless_cancelled(slot.turn.lock()).await?
        };
        // Whoever had the turn before may have settled it.
        if let Some(found) = self.shared.find(&plan.key) {
            return Ok(found);
        }
        if let Some(error) = slot.failure_since(failed_before) {
            return Err(error);
        }
        let _permit = self.permit(&self.shared.permits).await?;
        self.build(&plan, &slot, &scratch).await.inspect_err(|error| counts.failed(error))?;
        counts.succeeded();
        slot.tell(&format!("environment `{}` is complete after {:.1} s", plan.key, started.elapsed().as_secs_f64()));
        let place = self.shared.place(&plan.key);
        let vanished = || PrepareError::io("finding", &place, std::io::ErrorKind::NotFound.into());
        self.shared.find(&plan.key).ok_or_else(vanished)
    }

    async fn plan(&self, scratch: &Scratch) -> Result<Plan, PrepareError> {
        let log = |line: &str| self.log.write(line);
        let runner = self.runner(&log);
        let variables = &self.shared.settings.variables;
        let counts = &self.shared.counts;
        let python = self.unless_cancelled(self.shared.python()).await?.inspect_err(|error| counts.not_found(error))?;
        let uv = self.shared.uv.get(&python, variables, &runner, scratch).await.inspect_err(|error| counts.not_found(error))?;
        counts.found(&python.version, &uv.version);
        // What was locked for others may hold packages that are not for this one.
        let question = if self.packages == Packages::Any { self.question(&python).await } else { None };
        if let Some(lock) = question.as_ref().and_then(|question| self.shared.recent.get(question)) {
            self.log.write("the same requirements were locked a few minutes ago; taking that lock");
            let key = lock.key(&python);
            return Ok(Plan { python, uv, lock, key });
        }
        let (source, packages) = (&self.source, self.packages);
        let lock = Locker { source, packages, python: &python, uv: &uv, variables, scratch, runner: &runner }.lock().await?;
        if let Some(question) = question {
            self.shared.recent.insert(question, lock.clone());
        }
        let key = lock.key(&python);
        Ok(Plan { python, uv, lock, key })
    }

    async fn question(&self, python: &Interpreter) -> Option<Question> {
        let (source, python) = (self.source.clone(), python.clone());
        tokio::task::spawn_blocking(move || Question::of(&source, &python)).await.ok()?
    }

    async fn build(&self, plan: &Plan, slot: &Slot, scratch: &Scratch) -> Result<(), PrepareError> {
        let log = |line: &str| slot.tell(line);
        let place = self.shared.place(&plan.key);
        let build = Build {
            place: &place,
            lock: &plan.lock,
            packages: self.packages,
            folder: &self.source.folder,
            python: &plan.python,
            uv: &plan.uv,
            variables: &self.shared.settings.variables,
            scratch,
            runner: &self.runner(&log),
        };
        let began = Instant::now();
        let built = build.run().await;
        self.shared.counts.took(began.elapsed());
        if let Err(error) = &built
            && !matches!(error, PrepareError::Cancelled)
        {
            slot.record_failure(error);
        }
        built
    }

    fn runner<'a>(&'a self, log: &'a (dyn Fn(&str) + Send + Sync)) -> Runner<'a> {
        let settings = &self.shared.settings;
        let timeout = settings.build_timeout;
        Runner { guard: &settings.guard, timeout, deadline: Instant::now() + timeout, cancelled: &self.cancelled, log }
    }

    async fn permit<'a>(&self, permits: &'a Semaphore) -> Result<SemaphorePermit<'a>, PrepareError> {
        let Ok(permit) = permits.try_acquire() else {
            self.log.write("waiting for other builds to end");
            (self.told.0)(Turn::Waits);
            let _waiting = self.shared.counts.waits();
            // The semaphore is never closed.
            let permit = self.unless_cancelled(permits.acquire()).await?.map_err(|_| PrepareError::Cancelled)?;
            (self.told.0)(Turn::Goes);
            return Ok(permit);
        };
        (self.told.0)(Turn::Goes);
        Ok(permit)
    }

    async fn unless_cancelled<T>(&self, wait: impl Future<Output = T>) -> Result<T, PrepareError> {
        tokio::select! {
            biased;
            () = self.cancelled.cancelled() => Err(PrepareError::Cancelled),
            waited = wait => Ok(waited),
        }
    }
}

impl Shared {
    /// The Python of this server's environments. Asked anew only when its file has changed.
    pub(super) async fn python(&self) -> Result<Interpreter, PrepareError> {
        let mut known = self.python.lock().await;
        if let Some(python) = known.as_ref().filter(|python| python.is_unchanged()) {
            return Ok(python.clone());
        }
        let found = Interpreter::find(self.settings.python.as_deref(), &self.settings.variables.for_builds()).await?;
        *known = Some(found.clone());
        Ok(found)
    }
}
