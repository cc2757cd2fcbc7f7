// SPDX-License-Identifier: Apache-2.0
//! What a machine has for building environments, found as a build would find it, and left as it is.

use std::path::{Path, PathBuf};

use super::error::PrepareError;
use super::interpreter::Interpreter;
use super::uv;
use super::variables::Variables;
use crate::home::Home;

/// A program that was found, and asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Where it is.
    pub path: PathBuf,
    /// Its version in its own words.
    pub version: String,
}

/// The Python that environments would be made of.
pub async fn python(configured: Option<&Path>, variables: &Variables) -> Result<Tool, PrepareError> {
    let found = Interpreter::find(configured, &variables.for_builds()).await?;
    Ok(Tool { path: found.executable, version: found.version })
}

/// The uv that would build them; none where the first build has to install one.
pub async fn uv(configured: Option<&Path>, home: &Home, variables: &Variables) -> Result<Option<Tool>, PrepareError> {
    let found = uv::find(configured, &uv::place(&home.tools()), variables, &|_| ()).await?;
    Ok(found.map(|uv| Tool { path: uv.program, version: uv.version }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_uv_that_was_installed_before_is_found_and_one_that_will_not_do_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let program = |path: &Path, answer: &str| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            // Written by another process: a child that a test beside this one forks would hold it open for writing, and then it
            // does not run.
            let write = "printf '#!/bin/sh\\necho %s\\n' \"$2\" > \"$1\" && chmod 755 \"$1\"";
            let written = std::process::Command::new("sh").args(["-c", write, "sh"]).arg(path).arg(answer).status();
            assert!(written.unwrap().success());
        };
        let variables = Variables::default().with("PATH", folder.path().join("bin"));
        assert_eq!(uv(None, &home, &variables).await.unwrap(), None);
        program(&folder.path().join("bin/uv"), "uv 0.1.0");
        assert_eq!(uv(None, &home, &variables).await.unwrap(), None);
        program(&home.tools().join("uv"), "uv 0.9.2");
        let found = uv(None, &home, &variables).await.unwrap().unwrap();
        assert_eq!((found.path, found.version.as_str()), (home.tools().join("uv"), "0.9.2"));
        assert!(uv(Some(&folder.path().join("bin/uv")), &home, &variables).await.is_err());
    }
}
