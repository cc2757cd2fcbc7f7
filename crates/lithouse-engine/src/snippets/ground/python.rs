// SPDX-License-Identifier: Apache-2.0
//! What of the machine an environment's interpreter needs to be able to read.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// How long a Python may take to tell.
const PATIENCE: Duration = Duration::from_secs(20);
/// Tells where the standard library and what is linked to lie. An environment has neither of its own.
const QUESTION: &str = "
import json, os, sys, sysconfig
paths = sysconfig.get_paths()
found = [paths['stdlib'], paths['platstdlib'], sysconfig.get_config_var('DESTSHARED')]
if sys.executable:
    found.append(os.path.realpath(sys.executable))
for prefix in {sys.base_prefix, sys.base_exec_prefix}:
    found += [os.path.join(prefix, 'lib'), os.path.join(prefix, 'lib64')]
if sysconfig.get_config_var('Py_ENABLE_SHARED'):
    found.append(sysconfig.get_config_var('LIBDIR'))
print(json.dumps(sorted({path for path in found if path and os.path.isabs(path) and os.path.exists(path)})))
";

/// The paths that exist.
pub(super) async fn readable(python: &Path) -> io::Result<Vec<PathBuf>> {
    let mut command = Command::new(python);
    command.args(["-I", "-c", QUESTION]).env_clear().current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
    let answer = timeout(PATIENCE, command.output()).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    if !answer.status.success() {
        let words = String::from_utf8_lossy(&answer.stderr);
        return Err(io::Error::other(words.lines().last().unwrap_or("it failed without a word").to_owned()));
    }
    Ok(serde_json::from_slice(&answer.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_standard_library_is_among_it() {
        let asked = std::process::Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
        let python = String::from_utf8(asked.stdout).unwrap();
        let paths = readable(Path::new(python.trim())).await.unwrap();
        assert!(paths.iter().any(|path| path.join("json/__init__.py").is_file()), "{paths:?}");
        assert!(paths.iter().any(|path| path.is_file()), "the interpreter itself: {paths:?}");
    }

    #[tokio::test]
    async fn an_interpreter_that_does_not_run_says_why() {
        assert!(readable(Path::new("/no/such/python")).await.is_err());
        assert!(readable(Path::new("/bin/false")).await.is_err());
    }
}
