// SPDX-License-Identifier: Apache-2.0
//! The apps' internal ports.

use std::fmt;

use serde_json::Value as Json;

use super::{Reader, Wrong};

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

/// Reads them.
pub(in crate::config) struct Ports;

impl Reader for Ports {
    type Value = PortRange;

    fn expected() -> String {
        "a range of ports is `FIRST-LAST`, from 1 to 65535".to_owned()
    }

    fn example() -> &'static str {
        "8501-8999"
    }

    fn of_text(text: &str) -> Result<PortRange, Wrong> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let port = |text: &str| text.trim().parse::<u16>().map_err(|_| Wrong::Form);
        let range = PortRange { first: port(first)?, last: port(last)? };
        if range.first == 0 || range.first > range.last { Err(Wrong::Form) } else { Ok(range) }
    }

    fn show(value: &PortRange) -> Json {
        value.to_string().into()
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
        let ports = |text: &str| Ports::of_text(text).map(|range| (range.first(), range.last()));
        assert_eq!(ports("8501-8999"), Ok((8501, 8999)));
        assert_eq!(ports("8501"), Ok((8501, 8501)));
        for wrong in ["", "-", "0-5", "9-8", "1-65536", "a-b", "1-2-3"] {
            assert_eq!(ports(wrong), Err(Wrong::Form), "{wrong}");
        }
    }
}
