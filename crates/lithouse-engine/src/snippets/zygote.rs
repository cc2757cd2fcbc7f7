// SPDX-License-Identifier: Apache-2.0
//! The zygote: a warm Python in its sandbox, whose forks run the snippets.
//!
//! Owns one such process from its start to its end, and the socket to it. When to start one, and when another takes its place, is
//! the pool's affair.

mod control;
mod process;
mod wire;
mod words;

use std::collections::HashMap;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lithouse_sandbox::Failure;
use lithouse_sandbox::zygote::{Answer, Spec};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub(super) use self::wire::{Ended, Ready};

use super::ending::exit_words;

use self::control::{Control, Message};
use self::process::{Life, Process};
use self::wire::{Ask, Said};
use self::words::Words;

/// How long a start may take.
const WARM_WITHIN: Duration = Duration::from_secs(120);
/// How long a fork may take. A zygote that does not answer for so long is stuck.
const FORKS_WITHIN: Duration = Duration::from_secs(5);

/// A warm zygote. Its process is ended when this is dropped.
#[derive(Debug)]
pub(super) struct Zygote {
    /// Tells it from those before and after it.
    pub(super) id: u64,
    pub(super) ready: Ready,
    /// The private memory that each fork begins with, in bytes.
    pub(super) memory: u64,
    link: Arc<Link>,
    life: Life,
    words: Words,
}

/// What tells the end of a zygote, without keeping it alive.
#[derive(Debug)]
pub(super) struct Watched {
    gone: CancellationToken,
    process: Arc<Process>,
    words: Words,
}

/// What the zygote's own task and the askers share.
#[derive(Debug)]
struct Link {
    control: Control,
    births: Mutex<HashMap<u64, Birth>>,
    gone: CancellationToken,
}

/// Who waits for a child.
#[derive(Debug)]
struct Birth {
    forked: Option<oneshot::Sender<Result<OwnedFd, String>>>,
    ended: oneshot::Sender<Ended>,
}

/// What is asked of a fork.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) run: u64,
    pub(super) slot: u32,
    pub(super) uid: u32,
    pub(super) data_limit: u64,
}

/// Why there is no zygote.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("cannot start `{program}`: {source}")]
    Spawn { program: String, source: io::Error },
    #[error("the sandbox could not be set up: {0}")]
    Confine(Failure),
    #[error("Python ended before it was ready ({end}){}", said(words))]
    Ended { end: String, words: String },
    #[error("Python was not ready within {} s{}", WARM_WITHIN.as_secs(), said(words))]
    Silent { words: String },
    #[error("the zygote said something that is not understood: {0}")]
    NotUnderstood(String),
}

/// Why there is no child.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ForkError {
    #[error("the zygote did not answer within {} s", FORKS_WITHIN.as_secs())]
    Stuck,
    #[error("the zygote has ended")]
    Gone,
    #[error("the zygote could not fork: {0}")]
    Failed(String),
}

impl Zygote {
    /// Starts a zygote and waits until it is warm. Dropping the future ends it.
    pub(super) async fn start(id: u64, program: &Path, spec: &Spec) -> Result<Self, StartError> {
        let failed = |source| StartError::Spawn { program: program.display().to_string(), source };
        let (control, theirs) = Control::pair().map_err(failed)?;
        let (life, stderr) = Process::start(program, theirs).await.map_err(failed)?;
        let words = Words::listen(stderr);
        let ready = match timeout(WARM_WITHIN, warm_up(&control, spec)).await {
            Err(_) => return Err(StartError::Silent { words: words.last() }),
            Ok(Err(None)) => {
                let end = timeout(FORKS_WITHIN, life.0.end()).await.ok().flatten();
                return Err(StartError::Ended {
                    end: end.map_or_else(|| "it closed its socket".to_owned(), exit_words),
                    words: words.last(),
                });
            }
            Ok(Err(Some(error))) => return Err(error),
            Ok(Ok(ready)) => ready,
        };
        let memory = super::memory::private_of_interpreter(life.0.pid).unwrap_or_default();
        let link = Arc::new(Link { control, births: Mutex::default(), gone: CancellationToken::new() });
        tokio::spawn(listen(Arc::clone(&link)));
        Ok(Self { id, ready, memory, link, life, words })
    }

    /// Asks for a child with these three descriptors. Answers with its pidfd, and with what will tell its end.
    pub(super) async fn fork(
        &self,
        order: Order,
        descriptors: [BorrowedFd<'_>; 3],
    ) -> Result<(OwnedFd, oneshot::Receiver<Ended>), ForkError> {
        let (forked, born) = oneshot::channel();
        let (ended, end) = oneshot::channel();
        self.link.births().insert(order.run, Birth { forked: Some(forked), ended });
        let Order { run, slot, uid, data_limit } = order;
        let ask = serde_json::to_vec(&Ask::Fork { run, slot, uid, data_limit })
            .map_err(|error| ForkError::Failed(error.to_string()))?;
        let answer = timeout(FORKS_WITHIN, async {
            self.link.control.send(&ask, &descriptors).await.map_err(|_| ForkError::Gone)?;
            tokio::select! {
                born = born => born.map_err(|_| ForkError::Gone)?.map_err(ForkError::Failed),
                () = self.link.gone.cancelled() => Err(ForkError::Gone),
            }
        });
        match answer.await {
            Ok(Ok(pidfd)) => Ok((pidfd, end)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(ForkError::Stuck),
        }
    }

    /// What tells its end.
    pub(super) fn watched(&self) -> Watched {
        Watched { gone: self.link.gone.clone(), process: Arc::clone(&self.life.0), words: self.words.clone() }
    }

    /// Whether it is gone by now.
    pub(super) fn is_gone(&self) -> bool {
        self.link.gone.is_cancelled()
    }

    /// Whether it is gone by now, or within this time.
    pub(super) async fn goes_within(&self, patience: Duration) -> bool {
        timeout(patience, self.link.gone.cancelled()).await.is_ok()
    }

    /// Ends it, and waits until nothing of it is left.
    pub(super) async fn stop(&self) {
        self.kill();
        self.life.0.end().await;
    }

    /// Ends it.
    pub(super) fn kill(&self) {
        self.link.gone.cancel();
        self.life.0.kill();
    }
}

impl Watched {
    /// Comes when the zygote is gone, and says how.
    pub(super) async fn end(self) -> String {
        self.gone.cancelled().await;
        // Without its socket it is of no use, whatever else it may be doing.
        self.process.kill();
        let end = timeout(FORKS_WITHIN, self.process.end()).await.ok().flatten();
        format!("{}{}", end.map_or_else(|| "it closed its socket".to_owned(), exit_words), said(&self.words.last()))
    }
}

impl Link {
    fn births(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Birth>> {
        self.births.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, message: Message) -> Result<(), serde_json::Error> {
        match serde_json::from_slice(&message.bytes)? {
            // It is warm once.
            Said::Ready(_) => {}
            Said::Forked { run } => {
                let pidfd = message.descriptors.into_iter().next().ok_or_else(|| "no pidfd came with it".to_owned());
                self.tell_birth(run, pidfd);
            }
            Said::Failed { run, message } => {
                self.tell_birth(run, Err(message));
                self.births().remove(&run);
            }
            Said::Ended(ended) => {
                if let Some(birth) = self.births().remove(&ended.run()) {
                    // Nobody may want to know.
                    let _ = birth.ended.send(ended);
                }
            }
        }
        Ok(())
    }

    fn tell_birth(&self, run: u64, born: Result<OwnedFd, String>) {
        if let Some(forked) = self.births().get_mut(&run).and_then(|birth| birth.forked.take()) {
            // Whoever has given up waiting has closed the child's channel, and it ends by that.
            let _ = forked.send(born);
        }
    }
}

/// Hands over the specification and waits for the two answers. An error of none is the end of the other side.
async fn warm_up(control: &Control, spec: &Spec) -> Result<Ready, Option<StartError>> {
    control.send(&spec.to_message(), &[]).await.map_err(|_| None)?;
    let first = next(control).await?;
    match Answer::of_message(&first.bytes) {
        Some(Answer::Launched(_)) => {}
        Some(Answer::LaunchFailed(failure)) => return Err(Some(StartError::Confine(failure))),
        None => return Err(Some(not_understood(&first))),
    }
    let second = next(control).await?;
    match serde_json::from_slice(&second.bytes) {
        Ok(Said::Ready(ready)) => Ok(ready),
        _ => Err(Some(not_understood(&second))),
    }
}

async fn next(control: &Control) -> Result<Message, Option<StartError>> {
    match control.receive().await {
        Ok(Some(message)) => Ok(message),
        // The other side is gone, with something that it has not read in the second case.
        Ok(None) => Err(None),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Err(None),
        Err(error) => Err(Some(StartError::NotUnderstood(error.to_string()))),
    }
}

fn not_understood(message: &Message) -> StartError {
    StartError::NotUnderstood(String::from_utf8_lossy(&message.bytes[..message.bytes.len().min(300)]).into_owned())
}

/// Takes what the zygote says until it says no more.
async fn listen(link: Arc<Link>) {
    loop {
        let message = tokio::select! {
            message = link.control.receive() => message,
            () = link.gone.cancelled() => break,
        };
        match message {
            Ok(Some(message)) => {
                if let Err(error) = link.take(message) {
                    tracing::error!(error = %error, "the zygote said something that is not understood");
                    break;
                }
            }
            Ok(None) | Err(_) => break,
        }
    }
    link.gone.cancel();
    link.births().clear();
}

fn said(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!("; its last words: `{words}`") }
}
