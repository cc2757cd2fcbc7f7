// SPDX-License-Identifier: Apache-2.0
//! Where a page of the list of apps ends, so that the next one begins there whatever has become of the app in between.

use std::fmt;
use std::str::FromStr;

use lithouse_core::id::AppId;
use lithouse_engine::app::AppView;
use serde::{Deserialize, Serialize};

/// A place in the list of apps, which is ordered like this. As text: the time in hexadecimal digits, the key or nothing, the id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Cursor {
    created_at_ms: i64,
    /// Empty where there is none, which comes before any.
    key: String,
    id: AppId,
}

/// Text that is no cursor.
#[derive(Debug, thiserror::Error)]
#[error("not a cursor; use `next` of an earlier answer as it is")]
pub(super) struct NoCursor;

impl Cursor {
    /// The place of an app.
    pub(super) fn of(view: &AppView) -> Self {
        Self {
            created_at_ms: view.created_at_ms,
            key: view.key.clone().map(String::from).unwrap_or_default(),
            id: view.id.clone(),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:x}.{}.{}", self.created_at_ms.max(0), self.key, self.id.as_str())
    }
}

impl From<Cursor> for String {
    fn from(cursor: Cursor) -> Self {
        cursor.to_string()
    }
}

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let mut parts = text.split('.');
        let (Some(time), Some(key), Some(id), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(NoCursor);
        };
        let is_time = (1..=15).contains(&time.len()) && time.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        let is_key = key.len() <= 63 && key.bytes().all(|letter| matches!(letter, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        Ok(Self {
            created_at_ms: Some(time).filter(|_| is_time).and_then(|time| i64::from_str_radix(time, 16).ok()).ok_or(NoCursor)?,
            key: Some(key).filter(|_| is_key).map(str::to_owned).ok_or(NoCursor)?,
            id: id.parse().map_err(|_| NoCursor)?,
        })
    }
}

impl TryFrom<String> for Cursor {
    type Error = NoCursor;

    fn try_from(text: String) -> Result<Self, NoCursor> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_nothing_else_is() {
        for text in ["19a0b3c4d5e.sales.8e2bfebb024fe7c0", "0..8e2bfebb024fe7c0", "fffffffffffffff.a-b.0000000000000000"] {
            assert_eq!(text.parse::<Cursor>().map(String::from).ok().as_deref(), Some(text));
        }
        for text in
            ["", "8e2bfebb024fe7c0", "1.sales", "1.sales.8e2bfebb024fe7c0.1", "+1..8e2bfebb024fe7c0", "1.A.8e2bfebb024fe7c0"]
        {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }
}
