// SPDX-License-Identifier: Apache-2.0
//! A path relative to an app's folder that cannot lead out of it.
//!
//! The one place that says which names are taken from outside: in archives, in folders to be packed and in `/files/{path}`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest single name, which is also what Linux file systems take.
const NAME_BYTES: usize = 255;
/// The longest path.
const PATH_BYTES: usize = 1024;
/// The deepest path, counted in names.
const DEPTH: usize = 32;

/// Why a text is not a path within an app's folder. Each reads on after "the path `…`".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing at all.
    #[error("is empty")]
    Empty,
    /// It starts at the root of the machine.
    #[error("is absolute")]
    Absolute,
    /// It has a `..` in it.
    #[error("leads upwards with `..`")]
    Upwards,
    /// It has a `.` or an empty name in it.
    #[error("has an empty name or a `.` in it")]
    EmptyName,
    /// It has a backslash, which some systems read as a separator.
    #[error("has a backslash in it")]
    Backslash,
    /// It has a NUL, a line break or another control character.
    #[error("has a control character in it")]
    Control,
    /// It is not text.
    #[error("is not UTF-8")]
    NotUtf8,
    /// One of its names is too long.
    #[error("has a part of more than {NAME_BYTES} bytes")]
    NameTooLong,
    /// It is too long.
    #[error("is longer than {PATH_BYTES} bytes")]
    TooLong,
    /// It is too deep.
    #[error("lies deeper than {DEPTH} folders")]
    TooDeep,
}

/// A file's or folder's path within an app's folder: relative, normal, UTF-8, bounded.
///
/// It says nothing of what lies there: a link on the disk is the business of whoever opens the file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FilePath(String);

impl FilePath {
    /// Takes a name out of an archive, where `./` in front, doubled slashes and a slash at the end are everyday things.
    /// The root itself (`./`) is `None`.
    pub(super) fn from_archive(raw: &[u8]) -> Result<Option<Self>, PathError> {
        if raw.len() > 4 * PATH_BYTES {
            return Err(PathError::TooLong);
        }
        let text = std::str::from_utf8(raw).map_err(|_| PathError::NotUtf8)?;
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        if text.starts_with('/') {
            return Err(PathError::Absolute);
        }
        let names: Vec<&str> = text.split('/').filter(|name| !name.is_empty() && *name != ".").collect();
        if names.is_empty() {
            return Ok(None);
        }
        names.join("/").parse().map(Some)
    }

    /// The path as text, with `/` between the names.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path as a path, still relative.
    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// Where it lies beneath a root.
    pub fn beneath(&self, root: &Path) -> PathBuf {
        root.join(&self.0)
    }

    /// Its names, outermost first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The folders above it as texts, outermost first; none for a path at top level.
    pub(super) fn folders(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(at, _)| &self.0[..at])
    }
}

impl FromStr for FilePath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        if text.starts_with('/') {
            return Err(PathError::Absolute);
        }
        if text.contains('\\') {
            return Err(PathError::Backslash);
        }
        if text.chars().any(char::is_control) {
            return Err(PathError::Control);
        }
        for name in text.split('/') {
            match name {
                ".." => return Err(PathError::Upwards),
                "" | "." => return Err(PathError::EmptyName),
                name if name.len() > NAME_BYTES => return Err(PathError::NameTooLong),
                _ => {}
            }
        }
        if text.len() > PATH_BYTES {
            return Err(PathError::TooLong);
        }
        if text.split('/').count() > DEPTH {
            return Err(PathError::TooDeep);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for FilePath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        text.parse()
    }
}

impl From<FilePath> for String {
    fn from(path: FilePath) -> Self {
        path.0
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyday_paths_are_taken_as_they_are() {
        for text in ["app.py", "pages/1_📈_Umsatz.py", ".streamlit/config.toml", "a..b", "...", "C:", "a b/c"] {
            assert_eq!(text.parse::<FilePath>().map(String::from), Ok(text.to_owned()));
        }
    }

    #[test]
    fn a_path_that_could_mean_something_else_is_refused_by_reason() {
        let long = "x".repeat(256);
        let far = ["x".repeat(250), "y".repeat(250), "z".repeat(250), "u".repeat(250), "v".repeat(50)].join("/");
        let deep = ["d"; 33].join("/");
        for (text, reason) in [
            ("", PathError::Empty),
            ("/etc/passwd", PathError::Absolute),
            ("..", PathError::Upwards),
            ("a/../../b", PathError::Upwards),
            ("a/./b", PathError::EmptyName),
            ("a//b", PathError::EmptyName),
            ("a/", PathError::EmptyName),
            ("a\\..\\b", PathError::Backslash),
            ("a\0b", PathError::Control),
            ("a\nb", PathError::Control),
            ("a\u{1b}[2Jb", PathError::Control),
            (&long, PathError::NameTooLong),
            (&far, PathError::TooLong),
            (&deep, PathError::TooDeep),
        ] {
            assert_eq!(text.parse::<FilePath>(), Err(reason), "{text:?}");
        }
    }

    #[test]
    fn names_in_archives_may_be_untidy_but_not_hostile() {
        let taken = |raw: &[u8]| FilePath::from_archive(raw).map(|path| path.map(String::from));
        assert_eq!(taken(b"./app.py"), Ok(Some("app.py".to_owned())));
        assert_eq!(taken(b"pages//a/"), Ok(Some("pages/a".to_owned())));
        assert_eq!(taken(b"./"), Ok(None));
        assert_eq!(taken(b""), Err(PathError::Empty));
        assert_eq!(taken(b"//etc"), Err(PathError::Absolute));
        assert_eq!(taken(b"./../x"), Err(PathError::Upwards));
        assert_eq!(taken(b"caf\xe9.py"), Err(PathError::NotUtf8));
        assert_eq!(taken(&b"a/".repeat(5000)), Err(PathError::TooLong));
    }

    #[test]
    fn the_folders_of_a_path_come_outermost_first() {
        let path: FilePath = "a/b/c.py".parse().expect("a good path");
        assert_eq!(path.folders().collect::<Vec<_>>(), ["a", "a/b"]);
    }
}
