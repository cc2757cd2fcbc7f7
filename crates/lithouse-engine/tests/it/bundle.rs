// SPDX-License-Identifier: Apache-2.0
//! Bundles: what is unpacked, what is refused and how, and that a folder survives the way there and back.

mod pack;
mod unpack_tar;
mod unpack_zip;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use lithouse_engine::bundle::{ArchiveKind, DetectError, UnpackError, UnpackLimits, Unpacked, detect, unpack};
use lithouse_testkit::forge;
use tempfile::TempDir;

/// A folder with an archive in it and room beside it, to see whether anything but the target is touched.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn with(archive: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("archive"), archive).expect("the archive");
        fs::create_dir(folder.path().join("jail")).expect("the jail");
        fs::write(folder.path().join("jail/neighbour"), "untouched").expect("the neighbour");
        Self { folder }
    }

    fn archive(&self) -> PathBuf {
        self.folder.path().join("archive")
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("jail/root")
    }

    fn unpack(&self) -> Result<Unpacked, UnpackError> {
        self.unpack_within(&UnpackLimits::default())
    }

    fn unpack_within(&self, limits: &UnpackLimits) -> Result<Unpacked, UnpackError> {
        let kind = detect(&self.archive()).expect("a known kind");
        let mut before = tree(self.folder.path());
        let unpacked = unpack(&self.archive(), kind, &self.root(), limits);
        let mut after = tree(self.folder.path());
        if unpacked.is_ok() {
            before.remove("jail/root");
            after.retain(|path, _| path != "jail/root" && !path.starts_with("jail/root/"));
        }
        assert_eq!(before, after, "something outside of the target changed, or something was left of a failure");
        unpacked
    }

    /// Unpacks, and tells every file with its content.
    fn files(&self) -> BTreeMap<String, String> {
        self.unpack().expect("a good archive");
        files(&self.root())
    }

    fn refusal(&self) -> String {
        self.unpack().expect_err("a refusal").to_string()
    }
}

/// Everything beneath a folder: kind and mode, and the content of files. Folders' times are left out: they tell of what is in them.
fn tree(root: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("an entry").path();
            let metadata = path.symlink_metadata().expect("its metadata");
            let content = if metadata.is_file() { fs::read(&path).expect("its content") } else { Vec::new() };
            if metadata.is_dir() {
                pending.push(path.clone());
            }
            let name = path.strip_prefix(root).expect("beneath").to_string_lossy().into_owned();
            found.insert(name, (metadata.mode(), content));
        }
    }
    found
}

/// The files beneath a folder with their content; anything else than files and folders fails the test.
fn files(root: &Path) -> BTreeMap<String, String> {
    let plain = |(path, (mode, content)): (String, (u32, Vec<u8>))| match mode & 0o170_000 {
        0o100_000 => Some((path, String::from_utf8_lossy(&content).into_owned())),
        0o040_000 => None,
        other => panic!("`{path}` is neither file nor folder but {other:o}"),
    };
    tree(root).into_iter().filter_map(plain).collect()
}

fn mode(path: &Path) -> u32 {
    path.metadata().expect("metadata").permissions().mode() & 0o7777
}

fn names(files: &BTreeMap<String, String>) -> Vec<&str> {
    files.keys().map(String::as_str).collect()
}

/// Numbers that are the same in every run, which lets a failure be met again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits fit") % sides
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.roll(choices.len())]
    }
}

#[test]
fn the_kind_of_an_archive_is_told_by_its_content() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("misleading.tar.gz");
    let kind_of = |content: &[u8]| {
        fs::write(&path, content).expect("the file");
        detect(&path)
    };
    assert_eq!(kind_of(&forge::zip(&[forge::ZipEntry::file("app.py", "")])).expect("a zip"), ArchiveKind::Zip);
    assert_eq!(kind_of(&forge::tar(&[forge::tar_file("app.py", "")])).expect("a tar"), ArchiveKind::Tar);
    assert_eq!(kind_of(&forge::gz(b"whatever")).expect("a gzip file"), ArchiveKind::TarGz);
    assert!(matches!(kind_of(b"import streamlit"), Err(DetectError::NotAnArchive)));
    assert!(matches!(kind_of(b""), Err(DetectError::NotAnArchive)));
    assert!(matches!(kind_of(&[0; 4096]), Err(DetectError::NotAnArchive)));
    let seven = kind_of(b"7z\xbc\xaf\x27\x1c\0\x04").expect_err("no such kind").to_string();
    assert_eq!(seven, "the file is a 7z archive; send a `.zip` or a `.tar.gz`");
}

#[test]
fn a_target_with_something_in_it_is_refused_and_left_as_it_is() {
    let bench = Bench::with(&forge::zip(&[forge::ZipEntry::file("app.py", "")]));
    fs::create_dir(bench.root()).expect("the target");
    fs::write(bench.root().join("mine"), "").expect("a file in it");
    assert!(matches!(bench.unpack(), Err(UnpackError::NotFresh(_))));
    fs::remove_file(bench.root().join("mine")).expect("removed");
    assert_eq!(names(&bench.files()), ["app.py"]);
}

#[test]
fn a_target_that_is_a_link_is_refused() {
    let bench = Bench::with(&forge::zip(&[forge::ZipEntry::file("app.py", "")]));
    fs::create_dir(bench.folder.path().join("elsewhere")).expect("a folder");
    std::os::unix::fs::symlink("../elsewhere", bench.root()).expect("a link");
    assert!(matches!(bench.unpack(), Err(UnpackError::NotFresh(_))));
}

/// Names that try every way out, put together at random, in both formats, with every kind of entry.
#[test]
fn no_archive_touches_anything_outside_its_root() {
    const NAMES: [&str; 16] =
        ["app.py", "..", ".", "", "a", "b", "/", "neighbour", "..\\", "C:", "root", "jail", "\0", "App.py", "a.", "..."];
    const KINDS: [u8; 12] = [b'0', 0, b'1', b'2', b'3', b'4', b'5', b'6', b'7', b'S', b'L', b'Z'];
    const MODES: [u32; 7] = [0o100_644, 0o100_755, 0o120_777, 0o040_755, 0o010_644, 0o060_644, 0];
    let mut dice = Dice(7);
    let mut accepted = 0;
    for round in 0..600 {
        let mut zip = Vec::new();
        let mut tar = Vec::new();
        for _ in 0..=dice.roll(4) {
            let parts: Vec<&str> = (0..=dice.roll(4)).map(|_| dice.pick(&NAMES)).collect();
            let name = parts.join("/");
            zip.push(forge::ZipEntry { mode: dice.pick(&MODES), ..forge::ZipEntry::file(&name, "../../neighbour") });
            // Mostly files, for enough of the archives to be taken.
            let kind = if dice.roll(3) > 0 { b'0' } else { dice.pick(&KINDS) };
            tar.push(forge::tar_entry(&name, kind, b"../neighbour", "../neighbour"));
        }
        for archive in [forge::zip(&zip), forge::tar(&tar), forge::gz(&forge::tar(&tar))] {
            let bench = Bench::with(&archive);
            // That nothing outside changed is asserted by the bench; what is inside must be plain.
            let outcome = bench.unpack();
            if outcome.is_ok() {
                accepted += 1;
                files(&bench.root());
            }
            let blames_the_machine = outcome.as_ref().is_err_and(|error| !error.is_of_the_archive());
            assert!(!blames_the_machine, "round {round}: {outcome:?}");
        }
    }
    assert!(accepted > 100, "only {accepted} archives were taken, so little was tried");
}

/// Single bytes of good archives changed at random, and good archives cut at every place.
#[test]
fn no_damage_to_an_archive_does_more_than_fail() {
    let entries = ["app.py", "pages/one.py", "data.csv"];
    let zip = forge::zip(&entries.map(|name| forge::ZipEntry::deflated(name, &b"content ".repeat(40))));
    let tar = forge::tar(&entries.map(|name| forge::tar_file(name, "content")));
    let gz = forge::gz(&tar);
    let mut dice = Dice(11);
    // All of the tar but its second closing block, without which nothing of the content is missing.
    let tar_to_its_end = tar.len() - 512;
    for (whole, needed) in [(&zip, zip.len()), (&tar, tar_to_its_end), (&gz, gz.len())] {
        for _ in 0..250 {
            let mut damaged = whole.clone();
            let at = dice.roll(damaged.len());
            damaged[at] ^= 1 << dice.roll(8);
            let bench = Bench::with(&damaged);
            if detect(&bench.archive()).is_ok() && bench.unpack().is_ok() {
                files(&bench.root());
            }
        }
        for length in (100..needed).step_by(61) {
            let bench = Bench::with(&whole[..length]);
            let was_taken = detect(&bench.archive()).is_ok() && bench.unpack().is_ok();
            assert!(!was_taken, "an archive cut after {length} of {} bytes was taken", whole.len());
        }
    }
}
