// SPDX-License-Identifier: Apache-2.0
//! Which releases an app keeps: the newest ones, and those that it needs. All others go, row and files.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use lithouse_core::app::Desired;
use lithouse_core::id::ReleaseNumber;

use super::folder::FolderError;
use super::{AppTask, blocking};
use crate::store::{AppRecord, ReleaseRecord, StoreError};

/// The environments of so many newest releases are kept in any case.
const WITH_ENVIRONMENT: usize = 3;

/// Why releases that nobody needs are still there. They are tried again with the next release.
#[derive(Debug, thiserror::Error)]
enum RetentionError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Folder(#[from] FolderError),
}

/// The releases that an app does not keep, given all of its releases, newest first.
fn superfluous(
    record: &AppRecord,
    replaced: Option<ReleaseNumber>,
    releases: &[ReleaseRecord],
    keep: usize,
) -> Vec<ReleaseNumber> {
    let mut served = releases.iter().filter(|release| release.served).map(|release| release.number);
    // What visitors are brought back to, should the active one prove bad: the one that it replaced, the newest other one, or the
    // one with the next lower number.
    let newest = served.clone().find(|number| Some(*number) != record.active);
    let before = served.find(|number| Some(*number) < record.active);
    let needed = [record.active, record.wanted, Some(record.head), replaced, newest, before];
    releases.iter().skip(keep).map(|release| release.number).filter(|number| !needed.contains(&Some(*number))).collect()
}

impl AppTask {
    /// Removes the releases that the app does not keep. One that is asked for comes before this or after it, never in between: what
    /// is asked of the app is done one by one.
    pub(super) async fn retain_releases(&mut self) {
        // The files of an app that is served in place are a person's, and one that is being deleted loses all of them.
        if self.record.folder.is_some() || self.record.desired == Desired::Deleted {
            return;
        }
        if let Err(error) = self.try_to_retain().await {
            tracing::warn!(app = %self.id(), error = %error, "releases that are not kept could not be removed");
        }
    }

    async fn try_to_retain(&self) -> Result<(), RetentionError> {
        let releases = self.shared.store.releases(self.id()).await?;
        let superfluous = superfluous(&self.record, self.replaced, &releases, self.shared.settings.keep_releases);
        if !superfluous.is_empty() {
            self.shared.store.remove_releases(self.id(), &superfluous).await?;
            tracing::info!(app = %self.id(), releases = ?superfluous.iter().map(|number| number.0).collect::<Vec<_>>(), "releases were removed");
            let known: HashSet<u32> = releases
                .iter()
                .filter(|release| !superfluous.contains(&release.number))
                .map(|release| release.number.0)
                .collect();
            let (folder, tmp, app) = (self.shared.home.releases(self.id()), self.shared.home.tmp(), self.id().to_string());
            let away = blocking(move || move_away(&folder, &known, &tmp, &app)).await?;
            // Nothing waits for it, and what is left at a crash goes with the next start.
            tokio::task::spawn_blocking(move || away.iter().for_each(|folder| drop(std::fs::remove_dir_all(folder))));
        }
        if releases.len() > WITH_ENVIRONMENT {
            self.shared.collect_environments().await;
        }
        Ok(())
    }
}

/// Moves the folders of releases that no row knows out of sight, also those of which a crash has left the folder alone. Where they
/// are then is told.
fn move_away(releases: &Path, known: &HashSet<u32>, tmp: &Path, app: &str) -> Result<Vec<PathBuf>, FolderError> {
    let entries = std::fs::read_dir(releases).map_err(FolderError::of("read", releases))?;
    let mut away = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        let number = path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
        let Some(number) = number.filter(|number| !known.contains(number)) else { continue };
        let to = tmp.join(format!("release-{app}-{number}"));
        match std::fs::rename(&path, &to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(FolderError::of("move away", &path)(error)),
            _ => away.push(to),
        }
    }
    Ok(away)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::new_record;

    fn kept(active: Option<u32>, wanted: Option<u32>, head: u32, served: &[u32], keep: usize) -> Vec<u32> {
        let releases: Vec<_> = (1..=9)
            .rev()
            .map(|number| ReleaseRecord {
                served: served.contains(&number),
                ..ReleaseRecord::accepted(ReleaseNumber(number), "app.py".to_owned(), 0)
            })
            .collect();
        let number = |number: Option<u32>| number.map(ReleaseNumber);
        let new = new_record(None, None, String::new(), None);
        let record = AppRecord { active: number(active), wanted: number(wanted), head: ReleaseNumber(head), ..new };
        let gone = superfluous(&record, None, &releases, keep);
        (1..=9).filter(|number| !gone.contains(&ReleaseNumber(*number))).collect()
    }

    #[test]
    fn the_newest_are_kept_and_those_that_are_needed() {
        assert_eq!(kept(Some(9), None, 9, &[5, 9], 3), [5, 7, 8, 9]);
        assert_eq!(kept(Some(2), None, 2, &[1, 2, 6], 3), [1, 2, 6, 7, 8, 9]);
        assert_eq!(kept(Some(6), Some(1), 1, &[1, 2, 6], 1), [1, 2, 6, 9]);
        assert_eq!(kept(None, Some(9), 9, &[], 1), [9]);
        assert_eq!(kept(Some(4), None, 5, &[4], 1), [4, 5, 9]);
        assert_eq!(kept(Some(9), None, 9, &[1, 9], 10), (1..=9).collect::<Vec<_>>());
    }
}
