// SPDX-License-Identifier: Apache-2.0
//! How long ago something was, as people say it.

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const MONTH: i64 = 30 * DAY;
const YEAR: i64 = 365 * DAY;

/// The time from `then_ms` to `now_ms`, both in milliseconds since 1970-01-01 UTC. A time to come is now: clocks differ.
pub(super) fn ago(now_ms: i64, then_ms: i64) -> String {
    let seconds = now_ms.saturating_sub(then_ms) / 1000;
    let (size, unit) = match seconds {
        ..MINUTE => return "just now".to_owned(),
        MINUTE..HOUR => (MINUTE, "minute"),
        HOUR..DAY => (HOUR, "hour"),
        DAY..MONTH => (DAY, "day"),
        MONTH..YEAR => (MONTH, "month"),
        YEAR.. => (YEAR, "year"),
    };
    match seconds / size {
        1 => format!("1 {unit} ago"),
        many => format!("{many} {unit}s ago"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_largest_unit_that_has_passed() {
        let table = [
            (-5, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (3_599, "59 minutes ago"),
            (3_600, "1 hour ago"),
            (2 * DAY, "2 days ago"),
            (31 * DAY, "1 month ago"),
            (800 * DAY, "2 years ago"),
        ];
        for (seconds, told) in table {
            assert_eq!(ago(1_800_000_000_000, 1_800_000_000_000 - seconds * 1000), told);
        }
        assert!(ago(i64::MAX, i64::MIN).ends_with("years ago"));
    }
}
