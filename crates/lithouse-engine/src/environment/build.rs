// SPDX-License-Identifier: Apache-2.0
//! Builds one environment in its place: made, filled, compiled, declared complete. A failed build is taken away again.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Packages;
use super::command::{Runner, Step, unless_killed};
use super::error::PrepareError;
use super::explain::{Context, explain};
use super::interpreter::Interpreter;
use super::lock::Lock;
use super::marker::Marker;
use super::scratch::Scratch;
use super::uv::Uv;
use super::variables::Variables;

/// How long an earlier server's build of the same environment may take to die.
const PATIENCE: Duration = Duration::from_mins(1);

/// What building works with.
pub(super) struct Build<'a> {
    /// Where the environment will be.
    pub(super) place: &'a Path,
    pub(super) lock: &'a Lock,
    pub(super) packages: Packages,
    /// The folder that the lock came from, which its relative paths start from.
    pub(super) folder: &'a Path,
    pub(super) python: &'a Interpreter,
    pub(super) uv: &'a Uv,
    pub(super) variables: &'a Variables,
    pub(super) scratch: &'a Scratch,
    pub(super) runner: &'a Runner<'a>,
}

impl Build<'_> {
    /// Builds, and leaves either a complete environment or nothing.
    pub(super) async fn run(&self) -> Result<(), PrepareError> {
        let built = self.attempt().await;
        if built.is_err() {
            let place = self.place.to_owned();
            // Nothing of the build lives any more. What cannot be removed has no marker, and is removed before the next attempt.
            let _ = tokio::task::spawn_blocking(move || remove(&place)).await;
        }
        built
    }

    async fn attempt(&self) -> Result<(), PrepareError> {
        self.clear().await?;
        std::fs::create_dir(self.place).map_err(|source| PrepareError::io("making", self.place, source))?;
        (self.runner.log)(&format!(
            "making an environment of Python {} ({})",
            self.python.version,
            self.python.executable.display()
        ));
        let venv = ["venv", "--no-project", "--python"].map(OsString::from).into_iter();
        self.uv(venv.chain([self.python.executable.clone().into(), self.place.into()]).collect(), self.scratch.path()).await?;
        if !self.lock.text.is_empty() {
            (self.runner.log)("installing, with bytecode compiled");
            self.install().await?;
        }
        self.declare_complete().await
    }

    /// Takes away what an interrupted build has left, once nobody works on it any more.
    async fn clear(&self) -> Result<(), PrepareError> {
        let place = self.place.to_owned();
        let cleared = tokio::task::spawn_blocking(move || {
            if let Ok(folder) = File::open(&place) {
                // The guard of an earlier server's build holds this lock until its whole family is dead.
                flock(&folder, FlockOperation::LockExclusive)?;
            }
            remove(&place)
        });
        match tokio::time::timeout(PATIENCE, cleared).await {
            Ok(Ok(result)) => result.map_err(|source| PrepareError::io("clearing", self.place, source)),
            Ok(Err(_)) => Err(PrepareError::Cancelled),
            Err(_) => Err(PrepareError::TimedOut { after: PATIENCE, during: "waiting for an earlier build to end".to_owned() }),
        }
    }

    async fn install(&self) -> Result<(), PrepareError> {
        let lock = self.scratch.file("install.txt", &self.lock.text)?;
        // uv compiles with the environment's own Python, which runs what packages tell every Python to run as it starts.
        let option = match self.packages {
            Packages::Any => "--compile-bytecode",
            Packages::Wheels => "--no-build",
        };
        let mut arguments: Vec<OsString> = ["pip", "install", "--no-deps", option, "--python"].map(Into::into).into();
        arguments.push(python_of(self.place).into());
        if self.lock.has_local_paths {
            // uv knows a local package by the time of its project file alone, and would install what it built of older sources.
            arguments.push("--refresh".into());
        }
        arguments.extend(self.lock.flags.iter().cloned());
        arguments.extend(["--requirement".into(), lock.into()]);
        self.uv(arguments, self.folder).await?;
        match self.packages {
            Packages::Any => Ok(()),
            Packages::Wheels => self.compile().await,
        }
    }

    /// Compiles what was installed without running any of it: by the Python outside, which does not look at the packages.
    async fn compile(&self) -> Result<(), PrepareError> {
        let mut arguments: Vec<OsString> = ["-I", "-S", "-m", "compileall", "-q", "-j", "0"].map(Into::into).into();
        arguments.push(self.place.join("lib").into());
        let step = Step {
            program: &self.python.executable,
            arguments,
            folder: self.scratch.path(),
            variables: &self.variables.for_builds().with("TMPDIR", self.scratch.path()),
            hold: vec![self.place.to_owned(), self.scratch.path().to_owned()],
        };
        // Some packages hold files that are no Python of this version, which only shows when they are used.
        unless_killed(self.runner.run(step).await?).map(drop)
    }

    async fn uv(&self, arguments: Vec<OsString>, folder: &Path) -> Result<(), PrepareError> {
        let step = Step {
            program: &self.uv.program,
            arguments,
            folder,
            variables: &self.variables.for_builds().with("TMPDIR", self.scratch.path()),
            hold: vec![self.place.to_owned(), self.scratch.path().to_owned()],
        };
        let outcome = unless_killed(self.runner.run(step).await?)?;
        match outcome.code {
            0 => Ok(()),
            code => Err(explain(&outcome.words, code, Context { python: &self.python.version, folder })),
        }
    }

    async fn declare_complete(&self) -> Result<(), PrepareError> {
        let marker = Marker {
            python: self.python.version.clone(),
            implementation: self.python.implementation.clone(),
            platform: self.python.platform.clone(),
            uv: self.uv.version.clone(),
            created: OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default(),
        };
        let (place, lock) = (self.place.to_owned(), self.lock.text.clone());
        let written =
            tokio::task::spawn_blocking(move || marker.write(&place, &lock)).await.map_err(|_| PrepareError::Cancelled)?;
        written.map_err(|source| PrepareError::io("completing", self.place, source))
    }
}

/// The interpreter of an environment.
pub(super) fn python_of(environment: &Path) -> PathBuf {
    environment.join("bin/python")
}

/// Removes a folder that may not be there; its marker first, so that half of it is never taken for whole.
pub(super) fn remove(place: &Path) -> io::Result<()> {
    Marker::remove(place)?;
    match std::fs::remove_dir_all(place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether a guard still works in a folder.
pub(super) fn is_held(place: &Path) -> bool {
    File::open(place).is_ok_and(|folder| flock(&folder, FlockOperation::NonBlockingLockExclusive).is_err())
}
