// SPDX-License-Identifier: Apache-2.0
//! The keeper, as the server sees it: a process of its own with real apps below it.

mod app;
mod bench;
mod birth;
mod door;
mod endings;
mod lifetime;
mod limits;
mod logs;
mod replace;
mod scale;
