// SPDX-License-Identifier: Apache-2.0
//! Waits until something may have happened to a log: it was written on, or a file came to stand under its name.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;

use super::files::{FileId, LogFile};

/// Some file systems tell of nothing, and a user may have used up what the kernel grants: then this is how late we are.
const SAFETY_TICK: Duration = Duration::from_secs(1);

/// Watches a log's folder for new files, and its newest file for writes. Not the folder for writes: other logs lie there too,
/// and some of them never rest.
#[derive(Debug)]
pub(super) struct Watch {
    folder: PathBuf,
    inotify: Option<AsyncFd<OwnedFd>>,
    file: Option<(FileId, i32)>,
}

impl Watch {
    /// A watch for the log that is called so. Without the kernel's help, which may come back, it only ticks.
    pub(super) fn new(path: &Path) -> Self {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        let inotify = open(&folder).ok();
        Self { folder, inotify, file: None }
    }

    /// Watches this file for writes, in the place of another. True when this was news: what was written before is not told, so
    /// the file must be looked at once more.
    pub(super) fn watch_file(&mut self, current: Option<&LogFile>) -> bool {
        if self.file.map(|(id, _)| id) == current.map(|current| current.id) {
            return false;
        }
        let Some(inotify) = &self.inotify else { return false };
        if let Some((_, watched)) = self.file.take() {
            // The kernel forgets a file that is gone by itself.
            let _ = inotify::remove_watch(inotify.get_ref(), watched);
        }
        self.file = current.and_then(|current| Some((current.id, add_file(inotify.get_ref(), &current.file).ok()?)));
        self.file.is_some()
    }

    /// Waits until something may have happened; at the latest, a tick.
    pub(super) async fn wait(&mut self) -> io::Result<()> {
        let Some(inotify) = &self.inotify else {
            tokio::time::sleep(SAFETY_TICK).await;
            self.inotify = open(&self.folder).ok();
            return Ok(());
        };
        match tokio::time::timeout(SAFETY_TICK, inotify.readable()).await {
            Err(_tick) => Ok(()),
            Ok(ready) => {
                let mut ready = ready?;
                drain(inotify.get_ref())?;
                ready.clear_ready();
                Ok(())
            }
        }
    }
}

#[expect(
    deprecated,
    reason = "the replacement is unsafe; all it asks for is a descriptor that stays the same until it is dropped, and an `OwnedFd` does"
)]
fn open(folder: &Path) -> io::Result<AsyncFd<OwnedFd>> {
    let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
    inotify::add_watch(&inotify, folder, WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::ONLYDIR)?;
    AsyncFd::new(inotify)
}

/// By its descriptor, since its name may belong to another file already.
fn add_file(inotify: &OwnedFd, file: &File) -> io::Result<i32> {
    Ok(inotify::add_watch(inotify, format!("/proc/self/fd/{}", file.as_raw_fd()), WatchFlags::MODIFY)?)
}

/// What happened does not matter, only that something did.
fn drain(inotify: &OwnedFd) -> io::Result<()> {
    let mut events = [0_u8; 4096];
    loop {
        match rustix::io::read(inotify, &mut events) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
