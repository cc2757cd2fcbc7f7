// SPDX-License-Identifier: Apache-2.0
//! The table of hard times. Each row is a test: something goes wrong, what is told of it is frozen word by word in
//! `snapshots/hard-times`, a neighbour does not feel it, and afterwards everything works and nothing is left.
//!
//! `docs/guides/when-things-go-wrong.md` tells operators the same; what stands there is seen in a row.

mod deploys;
mod descriptors;
mod disks;
mod ends;
mod memory;
mod output;
mod places;
mod ports;
mod row;
mod starts;
pub(crate) mod told;
mod wheels;
