// SPDX-License-Identifier: Apache-2.0
//! Apps that a folder or the configuration names, and how a running server takes what changes there.

mod configured;
mod folder;
mod lab;
mod many;
mod pipes;
mod streamlit;
mod told;
mod watch;
