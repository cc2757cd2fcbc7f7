// SPDX-License-Identifier: Apache-2.0
//! The real binary, seen from outside: the command line against a played server, the server with real uv and a real Streamlit.
#![cfg(test)]

mod apps;
mod bad_input;
mod cli;
mod command;
mod configuration;
mod contract;
mod control;
mod declared;
mod documents;
mod doors;
mod faults;
mod form;
mod hard_times;
mod health;
mod keeper;
mod life;
mod limits;
mod logging;
mod metrics;
mod portal;
mod releases;
mod server;
mod snapshot;
mod snippets;
mod store_of_envs;
mod streaming;
