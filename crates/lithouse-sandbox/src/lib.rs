// SPDX-License-Identifier: Apache-2.0
//! Confinement of one child process, and the only home of unsafe code.
//!
//! Owns what a child does to itself between its birth and its program: session, signals, descriptors, limits, privileges. It
//! knows no apps, no configuration and no async; what it needs to know it is told in a small specification of its own.
//!
//! An app's process goes through [`entry`]. A snippet's process is a fork of a warm interpreter, the zygote, which is put into its
//! surroundings by [`zygote`]; what each fork does to itself after that is a [`plan`]. [`level`] finds out how much of it this
//! machine offers, and [`cgroup`] is the part that is done from outside.

pub mod cgroup;
pub mod descriptors;
pub mod entry;
pub mod level;
pub mod plan;
pub mod signals;
pub mod zygote;

mod failure;
mod landlock;
mod limits;
mod mounts;
mod namespaces;
mod privileges;
mod syscalls;

pub use self::failure::Failure;
pub use self::limits::Limits;
