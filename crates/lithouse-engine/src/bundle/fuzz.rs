// SPDX-License-Identifier: Apache-2.0
//! What holds of every archive: it is unpacked within its folder and its limits, or refused and nothing is left of it.
#![expect(clippy::expect_used, reason = "a target fails by panicking, and what it works with must be there")]

mod recipe;
mod tar;
mod zip;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{ArchiveKind, FilePath, UnpackLimits, detect, find_entry, unpack};
use crate::fuzz::lab;

/// Small, so that they are met.
const LIMITS: UnpackLimits = UnpackLimits { bytes: 48 << 10, files: 24, ratio: 30, ratio_free_bytes: 16 << 10 };

/// Beside the archive, to be found untouched.
const CANARY: &str = "canary";

/// Unpacks a zip: as it comes, or, where the input begins with a NUL, one that is made by what the input says.
pub fn archive_zip(input: &[u8]) {
    match input.split_first() {
        Some((0, rest)) => unpacked(&zip::made(rest), |kind| kind == ArchiveKind::Zip),
        _ => unpacked(input, |kind| kind == ArchiveKind::Zip),
    }
}

/// Unpacks a tar: as it comes; or, by the first byte, one that is made by what the input says (0), one whose checksums are put right
/// (1), and the latter two compressed (2, 3).
pub fn archive_tar(input: &[u8]) {
    let archive = match input.split_first() {
        Some((0, rest)) => tar::made(rest),
        Some((1, rest)) => tar::with_checksums(rest),
        Some((2, rest)) => tar::compressed(&tar::with_checksums(rest)),
        Some((3, rest)) => tar::compressed(&tar::made(rest)),
        _ => input.to_vec(),
    };
    unpacked(&archive, |kind| kind != ArchiveKind::Zip);
}

fn unpacked(archive: &[u8], is_wanted: fn(ArchiveKind) -> bool) {
    let lab = lab();
    let (file, into, canary) = (lab.path().join("archive"), lab.path().join("into"), lab.path().join(CANARY));
    fs::write(&file, archive).expect("a file");
    let Some(kind) = detect(&file).ok().filter(|kind| is_wanted(*kind)) else { return };
    fs::write(&canary, CANARY).expect("a file");
    match unpack(&file, kind, &into, &LIMITS) {
        Ok(unpacked) => {
            let mut seen = Seen::default();
            look(&into, &into, &mut seen);
            // A folder that held everything has given way to its content.
            assert!(seen.files + seen.folders <= LIMITS.files, "{seen:?}");
            assert_eq!((seen.files, seen.bytes), (unpacked.files, unpacked.bytes), "{seen:?}");
            assert!(unpacked.files > 0 && unpacked.bytes <= LIMITS.bytes, "{unpacked:?}");
            let allowed = (archive.len() as u64 * LIMITS.ratio).max(LIMITS.ratio_free_bytes);
            assert!(unpacked.bytes <= allowed, "{unpacked:?} of {}", archive.len());
            if let Some(entry) = find_entry(&into) {
                assert!(into.join(entry).is_file());
            }
        }
        Err(error) => {
            assert!(!into.exists(), "{error}");
            assert!(error.is_of_the_archive(), "{error:?}");
            let words = error.to_string();
            assert!(!words.chars().any(char::is_control) && words.len() < 2500, "{words:?}");
        }
    }
    assert_eq!(fs::read(&canary).ok().as_deref(), Some(CANARY.as_bytes()));
    assert_eq!(fs::read(&file).ok().as_deref(), Some(archive));
    let mut beside: Vec<_> = names(lab.path());
    beside.retain(|name| name != "into");
    beside.sort();
    assert_eq!(beside, ["archive", CANARY]);
}

#[derive(Debug, Default)]
struct Seen {
    files: u64,
    folders: u64,
    bytes: u64,
}

fn look(root: &Path, folder: &Path, seen: &mut Seen) {
    for name in names(folder) {
        let path = folder.join(name);
        let facts = path.symlink_metadata().expect("it is there");
        let inner = path.strip_prefix(root).ok().and_then(Path::to_str).expect("a path of text");
        let parsed: FilePath = inner.parse().expect("a path that could be asked for");
        let skipped = ["__MACOSX", ".DS_Store", "__pycache__", ".git", ".venv", "venv"];
        assert!(!parsed.names().any(|name| skipped.contains(&name)), "{inner}");
        let mode = facts.permissions().mode() & 0o7777;
        if facts.is_dir() {
            assert_eq!(mode, 0o755, "{inner}");
            seen.folders += 1;
            look(root, &path, seen);
        } else {
            assert!(facts.is_file(), "{inner} is neither a file nor a folder");
            assert!(matches!(mode, 0o644 | 0o755), "{inner} has the mode {mode:o}");
            seen.files += 1;
            seen.bytes += facts.len();
        }
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name of text")).collect()
}
