// SPDX-License-Identifier: Apache-2.0
//! Amounts: how many, how long, how much, and yes or no.

use std::time::Duration;

use lithouse_core::limits::Cores;
use serde_json::Value as Json;

use super::{Reader, Wrong};
use crate::config::file::{Node, NodeKind};
use crate::config::layers::Scope;

/// A whole number between two.
pub(in crate::config) struct Count<const FROM: usize, const TO: usize>;

impl<const FROM: usize, const TO: usize> Reader for Count<FROM, TO> {
    type Value = usize;

    fn expected() -> String {
        format!("a whole number from {FROM} to {TO} is expected")
    }

    fn example() -> &'static str {
        "4"
    }

    fn of_text(text: &str) -> Result<usize, Wrong> {
        text.trim().parse().ok().filter(|number| (FROM..=TO).contains(number)).ok_or(Wrong::Form)
    }

    fn show(value: &usize) -> Json {
        (*value).into()
    }

    fn of_node(node: &Node, _scope: &mut Scope<'_>) -> Result<usize, Wrong> {
        match node.kind {
            NodeKind::Integer(number) => {
                usize::try_from(number).ok().filter(|number| (FROM..=TO).contains(number)).ok_or(Wrong::Form)
            }
            _ => Err(Wrong::Form),
        }
    }
}

/// The same for amounts that are the same on every machine.
pub(in crate::config) struct Number<const FROM: u32, const TO: u32>;

impl<const FROM: u32, const TO: u32> Reader for Number<FROM, TO> {
    type Value = u32;

    fn expected() -> String {
        format!("a whole number from {FROM} to {TO} is expected")
    }

    fn example() -> &'static str {
        "1024"
    }

    fn of_text(text: &str) -> Result<u32, Wrong> {
        text.trim().parse().ok().filter(|number| (FROM..=TO).contains(number)).ok_or(Wrong::Form)
    }

    fn show(value: &u32) -> Json {
        (*value).into()
    }

    fn of_node(node: &Node, _scope: &mut Scope<'_>) -> Result<u32, Wrong> {
        match node.kind {
            NodeKind::Integer(number) => Self::of_text(&number.to_string()),
            _ => Err(Wrong::Form),
        }
    }
}

/// A share of the processor.
pub(in crate::config) struct Share;

impl Reader for Share {
    type Value = Cores;

    fn expected() -> String {
        "a number of cores from 0.01 to 1024 is expected".to_owned()
    }

    fn example() -> &'static str {
        "0.5"
    }

    fn of_text(text: &str) -> Result<Cores, Wrong> {
        text.trim().parse::<f64>().ok().and_then(|cores| Cores::try_from(cores).ok()).ok_or(Wrong::Form)
    }

    fn show(value: &Cores) -> Json {
        f64::from(*value).into()
    }

    fn of_node(node: &Node, _scope: &mut Scope<'_>) -> Result<Cores, Wrong> {
        match &node.kind {
            NodeKind::Integer(number) => Self::of_text(&number.to_string()),
            // A fraction, as it is written.
            NodeKind::Other(said) => Self::of_text(&said.replace('_', "")),
            _ => Err(Wrong::Form),
        }
    }
}

/// A time between two numbers of seconds.
pub(in crate::config) struct Seconds<const FROM: u64, const TO: u64>;

impl<const FROM: u64, const TO: u64> Reader for Seconds<FROM, TO> {
    type Value = Duration;

    fn expected() -> String {
        format!("a time from {FROM} to {TO} seconds is expected, as a whole number with or without the unit `s`, `m` or `h`")
    }

    fn example() -> &'static str {
        "30s"
    }

    fn of_text(text: &str) -> Result<Duration, Wrong> {
        let text = text.trim();
        let border = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
        let factor = match text[border..].trim_start() {
            "" | "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(Wrong::Form),
        };
        let number: u64 = text[..border].parse().map_err(|_| Wrong::Form)?;
        let seconds = number.checked_mul(factor).filter(|seconds| (FROM..=TO).contains(seconds));
        seconds.map(Duration::from_secs).ok_or(Wrong::Form)
    }

    fn show(value: &Duration) -> Json {
        format!("{}s", value.as_secs()).into()
    }

    fn of_node(node: &Node, _scope: &mut Scope<'_>) -> Result<Duration, Wrong> {
        match &node.kind {
            NodeKind::Text(text) => Self::of_text(text),
            NodeKind::Integer(number) => Self::of_text(&number.to_string()),
            _ => Err(Wrong::Form),
        }
    }
}

/// A number of bytes, at least so many.
pub(in crate::config) struct Size<const FROM: u64>;

/// Units are those of drives and networks: a thousand, unless an `i` says 1,024.
const UNITS: [(&str, u64); 9] = [
    ("TB", 1_000_000_000_000),
    ("TiB", 1 << 40),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("kB", 1_000),
    ("KiB", 1 << 10),
    ("B", 1),
];

fn written(bytes: u64) -> String {
    let unit = UNITS.iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    unit.map_or_else(|| bytes.to_string(), |(name, unit)| format!("{}{name}", bytes / unit))
}

impl<const FROM: u64> Reader for Size<FROM> {
    type Value = u64;

    fn expected() -> String {
        let least = written(FROM);
        format!(
            "a size of at least {least} is expected, as a whole number of bytes or with a unit: `MB` is 1,000,000, `MiB` 1,048,576"
        )
    }

    fn example() -> &'static str {
        "512MB"
    }

    fn of_text(text: &str) -> Result<u64, Wrong> {
        let text = text.trim();
        let border = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
        let number: u64 = text[..border].parse().map_err(|_| Wrong::Form)?;
        let unit = match text[border..].trim_start() {
            "" => 1,
            said => UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(said)).ok_or(Wrong::Form)?.1,
        };
        number.checked_mul(unit).filter(|bytes| *bytes >= FROM).ok_or(Wrong::Form)
    }

    fn show(value: &u64) -> Json {
        written(*value).into()
    }

    fn of_node(node: &Node, _scope: &mut Scope<'_>) -> Result<u64, Wrong> {
        match &node.kind {
            NodeKind::Text(text) => Self::of_text(text),
            NodeKind::Integer(number) => Self::of_text(&number.to_string()),
            _ => Err(Wrong::Form),
        }
    }
}

/// Yes or no.
pub(in crate::config) struct Switch;

impl Reader for Switch {
    type Value = bool;

    fn expected() -> String {
        "`true` or `false` is expected".to_owned()
    }

    fn example() -> &'static str {
        "true"
    }

    /// In variables and flags people write more than one word for it.
    fn of_text(text: &str) -> Result<bool, Wrong> {
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => Ok(true),
            "false" | "0" | "no" => Ok(false),
            _ => Err(Wrong::Form),
        }
    }

    fn show(value: &bool) -> Json {
        (*value).into()
    }

    fn of_node(node: &Node, _scope: &mut Scope<'_>) -> Result<bool, Wrong> {
        match &node.kind {
            NodeKind::Boolean(value) => Ok(*value),
            NodeKind::Text(text) if Self::of_text(text).is_ok() => {
                Err(Wrong::Because { problem: Self::expected(), hint: "write it without quotes".to_owned() })
            }
            _ => Err(Wrong::Form),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_of_seconds_or_has_a_unit() {
        let read = |text| Seconds::<1, 86_400>::of_text(text).map(|time| time.as_secs());
        for (text, seconds) in [("120", 120), ("120s", 120), ("2m", 120), (" 1 h ", 3600), ("24h", 86_400)] {
            assert_eq!(read(text), Ok(seconds), "{text}");
        }
        for wrong in ["", "s", "0", "25h", "1.5", "1d", "-1", "1 s s", "99999999999999999999", "18446744073709551615h"] {
            assert_eq!(read(wrong), Err(Wrong::Form), "{wrong}");
        }
        assert_eq!(Seconds::<0, 5>::of_text("0"), Ok(Duration::ZERO));
        assert!(Seconds::<1, 60>::of_text("2m").is_err());
    }

    #[test]
    fn a_size_counts_in_thousands_unless_an_i_says_otherwise() {
        let read = Size::<1>::of_text;
        for (text, bytes) in [
            ("512MB", 512_000_000),
            ("512 mb", 512_000_000),
            ("512MiB", 536_870_912),
            ("1GB", 1_000_000_000),
            ("1GiB", 1_073_741_824),
            ("2kB", 2_000),
            ("2KiB", 2_048),
            ("3TB", 3_000_000_000_000),
            ("7B", 7),
            ("7", 7),
        ] {
            assert_eq!(read(text), Ok(bytes), "{text}");
        }
        // A bare `m` is a million to some and 1,048,576 to others.
        for wrong in ["", "MB", "512m", "0.5GB", "-1", "1 PB", "18446744073709551615kB", "0"] {
            assert_eq!(read(wrong), Err(Wrong::Form), "{wrong}");
        }
        assert!(Size::<64_000_000>::of_text("63MB").is_err());
    }

    #[test]
    fn a_size_is_written_so_that_it_reads_the_same() {
        for (bytes, text) in [(512_000_000, "512MB"), (536_870_912, "512MiB"), (1_000_000_001, "1000000001B"), (1 << 30, "1GiB")]
        {
            assert_eq!(written(bytes), text);
            assert_eq!(Size::<1>::of_text(text), Ok(bytes));
        }
    }

    #[test]
    fn a_switch_has_three_words_for_each_side() {
        for text in ["true", "1", "yes", "Yes", " TRUE "] {
            assert_eq!(Switch::of_text(text), Ok(true), "{text}");
        }
        for text in ["false", "0", "no", "NO"] {
            assert_eq!(Switch::of_text(text), Ok(false), "{text}");
        }
        for wrong in ["", "on", "off", "2", "y"] {
            assert_eq!(Switch::of_text(wrong), Err(Wrong::Form), "{wrong}");
        }
    }

    #[test]
    fn a_share_of_the_processor_is_a_number_of_cores() {
        for (text, thousandths) in [("1", 1000), ("0.5", 500), (" 1.25 ", 1250), ("0.01", 10)] {
            assert_eq!(Share::of_text(text).map(Cores::thousandths), Ok(thousandths), "{text}");
        }
        for wrong in ["", "0", "-1", "half", "50%", "2000", "NaN", "inf"] {
            assert_eq!(Share::of_text(wrong), Err(Wrong::Form), "{wrong}");
        }
    }

    #[test]
    fn a_count_lies_within_its_bounds() {
        assert_eq!(Count::<1, 64>::of_text("64"), Ok(64));
        for wrong in ["0", "65", "", "4.0", "four"] {
            assert_eq!(Count::<1, 64>::of_text(wrong), Err(Wrong::Form), "{wrong}");
        }
    }
}
