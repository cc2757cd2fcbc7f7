// SPDX-License-Identifier: Apache-2.0
//! What the tests of several crates share: waiting for facts instead of sleeping for them, free ports, and upstreams that
//! misbehave. Never a normal dependency.
#![forbid(unsafe_code)]

mod ports;
pub mod upstream;
mod wait;

pub use self::ports::free_port;
pub use self::wait::{Observation, wait_until, wait_until_blocking};
