// SPDX-License-Identifier: Apache-2.0
//! The doers of Lithouse: they perform what `lithouse-core` decides.
//!
//! Owns processes (by way of the keeper), environments, logs, files and the store. Contains no HTTP server and never sees the
//! proxy: it publishes route tables and is told of demand, both in types of `lithouse-core`.
#![forbid(unsafe_code)]

pub mod app;
mod backup;
pub mod bundle;
pub mod descriptors;
pub mod engine;
pub mod environment;
mod files;
mod fingerprint;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod guard;
pub mod health;
pub mod home;
pub mod keeper;
mod kept;
pub mod log;
mod opening;
mod owner;
pub mod plain_file;
mod ports;
mod probe;
pub mod process;
mod registry;
mod reserve;
pub mod script;
mod session;
pub mod shared;
pub mod snippets;
pub mod socket;
mod sockets;
pub mod store;
