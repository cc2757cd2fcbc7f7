// SPDX-License-Identifier: Apache-2.0
//! Starts an instance's process: our own binary once more, which prepares itself and becomes the program.

use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use lithouse_sandbox::entry::{Failure, Limits, Spec, Step};
use rustix::io::{Errno, FdFlags};
use rustix::process::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::exits::Entered;
use super::launch::Launch;
use super::mark;
use super::wire::Refusal;

/// An entry never says more.
const LONGEST_REPORT: u64 = 4096;

/// When memory runs out, an app is chosen before the server.
const OOM_SCORE: i32 = 500;

/// The group may read what an app writes; nobody else.
const UMASK: u32 = 0o027;

/// What is the same for every launch of this keeper.
#[derive(Debug, Clone)]
pub(super) struct Spawner {
    /// The program that becomes the app, and its first arguments.
    pub(super) entry: Vec<OsString>,
    /// The mark of the home.
    pub(super) mark: String,
    /// The limit on open descriptors that the keeper was started with and has raised for itself.
    pub(super) open_files: Option<u64>,
}

/// A process on its way to its program.
#[derive(Debug)]
pub(super) struct Born {
    pub(super) pid: Pid,
    pub(super) out: OwnedFd,
    pub(super) err: OwnedFd,
    pub(super) channel: Channel,
}

/// The socket over which the process is told what to become, and tells whether it could.
#[derive(Debug)]
pub(super) struct Channel {
    socket: UnixStream,
    spec: Vec<u8>,
}

impl Spawner {
    /// Starts the process, with these limits on itself. The keeper has one thread, so nothing else inherits what is meant for this child alone.
    pub(super) fn spawn(&self, launch: &Launch, limits: Limits, listener: Option<&TcpListener>) -> Result<Born, Refusal> {
        let spec = self.spec(launch, limits).to_bytes().map_err(|error| Refusal::NotALaunch { reason: error.to_string() })?;
        let refused = |error: io::Error| Refusal::NotStarted { program: launch.program.clone(), reason: error.to_string() };
        self.start(launch, listener, spec).map_err(refused)
    }

    fn start(&self, launch: &Launch, listener: Option<&TcpListener>, spec: Vec<u8>) -> io::Result<Born> {
        let (program, arguments) = self.entry.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let (out, out_of_app) = io::pipe()?;
        let (err, err_of_app) = io::pipe()?;
        let (socket, socket_of_app) = UnixStream::pair()?;
        rustix::io::fcntl_setfd(&socket_of_app, FdFlags::empty())?;
        let stdin = match listener {
            Some(listener) => Stdio::from(OwnedFd::from(listener.try_clone()?)),
            None => Stdio::null(),
        };
        let mut command = Command::new(program);
        command.args(arguments).arg(socket_of_app.as_raw_fd().to_string()).env_clear();
        // The entry runs as we do: the app's environment must not act on it. The marks let it be found if it hangs.
        command.env(mark::INSTANCE, launch.instance.as_str()).env(mark::HOME, &self.mark);
        if let Some(libraries) = std::env::var_os("LD_LIBRARY_PATH") {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        // The floor reaps all children of the keeper together.
        let child = command.current_dir("/").stdin(stdin).stdout(out_of_app).stderr(err_of_app).spawn()?;
        Ok(Born { pid: Pid::from_child(&child), out: out.into(), err: err.into(), channel: Channel { socket, spec } })
    }

    fn spec(&self, launch: &Launch, limits: Limits) -> Spec {
        let mut env: Vec<(OsString, OsString)> = launch
            .env
            .iter()
            .filter(|(name, _)| *name != mark::INSTANCE && *name != mark::HOME)
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        env.push((mark::INSTANCE.into(), launch.instance.as_str().into()));
        env.push((mark::HOME.into(), (&self.mark).into()));
        Spec {
            program: launch.program.clone().into(),
            args: launch.args.iter().map(OsString::from).collect(),
            env,
            cwd: launch.cwd.clone(),
            parent: rustix::process::getpid().as_raw_nonzero().get(),
            umask: UMASK,
            oom_score: OOM_SCORE,
            limits: Limits { open_files_soft: self.open_files, tag: Some(mark::tag(launch.instance.as_str())), ..limits },
            run_as: launch.run_as.clone(),
        }
    }
}

impl Channel {
    /// Tells the process what to become and hears how far it came. Ends at the latest when the process does.
    pub(super) async fn converse(self) -> Entered {
        let mut said = Vec::new();
        // Where the conversation breaks off, what was said before counts.
        let _ = self.exchange(&mut said).await;
        Entered::of_stream(&said)
    }

    async fn exchange(self, said: &mut Vec<u8>) -> io::Result<()> {
        self.socket.set_nonblocking(true)?;
        let (read, mut write) = tokio::net::UnixStream::from_std(self.socket)?.into_split();
        // One that fails early does not read all of it, but says why.
        let _ = write.write_all(&self.spec).await;
        let _ = write.shutdown().await;
        read.take(LONGEST_REPORT).read_to_end(said).await?;
        Ok(())
    }
}

/// What is answered to a launch whose process could not become its program.
pub(super) fn refusal(launch_program: &std::path::Path, cwd: &std::path::Path, failure: Failure) -> Refusal {
    let missing = failure.errno == Errno::NOENT.raw_os_error() || failure.errno == Errno::NOTDIR.raw_os_error();
    match failure.step {
        Step::Program if missing => Refusal::ProgramNotFound { program: launch_program.to_owned() },
        Step::Folder if missing => Refusal::FolderNotFound { folder: cwd.to_owned() },
        _ => Refusal::NotStarted { program: launch_program.to_owned(), reason: failure.to_string() },
    }
}
