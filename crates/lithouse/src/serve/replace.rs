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
use crate::config::Config;
use crate::edge::Held;

/// A successor that is ready, and a server that begins nothing any more. Dropped, everything is as it was before.
pub(super) struct Begun {
    successor: Successor,
    held: Held,
    /// What was last taken counts, if everything has to be taken back.
    good: Config,
}

/// Gets a successor ready to take the place. May be dropped at any moment.
pub(super) async fn begin(
    ground: &Ground,
    house: &House,
    program: &Program,
    elders: &mut Vec<Talk>,
) -> Result<Begun, NotReplaced> {
    prune(elders).await;
    let data = ground.home.root().to_owned();
    let successor = Successor::ready(program, data, ground.asked, &ground.doors, elders).await?;
    tracing::info!(successor.pid, successor.version, "handing over");
    let held = house.hold().await;
    Ok(Begun { successor, held, good: house.refresher.good().await })
}

impl Begun {
    /// Hands over. Must not be dropped: halfway nobody, or two, would have the data folder. An error is the end of this server: what
    /// it let go of could not be taken back.
    pub(super) async fn finish(
        self,
        ground: &Ground,
        house: &mut House,
        lock: &mut Lock,
    ) -> anyhow::Result<Result<(Successor, Replacement), NotReplaced>> {
        let Self { mut successor, held, good } = self;
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
}
