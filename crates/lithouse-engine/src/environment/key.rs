// SPDX-License-Identifier: Apache-2.0
//! The name of an environment, which is a hash of everything that its content follows from.

use std::fmt::{self, Write};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Digits in a key: half a SHA-256, far more than accidents or attacks on a team's server can meet.
const DIGITS: usize = 32;
/// Raised whenever environments are built differently, so that those of an older kind are not taken for new ones.
const FORMAT: &str = "1";

/// Names a built environment: 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EnvironmentKey(String);

/// The text is not an environment's key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an environment's key is {DIGITS} lower-case hexadecimal digits, not `{0}`")]
pub struct NotAKey(String);

impl EnvironmentKey {
    /// Hashes the parts, each with its length, so that no two lists of parts read alike.
    pub(super) fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in [&FORMAT].into_iter().chain(parts) {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        Self(hex(&hash.finalize()[..DIGITS / 2]))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl FromStr for EnvironmentKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == DIGITS && text.bytes().all(is_digit) { Ok(Self(text.to_owned())) } else { Err(NotAKey(text.to_owned())) }
    }
}

impl TryFrom<String> for EnvironmentKey {
    type Error = NotAKey;

    fn try_from(text: String) -> Result<Self, NotAKey> {
        text.parse()
    }
}

impl From<EnvironmentKey> for String {
    fn from(key: EnvironmentKey) -> Self {
        key.0
    }
}

impl fmt::Display for EnvironmentKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_when_a_border_between_parts_moves() {
        assert_eq!(EnvironmentKey::of(&["ab", "c"]), EnvironmentKey::of(&["ab", "c"]));
        assert_ne!(EnvironmentKey::of(&["ab", "c"]), EnvironmentKey::of(&["a", "bc"]));
        assert_ne!(EnvironmentKey::of(&["ab"]), EnvironmentKey::of(&["ab", ""]));
    }

    #[test]
    fn only_what_a_hash_looks_like_is_a_key() {
        let key = EnvironmentKey::of(&["x"]);
        assert_eq!(key.as_str().parse(), Ok(key));
        for wrong in
            ["", "..", "0123456789abcdef0123456789abcde", "0123456789ABCDEF0123456789ABCDEF", "../../../../../../../../etc/passw"]
        {
            assert!(wrong.parse::<EnvironmentKey>().is_err(), "{wrong}");
        }
    }
}
