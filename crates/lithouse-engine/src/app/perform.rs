// SPDX-License-Identifier: Apache-2.0
//! Carries out what the app's life decided.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use lithouse_core::ending::Ending;
use lithouse_core::id::{InstanceId, ReleaseNumber};
use lithouse_core::lifecycle::{Effect, Event};
use lithouse_core::route::PathPrefix;
use tracing::Instrument;

use super::mail::Outbox;
use super::{AppTask, Message, Process};
use crate::keeper::{CallError, Refusal};
use crate::opening::{Opened, Opening};
use crate::ports::{NoFreePort, Port, PortInUse};
use crate::probe::Seen;
use crate::session::SessionError;
use crate::{probe, session};

/// How many ports are tried when somebody else takes them in the very moment.
const PORTS_TRIED: usize = 20;
/// The pause before a removal that failed is tried again.
const REMOVE_AGAIN: Duration = Duration::from_secs(5);
/// How long the keeper's news of a process's end may be under way.
const NEWS_OF_AN_END: Duration = Duration::from_secs(2);

/// How long what an app came to is not shown before it is stored.
const STORED_WITHIN: Duration = Duration::from_secs(5);

/// Tells of a process that is not healthy in time.
struct Late {
    instance: InstanceId,
    patience: Duration,
    /// Whether it may still become healthy after that.
    is_taken_up: bool,
    /// What the probing has seen so far.
    seen: Seen,
    outbox: Outbox,
}

impl Late {
    /// What the probing came to; none if it took too long.
    async fn told_of<T>(self, probing: impl Future<Output = T>) -> Option<T> {
        let mut probing = std::pin::pin!(probing);
        if let Ok(probed) = tokio::time::timeout(self.patience, probing.as_mut()).await {
            return Some(probed);
        }
        let seconds = self.patience.as_secs();
        let _ =
            self.outbox.send(Message::Event(Event::StartTimedOut { instance: self.instance, seconds, seen: self.seen.last() }));
        if self.is_taken_up { Some(probing.await) } else { None }
    }
}

impl AppTask {
    pub(super) async fn perform(&mut self, effects: Vec<Effect>) {
        let mut queue = VecDeque::from(effects);
        while let Some(effect) = queue.pop_front() {
            if let Some(event) = self.perform_one(effect).await {
                queue.extend(self.life.apply(event, self.epoch.elapsed()));
            }
        }
        if !self.life.is_preparing() {
            // Nothing is about to take it: the app has failed, or is stopped. Others may need it.
            self.promised = None;
        }
        self.remember_and_publish().await;
        if std::mem::take(&mut self.has_settled) {
            self.retain_releases().await;
        }
    }

    /// Stores what is known of its crashes, for a server that takes over, and then shows others what the app is now: what is told is
    /// known to the next server too. A database that is busy holds that up for a moment only.
    async fn remember_and_publish(&mut self) {
        let memory = self.life.memory();
        if memory == self.record.memory || self.is_purged {
            return self.publish();
        }
        let (shared, id, known) = (Arc::clone(&self.shared), self.id().clone(), memory.clone());
        let mut storing = std::pin::pin!(async move { shared.store.set_memory(&id, &known).await });
        let in_time = tokio::time::timeout(STORED_WITHIN, storing.as_mut()).await;
        self.publish();
        let stored = match in_time {
            Ok(stored) => stored,
            Err(_) => storing.await,
        };
        // What is not stored is forgotten by the next server, and the app is started once more.
        if let Err(error) = stored {
            tracing::warn!(app = %self.id(), error = %error, "what is known of an app's crashes could not be stored");
        }
        self.record.memory = memory;
    }

    async fn perform_one(&mut self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Prepare(release) => self.prepare(release),
            Effect::CancelPrepare(release) => {
                if let Some(preparing) = self.preparing.remove(&release) {
                    preparing.abort();
                    // Until it has ended it may still make its log, which a deletion would then leave behind.
                    let _ = preparing.await;
                }
            }
            Effect::Spawn { instance, release } => return Some(self.spawn(instance, release).await),
            Effect::AwaitHealth(instance) => self.await_health(instance),
            Effect::Prove(instance) => self.prove(instance),
            Effect::Terminate(instance) => self.terminate(instance).await,
            Effect::WakeAfter { pause, turn } => {
                self.later(pause, Event::PauseOver { turn });
            }
            Effect::Activate(release) => self.activated(release).await,
            Effect::Settle { release, reason } => self.settled(release, reason.as_deref()).await,
            Effect::FailRelease { release, reason } => self.release_failed(release, &reason).await,
            Effect::Purge => self.purge().await,
        }
        None
    }

    async fn spawn(&mut self, instance: InstanceId, release: ReleaseNumber) -> Event {
        let not_started = |why: String| Event::Ended { instance: instance.clone(), ending: Ending::NotStarted { why } };
        let Some((launchable, permit)) = self.ready.remove(&instance) else {
            return not_started("nothing was prepared for it".to_owned());
        };
        let mut passed_over: Vec<Port> = Vec::new();
        let keeper = self.shared.keeper();
        for _ in 0..PORTS_TRIED {
            let port = match self.take_port() {
                Ok(port) => port,
                Err(why) => return not_started(why),
            };
            match keeper.spawn(self.launch(&instance, release, &launchable, &port)).await {
                Ok(spawned) => {
                    let process = Process {
                        port,
                        pid: Some(spawned.pid),
                        is_open: self.record.recipe.command.is_none(),
                        sees: self.record.sees(),
                        started_at: spawned.started_at,
                        _environment: launchable.held,
                        permit: Some(permit),
                        watching: None,
                        is_taken_up: false,
                        is_halted: false,
                    };
                    self.last_peak = None;
                    self.processes.insert(instance.clone(), process);
                    self.started_as(launchable.fingerprint).await;
                    return Event::Spawned { instance, pid: spawned.pid };
                }
                Err(CallError::Refused(Refusal::AddressInUse { port })) if self.record.recipe.port == Some(port) => {
                    return not_started(PortInUse::foreign(port).to_string());
                }
                // Kept until the end of the search, so that the next one is another.
                Err(CallError::Refused(Refusal::AddressInUse { .. })) => passed_over.push(port),
                Err(error) => return not_started(error.to_string()),
            }
        }
        not_started(format!("{PORTS_TRIED} ports were in use by other programs"))
    }

    /// Notes what the files were that the process is made of.
    async fn started_as(&mut self, fingerprint: Option<String>) {
        self.starting_as = None;
        let Some(fingerprint) = fingerprint.filter(|new| self.record.fingerprint.as_ref() != Some(new)) else { return };
        // What is not stored is found to differ, and the process is replaced once more.
        if let Err(error) = self.shared.store.set_fingerprint(self.id(), &fingerprint).await {
            tracing::warn!(app = %self.id(), error = %error, "what the app was started with could not be stored");
        }
        self.record.fingerprint = Some(fingerprint);
        // Other files may ask for another environment, and leave the one before to nobody.
        self.refresh_folder().await;
        self.shared.collect_environments().await;
    }

    /// The port of the next process: the one that is fixed, the one that was promised, or the next free one.
    fn take_port(&mut self) -> Result<Port, String> {
        if let Some(fixed) = self.record.recipe.port {
            return self.shared.ports.take_fixed(fixed).map_err(|error| error.to_string());
        }
        let next = || {
            let advised = |error: NoFreePort| format!("{error}; stop one that is not needed, or widen `hosting.port_range`");
            self.shared.ports.take().map_err(advised)
        };
        self.promised.take().map_or_else(next, Ok)
    }

    fn await_health(&mut self, instance: InstanceId) {
        if self.record.recipe.command.is_some() {
            return self.await_opening(instance);
        }
        let health = self.health();
        let patience = self.shared.settings.start_timeout;
        let outbox = self.outbox.clone();
        let Some(process) = self.processes.get_mut(&instance) else { return };
        let (address, is_taken_up) = (process.port.address(), process.is_taken_up);
        let watching = async move {
            let seen = Seen::default();
            // An app that has its listener is asked at once, and the question waits there.
            seen.note(format!("it did not answer `{}`", health.path));
            let late = Late { instance: instance.clone(), patience, is_taken_up, seen: seen.clone(), outbox: outbox.clone() };
            if late.told_of(probe::until_healthy(address, &health, &seen)).await.is_some() {
                let _ = outbox.send(Message::Event(Event::Healthy { instance }));
            }
        };
        process.watching = Some(tokio::spawn(watching.in_current_span()).abort_handle());
    }

    /// Waits until a process that opens its port by itself has done so and answers.
    fn await_opening(&mut self, instance: InstanceId) {
        let path = match self.record.sees() {
            PathPrefix::Keep => format!("{}/", self.base_path()),
            PathPrefix::Strip => "/".to_owned(),
        };
        let patience = self.shared.settings.start_timeout;
        let outbox = self.outbox.clone();
        let Some(process) = self.processes.get_mut(&instance) else { return };
        let (port, pid, is_taken_up) = (process.port.number(), process.pid.unwrap_or_default(), process.is_taken_up);
        let watching = async move {
            let seen = Seen::default();
            let opening = Opening { port, instance: instance.clone(), pid, path, seen: seen.clone() };
            let late = Late { instance: instance.clone(), patience, is_taken_up, seen, outbox: outbox.clone() };
            let event = match late.told_of(opening.watch()).await {
                Some(Opened::Answers) => Event::Healthy { instance },
                Some(Opened::Stranger(by)) => Event::PortTaken { instance, port, by },
                None => return,
            };
            let _ = outbox.send(Message::Event(event));
        };
        process.watching = Some(tokio::spawn(watching.in_current_span()).abort_handle());
    }

    fn prove(&mut self, instance: InstanceId) {
        if self.record.recipe.command.is_some() {
            // A session of Streamlit is nothing that any other server knows.
            let _ = self.outbox.send(Message::Event(Event::Proved { instance, verdict: Ok(()) }));
            return;
        }
        let base_path = self.base_path();
        let patience = self.shared.settings.proof_timeout;
        let outbox = self.outbox.clone();
        let Some(process) = self.processes.get_mut(&instance) else { return };
        let address = process.port.address();
        let watching = async move {
            let proof = session::prove(address, &base_path, patience).await;
            if proof.as_ref().is_err_and(SessionError::may_be_an_end) {
                // The keeper's news of the end stops this task, and says more than a broken connection.
                tokio::time::sleep(NEWS_OF_AN_END).await;
            }
            let verdict = proof.map_err(|error| error.to_string());
            let _ = outbox.send(Message::Event(Event::Proved { instance, verdict }));
        };
        process.watching = Some(tokio::spawn(watching.in_current_span()).abort_handle());
    }

    async fn terminate(&mut self, instance: InstanceId) {
        // No new request should reach a process that is about to end.
        self.publish();
        let grace = self.shared.settings.stop_grace;
        if let Err(error) = self.shared.keeper().terminate(&instance, grace).await {
            tracing::warn!(app = %self.id(), instance = %instance, error = %error, "the keeper did not end an instance");
            let ending = Ending::LostWithKeeper;
            let _ = self.outbox.send(Message::Event(Event::Ended { instance, ending }));
        }
    }

    async fn activated(&mut self, release: ReleaseNumber) {
        self.has_settled = true;
        self.replaced = self.record.active.replace(release).filter(|before| *before != release).or(self.replaced);
        if self.record.wanted == Some(release) {
            self.record.wanted = None;
        }
        if let Err(error) = self.shared.store.activate(self.id(), release).await {
            tracing::error!(app = %self.id(), release = %release, error = %error, "the active release could not be stored");
        }
        self.refresh_folder().await;
    }

    async fn settled(&mut self, release: ReleaseNumber, reason: Option<&str>) {
        self.has_settled = true;
        if let Err(error) = self.shared.store.settle_release(self.id(), release, reason).await {
            tracing::error!(app = %self.id(), release = %release, error = %error, "a release's state could not be stored");
        }
    }

    async fn release_failed(&mut self, release: ReleaseNumber, reason: &str) {
        self.has_settled = true;
        if self.record.wanted == Some(release) {
            self.record.wanted = None;
        }
        tracing::info!(app = %self.id(), release = %release, reason, "a release failed");
        if let Err(error) = self.shared.store.fail_release(self.id(), release, reason).await {
            tracing::error!(app = %self.id(), release = %release, error = %error, "a failed release could not be stored");
        }
    }

    /// Removes all that is left. What cannot be removed now is tried again: the wish is stored.
    pub(super) async fn purge(&mut self) {
        self.promised = None;
        let removed = match self.remove_folder().await {
            Ok(()) => self.shared.store.remove(self.id()).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = removed {
            tracing::error!(app = %self.id(), error, "a deleted app could not be removed; it is tried again");
            let outbox = self.outbox.clone();
            let waiting = async move {
                tokio::time::sleep(REMOVE_AGAIN).await;
                let _ = outbox.send(Message::PurgeAgain);
            };
            tokio::spawn(waiting.in_current_span());
            return;
        }
        self.shared.collect_environments().await;
        self.shared.reserve.take();
        self.shared.registry.remove(self.id());
        self.is_purged = true;
    }
}
