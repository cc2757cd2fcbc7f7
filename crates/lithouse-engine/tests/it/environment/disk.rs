// SPDX-License-Identifier: Apache-2.0
//! Disks that are full or cannot be written.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use lithouse_engine::environment::{BuildLog, Environments, PrepareError, Source};
use lithouse_engine::home::Home;

use super::lab::{entries, settings};

/// A small file system of its own, unmounted at the end.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    /// None where mounting is not allowed.
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let options = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path()).output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self { folder });
        }
        let _ = writeln!(std::io::stderr(), "skipped: mounting a small disk needs root");
        None
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn remount(&self, option: &str) {
        let done = Command::new("mount").args(["-o", &format!("remount,{option}")]).arg(self.path()).output().expect("mount");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}

fn source(disk: &Disk, requirements: &str) -> (tempfile::TempDir, Source, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("requirements.txt"), requirements).expect("a file");
    let log = disk.path().join("data/logs/app.build.log");
    let source = Source { folder: folder.path().to_owned(), private_to: "app".to_owned(), extra: Vec::new() };
    (folder, source, log)
}

#[tokio::test]
async fn a_full_disk_is_told_and_leaves_room_again() {
    let Some(disk) = Disk::mount("4m") else { return };
    let home = Home::open(&disk.path().join("data")).expect("a data folder");
    let environments = Environments::open(home.clone(), settings()).expect("environments");
    let (_folder, source, log) = source(&disk, "numpy\n");
    let error = environments.prepare(&source, &BuildLog::create(&log).expect("a log")).await.expect_err("a full disk");
    assert!(matches!(error, PrepareError::DiskFull { .. }), "{error:?}");
    assert!(entries(&home.envs()).is_empty() && entries(&home.tmp()).is_empty());
    std::fs::write(source.folder.join("requirements.txt"), "six\n").expect("a file");
    environments.prepare(&source, &BuildLog::create(&log).expect("a log")).await.expect("room for a small environment");
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_is_told() {
    let Some(disk) = Disk::mount("4m") else { return };
    let home = Home::open(&disk.path().join("data")).expect("a data folder");
    let environments = Environments::open(home, settings()).expect("environments");
    let (_folder, source, log) = source(&disk, "six\n");
    let log = BuildLog::create(&log).expect("a log");
    drop(log);
    disk.remount("ro");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let log = BuildLog::create(&elsewhere.path().join("log")).expect("a log");
    let error = environments.prepare(&source, &log).await.expect_err("a disk that cannot be written");
    assert!(error.to_string().to_lowercase().contains("read-only file system"), "{error}");
}
