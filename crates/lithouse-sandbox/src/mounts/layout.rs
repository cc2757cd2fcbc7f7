// SPDX-License-Identifier: Apache-2.0
//! What goes into the tree: worked out while the machine's files can still be walked, before anything is mounted.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

use rustix::io::Errno;

use super::SYSTEM;
use crate::failure::Failure;
use crate::zygote::{CACHE, HOME};

const STEP: &str = "lay out the tree";
/// As many as the kernel follows.
const MOST_LINKS: usize = 40;

/// Folders and files to be bound at their own places, and the links that lead to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(super) binds: BTreeSet<PathBuf>,
    pub(super) links: BTreeMap<PathBuf, PathBuf>,
    pub(super) cache: PathBuf,
}

impl Layout {
    /// The tree for these paths, which must exist, and what every Python needs of the system.
    pub(crate) fn of(readable: &[PathBuf], cache: &Path) -> Result<Self, Failure> {
        let mut layout = Self { binds: BTreeSet::new(), links: BTreeMap::new(), cache: cache.to_owned() };
        for path in SYSTEM.iter().map(Path::new).filter(|path| path.exists()) {
            layout.add(path)?;
        }
        for path in readable {
            layout.add(path)?;
        }
        layout.keep_outermost();
        layout.add_our_links();
        Ok(layout)
    }

    /// Follows the path step by step: its links are made again in the tree, and what they lead to is bound.
    fn add(&mut self, path: &Path) -> Result<(), Failure> {
        let failed = |errno| Failure::about(STEP, errno, format!("`{}`", path.display()));
        if !path.is_absolute() {
            return Err(failed(Errno::INVAL));
        }
        let mut place = PathBuf::from("/");
        let mut ahead = names(path);
        let mut links = 0;
        while let Some(name) = ahead.pop_front() {
            if name == ".." {
                place.pop();
                continue;
            }
            place.push(name);
            let found =
                fs::symlink_metadata(&place).map_err(|error| failed(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
            if !found.is_symlink() {
                continue;
            }
            links += 1;
            if links > MOST_LINKS {
                return Err(failed(Errno::LOOP));
            }
            let target = fs::read_link(&place).map_err(|error| failed(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
            let mut rest = names(&target);
            rest.append(&mut ahead);
            ahead = rest;
            let start = if target.is_absolute() { PathBuf::from("/") } else { place.parent().unwrap_or(&place).to_owned() };
            self.links.insert(std::mem::replace(&mut place, start), target);
        }
        // Our own places would be hidden by it.
        if [HOME, CACHE, "/dev", "/etc"].iter().any(|ours| Path::new(ours).starts_with(&place)) {
            return Err(Failure::about(STEP, Errno::INVAL, format!("`{}` holds too much to be shown", place.display())));
        }
        self.binds.insert(place);
        Ok(())
    }

    /// What lies in something that is bound as a whole is there already.
    fn keep_outermost(&mut self) {
        let all = self.binds.clone();
        let is_beneath = |path: &Path| all.iter().any(|outer| path != outer && path.starts_with(outer));
        self.binds.retain(|path| !is_beneath(path));
        self.links.retain(|path, _| !is_beneath(path));
    }

    /// Names under which programs expect to write. Where the tree itself needs the name, a child finds the place by `TMPDIR` alone.
    fn add_our_links(&mut self) {
        for (name, target) in [("/tmp", "tmp"), ("/dev/shm", "shm")] {
            let is_taken = self.binds.iter().chain(self.links.keys()).any(|path| path.starts_with(name));
            if !is_taken {
                self.links.insert(PathBuf::from(name), Path::new(HOME).join(target));
            }
        }
    }
}

/// The names along a path, without the root and without `.`.
fn names(path: &Path) -> VecDeque<OsString> {
    let name = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn empty() -> Layout {
        Layout { binds: BTreeSet::new(), links: BTreeMap::new(), cache: PathBuf::new() }
    }

    #[test]
    fn links_on_the_way_are_kept_and_what_they_lead_to_is_bound() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a path");
        fs::create_dir_all(root.join("real/python/lib")).expect("folders");
        symlink("../real", root.join("real/up")).expect("a link");
        symlink(root.join("real/up/python"), root.join("venv")).expect("a link");
        let mut layout = empty();
        layout.add(&root.join("venv/lib")).expect("it exists");
        assert_eq!(layout.binds, BTreeSet::from([root.join("real/python/lib")]));
        assert_eq!(layout.links.keys().cloned().collect::<Vec<_>>(), [root.join("real/up"), root.join("venv")]);
        layout.add(&root.join("real")).expect("it exists");
        layout.keep_outermost();
        assert_eq!(layout.binds, BTreeSet::from([root.join("real")]));
        assert_eq!(layout.links.keys().cloned().collect::<Vec<_>>(), [root.join("venv")]);
    }

    #[test]
    fn what_is_missing_turns_in_a_circle_or_hides_our_own_places_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        symlink("b", folder.path().join("a")).expect("a link");
        symlink("a", folder.path().join("b")).expect("a link");
        let errno = |path: &Path| empty().add(path).expect_err("refused").errno;
        assert_eq!(errno(&folder.path().join("a")), libc::ELOOP);
        assert_eq!(errno(&folder.path().join("none")), libc::ENOENT);
        assert_eq!(errno(Path::new("relative")), libc::EINVAL);
        for too_much in ["/", "/home", "/dev", "/etc"].map(Path::new).into_iter().filter(|path| path.exists()) {
            assert_eq!(errno(too_much), libc::EINVAL);
        }
    }

    #[test]
    fn the_folder_for_temporary_files_is_a_link_unless_the_tree_has_something_there() {
        let mut layout = empty();
        layout.add_our_links();
        assert_eq!(layout.links[Path::new("/tmp")], Path::new(HOME).join("tmp"));
        let mut layout = empty();
        layout.binds.insert(PathBuf::from("/tmp/environment"));
        layout.add_our_links();
        assert_eq!(layout.links.keys().collect::<Vec<_>>(), [Path::new("/dev/shm")]);
    }
}
