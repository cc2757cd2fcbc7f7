// SPDX-License-Identifier: Apache-2.0
//! Turns what a folder asks for into a lock: exact versions of everything, as lines that uv installs.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::command::{Runner, Step, unless_killed};
use super::configuration::Configuration;
use super::error::PrepareError;
use super::explain::{Context, explain};
use super::interpreter::Interpreter;
use super::key::EnvironmentKey;
use super::local::{self, LocalPaths};
use super::project::{Kind, Project, check_files};
use super::requirements::{Requirements, logical_lines, package_name};
use super::scratch::Scratch;
use super::uv::Uv;
use super::variables::Variables;
use super::{Packages, Source};
use crate::plain_file;

/// What will be installed, and where from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lock {
    /// Index options, then one requirement a line; nothing in it depends on when or where it was made.
    pub(super) text: String,
    /// What the key must also depend on: settings of uv that lie in the folder, and local content.
    pub(super) salt: String,
    /// Options for installing that have no place in the text.
    pub(super) flags: Vec<OsString>,
    pub(super) has_local_paths: bool,
}

impl Lock {
    /// The key of the environment that is built of this lock with this Python.
    pub(super) fn key(&self, python: &Interpreter) -> EnvironmentKey {
        EnvironmentKey::of(&[&self.text, &self.salt, &python.version, &python.implementation, &python.platform])
    }
}

/// What locking works with.
pub(super) struct Locker<'a> {
    pub(super) source: &'a Source,
    pub(super) packages: Packages,
    pub(super) python: &'a Interpreter,
    pub(super) uv: &'a Uv,
    pub(super) variables: &'a Variables,
    pub(super) scratch: &'a Scratch,
    pub(super) runner: &'a Runner<'a>,
}

/// What a folder asks for, as far as it matters to the engine.
pub(super) struct Asked {
    pub(super) project: Project,
    configuration: Configuration,
    /// The requirements, if they are what counts.
    pub(super) given: Requirements,
}

impl Asked {
    /// Fails where uv would wait for ever at what is no file.
    pub(super) fn read(folder: &Path) -> Result<Self, PrepareError> {
        check_files(folder)?;
        let project = Project::read(folder)?;
        let configuration = Configuration::of(folder, &project);
        let is_counted = project.kind == Kind::Requirements;
        let given = if is_counted { Requirements::read(&folder.join("requirements.txt")) } else { Requirements::default() };
        if let Some(path) = &given.no_file {
            plain_file::check(path).map_err(|source| PrepareError::io("reading", path, source))?;
        }
        Ok(Self { project, configuration, given })
    }

    /// The same away from where everybody else waits.
    async fn read_apart(folder: PathBuf) -> Result<Self, PrepareError> {
        tokio::task::spawn_blocking(move || Self::read(&folder)).await.unwrap_or(Err(PrepareError::Cancelled))
    }
}

impl Locker<'_> {
    pub(super) async fn lock(&self) -> Result<Lock, PrepareError> {
        let folder = &self.source.folder;
        let Asked { project, configuration, given } = Asked::read_apart(folder.clone()).await?;
        self.check_python(&project)?;
        (self.runner.log)(match project.kind {
            Kind::UvLock => "locking: taking `uv.lock` as it is",
            Kind::Project => "locking the dependencies of `pyproject.toml`",
            Kind::Requirements => "locking `requirements.txt`",
            Kind::Nothing => "locking the default requirements",
        });
        let text = match project.kind {
            Kind::UvLock => self.export(&configuration, &project).await?,
            Kind::Project => {
                self.compile(&["pyproject.toml".into()], &project.names, &configuration, configuration.needs_hashes()).await?
            }
            Kind::Requirements => {
                self.compile(&["requirements.txt".into()], &given.names, &configuration, !given.hashes.is_empty()).await?
            }
            Kind::Nothing => self.compile(&[], &BTreeSet::new(), &configuration, false).await?,
        };
        let lines = only_given_hashes(normal_lines(&text), &given)?;
        let local = LocalPaths::find(lines.iter().chain(&given.options).map(String::as_str), folder);
        let mut salt = configuration.text.clone();
        if !local.is_empty() {
            salt.push_str(&self.source.private_to);
            salt.push('\0');
            let digest = tokio::task::spawn_blocking(move || local.digest()).await;
            salt.push_str(&digest.map_err(|_| PrepareError::Cancelled)?);
        }
        let has_local_paths = lines.iter().any(|line| local::is_local(line));
        let text = given.options.iter().chain(&lines).flat_map(|line| [line, "\n"]).collect();
        Ok(Lock { text, salt, flags: configuration.flags, has_local_paths })
    }

    fn check_python(&self, project: &Project) -> Result<(), PrepareError> {
        match &project.requires_python {
            Some(needed) if !self.python.satisfies(needed) => Err(PrepareError::WrongPython {
                package: "pyproject.toml".to_owned(),
                needed: needed.clone(),
                found: self.python.version.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// Takes `uv.lock` as it is, and adds what is demanded besides, within the versions that it fixes.
    async fn export(&self, configuration: &Configuration, project: &Project) -> Result<String, PrepareError> {
        let output = self.scratch.path().join("export.txt");
        let mut arguments: Vec<OsString> =
            ["export", "--frozen", "--no-dev", "--no-emit-project", "--no-editable", "--no-header"].map(Into::into).into();
        arguments.extend([
            "--python".into(),
            self.python.executable.clone().into(),
            "--output-file".into(),
            output.clone().into(),
        ]);
        self.uv(arguments).await?;
        let text = read(&output)?;
        let exported = Requirements::parse(&text).names;
        let names = exported.union(&project.names).cloned().collect();
        if self.missing_extra(&names).is_empty() {
            return Ok(text);
        }
        self.compile(&[output.into()], &names, configuration, true).await
    }

    fn missing_extra(&self, names: &BTreeSet<String>) -> Vec<&str> {
        let is_missing = |extra: &&String| package_name(extra).is_none_or(|name| !names.contains(&name));
        self.source.extra.iter().filter(is_missing).map(String::as_str).collect()
    }

    async fn compile(
        &self,
        inputs: &[OsString],
        names: &BTreeSet<String>,
        configuration: &Configuration,
        with_hashes: bool,
    ) -> Result<String, PrepareError> {
        let mut inputs = inputs.to_vec();
        let extra = self.missing_extra(names);
        if !extra.is_empty() {
            inputs.push(self.scratch.file("extra.txt", &extra.join("\n"))?.into());
        }
        if inputs.is_empty() {
            return Ok(String::new());
        }
        let output = self.scratch.path().join("lock.txt");
        let mut arguments: Vec<OsString> = ["pip", "compile", "--no-header", "--no-annotate"].map(Into::into).into();
        arguments.extend([
            "--python".into(),
            self.python.executable.clone().into(),
            "--output-file".into(),
            output.clone().into(),
        ]);
        if with_hashes {
            arguments.push("--generate-hashes".into());
        }
        if self.packages == Packages::Wheels {
            arguments.push("--no-build".into());
        }
        arguments.extend(configuration.flags.iter().cloned());
        arguments.extend(inputs);
        self.uv(arguments).await?;
        read(&output)
    }

    async fn uv(&self, arguments: Vec<OsString>) -> Result<(), PrepareError> {
        let folder = &self.source.folder;
        let step = Step {
            program: &self.uv.program,
            arguments,
            folder,
            variables: &self.variables.for_builds().with("TMPDIR", self.scratch.path()),
            hold: vec![self.scratch.path().to_owned()],
        };
        let outcome = unless_killed(self.runner.run(step).await?)?;
        match outcome.code {
            0 => Ok(()),
            code => Err(explain(&outcome.words, code, Context { python: &self.python.version, folder })),
        }
    }
}

fn read(path: &Path) -> Result<String, PrepareError> {
    std::fs::read_to_string(path).map_err(|source| PrepareError::io("reading", path, source))
}

/// One requirement a line, without comments; editable ones as plain ones, since an environment never changes.
pub(super) fn normal_lines(text: &str) -> Vec<String> {
    let plain = |line: String| match line.strip_prefix("-e ").or_else(|| line.strip_prefix("--editable ")) {
        Some(rest) => rest.trim().to_owned(),
        None => line,
    };
    logical_lines(text).into_iter().map(plain).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Keeps of the hashes that the index gives only those that the requirements allow; uv puts its own in their place when it locks.
pub(super) fn only_given_hashes(lines: Vec<String>, given: &Requirements) -> Result<Vec<String>, PrepareError> {
    let narrow = |line: String| {
        let Some(allowed) = package_name(&line).and_then(|name| given.hashes.get(&name)) else { return Ok(line) };
        let (requirement, hashes) = line.split_once(" --hash=").unwrap_or((&line, ""));
        let kept: Vec<&str> = hashes.split(" --hash=").filter(|hash| allowed.contains(*hash)).collect();
        if kept.is_empty() {
            return Err(PrepareError::HashMismatch { package: requirement.to_owned() });
        }
        Ok(format!("{requirement} --hash={}", kept.join(" --hash=")))
    };
    lines.into_iter().map(narrow).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_lock_are_the_same_however_uv_lays_them_out() {
        let text = "# by uv\nsix==1.17.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n    # via -r x\n-e ./pkg\n";
        assert_eq!(normal_lines(text), ["six==1.17.0 --hash=sha256:aa --hash=sha256:bb", "./pkg"]);
    }

    #[test]
    fn hashes_that_the_requirements_do_not_allow_are_dropped_or_refused() {
        let line = || vec!["six==1 --hash=sha256:aa --hash=sha256:bb".to_owned(), "other==1 --hash=sha256:cc".to_owned()];
        let given = Requirements::parse("six==1 --hash=sha256:bb --hash=sha256:zz\n");
        let lines = only_given_hashes(line(), &given).expect("one hash fits");
        assert_eq!(lines, ["six==1 --hash=sha256:bb", "other==1 --hash=sha256:cc"]);
        let given = Requirements::parse("six==1 --hash=sha256:zz\n");
        assert!(matches!(only_given_hashes(line(), &given), Err(PrepareError::HashMismatch { .. })));
    }
}
