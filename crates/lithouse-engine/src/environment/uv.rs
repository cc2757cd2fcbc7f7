// SPDX-License-Identifier: Apache-2.0
//! Finds uv: the configured one, that of the search path, or one that is installed into the tools folder on first need.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::Mutex;

use super::command::{Runner, Step, unless_killed};
use super::error::PrepareError;
use super::interpreter::Interpreter;
use super::scratch::Scratch;
use super::variables::Variables;

/// Fetches uv with nothing but Python.
const FETCH: &str = include_str!("../../../../python/fetch_uv.py");
/// The oldest uv whose options are all that we use.
const OLDEST: (u32, u32, u32) = (0, 5, 0);
/// How long uv may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(20);

/// A uv that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Uv {
    pub(super) program: PathBuf,
    pub(super) version: String,
}

/// The one uv of a server. Whoever needs it while it is being installed waits for that.
#[derive(Debug)]
pub(super) struct UvTool {
    configured: Option<PathBuf>,
    installed: PathBuf,
    found: Mutex<Option<Uv>>,
}

impl UvTool {
    pub(super) fn new(configured: Option<PathBuf>, tools: &Path) -> Self {
        Self { configured, installed: place(tools), found: Mutex::new(None) }
    }

    pub(super) async fn get(
        &self,
        python: &Interpreter,
        variables: &Variables,
        runner: &Runner<'_>,
        scratch: &Scratch,
    ) -> Result<Uv, PrepareError> {
        let mut found = self.found.lock().await;
        if let Some(uv) = found.as_ref()
            && uv.program.exists()
        {
            return Ok(uv.clone());
        }
        let uv = match find(self.configured.as_deref(), &self.installed, variables, runner.log).await? {
            Some(uv) => uv,
            None => self.install(python, variables, runner, scratch).await?,
        };
        (runner.log)(&format!("using uv {} at `{}`", uv.version, uv.program.display()));
        *found = Some(uv.clone());
        Ok(uv)
    }

    /// Installs from PyPI, or wherever pip is configured to look. The program appears at its place complete or not at all.
    async fn install(
        &self,
        python: &Interpreter,
        variables: &Variables,
        runner: &Runner<'_>,
        scratch: &Scratch,
    ) -> Result<Uv, PrepareError> {
        (runner.log)("no uv is at hand; installing one for Lithouse");
        let folder = scratch.folder("uv")?;
        let outcome = runner
            .run(Step {
                program: &python.executable,
                arguments: vec!["-c".into(), FETCH.into(), folder.clone().into()],
                folder: &folder,
                variables: &variables.for_pip().with("TMPDIR", scratch.path()).with("PYTHONDONTWRITEBYTECODE", "1"),
                hold: vec![scratch.path().to_owned()],
            })
            .await?;
        let outcome = unless_killed(outcome)?;
        if outcome.code != 0 {
            let reason =
                outcome.words.lines().rev().find_map(|line| line.strip_prefix("error: ")).unwrap_or("Python failed to fetch it");
            return Err(if reason.contains("No space left") {
                PrepareError::DiskFull { at: self.installed.display().to_string() }
            } else {
                PrepareError::NoUv { reason: reason.to_owned() }
            });
        }
        let fetched = folder.join("uv");
        let refused = |reason| PrepareError::NoUv { reason: format!("what was fetched {reason}") };
        let fetched_uv = ask(&fetched, variables).await.map_err(refused)?;
        std::fs::rename(&fetched, &self.installed).map_err(|source| PrepareError::io("installing", &self.installed, source))?;
        Ok(Uv { program: self.installed.clone(), ..fetched_uv })
    }
}

/// The configured uv, or the first that will do of those on the search path and the one that was installed before.
pub(super) async fn find(
    configured: Option<&Path>,
    installed: &Path,
    variables: &Variables,
    log: &(dyn Fn(&str) + Send + Sync),
) -> Result<Option<Uv>, PrepareError> {
    if let Some(path) = configured {
        let refused = |reason| PrepareError::NoUv { reason: format!("the configured `{}` {reason}", path.display()) };
        return ask(path, variables).await.map(Some).map_err(refused);
    }
    let on_path = variables.search_path().into_iter().map(|folder| folder.join("uv"));
    for path in on_path.chain([installed.to_owned()]).filter(|path| path.is_file()) {
        match ask(&path, variables).await {
            Ok(uv) => return Ok(Some(uv)),
            Err(reason) => log(&format!("`{}` is passed over: it {reason}", path.display())),
        }
    }
    Ok(None)
}

/// Where uv is installed when there is none.
pub(super) fn place(tools: &Path) -> PathBuf {
    tools.join("uv")
}

/// Asks a program whether it is a uv that will do; the error completes a sentence that names it.
async fn ask(path: &Path, variables: &Variables) -> Result<Uv, String> {
    let mut command = Command::new(path);
    command.arg("--version").env_clear().envs(&variables.for_builds()).stdin(Stdio::null()).kill_on_drop(true);
    let answer = match tokio::time::timeout(PATIENCE, command.output()).await {
        Err(_) => return Err(format!("does not answer within {} s", PATIENCE.as_secs())),
        Ok(answer) => answer.map_err(|error| format!("does not run: {error}"))?,
    };
    let words = String::from_utf8_lossy(&answer.stdout).into_owned();
    let Some(version) = words.strip_prefix("uv ").and_then(|rest| rest.split_whitespace().next()) else {
        return Err("does not answer like uv".to_owned());
    };
    if numbers(version) < OLDEST {
        return Err(format!("is uv {version}, older than {}.{}.{}", OLDEST.0, OLDEST.1, OLDEST.2));
    }
    Ok(Uv { program: path.to_owned(), version: version.to_owned() })
}

fn numbers(version: &str) -> (u32, u32, u32) {
    let mut parts = version.split(['.', '-', '+']).map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(numbers("0.13.8") > numbers("0.5.0"));
        assert!(numbers("0.4.30") < OLDEST);
        assert_eq!(numbers("1.2.3-alpha.1"), (1, 2, 3));
    }
}
