// SPDX-License-Identifier: Apache-2.0
//! The pool's children: forked into free slots, parked, and cleared away after their run.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::slots::Use;
use super::{Message, Phase, Pool};
use crate::snippets::child::{Body, Child, ChildProcess, ParkError};
use crate::snippets::zygote::ForkError;

/// How long a process that was killed may take to be gone before that is told.
const DIES_WITHIN: Duration = Duration::from_secs(5);
/// How much later than that of its child the end of a zygote may be seen.
const ENDS_AFTER_ITS_CHILD: Duration = Duration::from_millis(500);
/// Between two attempts to clear a slot.
const CLEARS_AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Pool {
    pub(super) fn take_parked(&mut self, child: Box<Child>) {
        if child.zygote.is_gone() {
            return;
        }
        if child.zygote.id == self.last_zygote {
            self.backoff.succeeded();
        }
        if let (Phase::Prepared(ground), Some(user)) = (&self.phase, child.user) {
            self.board.found(ground.own_user_ids(user));
        }
        self.slots.set(child.body.slot(), Use::Parked(child.zygote.id));
        self.parked.push_back(child);
    }

    pub(super) fn take_not_parked(&mut self, zygote: u64, error: &ParkError) {
        let is_current = self.zygote.as_ref().is_some_and(|current| current.id == zygote);
        match error {
            // Its end is told by itself.
            ParkError::Fork(ForkError::Gone) => {}
            _ if !is_current => {}
            error => {
                if let Some(bad) = self.zygote.take() {
                    bad.kill();
                }
                self.board.set_zygote(None);
                self.parked.retain(|child| child.zygote.id != zygote);
                self.it_fails(format!("a process for a run could not be had: {error}"));
            }
        }
    }

    /// Forks as many children as there should be, unless that would hold up somebody.
    pub(super) fn fill_up(&mut self) {
        self.forks_at = None;
        let (Phase::Prepared(ground), Some(zygote)) = (&self.phase, &self.zygote) else { return };
        while self.slots.available(zygote.id) < self.workers + 1 {
            self.forks_at = self.calm.forks_at(self.slots.available(zygote.id), self.workers, Instant::now());
            if self.forks_at.is_some() {
                return;
            }
            let Some(slot) = self.slots.take(zygote.id) else { return };
            self.last_run += 1;
            self.forks += 1;
            let body = Body::new(slot, self.outbox.clone());
            let (run, zygote, ground, outbox) = (self.last_run, Arc::clone(zygote), Arc::clone(ground), self.outbox.clone());
            self.tasks.spawn(async move {
                let id = zygote.id;
                match Child::park(body, run, Arc::clone(&zygote), &ground).await {
                    Ok(child) => outbox.send(Message::Parked(Box::new(child))),
                    Err(error) => {
                        // A child ends with its zygote, whose own end says more and may be seen a moment later.
                        let error = if zygote.goes_within(ENDS_AFTER_ITS_CHILD).await { ForkError::Gone.into() } else { error };
                        outbox.send(Message::NotParked { zygote: id, error });
                    }
                }
            });
        }
    }

    /// Replaces the parked children of old zygotes one by one, and ends those zygotes that have no child left.
    pub(super) fn let_old_ones_go(&mut self) {
        if self.old.is_empty() {
            return;
        }
        let is_old = |child: &Child, pool: &Self| pool.old.iter().any(|zygote| zygote.id == child.zygote.id);
        while self.parked.len() > self.workers + 1 {
            let Some(oldest) = self.parked.iter().position(|child| is_old(child, self)) else { break };
            self.parked.remove(oldest);
        }
        let slots = &self.slots;
        self.old.retain(|zygote| slots.has_any_of(zygote.id));
    }

    /// Clears a slot once its process is gone.
    pub(super) fn clean(&mut self, slot: u32, process: Option<Arc<ChildProcess>>) {
        self.calm.ended(Instant::now());
        self.slots.vacate(slot);
        self.running.retain(|(running, _)| *running != slot);
        let Phase::Prepared(ground) = &self.phase else { return };
        let (ground, outbox) = (Arc::clone(ground), self.outbox.clone());
        self.tasks.spawn(async move {
            if let Some(process) = process {
                process.kill();
                if timeout(DIES_WITHIN, process.end()).await.is_err() {
                    tracing::error!(pid = process.pid, slot, "a run's process does not die");
                    process.end().await;
                }
            }
            loop {
                let again = Arc::clone(&ground);
                let cleaned = tokio::task::spawn_blocking(move || again.clean(slot)).await.map_err(std::io::Error::other);
                match cleaned.flatten() {
                    Ok(()) => break,
                    Err(error) => tracing::error!(slot, error = %error, "a slot could not be cleared; it is tried again"),
                }
                sleep(CLEARS_AGAIN_AFTER).await;
            }
            outbox.send(Message::Cleaned(slot));
        });
    }
}
