// SPDX-License-Identifier: Apache-2.0
//! What goes wrong on real machines: killed and stopped processes, clocks that jump, disks that are full, databases that are damaged.

mod clients;
mod database;
mod leftovers;
mod many;
mod promises;
mod rounds;
