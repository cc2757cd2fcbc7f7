// SPDX-License-Identifier: Apache-2.0
//! Which requirements are taken from an upload: text that uv can read, and that names no files but those that were sent.
//!
//! A path on the server is not what its author meant, and lines of such a file would be shown in the reason of the failure. Where
//! packages come from is free (`--index-url`, `--find-links`, addresses): they run with the rights of the app anyway.

use std::path::Path;

use super::requirements::{numbered_lines, package_name, value_of};
use crate::plain_file;

/// The largest file of requirements that is taken.
const LARGEST: u64 = 1 << 20;
/// So many files may be included.
const MOST_FILES: usize = 64;

/// Why requirements are not taken. Each names the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequirementsError {
    /// No requirements are as long.
    #[error("`{file}` is larger than {} MiB", LARGEST >> 20)]
    TooLarge {
        /// The file.
        file: String,
    },
    /// What Windows tools write where they are not told otherwise.
    #[error("`{file}` is UTF-16 text, which uv does not read")]
    Utf16 {
        /// The file.
        file: String,
    },
    /// Another coding, or no text at all.
    #[error("`{file}` is not UTF-8 text: line {line} has a byte that cannot be read")]
    NotText {
        /// The file.
        file: String,
        /// Counted from 1.
        line: usize,
    },
    /// No text has one.
    #[error("`{file}`, line {line}: there is a NUL byte, which no requirement has")]
    Nul {
        /// The file.
        file: String,
        /// Counted from 1.
        line: usize,
    },
    /// It includes a file that was not sent.
    #[error("`{file}`, line {line}: `{path}` is not among the app's files")]
    Missing {
        /// The file.
        file: String,
        /// Counted from 1.
        line: usize,
        /// The path, made printable and short.
        path: String,
    },
    /// It names what lies elsewhere.
    #[error("`{file}`, line {line}: `{path}` leads out of the app's folder")]
    Outside {
        /// The file.
        file: String,
        /// Counted from 1.
        line: usize,
        /// The path, made printable and short.
        path: String,
    },
}

impl RequirementsError {
    /// The next step.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "each line names one requirement, such as `pandas>=2`",
            Self::Utf16 { .. } => "save it as UTF-8; in PowerShell: `pip freeze | Out-File -Encoding utf8 requirements.txt`",
            Self::NotText { .. } => "save it as UTF-8",
            Self::Nul { .. } => "take it out; each line names one requirement, such as `pandas>=2`",
            Self::Missing { .. } => "send that file along, in a bundle, or take the line out",
            Self::Outside { .. } => {
                "send the file along in a bundle and name it by its path in there; packages on the server are found with `--find-links`"
            }
        }
    }
}

/// Looks at the requirements in a folder, and at those that they include. It blocks.
pub(crate) fn check_sent(folder: &Path) -> Result<(), RequirementsError> {
    let mut files = vec!["requirements.txt".to_owned()];
    let mut next = 0;
    while let Some(file) = files.get(next).cloned() {
        next += 1;
        for included in check_file(folder, &file)? {
            if !files.contains(&included) && files.len() < MOST_FILES {
                files.push(included);
            }
        }
    }
    Ok(())
}

/// Looks at one file, and tells which others it includes.
fn check_file(folder: &Path, name: &str) -> Result<Vec<String>, RequirementsError> {
    let file = || name.to_owned();
    let bytes = match plain_file::read(&folder.join(name), LARGEST) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
            return Err(RequirementsError::TooLarge { file: file() });
        }
        Err(_) => return Ok(Vec::new()),
    };
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(RequirementsError::Utf16 { file: file() });
    }
    let line_at = |end: usize| bytes.iter().take(end).filter(|byte| **byte == b'\n').count() + 1;
    match std::str::from_utf8(&bytes).map(|text| text.find('\0')) {
        Ok(None) => {}
        Ok(Some(at)) => return Err(RequirementsError::Nul { file: file(), line: line_at(at) }),
        Err(error) => return Err(RequirementsError::NotText { file: file(), line: line_at(error.valid_up_to()) }),
    }
    let text = String::from_utf8_lossy(&bytes);
    let mut included = Vec::new();
    for (line, content) in numbered_lines(text.trim_start_matches('\u{feff}')) {
        let listed = value_of(&content, "--requirement", "-r").or_else(|| value_of(&content, "--constraint", "-c"));
        let Some(path) = listed.or_else(|| local_project(&content)) else { continue };
        // What a file includes is looked for beside it.
        let beside = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        match inside(beside, path) {
            // A path that is written with escapes is left for uv to read.
            Some(inner) if listed.is_some() && !path.contains(['\\', '%']) && is_missing(&folder.join(&inner)) => {
                let path = path.escape_debug().take(200).collect();
                return Err(RequirementsError::Missing { file: file(), line, path });
            }
            Some(inner) if listed.is_some() => included.push(inner),
            Some(_) => {}
            None => {
                let path = path.escape_debug().take(200).collect();
                return Err(RequirementsError::Outside { file: file(), line, path });
            }
        }
    }
    Ok(included)
}

fn is_missing(path: &Path) -> bool {
    path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// The path of a project or package on the disk that a line names, however it is written.
fn local_project(line: &str) -> Option<&str> {
    let is_remote = |address: &str| address.contains("://") && !address.contains("file:");
    let address = match value_of(line, "--editable", "-e") {
        Some(editable) => editable,
        None if line.starts_with('-') => return None,
        None if package_name(line).is_some() => line.split_once(" @ ").map(|(_, address)| address.trim())?,
        None => line,
    };
    let path = address.split([';', '#']).next().unwrap_or(address).split(" --").next().unwrap_or(address).trim();
    let path = path.split('[').next().unwrap_or(path);
    (!is_remote(path)).then_some(path)
}

/// The path from the app's folder, if it stays in it.
fn inside(beside: &str, path: &str) -> Option<String> {
    let path = path.trim_matches(['"', '\'']).trim_start_matches("git+");
    let path = path.strip_prefix("file://").or_else(|| path.strip_prefix("file:")).unwrap_or(path);
    // uv puts variables in, which may lead anywhere, and fetches addresses.
    if path.starts_with(['/', '\\', '~']) || path.contains("${") || path.contains("://") {
        return None;
    }
    let mut names: Vec<&str> = beside.split('/').filter(|name| !name.is_empty()).collect();
    for name in path.split(['/', '\\']) {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()?),
            name => names.push(name),
        }
    }
    Some(names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(files: &[(&str, &[u8])]) -> Result<(), RequirementsError> {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, content) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            std::fs::write(path, content).expect("a file");
        }
        check_sent(folder.path())
    }

    #[test]
    fn what_people_write_is_taken() {
        for text in [
            "",
            "# nothing\n",
            "\u{feff}six\r\npandas>=2 ; python_version > '3.9'\r\n",
            "-e .\n-e ./pkg[extra]\n./pkg\npkg/sub/../x\n",
            "--index-url file:///srv/simple\n--find-links /srv/wheels\n--extra-index-url https://${USER}:${TOKEN}@host/simple\n",
            "git+https://host/x.git@main#egg=x\nx @ https://host/x.whl\nhttps://host/y.whl\n-e git+ssh://git@host/x.git\n",
            "six==1.17.0 \\\n  --hash=sha256:aa\n--pre\n",
        ] {
            assert_eq!(checked(&[("requirements.txt", text.as_bytes())]), Ok(()), "{text}");
        }
        assert_eq!(checked(&[]), Ok(()));
        let together = [
            ("requirements.txt", b"-r more/base.txt  # the rest\n-c constraints.txt\n-r \"more/two words.txt\"\n".as_slice()),
            ("more/base.txt", b"six\n"),
            ("more/two words.txt", b"six\n"),
            ("constraints.txt", b"six<2\n"),
        ];
        assert_eq!(checked(&together), Ok(()));
        let circle =
            [("requirements.txt", b"-r more/a.txt\n".as_slice()), ("more/a.txt", b"-r ../requirements.txt\n-r ./a.txt\n")];
        assert_eq!(checked(&circle), Ok(()));
    }

    #[test]
    fn what_leads_out_of_the_folder_is_told_with_its_line() {
        for path in [
            "-r /etc/passwd",
            "-r/etc/passwd",
            "--requirement=../x.txt",
            "-c a/../../x.txt",
            "-r file:///etc/passwd",
            "-r https://host/x.txt",
            "-r ${HOME}/x.txt",
            "-e ../..",
            "-e /srv/project",
            "-e file:///srv/project",
            "../x",
            "/srv/project",
            "file:///srv/project",
            "git+file:///srv/project",
            "x @ file:///srv/x.whl",
            "x @ ../x.whl ; python_version > '3'",
        ] {
            let error = checked(&[("requirements.txt", format!("six\n# more\n{path}\n").as_bytes())]).expect_err(path);
            assert!(matches!(error, RequirementsError::Outside { line: 3, .. }), "{path}: {error}");
        }
        let nested = [("requirements.txt", b"-r more/a.txt\n".as_slice()), ("more/a.txt", b"six\n-c ../../x.txt\n")];
        let error = checked(&nested).expect_err("two folders up");
        assert_eq!(error.to_string(), "`more/a.txt`, line 2: `../../x.txt` leads out of the app's folder");
    }

    #[test]
    fn what_is_included_and_was_not_sent_is_told_with_its_line() {
        for path in ["-r other.txt", "-rother.txt", "--requirement=./more/../other.txt", "-c other.txt ", "-r file:other.txt"] {
            let error = checked(&[("requirements.txt", format!("six\n# more\n{path}\n").as_bytes())]).expect_err(path);
            assert!(matches!(error, RequirementsError::Missing { line: 3, .. }), "{path}: {error}");
        }
        let nested = [("requirements.txt", b"-r more/a.txt\n".as_slice()), ("more/a.txt", b"six\n-c b.txt\n"), ("b.txt", b"")];
        let error = checked(&nested).expect_err("it is looked for beside the file");
        assert_eq!(error.to_string(), "`more/a.txt`, line 2: `b.txt` is not among the app's files");
    }

    #[test]
    fn what_is_no_text_is_told_with_its_line() {
        let of = |content: &[u8]| checked(&[("requirements.txt", content)]).map_err(|error| error.to_string());
        let not_text = "`requirements.txt` is not UTF-8 text: line 2 has a byte that cannot be read";
        assert_eq!(of(b"six\ncaf\xe9\n"), Err(not_text.to_owned()));
        let nul = "`requirements.txt`, line 2: there is a NUL byte, which no requirement has";
        assert_eq!(of(b"six\npan\0das\n"), Err(nul.to_owned()));
        assert_eq!(of(b"\xff\xfes\0i\0x\0"), Err("`requirements.txt` is UTF-16 text, which uv does not read".to_owned()));
        assert_eq!(of(&b"# many\n".repeat(200_000)), Err("`requirements.txt` is larger than 1 MiB".to_owned()));
    }
}
