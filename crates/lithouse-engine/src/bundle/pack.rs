// SPDX-License-Identifier: Apache-2.0
//! Packs an app's folder for `deploy`, in the same way each time: the same files give the same bytes.
//!
//! What a server would make anew or refuse is found here already, where the person is who can mend it.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ::tar::{EntryType, Header};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::path::{FilePath, PathError};
use super::unpack::UnpackLimits;

mod rules;

use rules::Rules;

/// What was packed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packed {
    /// How many files.
    pub files: u64,
    /// Their bytes together, before compression.
    pub bytes: u64,
    /// What was left out, in order; a folder stands for all that is in it and ends with a slash.
    pub skipped: Vec<String>,
}

/// Why a folder was not packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// Something in the folder could not be read.
    #[error("could not read `{}`", path.display())]
    Read {
        /// What.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The archive could not be written on.
    #[error("could not write the archive")]
    Write(#[source] io::Error),
    /// The path is no folder.
    #[error("`{}` is not a folder", .0.display())]
    NotAFolder(PathBuf),
    /// A name that no server takes.
    #[error("`{name}` cannot be packed: its name {reason}; rename it, or list it in `.lithouseignore`")]
    Name {
        /// The name, made printable.
        name: String,
        /// Why.
        reason: PathError,
    },
    /// A link that leaves the folder.
    #[error("the link `{name}` leads outside of the folder; copy what it points to, or list it in `.lithouseignore`")]
    LinkOutside {
        /// The link.
        name: String,
    },
    /// A link to a folder that it lies in.
    #[error("the link `{name}` leads to a folder that it lies in itself; remove it, or list it in `.lithouseignore`")]
    LinkLoop {
        /// The link.
        name: String,
    },
    /// A link that leads nowhere.
    #[error("the link `{name}` leads nowhere; remove it, or list it in `.lithouseignore`")]
    LinkBroken {
        /// The link.
        name: String,
    },
    /// A file that became shorter while it was read.
    #[error("the file `{name}` changed while it was packed; try again")]
    Changed {
        /// The file.
        name: String,
    },
    /// More than a server takes.
    #[error("the folder holds more than {limit} files and folders; list what the app does not need in `.lithouseignore`")]
    TooMany {
        /// How many are taken.
        limit: u64,
    },
    /// More than a server takes.
    #[error("the folder's files are larger than {limit} bytes together; list what the app does not need in `.lithouseignore`")]
    TooLarge {
        /// How many are taken.
        limit: u64,
    },
}

/// Writes everything of the folder that belongs to the app as a `.tar.gz`.
///
/// Left out are version control, virtual environments, bytecode, `node_modules`, Lithouse's own data folder, whatever
/// `.lithouseignore` and `.gitignore` name, and what is neither file nor folder. Links within the folder are packed as what they
/// point to.
pub fn pack_tar_gz(folder: &Path, target: impl Write, limits: &UnpackLimits) -> Result<Packed, PackError> {
    let root = folder.canonicalize().map_err(|source| PackError::Read { path: folder.to_owned(), source })?;
    if !root.is_dir() {
        return Err(PackError::NotAFolder(folder.to_owned()));
    }
    let rules = Rules::above(&root)?;
    let tar = ::tar::Builder::new(GzEncoder::new(target, Compression::default()));
    let mut packer = Packer { root: root.clone(), limits, rules, tar, folders: 0, packed: Packed::default() };
    packer.folder(&root, "")?;
    let Packer { tar, packed, .. } = packer;
    tar.into_inner().and_then(GzEncoder::finish).and_then(|mut target| target.flush()).map_err(PackError::Write)?;
    Ok(packed)
}

struct Packer<'a, W: Write> {
    root: PathBuf,
    limits: &'a UnpackLimits,
    rules: Rules,
    tar: ::tar::Builder<GzEncoder<W>>,
    folders: u64,
    packed: Packed,
}

impl<W: Write> Packer<'_, W> {
    /// Packs what lies in the folder `at`, which is called `name` in the archive (empty for the root).
    fn folder(&mut self, at: &Path, name: &str) -> Result<(), PackError> {
        let failed = |source| PackError::Read { path: at.to_owned(), source };
        self.rules.enter(at)?;
        let mut entries = std::fs::read_dir(at).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(failed)?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let is_link = entry.file_type().map_err(failed)?.is_symlink();
            self.entry(&entry.path(), &entry.file_name(), name, is_link)?;
        }
        self.rules.leave();
        Ok(())
    }

    fn entry(&mut self, at: &Path, own_name: &OsStr, above: &str, is_link: bool) -> Result<(), PackError> {
        let shown = join(above, &own_name.to_string_lossy());
        // A link that leads nowhere has no metadata; it may still be among what is left out.
        let metadata = at.metadata();
        let is_folder = metadata.as_ref().is_ok_and(Metadata::is_dir);
        if self.rules.leave_out(at, own_name, is_folder, is_link) {
            self.packed.skipped.push(if is_folder { format!("{shown}/") } else { shown });
            return Ok(());
        }
        if is_link {
            self.check_link(at, &shown)?;
        }
        let metadata = metadata.map_err(|source| PackError::Read { path: at.to_owned(), source })?;
        if !is_folder && !metadata.is_file() {
            self.packed.skipped.push(shown);
            return Ok(());
        }
        let refused = |reason| PackError::Name { name: shown.escape_debug().to_string(), reason };
        let own_name = own_name.to_str().ok_or_else(|| refused(PathError::NotUtf8))?;
        let path: FilePath = join(above, own_name).parse().map_err(refused)?;
        if is_folder {
            self.folders += 1;
            self.check_count()?;
            self.write(&path, EntryType::Directory, 0o755, 0, io::empty())?;
            self.folder(at, path.as_str())
        } else {
            self.packed.files += 1;
            self.check_count()?;
            self.file(at, &path)
        }
    }

    fn file(&mut self, at: &Path, path: &FilePath) -> Result<(), PackError> {
        let failed = |source| PackError::Read { path: at.to_owned(), source };
        let file = File::open(at).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        self.packed.bytes = self.packed.bytes.saturating_add(metadata.len());
        if self.packed.bytes > self.limits.bytes {
            return Err(PackError::TooLarge { limit: self.limits.bytes });
        }
        let mode = if metadata.permissions().mode() & 0o111 == 0 { 0o644 } else { 0o755 };
        let mut file = Reading { inner: file, has_failed: false };
        self.write(path, EntryType::Regular, mode, metadata.len(), &mut file).map_err(|error| match error {
            PackError::Write(source) if file.has_failed => failed(source),
            error => error,
        })
    }

    /// Appends one entry of exactly so many bytes, without owner and time, which would differ from machine to machine.
    fn write(&mut self, path: &FilePath, kind: EntryType, mode: u32, size: u64, content: impl Read) -> Result<(), PackError> {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(0);
        header.set_size(size);
        let mut content = content.take(size);
        self.tar.append_data(&mut header, path.as_path(), &mut content).map_err(PackError::Write)?;
        if content.limit() > 0 {
            return Err(PackError::Changed { name: path.to_string() });
        }
        Ok(())
    }

    fn check_link(&self, at: &Path, shown: &str) -> Result<(), PackError> {
        let name = || shown.escape_debug().to_string();
        let target = at.canonicalize().map_err(|_| PackError::LinkBroken { name: name() })?;
        if !target.starts_with(&self.root) {
            return Err(PackError::LinkOutside { name: name() });
        }
        let lies_in = at.parent().and_then(|parent| parent.canonicalize().ok());
        if lies_in.is_some_and(|folder| folder.starts_with(&target)) {
            return Err(PackError::LinkLoop { name: name() });
        }
        Ok(())
    }

    fn check_count(&self) -> Result<(), PackError> {
        if self.packed.files + self.folders > self.limits.files {
            return Err(PackError::TooMany { limit: self.limits.files });
        }
        Ok(())
    }
}

/// Tells a file that could not be read from an archive that could not be written.
struct Reading {
    inner: File,
    has_failed: bool,
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer);
        self.has_failed = matches!(&read, Err(error) if error.kind() != io::ErrorKind::Interrupted);
        read
    }
}

fn join(above: &str, name: &str) -> String {
    if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") }
}
