// SPDX-License-Identifier: Apache-2.0
//! TOML into the tree.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Lines, Malformed, Node, NodeKind, Table};

pub(super) fn parse(text: &str) -> Result<Table, Malformed> {
    let lines = Lines::of(text);
    match DeTable::parse(text) {
        Ok(table) => Ok(table_of(&lines, table.get_ref())),
        Err(error) => {
            let (line, column) = lines.position(error.span().map_or(0, |span| span.start));
            Err(Malformed { line, column, message: error.message().replace('\n', ", ") })
        }
    }
}

fn table_of(text: &Lines<'_>, table: &DeTable<'_>) -> Table {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let entry =
        |(key, value): (&Spanned<_>, &Spanned<_>)| (str::to_owned(key_of(key)), node(text, key.span().start, value.get_ref()));
    Table(entries.into_iter().map(entry).collect())
}

fn key_of<'a>(key: &'a Spanned<std::borrow::Cow<'_, str>>) -> &'a str {
    key.get_ref()
}

fn node(text: &Lines<'_>, offset: usize, value: &DeValue<'_>) -> Node {
    let kind = match value {
        DeValue::String(value) => NodeKind::Text(value.clone().into_owned()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => NodeKind::Integer(number),
            Err(_) => NodeKind::Other(number.to_string()),
        },
        DeValue::Boolean(value) => NodeKind::Boolean(*value),
        DeValue::Float(number) => NodeKind::Other(number.to_string()),
        DeValue::Datetime(moment) => NodeKind::Other(moment.to_string()),
        DeValue::Array(items) => NodeKind::List(items.iter().map(|item| node(text, item.span().start, item.get_ref())).collect()),
        DeValue::Table(table) => NodeKind::Table(table_of(text, table)),
    };
    Node { line: text.line(offset), kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_the_line_of_its_key() {
        let root = parse("a = \"x\"\n\n[b]\nc = 0x10\nd.e = [\n  1,\n  true,\n]\n[[f]]\n[[f]]\ng = 1.5\n").unwrap();
        let table = |node: &Node| match &node.kind {
            NodeKind::Table(table) => table.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(root.get("a"), Some(&Node { line: 1, kind: NodeKind::Text("x".to_owned()) }));
        let b = table(root.get("b").unwrap());
        assert_eq!(b.get("c"), Some(&Node { line: 4, kind: NodeKind::Integer(16) }));
        let d = table(b.get("d").unwrap());
        let NodeKind::List(items) = &d.get("e").unwrap().kind else { panic!() };
        assert_eq!((items[0].line, items[1].line), (6, 7));
        let NodeKind::List(items) = &root.get("f").unwrap().kind else { panic!() };
        assert_eq!(table(&items[1]).get("g"), Some(&Node { line: 11, kind: NodeKind::Other("1.5".to_owned()) }));
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_place() {
        let error = parse("a = 1\nb = \n").unwrap_err();
        assert_eq!((error.line, error.column), (2, 5));
        assert_eq!(parse("a = 1\na = 2\n").unwrap_err().line, 2);
        assert!(!error.message.is_empty() && !error.message.contains('\n'), "{error:?}");
    }
}
