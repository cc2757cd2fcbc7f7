// SPDX-License-Identifier: Apache-2.0
//! What a mount may be used for. One call says it for a whole subtree since Linux 5.12; before that, mount by mount.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::mount::MountFlags;

/// What is taken from a mount, besides set-user-id programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attributes {
    read_only: bool,
    no_devices: bool,
    no_programs: bool,
}

/// `struct mount_attr` of the kernel.
#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

impl Attributes {
    pub(super) const READ_ONLY: Self = Self { read_only: true, no_devices: true, no_programs: false };
    pub(super) const DEVICE: Self = Self { read_only: true, no_devices: false, no_programs: true };
    /// Written to while the zygote warms up.
    pub(super) const CACHE: Self = Self { read_only: false, no_devices: true, no_programs: true };

    /// Sets them on the mount at this path and, if wished, on all beneath it.
    pub(super) fn set(self, path: &Path, with_all_beneath: bool) -> Result<(), Errno> {
        match self.set_at_once(path, with_all_beneath) {
            Err(Errno::NOSYS) => self.set_one_by_one(path, with_all_beneath),
            done => done,
        }
    }

    fn set_at_once(self, path: &Path, with_all_beneath: bool) -> Result<(), Errno> {
        const MOUNT_ATTR_RDONLY: u64 = 0x1;
        const MOUNT_ATTR_NOSUID: u64 = 0x2;
        const MOUNT_ATTR_NODEV: u64 = 0x4;
        const MOUNT_ATTR_NOEXEC: u64 = 0x8;
        let bit = |wished: bool, bit: u64| if wished { bit } else { 0 };
        let set = MOUNT_ATTR_NOSUID
            | bit(self.read_only, MOUNT_ATTR_RDONLY)
            | bit(self.no_devices, MOUNT_ATTR_NODEV)
            | bit(self.no_programs, MOUNT_ATTR_NOEXEC);
        let attributes = MountAttr { set, clear: 0, propagation: 0, user_namespace: 0 };
        let mut name = path.as_os_str().as_bytes().to_vec();
        name.push(0);
        let flags = if with_all_beneath { libc::AT_RECURSIVE } else { 0 };
        #[expect(unsafe_code, reason = "no library offers the call")]
        // SAFETY: the path ends with a zero byte and the structure is the kernel's, of the size that is told; both outlive the call,
        // which only reads them.
        let answer = unsafe {
            libc::syscall(
                libc::SYS_mount_setattr,
                libc::AT_FDCWD,
                name.as_ptr(),
                flags,
                &raw const attributes,
                size_of::<MountAttr>(),
            )
        };
        if answer == 0 { Ok(()) } else { Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL)) }
    }

    fn set_one_by_one(self, path: &Path, with_all_beneath: bool) -> Result<(), Errno> {
        // The machine's own `/proc` lies beneath the old root while the tree is made; in a test it is where it always is.
        let table = fs::read_to_string("/old/proc/self/mountinfo")
            .or_else(|_| fs::read_to_string("/proc/self/mountinfo"))
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        let is_meant = |mount: &Path| if with_all_beneath { mount.starts_with(path) } else { mount == path };
        for (mount, held) in mounts(&table).filter(|(mount, _)| is_meant(mount)) {
            let mut flags = held | MountFlags::BIND | MountFlags::NOSUID;
            flags.set(MountFlags::RDONLY, self.read_only || held.contains(MountFlags::RDONLY));
            flags.set(MountFlags::NODEV, self.no_devices || held.contains(MountFlags::NODEV));
            flags.set(MountFlags::NOEXEC, self.no_programs || held.contains(MountFlags::NOEXEC));
            rustix::mount::mount_remount(&mount, flags, c"")?;
        }
        Ok(())
    }
}

/// The mounts of a `mountinfo`, with the flags that must be named again when others are changed.
fn mounts(table: &str) -> impl Iterator<Item = (PathBuf, MountFlags)> {
    table.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        let path = unescaped(fields.nth(4)?);
        let flags = fields.next()?.split(',').filter_map(|option| match option {
            "ro" => Some(MountFlags::RDONLY),
            "nosuid" => Some(MountFlags::NOSUID),
            "nodev" => Some(MountFlags::NODEV),
            "noexec" => Some(MountFlags::NOEXEC),
            _ => None,
        });
        Some((path, flags.collect()))
    })
}

/// The kernel writes blanks and their like as three octal digits.
pub(crate) fn unescaped(field: &str) -> PathBuf {
    let plain = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    PathBuf::from(plain.iter().fold(field.to_owned(), |text, (code, letter)| text.replace(code, letter)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_read_with_their_flags_and_odd_names() {
        let table = "36 35 98:0 / /new/a\\040b rw,noatime,nosuid shared:1 - ext4 /dev/vda rw\n37 36 0:1 / /new ro,nodev,noexec - tmpfs t rw\n";
        let found: Vec<_> = mounts(table).collect();
        assert_eq!(found[0], (PathBuf::from("/new/a b"), MountFlags::NOSUID));
        assert_eq!(found[1], (PathBuf::from("/new"), MountFlags::RDONLY | MountFlags::NODEV | MountFlags::NOEXEC));
    }
}
