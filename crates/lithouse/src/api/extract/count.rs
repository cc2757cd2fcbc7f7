// SPDX-License-Identifier: Apache-2.0
//! How many of something a parameter asks for. More than there can be counts as all.

use std::num::IntErrorKind;

use serde::de::{Deserialize, Deserializer, Error};

/// A number however large.
pub(in crate::api) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    match String::deserialize(deserializer)?.parse() {
        Ok(count) => Ok(count),
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => Ok(usize::MAX),
        Err(error) => Err(D::Error::custom(error)),
    }
}

/// The same for a parameter without a default.
pub(in crate::api) fn count_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    count(deserializer).map(Some)
}
