// SPDX-License-Identifier: Apache-2.0
//! What becomes of an app when a folder or the configuration says something else of it.

use lithouse_core::app::Desired;
use lithouse_core::lifecycle::Event;

use super::{AppTask, AskError};
use crate::engine::{Difference, Looked, compare, declared_as, to_be_replaced};

/// What is declared of the app now.
#[derive(Debug)]
pub(crate) struct Redeclared {
    pub(crate) looked: Looked,
    /// Whether it is started if it has stopped by itself.
    pub(crate) revive: bool,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// It is as it was.
    Nothing,
    /// Something is told differently, or counts from the next start.
    Changed,
    /// Its process, or the start that was under way, is being replaced.
    Restarted,
    /// It had stopped by itself and is being started.
    Started,
}

impl AppTask {
    /// Takes in what is declared of the app. Its process is touched only if that would be another one.
    pub(super) async fn redeclare(&mut self, declared: Redeclared) -> Result<Done, AskError> {
        let Redeclared { looked, revive } = declared;
        if self.life.desired() == Desired::Deleted {
            return Err(AskError::BeingDeleted);
        }
        let should_run = self.life.desired() == Desired::Running;
        // The files of an app that is stopped count when it is started.
        let fingerprint = self.starting_as.as_ref().or(self.record.fingerprint.as_ref()).filter(|_| should_run);
        let difference = compare(&self.record, fingerprint.map(String::as_str), &looked);
        if difference != Difference::None {
            let record = declared_as(&self.record, &looked);
            // Marked first: if we are killed in between, the next start replaces the process.
            let record = if difference == Difference::Runs { to_be_replaced(record) } else { record };
            self.shared.store.redeclare(&record, &looked.entry).await?;
            self.life.set_restart_on_crash(record.restart_on_crash);
            self.record = record;
            self.refresh_folder().await;
            self.publish();
        }
        let has_stopped = self.life.has_stopped_by_itself();
        match difference {
            Difference::Runs if should_run => {
                self.starting_as = Some(looked.fingerprint);
                self.replace().await;
                Ok(if has_stopped { Done::Started } else { Done::Restarted })
            }
            Difference::None | Difference::Told if revive && self.life.has_stopped_by_itself() => {
                self.starting_as = Some(looked.fingerprint);
                self.happen(Event::StartAsked).await;
                Ok(Done::Started)
            }
            Difference::None => Ok(Done::Nothing),
            Difference::Told | Difference::Runs => Ok(Done::Changed),
        }
    }

    /// Gives up whatever runs or is on its way, and starts anew.
    pub(super) async fn replace(&mut self) {
        if self.life.desired() == Desired::Running {
            self.happen(Event::StopAsked).await;
            self.happen(Event::StartAsked).await;
        }
    }
}
