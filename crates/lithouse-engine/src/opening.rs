// SPDX-License-Identifier: Apache-2.0
//! Watches a process until it has opened its port by itself and answers HTTP there.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use lithouse_core::id::InstanceId;
use tokio::time::Instant;

use crate::probe::{self, Seen};
use crate::sockets::{self, Listener};

/// Between two looks at the port, and between two questions.
const PAUSE: Duration = Duration::from_millis(50);
/// How long an app that answers, but only with server errors, is asked again before it is taken as it is.
const ERRORS_FOR: Duration = Duration::from_secs(10);

/// A port that a process is about to open.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) port: u16,
    pub(crate) instance: InstanceId,
    /// The instance's first process.
    pub(crate) pid: u32,
    /// What is asked for.
    pub(crate) path: String,
    /// What was seen so far.
    pub(crate) seen: Seen,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// The instance listens and answers.
    Answers,
    /// Somebody else listens; their name, where it can be seen.
    Stranger(Option<String>),
}

impl Opening {
    /// Returns when it is known. The caller bounds the time. Nothing is sent to the port unless it is the instance's.
    ///
    /// Any answer will do but a server error, which many servers give while they load. One that gives nothing else for
    /// [`ERRORS_FOR`] is taken as it is: it answers, and what it says is its own affair.
    pub(crate) async fn watch(self) -> Opened {
        let mut first_error = None;
        let mut is_told = false;
        loop {
            match self.listener().await {
                Ok(Listener::Stranger(by)) => return Opened::Stranger(by),
                Ok(Listener::Instance) => {
                    if first_error.is_none() {
                        self.seen.note(format!("it listens on port {} and does not answer HTTP there", self.port));
                    }
                    match probe::status(self.address(), &self.path).await {
                        Some(status) if !status.is_server_error() => return Opened::Answers,
                        Some(_) if first_error.get_or_insert_with(Instant::now).elapsed() > ERRORS_FOR => return Opened::Answers,
                        Some(status) => self.seen.note(probe::answered(&self.path, status)),
                        None => {}
                    }
                }
                Ok(Listener::Nobody) => self.seen.note(format!("nothing of it listens on port {}, its `$PORT`", self.port)),
                Err(error) if is_told => tracing::debug!(port = self.port, error = %error, "it still cannot be seen"),
                Err(error) => {
                    is_told = true;
                    tracing::warn!(port = self.port, error = %error, "it cannot be seen who listens on a port");
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    async fn listener(&self) -> io::Result<Listener> {
        let (port, instance, pid) = (self.port, self.instance.clone(), self.pid);
        tokio::task::spawn_blocking(move || sockets::listener(port, &instance, pid)).await.map_err(io::Error::other)?
    }
}
