// SPDX-License-Identifier: Apache-2.0
//! Tars, compressed or not.

use std::fs;
use std::process::Command;

use lithouse_engine::bundle::{UnpackError, UnpackLimits};

use super::{Bench, mode, names};
use lithouse_testkit::forge::{self, tar_entry, tar_entry_sized, tar_file};

fn bench(entries: &[Vec<u8>]) -> Bench {
    Bench::with(&forge::tar(entries))
}

/// A record of an extended header, which begins with its own length.
fn record(key: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len() + 1;
    while length != length.to_string().len() + rest.len() {
        length += 1;
    }
    format!("{length}{rest}").into_bytes()
}

#[test]
fn what_the_tar_command_writes_is_taken_in_each_of_its_formats() {
    for format in ["gnu", "ustar", "pax", "v7"] {
        for (flag, at_top) in [("-cf", "."), ("-czf", "app")] {
            let folder = tempfile::tempdir().expect("a folder");
            let long = "p".repeat(if format == "v7" { 40 } else { 90 });
            let deep = folder.path().join("app").join(&long);
            fs::create_dir_all(&deep).expect("a folder");
            fs::write(folder.path().join("app/app.py"), "import streamlit").expect("a file");
            let name = format!("{}.py", "n".repeat(if format == "v7" { 30 } else { 90 }));
            fs::write(deep.join(&name), "x".repeat(1000)).expect("a file");
            let status = Command::new("tar")
                .arg(format!("--format={format}"))
                .arg("-C")
                .arg(folder.path())
                .arg(flag)
                .arg(folder.path().join("app.tar"))
                .args(["--exclude=app.tar", at_top])
                .status()
                .expect("tar runs");
            assert!(status.success());
            let bench = Bench::with(&fs::read(folder.path().join("app.tar")).expect("the tar"));
            let files = bench.files();
            assert_eq!(names(&files), ["app.py".to_owned(), format!("{long}/{name}")], "{format} {at_top}");
            assert_eq!(files["app.py"], "import streamlit");
        }
    }
}

/// As `git archive` does, and as tools do that keep more about a file than a tar has room for.
#[test]
fn remarks_on_the_archive_and_on_entries_are_passed_over() {
    let entries = [
        tar_entry("pax_global_header", b'g', &record("comment", "0123abc"), ""),
        tar_entry("x", b'x', &[record("mtime", "1.5"), record("LIBARCHIVE.xattr.user.a", "b")].concat(), ""),
        tar_file("app.py", "content"),
        tar_entry("././@LongLink", b'K', b"/a/long/target\0", ""),
        tar_entry("venv/link", b'2', b"", "/a/long"),
        tar_entry("x", b'x', &record("path", "pages/ä.py"), ""),
        tar_file("pages/a.py", ""),
    ];
    assert_eq!(names(&bench(&entries).files()), ["app.py", "pages/ä.py"]);
}

#[test]
fn modes_are_plain_whatever_the_archive_says() {
    let mut executable = tar_file("run.sh", "");
    executable[100..107].copy_from_slice(b"0004711");
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes().copy_from_slice(&executable);
    header.set_cksum();
    let bench = bench(&[tar_file("app.py", ""), header.as_bytes().to_vec(), tar_entry("pages", b'5', b"", "")]);
    bench.unpack().expect("a good archive");
    assert_eq!(["app.py", "run.sh", "pages"].map(|name| mode(&bench.root().join(name))), [0o644, 0o755, 0o755]);
}

#[test]
fn names_that_lead_elsewhere_are_refused_wherever_they_stand() {
    let upwards = |bench: Bench| {
        let refusal = bench.refusal();
        assert!(refusal.contains("evil.py") && refusal.ends_with("leads upwards with `..`"), "{refusal}");
    };
    upwards(bench(&[tar_file("../evil.py", "")]));
    upwards(bench(&[tar_file("a/../../evil.py", "")]));
    upwards(bench(&[tar_entry("././@LongLink", b'L', b"../evil.py\0", ""), tar_file("app.py", "")]));
    upwards(bench(&[tar_entry("x", b'x', &record("path", "../evil.py"), ""), tar_file("app.py", "")]));
    let mut prefixed = tar_file("evil.py", "");
    prefixed[345..347].copy_from_slice(b"..");
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes().copy_from_slice(&prefixed);
    header.set_cksum();
    upwards(bench(&[header.as_bytes().to_vec()]));
    assert!(bench(&[tar_file("/etc/evil.py", "")]).refusal().ends_with("is absolute"));
}

#[test]
fn links_devices_fifos_and_sparse_files_are_refused_by_name() {
    for (kind, what) in [
        (b'1', "hard link"),
        (b'2', "symbolic link"),
        (b'3', "device"),
        (b'4', "device"),
        (b'6', "FIFO"),
        (b'S', "sparse file"),
        (b'V', "thing of unknown kind"),
    ] {
        let refusal = bench(&[tar_file("app.py", ""), tar_entry("data", kind, b"", "/etc/passwd")]).refusal();
        assert!(refusal.contains("`data`") && refusal.contains(what), "{refusal}");
    }
    let sparse = [tar_entry("x", b'x', &record("GNU.sparse.major", "1"), ""), tar_file("data", "")];
    assert!(bench(&sparse).refusal().contains("sparse file"));
}

#[test]
fn the_link_and_then_a_file_through_it_writes_nothing_outside() {
    let bench = bench(&[tar_entry("out", b'2', b"", "../.."), tar_file("out/evil.py", "")]);
    assert!(matches!(bench.unpack(), Err(UnpackError::Link { name, .. }) if name == "out"));
}

#[test]
fn a_virtual_environment_with_its_links_is_skipped() {
    let link = tar_entry("./venv/bin/python", b'2', b"", "/usr/bin/python3");
    let files =
        bench(&[tar_file("./app.py", "x"), tar_entry("./venv/", b'5', b"", ""), link, tar_file("./venv/big", "y")]).files();
    assert_eq!(names(&files), ["app.py"]);
}

#[test]
fn a_file_that_comes_twice_is_refused() {
    assert!(matches!(bench(&[tar_file("a", "1"), tar_file("./a", "2")]).unpack(), Err(UnpackError::Duplicate { .. })));
    assert!(matches!(bench(&[tar_file("a", ""), tar_file("a/b", "")]).unpack(), Err(UnpackError::FileAndFolder { .. })));
}

#[test]
fn an_archive_that_was_cut_off_is_named_as_such() {
    let tar = forge::tar(&[tar_file("app.py", &"x".repeat(2000)), tar_file("b.py", "y")]);
    // In the content, in a header, between entries where nothing seems to miss, before the end mark.
    for length in [700, 2700, 2560, 3584] {
        assert!(matches!(Bench::with(&tar[..length]).unpack(), Err(UnpackError::Truncated)), "cut at {length}");
    }
    let gz = forge::gz(&tar);
    for length in [30, gz.len() / 2, gz.len() - 1] {
        assert!(matches!(Bench::with(&gz[..length]).unpack(), Err(UnpackError::Truncated)), "cut at {length}");
    }
}

#[test]
fn a_gzip_checksum_that_does_not_match_is_damage() {
    let mut gz = forge::gz(&forge::tar(&[tar_file("app.py", "x")]));
    let at = gz.len() - 6;
    gz[at] ^= 1;
    assert!(matches!(Bench::with(&gz).unpack(), Err(UnpackError::Damaged(_))));
}

#[test]
fn a_compressed_file_that_is_no_tar_is_named_as_such() {
    assert!(matches!(Bench::with(&forge::gz(b"import streamlit")).unpack(), Err(UnpackError::Truncated | UnpackError::NotATar)));
    assert!(matches!(Bench::with(&forge::gz(&b"import streamlit\n".repeat(100))).unpack(), Err(UnpackError::NotATar)));
    assert!(matches!(Bench::with(&forge::gz(b"")).unpack(), Err(UnpackError::NotATar)));
}

#[test]
fn sizes_that_lie_are_not_believed() {
    let more_than_there_is = tar_entry_sized(b"app.py", b'0', b"x", "", b"00000100000");
    assert!(matches!(bench(&[more_than_there_is]).unpack(), Err(UnpackError::Truncated)));
    let no_number = tar_entry_sized(b"app.py", b'0', b"x", "", b"zzzzzzzzzzz");
    assert!(matches!(bench(&[no_number]).unpack(), Err(UnpackError::Damaged(_))));
    let huge = tar_entry_sized(b"app.py", b'0', b"x", "", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    assert!(matches!(bench(&[huge]).unpack(), Err(UnpackError::Truncated | UnpackError::Damaged(_))));
    let two_sizes = [tar_entry("x", b'x', &record("size", "5000"), ""), tar_file("app.py", "x")];
    assert!(matches!(bench(&two_sizes).unpack(), Err(UnpackError::Damaged(_))));
}

#[test]
fn a_long_name_without_end_is_not_read_into_memory() {
    let claims_8_gib = tar_entry_sized(b"././@LongLink", b'L', b"x", "", b"77777777777");
    assert!(bench(&[claims_8_gib]).refusal().ends_with("is longer than 1024 bytes"));
    let extension = tar_entry_sized(b"x", b'x', b"x", "", b"77777777777");
    assert!(matches!(bench(&[extension]).unpack(), Err(UnpackError::Damaged(_))));
}

#[test]
fn a_compressed_tar_of_zeros_is_ended_early_kept_or_skipped() {
    for name in ["app.py", "venv/big"] {
        let header = tar_entry_sized(name.as_bytes(), b'0', b"", "", b"77777777777");
        // A gzip member with the header, and one that never seems to end.
        let zeros = forge::deflated_zeros(2 << 10);
        let bomb = [forge::gz(&header), b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec(), zeros].concat();
        let outcome = Bench::with(&bomb).unpack_within(&UnpackLimits { bytes: u64::MAX, ratio: 20, ..UnpackLimits::default() });
        assert!(matches!(outcome, Err(UnpackError::TooDense { limit: 20 })), "{name}: {outcome:?}");
    }
}

#[test]
fn too_many_entries_are_refused_kept_or_skipped() {
    let within = UnpackLimits { files: 100, ..UnpackLimits::default() };
    let kept: Vec<_> = (0..101).map(|n| tar_file(&format!("f{n}"), "")).collect();
    assert!(matches!(bench(&kept).unpack_within(&within), Err(UnpackError::TooMany { limit: 100 })));
    let skipped: Vec<_> = (0..1001).map(|n| tar_file(&format!("venv/f{n}"), "")).collect();
    assert!(matches!(bench(&skipped).unpack_within(&within), Err(UnpackError::TooMany { limit: 100 })));
}
