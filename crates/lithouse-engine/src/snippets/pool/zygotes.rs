// SPDX-License-Identifier: Apache-2.0
//! The pool's zygotes: the ground is prepared, one is started, and another when it is old or gone.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Message, PAUSE_BY_ITSELF, Phase, Pool, unavailable};
use crate::snippets::ground::{Ground, GroundError, Progress};
use crate::snippets::health::State;
use crate::snippets::zygote::{StartError, Zygote};

impl Pool {
    pub(super) fn prepare(&mut self) {
        self.phase = Phase::Preparing;
        let preparation = (self.preparation)();
        let outbox = self.outbox.clone();
        self.tasks.spawn(async move {
            let prepared = preparation.run(|progress| outbox.send(Message::Progress(progress))).await;
            outbox.send(Message::Prepared(Box::new(prepared)));
        });
    }

    /// Has the board told what the machine offers, before anybody asks for a run.
    pub(super) fn look_ahead(&mut self) {
        let preparation = (self.preparation)();
        let outbox = self.outbox.clone();
        self.tasks.spawn(async move {
            // What fails here fails again, and is told, when it is needed.
            if let Ok(looked) = preparation.look_only().await {
                outbox.send(Message::LookedAhead(looked));
            }
        });
    }

    pub(super) fn take_progress(&mut self, progress: Progress) {
        match progress {
            Progress::Looked(offer, level) => self.board.looked(offer, level),
            Progress::Building => {
                self.board.set_state(State::Building, None);
                let refusal = self.board.building();
                self.queue.refuse_all(&refusal);
            }
        }
    }

    pub(super) fn take_prepared(&mut self, prepared: Result<Ground, GroundError>) {
        match prepared {
            Ok(ground) => {
                tracing::info!(level = %ground.level, "snippets run in the sandbox");
                self.phase = Phase::Prepared(Arc::new(ground));
            }
            Err(error) => {
                tracing::warn!(error = %error, "snippets cannot be run");
                let refusal = unavailable(&error);
                self.phase = Phase::Unprepared { since: Instant::now(), error };
                self.tell_board();
                self.queue.refuse_all(&refusal);
            }
        }
    }

    pub(super) fn try_preparing_again(&mut self) {
        if let Phase::Unprepared { since, error } = &self.phase
            && error.may_pass()
            && since.elapsed() >= PAUSE_BY_ITSELF
        {
            self.prepare();
        }
    }

    pub(super) fn start_zygote_if_due(&mut self) {
        let Phase::Prepared(ground) = &self.phase else { return };
        let has_served = self.forks >= self.settings.forks_per_zygote || self.warmed_at.elapsed() >= self.settings.zygote_life;
        let is_old = self.zygote.is_some() && has_served;
        let may_try = self.backoff.not_before().is_none_or(|time| time <= Instant::now());
        if self.is_warming || !may_try || (self.zygote.is_some() && !is_old) {
            return;
        }
        self.is_warming = true;
        self.last_zygote += 1;
        let (id, ground, outbox) = (self.last_zygote, Arc::clone(ground), self.outbox.clone());
        let program = self.settings.program.clone();
        self.tasks.spawn(async move {
            let warmed = Zygote::start(id, &program, &ground.spec).await;
            outbox.send(Message::Warmed(Box::new(warmed)));
        });
    }

    pub(super) fn take_warmed(&mut self, warmed: Result<Zygote, StartError>) {
        self.is_warming = false;
        match warmed {
            Ok(zygote) => {
                let zygote = Arc::new(zygote);
                self.watch(&zygote);
                tracing::info!(python = zygote.ready.python, seconds = zygote.ready.seconds, "the snippets' Python is warm");
                self.board.set_zygote(Some(&zygote));
                self.warmed_at = Instant::now();
                self.forks = 0;
                self.old.extend(self.zygote.replace(zygote));
            }
            Err(error) => self.it_fails(format!("the warm Python could not be started: {error}")),
        }
    }

    /// Has the pool told when a zygote is gone.
    pub(super) fn watch(&mut self, zygote: &Arc<Zygote>) {
        let (id, watched, outbox) = (zygote.id, zygote.watched(), self.outbox.clone());
        self.tasks.spawn(async move { outbox.send(Message::Gone { zygote: id, how: watched.end().await }) });
    }

    pub(super) fn zygote_is_gone(&mut self, id: u64, how: &str) {
        self.parked.retain(|child| child.zygote.id != id);
        self.old.retain(|zygote| zygote.id != id);
        if self.zygote.as_ref().is_some_and(|zygote| zygote.id == id) {
            self.zygote = None;
            self.board.set_zygote(None);
            self.it_fails(format!("the warm Python ended ({how})"));
        }
    }

    /// Something with a zygote went wrong; it is tried again after a pause.
    pub(super) fn it_fails(&mut self, reason: String) {
        tracing::warn!(reason, "snippets: a new Python is started");
        self.backoff.failed(Instant::now());
        self.reason = Some(reason);
        self.tell_board();
        if self.backoff.is_hopeless() && self.zygote.is_none() {
            let refusal = self.hopeless();
            self.queue.refuse_all(&refusal);
        }
    }
}
