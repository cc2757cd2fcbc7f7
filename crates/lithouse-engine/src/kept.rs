// SPDX-License-Identifier: Apache-2.0
//! What apps had kept that nothing names any more. It waits for them to be named again, but not for ever.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use lithouse_core::id::Key;

use crate::home::Home;

/// So long it waits.
const AGE: Duration = Duration::from_hours(90 * 24);
/// The newest ones wait longer: a clock that was wrong for a moment, or a server that nobody looked at, must not cost all.
const NEWEST: usize = 20;

/// Removes what has waited long enough, and which no app has that there is.
pub(crate) fn clear(home: &Home, now: SystemTime, is_named: impl Fn(&Key) -> bool) {
    let entries = fs::read_dir(home.all_kept()).into_iter().flatten().flatten();
    let mut folders: Vec<(SystemTime, Key, PathBuf)> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| {
            Some((entry.metadata().ok()?.modified().ok()?, entry.file_name().to_str()?.parse().ok()?, entry.path()))
        })
        .collect();
    folders.sort_by(|one, other| other.cmp(one));
    for (since, key, path) in folders.into_iter().skip(NEWEST) {
        if now.duration_since(since).is_ok_and(|age| age > AGE) && !is_named(&key) {
            remove(&key, &path);
        }
    }
}

fn remove(key: &Key, path: &Path) {
    match fs::remove_dir_all(path) {
        Ok(()) => tracing::warn!(key = %key, "what the app had kept was removed: nothing has named it for 90 days"),
        Err(error) => tracing::warn!(key = %key, error = %error, "what the app had kept could not be removed"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn only_what_is_old_not_among_the_newest_and_of_no_app_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let now = SystemTime::now();
        let names = |from: usize, to: usize| (from..to).map(|number| format!("app-{number:02}")).collect::<Vec<_>>();
        // The higher the number, the older.
        for (number, name) in names(0, NEWEST + 5).into_iter().enumerate() {
            let path = home.all_kept().join(name);
            fs::create_dir_all(path.join("inside")).unwrap();
            let age = if number < 2 { Duration::ZERO } else { AGE } + Duration::from_secs(60 * (1 + number as u64));
            File::open(path).unwrap().set_modified(now - age).unwrap();
        }
        fs::write(home.all_kept().join("a person's"), "").unwrap();
        let left = || {
            let mut left: Vec<_> =
                fs::read_dir(home.all_kept()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            left.sort();
            left
        };
        clear(&home, now - AGE, |_| false);
        assert_eq!(left().len(), NEWEST + 6, "the clock was set back, and nothing is that old");
        clear(&home, now, |key| key.to_string() == format!("app-{}", NEWEST + 1));
        let mut expected = names(0, NEWEST);
        expected.push(format!("app-{}", NEWEST + 1));
        expected.insert(0, "a person's".to_owned());
        assert_eq!(left(), expected);
    }
}
