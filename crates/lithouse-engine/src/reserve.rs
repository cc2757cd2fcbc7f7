// SPDX-License-Identifier: Apache-2.0
//! A little room that is kept for the moment when the disk is full, so that stopping and deleting can still be stored: whoever wants
//! to make room must be able to.

use std::fs::File;
use std::path::PathBuf;

use rustix::fs::FallocateFlags;

const BYTES: u64 = 1 << 20;

/// The reserve of one data folder.
#[derive(Debug)]
pub(crate) struct Reserve(PathBuf);

impl Reserve {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Takes the room, if there is any and it is not taken yet.
    pub(crate) fn take(&self) {
        if std::fs::metadata(&self.0).is_ok_and(|facts| facts.len() == BYTES) {
            return;
        }
        let taken = File::create(&self.0).and_then(|file| Ok(rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, BYTES)?));
        if taken.is_err() {
            // Half a reserve would only take the last room from others.
            self.give();
        }
    }

    /// Gives the room back to the disk.
    pub(crate) fn give(&self) {
        // What is not there gives no room.
        let _ = std::fs::remove_file(&self.0);
    }
}
