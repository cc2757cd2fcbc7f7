// SPDX-License-Identifier: Apache-2.0
//! Texts that are frozen in files; `UPDATE_SNAPSHOTS=1` freezes them anew.

use std::fs;
use std::path::Path;

/// The text is what the file says.
pub(crate) fn assert_frozen(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots").join(name);
    // Help pages leave blanks on empty lines, which no editor keeps.
    let text: String = text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
    }
    let frozen = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, frozen, "`{}` differs; UPDATE_SNAPSHOTS=1 takes the new text", path.display());
}
