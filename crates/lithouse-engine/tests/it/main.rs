// SPDX-License-Identifier: Apache-2.0
//! What the engine promises, held against real files, real processes, real uv and real Python.
#![cfg(test)]

mod bundle;
mod environment;
mod environment_guard;
mod environment_uv;
mod keeper;
mod log;
mod snippets;
