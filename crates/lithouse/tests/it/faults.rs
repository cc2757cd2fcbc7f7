// SPDX-License-Identifier: Apache-2.0
//! What goes wrong on real machines: killed and stopped processes, clocks that jump, disks that are full, databases that are damaged.

pub(crate) mod clients;
mod clock;
mod database;
pub(crate) mod disks;
pub(crate) mod leftovers;
mod logs;
mod many;
pub(crate) mod processes;
pub(crate) mod promises;
pub(crate) mod rounds;
