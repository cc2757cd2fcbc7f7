// SPDX-License-Identifier: Apache-2.0
//! The domain of Lithouse, pure.
//!
//! Owns what an app, a release, an instance and a route *are*, and decides what happens next: state, event and time in, state
//! and effects out. It does no I/O, knows no clock, no async, no HTTP and no SQL, so that every path is a table test.
#![forbid(unsafe_code)]

pub mod app;
pub mod durations;
pub mod ending;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod id;
pub mod lifecycle;
pub mod limits;
pub mod policy;
pub mod restart;
pub mod route;
