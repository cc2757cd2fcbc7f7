// SPDX-License-Identifier: Apache-2.0
//! Pages of `docs/reference` that are made of what stands in the code, held equal to it.

use std::path::Path;

/// Fails where the page is not what it is made of now; `UPDATE_SNAPSHOTS=1` writes it anew.
#[track_caller]
pub(crate) fn assert_generated(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let stale = page.lines().zip(written.lines()).find(|(made, written)| made != written);
    assert!(page == written, "`{}` differs, first in {stale:?}; UPDATE_SNAPSHOTS=1 writes it anew", path.display());
}
