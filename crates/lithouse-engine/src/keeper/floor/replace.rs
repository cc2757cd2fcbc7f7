// SPDX-License-Identifier: Apache-2.0
//! The keeper becomes another program, with all that it holds.

use std::io;
use std::time::Duration;

use lithouse_sandbox::signals::PutOff;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::{Floor, GRACE_BY_SIGNAL, Message, Signals};
use crate::keeper::door::Reply;
use crate::keeper::drain::{Drain, Remark};
use crate::keeper::handover::{Handover, Held, VERSION};
use crate::keeper::kept::{Kept, keep, take_up};
use crate::keeper::wire::{Answer, Refusal, Replace};

/// A process that has not become its program by then never will.
const UNTIL_ALL_HAVE_ENTERED: Duration = Duration::from_secs(5);

/// What was caught but not heard of yet comes within this time.
const CAUGHT_ALREADY: Duration = Duration::from_millis(2);

/// What the keeper is to become, and who wants it.
#[derive(Debug)]
pub(super) struct Asked {
    replace: Replace,
    reply: Reply,
    until: Instant,
}

impl Asked {
    /// When it is given up.
    pub(super) fn patience(&self) -> Instant {
        self.until
    }

    fn refuse(self, reason: impl Into<String>) -> String {
        let reason = reason.into();
        let told = format!("did not become `{}`: {reason}", self.replace.program.display());
        self.reply.send(Answer::Refused(Refusal::NotReplaced { program: self.replace.program, reason }));
        told
    }
}

impl Floor {
    pub(super) fn ask_for_replacement(&mut self, replace: Replace, reply: Reply) {
        let reads = replace.reads.clone();
        let asked = Asked { replace, reply, until: Instant::now() + UNTIL_ALL_HAVE_ENTERED };
        let obstacle = if self.closing.is_some() {
            "it is shutting down".to_owned()
        } else if self.replacing.is_some() {
            "it is just becoming another program".to_owned()
        } else if !reads.contains(&VERSION) {
            format!("that program does not read version {VERSION} of what this one would leave to it")
        } else {
            self.replacing = Some(asked);
            return;
        };
        self.diary.note(&asked.refuse(obstacle));
    }

    /// Becomes the other program as soon as that can be. Returns if it is not to be, or not yet.
    pub(super) async fn replace_if_asked(&mut self, signals: &mut Signals) {
        let is_ready = self.instances.values().all(|instance| instance.entered.is_some() && instance.spawning.is_none());
        let Some(asked) = self.replacing.take_if(|asked| is_ready || asked.until <= Instant::now()) else { return };
        let failure = if is_ready {
            match self.replace(&asked.replace, signals).await {
                Ok(never) => match never {},
                Err(error) => error.to_string(),
            }
        } else {
            "an app that is being started does not come to its program".to_owned()
        };
        self.diary.note(&asked.refuse(failure));
    }

    async fn replace(&mut self, replace: &Replace, signals: &mut Signals) -> io::Result<std::convert::Infallible> {
        let put_off = PutOff::all()?;
        let told_to_end = async {
            tokio::select! { _ = signals.terminate.recv() => {}, _ = signals.interrupt.recv() => {} }
        };
        if timeout(CAUGHT_ALREADY, told_to_end).await.is_ok() {
            drop(put_off);
            self.close(GRACE_BY_SIGNAL, None);
            return Err(io::Error::other("it was told to end"));
        }
        self.diary.note(&format!("becoming `{}`, with {} instances", replace.program.display(), self.instances.len()));
        let handover = self.hand_over().await?;
        let (handover, error) = handover.pass_to(&replace.program, &replace.args);
        self.take_up(handover.instances);
        // They are the ones that were handed over: nothing has changed.
        self.groups = handover.groups;
        drop(put_off);
        Err(error)
    }

    /// Gathers everything. The tasks that fill the logs end where they are.
    async fn hand_over(&mut self) -> io::Result<Handover> {
        let (heir, socket) = oneshot::channel();
        self.socket.send(heir).map_err(|_| io::Error::other("there is no socket"))?;
        let socket = socket.await.map_err(|_| io::Error::other("there is no socket"))??;
        let lock = self.lock.again()?;
        let mut instances = Vec::new();
        for instance in std::mem::take(&mut self.instances).into_values() {
            let (to, drain) = oneshot::channel();
            // A task that is gone has completed its log.
            let _ = instance.log.send(Remark::HandOver(to));
            let drain = drain.await.ok().map(Drain::keep);
            instances.push(keep(instance, drain));
        }
        // Whoever takes an instance up sees that its log is complete. All else is heard later, if this comes to nothing.
        let mut later = Vec::new();
        while let Ok(message) = self.inbox.try_recv() {
            later.extend(Some(message).filter(|message| !matches!(message, Message::Drained(_))));
        }
        for message in later {
            // The floor holds the other end.
            let _ = self.to_inbox.send(message);
        }
        let groups = std::mem::take(&mut self.groups);
        Ok(Handover { lock, socket, open_files: self.spawner.open_files, groups, instances })
    }

    /// Goes on with what another program held, or this one before.
    pub(in crate::keeper) fn take_up(&mut self, instances: Vec<Kept<Held>>) {
        for kept in instances {
            let (log, remarks) = mpsc::unbounded_channel();
            let Some((instance, drain)) = take_up(kept, log) else { continue };
            match drain {
                Some(drain) => self.drain(instance.id.clone(), Drain::take_up(drain, remarks)),
                // Its log is complete, which may not have been heard of.
                None => drop(self.to_inbox.send(Message::Drained(instance.id.clone()))),
            }
            self.instances.insert(instance.id.clone(), instance);
        }
    }
}
