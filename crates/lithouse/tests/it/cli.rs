// SPDX-License-Identifier: Apache-2.0
//! The command line, against a server that is played by the test.

mod apps;
pub(crate) mod binary;
mod completions;
mod config;
mod deploy;
mod doctor;
mod examples;
mod failures;
mod help;
mod logs;
mod manner;
mod one_app;
mod run;
mod server;
mod terminal;
