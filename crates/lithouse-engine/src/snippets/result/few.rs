// SPDX-License-Identifier: Apache-2.0
//! Lists and objects that end early when there is too much in them, so that reading them costs no more than keeping them would.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A list of at most so many.
pub(super) struct Few<T, const MOST: usize>(pub(super) Vec<T>);

/// An object of at most so many entries, in its own order.
pub(super) struct Pairs<'a, const MOST: usize>(pub(super) Vec<(String, &'a RawValue)>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Few<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(List::<T, MOST>(PhantomData)).map(Self)
    }
}

impl<'de: 'a, 'a, const MOST: usize> Deserialize<'de> for Pairs<'a, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object::<MOST>).map(Self)
    }
}

struct List<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for List<T, MOST> {
    type Value = Vec<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a list of at most {MOST}")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut sequence: S) -> Result<Vec<T>, S::Error> {
        let mut list = Vec::new();
        while let Some(element) = sequence.next_element()? {
            if list.len() == MOST {
                return Err(S::Error::custom(format_args!("more than {MOST} in a list")));
            }
            list.push(element);
        }
        Ok(list)
    }
}

struct Object<const MOST: usize>;

impl<'de, const MOST: usize> Visitor<'de> for Object<MOST> {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "an object of at most {MOST} entries")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut pairs: Vec<(String, &RawValue)> = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, _>()? {
            if pairs.len() == MOST {
                return Err(M::Error::custom(format_args!("more than {MOST} entries in an object")));
            }
            if pairs.iter().any(|(other, _)| *other == name) {
                return Err(M::Error::custom("two entries of one name"));
            }
            pairs.push((name, value));
        }
        Ok(pairs)
    }
}
