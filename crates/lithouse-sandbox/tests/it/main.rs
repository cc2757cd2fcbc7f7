// SPDX-License-Identifier: Apache-2.0
//! What the sandbox promises, and attempts to break it: at every level that this machine offers, as root and as an ordinary user.
//!
//! Everything is tried on real zygotes and by native calls, as if the language had no rules at all.
#![cfg(test)]

mod calls;
mod cost;
mod files;
mod launch;
mod memory;
mod network;
mod privileges;
mod probe;
mod processes;
mod zygote;
