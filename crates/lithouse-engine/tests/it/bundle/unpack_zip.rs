// SPDX-License-Identifier: Apache-2.0
//! Zips.

use std::fs;
use std::io::{Cursor, Write};
use std::process::Command;

use lithouse_engine::bundle::{UnpackError, UnpackLimits};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::{Bench, mode, names};
use lithouse_testkit::forge::{self, ZipEntry};

fn bench(entries: &[ZipEntry]) -> Bench {
    Bench::with(&forge::zip(entries))
}

#[test]
fn an_ordinary_zip_is_unpacked_with_plain_modes() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    writer.start_file("app.py", options.unix_permissions(0o600)).expect("a file");
    writer.write_all(b"import streamlit").expect("its content");
    writer.start_file("run.sh", options.unix_permissions(0o4777)).expect("a file");
    writer.add_directory("pages", options.unix_permissions(0o700)).expect("a folder");
    writer.start_file("pages/eins.py", options).expect("a file");
    writer.write_all("ä".repeat(100_000).as_bytes()).expect("its content");
    let bench = Bench::with(&writer.finish().expect("a zip").into_inner());

    let unpacked = bench.unpack().expect("a good archive");
    assert_eq!((unpacked.files, unpacked.bytes), (3, 200_016));
    assert_eq!(fs::read(bench.root().join("app.py")).expect("the app"), b"import streamlit");
    let modes = ["app.py", "run.sh", "pages", "pages/eins.py"].map(|name| mode(&bench.root().join(name)));
    assert_eq!(modes, [0o644, 0o755, 0o755, 0o644]);
}

/// Python's own writer, once in the usual way and once to a stream, where sizes stand behind the data.
#[test]
fn zips_that_python_writes_are_taken() {
    for target in ["sys.argv[1]", "io.BufferedWriter(Pipe(sys.argv[1], 'wb'))"] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("app.zip");
        let script = format!(
            "import io, sys, zipfile\n\
             class Pipe(io.FileIO):\n    def seekable(self): return False\n    def seek(self, *a): raise OSError\n    def tell(self): raise OSError\n\
             with zipfile.ZipFile({target}, 'w', zipfile.ZIP_DEFLATED) as z:\n    z.writestr('app.py', 'x = 1\\n' * 1000)\n    z.writestr('pages/ä.py', '')\n"
        );
        let status = Command::new("python3").arg("-c").arg(script).arg(&path).status().expect("python3 runs");
        assert!(status.success());
        assert_eq!(names(&Bench::with(&fs::read(&path).expect("the zip")).files()), ["app.py", "pages/ä.py"]);
    }
}

#[test]
fn names_that_lead_elsewhere_are_refused_with_the_name_and_the_reason() {
    for (name, reason) in [
        ("../evil.py", "leads upwards with `..`"),
        ("a/b/../../../evil.py", "leads upwards with `..`"),
        ("a/../b.py", "leads upwards with `..`"),
        ("/etc/cron.d/evil", "is absolute"),
        ("..\\\\evil.py", "has a backslash in it"),
        ("C:\\\\evil.py", "has a backslash in it"),
        ("evil\\0.py", "has a control character in it"),
        ("evil\\n.py", "has a control character in it"),
    ] {
        // As it stands here the name is escaped, in the way the message shows it.
        let raw = name.replace("\\0", "\0").replace("\\n", "\n").replace("\\\\", "\\");
        let refusal = bench(&[ZipEntry::file("app.py", ""), ZipEntry::file(&raw, "")]).refusal();
        assert_eq!(refusal, format!("the archive's entry `{name}` is refused: its name {reason}"));
    }
}

#[test]
fn names_that_are_no_utf8_are_refused_with_a_clear_message() {
    let latin = ZipEntry { name: b"caf\xe9.py".to_vec(), ..ZipEntry::file("", "") };
    assert_eq!(bench(&[latin]).refusal(), "the archive's entry `caf\u{fffd}.py` is refused: its name is not UTF-8");
}

#[test]
fn names_that_are_too_long_or_too_deep_are_refused() {
    let long = "x".repeat(300);
    assert!(bench(&[ZipEntry::file(&long, "")]).refusal().ends_with("its name has a part of more than 255 bytes"));
    let deep = "d/".repeat(32) + "x";
    assert!(bench(&[ZipEntry::file(&deep, "")]).refusal().ends_with("its name lies deeper than 32 folders"));
    let far =
        "abcdefgh/".repeat(20) + &"y".repeat(200) + "/" + &"z".repeat(250) + "/" + &"u".repeat(250) + "/" + &"v".repeat(250);
    assert!(bench(&[ZipEntry::file(&far, "")]).refusal().ends_with("its name is longer than 1024 bytes"));
}

#[test]
fn links_devices_and_fifos_are_refused_by_name() {
    for (mode, what) in [(0o120_777, "symbolic link"), (0o010_644, "FIFO"), (0o020_644, "device"), (0o060_644, "device")] {
        let entry = ZipEntry { mode, ..ZipEntry::file("data", "/etc/passwd") };
        let refusal = bench(&[ZipEntry::file("app.py", ""), entry]).refusal();
        assert!(refusal.contains("`data`") && refusal.contains(what), "{refusal}");
    }
}

#[test]
fn a_file_that_comes_twice_or_is_a_folder_too_is_refused() {
    let file = |name| ZipEntry::file(name, "");
    assert!(matches!(bench(&[file("a"), file("a")]).unpack(), Err(UnpackError::Duplicate { name }) if name == "a"));
    assert!(matches!(bench(&[file("a"), file("./a")]).unpack(), Err(UnpackError::Duplicate { .. })));
    assert!(matches!(bench(&[file("a"), file("a/b")]).unpack(), Err(UnpackError::FileAndFolder { name }) if name == "a"));
    assert!(matches!(bench(&[file("a/b"), file("a")]).unpack(), Err(UnpackError::FileAndFolder { .. })));
    assert!(matches!(bench(&[file("a"), file("a/")]).unpack(), Err(UnpackError::FileAndFolder { .. })));
    assert_eq!(names(&bench(&[file("d/"), file("d/"), file("d/x")]).files()), ["d/x"]);
}

#[test]
fn names_that_differ_in_case_alone_are_two_files() {
    let both = bench(&[ZipEntry::file("App.py", "1"), ZipEntry::file("app.py", "2")]).files();
    assert_eq!(both.into_iter().map(|(name, content)| name + &content).collect::<Vec<_>>(), ["App.py1", "app.py2"]);
}

#[test]
fn what_tools_leave_behind_is_skipped_even_where_it_would_be_refused() {
    let link = ZipEntry { mode: 0o120_777, ..ZipEntry::file("venv/bin/python", "/usr/bin/python3") };
    let files = bench(&[
        ZipEntry::file("app.py", ""),
        link,
        ZipEntry::file(".venv/pyvenv.cfg", ""),
        ZipEntry::file("__MACOSX/._app.py", ""),
        ZipEntry::file(".DS_Store", ""),
        ZipEntry::file("pages/__pycache__/x.pyc", ""),
        ZipEntry::file(".git/config", ""),
        ZipEntry::file(".gitignore", ""),
        ZipEntry::file(".streamlit/config.toml", ""),
    ])
    .files();
    assert_eq!(names(&files), [".gitignore", ".streamlit/config.toml", "app.py"]);
}

#[test]
fn a_single_folder_with_the_entry_file_in_it_is_taken_off() {
    let github =
        bench(&[ZipEntry::file("app-main/", ""), ZipEntry::file("app-main/app.py", "x"), ZipEntry::file("app-main/p/q", "")]);
    assert_eq!(names(&github.files()), ["app.py", "p/q"]);
    let finder = bench(&[ZipEntry::file("shop/Home.py", ""), ZipEntry::file("__MACOSX/shop/._Home.py", "")]);
    assert_eq!(names(&finder.files()), ["Home.py"]);
    let of_own_name =
        bench(&[ZipEntry::file("shop/app.py", ""), ZipEntry::file("shop/shop/a", ""), ZipEntry::file("shop/.lifting-0", "")]);
    assert_eq!(names(&of_own_name.files()), [".lifting-0", "app.py", "shop/a"]);
}

#[test]
fn a_single_folder_stays_without_an_entry_file_in_it_or_with_a_file_beside_it() {
    let package = bench(&[ZipEntry::file("data/a.csv", ""), ZipEntry::file("data/b.csv", "")]);
    assert_eq!(names(&package.files()), ["data/a.csv", "data/b.csv"]);
    let beside = bench(&[ZipEntry::file("pages/app.py", ""), ZipEntry::file("readme", "")]);
    assert_eq!(names(&beside.files()), ["pages/app.py", "readme"]);
}

#[test]
fn an_archive_without_a_file_is_refused() {
    assert!(matches!(bench(&[]).unpack(), Err(UnpackError::Empty)));
    assert!(matches!(bench(&[ZipEntry::file("a/", ""), ZipEntry::file(".DS_Store", "")]).unpack(), Err(UnpackError::Empty)));
}

#[test]
fn an_encrypted_zip_is_named_as_such() {
    let secret = ZipEntry { flags: 1, ..ZipEntry::file("app.py", "0123456789abc") };
    assert_eq!(bench(&[secret]).refusal(), "the archive's entry `app.py` is encrypted; send an archive without a password");
}

#[test]
fn an_unusual_compression_is_named_as_such() {
    let bzip2 = ZipEntry { method: 12, ..ZipEntry::file("app.py", "BZh9") };
    assert!(matches!(bench(&[bzip2]).unpack(), Err(UnpackError::Compression { name }) if name == "app.py"));
}

#[test]
fn a_part_of_a_split_zip_is_named_as_such() {
    let whole = forge::zip(&[ZipEntry::file("app.py", "")]);
    let last = [&whole[..whole.len() - 22], &forge::zip_end(2, 1, 52, 36)].concat();
    assert!(matches!(Bench::with(&last).unpack(), Err(UnpackError::MultiPart)));
}

#[test]
fn a_zip_that_was_cut_off_is_named_as_such() {
    let whole = forge::zip(&[ZipEntry::deflated("app.py", &b"content ".repeat(1000))]);
    for length in [31, 60, whole.len() - 30, whole.len() - 1] {
        assert!(matches!(Bench::with(&whole[..length]).unpack(), Err(UnpackError::Truncated)), "cut at {length}");
    }
}

#[test]
fn a_wrong_checksum_is_named_with_the_file() {
    for entry in [ZipEntry::file("app.py", "import streamlit"), ZipEntry::deflated("app.py", b"import streamlit")] {
        let wrong = ZipEntry { checksum: entry.checksum ^ 1, ..entry };
        assert!(matches!(bench(&[wrong]).unpack(), Err(UnpackError::Checksum { name }) if name == "app.py"));
    }
}

#[test]
fn an_entry_that_the_directory_names_otherwise_is_refused() {
    let mut archive = forge::zip(&[ZipEntry::file("app.py", "import streamlit")]);
    archive[30..36].copy_from_slice(b"xpp.py");
    assert!(matches!(Bench::with(&archive).unpack(), Err(UnpackError::Disagrees { name }) if name == "app.py"));
}

#[test]
fn sizes_that_lie_are_not_believed() {
    let five_megabytes = ZipEntry::deflated("app.py", &vec![b'x'; 5_000_000]);
    let says_ten_bytes = ZipEntry { size: 10, ..five_megabytes.clone() };
    assert!(matches!(bench(&[says_ten_bytes]).unpack(), Err(UnpackError::Damaged(_))));
    let small = UnpackLimits { bytes: 4_999_999, ..UnpackLimits::default() };
    assert!(matches!(bench(&[five_megabytes]).unpack_within(&small), Err(UnpackError::TooLarge { limit: 4_999_999 })));
}

#[test]
fn a_zip_of_ten_gigabytes_of_zeros_is_ended_early() {
    let bomb =
        ZipEntry { stored: forge::deflated_zeros(10 << 10), method: 8, size: u32::MAX - 1, ..ZipEntry::file("app.py", "") };
    let bench = bench(&[bomb]);
    assert!(bench.archive().metadata().expect("metadata").len() < 20 << 20);
    let within_64_mib = UnpackLimits { bytes: 64 << 20, ..UnpackLimits::default() };
    assert!(matches!(bench.unpack_within(&within_64_mib), Err(UnpackError::TooLarge { .. })));
    // Without a limit for the size, the ratio ends it.
    let by_ratio = UnpackLimits { bytes: u64::MAX, ratio: 5, ..UnpackLimits::default() };
    assert!(matches!(bench.unpack_within(&by_ratio), Err(UnpackError::TooDense { limit: 5 })));
}

#[test]
fn entries_that_share_their_data_count_each_time() {
    // One piece of data that every entry of the directory points to.
    let shared = ZipEntry {
        stored: forge::deflated_zeros(1),
        method: 8,
        size: 1 << 20,
        checksum: forge::checksum(&vec![0; 1 << 20]),
        ..ZipEntry::file("f000", "")
    };
    let mut archive = forge::zip(std::slice::from_ref(&shared));
    archive.truncate(archive.len() - 22 - shared.central(0).len());
    let at = forge::length(&archive);
    let directory: Vec<u8> =
        (0..200).flat_map(|n| ZipEntry { name: format!("f{n:03}").into_bytes(), ..shared.clone() }.central(0)).collect();
    archive.extend(&directory);
    archive.extend(forge::zip_end(0, 200, forge::length(&directory), at));
    // All but one are called otherwise by the directory.
    assert!(matches!(Bench::with(&archive).unpack(), Err(UnpackError::Disagrees { name }) if name == "f001"));
    let overlapping = Bench::with(&forge::overlapping_zip(200));
    assert!(matches!(overlapping.unpack(), Err(UnpackError::TooDense { limit: 200 })));
    assert_eq!(names(&Bench::with(&forge::overlapping_zip(2)).files()), ["f000", "f001"]);
}

#[test]
fn a_million_entries_are_refused_before_any_is_read() {
    const ENTRIES: u64 = 1_000_000;
    let entry = ZipEntry::file("0000000", "");
    let mut archive = forge::zip(std::slice::from_ref(&entry));
    archive.truncate(37);
    let directory: Vec<u8> =
        (0..ENTRIES).flat_map(|n| ZipEntry { name: format!("{n:07}").into_bytes(), ..entry.clone() }.central(0)).collect();
    let directory_size = directory.len() as u64;
    archive.extend(directory);
    // So many need the record of zip64, and the one that points to it.
    let record_at = archive.len() as u64;
    archive.extend(b"PK\x06\x06");
    archive.extend(44_u64.to_le_bytes());
    archive.extend([45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for number in [ENTRIES, ENTRIES, directory_size, 37] {
        archive.extend(number.to_le_bytes());
    }
    archive.extend(b"PK\x06\x07\0\0\0\0");
    archive.extend(record_at.to_le_bytes());
    archive.extend(1_u32.to_le_bytes());
    archive.extend(forge::zip_end(0, u16::MAX, u32::MAX, u32::MAX));
    let bench = Bench::with(&archive);
    assert!(matches!(bench.unpack(), Err(UnpackError::TooMany { limit: 20_000 })));
}

#[test]
fn the_limit_of_files_counts_folders_too() {
    let within = |files| UnpackLimits { files, ..UnpackLimits::default() };
    let bench = bench(&[ZipEntry::file("a/b/c.py", ""), ZipEntry::file("a/b/d.py", "")]);
    assert!(matches!(bench.unpack_within(&within(3)), Err(UnpackError::TooMany { limit: 3 })));
    assert_eq!(bench.unpack_within(&within(4)).expect("just enough").files, 2);
}

#[test]
fn too_many_files_are_refused_by_the_directory_before_any_is_unpacked() {
    let damaged = ZipEntry { checksum: 1, ..ZipEntry::file("a.py", "x = 1\n") };
    let skipped = ZipEntry::file(".git/config", "");
    let bench = bench(&[damaged, skipped, ZipEntry::file("b.py", ""), ZipEntry::file("c.py", "")]);
    let within = |files| UnpackLimits { files, ..UnpackLimits::default() };
    assert!(matches!(bench.unpack_within(&within(2)), Err(UnpackError::TooMany { limit: 2 })));
    assert!(matches!(bench.unpack_within(&within(3)), Err(UnpackError::Checksum { name }) if name == "a.py"));
}
