// SPDX-License-Identifier: Apache-2.0
//! The configuration file: which one is meant, and its content as a tree that knows its lines.
//!
//! Knows two forms, TOML and the older JSON; nothing of what the settings mean.

mod json;
mod toml;

use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::layers::Around;
use super::problem::Problem;

pub(super) use json::WEBSITE_PORT;

/// The file that is read where none is named.
pub(super) const TOML_NAME: &str = "lithouse.toml";
/// More than any configuration has.
const LARGEST: u64 = 16 << 20;
/// The file that is read where the first one is not there.
pub(super) const JSON_NAME: &str = "config.json";

/// A value and the line it stands on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// From 1.
    pub(super) line: usize,
    /// What it is.
    pub(super) kind: NodeKind,
}

/// A value of either form.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum NodeKind {
    /// A string.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Boolean(bool),
    /// Several values.
    List(Vec<Node>),
    /// Values with keys.
    Table(Table),
    /// What no setting takes, as it is written: fractions, times, `null`.
    Other(String),
}

/// Values with keys, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Table(pub(super) Vec<(String, Node)>);

impl Table {
    /// The value of a key.
    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, node)| node)
    }
}

impl Node {
    /// The line of what has that key in it, else its own.
    pub(super) fn line_of(&self, name: &str) -> usize {
        match &self.kind {
            NodeKind::Table(table) => table.get(name).map_or(self.line, |node| node.line),
            _ => self.line,
        }
    }

    /// As people would say what it is.
    pub(super) fn said(&self) -> String {
        match &self.kind {
            NodeKind::Text(text) | NodeKind::Other(text) => text.clone(),
            NodeKind::Integer(number) => number.to_string(),
            NodeKind::Boolean(value) => value.to_string(),
            NodeKind::List(_) => "a list".to_owned(),
            NodeKind::Table(_) => "a table".to_owned(),
        }
    }
}

/// A file that was read.
#[derive(Debug)]
pub(super) struct File {
    /// As it is told to people.
    pub(super) path: PathBuf,
    /// Whether it has the older form.
    pub(super) is_json: bool,
    /// Its content.
    pub(super) root: Table,
}

impl File {
    /// Reads the file that was named, else the one that lies here, if any.
    pub(super) fn find(named: Option<&Path>, around: &Around) -> Result<Option<Self>, Problem> {
        let here = || [TOML_NAME, JSON_NAME].map(|name| around.folder.join(name)).into_iter().find(|path| path.is_file());
        let Some(path) = named.map(Path::to_owned).or_else(here) else { return Ok(None) };
        let (unread, malformed) = match named {
            Some(_) => ("name another with `--config`, or leave that out for `./lithouse.toml`", "mend that line"),
            None => (
                "the file is read because it lies in the working folder; `--config FILE` names another",
                "mend that line; the file is read because it lies in the working folder, and `--config FILE` names another",
            ),
        };
        let text = Self::text(&path).map_err(|problem| problem.with_hint(unread))?;
        Self::parse(path, &text).map(Some).map_err(|problem| problem.with_hint(malformed))
    }

    /// Reads a file.
    pub(super) fn read(path: PathBuf) -> Result<Self, Problem> {
        let text = Self::text(&path)?;
        Self::parse(path, &text)
    }

    fn text(path: &Path) -> Result<String, Problem> {
        let unread = |problem: &str| Problem::new(format!("could not read the configuration `{}`: {problem}", path.display()));
        let mut bytes = Vec::new();
        // It would be waited for, and have nothing to read at the next refresh.
        if std::fs::metadata(path).is_ok_and(|facts| facts.file_type().is_fifo()) {
            return Err(unread("it is a pipe, and no file").with_hint("write it to a file first"));
        }
        let read = std::fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
        read.map_err(|error| unread(&error.to_string()))?;
        if bytes.len() as u64 > LARGEST {
            return Err(unread(&format!("it is larger than {} MB, as no configuration is", LARGEST >> 20)));
        }
        match String::from_utf8(bytes) {
            // Some editors mark UTF-8 as such.
            Ok(text) => Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned)),
            Err(error) => {
                let (whole, at) = (error.as_bytes(), error.utf8_error().valid_up_to());
                let line = whole.iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
                let problem = Problem::new(format!("{}:{line}: this is not UTF-8 text", path.display()));
                Err(problem.with_hint("save it in that encoding"))
            }
        }
    }

    pub(super) fn parse(path: PathBuf, text: &str) -> Result<Self, Problem> {
        let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        let parsed = if is_json { json::parse(text) } else { toml::parse(text) };
        match parsed {
            Ok(root) => Ok(Self { path, is_json, root }),
            Err(malformed) => {
                let place = format!("{}:{}:{}", path.display(), malformed.line, malformed.column);
                let form = if is_json { "JSON" } else { "TOML" };
                Err(Problem::new(format!("{place}: this is not {form}: {}", malformed.message)))
            }
        }
    }

    /// Where its relative paths begin.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

/// A text that has not the form it should have, and where.
#[derive(Debug, PartialEq, Eq)]
struct Malformed {
    line: usize,
    column: usize,
    message: String,
}

/// A text whose lines are known.
#[derive(Debug)]
struct Lines<'a> {
    text: &'a str,
    /// Where each begins.
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let further = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(further).collect() }
    }

    /// The line of an offset, from 1.
    fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }

    /// The line and column of an offset, both from 1.
    fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.line(offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let before = self.text.get(start..offset).unwrap_or_default();
        (line, before.chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_line_and_a_character_of_it() {
        let lines = Lines::of("a\n\u{e9}b\n\nc");
        let places = [(0, (1, 1)), (1, (1, 2)), (2, (2, 1)), (4, (2, 2)), (6, (3, 1)), (7, (4, 1)), (8, (4, 2))];
        for (offset, place) in places {
            assert_eq!(lines.position(offset), place, "{offset}");
        }
        assert_eq!(Lines::of("").position(0), (1, 1));
    }
}
