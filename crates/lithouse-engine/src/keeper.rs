// SPDX-License-Identifier: Apache-2.0
//! The keeper: the small process that is the parent of every app.
//!
//! Owns the apps' listeners, their output on its way into the logs, their processes until the last one is reaped, and the news of
//! how each ended, until the server has taken note of it. It decides nothing: what should run, and when, is the server's affair.
//! The server may die and come back at any time; it connects again, asks for the list, and has missed nothing. If the keeper
//! dies, its apps die with it, and the next keeper of the same home clears what is left of them.
//!
//! [`run()`] is the process itself. [`Keeper`] is the server's handle on it. All else is private to the two.

mod allowance;
mod belonging;
mod client;
mod diary;
mod door;
mod drain;
mod exits;
mod floor;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod groups;
mod handover;
mod house;
mod instance;
mod kept;
mod launch;
mod leftovers;
mod lines;
mod listener;
mod lock;
mod log_file;
mod mark;
mod memory;
mod processes;
mod relatives;
mod replacing;
mod run;
mod spawn;
mod start;
mod wire;

pub use self::client::{CallError, Keeper, KeeperEvent};
pub use self::launch::{InstanceReport, InstanceState, Launch, LaunchLimits, LogLimits, Spawned};
pub use self::lock::holder;
pub(crate) use self::mark::of_home as mark_of_home;
pub(crate) use self::relatives::processes_of;
pub use self::run::{KeeperError, KeeperOptions, run};
pub use self::start::{ConnectError, KeeperProgram};
pub use self::wire::Refusal;
