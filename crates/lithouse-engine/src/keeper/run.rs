// SPDX-License-Identifier: Apache-2.0
//! The keeper's process from its first line to its last.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::diary::Diary;
use super::door::Door;
use super::floor::{Floor, Signals};
use super::lock::{Lock, LockError};
use super::spawn::Spawner;
use super::wire::Answer;
use super::{house, leftovers, mark};
use crate::home::Home;
use crate::socket;

/// The last frames get this long to be read.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What can be chosen about a keeper.
#[derive(Debug, Clone)]
pub struct KeeperOptions {
    /// The program that becomes an app's, with its first arguments: something that calls `lithouse_sandbox::entry::enter` with
    /// the argument that the keeper adds.
    pub entry: Vec<OsString>,
}

impl Default for KeeperOptions {
    /// This very binary, also after another was put in its place.
    fn default() -> Self {
        Self { entry: vec!["/proc/self/exe".into(), "app-entry".into()] }
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
    house::move_in().map_err(KeeperError::Prepare)?;
    let _lock = take_lock(&home)?;
    let open_files = house::make_room_for_descriptors();
    let mark = mark::of_home(&home).map_err(KeeperError::Prepare)?;
    let diary = Diary::of(&home);
    diary.note(&format!("started, pid {}", std::process::id()));
    clear(&mark, &diary);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(KeeperError::Prepare)?;
    let spawner = Spawner { entry: options.entry, mark: mark.clone(), open_files };
    runtime.block_on(keep(home, spawner, &diary))?;
    drop(runtime);
    clear(&mark, &diary);
    diary.note("ended");
    Ok(())
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

async fn keep(home: Home, spawner: Spawner, diary: &Diary) -> Result<(), KeeperError> {
    let signals = Signals::catch().map_err(KeeperError::Prepare)?;
    let (to_floor, inbox) = mpsc::unbounded_channel();
    let (closing, connections) = (CancellationToken::new(), TaskTracker::new());
    let path = home.keeper_socket();
    let door = Door::open(path.clone(), to_floor.clone(), diary.clone(), closing.clone(), connections.clone())
        .map_err(|source| KeeperError::Socket { path, source })?;
    let door = tokio::spawn(door.run());
    house::fall_silent().map_err(KeeperError::Prepare)?;
    let floor = Floor::new(spawner, diary.clone(), home.root().to_owned(), to_floor, inbox);
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
