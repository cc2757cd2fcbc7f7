// SPDX-License-Identifier: Apache-2.0
//! Numbers as people read them.

use serde::{Deserialize, Deserializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment as the API writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) struct Moment(OffsetDateTime);

impl Moment {
    /// Now, by this machine's clock.
    pub(in crate::cli) fn now() -> Self {
        Self(OffsetDateTime::now_utc())
    }

    /// Reads RFC 3339.
    pub(in crate::cli) fn parse(text: &str) -> Option<Self> {
        OffsetDateTime::parse(text, &Rfc3339).ok().map(Self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not a time of RFC 3339")))
    }
}

/// How long ago it was: `3 min`. Clocks of two machines differ, so what lies ahead counts as now.
pub(in crate::cli) fn age(moment: Moment, now: Moment) -> String {
    let seconds = (now.0 - moment.0).whole_seconds().max(0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A number of bytes: `34 KB`.
pub(in crate::cli) fn size(bytes: u64) -> String {
    let units = ["B", "KB", "MB", "GB", "TB"];
    let mut unit = 0;
    let mut whole = bytes;
    let mut rest = 0;
    while whole >= 1024 && unit + 1 < units.len() {
        rest = whole % 1024;
        whole /= 1024;
        unit += 1;
    }
    let name = units[unit];
    // One decimal where it says something.
    if unit > 0 && whole < 10 { format!("{whole}.{} {name}", rest * 10 / 1024) } else { format!("{whole} {name}") }
}

/// A fraction of a core: `12 %`.
pub(in crate::cli) fn share(fraction: f64) -> String {
    format!("{:.0} %", fraction * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_one_unit() {
        let moment = |text| Moment::parse(text).unwrap();
        let now = moment("2026-01-10T12:00:00Z");
        let cases = [
            ("2026-01-10T12:00:05Z", "0 s"),
            ("2026-01-10T11:59:01Z", "59 s"),
            ("2026-01-10T11:56:01Z", "3 min"),
            ("2026-01-10T08:59:59.5Z", "3 h"),
            ("2026-01-01T00:00:00+02:00", "9 d"),
        ];
        for (then, told) in cases {
            assert_eq!(age(moment(then), now), told);
        }
    }

    #[test]
    fn sizes_have_two_digits_or_more() {
        let cases =
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KB"), (1_900_000, "1.8 MB"), (512 << 20, "512 MB"), (3 << 40, "3.0 TB")];
        for (bytes, told) in cases {
            assert_eq!(size(bytes), told);
        }
        assert_eq!(share(0.125), "12 %");
    }
}
