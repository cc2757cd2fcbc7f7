// SPDX-License-Identifier: Apache-2.0
//! How the parts are that everything stands on: the database, the disk, the keeper, what environments are built with.
//!
//! It may be asked each second. What touches a disk is looked at by one task at a time, whose answer is waited for only so long: a
//! disk that hangs makes a part bad, and nobody wait for ever.

use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{StatVfsMountFlags, statvfs};
use tokio::sync::watch;

use crate::engine::Engine;
use crate::environment::Tools;
use crate::shared::now_ms;

/// What was seen this short a while ago is not looked at again.
const FRESH: Duration = Duration::from_millis(900);
/// How long a look may take before whoever asks is told that it does.
const PATIENCE: Duration = Duration::from_secs(5);
/// The disk is nearly full when less than one part in so many is free, …
const SMALL_PART: u64 = 20;
/// … unless this much is.
const PLENTY: u64 = 1 << 30;

/// Everything at one moment.
#[derive(Debug, Clone)]
pub struct Health {
    /// Why wishes cannot be stored, if they cannot.
    pub database: Result<(), String>,
    /// The disk of the data folder.
    pub disk: DiskHealth,
    /// The keeper.
    pub keeper: KeeperHealth,
    /// What environments are built with.
    pub tools: Tools,
}

/// The disk of the data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskHealth {
    /// What it holds; none where that is not known.
    pub room: Option<Room>,
    /// Why not everything can be written to it, if so.
    pub fault: Option<String>,
}

/// The room of a disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// What we can still use.
    pub free: u64,
    /// All of it.
    pub size: u64,
}

/// The keeper, as the server sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeeperHealth {
    /// Its process; none while there is no keeper.
    pub pid: Option<u32>,
    /// Since when it is so, in milliseconds since 1970-01-01 UTC.
    pub since_ms: i64,
    /// How often it was lost since the server came up.
    pub losses: u64,
    /// Why there is none, while there is none and it is known.
    pub fault: Option<String>,
}

/// What is known of the keeper's comings and goings.
#[derive(Debug)]
pub(crate) struct KeeperWatch(Mutex<Watched>);

#[derive(Debug)]
struct Watched {
    is_there: bool,
    since_ms: i64,
    losses: u64,
    fault: Option<String>,
}

impl Default for KeeperWatch {
    /// It is there.
    fn default() -> Self {
        Self(Mutex::new(Watched { is_there: true, since_ms: now_ms(), losses: 0, fault: None }))
    }
}

impl KeeperWatch {
    pub(crate) fn lost(&self) {
        let mut watched = self.lock();
        *watched = Watched { is_there: false, since_ms: now_ms(), losses: watched.losses + 1, fault: None };
    }

    pub(crate) fn not_had(&self, why: String) {
        self.lock().fault = Some(why);
    }

    pub(crate) fn back(&self) {
        let mut watched = self.lock();
        *watched = Watched { is_there: true, since_ms: now_ms(), losses: watched.losses, fault: None };
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A look that one task does for all who ask meanwhile.
#[derive(Debug)]
pub(crate) struct Look<T> {
    /// When what is under way was begun.
    began: Arc<Mutex<Option<Instant>>>,
    seen: watch::Sender<Option<(Instant, T)>>,
}

impl<T> Default for Look<T> {
    fn default() -> Self {
        Self { began: Arc::default(), seen: watch::Sender::new(None) }
    }
}

impl<T: Clone + Send + Sync + 'static> Look<T> {
    /// What is seen, or for how long it could not be.
    async fn at(&self, look: impl Future<Output = T> + Send + 'static) -> Result<T, Duration> {
        let mut seen = self.seen.subscribe();
        if let Some((at, found)) = &*seen.borrow_and_update()
            && at.elapsed() < FRESH
        {
            return Ok(found.clone());
        }
        let since = {
            let mut began = lock(&self.began);
            if began.is_none() {
                let (running, found) = (Arc::clone(&self.began), self.seen.clone());
                tokio::spawn(async move {
                    let value = look.await;
                    *lock(&running) = None;
                    found.send_replace(Some((Instant::now(), value)));
                });
            }
            *began.get_or_insert_with(Instant::now)
        };
        match tokio::time::timeout(PATIENCE, seen.changed()).await {
            Ok(Ok(())) => seen.borrow().as_ref().map(|(_, found)| found.clone()).ok_or_else(|| since.elapsed()),
            Ok(Err(_)) | Err(_) => Err(since.elapsed()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The looks that touch a disk.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    database: Look<Result<(), String>>,
    disk: Look<DiskHealth>,
}

impl Engine {
    /// How everything is. Waits two seconds at most.
    pub async fn health(&self) -> Health {
        let (database, disk) = tokio::join!(self.database_health(), self.disk_health());
        Health { database, disk, keeper: self.keeper_health(), tools: self.environments().tools() }
    }

    /// The keeper.
    pub fn keeper_health(&self) -> KeeperHealth {
        let watched = self.shared().keeper_watch.lock();
        let pid = watched.is_there.then(|| self.keeper_pid());
        KeeperHealth { pid, since_ms: watched.since_ms, losses: watched.losses, fault: watched.fault.clone() }
    }

    /// The disk of the data folder.
    pub async fn disk_health(&self) -> DiskHealth {
        let folder = self.home().root().to_owned();
        let look = async move { tokio::task::spawn_blocking(move || disk(&folder)).await };
        let seen = self
            .shared()
            .looks
            .disk
            .at(async move { look.await.unwrap_or_else(|error| DiskHealth { room: None, fault: Some(error.to_string()) }) });
        seen.await.unwrap_or_else(|since| DiskHealth { room: None, fault: Some(hangs("the disk of the data folder", since)) })
    }

    async fn database_health(&self) -> Result<(), String> {
        let store = self.shared().store.clone();
        let seen = self.shared().looks.database.at(async move { store.try_to_write().await });
        seen.await.unwrap_or_else(|since| Err(hangs("the database", since)))
    }
}

fn hangs(what: &str, since: Duration) -> String {
    format!("{what} has not answered for {} s", since.as_secs())
}

fn disk(folder: &Path) -> DiskHealth {
    match statvfs(folder) {
        Ok(facts) => {
            let room =
                Room { free: facts.f_bavail.saturating_mul(facts.f_frsize), size: facts.f_blocks.saturating_mul(facts.f_frsize) };
            DiskHealth { room: Some(room), fault: fault(room, facts.f_favail, facts.f_files, facts.f_flag) }
        }
        Err(error) => DiskHealth { room: None, fault: Some(format!("the disk of the data folder cannot be looked at: {error}")) },
    }
}

fn fault(room: Room, free_files: u64, all_files: u64, flags: StatVfsMountFlags) -> Option<String> {
    if flags.contains(StatVfsMountFlags::RDONLY) {
        return Some("the disk of the data folder is read-only; mount it for writing again".to_owned());
    }
    // Some file systems do not count files.
    if all_files > 0 && free_files == 0 {
        return Some("the disk of the data folder takes no further file; remove some".to_owned());
    }
    if room.free == 0 {
        return Some("the disk of the data folder is full; free some space".to_owned());
    }
    (room.free < PLENTY && room.free < room.size / SMALL_PART)
        .then(|| format!("the disk of the data folder is nearly full: {} MB are left; free some space", room.free / 1_000_000))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_disk_is_nearly_full_by_its_size_and_never_while_there_is_plenty() {
        let judged = |free: u64, size: u64| fault(Room { free, size }, 1, 1, StatVfsMountFlags::empty());
        assert_eq!(judged(2 << 30, 1 << 40), None);
        assert_eq!(judged(600 << 20, 10 << 30), None);
        assert!(judged(400 << 20, 10 << 30).unwrap().contains("nearly full"));
        assert!(judged(0, 10 << 30).unwrap().contains("is full"));
        let room = Room { free: 2 << 30, size: 3 << 30 };
        assert!(fault(room, 0, 1, StatVfsMountFlags::empty()).unwrap().contains("no further file"));
        assert_eq!(fault(room, 0, 0, StatVfsMountFlags::empty()), None);
        assert!(fault(room, 1, 1, StatVfsMountFlags::RDONLY).unwrap().contains("read-only"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_hangs_is_told_as_such_and_is_not_begun_again() {
        let (look, begun) = (Look::<u8>::default(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..3 {
            let counting = Arc::clone(&begun);
            let seen = look.at(async move {
                counting.fetch_add(1, Ordering::Relaxed);
                std::future::pending().await
            });
            assert!(seen.await.is_err());
        }
        assert_eq!(begun.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn all_who_ask_at_once_are_told_what_one_look_saw() {
        let (look, begun) = (Look::<usize>::default(), Arc::new(AtomicUsize::new(0)));
        let ask = || {
            let counting = Arc::clone(&begun);
            look.at(async move {
                tokio::task::yield_now().await;
                counting.fetch_add(1, Ordering::Relaxed)
            })
        };
        let (one, other) = tokio::join!(ask(), ask());
        assert_eq!((one, other), (Ok(0), Ok(0)));
    }
}
