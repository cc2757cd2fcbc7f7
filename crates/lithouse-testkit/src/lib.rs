// SPDX-License-Identifier: Apache-2.0
//! What the tests of several crates share: waiting for facts instead of sleeping for them, free ports, upstreams that
//! misbehave, archives as no library would write them, what a computation costs, and what fuzzing has found. Never a normal dependency.
#![forbid(unsafe_code)]

#[expect(clippy::expect_used, reason = "a test without its archive cannot go on")]
pub mod forge;
mod ports;
mod processor;
mod program;
mod replay;
pub mod upstream;
mod wait;

pub use self::ports::{free_port, free_ports};
pub use self::processor::processor_time;
pub use self::program::put_program;
pub use self::replay::replay;
pub use self::wait::{Observation, wait_until, wait_until_blocking};
