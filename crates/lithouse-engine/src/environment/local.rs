// SPDX-License-Identifier: Apache-2.0
//! Local paths in a lock. Their content is not fixed by the lock's text, and is nobody else's business.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::key::hex;
use crate::plain_file;

/// Where content is hashed up to; beyond, sizes and times of files stand for it.
const HASHED_BYTES: u64 = 256 * 1024 * 1024;
/// Folders with more files than these are only told apart by the first of them.
const FILES: usize = 50_000;
/// What building a package leaves in its folder, and what changes without changing the package.
const PASSED_OVER: &[&str] = &["__pycache__", "build", "dist", "node_modules"];

/// The paths that a lock names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LocalPaths {
    paths: Vec<PathBuf>,
}

/// Whether a line of a lock is anything else than a version from an index or an address on the network.
pub(super) fn is_local(line: &str) -> bool {
    if let Some(place) = line.strip_prefix("--find-links ") {
        return !is_remote(place.trim());
    }
    if line.starts_with("--") {
        return line.contains("file:");
    }
    let requirement = line.split(" --hash=").next().unwrap_or(line);
    if let Some((_, address)) = requirement.split_once(" @ ") {
        return !is_remote(address.trim());
    }
    !requirement.starts_with(|first: char| first.is_ascii_alphanumeric())
        || !requirement.contains("==")
        || requirement.starts_with("file:")
}

fn is_remote(address: &str) -> bool {
    ["http://", "https://", "git+http://", "git+https://", "git+ssh://"].iter().any(|scheme| address.starts_with(scheme))
        || is_other_vcs(address)
}

fn is_other_vcs(address: &str) -> bool {
    ["hg+", "svn+", "bzr+", "ssh://", "git://"].iter().any(|scheme| address.starts_with(scheme)) && !address.contains("file:")
}

impl LocalPaths {
    pub(super) fn find<'a>(lines: impl Iterator<Item = &'a str>, folder: &Path) -> Self {
        Self { paths: lines.filter(|line| is_local(line)).map(|line| folder.join(path_of(line))).collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Hashes what lies there now.
    pub(super) fn digest(&self) -> String {
        let mut digest = Content { hash: Sha256::new(), budget: HASHED_BYTES, files: FILES };
        for path in &self.paths {
            digest.take(path, &path.file_name().unwrap_or_default().to_string_lossy());
        }
        hex(&digest.hash.finalize())
    }
}

/// The path of a line, without the scheme, the extras and the conditions around it.
fn path_of(line: &str) -> &str {
    let line = line.strip_prefix("--find-links ").unwrap_or(line);
    let line = line.split_once(" @ ").map_or(line, |(_, address)| address);
    let line = line.split([';', '#']).next().unwrap_or(line).split(" --").next().unwrap_or(line).trim();
    let line = line.split('[').next().unwrap_or(line);
    let line = line.trim_start_matches("git+");
    line.strip_prefix("file://").or_else(|| line.strip_prefix("file:")).unwrap_or(line)
}

struct Content {
    hash: Sha256,
    budget: u64,
    files: usize,
}

impl Content {
    fn take(&mut self, path: &Path, name: &str) {
        let Ok(metadata) = path.symlink_metadata() else { return };
        if self.files == 0 {
            return;
        }
        self.files -= 1;
        self.hash.update(name.as_bytes());
        self.hash.update([0]);
        if metadata.is_dir() {
            self.take_folder(path, name);
        } else if metadata.is_file() {
            self.hash.update(metadata.len().to_le_bytes());
            if metadata.len() <= self.budget {
                self.budget -= metadata.len();
                self.hash.update(plain_file::read(path, metadata.len()).unwrap_or_default());
            } else {
                self.hash.update(format!("{:?}", metadata.modified().ok()));
            }
        } else if let Ok(target) = std::fs::read_link(path) {
            self.hash.update(target.as_os_str().as_encoded_bytes());
        }
    }

    fn take_folder(&mut self, path: &Path, name: &str) {
        let Ok(entries) = std::fs::read_dir(path) else { return };
        let mut names: Vec<String> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        let is_noise =
            |entry: &String| entry.starts_with('.') || entry.ends_with(".egg-info") || PASSED_OVER.contains(&entry.as_str());
        for entry in names.iter().filter(|entry| !is_noise(entry)) {
            self.take(&path.join(entry), &format!("{name}/{entry}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_versions_and_network_addresses_are_not_local() {
        for shared in [
            "six==1.17.0",
            "uvicorn[standard]==0.30 ; python_version > '3' --hash=sha256:aa",
            "x @ https://host/x.whl",
            "x @ git+https://host/x.git@abc",
            "--find-links https://host/wheels",
            "--index-url https://host/simple",
            "--no-index",
        ] {
            assert!(!is_local(shared), "{shared}");
        }
        for local in [
            "./pkg",
            "../pkg",
            "/abs/pkg",
            "pkg",
            "x @ file:///x",
            "x @ ./x",
            "x @ git+file:///x",
            "file:x.whl",
            "--find-links /wheels",
            "--index-url file:///x",
            "-e .",
        ] {
            assert!(is_local(local), "{local}");
        }
    }

    #[test]
    fn the_digest_follows_the_content_and_not_what_a_build_leaves() {
        let folder = tempfile::tempdir().expect("a folder");
        let package = folder.path().join("pkg");
        std::fs::create_dir(&package).expect("a folder");
        std::fs::write(package.join("a.py"), "1").expect("a file");
        let digest = || LocalPaths::find(["x @ ./pkg"].into_iter(), folder.path()).digest();
        let first = digest();
        std::fs::create_dir(package.join("build")).expect("a folder");
        std::fs::write(package.join("build/a.o"), "x").expect("a file");
        assert_eq!(digest(), first);
        std::fs::write(package.join("a.py"), "2").expect("a file");
        assert_ne!(digest(), first);
    }
}
