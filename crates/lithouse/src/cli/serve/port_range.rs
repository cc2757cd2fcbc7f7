// SPDX-License-Identifier: Apache-2.0
//! The apps' internal ports.

use std::fmt;
use std::str::FromStr;

/// A text that is no range of ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a range of ports is `FIRST-LAST` such as `8501-8999`, from 1 to 65535")]
pub(crate) struct NotAPortRange;

/// A range of ports with at least one port in it, none of them 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// The first port.
    pub(crate) fn first(self) -> u16 {
        self.first
    }

    /// The last port.
    pub(crate) fn last(self) -> u16 {
        self.last
    }
}

impl Default for PortRange {
    fn default() -> Self {
        Self { first: 8501, last: 8999 }
    }
}

impl FromStr for PortRange {
    type Err = NotAPortRange;

    fn from_str(text: &str) -> Result<Self, NotAPortRange> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let port = |text: &str| text.trim().parse::<u16>().map_err(|_| NotAPortRange);
        let range = Self { first: port(first)?, last: port(last)? };
        if range.first == 0 || range.first > range.last { Err(NotAPortRange) } else { Ok(range) }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_at_least_one_port_and_never_port_0() {
        let ports = |text: &str| text.parse().map(|range: PortRange| (range.first(), range.last()));
        assert_eq!(ports("8501-8999"), Ok((8501, 8999)));
        assert_eq!(ports("8501"), Ok((8501, 8501)));
        for wrong in ["", "-", "0-5", "9-8", "1-65536", "a-b", "1-2-3"] {
            assert_eq!(ports(wrong), Err(NotAPortRange), "{wrong}");
        }
    }
}
