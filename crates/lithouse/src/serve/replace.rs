// SPDX-License-Identifier: Apache-2.0
//! One server in the place of another, step by step. Until the lock is given, nothing has changed; after that, everything is taken
//! back unless the successor serves.

use std::time::Instant;

use super::house::{Ground, House};
use super::lock::Lock;
use super::predecessor::prune;
use super::successor::{NotReplaced, Program, Successor};
use super::talk::Talk;
use super::wish::Replacement;

/// Lets a successor take the place. An error is the end of this server: what it let go of could not be taken back.
pub(super) async fn replace(
    ground: &Ground,
    house: &mut House,
    lock: &mut Lock,
    program: &Program,
    elders: &mut Vec<Talk>,
) -> anyhow::Result<Result<(Successor, Replacement), NotReplaced>> {
    prune(elders).await;
    let data = ground.home.root().to_owned();
    let ready = Successor::ready(program, data, ground.asked, &ground.doors, elders).await;
    let mut successor = match ready {
        Ok(successor) => successor,
        Err(error) => return Ok(Err(error)),
    };
    tracing::info!(successor.pid, successor.version, "handing over");
    let held = house.hold().await;
    // What was last taken counts, if everything has to be taken back.
    let good = house.refresher.good().await;
    let began = Instant::now();
    house.let_go().await;
    let handed = successor.hand_over(lock).await;
    house.give_way(held).await;
    match handed {
        Ok(()) => {
            let replacement = Replacement { pid: successor.pid, version: successor.version.clone(), gap: began.elapsed() };
            Ok(Ok((successor, replacement)))
        }
        Err(error) => {
            lock.sign();
            *house = House::open(ground, good).await?;
            Ok(Err(error))
        }
    }
}
