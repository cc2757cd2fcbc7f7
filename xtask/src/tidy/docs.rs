// SPDX-License-Identifier: Apache-2.0
//! Checks of the map of the code.

use std::path::Path;

use super::Finding;
use super::repository::Repository;

/// The document whose paths are held.
const MAP: &str = "ARCHITECTURE.md";

/// Paths that begin so are made when Lithouse runs or is built, or are no paths at all.
const NOT_OURS: [&str; 12] =
    ["data", "apps", "envs", "logs", "tmp", "releases", "state", "venv", "target", "text", "application", "image"];

pub(super) fn named_paths_exist(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repository.files.iter().filter(|file| file.path == MAP) {
        for (number, line) in file.lines() {
            let missing = named_paths(line).filter(|path| !repository.root.join(path).exists());
            findings.extend(missing.map(|path| Finding::new(file.at(number), format!("`{path}` does not exist"))));
        }
    }
    findings
}

/// The paths of the repository that stand in backticks.
fn named_paths(line: &str) -> impl Iterator<Item = &str> {
    // Between backticks is every second piece.
    line.split('`').skip(1).step_by(2).filter(|text| is_path(text))
}

fn is_path(text: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-/".contains(letter);
    let Some((first, _)) = text.split_once('/') else {
        // Without a slash, only documents are surely meant as files at the root.
        return Path::new(text).extension().is_some_and(|extension| extension == "md")
            && text.starts_with(|letter: char| letter.is_ascii_uppercase());
    };
    !first.is_empty() && text.chars().all(is_plain) && !NOT_OURS.contains(&first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_other_things_in_backticks() {
        let line = "see `crates/a/src/x.rs` and `STYLE.md`, not `/apps/x`, `data/lithouse.db`, `Vec<u8>`, `app.py`, `cargo xtask`, `a/*`, or crates/b";
        assert_eq!(named_paths(line).collect::<Vec<_>>(), ["crates/a/src/x.rs", "STYLE.md"]);
    }

    #[test]
    fn a_path_that_is_gone_is_found_with_its_line() {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(root.path().join("crates/here")).expect("a folder");
        let mut repository =
            Repository::of(&[("ARCHITECTURE.md", "`crates/here/`\nand `crates/gone`\n"), ("OTHER.md", "`crates/gone`")]);
        root.path().clone_into(&mut repository.root);
        let found = named_paths_exist(&repository);
        assert_eq!(found, [Finding::new("ARCHITECTURE.md:2", "`crates/gone` does not exist")]);
    }
}
