// SPDX-License-Identifier: Apache-2.0
//! Environments are built once, whole or not at all, and nothing of a build outlives it.

mod cancel;
mod collect;
mod disk;
mod fail;
mod index;
pub(crate) mod lab;
mod lock;
mod prepare;
mod race;
