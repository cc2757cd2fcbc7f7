// SPDX-License-Identifier: Apache-2.0
//! Brings the keeper's news to the apps, and a new keeper when the old one is gone.

use std::sync::Arc;
use std::time::Duration;

use lithouse_core::lifecycle::Event;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::app::Message;
use crate::keeper::{InstanceReport, InstanceState, Keeper, KeeperEvent, KeeperProgram};
use crate::shared::Shared;

/// The pause between two attempts to get a keeper.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn run(shared: Arc<Shared>, program: KeeperProgram, mut events: UnboundedReceiver<KeeperEvent>) {
    loop {
        match events.recv().await {
            Some(KeeperEvent::Ended(report)) => ended(&shared, report).await,
            Some(KeeperEvent::Halted(report)) => {
                if let Some(app) = shared.registry.get(&report.app) {
                    app.tell(Message::Halted(report.instance, report.is_halted));
                }
            }
            Some(KeeperEvent::Lost) | None => {
                shared.keeper_watch.lost();
                tracing::error!("the connection to the keeper is lost; apps that ended with it are started again");
                events = reconnect(&shared, &program).await;
            }
        }
    }
}

async fn ended(shared: &Shared, report: InstanceReport) {
    let InstanceState::Ended { ending, .. } = report.state else { return };
    match shared.registry.get(&report.app) {
        Some(app) => {
            app.tell(Message::Peak(report.memory_peak));
            app.tell(Message::Event(Event::Ended { instance: report.instance, ending }));
        }
        None => {
            // A keeper that is gone has forgotten already.
            let _ = shared.keeper().forget(&report.instance).await;
        }
    }
}

async fn reconnect(shared: &Shared, program: &KeeperProgram) -> UnboundedReceiver<KeeperEvent> {
    loop {
        match Keeper::reconnect(&shared.home, program).await {
            Ok((keeper, events)) => match keeper.list().await {
                Ok(reports) => {
                    shared.keeper.store(Arc::new(keeper));
                    shared.keeper_watch.back();
                    take_census(shared, &reports);
                    return events;
                }
                Err(error) => {
                    shared.keeper_watch.not_had(format!("the new keeper did not answer: {error}"));
                    tracing::error!(error = %error, "the new keeper did not answer");
                }
            },
            Err(error) => {
                shared.keeper_watch.not_had(error.to_string());
                tracing::error!(error = %error, "no keeper could be had; it is tried again");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn take_census(shared: &Shared, reports: &[InstanceReport]) {
    for app in shared.registry.all() {
        let id = app.view.borrow().id.clone();
        app.tell(Message::Census(reports.iter().filter(|report| report.app == id).cloned().collect()));
    }
}
