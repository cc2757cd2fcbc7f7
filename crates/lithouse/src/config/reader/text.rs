// SPDX-License-Identifier: Apache-2.0
//! Texts: plain ones, names in addresses, and places on the disk.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use lithouse_core::id::Key;
use serde_json::Value as Json;

use super::{Reader, Wrong};
use crate::config::file::{Node, NodeKind};
use crate::config::layers::Scope;
use crate::plain::{self, LONGEST_DESCRIPTION, LONGEST_NAME};

/// Any text.
pub(in crate::config) struct Text;

impl Reader for Text {
    type Value = String;

    fn expected() -> String {
        "a text is expected".to_owned()
    }

    fn example() -> &'static str {
        "\"Sales report\""
    }

    fn of_text(text: &str) -> Result<String, Wrong> {
        Ok(text.to_owned())
    }

    fn show(value: &String) -> Json {
        value.as_str().into()
    }
}

/// What people call an app.
pub(in crate::config) struct Title;

impl Reader for Title {
    type Value = String;

    fn expected() -> String {
        format!("a name is one line of 1 to {LONGEST_NAME} characters, without invisible ones")
    }

    fn example() -> &'static str {
        Text::example()
    }

    fn of_text(text: &str) -> Result<String, Wrong> {
        let name = not_blank(text, "a name has letters", "leave it out for the key")?;
        if plain::is_name(&name) { Ok(name) } else { Err(Wrong::Form) }
    }

    fn show(value: &String) -> Json {
        value.as_str().into()
    }
}

/// What people say of an app.
pub(in crate::config) struct Prose;

impl Reader for Prose {
    type Value = String;

    fn expected() -> String {
        format!("a description has {LONGEST_DESCRIPTION} characters at most, without invisible ones")
    }

    fn example() -> &'static str {
        "\"What the region sold\""
    }

    fn of_text(text: &str) -> Result<String, Wrong> {
        if plain::is_description(text) { Ok(text.to_owned()) } else { Err(Wrong::Form) }
    }

    fn show(value: &String) -> Json {
        value.as_str().into()
    }
}

/// A line for a shell.
pub(in crate::config) struct ShellLine;

impl Reader for ShellLine {
    type Value = String;

    fn expected() -> String {
        Text::expected()
    }

    fn example() -> &'static str {
        "uvicorn main:app --port $PORT"
    }

    fn of_text(text: &str) -> Result<String, Wrong> {
        not_blank(text, "a command runs something", "leave it out for a Streamlit app")
    }

    fn show(value: &String) -> Json {
        Text::show(value)
    }
}

fn not_blank(text: &str, problem: &str, hint: &str) -> Result<String, Wrong> {
    if text.trim().is_empty() {
        return Err(Wrong::Because { problem: problem.to_owned(), hint: hint.to_owned() });
    }
    Ok(text.to_owned())
}

/// A name that stands in an app's address. It may be written as the path that it is.
pub(in crate::config) struct Slug;

impl Reader for Slug {
    type Value = Key;

    fn expected() -> String {
        "a name starts with a letter or digit and holds only `a-z`, `0-9` and `-`, 63 at most".to_owned()
    }

    fn example() -> &'static str {
        "sales-report"
    }

    fn of_text(text: &str) -> Result<Key, Wrong> {
        let name = text.strip_prefix('/').unwrap_or(text);
        let name = name.strip_suffix('/').unwrap_or(name);
        name.parse().map_err(|_| match Key::suggest(name) {
            Some(near) => Wrong::Because { problem: Self::expected(), hint: format!("such as `{near}`") },
            None => Wrong::Form,
        })
    }

    fn show(value: &Key) -> Json {
        value.as_str().into()
    }
}

/// A name that something is known by, nowhere in an address.
pub(in crate::config) struct Name;

impl Reader for Name {
    type Value = String;

    fn expected() -> String {
        "a name starts with a letter or digit and holds only letters, digits, `-` and `_`, 63 at most".to_owned()
    }

    fn example() -> &'static str {
        "line-chart"
    }

    fn of_text(text: &str) -> Result<String, Wrong> {
        let is_name = text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text.chars().all(|each| each.is_ascii_alphanumeric() || each == '-' || each == '_');
        if is_name && text.len() <= 63 { Ok(text.to_owned()) } else { Err(Wrong::Form) }
    }

    fn show(value: &String) -> Json {
        value.as_str().into()
    }
}

/// A folder or a file. In the configuration file, a relative one begins at that file's folder.
pub(in crate::config) struct Folder;

impl Reader for Folder {
    type Value = PathBuf;

    fn expected() -> String {
        "a path is expected".to_owned()
    }

    fn example() -> &'static str {
        "/srv/apps"
    }

    fn of_text(text: &str) -> Result<PathBuf, Wrong> {
        Self::of_words(text.as_ref())
    }

    fn show(value: &PathBuf) -> Json {
        value.to_string_lossy().into_owned().into()
    }

    fn of_words(words: &OsStr) -> Result<PathBuf, Wrong> {
        if words.is_empty() { Err(Wrong::Form) } else { Ok(words.into()) }
    }

    fn of_node(node: &Node, scope: &mut Scope<'_>) -> Result<PathBuf, Wrong> {
        let NodeKind::Text(text) = &node.kind else { return Err(Wrong::Form) };
        if text == "~" || text.starts_with("~/") {
            let hint = "write the whole path".to_owned();
            return Err(Wrong::Because { problem: "only a shell knows what `~` stands for".to_owned(), hint });
        }
        Ok(scope.folder().join(Self::of_text(text)?))
    }
}

/// A program: a path, or a name that is looked for on the `PATH`.
pub(in crate::config) struct Program;

impl Reader for Program {
    type Value = PathBuf;

    fn expected() -> String {
        "the path of a program is expected, or its name on the `PATH`".to_owned()
    }

    fn example() -> &'static str {
        "/usr/bin/python3.12"
    }

    fn of_text(text: &str) -> Result<PathBuf, Wrong> {
        Folder::of_text(text)
    }

    fn show(value: &PathBuf) -> Json {
        Folder::show(value)
    }

    fn of_words(words: &OsStr) -> Result<PathBuf, Wrong> {
        Folder::of_words(words)
    }

    fn of_node(node: &Node, scope: &mut Scope<'_>) -> Result<PathBuf, Wrong> {
        match &node.kind {
            NodeKind::Text(text) if !text.is_empty() && !text.contains('/') => Ok(Path::new(text).to_owned()),
            _ => Folder::of_node(node, scope),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_an_address_may_be_written_as_a_path() {
        for text in ["sales", "/sales", "/sales/", "sales/"] {
            assert_eq!(Slug::of_text(text).unwrap().as_str(), "sales", "{text}");
        }
        for wrong in ["", "/", "//sales", "a/b", "Sales", "sales report", "-a", "a_b"] {
            assert!(Slug::of_text(wrong).is_err(), "{wrong}");
        }
        let Err(Wrong::Because { hint, .. }) = Slug::of_text("/Sales_Report") else { panic!() };
        assert_eq!(hint, "such as `sales-report`");
    }

    #[test]
    fn a_name_has_no_blanks_and_begins_with_a_letter_or_digit() {
        for text in ["a", "line-chart", "Line_2", "3d"] {
            assert_eq!(Name::of_text(text).as_deref(), Ok(text));
        }
        for wrong in ["", "-a", "_a", "a b", "a/b", "é", &"a".repeat(64)] {
            assert_eq!(Name::of_text(wrong), Err(Wrong::Form), "{wrong}");
        }
    }

    #[test]
    fn an_empty_path_is_none() {
        assert_eq!(Folder::of_text(""), Err(Wrong::Form));
        assert_eq!(Folder::of_text("a b"), Ok("a b".into()));
    }
}
