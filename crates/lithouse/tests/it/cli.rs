// SPDX-License-Identifier: Apache-2.0
//! The command line, against a server that is played by the test.

mod apps;
pub(crate) mod binary;
mod config;
mod deploy;
mod doctor;
mod failures;
mod help;
mod logs;
mod one_app;
mod run;
mod server;
mod terminal;
