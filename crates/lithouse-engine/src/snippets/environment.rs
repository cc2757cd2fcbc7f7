// SPDX-License-Identifier: Apache-2.0
//! The environment that snippets run in: which one it is, and a new one when other packages are asked for.
//!
//! The choice is recorded beside the requirements, so that the next start finds the same environment without asking any index, and
//! so that it is not collected while no server runs.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::environment::{BuildLog, Environment, EnvironmentKey, Environments, PrepareError, Source};
use crate::home::Home;

/// What every snippet may count on.
const PACKAGES: [&str; 4] = ["numpy", "pandas", "matplotlib", "plotly"];

/// Why there is no environment.
#[derive(Debug, thiserror::Error)]
pub(super) enum EnvironmentError {
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    #[error("could not write `{}`: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Which environment was made of which requirements.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    environment: String,
    requirements: Vec<String>,
}

/// The service's own folder and what it needs of it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    folder: PathBuf,
    requirements: Vec<String>,
}

impl Place {
    pub(super) fn new(home: &Home, packages: &[String]) -> Self {
        let requirements = PACKAGES.iter().map(|name| (*name).to_owned()).chain(packages.iter().cloned()).collect();
        Self { folder: home.snippets(), requirements }
    }

    /// The environment of an earlier start, if it is there and was made for the same packages.
    pub(super) fn find(&self, environments: &Environments) -> Option<Environment> {
        let record = read(&self.folder)?;
        let key = record.environment.parse().ok()?;
        (record.requirements == self.requirements).then(|| environments.find(&key)).flatten()
    }

    /// Builds the environment, or finds one that another has built.
    pub(super) async fn prepare(&self, environments: &Environments) -> Result<Environment, EnvironmentError> {
        let write = |path: PathBuf| move |source| EnvironmentError::Write { path, source };
        // Where the server is root's, the data folder lets other users' apps through.
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(write(self.folder.clone()))?;
        let requirements = self.folder.join("requirements.txt");
        let text = self.requirements.join("\n") + "\n";
        std::fs::write(&requirements, text).map_err(write(requirements))?;
        let log = BuildLog::create(&self.log()).map_err(write(self.log()))?;
        let source = Source { folder: self.folder.clone(), private_to: "snippets".to_owned(), extra: Vec::new() };
        let environment = environments.prepare(&source, &log).await?;
        self.record(&environment.key).map_err(write(self.folder.join(RECORD)))?;
        Ok(environment)
    }

    /// The last words of a build that is going on.
    pub(super) fn last_words(&self) -> String {
        let text = tail(&self.log()).unwrap_or_default();
        let mut words = text.lines().rev().map(|line| line.split_once(" build |").map_or(line, |(_, words)| words).trim());
        words.find(|words| !words.is_empty()).unwrap_or_default().to_owned()
    }

    fn log(&self) -> PathBuf {
        self.folder.join("build.log")
    }

    fn record(&self, key: &EnvironmentKey) -> io::Result<()> {
        let record = Record { environment: key.as_str().to_owned(), requirements: self.requirements.clone() };
        let partial = self.folder.join("environment.json.new");
        std::fs::write(&partial, serde_json::to_vec_pretty(&record)?)?;
        std::fs::rename(partial, self.folder.join(RECORD))
    }
}

const RECORD: &str = "environment.json";

fn read(folder: &Path) -> Option<Record> {
    serde_json::from_slice(&std::fs::read(folder.join(RECORD)).ok()?).ok()
}

/// The environment that a data folder's snippets want to keep, if they were ever used.
pub(crate) fn wanted_environment(home: &Home) -> Option<EnvironmentKey> {
    read(&home.snippets())?.environment.parse().ok()
}

/// The end of a file.
fn tail(path: &Path) -> io::Result<String> {
    use std::io::{Read, Seek, SeekFrom};
    const BYTES: u64 = 4096;
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
    let mut bytes = Vec::new();
    file.take(BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_of_a_build_are_told_without_their_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let place = Place::new(&home, &[]);
        assert_eq!(place.last_words(), "");
        std::fs::create_dir_all(home.snippets()).unwrap();
        BuildLog::create(&place.log()).unwrap().write("installing\nResolved 12 packages\n\n");
        assert_eq!(place.last_words(), "Resolved 12 packages");
    }

    #[test]
    fn the_environment_of_an_earlier_start_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        assert_eq!(wanted_environment(&home), None);
        std::fs::create_dir_all(home.snippets()).unwrap();
        let key: EnvironmentKey = "0".repeat(32).parse().unwrap();
        Place::new(&home, &["six".to_owned()]).record(&key).unwrap();
        assert_eq!(wanted_environment(&home), Some(key));
    }
}
