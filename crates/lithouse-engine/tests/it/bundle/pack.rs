// SPDX-License-Identifier: Apache-2.0
//! Packing a folder, and the way there and back.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use lithouse_engine::bundle::{PackError, Packed, UnpackLimits, pack_tar_gz};
use tempfile::TempDir;

use super::{Bench, mode, names};

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        put(folder.path(), name, content);
    }
    folder
}

fn put(root: &Path, name: &str, content: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, content).expect("a file");
}

fn pack(folder: &Path) -> Result<(Packed, Vec<u8>), PackError> {
    let mut archive = Vec::new();
    pack_tar_gz(folder, &mut archive, &UnpackLimits::default()).map(|packed| (packed, archive))
}

fn packed_names(folder: &Path) -> (Vec<String>, Vec<String>) {
    let (packed, archive) = pack(folder).expect("packed");
    let files = Bench::with(&archive).files();
    (names(&files).into_iter().map(str::to_owned).collect(), packed.skipped)
}

#[test]
fn a_folder_comes_out_as_it_went_in() {
    let long = format!("{}/{}.py", "f".repeat(120), "n".repeat(200));
    let from =
        folder(&[("app.py", "import streamlit"), ("pages/1_📈.py", ""), (&long, "far"), (".streamlit/config.toml", "[server]")]);
    put(from.path(), "run.sh", "#!/bin/sh");
    fs::set_permissions(from.path().join("run.sh"), fs::Permissions::from_mode(0o700)).expect("a mode");
    fs::create_dir(from.path().join("empty")).expect("a folder");

    let (packed, archive) = pack(from.path()).expect("packed");
    assert_eq!((packed.files, packed.bytes, packed.skipped.len()), (5, 36, 0));
    let bench = Bench::with(&archive);
    let files = bench.files();
    assert_eq!(files, super::files(from.path()));
    assert!(bench.root().join("empty").is_dir());
    assert_eq!(mode(&bench.root().join("run.sh")), 0o755);
}

#[test]
fn the_same_files_give_the_same_bytes() {
    let files = [("app.py", "1"), ("b/x", "2"), ("b/y", "3"), ("a/z", "4")];
    let (first, second) = (folder(&files), folder(&[files[2], files[3], files[0], files[1]]));
    assert_eq!(pack(first.path()).expect("packed").1, pack(second.path()).expect("packed").1);
}

#[test]
fn what_does_not_belong_to_the_app_stays_behind_and_is_told() {
    let from = folder(&[
        ("app.py", ""),
        (".git/config", ""),
        ("venv/pyvenv.cfg", ""),
        (".venv/x", ""),
        ("myenv/pyvenv.cfg", ""),
        ("node_modules/x", ""),
        ("pages/__pycache__/x.pyc", ""),
        ("data/lithouse.db", ""),
        (".DS_Store", ""),
    ]);
    let (kept, skipped) = packed_names(from.path());
    assert_eq!(kept, ["app.py"]);
    assert_eq!(skipped, [".DS_Store", ".git/", ".venv/", "data/", "myenv/", "node_modules/", "pages/__pycache__/", "venv/"]);
}

#[test]
fn a_data_folder_of_the_app_itself_is_packed() {
    assert_eq!(packed_names(folder(&[("app.py", ""), ("data/sales.csv", "")]).path()).0, ["app.py", "data/sales.csv"]);
}

#[test]
fn ignore_files_count_and_ours_counts_more() {
    let from = folder(&[
        ("app.py", ""),
        (".gitignore", "*.csv\n/secret/\n!keep.csv\n"),
        (".lithouseignore", "notes/*\n!notes/shown.md\n!model.csv\n"),
        ("a.csv", ""),
        ("keep.csv", ""),
        ("model.csv", ""),
        ("secret/key", ""),
        ("sub/secret/key", ""),
        ("sub/.gitignore", "*.log"),
        ("sub/x.log", ""),
        ("x.log", ""),
        ("notes/hidden.md", ""),
        ("notes/shown.md", ""),
    ]);
    let (kept, skipped) = packed_names(from.path());
    assert_eq!(
        kept,
        [
            ".gitignore",
            ".lithouseignore",
            "app.py",
            "keep.csv",
            "model.csv",
            "notes/shown.md",
            "sub/.gitignore",
            "sub/secret/key",
            "x.log"
        ]
    );
    assert_eq!(skipped, ["a.csv", "notes/hidden.md", "secret/", "sub/x.log"]);
}

#[test]
fn the_rules_of_the_repository_around_it_count_and_those_of_a_home_folder_do_not() {
    let repository =
        folder(&[(".git/HEAD", ""), (".gitignore", ".env\n"), ("apps/shop/app.py", ""), ("apps/shop/.env", "KEY=1")]);
    assert_eq!(packed_names(&repository.path().join("apps/shop")).0, ["app.py"]);
    let home = folder(&[(".gitignore", "*\n"), ("shop/app.py", "")]);
    assert_eq!(packed_names(&home.path().join("shop")).0, ["app.py"]);
}

#[test]
fn links_within_the_folder_are_packed_as_what_they_point_to() {
    let from = folder(&[("app.py", ""), ("shared/x.csv", "1,2")]);
    symlink("shared/x.csv", from.path().join("link.csv")).expect("a link");
    symlink("shared", from.path().join("folder")).expect("a link");
    assert_eq!(packed_names(from.path()).0, ["app.py", "folder/x.csv", "link.csv", "shared/x.csv"]);
}

#[test]
fn links_that_lead_outside_nowhere_or_round_are_refused_by_name() {
    let refusal_of = |target: &str| {
        let from = folder(&[("app.py", ""), ("pages/x.py", "")]);
        symlink(target, from.path().join("pages/link")).expect("a link");
        pack(from.path()).expect_err("a refusal")
    };
    assert!(matches!(refusal_of("/etc/passwd"), PackError::LinkOutside { name } if name == "pages/link"));
    assert!(matches!(refusal_of("../../../../../../etc"), PackError::LinkOutside { .. }));
    assert!(matches!(refusal_of("nowhere"), PackError::LinkBroken { name } if name == "pages/link"));
    assert!(matches!(refusal_of(".."), PackError::LinkLoop { name } if name == "pages/link"));
    assert!(matches!(refusal_of("link"), PackError::LinkBroken { .. }));
}

#[test]
fn links_that_are_left_out_may_lead_anywhere() {
    let from = folder(&[("app.py", ""), (".lithouseignore", "big")]);
    symlink("/nowhere", from.path().join("big")).expect("a link");
    symlink("/", from.path().join("venv")).expect("a link");
    assert_eq!(packed_names(from.path()).1, ["big", "venv/"]);
}

#[test]
fn sockets_and_fifos_stay_behind() {
    let from = folder(&[("app.py", "")]);
    let _listener = std::os::unix::net::UnixListener::bind(from.path().join("a.sock")).expect("a socket");
    assert_eq!(packed_names(from.path()), (vec!["app.py".to_owned()], vec!["a.sock".to_owned()]));
}

#[test]
fn names_that_a_server_refuses_are_refused_here() {
    let from = folder(&[("app.py", ""), ("a\\b", "")]);
    let refusal = pack(from.path()).expect_err("a refusal").to_string();
    assert_eq!(refusal, "`a\\\\b` cannot be packed: its name has a backslash in it; rename it, or list it in `.lithouseignore`");
}

#[test]
fn more_than_a_server_takes_is_told_at_once() {
    let from = folder(&[("app.py", "0123456789"), ("b.py", "0123456789")]);
    let within =
        |files, bytes| pack_tar_gz(from.path(), std::io::sink(), &UnpackLimits { files, bytes, ..UnpackLimits::default() });
    assert!(matches!(within(1, 100), Err(PackError::TooMany { limit: 1 })));
    assert!(matches!(within(9, 19), Err(PackError::TooLarge { limit: 19 })));
    assert_eq!(within(2, 20).expect("just enough").files, 2);
}

#[test]
fn a_target_that_cannot_be_written_is_told() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::from(std::io::ErrorKind::StorageFull))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let from = folder(&[("app.py", "x")]);
    assert!(matches!(pack_tar_gz(from.path(), Full, &UnpackLimits::default()), Err(PackError::Write(_))));
    assert!(matches!(pack(&from.path().join("app.py")), Err(PackError::NotAFolder(_))));
    assert!(matches!(pack(&from.path().join("nowhere")), Err(PackError::Read { .. })));
}
