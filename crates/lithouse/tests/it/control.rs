// SPDX-License-Identifier: Apache-2.0
//! The server's own life, as people steer it: `start`, `stop`, `status`, `restart --server`.

mod background;
mod busy;
pub(crate) mod house;
mod leftovers;
pub(crate) mod replace;
mod service;
