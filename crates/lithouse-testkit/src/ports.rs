// SPDX-License-Identifier: Apache-2.0
//! Ports for tests that cannot take a listener.

use std::net::{Ipv4Addr, TcpListener};

/// A port on the loopback that nobody used a moment ago. Another may take it first: prefer port 0 or a listener where one will do.
#[expect(clippy::expect_used, reason = "a test without a port cannot go on")]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the kernel gives a port");
    listener.local_addr().expect("a bound listener has an address").port()
}
