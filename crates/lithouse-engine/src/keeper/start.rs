// SPDX-License-Identifier: Apache-2.0
//! The server's way to a keeper: the one that runs, or one that it starts.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout_at};

use super::lock::Lock;
use super::replacing::{Replacing, replace};
use super::wire::{self, FrameError, Hello, PROTOCOL};
use crate::descriptors;
use crate::home::Home;
use crate::socket;

/// A keeper answers within this time, its clearing up included.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(10);

/// A keeper that does not start is tried again: it may have met one that was just ending.
const MOST_FAILURES: u32 = 3;
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(100);

/// What the keeper takes over of the server's environment. It lives long and passes nothing on, so it needs next to nothing.
const ENVIRONMENT: [&str; 7] = ["PATH", "HOME", "LANG", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "RUST_BACKTRACE"];

/// How the keeper is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeeperProgram {
    /// The program.
    pub program: PathBuf,
    /// Its arguments: the verb and the data folder.
    pub args: Vec<OsString>,
}

/// Why no keeper was reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Its program could not be started.
    #[error("cannot start the keeper `{}`: {source}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It was started and ended before it answered.
    #[error("the keeper ended before it answered ({status}): {said}")]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        said: String,
    },
    /// A keeper runs, but speaks another version of the protocol.
    #[error(
        "the running keeper (pid {pid}) speaks version {theirs} of the protocol, not {PROTOCOL}, and did not become one that does: \
         {why}; end it to start one of this version, and its apps with it"
    )]
    Version {
        /// The keeper's version.
        theirs: u32,
        /// The keeper's pid.
        pid: u32,
        /// Why it did not become one of this version.
        why: String,
    },
    /// There is a keeper, or the beginnings of one, but it does not answer.
    #[error("no keeper answered on `{}` within {} s: {last}", socket.display(), ANSWERS_WITHIN.as_secs())]
    Silent {
        /// The socket that was tried.
        socket: PathBuf,
        /// How the last attempt failed.
        last: String,
    },
}

/// What becomes of a keeper that runs another program than the one it would be started as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OtherProgram {
    /// It becomes this one.
    BecomesThis,
    /// It stays what it is, if it speaks our version.
    Stays,
}

/// A connection to a keeper that has greeted.
pub(super) struct Reached {
    pub(super) stream: UnixStream,
    pub(super) hello: Hello,
    /// It ran already.
    pub(super) was_there: bool,
}

/// Connects to the keeper of this home and exchanges hellos, starting one if none runs.
pub(super) async fn reach(home: &Home, program: &KeeperProgram, other: OtherProgram) -> Result<Reached, ConnectError> {
    let mut deadline = Instant::now() + ANSWERS_WITHIN;
    let mut started: Option<Child> = None;
    let mut failures = 0;
    let mut replacing = match other {
        OtherProgram::BecomesThis => Replacing::of(program),
        OtherProgram::Stays => Replacing::Unwanted,
    };
    let mut last = String::from("it was not there");
    while Instant::now() < deadline {
        match socket::connect(&home.keeper_socket()) {
            Ok(stream) => match timeout_at(deadline, greet(stream)).await {
                Ok(Ok((stream, hello))) if replacing.is_due(&hello) => {
                    replacing = Replacing::Over(replace(stream, program, deadline).await);
                    deadline = Instant::now() + ANSWERS_WITHIN;
                    last = String::from("it was becoming another program");
                    continue;
                }
                Ok(Ok((_, hello))) if hello.protocol != PROTOCOL => {
                    let Hello { protocol: theirs, pid, .. } = hello;
                    return Err(ConnectError::Version { theirs, pid, why: replacing.failure() });
                }
                Ok(Ok((stream, hello))) => {
                    replacing.tell(&hello, program);
                    let was_there = started.is_none();
                    release(started);
                    return Ok(Reached { stream, hello, was_there });
                }
                // One that is just ending; another may follow.
                Ok(Err(error)) => last = error.to_string(),
                Err(_) => last = String::from("it accepted the connection and said nothing"),
            },
            Err(error) => {
                last = error.to_string();
                if started.is_none() {
                    started = Some(start(program)?);
                }
            }
        }
        if let Some(child) = &mut started
            && let Ok(Some(status)) = child.try_wait()
        {
            let said = last_words(child).await;
            (started, failures) = (None, failures + 1);
            // While another keeper comes up or goes down, that one or the next will answer.
            if failures >= MOST_FAILURES && !Lock::is_held(home).unwrap_or(false) {
                return Err(ConnectError::Ended { status, said });
            }
            last = said;
            sleep(PAUSE_AFTER_FAILURE).await;
        }
        sleep(PAUSE).await;
    }
    release(started);
    Err(ConnectError::Silent { socket: home.keeper_socket(), last })
}

async fn greet(stream: std::os::unix::net::UnixStream) -> Result<(UnixStream, Hello), FrameError> {
    stream.set_nonblocking(true).map_err(FrameError::Io)?;
    let mut stream = UnixStream::from_std(stream).map_err(FrameError::Io)?;
    let hello: Hello = wire::read(&mut stream).await?;
    wire::write(&mut stream, &Hello::of_server()).await.map_err(FrameError::Io)?;
    Ok((stream, hello))
}

fn start(program: &KeeperProgram) -> Result<Child, ConnectError> {
    let mut command = Command::new(&program.program);
    command.args(&program.args).env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    for name in ENVIRONMENT {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.envs(descriptors::told());
    command.spawn().map_err(|source| ConnectError::Start { program: program.program.clone(), source })
}

async fn last_words(child: &mut Child) -> String {
    let mut said = String::new();
    if let Some(stderr) = child.stderr.take() {
        // What cannot be read was not said.
        let _ = stderr.take(16 << 10).read_to_string(&mut said).await;
    }
    said.trim().to_owned()
}

/// Leaves the keeper to itself. As long as we live it is our child, and is to be reaped when it ends.
fn release(started: Option<Child>) {
    if let Some(mut child) = started {
        tokio::spawn(async move { child.wait().await });
    }
}
