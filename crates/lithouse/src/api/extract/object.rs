// SPDX-License-Identifier: Apache-2.0
//! JSON that is an object, and nothing that could be read as one.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

/// An object. Left to itself, decoding takes a list too, whose values it gives to the fields in their order.
#[derive(Debug)]
pub(in crate::api) struct Object<T>(pub(in crate::api) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields(PhantomData))
    }
}

struct Fields<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
    type Value = Object<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_no_object() {
        #[derive(Debug, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Pair {
            a: u8,
            b: Option<u8>,
        }
        let read = |text| serde_json::from_str::<Object<Pair>>(text).map(|object| object.0).map_err(|error| error.to_string());
        assert_eq!(read(r#"{"a": 1}"#), Ok(Pair { a: 1, b: None }));
        assert_eq!(read("[1, 2]"), Err("invalid type: sequence, expected an object at line 1 column 0".to_owned()));
        assert_eq!(read("{}"), Err("missing field `a` at line 1 column 2".to_owned()));
        assert!(read(r#"{"a": 1, "c": 2}"#).unwrap_err().starts_with("unknown field `c`"));
    }
}
