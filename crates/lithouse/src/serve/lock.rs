// SPDX-License-Identifier: Apache-2.0
//! One server a data folder. The lock goes with the process, however it ends; what stands in its file is for people.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use lithouse_engine::home::Home;
use rustix::fs::FlockOperation;

/// How long a lock that a dead server left is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The held lock.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Takes the lock, or tells who has it.
    pub(super) fn take(home: &Home) -> anyhow::Result<Self> {
        let path = home.lock();
        let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let mut lock = Self(file.with_context(|| format!("could not open `{}`", path.display()))?);
        let began = Instant::now();
        while rustix::fs::flock(&lock.0, FlockOperation::NonBlockingLockExclusive).is_err() {
            let pid = std::fs::read_to_string(&path).unwrap_or_default();
            // A child that a killed server was just about to start holds its descriptors for a moment longer.
            if Path::new("/proc").join(pid.trim()).join("stat").exists() || began.elapsed() > PATIENCE {
                bail!(
                    "another server (pid {}) uses the data folder `{}`\nhint: `lithouse stop` ends it; `--data DIR` chooses another folder",
                    pid.trim(),
                    home.root().display()
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        lock.sign();
        Ok(lock)
    }

    /// The lock that a predecessor has handed over.
    pub(super) fn handed(file: OwnedFd) -> Self {
        let mut lock = Self(file.into());
        lock.sign();
        lock
    }

    /// Writes down that this process holds it. A full disk that does not take it must not keep the server from coming back.
    pub(super) fn sign(&mut self) {
        let file = &mut self.0;
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
    }
}

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The server that holds the lock of this data folder, if there is one.
pub(super) fn holder(home: &Home) -> Option<u32> {
    let is_held = is_held(home).unwrap_or(false);
    is_held.then(|| std::fs::read_to_string(home.lock()).ok()?.trim().parse().ok()).flatten()
}

/// Whether a server holds the lock of this data folder.
pub(crate) fn is_held(home: &Home) -> io::Result<bool> {
    let file = match File::open(home.lock()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(errno) => Err(errno.into()),
    }
}
