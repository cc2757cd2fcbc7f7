// SPDX-License-Identifier: Apache-2.0
//! Reads files of folders that people own. Whoever owns one can put a pipe, a device or a link without end in place of any file,
//! and neither may hold us up: only a regular file is opened to be read, and only so much of it is read.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// No file that says what an app needs is larger, in bytes.
pub(crate) const LARGEST: u64 = 16 << 20;

/// The content of a file of at most so many bytes; links are followed. It blocks for no longer than the disk takes.
///
/// Anything but a regular file is `InvalidInput`, and a larger one `FileTooLarge`.
pub(crate) fn read(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open(path)?.take(largest.saturating_add(1)).read_to_end(&mut content)?;
    if u64::try_from(content.len()).is_ok_and(|length| length <= largest) {
        Ok(content)
    } else {
        Err(io::Error::new(ErrorKind::FileTooLarge, format!("it is larger than {largest} bytes")))
    }
}

/// The same as text, of a file that says what an app needs.
pub fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path, LARGEST)?).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
}

/// Fails where other programs would meet something else than a file: a pipe would hold them up. What is not there, or is a folder,
/// is nothing that they read.
pub(crate) fn check(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(facts) if facts.is_file() || facts.is_dir() => Ok(()),
        Ok(_) => Err(not_a_file()),
        Err(_) => Ok(()),
    }
}

fn open(path: &Path) -> io::Result<File> {
    // Looked at before it is opened for reading, which alone sets some devices going; and so that nobody can change it in between.
    let place = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    if !File::from(place.try_clone()?).metadata()?.is_file() {
        return Err(not_a_file());
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(format!("/proc/self/fd/{}", place.as_raw_fd()), flags, Mode::empty())?.into())
}

fn not_a_file() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "it is not a regular file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_through_links_and_not_beyond_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&path, "text").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(read_text(&link).unwrap(), "text");
        assert_eq!(read(&link, 4).unwrap(), b"text");
        assert_eq!(read(&link, 3).unwrap_err().kind(), ErrorKind::FileTooLarge);
        assert_eq!(read_text(&folder.path().join("none")).unwrap_err().kind(), ErrorKind::NotFound);
        check(&folder.path().join("none")).unwrap();
        check(&link).unwrap();
    }

    #[test]
    fn pipes_devices_and_folders_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let (pipe, endless) = (folder.path().join("pipe"), folder.path().join("endless"));
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RUSR).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &endless).unwrap();
        for path in [&pipe, &endless] {
            assert_eq!(read_text(path).unwrap_err().kind(), ErrorKind::InvalidInput, "{}", path.display());
            assert_eq!(check(path).unwrap_err().kind(), ErrorKind::InvalidInput, "{}", path.display());
        }
        assert_eq!(read_text(folder.path()).unwrap_err().kind(), ErrorKind::InvalidInput);
        check(folder.path()).unwrap();
    }
}
