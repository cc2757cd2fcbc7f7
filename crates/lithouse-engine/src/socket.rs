// SPDX-License-Identifier: Apache-2.0
//! Unix sockets at paths of any length: an address holds 107 bytes only, and a home may lie deeper than that.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Connects to the socket at this path.
pub fn connect(path: &Path) -> io::Result<UnixStream> {
    through_folder(path, UnixStream::connect)
}

/// Listens at this path, where nothing may be yet.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    through_folder(path, UnixListener::bind)
}

/// Names the socket by way of a descriptor of its folder, which is short however deep the folder lies.
fn through_folder<T>(path: &Path, act: impl FnOnce(PathBuf) -> io::Result<T>) -> io::Result<T> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return act(path.to_owned());
    };
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY;
    let folder = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(folder)?;
    act(Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_in_a_very_deep_folder_is_reached() {
        let home = tempfile::tempdir().unwrap();
        let deep = home.path().join("a".repeat(120)).join("b".repeat(120));
        std::fs::create_dir_all(&deep).unwrap();
        let path = deep.join("keeper.sock");
        let _listener = bind(&path).unwrap();
        assert!(path.exists());
        connect(&path).unwrap();
    }
}
