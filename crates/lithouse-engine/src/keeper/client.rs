// SPDX-License-Identifier: Apache-2.0
//! The server's handle on the keeper. What it says, and that it says no more, arrives as events; the list is the truth.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lithouse_core::id::InstanceId;
use lithouse_core::limits::Limits;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::launch::{InstanceReport, Launch, Spawned};
use super::start::{self, ConnectError, KeeperProgram, OtherProgram, Reached};
use super::wire::{self, Answer, Call, Refusal, Request, Said, frame};
use crate::home::Home;

/// A connection to the running keeper. Clones share it; it is closed with the last of them, which harms nothing.
#[derive(Debug, Clone)]
pub struct Keeper {
    pid: u32,
    was_there: bool,
    next_id: Arc<AtomicU64>,
    frames: mpsc::UnboundedSender<Vec<u8>>,
    waiting: Arc<Mutex<Waiting>>,
    gone: CancellationToken,
}

/// What the keeper says unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeeperEvent {
    /// An instance has ended; the list says so too until it is forgotten.
    Ended(InstanceReport),
    /// An instance's own process was halted by a signal some seconds ago, or goes on.
    Halted(InstanceReport),
    /// The connection is gone; the keeper has ended, or must be connected to again. No event follows.
    Lost,
}

/// Why a call was not answered as hoped.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The keeper would not or could not.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The keeper is gone, or was about to answer when it went: whether the call was heard, the next list tells.
    #[error("the connection to the keeper is gone")]
    Lost,
    /// A path or text in it cannot be written down, or it is too long.
    #[error("the request cannot be sent to the keeper: {0}")]
    Unsendable(#[source] serde_json::Error),
    /// An answer to something else.
    #[error("the keeper gave an answer that does not fit the request")]
    Confused,
}

/// Calls that wait for their answer; `None` once none can come any more.
type Waiting = Option<HashMap<u64, oneshot::Sender<Answer>>>;

impl Keeper {
    /// Connects to the running keeper of this home, or starts one and connects to that. Waits until it answers.
    ///
    /// A keeper that runs another program becomes this one, with all apps kept. If it cannot, it goes on as it is, which is told
    /// in the log; one that speaks another version of the protocol is an error then.
    pub async fn connect(
        home: &Home,
        program: &KeeperProgram,
    ) -> Result<(Self, mpsc::UnboundedReceiver<KeeperEvent>), ConnectError> {
        Ok(Self::over(start::reach(home, program, OtherProgram::BecomesThis).await?))
    }

    /// The same for a server that had a connection before. Whichever program the keeper runs by now, a newer server wanted it.
    pub async fn reconnect(
        home: &Home,
        program: &KeeperProgram,
    ) -> Result<(Self, mpsc::UnboundedReceiver<KeeperEvent>), ConnectError> {
        Ok(Self::over(start::reach(home, program, OtherProgram::Stays).await?))
    }

    fn over(Reached { stream, hello, was_there }: Reached) -> (Self, mpsc::UnboundedReceiver<KeeperEvent>) {
        let (read, write) = stream.into_split();
        let (frames, to_send) = mpsc::unbounded_channel();
        let (events, heard) = mpsc::unbounded_channel();
        let waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        let gone = CancellationToken::new();
        tokio::spawn(speak(write, to_send, gone.clone()));
        tokio::spawn(listen(read, waiting.clone(), events, gone.clone()));
        (Self { pid: hello.pid, was_there, next_id: Arc::default(), frames, waiting, gone }, heard)
    }

    /// The keeper's pid.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it ran before we asked for it, rather than having been started by us.
    pub fn was_there(&self) -> bool {
        self.was_there
    }

    /// All instances: those that live and those whose end is not acknowledged yet, the oldest first.
    pub async fn list(&self) -> Result<Vec<InstanceReport>, CallError> {
        match self.call(&Request::List).await? {
            Answer::Instances(reports) => Ok(reports),
            _ => Err(CallError::Confused),
        }
    }

    /// Starts an instance. Answers once its program runs; if it could not be run, nothing is left of it.
    pub async fn spawn(&self, launch: Launch) -> Result<Spawned, CallError> {
        match self.call(&Request::Spawn { launch: Box::new(launch) }).await? {
            Answer::Spawned(spawned) => Ok(spawned),
            _ => Err(CallError::Confused),
        }
    }

    /// Asks an instance to end: SIGTERM to its group, and when the grace is over SIGKILL to everything of it.
    ///
    /// Answers at once. The keeper sees to the rest, whatever becomes of us; the end is told by an event and the list.
    pub async fn terminate(&self, instance: &InstanceId, grace: Duration) -> Result<(), CallError> {
        self.done(&Request::Terminate { instance: instance.clone(), grace_ms: milliseconds(grace) }).await
    }

    /// Acknowledges that an instance has ended: it is listed no more.
    pub async fn forget(&self, instance: &InstanceId) -> Result<(), CallError> {
        self.done(&Request::Forget { instance: instance.clone() }).await
    }

    /// The most memory that each running instance used at once, in bytes, where that is known.
    pub async fn peaks(&self) -> Result<Vec<(InstanceId, u64)>, CallError> {
        match self.call(&Request::Peaks).await? {
            Answer::Peaks(peaks) => Ok(peaks),
            _ => Err(CallError::Confused),
        }
    }

    /// Changes what a running instance may take, as far as a control group holds it.
    pub async fn limit(&self, instance: &InstanceId, may_take: Limits) -> Result<(), CallError> {
        self.done(&Request::Limit { instance: instance.clone(), may_take }).await
    }

    /// Ends every app, all at the same time, and then the keeper. Answers when all apps have ended and the keeper is gone.
    pub async fn shutdown(&self, grace: Duration) -> Result<(), CallError> {
        let process = process(self.pid);
        self.done(&Request::Shutdown { grace_ms: milliseconds(grace) }).await?;
        self.gone.cancelled().await;
        if let Some(process) = process {
            // It says goodbye a moment before it is gone, and its lock with it.
            let _ = tokio::task::spawn_blocking(move || see_out(&process)).await;
        }
        Ok(())
    }

    async fn done(&self, request: &Request) -> Result<(), CallError> {
        match self.call(request).await? {
            Answer::Done => Ok(()),
            _ => Err(CallError::Confused),
        }
    }

    async fn call(&self, request: &Request) -> Result<Answer, CallError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let frame = frame(&Call { id, request }).map_err(CallError::Unsendable)?;
        let (sender, answer) = oneshot::channel();
        match &mut *hold(&self.waiting) {
            Some(waiting) => waiting.insert(id, sender),
            None => return Err(CallError::Lost),
        };
        self.frames.send(frame).map_err(|_| CallError::Lost)?;
        match answer.await {
            Ok(Answer::Refused(refusal)) => Err(refusal.into()),
            Ok(answer) => Ok(answer),
            Err(_) => Err(CallError::Lost),
        }
    }
}

/// A descriptor that is readable once the process has ended; `None` where there is no such process for us.
fn process(pid: u32) -> Option<OwnedFd> {
    let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
    rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok()
}

/// Waits for the end of a process that has said goodbye; after this long somebody else's wait for its lock must do.
fn see_out(process: &OwnedFd) {
    let at_most = Timespec { tv_sec: 10, tv_nsec: 0 };
    let _ = rustix::event::poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&at_most));
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn hold(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes calls until the last handle is gone, or nobody listens.
async fn speak(mut write: OwnedWriteHalf, mut frames: mpsc::UnboundedReceiver<Vec<u8>>, gone: CancellationToken) {
    let speaking = async {
        while let Some(frame) = frames.recv().await {
            if write.write_all(&frame).await.is_err() {
                return;
            }
        }
    };
    gone.run_until_cancelled(speaking).await;
}

/// Hands answers to those who wait and events to the receiver, until the keeper is gone.
async fn listen(
    mut read: OwnedReadHalf,
    waiting: Arc<Mutex<Waiting>>,
    events: mpsc::UnboundedSender<KeeperEvent>,
    gone: CancellationToken,
) {
    while let Ok(said) = wire::read::<Said>(&mut read).await {
        match said {
            Said::Answer { id, answer } => {
                // Whoever asked may have stopped waiting.
                let asked = hold(&waiting).as_mut().and_then(|waiting| waiting.remove(&id));
                let _ = asked.map(|asked| asked.send(answer));
            }
            Said::Ended { report } => drop(events.send(KeeperEvent::Ended(report))),
            Said::Halted { report } => drop(events.send(KeeperEvent::Halted(report))),
        }
    }
    hold(&waiting).take();
    gone.cancel();
    let _ = events.send(KeeperEvent::Lost);
}
