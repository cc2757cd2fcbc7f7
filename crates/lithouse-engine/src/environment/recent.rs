// SPDX-License-Identifier: Apache-2.0
//! Locks of the last minutes, so that the same requirements need not ask the index again and again.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Source;
use super::configuration::Configuration;
use super::interpreter::Interpreter;
use super::lock::Lock;
use super::project::Project;
use crate::plain_file;

/// How long an index's answer counts. Long enough for a row of deploys, short enough that a new version is not missed for long.
const FRESH: Duration = Duration::from_secs(600);
/// How many are kept.
const MOST: usize = 256;

/// What was locked a moment ago, by all that the lock depends on.
#[derive(Debug, Default)]
pub(super) struct RecentLocks(Mutex<HashMap<Question, (Instant, Lock)>>);

/// All that a lock of plain requirements depends on besides the index.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Question(Vec<String>);

impl Question {
    /// None for a folder whose lock depends on more. It blocks.
    pub(super) fn of(source: &Source, python: &Interpreter) -> Option<Self> {
        let mut parts = vec![plain_requirements(&source.folder)?, python.version.clone(), python.platform.clone()];
        parts.push(Configuration::of(&source.folder, &Project::read(&source.folder).ok()?).text);
        parts.extend(source.extra.iter().cloned());
        Some(Self(parts))
    }
}

impl RecentLocks {
    pub(super) fn get(&self, question: &Question) -> Option<Lock> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(question).filter(|(at, _)| at.elapsed() < FRESH).map(|(_, lock)| lock.clone())
    }

    pub(super) fn insert(&self, question: Question, lock: Lock) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (at, _)| at.elapsed() < FRESH);
        if known.len() < MOST {
            known.insert(question, (Instant::now(), lock));
        }
    }
}

/// The folder's requirements, if they say all: no project file beside them, no option, and nothing that lies elsewhere. It blocks.
pub(crate) fn plain_requirements(folder: &Path) -> Option<String> {
    if ["pyproject.toml", "uv.lock", "uv.toml"].iter().any(|name| folder.join(name).exists()) {
        return None;
    }
    let text = plain_file::read_text(&folder.join("requirements.txt")).ok()?;
    is_plain(&text).then_some(text)
}

/// Whether requirements name packages and versions only: no option, and nothing that lies elsewhere.
pub(crate) fn is_plain(text: &str) -> bool {
    let is_plain = |line: &str| {
        let line = line.trim();
        let begins = line.starts_with(|first: char| first.is_ascii_alphanumeric());
        line.is_empty() || line.starts_with('#') || (begins && !line.contains(['/', '@', '\\']) && !line.contains("--"))
    };
    text.lines().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requirements_that_say_all_are_plain() {
        let folder = tempfile::tempdir().unwrap();
        let is_plain = |text: &str| {
            std::fs::write(folder.path().join("requirements.txt"), text).unwrap();
            plain_requirements(folder.path()).is_some()
        };
        assert!(is_plain("# ours\n\nstreamlit==1.67.0\npandas>=2 ; python_version > '3.9'\n"));
        for more in
            ["-r other.txt", "--index-url x", "./here", "/there", "a @ file:///x", "-e .", "six==1 --hash=sha256:0", "six \\"]
        {
            assert!(!is_plain(&format!("six\n{more}\n")), "{more}");
        }
        assert!(is_plain("six\n"));
        std::fs::write(folder.path().join("uv.toml"), "").unwrap();
        assert!(!is_plain("six\n"));
    }
}
