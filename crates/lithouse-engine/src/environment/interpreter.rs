// SPDX-License-Identifier: Apache-2.0
//! Finds the Python that environments are made of.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use tokio::process::Command;

use super::error::PrepareError;
use super::variables::Variables;

/// The oldest Python that apps are run with.
const OLDEST: (u32, u32) = (3, 10);
/// How long a Python may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(20);
/// Tells what a key depends on. `_base_executable` leads out of a virtual environment that the server was started in.
const QUESTION: &str = "
import json, os, platform, sys, sysconfig
print(json.dumps({
    'executable': os.path.abspath(getattr(sys, '_base_executable', None) or sys.executable),
    'version': platform.python_version(),
    'numbers': sys.version_info[:3],
    'is_final': sys.version_info.releaselevel == 'final',
    'implementation': sys.implementation.name,
    'platform': '-'.join([sysconfig.get_platform(), sysconfig.get_config_var('SOABI') or '', platform.libc_ver()[0]]),
}))
";

/// A Python that runs.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
pub(super) struct Interpreter {
    pub(super) executable: PathBuf,
    /// As Python itself writes it, such as `3.12.1`.
    pub(super) version: String,
    numbers: (u32, u32, u32),
    is_final: bool,
    pub(super) implementation: String,
    pub(super) platform: String,
    /// The state of the file, by which a replaced one is noticed.
    #[serde(skip)]
    changed: Option<SystemTime>,
}

impl Interpreter {
    /// Takes the configured Python, or the newest on the search path; a final one rather than a preview.
    pub(super) async fn find(configured: Option<&Path>, variables: &Variables) -> Result<Self, PrepareError> {
        match configured {
            Some(path) => Self::configured(path, variables).await,
            None => Self::newest(variables).await,
        }
    }

    async fn configured(path: &Path, variables: &Variables) -> Result<Self, PrepareError> {
        let refused =
            |reason: String| PrepareError::NoPython { reason: format!("the configured Python `{}` {reason}", path.display()) };
        let found = Self::ask(path, variables).await.map_err(|reason| refused(format!("does not run: {reason}")))?;
        if found.is_old() { Err(refused(format!("is Python {}", found.version))) } else { Ok(found) }
    }

    async fn newest(variables: &Variables) -> Result<Self, PrepareError> {
        let mut best: Option<Self> = None;
        let mut seen = Vec::new();
        for (minor, candidate) in candidates(&variables.search_path()) {
            if best.as_ref().is_some_and(|best| best.is_final && best.numbers.1 >= minor) {
                continue;
            }
            match Self::ask(&candidate, variables).await {
                Ok(found) if found.is_old() => seen.push(format!("`{}` is Python {}", candidate.display(), found.version)),
                Ok(found) if best.as_ref().is_none_or(|best| found.rank() > best.rank()) => best = Some(found),
                Ok(_) => {}
                Err(reason) => seen.push(format!("`{}` does not run ({reason})", candidate.display())),
            }
        }
        best.ok_or_else(|| PrepareError::NoPython {
            reason: if seen.is_empty() { "no `python3` is on the search path".to_owned() } else { seen.join("; ") },
        })
    }

    async fn ask(path: &Path, variables: &Variables) -> Result<Self, String> {
        let mut command = Command::new(path);
        command.args(["-I", "-c", QUESTION]).env_clear().envs(variables).current_dir("/");
        command.stdin(Stdio::null()).kill_on_drop(true);
        let answer = match tokio::time::timeout(PATIENCE, command.output()).await {
            Err(_) => return Err(format!("no answer within {} s", PATIENCE.as_secs())),
            Ok(answer) => answer.map_err(|error| error.to_string())?,
        };
        if !answer.status.success() {
            let words = String::from_utf8_lossy(&answer.stderr);
            return Err(words.lines().next().unwrap_or("it failed without a word").trim().to_owned());
        }
        let mut found: Self =
            serde_json::from_slice(&answer.stdout).map_err(|error| format!("its answer is not understood: {error}"))?;
        found.changed = changed(&found.executable);
        Ok(found)
    }

    /// True while the file is the one that was asked.
    pub(super) fn is_unchanged(&self) -> bool {
        self.changed.is_some() && changed(&self.executable) == self.changed
    }

    fn is_old(&self) -> bool {
        (self.numbers.0, self.numbers.1) < OLDEST
    }

    fn rank(&self) -> (bool, (u32, u32, u32)) {
        (self.is_final, self.numbers)
    }

    /// Whether a `requires-python` such as `>=3.10,<3.13` admits this Python. Clauses that are not understood are left to uv.
    pub(super) fn satisfies(&self, specifiers: &str) -> bool {
        specifiers.split(',').all(|clause| self.satisfies_clause(clause.trim()))
    }

    fn satisfies_clause(&self, clause: &str) -> bool {
        let border = clause.find(|character: char| character.is_ascii_digit()).unwrap_or(clause.len());
        let (operator, version) = (clause[..border].trim(), clause[border..].trim());
        let (version, is_prefix) = version.strip_suffix(".*").map_or((version, false), |version| (version, true));
        let Ok(numbers) = version.split('.').map(str::parse::<u32>).collect::<Result<Vec<u32>, _>>() else { return true };
        let own = [self.numbers.0, self.numbers.1, self.numbers.2];
        let starts_with = |count: usize| numbers.iter().take(count).zip(own).all(|(wanted, own)| *wanted == own);
        let mut padded = [0; 3];
        for (place, number) in padded.iter_mut().zip(&numbers) {
            *place = *number;
        }
        let is_equal = if is_prefix { starts_with(numbers.len()) } else { own == padded };
        match operator {
            ">=" => own >= padded,
            "<=" => own <= padded,
            ">" => own > padded,
            "<" => own < padded,
            "==" | "===" => is_equal,
            "!=" => !is_equal,
            "~=" => own >= padded && starts_with(numbers.len().saturating_sub(1)),
            _ => true,
        }
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// All `python3` and `python3.N` in the folders, the newest names first, no two that are one file.
fn candidates(folders: &[PathBuf]) -> Vec<(u32, PathBuf)> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for folder in folders {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        let mut here: Vec<(u32, PathBuf)> =
            entries.flatten().filter_map(|entry| Some((minor_of(entry.file_name().to_str()?)?, entry.path()))).collect();
        here.sort();
        found.extend(here);
    }
    // Stable: among equal names the folder order of the search path stays.
    found.sort_by_key(|(minor, _)| std::cmp::Reverse(*minor));
    // What a shim does depends on the name it is called by, so only real programs are told apart by their file.
    let mut seen = BTreeSet::new();
    found.retain(|(_, path)| is_shim(path) || path.canonicalize().is_ok_and(|file| seen.insert(file)));
    found
}

/// A script, such as a shim of pyenv.
fn is_shim(path: &Path) -> bool {
    let mut start = [0; 2];
    std::fs::File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut start)).is_ok() && start == *b"#!"
}

/// The N of `python3.N`; the largest for a plain `python3`, which is asked first.
fn minor_of(name: &str) -> Option<u32> {
    match name.strip_prefix("python3")? {
        "" => Some(u32::MAX),
        rest => rest.strip_prefix('.')?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python(version: (u32, u32, u32)) -> Interpreter {
        Interpreter {
            executable: "/usr/bin/python3".into(),
            version: format!("{}.{}.{}", version.0, version.1, version.2),
            numbers: version,
            is_final: true,
            implementation: "cpython".into(),
            platform: "linux".into(),
            changed: None,
        }
    }

    #[test]
    fn requires_python_is_read_as_packagers_mean_it() {
        let python = python((3, 12, 1));
        for admitted in
            [">=3.10", ">=3.10,<3.13", "==3.12.*", "~=3.11", "~=3.12.0", "!=3.12.0", ">3.12", "<=3.12.1", "", ">=3.13rc1"]
        {
            assert!(python.satisfies(admitted), "{admitted}");
        }
        for refused in [">=3.13", "<3.12", "==3.11.*", "~=3.11.2", "!=3.12.*", "==3.12", ">=3.10, <3.12"] {
            assert!(!python.satisfies(refused), "{refused}");
        }
    }

    fn script(folder: &Path, name: &str, version: &str) -> PathBuf {
        let path = folder.join(name);
        let numbers = version.replace('.', ",");
        let answer = format!(
            r#"{{"executable":"{}","version":"{version}","numbers":[{numbers}],"is_final":true,"implementation":"cpython","platform":"p"}}"#,
            path.display()
        );
        let text = if version.is_empty() {
            "#!/bin/sh\necho 'pyenv: command not found' >&2; exit 127\n".to_owned()
        } else {
            format!("#!/bin/sh\necho '{answer}'\n")
        };
        lithouse_testkit::put_program(&path, text);
        path
    }

    fn on(folder: &Path) -> Variables {
        Variables::default().with("PATH", folder)
    }

    #[tokio::test]
    async fn the_newest_python_that_runs_is_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        script(folder.path(), "python3", "3.11.2");
        script(folder.path(), "python3.9", "3.9.1");
        script(folder.path(), "python3.14", "");
        let newest = script(folder.path(), "python3.13", "3.13.0");
        script(folder.path(), "python3.13-config", "3.99.0");
        let found = Interpreter::find(None, &on(folder.path())).await.expect("a Python");
        assert_eq!(found.executable, newest);
    }

    #[tokio::test]
    async fn only_old_or_broken_pythons_are_an_error_that_names_them() {
        let folder = tempfile::tempdir().expect("a folder");
        script(folder.path(), "python3", "3.9.1");
        script(folder.path(), "python3.12", "");
        let error = Interpreter::find(None, &on(folder.path())).await.expect_err("no Python");
        let text = error.to_string();
        assert!(text.contains("is Python 3.9.1") && text.contains("pyenv: command not found") && text.contains("3.10"), "{text}");
    }

    #[tokio::test]
    async fn an_empty_search_path_is_an_error_that_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = Interpreter::find(None, &on(folder.path())).await.expect_err("no Python");
        assert!(error.to_string().contains("no `python3` is on the search path"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("install")));
    }
}
