// SPDX-License-Identifier: Apache-2.0
//! Runs the real binary with nothing of the caller's environment.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

/// Long enough for a busy machine.
pub(super) const DEADLINE: Duration = crate::server::PATIENCE;

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// It ended with that code.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Stderr says that somewhere.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no `{text}` in {self:#?}");
        self
    }

    /// Stdout is exactly that.
    #[track_caller]
    pub(crate) fn prints(self, text: &str) -> Self {
        assert_eq!(self.stdout, text, "{self:#?}");
        self
    }
}

/// The binary, about to run.
pub(super) fn lithouse<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lithouse"));
    command.env_clear().env("PATH", "/usr/bin:/bin").args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// The binary with the server of that data folder.
pub(super) fn lithouse_of(data: &Path, arguments: &str) -> Command {
    let mut command = lithouse(arguments.split_whitespace());
    command.env("LITHOUSE_DATA", data);
    command
}

/// Runs it to its end.
pub(super) async fn run(mut command: Command) -> Run {
    let child = command.spawn().unwrap();
    finish(child).await
}

/// Waits for its end.
pub(super) async fn finish(mut child: Child) -> Run {
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let outcome = tokio::time::timeout(DEADLINE, async {
        let read_out = async {
            if let Some(out) = &mut out {
                out.read_to_end(&mut stdout).await.unwrap();
            }
        };
        let read_err = async {
            if let Some(err) = &mut err {
                err.read_to_end(&mut stderr).await.unwrap();
            }
        };
        tokio::join!(read_out, read_err);
        child.wait().await.unwrap()
    })
    .await;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&stdout), text(&stderr));
    let Ok(status) = outcome else { panic!("it did not end; stdout: {stdout}; stderr: {stderr}") };
    Run { code: status.code(), stdout, stderr }
}
