// SPDX-License-Identifier: Apache-2.0
//! Reads what the engine itself must know of a `requirements.txt`. What its lines mean is uv's business.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::plain_file;

/// A file of requirements that is larger is not one.
const FILE_LIMIT: u64 = 4 * 1024 * 1024;
/// How deep `-r` may lead.
const DEPTH_LIMIT: usize = 16;
/// Options that say where packages come from, or in which form: they hold for installing as for locking.
const OPTIONS: &[(&str, &str)] = &[
    ("--index-url", "-i"),
    ("--extra-index-url", "\0"),
    ("--find-links", "-f"),
    ("--no-index", "\0"),
    ("--no-binary", "\0"),
    ("--only-binary", "\0"),
];

/// What is found in a file and in those that it includes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Requirements {
    /// The packages that are named, in normal form.
    pub(super) names: BTreeSet<String>,
    /// Lines such as `--index-url https://…`.
    pub(super) options: Vec<String>,
    /// The hashes that are given, by package.
    pub(super) hashes: BTreeMap<String, BTreeSet<String>>,
    /// What is named as another file to read, and is none.
    pub(super) no_file: Option<PathBuf>,
}

impl Requirements {
    /// Reads a file. What cannot be read is left for uv to complain of, which names it better.
    pub(super) fn read(path: &Path) -> Self {
        let mut found = Self::default();
        found.take_file(path, 0, &mut BTreeSet::new());
        found
    }

    /// Reads the lines of a text that includes no others.
    pub(super) fn parse(text: &str) -> Self {
        let mut found = Self::default();
        found.take_text(text, Path::new("."), DEPTH_LIMIT, &mut BTreeSet::new());
        found
    }

    /// Files that were read are not read again: some that include each other over and over would keep us for ever.
    fn take_file(&mut self, path: &Path, depth: usize, known: &mut BTreeSet<PathBuf>) {
        self.check_file(path);
        if !path.canonicalize().is_ok_and(|path| known.insert(path)) {
            return;
        }
        if let Ok(bytes) = plain_file::read(path, FILE_LIMIT) {
            let folder = path.parent().unwrap_or(Path::new("."));
            self.take_text(&String::from_utf8_lossy(&bytes), folder, depth, known);
        }
    }

    fn check_file(&mut self, path: &Path) {
        if plain_file::check(path).is_err() {
            self.no_file = Some(path.to_owned());
        }
    }

    fn take_text(&mut self, text: &str, folder: &Path, depth: usize, known: &mut BTreeSet<PathBuf>) {
        for line in logical_lines(text) {
            if let Some(included) = value_of(&line, "--requirement", "-r") {
                if depth < DEPTH_LIMIT {
                    self.take_file(&folder.join(included), depth + 1, known);
                }
            } else if let Some(constraints) = value_of(&line, "--constraint", "-c") {
                self.check_file(&folder.join(constraints));
            } else if let Some(option) = option_line(&line, folder) {
                self.options.push(option);
            } else if let Some(name) = package_name(&line) {
                let hashes =
                    line.split("--hash").skip(1).filter_map(|rest| rest.trim_start_matches(['=', ' ']).split_whitespace().next());
                let hashes: BTreeSet<String> = hashes.map(str::to_owned).collect();
                if !hashes.is_empty() {
                    self.hashes.entry(name.clone()).or_default().extend(hashes);
                }
                self.names.insert(name);
            }
        }
    }
}

/// Lines without comments, continued ones joined.
pub(super) fn logical_lines(text: &str) -> Vec<String> {
    numbered_lines(text).into_iter().map(|(_, line)| line).collect()
}

/// The same with the number of the line that each begins in, counted from 1.
pub(super) fn numbered_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open = String::new();
    let mut begun = 1;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        if open.is_empty() {
            begun = index + 1;
        }
        let line = line.split_once(" #").map_or(line, |(content, _)| content.trim_end());
        if let Some(continued) = line.strip_suffix('\\') {
            open.push_str(continued.trim_end());
            open.push(' ');
            continue;
        }
        open.push_str(line);
        let whole = std::mem::take(&mut open);
        if !whole.trim().is_empty() {
            lines.push((begun, whole.trim().to_owned()));
        }
    }
    if !open.trim().is_empty() {
        lines.push((begun, open.trim().to_owned()));
    }
    lines
}

/// The value of an option line, however it is written: `-r x`, `-rx`, `--requirement x`, `--requirement=x`.
pub(super) fn value_of<'a>(line: &'a str, long: &str, short: &str) -> Option<&'a str> {
    if let Some(rest) = line.strip_prefix(long) {
        return (rest.is_empty() || rest.starts_with(['=', ' ', '\t'])).then(|| rest.trim_start_matches(['=', ' ', '\t']).trim());
    }
    line.strip_prefix(short).map(str::trim)
}

fn option_line(line: &str, folder: &Path) -> Option<String> {
    let (name, value) = OPTIONS.iter().find_map(|(long, short)| Some((*long, value_of(line, long, short)?)))?;
    if value.is_empty() {
        return Some(name.to_owned());
    }
    // A relative folder of wheels stays what it is when the option moves to another file.
    let local = folder.join(value);
    let value = if name == "--find-links" && !value.contains("://") && local.exists() {
        local.display().to_string()
    } else {
        value.to_owned()
    };
    Some(format!("{name} {value}"))
}

/// The package that a requirement names, in normal form; none for a bare path or address.
pub(super) fn package_name(line: &str) -> Option<String> {
    if let Some((_, egg)) = line.split_once("#egg=") {
        return package_name(egg);
    }
    let end =
        line.find(|character: char| !(character.is_ascii_alphanumeric() || "._-".contains(character))).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    let is_name =
        name.starts_with(|character: char| character.is_ascii_alphanumeric()) && !rest.starts_with([':', '/', '+', '\\']);
    is_name.then(|| normal(name))
}

/// The one form of all spellings of a package's name.
fn normal(name: &str) -> String {
    let mut normal = String::new();
    for character in name.chars() {
        if "._-".contains(character) {
            if !normal.ends_with('-') {
                normal.push('-');
            }
        } else {
            normal.push(character.to_ascii_lowercase());
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_every_way_to_write_them() {
        let found = Requirements::parse(
            "# a comment\nStreamlit>=1.2 # why\nruamel.YAML[jinja2] ; python_version > '3'\nsix @ https://x/six.whl\n\
             git+https://host/x.git#egg=My_Tool\n./local\n../other\n/abs/pkg\nhttps://x/y.whl\n-e .\n--pre\nfile:./x\n",
        );
        let names: Vec<&str> = found.names.iter().map(String::as_str).collect();
        assert_eq!(names, ["my-tool", "ruamel-yaml", "six", "streamlit"]);
    }

    #[test]
    fn files_that_include_each_other_over_and_over_are_read_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
        write("requirements.txt", &("-r ./requirements.txt\n-r other.txt\n".repeat(20) + "six\n"));
        write("other.txt", &("-r requirements.txt\n-r .//other.txt\n".repeat(20) + "attrs\n--no-index\n"));
        let found = Requirements::read(&folder.path().join("requirements.txt"));
        assert_eq!(found.names.iter().map(String::as_str).collect::<Vec<_>>(), ["attrs", "six"]);
        assert_eq!(found.options, ["--no-index"]);
    }

    #[test]
    fn hashes_and_index_options_are_kept_across_continued_lines() {
        let found = Requirements::parse(
            "-i https://a/simple\n--extra-index-url=https://b/simple\nsix==1 \\\n  --hash=sha256:aa \\\n  --hash=sha256:bb\n--no-index\n",
        );
        assert_eq!(found.options, ["--index-url https://a/simple", "--extra-index-url https://b/simple", "--no-index"]);
        assert_eq!(found.hashes["six"], BTreeSet::from(["sha256:aa".to_owned(), "sha256:bb".to_owned()]));
    }

    #[test]
    fn included_files_count_and_a_circle_of_them_ends() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("more")).expect("a folder");
        std::fs::write(folder.path().join("requirements.txt"), "-r more/base.txt\npandas\n").expect("a file");
        std::fs::write(folder.path().join("more/base.txt"), "six\n-r ../requirements.txt\n--find-links .\n").expect("a file");
        let found = Requirements::read(&folder.path().join("requirements.txt"));
        assert_eq!(found.names.len(), 2);
        assert!(found.options[0].ends_with("more/."), "{:?}", found.options);
    }
}
