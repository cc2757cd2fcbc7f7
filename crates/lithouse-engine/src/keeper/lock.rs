// SPDX-License-Identifier: Apache-2.0
//! The lock that makes a home's keeper the only one.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use rustix::fs::FlockOperation;

use crate::home::Home;

/// Held by the keeper for as long as it lives; the kernel lets go of it however the keeper ends.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum LockError {
    #[error("held by another process")]
    Held { pid: Option<u32> },
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Lock {
    /// Takes the lock and writes our pid into its file.
    pub(super) fn take(home: &Home) -> Result<Self, LockError> {
        let mut file = open(home)?;
        match lock_in_time(&file) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut text = String::new();
                // Who holds it is told if it can be read; that it is held is what counts.
                let _ = file.read_to_string(&mut text);
                return Err(LockError::Held { pid: text.trim().parse().ok() });
            }
            Err(errno) => return Err(LockError::Io(errno.into())),
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self { file })
    }

    /// Goes on holding the lock that the program before this one in the same process took.
    pub(super) fn take_up(descriptor: OwnedFd) -> Self {
        Self { file: descriptor.into() }
    }

    /// The same lock once more: it is held until both are gone.
    pub(super) fn again(&self) -> io::Result<Self> {
        Ok(Self { file: self.file.try_clone()? })
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Whether some keeper holds the lock of this home.
    pub(super) fn is_held(home: &Home) -> io::Result<bool> {
        let file = open(home)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(false),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// The keeper of this home, if one runs.
pub fn holder(home: &Home) -> io::Result<Option<u32>> {
    if !home.keeper_lock().exists() || !Lock::is_held(home)? {
        return Ok(None);
    }
    // One that has just taken the lock writes its number in the next moment.
    Ok(Some(std::fs::read_to_string(home.keeper_lock())?.trim().parse().unwrap_or_default()))
}

/// Tries for a moment: a server that asks [`Lock::is_held`] holds it for the blink of an eye.
fn lock_in_time(file: &File) -> rustix::io::Result<()> {
    let mut tries = 0;
    loop {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) if tries < 5 => tries += 1,
            other => return other,
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn open(home: &Home) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(home.keeper_lock())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_given_once_and_tells_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        assert!(!Lock::is_held(&home).unwrap());
        let lock = Lock::take(&home).unwrap();
        assert!(Lock::is_held(&home).unwrap());
        let second = Lock::take(&home);
        assert!(matches!(second, Err(LockError::Held { pid: Some(pid) }) if pid == std::process::id()));
        drop(lock);
        assert!(Lock::take(&home).is_ok());
    }
}
