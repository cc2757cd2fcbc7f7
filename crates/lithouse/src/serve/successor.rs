// SPDX-License-Identifier: Apache-2.0
//! The predecessor's side of a replacement: starts a successor, lets it look at everything first, and hands everything over.
//!
//! Nothing is given up before the successor is ready, and everything is taken back if it dies before it serves.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::lock::Lock;
use super::predecessor::VARIABLE;
use super::talk::{PROTOCOL, Talk, Word};
use crate::server::Doors;

/// How long a successor may look at everything.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long it may take from the lock to the first answer. A large data folder takes its time, and who waits here cannot be served.
const SERVING_WITHIN: Duration = Duration::from_secs(60);

/// Why no successor took the place. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotReplaced {
    /// It could not be started.
    #[error("could not start `{}`: {source}", program.display())]
    Start { program: PathBuf, source: io::Error },
    /// It said why it cannot.
    #[error("the successor would not serve: {0}")]
    Said(String),
    /// It ended without a word.
    #[error("the successor ended ({0}) before it was ready")]
    Ended(ExitStatus),
    /// It did not come to an end with looking.
    #[error("the successor was not ready within {} s", READY_WITHIN.as_secs())]
    NotReady,
    /// It was ready, and then did not serve.
    #[error("the successor did not serve, so that the server took everything back: {0}")]
    TakenBack(String),
    /// Another replacement was quicker, or the server ends.
    #[error("the server is being replaced or stopped already")]
    Busy,
    /// What is handed over could not be.
    #[error("could not speak to the successor: {0}")]
    Talk(#[source] io::Error),
}

/// What another process is started as: this very server, anew.
#[derive(Debug, Clone)]
pub(super) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Program {
    /// This process's own. To be asked before another program may lie in its place.
    pub(super) fn own() -> io::Result<Self> {
        Ok(Self { path: std::env::current_exe()?, arguments: std::env::args_os().skip(1).collect() })
    }
}

/// A successor on its way. Dropped before it serves, it is ended: it has our listeners already.
#[derive(Debug)]
pub(super) struct Successor {
    child: Child,
    serves: bool,
    talk: Talk,
    said: Option<JoinHandle<String>>,
    pub(super) pid: u32,
    pub(super) version: String,
}

impl Successor {
    /// Starts one, and waits until it is ready.
    pub(super) async fn ready(
        program: &Program,
        data: PathBuf,
        listen: std::net::SocketAddr,
        doors: &Doors,
        elders: &[Talk],
    ) -> Result<Self, NotReplaced> {
        let (talk, theirs) = Talk::pair().map_err(NotReplaced::Talk)?;
        let mut successor = Self::start(program, talk, theirs)?;
        let offer = Word::Offer { protocol: PROTOCOL, data, listen };
        let mut descriptors: Vec<BorrowedFd<'_>> = vec![doors.listener.as_fd(), doors.control.as_fd(), rustix::stdio::stderr()];
        descriptors.extend(elders.iter().map(Talk::socket));
        let asked = async {
            successor.talk.say(&offer, &descriptors).await?;
            successor.talk.hear().await
        };
        match tokio::time::timeout(READY_WITHIN, asked).await {
            Ok(Ok(Some((Word::Ready { pid, version }, _)))) => {
                (successor.pid, successor.version) = (pid, version);
                Ok(successor)
            }
            Ok(_) => Err(successor.refused().await),
            Err(_) => {
                successor.refused().await;
                Err(NotReplaced::NotReady)
            }
        }
    }

    fn start(program: &Program, talk: Talk, theirs: OwnedFd) -> Result<Self, NotReplaced> {
        let mut command = Command::new(&program.path);
        // Its standard input is the conversation, its standard error is ours until it is ready.
        command.args(&program.arguments).env(VARIABLE, "1").stdin(Stdio::from(theirs)).stderr(Stdio::piped());
        command.envs(lithouse_engine::descriptors::told());
        let mut child = command.spawn().map_err(|source| NotReplaced::Start { program: program.path.clone(), source })?;
        let stderr = child.stderr.take();
        let said = tokio::spawn(async move {
            let mut said = Vec::new();
            if let Some(stderr) = stderr {
                // What cannot be read was not said.
                let _ = stderr.take(16 << 10).read_to_end(&mut said).await;
            }
            String::from_utf8_lossy(&said).trim().to_owned()
        });
        Ok(Self { child, serves: false, talk, said: Some(said), pid: 0, version: String::new() })
    }

    /// Why it ended instead of being ready.
    async fn refused(&mut self) -> NotReplaced {
        let _ = self.child.start_kill();
        let status = self.child.wait().await;
        let said = match self.said.take() {
            Some(said) => said.await.unwrap_or_default(),
            None => String::new(),
        };
        match status {
            Ok(status) if said.is_empty() => NotReplaced::Ended(status),
            _ => NotReplaced::Said(said.strip_prefix("error: ").unwrap_or(&said).to_owned()),
        }
    }

    /// Gives it the lock, and waits until it serves. If it does not, it is gone when this returns.
    pub(super) async fn hand_over(&mut self, lock: &Lock) -> Result<(), NotReplaced> {
        let handed = async {
            self.talk.say(&Word::Yours, &[lock.as_fd()]).await?;
            self.talk.hear().await
        };
        match tokio::time::timeout(SERVING_WITHIN, handed).await {
            Ok(Ok(Some((Word::Serving, _)))) => {
                // From here on it lives for itself.
                self.serves = true;
                return Ok(());
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(error = %error, "the successor is not heard any more"),
            Err(_) => tracing::warn!("the successor takes too long"),
        }
        let _ = self.child.start_kill();
        let status = self.child.wait().await;
        Err(NotReplaced::TakenBack(status.map_or_else(|error| error.to_string(), |status| status.to_string())))
    }

    /// Comes when the successor wants us to end.
    pub(super) async fn is_wanted_gone(&self) {
        loop {
            match self.talk.hear().await {
                Ok(Some((Word::End, _))) => return,
                Ok(Some(_)) => {}
                // It is gone, and connections that we carry have no other server.
                Ok(None) | Err(_) => std::future::pending().await,
            }
        }
    }

    /// Waits for its end.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if !self.serves {
            // One that has ended needs no ending.
            let _ = self.child.start_kill();
        }
    }
}
