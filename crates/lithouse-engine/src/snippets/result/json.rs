// SPDX-License-Identifier: Apache-2.0
//! Any JSON, as far as it is sound: of bounded depth, its texts whole, and in one line.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Malformed;

/// Deeper JSON is a burden for whoever reads it.
const DEPTH: usize = 48;

/// Checks a value without keeping anything of it.
pub(super) fn check(raw: &RawValue) -> Result<(), Malformed> {
    let text = raw.get();
    // Between the parts of a value there may be line breaks, which would cut an event stream in two; ours has none.
    if text.bytes().any(|byte| byte < b' ') {
        return Err(Malformed("JSON in several lines".to_owned()));
    }
    let mut parser = serde_json::Deserializer::from_str(text);
    Sound { depth: DEPTH }.deserialize(&mut parser).map_err(|error| Malformed::of("JSON", error))
}

/// Reads a value and all that is in it, to a depth.
struct Sound {
    depth: usize,
}

impl Sound {
    fn inner<E: Error>(&self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("it is nested too deeply"))?;
        Ok(Self { depth })
    }
}

impl<'de> DeserializeSeed<'de> for Sound {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Sound {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut sequence: S) -> Result<(), S::Error> {
        while sequence.next_element_seed(self.inner()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while map.next_key_seed(self.inner()?)?.is_some() {
            map.next_value_seed(self.inner()?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_sound(text: &str) -> bool {
        RawValue::from_string(text.to_owned()).is_ok_and(|raw| check(&raw).is_ok())
    }

    #[test]
    fn sound_json_passes() {
        for text in ["null", "1.5e300", "-3", "\"ä\\n\\ud83d\\ude00\"", "[[], {}, {\"a\": [true, 18446744073709551615]}]"] {
            assert!(is_sound(text), "{text}");
        }
    }

    #[test]
    fn half_characters_line_breaks_and_numbers_without_end_do_not_pass() {
        for text in ["\"\\ud800\"", "{\"\\udc00\": 1}", "[1,\n2]", "[1,\t2]", "NaN", "1e999", "[1", "01"] {
            assert!(!is_sound(text), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(is_sound(&nested(DEPTH)));
        assert!(!is_sound(&nested(DEPTH + 2)));
        assert!(!is_sound(&nested(100_000)));
        assert!(!is_sound(&("{\"a\":".repeat(100_000) + "1" + &"}".repeat(100_000))));
    }
}
