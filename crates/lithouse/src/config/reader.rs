// SPDX-License-Identifier: Apache-2.0
//! What a setting's value looks like when people write it, and what becomes of it.
//!
//! A reader makes one typed value of a text (a flag, a variable) or of a value in the file, and writes it back for
//! `config show`.

mod address;
mod amount;
mod levels;
mod list;
mod port_range;
mod text;
mod word;

use std::ffi::OsStr;

use serde_json::Value as Json;

pub(super) use address::{Address, Base, Port};
pub(super) use amount::{Count, Number, Seconds, Share, Size, Switch};
pub(super) use levels::Levels;
pub(crate) use levels::LogLevels;
pub(super) use list::{ImportNames, Requirements};
pub(crate) use port_range::PortRange;
pub(super) use port_range::Ports;
pub(super) use text::{Folder, Name, Program, Prose, ShellLine, Slug, Text, Title};
pub(crate) use word::Nothing;
pub(super) use word::{NotYet, OneOf, Word};

use super::file::{Node, NodeKind};
use super::layers::Scope;

/// Why a value cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It has another form than the reader expects.
    Form,
    /// It has the form, and yet.
    Because {
        /// What is wrong, completing "is set to … : ".
        problem: String,
        /// What to do.
        hint: String,
    },
}

/// One form of values.
pub(super) trait Reader {
    /// What it makes of them.
    type Value;

    /// The form, as a sentence without a final dot.
    fn expected() -> String;

    /// One that could be written.
    fn example() -> &'static str;

    /// All that could be written, where that is a few words.
    fn words() -> Vec<&'static str> {
        Vec::new()
    }

    /// Reads a text.
    fn of_text(text: &str) -> Result<Self::Value, Wrong>;

    /// Writes it as it would be read.
    fn show(value: &Self::Value) -> Json;

    /// Reads a flag or a variable.
    fn of_words(words: &OsStr) -> Result<Self::Value, Wrong> {
        Self::of_text(words.to_str().ok_or(Wrong::Form)?)
    }

    /// Reads a variable, whose name may say something of its form.
    fn of_variable(_name: &str, words: &OsStr) -> Result<Self::Value, Wrong> {
        Self::of_words(words)
    }

    /// Reads what stands in the file.
    fn of_node(node: &Node, scope: &mut Scope<'_>) -> Result<Self::Value, Wrong> {
        let _ = scope;
        match &node.kind {
            NodeKind::Text(text) => Self::of_text(text),
            _ => Err(Wrong::Form),
        }
    }
}

/// Something that need not be there.
pub(super) struct Maybe<R>(std::marker::PhantomData<R>);

impl<R: Reader> Reader for Maybe<R> {
    type Value = Option<R::Value>;

    fn expected() -> String {
        R::expected()
    }

    fn example() -> &'static str {
        R::example()
    }

    fn of_text(text: &str) -> Result<Self::Value, Wrong> {
        R::of_text(text).map(Some)
    }

    fn show(value: &Self::Value) -> Json {
        value.as_ref().map_or(Json::Null, R::show)
    }

    fn of_words(words: &OsStr) -> Result<Self::Value, Wrong> {
        R::of_words(words).map(Some)
    }

    fn of_variable(name: &str, words: &OsStr) -> Result<Self::Value, Wrong> {
        R::of_variable(name, words).map(Some)
    }

    fn of_node(node: &Node, scope: &mut Scope<'_>) -> Result<Self::Value, Wrong> {
        R::of_node(node, scope).map(Some)
    }
}
