// SPDX-License-Identifier: Apache-2.0
//! Lists of names, which only the file can hold.

use serde_json::Value as Json;

use super::{Reader, Wrong};
use crate::config::file::{Node, NodeKind};
use crate::config::layers::Scope;

/// Requirements as PEP 508 writes them. What they mean is for uv to say; here they only must not be taken for something else.
pub(in crate::config) struct Requirements;

/// Names as `import` takes them.
pub(in crate::config) struct ImportNames;

impl Reader for Requirements {
    type Value = Vec<String>;

    fn expected() -> String {
        "a list of requirements is expected".to_owned()
    }

    fn example() -> &'static str {
        "[\"scipy>=1.14\", \"seaborn\"]"
    }

    fn of_text(_text: &str) -> Result<Vec<String>, Wrong> {
        Err(Wrong::Form)
    }

    fn show(value: &Vec<String>) -> Json {
        value.clone().into()
    }

    fn of_node(node: &Node, _scope: &mut Scope<'_>) -> Result<Vec<String>, Wrong> {
        texts(node, |text| {
            text.starts_with(|first: char| first.is_ascii_alphanumeric()) && !text.contains(|each: char| each.is_control())
        })
    }
}

impl Reader for ImportNames {
    type Value = Vec<String>;

    fn expected() -> String {
        "a list of names as `import` takes them is expected".to_owned()
    }

    fn example() -> &'static str {
        "[\"scipy\", \"sklearn.linear_model\"]"
    }

    fn of_text(_text: &str) -> Result<Vec<String>, Wrong> {
        Err(Wrong::Form)
    }

    fn show(value: &Vec<String>) -> Json {
        value.clone().into()
    }

    fn of_node(node: &Node, _scope: &mut Scope<'_>) -> Result<Vec<String>, Wrong> {
        texts(node, |text| text.split('.').all(is_identifier))
    }
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|each| each.is_ascii_alphanumeric() || each == '_')
}

/// The texts of a list, each of which must be right; the first wrong one is named.
fn texts(node: &Node, is_right: impl Fn(&str) -> bool) -> Result<Vec<String>, Wrong> {
    let NodeKind::List(items) = &node.kind else { return Err(Wrong::Form) };
    items
        .iter()
        .map(|item| match &item.kind {
            NodeKind::Text(text) if is_right(text) => Ok(text.clone()),
            _ => Err(Wrong::Because {
                problem: format!("`{}` is not what it can hold", item.said()),
                hint: "each item is a text in quotes, without options".to_owned(),
            }),
        })
        .collect()
}
