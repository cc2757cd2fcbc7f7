// SPDX-License-Identifier: Apache-2.0
//! Confinement of one child process, and the only home of unsafe code.
//!
//! Owns what a child does to itself between its birth and its program: session, signals, descriptors, limits, privileges. It
//! knows no apps, no configuration and no async; what it needs to know it is told in a small specification of its own.

pub mod descriptors;
pub mod entry;
mod signals;
