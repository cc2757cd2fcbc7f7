// SPDX-License-Identifier: Apache-2.0
//! Inputs of the fuzz targets, run once more: what they begin with, and what they have ever found.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Runs a fuzz target over its seeds and over what it has found. Panics with the first file that it does not take, and where
/// there is no seed.
pub fn replay(target: &str, body: fn(&[u8])) {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let (seeds, found) = (inputs(&fuzz.join("seeds").join(target)), inputs(&fuzz.join("found").join(target)));
    assert!(!seeds.is_empty(), "the fuzz target `{target}` has no seed");
    for path in seeds.into_iter().chain(found) {
        let input = std::fs::read(&path).unwrap_or_default();
        let taken = catch_unwind(AssertUnwindSafe(|| body(&input)));
        assert!(taken.is_ok(), "the fuzz target `{target}` does not take `{}`", path.display());
    }
}

/// The files of a folder, in the order of their names; none where there is no such folder.
fn inputs(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
