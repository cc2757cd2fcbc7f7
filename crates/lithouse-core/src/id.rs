// SPDX-License-Identifier: Apache-2.0
//! Newtypes for every identifier that could be confused with another string.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not 16 lower-case hexadecimal digits.
    #[error("an app id is 16 lower-case hexadecimal digits, not `{0}`")]
    NotAnAppId(String),
    /// Not `[a-z0-9][a-z0-9-]*`, or too long.
    #[error("a key starts with a letter or digit and holds only `a-z`, `0-9` and `-` (63 at most), not `{0}`")]
    NotAKey(String),
    /// Sixteen hexadecimal digits as a key would read as an app id.
    #[error("the key `{0}` would read as an app id; choose one that is not 16 hexadecimal digits")]
    LooksLikeAnAppId(String),
}

/// Names an app for ever: 16 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppId(String);

impl AppId {
    /// Makes an id of eight random bytes, which the caller provides.
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(format!("{:016x}", u64::from_be_bytes(bytes)))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_app_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

impl FromStr for AppId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if is_app_id(text) { Ok(Self(text.to_owned())) } else { Err(IdError::NotAnAppId(text.to_owned())) }
    }
}

/// A name that people give an app: `[a-z0-9][a-z0-9-]*`, 63 characters at most, so that it is also a DNS label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

impl Key {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest key to a free text such as a folder's name, if any letter or digit of it can be kept.
    pub fn suggest(text: &str) -> Option<Self> {
        let mut key = String::new();
        for character in text.to_lowercase().chars() {
            if character.is_ascii_lowercase() || character.is_ascii_digit() {
                key.push(character);
            } else if !key.is_empty() && !key.ends_with('-') {
                key.push('-');
            }
        }
        key.truncate(63);
        key.trim_end_matches('-').parse().ok()
    }
}

impl FromStr for Key {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let sound = !text.is_empty() && text.len() <= 63 && !text.starts_with('-') && text.bytes().all(allowed);
        if !sound {
            return Err(IdError::NotAKey(text.to_owned()));
        }
        if is_app_id(text) {
            return Err(IdError::LooksLikeAnAppId(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

/// One process of an app's release, from its spawn to its end; never used twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceId(String);

impl InstanceId {
    /// Makes an id of eight random bytes, which the caller provides.
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(AppId::from_bytes(bytes).0)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The number of a release within its app, counted from 1; 0 is the folder itself of an app that is served in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReleaseNumber(pub u32);

macro_rules! text_id {
    ($($name:ty),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, formatter)
            }
        }
    )*};
}
text_id!(AppId, Key, InstanceId, ReleaseNumber);

macro_rules! checked_id {
    ($($name:ty),*) => {$(
        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )*};
}
checked_id!(AppId, Key);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_ids_are_exactly_sixteen_lower_case_hex_digits() {
        assert!("a7c1e0f2b9f84a62".parse::<AppId>().is_ok());
        for wrong in ["", "a7c1e0f2b9f84a6", "a7c1e0f2b9f84a621", "A7C1E0F2B9F84A62", "../../../../etc/", "a7c1e0f2b9f84a6g"] {
            assert!(wrong.parse::<AppId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn keys_are_dns_labels_that_do_not_read_as_app_ids() {
        for right in ["a", "sales", "sales-2026", "0", "a--b"] {
            assert!(right.parse::<Key>().is_ok(), "{right}");
        }
        for wrong in ["", "-a", "Sales", "a_b", "a b", "a/b", "é", "a7c1e0f2b9f84a62"] {
            assert!(wrong.parse::<Key>().is_err(), "{wrong}");
        }
        assert!("a".repeat(64).parse::<Key>().is_err());
    }

    #[test]
    fn a_key_is_suggested_from_any_folder_name_that_has_a_letter_or_digit() {
        let suggested = |text| Key::suggest(text).map(String::from);
        assert_eq!(suggested("Sales Report (v2)"), Some("sales-report-v2".into()));
        assert_eq!(suggested("__init__"), Some("init".into()));
        assert_eq!(suggested("…"), None);
    }
}
