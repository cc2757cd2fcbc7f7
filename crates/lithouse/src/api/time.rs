// SPDX-License-Identifier: Apache-2.0
//! Times as the API writes them: RFC 3339 in UTC.

use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

/// Milliseconds since 1970-01-01 UTC as RFC 3339.
pub(crate) fn rfc3339(ms: i64) -> Option<String> {
    written(OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()?)
}

/// RFC 3339 in UTC, always with milliseconds: what sorts as text sorts as time.
pub(super) fn written(time: OffsetDateTime) -> Option<String> {
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    time.to_offset(UtcOffset::UTC).format(form).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_with_three_digits_of_a_second() {
        assert_eq!(rfc3339(0).unwrap(), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_767_323_045_120).unwrap(), "2026-01-02T03:04:05.120Z");
        let east = time::macros::datetime!(2026-01-02 05:04:05.999_999 +2);
        assert_eq!(written(east).unwrap(), "2026-01-02T03:04:05.999Z");
    }
}
