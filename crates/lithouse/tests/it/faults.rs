// SPDX-License-Identifier: Apache-2.0
//! What goes wrong on real machines: killed and stopped processes, clocks that jump, disks that are full, databases that are damaged.

mod clients;
mod clock;
mod database;
pub(crate) mod disks;
mod leftovers;
mod logs;
mod many;
pub(crate) mod processes;
mod promises;
mod rounds;
