// SPDX-License-Identifier: Apache-2.0
//! The keeper's process from its first line to its last.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::diary::Diary;
use super::door::{self, Door, Socket};
use super::floor::{self, Floor, Signals};
use super::groups::Groups;
use super::handover::{self, Beginning, Handover, Held};
use super::kept::Kept;
use super::lock::{Lock, LockError};
use super::spawn::Spawner;
use super::wire::{Answer, Hello, PROTOCOL};
use super::{house, leftovers, mark};
use crate::descriptors;
use crate::home::Home;
use crate::socket;

/// The last frames get this long to be read.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A server that was killed while it started its keeper may never come back, and another that does starts one of its own.
const AWAITS_FOR: Duration = Duration::from_secs(60);

/// What can be chosen about a keeper.
#[derive(Debug, Clone)]
pub struct KeeperOptions {
    /// The program that becomes an app's, with its first arguments: something that calls `lithouse_sandbox::entry::enter` with
    /// the argument that the keeper adds.
    pub entry: Vec<OsString>,
    /// The version of the protocol that it says it speaks.
    pub protocol: u32,
    /// The versions of a handover that it reads.
    pub reads: Vec<u32>,
    /// Whether it makes control groups where it can.
    pub makes_groups: bool,
    /// How long it waits for whoever started it.
    pub awaits_for: Duration,
}

impl Default for KeeperOptions {
    /// This very binary, also after another was put in its place.
    fn default() -> Self {
        Self {
            entry: vec![handover::own_program().into(), "app-entry".into()],
            protocol: PROTOCOL,
            reads: vec![handover::VERSION],
            makes_groups: true,
            awaits_for: AWAITS_FOR,
        }
    }
}

/// Why the keeper did not run.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// There can be only one.
    #[error("another keeper of `{}` is running{}", home.display(), pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    AlreadyRunning {
        /// The data folder.
        home: PathBuf,
        /// The other's pid, if it could be read.
        pid: Option<u32>,
    },
    /// The lock file cannot be used.
    #[error("cannot lock `{}`: {source}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The socket cannot be put in its place.
    #[error("cannot listen on `{}`: {source}", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The process cannot be made ready.
    #[error("cannot prepare the keeper's process: {0}")]
    Prepare(#[source] io::Error),
}

/// Runs the keeper of this home until it is told to end.
///
/// To be called by `main` before any thread exists and before anything is opened: every descriptor above standard error is closed.
/// The apps live as long as the thread that calls this.
pub fn run(home: Home, options: KeeperOptions) -> Result<(), KeeperError> {
    let beginning = handover::begin(&options.reads).map_err(KeeperError::Prepare)?;
    house::move_in().map_err(KeeperError::Prepare)?;
    let mark = mark::of_home(&home).map_err(KeeperError::Prepare)?;
    let diary = Diary::of(&home);
    let start = match beginning {
        Beginning::Afresh => Start::afresh(&home, &options, &mark, &diary)?,
        Beginning::Inherited(handover, returned) => Start::inherited(*handover, returned.as_deref(), &diary),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(KeeperError::Prepare)?;
    runtime.block_on(keep(home, options, start, &mark, &diary))?;
    drop(runtime);
    clear(&mark, &diary);
    diary.note("ended");
    Ok(())
}

/// What the keeper stands on.
struct Start {
    lock: Lock,
    groups: Groups,
    open_files: Option<u64>,
    /// Of the program before this one in the same process.
    socket: Option<Socket>,
    instances: Vec<Kept<Held>>,
}

impl Start {
    fn afresh(home: &Home, options: &KeeperOptions, mark: &str, diary: &Diary) -> Result<Self, KeeperError> {
        let lock = take_lock(home)?;
        // Each app takes three.
        let open_files = descriptors::raise();
        diary.note(&format!("started, pid {}", std::process::id()));
        clear(mark, diary);
        let groups = if options.makes_groups { Groups::find(mark) } else { Groups::none("they are not to be made") };
        diary.note(&groups.told());
        Ok(Self { lock, groups, open_files, socket: None, instances: Vec::new() })
    }

    fn inherited(handover: Handover, returned: Option<&str>, diary: &Diary) -> Self {
        let Handover { lock, socket, open_files, groups, instances } = handover;
        diary.note(&match returned {
            Some(why) => format!("going on as before, since the other program could not: {why}"),
            None => format!("became another program, with {} instances", instances.len()),
        });
        Self { lock, groups, open_files, socket: Some(socket), instances }
    }
}

fn take_lock(home: &Home) -> Result<Lock, KeeperError> {
    let already_running = |pid| KeeperError::AlreadyRunning { home: home.root().to_owned(), pid };
    let lock = Lock::take(home).map_err(|error| match error {
        LockError::Held { pid } => already_running(pid),
        LockError::Io(source) => KeeperError::Lock { path: home.keeper_lock(), source },
    })?;
    // Somebody may have removed the lock file under a keeper that lives. Its apps must not be taken for leftovers.
    match socket::connect(&home.keeper_socket()) {
        Ok(_) => Err(already_running(None)),
        Err(_) => Ok(lock),
    }
}

fn clear(mark: &str, diary: &Diary) {
    let (cleared, left) = leftovers::clear(mark);
    if cleared > 0 {
        diary.note(&format!("{cleared} processes were left over and were ended; {left} of them do not end"));
    }
}

async fn keep(home: Home, options: KeeperOptions, start: Start, mark: &str, diary: &Diary) -> Result<(), KeeperError> {
    let signals = Signals::catch().map_err(KeeperError::Prepare)?;
    // They were put off if this program took the place of another.
    lithouse_sandbox::signals::let_through().map_err(KeeperError::Prepare)?;
    let (to_floor, inbox) = mpsc::unbounded_channel();
    let (to_door, heirs) = mpsc::unbounded_channel();
    let (closing, connections) = (CancellationToken::new(), TaskTracker::new());
    let path = home.keeper_socket();
    let around = door::Around {
        path: path.clone(),
        floor: to_floor.clone(),
        diary: diary.clone(),
        closing: closing.clone(),
        tasks: connections.clone(),
        heirs,
        hello: Hello::of_keeper(options.protocol, handover::build_of(&handover::own_program()).ok()),
    };
    // Whoever became this program was asked to by a server.
    let awaits_until = start.socket.is_none().then(|| Instant::now() + options.awaits_for);
    let door = match start.socket {
        Some(socket) => Door::take_up(around, socket),
        None => Door::open(around),
    };
    let door = tokio::spawn(door.map_err(|source| KeeperError::Socket { path, source })?.run());
    house::fall_silent().map_err(KeeperError::Prepare)?;
    let around = floor::Around {
        spawner: Spawner { entry: options.entry, mark: mark.to_owned(), open_files: start.open_files },
        groups: start.groups,
        diary: diary.clone(),
        root: home.root().to_owned(),
        lock: start.lock,
        socket: to_door,
        awaits_until,
    };
    let mut floor = Floor::new(around, to_floor, inbox);
    floor.take_up(start.instances);
    for waiting in floor.run(signals).await {
        waiting.send(Answer::Done);
    }
    closing.cancel();
    // A door that panicked is shut as well.
    let _ = door.await;
    connections.close();
    let _ = tokio::time::timeout(LAST_WORDS, connections.wait()).await;
    Ok(())
}
