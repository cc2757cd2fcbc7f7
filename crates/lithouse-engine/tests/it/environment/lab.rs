// SPDX-License-Identifier: Apache-2.0
//! What the tests of environments work in: a data folder, folders to prepare, packages that misbehave.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use lithouse_engine::environment::{
    BuildLog, Environment, Environments, GuardProgram, PrepareError, Settings, Source, Variables,
};
use lithouse_engine::home::Home;
use tempfile::TempDir;

/// A data folder, and room for sources beside it.
pub(crate) struct Lab {
    pub(crate) folder: TempDir,
    pub(crate) home: Home,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::open(&folder.path().join("data")).expect("a data folder");
        Self { folder, home }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Opens the environments with a change to the usual settings.
    pub(crate) fn open_with(&self, change: impl FnOnce(&mut Settings)) -> Environments {
        let mut settings = settings();
        change(&mut settings);
        Environments::open(self.home.clone(), settings).expect("environments")
    }

    pub(crate) fn open(&self) -> Environments {
        self.open_with(|_| {})
    }

    /// A folder with files, as a source that adds nothing.
    pub(crate) fn source(&self, name: &str, files: &[(&str, &str)]) -> Source {
        let folder = self.path(name);
        for (file, text) in files {
            let path = folder.join(file);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            std::fs::write(path, text).expect("a file");
        }
        std::fs::create_dir_all(&folder).expect("a folder");
        Source { folder, private_to: name.to_owned(), extra: Vec::new() }
    }

    pub(crate) fn log(&self, name: &str) -> BuildLog {
        BuildLog::create(&self.log_path(name)).expect("a log")
    }

    pub(crate) fn log_path(&self, name: &str) -> PathBuf {
        self.home.build_log(name)
    }

    pub(crate) fn log_text(&self, name: &str) -> String {
        std::fs::read_to_string(self.log_path(name)).unwrap_or_default()
    }

    /// Prepares a source with a log of its name.
    pub(crate) async fn prepare(&self, environments: &Environments, source: &Source) -> Result<Environment, PrepareError> {
        environments.prepare(source, &self.log(&source.private_to)).await
    }

    /// The names in the folders where builds could leave something.
    pub(crate) fn remains(&self) -> Vec<String> {
        let mut names = entries(&self.home.envs());
        names.extend(entries(&self.home.tmp()));
        names
    }
}

pub(crate) fn entries(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

/// The tests' own settings: this binary is its own guard, and uv does not insist on what does not answer.
pub(crate) fn settings() -> Settings {
    let mut settings = Settings::new(guard());
    settings.uv = Some(uv());
    settings.variables = Variables::ambient().with("UV_HTTP_RETRIES", "0");
    settings
}

/// Starts this test binary again, where only `guard_entry` runs.
pub(crate) fn guard() -> GuardProgram {
    GuardProgram(entry("environment_guard::guard_entry"))
}

/// The words that start this test binary again to run one test, as what it really is.
pub(crate) fn entry(test: &str) -> Vec<OsString> {
    let program = std::env::current_exe().expect("this binary");
    let words = ["--ignored", "--exact", "--nocapture", test, "--"];
    std::iter::once(program.into_os_string()).chain(words.map(OsString::from)).collect()
}

/// What was written after the `--` of such a call.
pub(crate) fn entry_arguments() -> Vec<OsString> {
    std::env::args_os().skip_while(|word| word != "--").skip(1).collect()
}

/// A uv for all tests: that of the search path, or one that is fetched once and kept beside the build.
pub(crate) fn uv() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&path).map(|folder| folder.join("uv"));
    if let Some(uv) =
        installed.into_iter().find(|uv| Command::new(uv).arg("--version").output().is_ok_and(|answer| answer.status.success()))
    {
        return uv;
    }
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("uv");
    if !kept.exists() {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python/fetch_uv.py");
        let fetched = Command::new("python3").arg(script).arg(folder.path()).output().expect("Python");
        assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stderr));
        std::fs::rename(folder.path().join("uv"), &kept).expect("a place for uv");
    }
    kept
}

/// A source package without any requirement of its own; `body` runs when its wheel is built, in its folder.
pub(crate) fn package(name: &str, body: &str) -> Vec<(String, String)> {
    let project = format!(
        "[project]\nname = '{name}'\nversion = '1.0'\n[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
    );
    let body = body.lines().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "    {line}");
        text
    });
    let backend = format!(
        "import os, sys, time, zipfile\n\
         def build_wheel(folder, settings=None, metadata=None):\n{body}\n    \
             wheel = '{name}-1.0-py3-none-any.whl'\n    \
             with zipfile.ZipFile(os.path.join(folder, wheel), 'w') as archive:\n        \
                 archive.writestr('{name}.py', open('content.py').read() if os.path.exists('content.py') else '')\n        \
                 archive.writestr('{name}-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n')\n        \
                 archive.writestr('{name}-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n        \
                 archive.writestr('{name}-1.0.dist-info/RECORD', '')\n    \
             return wheel\n"
    );
    vec![("pyproject.toml".to_owned(), project), ("backend.py".to_owned(), backend)]
}

impl Lab {
    /// A source whose only requirement is a local package that does something while it is built.
    pub(crate) fn source_with_package(&self, name: &str, body: &str) -> Source {
        let source = self.source(name, &[("requirements.txt", "./pkg\n")]);
        std::fs::create_dir(source.folder.join("pkg")).expect("a folder");
        for (file, text) in package(&format!("{name}pkg"), body) {
            std::fs::write(source.folder.join("pkg").join(file), text).expect("a file");
        }
        source
    }
}

/// Python that writes its process id to a file and then hangs, with a child that does the same.
pub(crate) fn hang(pids: &Path) -> String {
    format!(
        "os.fork()\nwith open({:?}, 'a') as file:\n    file.write(str(os.getpid()) + '\\n')\ntime.sleep(1000)",
        pids.display().to_string()
    )
}

/// Waits until something holds, and tells what was seen last if it never does.
pub(crate) async fn eventually<T: std::fmt::Debug>(what: &str, mut look: impl FnMut() -> Result<(), T>) {
    let deadline = Instant::now() + Duration::from_mins(4);
    while let Err(seen) = look() {
        assert!(Instant::now() < deadline, "{what}: still {seen:?}");
        // The pause between two looks.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The process ids that a file lists, once there are as many.
pub(crate) async fn pids_in(file: &Path, count: usize) -> Vec<u32> {
    eventually("the processes have started", || if pids_now(file).len() >= count { Ok(()) } else { Err(pids_now(file)) }).await;
    pids_now(file)
}

/// The process ids that a file lists in whole lines.
pub(crate) fn pids_now(file: &Path) -> Vec<u32> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')?.parse().ok()).collect()
}

pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, fields)| !fields.starts_with('Z'))
}

pub(crate) async fn all_dead(pids: &[u32]) {
    eventually("all processes are dead", || {
        let alive: Vec<u32> = pids.iter().copied().filter(|pid| is_alive(*pid)).collect();
        if alive.is_empty() { Ok(()) } else { Err(alive) }
    })
    .await;
}

/// Runs Python in an environment and answers with what it prints.
pub(crate) fn python(environment: &Environment, code: &str) -> String {
    let mut command = Command::new(&environment.python);
    let output = command.args(["-c", code]).env_remove("PYTHONDONTWRITEBYTECODE").current_dir("/").output().expect("Python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Writes a program.
pub(crate) fn script(path: &Path, text: &str) -> PathBuf {
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
    lithouse_testkit::put_program(path, text);
    path.to_owned()
}

/// A uv that notes each call's first words in a file, then does as uv does.
pub(crate) fn counted_uv(lab: &Lab) -> (PathBuf, PathBuf) {
    let calls = lab.path("calls");
    let text = format!("#!/bin/sh\necho \"$1 $2\" >> {}\nexec {} \"$@\"\n", calls.display(), uv().display());
    (script(&lab.path("bin/counted-uv"), &text), calls)
}

/// How often the noted calls start with these words.
pub(crate) fn count(calls: &Path, words: &str) -> usize {
    std::fs::read_to_string(calls).unwrap_or_default().lines().filter(|line| line.starts_with(words)).count()
}
