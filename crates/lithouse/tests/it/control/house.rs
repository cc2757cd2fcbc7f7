// SPDX-License-Identifier: Apache-2.0
//! A folder in which servers come and go in the background. Whatever the test did, nothing of it is left when it is dropped.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lithouse_testkit::wait_until_blocking;
use serde_json::Value;
use tempfile::TempDir;

use crate::cli::binary::Run;
use crate::server::{HELLO, PATIENCE, STREAMLIT, is_alive, signal};
use crate::store_of_envs;

pub(crate) struct House {
    folder: TempDir,
}

impl House {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lithouse"));
        command.current_dir(self.folder()).env("LITHOUSE_LISTEN", "127.0.0.1:0").stdin(Stdio::null());
        if let Some(uv) = store_of_envs::uv() {
            command.env("LITHOUSE_UV", uv);
        }
        command
    }

    /// Runs `lithouse` with these words.
    pub(crate) fn run(&self, words: &str) -> Run {
        finish(self.command().args(words.split_whitespace()))
    }

    /// Starts a server in the background.
    pub(crate) fn started(self) -> Self {
        self.run("start").code(0);
        self
    }

    /// What the server tells of itself.
    #[track_caller]
    pub(crate) fn server(&self) -> Value {
        serde_json::from_str(&self.run("status --server --json").code(0).stdout).unwrap()
    }

    pub(super) fn pid(&self) -> u32 {
        u32::try_from(self.server()["pid"].as_u64().unwrap()).unwrap()
    }

    pub(super) fn keeper(&self) -> u32 {
        std::fs::read_to_string(self.data().join("keeper.lock")).unwrap().trim().parse().unwrap()
    }

    /// Deploys an app that runs, and tells its process.
    #[track_caller]
    pub(super) fn deploy(&self, key: &str, script: &str) -> u32 {
        store_of_envs::link_into(&self.data());
        let folder = self.folder().join(format!("of-{key}"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("app.py"), script).unwrap();
        std::fs::write(folder.join("requirements.txt"), STREAMLIT).unwrap();
        self.run(&format!("deploy of-{key} --key {key}")).code(0);
        self.app_pid(key)
    }

    #[track_caller]
    pub(super) fn hello(&self, key: &str) -> u32 {
        self.deploy(key, HELLO)
    }

    pub(super) fn app(&self, key: &str) -> Value {
        serde_json::from_str(&self.run(&format!("info {key} --json")).code(0).stdout).unwrap()
    }

    #[track_caller]
    pub(super) fn app_pid(&self, key: &str) -> u32 {
        u32::try_from(self.app(key)["pid"].as_u64().expect("it runs")).unwrap()
    }

    /// Every process that works for the data folder.
    pub(super) fn processes(&self) -> Vec<(u32, String)> {
        let folder = self.folder().canonicalize().unwrap().to_string_lossy().into_owned();
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter_map(|pid| {
            let command = String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/cmdline")).ok()?).replace('\0', " ");
            let works_in = std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(&folder));
            (!command.is_empty() && (works_in || command.contains(&folder))).then_some((pid, command))
        })
        .collect()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let stopped = finish(self.command().arg("stop"));
        let left = || self.processes().into_iter().filter(|(pid, _)| is_alive(*pid)).collect::<Vec<_>>();
        if !std::thread::panicking() {
            assert_eq!(stopped.code, Some(0), "{stopped:#?}");
            wait_until_blocking("nothing is left", PATIENCE, || if left().is_empty() { Ok(()) } else { Err(left()) });
            return;
        }
        eprintln!("{stopped:#?}");
        for log in ["controller.log", "keeper.log"] {
            eprintln!("-- {log}\n{}", std::fs::read_to_string(self.data().join("logs").join(log)).unwrap_or_default());
        }
        for (pid, _) in left() {
            signal(pid, "KILL");
        }
    }
}

pub(super) fn finish(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Run { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}
