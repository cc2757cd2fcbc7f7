// SPDX-License-Identifier: Apache-2.0
//! The repository as the checks see it: every text file that is not ignored, read once.

use std::path::{Path, PathBuf};

use anyhow::Context;
use ignore::WalkBuilder;

/// A larger file is data, not something a person wrote.
const MOST_BYTES: u64 = 4 << 20;

/// All text of the repository.
pub(super) struct Repository {
    /// Where it lies.
    pub(super) root: PathBuf,
    /// The files, in the order of their paths.
    pub(super) files: Vec<TextFile>,
}

/// One file.
pub(super) struct TextFile {
    /// From the root, with slashes.
    pub(super) path: String,
    pub(super) text: String,
}

impl Repository {
    /// Reads what git would take, with or without a git folder around it.
    pub(super) fn read(root: &Path) -> anyhow::Result<Self> {
        let walk = WalkBuilder::new(root)
            .standard_filters(false)
            .git_ignore(true)
            .require_git(false)
            .filter_entry(|entry| entry.file_name() != ".git")
            .sort_by_file_name(Ord::cmp)
            .build();
        let mut files = Vec::new();
        for entry in walk {
            let entry = entry?;
            let is_small_file = entry.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() <= MOST_BYTES);
            if !is_small_file {
                continue;
            }
            let bytes = std::fs::read(entry.path()).with_context(|| format!("could not read `{}`", entry.path().display()))?;
            let path = entry.path().strip_prefix(root)?.to_str().context("a path is not UTF-8")?.to_owned();
            // What is not text has nothing to check.
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(TextFile { path, text });
            }
        }
        Ok(Self { root: root.to_owned(), files })
    }

    /// The Rust files.
    pub(super) fn rust(&self) -> impl Iterator<Item = &TextFile> {
        self.files.iter().filter(|file| file.has_extension(&["rs"]))
    }

    /// A repository of these files, which lies nowhere.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| TextFile { path: (*path).to_owned(), text: (*text).to_owned() }).collect();
        Self { root: PathBuf::from("/nowhere/at-all"), files }
    }
}

impl TextFile {
    /// Whether its name ends with one of these, after the dot.
    pub(super) fn has_extension(&self, extensions: &[&str]) -> bool {
        Path::new(&self.path).extension().is_some_and(|extension| extensions.iter().any(|wanted| extension == *wanted))
    }

    /// Its lines with their numbers, from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Whether it lies in a folder of this name.
    pub(super) fn is_within(&self, folder: &str) -> bool {
        let mut names: Vec<&str> = self.path.split('/').collect();
        names.pop();
        names.contains(&folder)
    }

    /// A place in it, as compilers name one.
    pub(super) fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }
}
