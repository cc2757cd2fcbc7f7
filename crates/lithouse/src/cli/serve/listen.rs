// SPDX-License-Identifier: Apache-2.0
//! The address to listen on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// A text that is no address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an address to listen on is `ADDR:PORT` such as `127.0.0.1:8080` or `[::]:8080`")]
pub(in crate::cli) struct NotAnAddress;

/// An address to listen on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listen(pub(super) SocketAddr);

impl Listen {
    pub(super) const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
}

impl FromStr for Listen {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let local = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        local.as_deref().unwrap_or(text).parse().map(Self).map_err(|_| NotAnAddress)
    }
}

/// A text that is no port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a port is a number from 0 to 65535")]
pub(in crate::cli) struct NotAPort;

/// The port that platforms hand to what they run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Port(u16);

impl Port {
    /// The port on every address, since the platform's own proxy comes from outside.
    pub(super) fn everywhere(self) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), self.0)
    }
}

impl FromStr for Port {
    type Err = NotAPort;

    fn from_str(text: &str) -> Result<Self, NotAPort> {
        text.trim().parse().map(Self).map_err(|_| NotAPort)
    }
}
