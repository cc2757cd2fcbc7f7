// SPDX-License-Identifier: Apache-2.0
//! A process that is confined and parked, waiting for the one run that it serves.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use lithouse_sandbox::cgroup;
use rustix::process::{Signal, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::channel::{Channel, ChannelError};
use super::ground::Ground;
use super::memory;
use super::output::Stream;
use super::pool::Outbox;
use super::result::{self, Said};
use super::zygote::{Ended, ForkError, Order, Zygote};

/// How long a child may take to confine itself.
const PARKS_WITHIN: Duration = Duration::from_secs(5);
/// How long the zygote may take to tell how a child has ended that is gone already.
const TOLD_WITHIN: Duration = Duration::from_secs(1);

/// A parked child. Its process ends when this is dropped, and the slot goes back to the pool.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) body: Body,
    pub(super) channel: Channel,
    pub(super) stdout: Stream,
    pub(super) stderr: Stream,
    pub(super) zygote: Arc<Zygote>,
    pub(super) process: Arc<ChildProcess>,
    /// What is watched from outside where the kernel does not count for us.
    pub(super) baseline: Option<u64>,
    /// Whose its process is.
    pub(super) user: Option<u32>,
    cgroup: Option<Arc<cgroup::Group>>,
    killed_for_memory_before: u64,
    ended: oneshot::Receiver<Ended>,
}

/// The process of a child.
#[derive(Debug)]
pub(super) struct ChildProcess {
    pidfd: AsyncFd<OwnedFd>,
    /// As this server numbers it.
    pub(super) pid: i32,
}

/// A slot in use. Dropping it ends the process in it, if there is one, and tells the pool.
#[derive(Debug)]
pub(super) struct Body {
    slot: u32,
    process: Option<Arc<ChildProcess>>,
    outbox: Outbox,
}

/// Why a child could not be parked.
#[derive(Debug, thiserror::Error)]
pub(super) enum ParkError {
    #[error(transparent)]
    Fork(#[from] ForkError),
    #[error("a process could not be confined: the step `{step}` failed: {}{}", io::Error::from_raw_os_error(*errno), about(message))]
    Refused { step: String, errno: i32, message: String },
    #[error("a process ended before it was confined: {0}")]
    Channel(#[from] ChannelError),
    #[error("a process was not confined within {} s", PARKS_WITHIN.as_secs())]
    Silent,
    #[error("a process said something that is not understood: {0}")]
    NotUnderstood(String),
    #[error("{doing} failed: {source}")]
    Io { doing: &'static str, source: io::Error },
}

impl Body {
    pub(super) fn new(slot: u32, outbox: Outbox) -> Self {
        Self { slot, process: None, outbox }
    }

    pub(super) fn slot(&self) -> u32 {
        self.slot
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(process) = &self.process {
            process.kill();
        }
        self.outbox.vacated(self.slot, self.process.take());
    }
}

impl ChildProcess {
    fn new(pidfd: OwnedFd) -> io::Result<Self> {
        let pid = number_of(&pidfd)?;
        Ok(Self { pidfd: watched(pidfd)?, pid })
    }

    /// Ends it at once, and with it all that it has started.
    pub(super) fn kill(&self) {
        // It may have ended by itself; then there is nothing to be done.
        let _ = pidfd_send_signal(self.pidfd.get_ref(), Signal::KILL);
    }

    fn has_ended(&self) -> bool {
        let mut ends = [rustix::event::PollFd::new(self.pidfd.get_ref(), rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut ends, Some(&rustix::event::Timespec::default())).is_ok_and(|ready| ready > 0)
    }

    /// Comes when it has ended.
    pub(super) async fn end(&self) {
        // This fails only without a runtime, when nobody is left to wait.
        let _ = self.pidfd.readable().await;
    }
}

impl Child {
    /// Forks a child into a slot and waits until it is parked there.
    pub(super) async fn park(mut body: Body, run: u64, zygote: Arc<Zygote>, ground: &Ground) -> Result<Self, ParkError> {
        let io = |doing| move |source| ParkError::Io { doing, source };
        let (mut channel, theirs) = Channel::pair().map_err(io("making a socket"))?;
        let (stdout, out) = Stream::open().map_err(io("making a pipe"))?;
        let (stderr, err) = Stream::open().map_err(io("making a pipe"))?;
        let slot = body.slot;
        let order = Order { run, slot, uid: ground.spec.slot_uid(slot), data_limit: ground.data_limit(&zygote) };
        let (pidfd, ended) = zygote.fork(order, [theirs.as_fd(), out.as_fd(), err.as_fd()]).await?;
        drop((theirs, out, err));
        let process = Arc::new(ChildProcess::new(pidfd).map_err(io("looking at a new process"))?);
        body.process = Some(Arc::clone(&process));
        let frame = timeout(PARKS_WITHIN, channel.receive()).await.map_err(|_| ParkError::Silent)??;
        match result::read(&frame) {
            Ok(Said::Parked) => {}
            Ok(Said::Refused { step, errno, message }) => return Err(ParkError::Refused { step, errno, message }),
            Ok(Said::Chart(_) | Said::Result(_)) => return Err(ParkError::NotUnderstood("a result of nothing".to_owned())),
            Err(malformed) => return Err(ParkError::NotUnderstood(malformed.to_string())),
        }
        let cgroup = ground.group(slot);
        if let Some(cgroup) = &cgroup {
            let (cgroup, pid) = (Arc::clone(cgroup), process.pid);
            let added = tokio::task::spawn_blocking(move || cgroup.add(pid)).await.map_err(io::Error::other);
            added.flatten().map_err(io("putting a process into its control group"))?;
            // Had it ended before, its number might have been another's by then.
            if process.has_ended() {
                return Err(ParkError::Channel(ChannelError::Ended));
            }
        }
        let baseline = if cgroup.is_none() { memory::held_by(process.pid) } else { None };
        let user = memory::user_of(process.pid);
        let killed_for_memory_before = cgroup.as_ref().map_or(0, |cgroup| cgroup.oom_kills());
        Ok(Self { body, channel, stdout, stderr, zygote, process, baseline, user, cgroup, killed_for_memory_before, ended })
    }

    /// Whether the kernel has ended something in it for want of memory.
    pub(super) fn ran_out_of_memory(&self) -> bool {
        self.cgroup.as_ref().is_some_and(|cgroup| cgroup.oom_kills() > self.killed_for_memory_before)
    }

    /// How a process that is gone, or about to be, has ended; none where nobody can tell.
    pub(super) async fn status(&mut self) -> Option<ExitStatus> {
        let ended = timeout(TOLD_WITHIN, &mut self.ended).await.ok()?.ok()?;
        Some(ExitStatus::from_raw(ended.status))
    }
}

#[expect(
    deprecated,
    reason = "the constructor offered instead is unsafe for the sake of types that lie about their descriptor; `OwnedFd` does not"
)]
fn watched(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(pidfd, Interest::READABLE)
}

/// The number of a process, as this server sees it.
fn number_of(pidfd: &OwnedFd) -> io::Result<i32> {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()))?;
    let number = info.lines().find_map(|line| line.strip_prefix("Pid:")).and_then(|number| number.trim().parse().ok());
    number.filter(|number| *number > 0).ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn about(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(" ({message})") }
}
