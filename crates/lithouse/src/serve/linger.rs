// SPDX-License-Identifier: Apache-2.0
//! What is left of a server after its successor serves: the connections that it has, until they end or their time is over.

use std::time::{Duration, Instant};

use anyhow::bail;
use lithouse_engine::home::Home;
use rustix::process::{Pid, Signal};

use super::background;
use super::house::House;
use super::lock;
use super::predecessor::VARIABLE;
use super::signals::EndSignals;
use super::successor::Successor;

/// How long connections that wait for a further request may wait.
const IDLE: Duration = Duration::from_secs(15);
/// How long any connection may go on; then browsers connect again, to the successor.
const LONGEST: Duration = Duration::from_secs(600);
/// How often it is looked whether all are gone.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Carries what is there to its end. `is_told`: to end, before the successor served, which is the one to end then.
pub(super) async fn linger(
    home: &Home,
    house: House,
    successor: Successor,
    end: &mut EndSignals,
    mut is_told: bool,
) -> anyhow::Result<()> {
    if is_told {
        terminate(lock::holder(home).unwrap_or(successor.pid));
    }
    let began = Instant::now();
    let carrying = async {
        while began.elapsed() < LONGEST && !house.is_idle() {
            if began.elapsed() > IDLE {
                house.end_idle_connections();
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::select! {
        () = carrying => {}
        () = successor.is_wanted_gone() => {}
        () = end.told() => is_told = true,
    }
    house.leave().await;
    tracing::info!("the last connection of the replaced server is gone");
    if has_keeper_of_its_own() {
        return Ok(());
    }
    stand_for(home, successor, end, is_told).await
}

/// Whether nobody waits for this very process: a service manager was told of the successor, `lithouse start` waits for nobody, and a
/// successor has somebody who stands for it.
fn has_keeper_of_its_own() -> bool {
    background::is_wanted() || std::env::var_os("NOTIFY_SOCKET").is_some() || std::env::var_os(VARIABLE).is_some()
}

/// Stands for the servers that come after us, for a terminal or a container that knows this process alone: passes on what it is told,
/// and ends with the last of them.
async fn stand_for(home: &Home, mut successor: Successor, end: &mut EndSignals, mut is_told: bool) -> anyhow::Result<()> {
    let first = successor.pid;
    let mut waiting = Box::pin(async move { successor.ended().await });
    let mut status = None;
    let mut passed_on_to = None;
    loop {
        // The successor may have one of its own by now, which is then the one to be told.
        let current = lock::holder(home).unwrap_or(first);
        if is_told && passed_on_to != Some(current) {
            passed_on_to = Some(current);
            terminate(current);
        }
        tokio::select! {
            () = end.told() => (is_told, passed_on_to) = (true, None),
            ended = waiting.as_mut(), if status.is_none() => status = Some(ended?),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        if let Some(status) = status
            && lock::holder(home).is_none()
        {
            return if status.success() { Ok(()) } else { bail!("the server ended: {status}") };
        }
    }
}

/// Passes on that the server is told to end. One that has ended already is seen to have ended by whoever waits for it.
fn terminate(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, Signal::TERM);
    }
}
