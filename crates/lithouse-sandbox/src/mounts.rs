// SPDX-License-Identifier: Apache-2.0
//! The file system of a zygote and its children: a small read-only tree of what a Python needs, and nothing else of the machine.
//!
//! No `/proc`, no `/sys`, no socket of anybody. Each child mounts one private folder over [`HOME`], the only one it can write.

mod attributes;
mod layout;

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};

use self::attributes::Attributes;
pub(crate) use self::attributes::unescaped;
pub(crate) use self::layout::Layout;
use crate::failure::Failure;
use crate::limits::Limits;
use crate::plan::{Arg, Step};
use crate::zygote::{CACHE, HOME};

/// What every interpreter needs of the system, where it exists.
pub(crate) const SYSTEM: [&str; 7] =
    ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", "/usr/share/fonts", "/etc/ld.so.cache"];
/// Devices that have no state. Not `/dev/zero`: mapped as shared, it gives memory that no limit counts.
pub(crate) const DEVICES: [&str; 4] = ["/dev/null", "/dev/full", "/dev/random", "/dev/urandom"];

/// The user of the tree; the id is the one that every child sees itself as.
const PASSWD: &str = "snippet:x:65534:65534::/home/snippet:/bin/false\n";
const GROUP: &str = "snippet:x:65534:\n";

/// Where the machine's own files and the tree lie while it is made.
const OLD: &str = "/old";
const NEW: &str = "/new";

/// Makes the tree and goes into it. The process must have a mount namespace of its own, and can see nothing else afterwards.
pub(crate) fn enter_tree(layout: &Layout) -> Result<(), Failure> {
    make_workshop().map_err(|(step, errno)| Failure::new(step, errno))?;
    furnish(layout)?;
    leave_workshop().map_err(|(step, errno)| Failure::new(step, errno))
}

/// Gives the zygote a folder to write in while it warms up, in its own mount namespace. [`seal`] takes it away.
pub(crate) fn mount_warm_up_home() -> Result<(), Failure> {
    let failed = |errno| Failure::new("mount tmpfs for the warm-up", errno);
    tmpfs(HOME, c"size=32m,mode=0700").map_err(failed)?;
    for folder in ["work", "tmp", "shm"] {
        rustix::fs::mkdir(Path::new(HOME).join(folder), Mode::RWXU).map_err(failed)?;
    }
    Ok(())
}

/// What the zygote does once it is warm: from then on it has nothing to write to either.
pub(crate) fn seal() -> Vec<Step> {
    let read_only = libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY | libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    vec![
        Step::new("leave the warm-up home", libc::SYS_chdir, vec![Arg::text("/")]),
        Step::new("unmount the warm-up home", libc::SYS_umount2, vec![Arg::text(HOME), Arg::int(libc::MNT_DETACH)]),
        Step::new(
            "make the cache read-only",
            libc::SYS_mount,
            vec![Arg::NULL, Arg::text(CACHE), Arg::NULL, Arg::int(read_only.cast_signed()), Arg::NULL],
        ),
    ]
}

/// A child's own files: bounded in bytes and number, gone with the child.
pub(crate) fn mount_home_step(limits: &Limits, has_own_uid: bool) -> Step {
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    let owner = if has_own_uid { ",uid={uid},gid={gid}" } else { "" };
    let options = format!("size={},nr_inodes={},mode=0700{owner}", limits.disk, limits.inodes);
    let args = vec![Arg::text("tmpfs"), Arg::text(HOME), Arg::text("tmpfs"), Arg::int(flags.cast_signed()), Arg::Format(options)];
    Step::new("mount tmpfs", libc::SYS_mount, args)
}

/// The folders in a child's home, which may be there already in the folder of a slot that is used again.
pub(crate) fn home_steps(home: &str) -> Vec<Step> {
    const MODE: i64 = 0o700;
    let make = |name: &'static str, folder: &str| {
        let args = vec![Arg::int(libc::AT_FDCWD), Arg::Format(format!("{home}/{folder}")), Arg::Int(MODE)];
        Step::new(name, libc::SYS_mkdirat, args).that_may_fail()
    };
    vec![
        make("make working folder", "work"),
        make("make folder for temporary files", "tmp"),
        make("make folder for shared memory", "shm"),
        Step::new("go to the working folder", libc::SYS_chdir, vec![Arg::Format(format!("{home}/work"))]),
    ]
}

type Tried<T> = Result<T, (&'static str, Errno)>;

/// A root of our own in which there are two folders: the machine as it was, and a tree with nothing in it.
fn make_workshop() -> Tried<()> {
    const BASE: &str = "/tmp";
    let step = |name| move |errno| (name, errno);
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(step("make mounts private"))?;
    tmpfs(BASE, c"size=1m,mode=0755").map_err(step("mount a new root"))?;
    rustix::process::chdir(BASE).map_err(step("go to the new root"))?;
    rustix::fs::mkdir("old", Mode::from_raw_mode(0o755)).map_err(step("furnish the new root"))?;
    rustix::fs::mkdir("new", Mode::from_raw_mode(0o755)).map_err(step("furnish the new root"))?;
    rustix::process::pivot_root(".", "old").map_err(step("change the root"))?;
    rustix::process::chdir("/").map_err(step("go to the new root"))?;
    tmpfs(NEW, c"size=1m,mode=0755").map_err(step("mount the tree"))
}

fn furnish(layout: &Layout) -> Result<(), Failure> {
    const STEP: &str = "make the tree";
    let about = |path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| {
            let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
            Failure::about(STEP, errno, format!("`{}`", path.display()))
        }
    };
    for folder in [Path::new(HOME), Path::new(CACHE), Path::new("/dev"), Path::new("/etc")] {
        fs::create_dir_all(inside(folder)).map_err(about(folder))?;
    }
    for (link, target) in &layout.links {
        make_parent(link).and_then(|()| symlink(target, inside(link))).map_err(about(link))?;
    }
    for path in &layout.binds {
        bind(path, path, Attributes::READ_ONLY).map_err(|errno| about(path)(errno.into()))?;
    }
    for device in DEVICES.map(Path::new) {
        bind(device, device, Attributes::DEVICE).map_err(|errno| about(device)(errno.into()))?;
    }
    bind(&layout.cache, Path::new(CACHE), Attributes::CACHE).map_err(|errno| about(&layout.cache)(errno.into()))?;
    for (name, text) in [("/etc/passwd", PASSWD), ("/etc/group", GROUP)] {
        fs::write(inside(Path::new(name)), text).map_err(about(Path::new(name)))?;
    }
    Ok(())
}

/// From now on the tree is all there is, and it stays as it is.
fn leave_workshop() -> Tried<()> {
    let step = |name| move |errno| (name, errno);
    Attributes::READ_ONLY.set(Path::new(NEW), false).map_err(step("make the tree read-only"))?;
    rustix::process::chdir(NEW).map_err(step("enter the tree"))?;
    // The old root comes to lie over the new one, and is taken off.
    rustix::process::pivot_root(".", ".").map_err(step("enter the tree"))?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).map_err(step("leave the machine's files"))?;
    rustix::process::chdir("/").map_err(step("enter the tree"))
}

fn tmpfs(target: &str, options: &std::ffi::CStr) -> Result<(), Errno> {
    rustix::mount::mount("tmpfs", target, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, options)
}

fn bind(source: &Path, target: &Path, attributes: Attributes) -> Result<(), Errno> {
    let (source, target) = (Path::new(OLD).join(relative(source)), inside(target));
    let errno = |error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    if fs::metadata(&source).map_err(errno)?.is_dir() {
        fs::create_dir_all(&target).map_err(errno)?;
    } else {
        target.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&target, "")).map_err(errno)?;
    }
    rustix::mount::mount_bind_recursive(&source, &target)?;
    attributes.set(&target, true)
}

fn make_parent(path: &Path) -> io::Result<()> {
    inside(path).parent().map_or(Ok(()), fs::create_dir_all)
}

fn inside(path: &Path) -> PathBuf {
    Path::new(NEW).join(relative(path))
}

fn relative(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}
