// SPDX-License-Identifier: Apache-2.0
//! A copy of the database each day, so that one that was damaged is not the end: `backup/lithouse.db`, and older ones as `….1` and so on.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::macros::format_description;

use crate::home::Home;
use crate::shared::Shared;
use crate::store::StoreError;

/// How old the newest copy may become.
const AGE: Duration = Duration::from_hours(24);
/// How often its age is looked at: a suspended machine, or one whose clock was set, comes by soon.
pub(crate) const LOOK_EVERY: Duration = Duration::from_hours(1);
/// How many copies there are.
const COPIES: u32 = 7;

/// Why there is no new copy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("could not {act} `{}`: {source}", path.display())]
    File { act: &'static str, path: PathBuf, source: io::Error },
}

/// Copies the database if it is time, and if there is an app to remember.
pub(crate) async fn look(shared: &Shared) {
    if shared.registry.is_empty() || !is_due(&shared.home) {
        return;
    }
    if let Err(error) = back_up(shared).await {
        tracing::warn!(error = %error, "the database could not be copied; it is tried again in an hour");
    }
}

/// Whether there is no copy, or none of the last day. A copy of the future is of a clock that was wrong.
fn is_due(home: &Home) -> bool {
    let made = fs::metadata(home.backup()).and_then(|facts| facts.modified());
    let Ok(made) = made else { return true };
    let now = SystemTime::now();
    now.duration_since(made).unwrap_or_else(|error| error.duration()) >= AGE
}

async fn back_up(shared: &Shared) -> Result<(), BackupError> {
    let newest = shared.home.backup();
    let folder = newest.parent().unwrap_or(&newest).to_owned();
    let failed = |act, path: &Path| {
        let path = path.to_owned();
        move |source| BackupError::File { act, path, source }
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed("make", &folder))?;
    // Made elsewhere, so that half a copy never bears the name of a copy.
    let new = shared.home.tmp().join("backup.db");
    let copied = shared.store.copy_into(&new).await;
    if copied.is_err() {
        // Half a copy would only take the last room from others; what is left is removed at the next start.
        let _ = fs::remove_file(&new);
    }
    copied?;
    File::open(&new).and_then(|file| file.sync_all()).map_err(failed("write", &new))?;
    for number in (0..COPIES - 1).rev() {
        match fs::rename(numbered(&newest, number), numbered(&newest, number + 1)) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(failed("rename", &newest)(source)),
            _ => {}
        }
    }
    fs::rename(&new, &newest).map_err(failed("make", &newest))
}

fn numbered(newest: &Path, number: u32) -> PathBuf {
    let mut path = newest.as_os_str().to_owned();
    if number > 0 {
        path.push(format!(".{number}"));
    }
    path.into()
}

/// What a person does about a database that cannot be used.
pub(crate) fn way_back(home: &Home) -> String {
    let aside = "move `lithouse.db`, `lithouse.db-wal` and `lithouse.db-shm` out of the data folder, and";
    let anew = "without a copy the server starts with no apps; their files stay in `apps`, each with its `meta.json`";
    match fs::metadata(home.backup()).and_then(|facts| facts.modified()) {
        Ok(made) => {
            let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
            let made = OffsetDateTime::from(made).format(format).unwrap_or_default();
            format!("{aside} copy `backup/lithouse.db` of {made} there as `lithouse.db`; {anew}")
        }
        Err(_) => format!("{aside} put a copy of yours there; {anew}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        (folder, home)
    }

    #[test]
    fn a_copy_is_due_where_there_is_none_or_an_old_one_or_one_of_the_future() {
        let (_folder, home) = home();
        assert!(is_due(&home));
        fs::create_dir(home.backup().parent().unwrap()).unwrap();
        let copy = File::create(home.backup()).unwrap();
        assert!(!is_due(&home));
        let now = SystemTime::now();
        for (made, due) in [(now - AGE * 2, true), (now - AGE / 2, false), (now + AGE / 2, false), (now + AGE * 2, true)] {
            copy.set_modified(made).unwrap();
            assert_eq!(is_due(&home), due, "{made:?}");
        }
    }

    #[test]
    fn the_way_back_names_the_copy_that_there_is() {
        let (_folder, home) = home();
        assert!(way_back(&home).contains("put a copy of yours there"));
        fs::create_dir(home.backup().parent().unwrap()).unwrap();
        let copy = File::create(home.backup()).unwrap();
        copy.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)).unwrap();
        assert!(way_back(&home).contains("copy `backup/lithouse.db` of 2023-11-14 22:13 UTC"), "{}", way_back(&home));
    }
}
