// SPDX-License-Identifier: Apache-2.0
//! The zygote as a process of the machine: started, listened to, ended and reaped.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::sync::{oneshot, watch};

/// A process that was started.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) pid: u32,
    handle: OwnedFd,
    ended: watch::Receiver<Option<End>>,
}

/// How the process ended; none where even that is not known.
pub(super) type End = Option<ExitStatus>;

/// Ends a process when it is dropped.
#[derive(Debug)]
pub(super) struct Life(pub(super) Arc<Process>);

impl Drop for Life {
    fn drop(&mut self) {
        self.0.kill();
    }
}

struct Started {
    life: Life,
    words: Option<ChildStderr>,
}

impl Process {
    /// Starts our own program with the launcher's verb and the socket as its standard input. Answers with its standard error too.
    ///
    /// A thread of its own does it and stays until the end: the kernel kills the launcher when the thread that started it ends,
    /// which must be with the server and not before.
    pub(super) async fn start(program: &Path, socket: OwnedFd) -> io::Result<(Life, Option<ChildStderr>)> {
        let mut command = Command::new(program);
        // Standard input, since every other descriptor would have to be let through to whatever else is started at that moment.
        command.args(["snippet-zygote", "0"]).env_clear();
        command.stdin(Stdio::from(socket)).stdout(Stdio::null()).stderr(Stdio::piped());
        if let Some(libraries) = std::env::var_os("LD_LIBRARY_PATH") {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        let (tell, told) = oneshot::channel();
        std::thread::Builder::new().name("snippet-zygote".to_owned()).spawn(move || look_after(command, tell))?;
        let started: Started = told.await.map_err(io::Error::other)??;
        Ok((started.life, started.words))
    }

    /// Ends it at once, and with it everything that it has forked.
    pub(super) fn kill(&self) {
        // It may have ended by itself; then there is nothing to be done.
        let _ = pidfd_send_signal(&self.handle, Signal::KILL);
    }

    /// Waits until it has ended and is reaped.
    pub(super) async fn end(&self) -> End {
        let mut ended = self.ended.clone();
        // The thread that tells does so before it goes.
        let end = ended.wait_for(Option::is_some).await.map_or(None, |end| *end);
        end.flatten()
    }
}

fn look_after(mut command: Command, tell: oneshot::Sender<io::Result<Started>>) {
    let (tell_end, ended) = watch::channel(None);
    // The socket in the command would keep the other side from seeing its end.
    let spawned = command.spawn();
    drop(command);
    let mut child = match spawned.and_then(with_handle) {
        Err(error) => {
            // Whoever asked may have gone.
            let _ = tell.send(Err(error));
            return;
        }
        Ok((mut child, handle)) => {
            let words = child.stderr.take();
            let life = Life(Arc::new(Process { pid: child.id(), handle, ended }));
            // If nobody takes it, it is dropped, and that ends the process.
            let _ = tell.send(Ok(Started { life, words }));
            child
        }
    };
    let end = child.wait().ok();
    tell_end.send_replace(Some(end));
}

/// The handle must be had before the process can be reaped: after that its number may be another's.
fn with_handle(mut child: Child) -> io::Result<(Child, OwnedFd)> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => Ok((child, handle)),
        Err(errno) => {
            child.kill()?;
            child.wait()?;
            Err(errno.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_is_not_there_is_told() {
        let (_, other) = io::pipe().unwrap();
        assert!(Process::start(Path::new("/no/such/program"), other.into()).await.is_err());
    }

    #[tokio::test]
    async fn a_process_that_ends_is_reaped() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("sleeper");
        std::os::unix::fs::symlink("/bin/cat", &program).unwrap();
        // `cat snippet-zygote 0` ends by itself, and says why on standard error.
        let (_, other) = io::pipe().unwrap();
        let (life, words) = Process::start(&program, other.into()).await.unwrap();
        assert!(words.is_some());
        assert_eq!(life.0.end().await.and_then(|status| status.code()), Some(1));
    }
}
