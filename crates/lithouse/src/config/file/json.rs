// SPDX-License-Identifier: Apache-2.0
//! The older `config.json` into the tree.
//!
//! Every value is taken as the piece of text that it is, whose place tells the line.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Lines, Malformed, Node, NodeKind, Table};

/// What the older shape calls the address to listen on.
pub(in crate::config) const WEBSITE_PORT: &str = "website_port";

/// No setting lies deeper by far. Each level is read again by those above it.
const DEPTH: usize = 32;

pub(super) fn parse(text: &str) -> Result<Table, Malformed> {
    let lines = Lines::of(text);
    table_of(&lines, parsed(&lines, text)?, DEPTH)
}

/// The members of an object, in their order.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Entries<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
                let mut entries: Vec<(String, &'de RawValue)> = Vec::new();
                let mut known = HashSet::new();
                while let Some((key, value)) = map.next_entry::<String, _>()? {
                    if !known.insert(key.clone()) {
                        return Err(A::Error::custom(format!("`{key}` stands there twice")));
                    }
                    entries.push((key, value));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

fn table_of(text: &Lines<'_>, entries: Entries<'_>, depth: usize) -> Result<Table, Malformed> {
    let entries = entries.0.into_iter().map(|(key, raw)| Ok((key, node(text, raw.get(), depth)?)));
    entries.collect::<Result<_, _>>().map(Table)
}

/// A value, in which others may lie so many levels deep.
fn node(text: &Lines<'_>, piece: &str, depth: usize) -> Result<Node, Malformed> {
    let inner = || depth.checked_sub(1).ok_or_else(|| too_deep(text, piece));
    let kind = match piece.as_bytes().first() {
        Some(b'{') => {
            let depth = inner()?;
            NodeKind::Table(table_of(text, parsed(text, piece)?, depth)?)
        }
        Some(b'[') => {
            let depth = inner()?;
            let items: Vec<&RawValue> = parsed(text, piece)?;
            NodeKind::List(items.into_iter().map(|item| node(text, item.get(), depth)).collect::<Result<_, _>>()?)
        }
        Some(b'"') => NodeKind::Text(parsed(text, piece)?),
        Some(b't' | b'f') => NodeKind::Boolean(parsed(text, piece)?),
        _ => serde_json::from_str(piece).map_or_else(|_| NodeKind::Other(piece.to_owned()), NodeKind::Integer),
    };
    Ok(Node { line: text.line(offset(text, piece)), kind })
}

fn too_deep(text: &Lines<'_>, piece: &str) -> Malformed {
    let (line, column) = text.position(offset(text, piece));
    Malformed { line, column, message: format!("it is nested more than {DEPTH} levels deep") }
}

/// Where a piece of the text begins.
fn offset(text: &Lines<'_>, piece: &str) -> usize {
    piece.as_ptr().addr().saturating_sub(text.text.as_ptr().addr())
}

fn parsed<'a, T: Deserialize<'a>>(text: &Lines<'_>, piece: &'a str) -> Result<T, Malformed> {
    serde_json::from_str(piece).map_err(|error| {
        let (line, column) = text.position(offset(text, piece));
        let (line, column) = match error.line() {
            0 | 1 => (line, column + error.column().saturating_sub(1)),
            further => (line + further - 1, error.column()),
        };
        let message = error.to_string();
        // The place within the piece, which says nothing to people.
        let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
        Malformed { line, column, message }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_line() {
        let root =
            parse("{\n \"website_port\": 5000,\n \"apps\": {\n  \"a\":\n   {\"port\": 1.5, \"x\": [true,\n null]}\n }\n}\n")
                .unwrap();
        assert_eq!(root.get(WEBSITE_PORT), Some(&Node { line: 2, kind: NodeKind::Integer(5000) }));
        let NodeKind::Table(apps) = &root.get("apps").unwrap().kind else { panic!() };
        let NodeKind::Table(app) = &apps.get("a").unwrap().kind else { panic!() };
        assert_eq!(app.get("port"), Some(&Node { line: 5, kind: NodeKind::Other("1.5".to_owned()) }));
        let NodeKind::List(items) = &app.get("x").unwrap().kind else { panic!() };
        assert_eq!(items[1], Node { line: 6, kind: NodeKind::Other("null".to_owned()) });
    }

    #[test]
    fn very_many_values_are_read_in_a_moment() {
        let apps: Vec<String> = (0..20_000).map(|number| format!("\"a{number}\": {{\n\"port\": {number}\n}}")).collect();
        let text = format!("{{\"apps\": {{\n{}\n}}}}", apps.join(",\n"));
        let began = lithouse_testkit::processor_time();
        parse(&text).unwrap();
        let took = lithouse_testkit::processor_time().saturating_sub(began);
        // If each value were looked for from the start, it would take minutes.
        assert!(took.as_secs() < 10, "{took:?}");
    }

    #[test]
    fn values_that_lie_too_deep_are_told_with_their_place() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let nested = |depth: usize| format!("{{\n\"a\": {}1{}}}", open.repeat(depth), close.repeat(depth));
            assert!(parse(&nested(DEPTH)).is_ok());
            for depth in [DEPTH + 1, 100_000] {
                let error = parse(&nested(depth)).unwrap_err();
                assert_eq!((error.line, error.message.as_str()), (2, "it is nested more than 32 levels deep"));
            }
        }
    }

    #[test]
    fn what_is_no_json_is_told_with_its_place() {
        for (text, line) in [("{\n \"a\": 1,\n}", 3), ("", 1), ("[]", 1), ("{\"a\": {\n\"b\": 1,\n\"b\": 2}}", 3), ("{}\n{}", 2)]
        {
            let error = parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text} {error:?}");
            assert!(!error.message.contains("line"), "{error:?}");
        }
    }
}
