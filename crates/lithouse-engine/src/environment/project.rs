// SPDX-License-Identifier: Apache-2.0
//! Which of a folder's files says what it needs, and what the engine itself must know of a `pyproject.toml`.

use std::collections::BTreeSet;
use std::path::Path;

use toml::{Table, Value};

use super::error::PrepareError;
use super::requirements::package_name;
use crate::plain_file;

/// Files of a folder that uv reads.
const READ_BY_UV: [&str; 5] = ["requirements.txt", "pyproject.toml", "uv.lock", "uv.toml", ".python-version"];
/// Files of the folders above it that uv reads too.
const READ_BY_UV_ABOVE: [&str; 3] = ["pyproject.toml", "uv.toml", ".python-version"];

/// Fails where uv would meet a pipe or a device in place of a file, and wait at it.
pub(super) fn check_files(folder: &Path) -> Result<(), PrepareError> {
    let above = folder.ancestors().skip(1).flat_map(|above| READ_BY_UV_ABOVE.map(|name| above.join(name)));
    let mut files = READ_BY_UV.into_iter().map(|name| folder.join(name)).chain(above);
    files.try_for_each(|file| plain_file::check(&file).map_err(|source| PrepareError::io("reading", &file, source)))
}

/// The file that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    UvLock,
    Project,
    Requirements,
    Nothing,
}

/// What a folder says of itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Project {
    pub(super) kind: Kind,
    /// Of the project, if that is what counts.
    pub(super) requires_python: Option<String>,
    /// The packages that the project names as its dependencies.
    pub(super) names: BTreeSet<String>,
    /// The whole `pyproject.toml`, where there is one that can be read.
    pub(super) table: Table,
}

impl Project {
    /// Prefers `uv.lock`, then `pyproject.toml`, then `requirements.txt`; but a `pyproject.toml` that has no `[project]` only
    /// configures tools, so it does not hide a `requirements.txt`.
    pub(super) fn read(folder: &Path) -> Result<Self, PrepareError> {
        std::fs::read_dir(folder).map_err(|source| PrepareError::io("reading", folder, source))?;
        let has = |name: &str| folder.join(name).is_file();
        let path = folder.join("pyproject.toml");
        let table = if has("pyproject.toml") {
            let text = plain_file::read_text(&path).map_err(|source| PrepareError::io("reading", &path, source))?;
            Some(text.parse::<Table>())
        } else {
            None
        };
        let is_project = matches!(&table, Some(Ok(table)) if table.contains_key("project"));
        let kind = match (has("uv.lock"), table.is_some(), has("requirements.txt")) {
            (true, true, has_requirements) if is_project || !has_requirements => Kind::UvLock,
            (_, true, has_requirements) if is_project || !has_requirements => Kind::Project,
            (_, _, true) => Kind::Requirements,
            _ => Kind::Nothing,
        };
        let counts = matches!(kind, Kind::UvLock | Kind::Project);
        let table = match table {
            Some(Ok(table)) => table,
            Some(Err(error)) if counts => return Err(unreadable(&path, &error)),
            Some(Err(_)) | None => Table::new(),
        };
        let project = table.get("project").filter(|_| counts);
        let requires_python =
            project.and_then(|project| project.get("requires-python")).and_then(Value::as_str).map(str::to_owned);
        let dependencies = project.and_then(|project| project.get("dependencies")).and_then(Value::as_array);
        let names = dependencies.into_iter().flatten().filter_map(Value::as_str).filter_map(package_name).collect();
        Ok(Self { kind, requires_python, names, table })
    }
}

fn unreadable(path: &Path, error: &toml::de::Error) -> PrepareError {
    let text = plain_file::read_text(path).unwrap_or_default();
    let line = error.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
    PrepareError::BadRequirements { file: "pyproject.toml".to_owned(), line, explanation: error.message().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(files: &[(&str, &str)]) -> Kind {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        Project::read(folder.path()).expect("a readable folder").kind
    }

    #[test]
    fn the_most_exact_file_counts() {
        let project = ("pyproject.toml", "[project]\nname = 'x'\n");
        let tools = ("pyproject.toml", "[tool.ruff]\n");
        let requirements = ("requirements.txt", "six");
        let lock = ("uv.lock", "");
        assert_eq!(kind(&[lock, project, requirements]), Kind::UvLock);
        assert_eq!(kind(&[project, requirements]), Kind::Project);
        assert_eq!(kind(&[tools, requirements]), Kind::Requirements);
        assert_eq!(kind(&[lock, requirements]), Kind::Requirements);
        assert_eq!(kind(&[("pyproject.toml", "[broken"), requirements]), Kind::Requirements);
        assert_eq!(kind(&[requirements]), Kind::Requirements);
        assert_eq!(kind(&[]), Kind::Nothing);
    }

    #[test]
    fn a_broken_project_is_told_with_its_line() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("pyproject.toml"), "[project]\nname = \n").expect("a file");
        let error = Project::read(folder.path()).expect_err("not TOML");
        assert!(error.to_string().starts_with("`pyproject.toml`, line 2 "), "{error}");
    }
}
