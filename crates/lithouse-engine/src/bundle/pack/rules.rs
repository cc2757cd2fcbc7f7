// SPDX-License-Identifier: Apache-2.0
//! What of a folder is not packed: fixed names, and what ignore files say.

use std::ffi::OsStr;
use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::PackError;

/// Left out wherever they stand.
const FIXED: [&str; 7] = [".git", "venv", ".venv", "__pycache__", "node_modules", ".DS_Store", "__MACOSX"];

/// A folder that holds one of these is a virtual environment under another name, or the data folder of a Lithouse.
const MARKS: [&str; 2] = ["pyvenv.cfg", "lithouse.db"];

/// In falling order of authority: what ours says counts even against git's.
const IGNORE_FILES: [&str; 2] = [".lithouseignore", ".gitignore"];

/// The rules that hold in one folder and those above it, outermost first.
#[derive(Debug)]
pub(super) struct Rules {
    levels: Vec<[Gitignore; IGNORE_FILES.len()]>,
}

impl Rules {
    /// The rules from above the folder to be packed: those of the git repository it lies in. Outside of one there are none, since
    /// an ignore file in a home folder has nothing to do with an app in it.
    pub(super) fn above(root: &Path) -> Result<Self, PackError> {
        let mut rules = Self { levels: Vec::new() };
        let repository = root.ancestors().position(|folder| folder.join(".git").exists());
        let above: Vec<&Path> = root.ancestors().skip(1).take(repository.unwrap_or(0)).collect();
        for folder in above.into_iter().rev() {
            rules.enter(folder)?;
        }
        Ok(rules)
    }

    /// Adds the rules of a folder.
    pub(super) fn enter(&mut self, folder: &Path) -> Result<(), PackError> {
        let mut level = [Gitignore::empty(), Gitignore::empty()];
        for (matcher, name) in level.iter_mut().zip(IGNORE_FILES) {
            let file = folder.join(name);
            if file.is_file() {
                let failed = |error| PackError::Read { path: file.clone(), source: std::io::Error::other(error) };
                let mut builder = GitignoreBuilder::new(folder);
                if let Some(error) = builder.add(&file) {
                    return Err(failed(error));
                }
                *matcher = builder.build().map_err(failed)?;
            }
        }
        self.levels.push(level);
        Ok(())
    }

    /// Drops the rules of the folder entered last.
    pub(super) fn leave(&mut self) {
        self.levels.pop();
    }

    /// Whether this entry stays behind.
    pub(super) fn leave_out(&self, at: &Path, name: &OsStr, is_folder: bool, is_link: bool) -> bool {
        if FIXED.iter().any(|fixed| name == *fixed) {
            return true;
        }
        if is_folder && MARKS.iter().any(|mark| at.join(mark).is_file()) {
            return true;
        }
        // To git, a link is a file wherever it leads.
        let is_folder = is_folder && !is_link;
        (0..IGNORE_FILES.len())
            .flat_map(|file| self.levels.iter().rev().map(move |level| &level[file]))
            .map(|matcher| matcher.matched(at, is_folder))
            .find(|matched| !matched.is_none())
            .is_some_and(|matched| matched.is_ignore())
    }
}
