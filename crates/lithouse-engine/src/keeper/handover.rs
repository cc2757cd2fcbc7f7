// SPDX-License-Identifier: Apache-2.0
//! What one program of the keeper's process leaves to the next: everything it holds, as text in memory and as open descriptors.
//!
//! The keeper becomes another program by `exec`: the process stays, and with it its children, their tie to its life, and its role as
//! the parent of orphans. The new program reads the [`Written`] form; if it cannot, it lets the old one have the process back.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::process::Command;

use lithouse_sandbox::descriptors::Inherited;
use lithouse_sandbox::signals;
use rustix::fs::MemfdFlags;
use rustix::io::FdFlags;
use serde::{Deserialize, Serialize};

use super::door::Socket;
use super::groups::Groups;
use super::kept::Kept;
use super::lock::Lock;

/// The version of the written form. A program says which ones it reads before another becomes it.
pub(super) const VERSION: u32 = 1;

/// Tells the new program where the written form is.
const WHERE: &str = "LITHOUSE_KEEPER_HANDOVER";
/// Tells the old program, when it has the process back, why.
const RETURNED: &str = "LITHOUSE_KEEPER_RETURNED";

/// Everything that a keeper holds.
#[derive(Debug)]
pub(super) struct Handover {
    pub(super) lock: Lock,
    pub(super) socket: Socket,
    /// The limit on open descriptors that apps get.
    pub(super) open_files: Option<u64>,
    pub(super) groups: Groups,
    pub(super) instances: Vec<Kept<Held>>,
}

/// A descriptor that is written as its number.
#[derive(Debug)]
pub(super) struct Held(OwnedFd);

impl From<OwnedFd> for Held {
    fn from(descriptor: OwnedFd) -> Self {
        Self(descriptor)
    }
}

impl From<Held> for OwnedFd {
    fn from(held: Held) -> Self {
        held.0
    }
}

impl Serialize for Held {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_raw_fd().serialize(serializer)
    }
}

/// A handover as text.
#[derive(Debug, Serialize)]
struct Writing<'a> {
    lock: RawFd,
    socket: RawFd,
    inode: u64,
    open_files: Option<u64>,
    groups: &'a Groups,
    instances: &'a [Kept<Held>],
}

/// What [`Writing`] wrote.
#[derive(Debug, Deserialize)]
struct Written {
    lock: RawFd,
    socket: RawFd,
    inode: u64,
    open_files: Option<u64>,
    groups: Groups,
    instances: Vec<Kept<RawFd>>,
}

/// What every version of the text begins with, for ever.
#[derive(Debug, Serialize, Deserialize)]
struct Envelope<W> {
    version: u32,
    /// The old program, and its arguments.
    back: RawFd,
    back_args: Vec<OsString>,
    state: W,
}

/// How a keeper's program began.
#[derive(Debug)]
pub(super) enum Beginning {
    /// As a new process.
    Afresh,
    /// In the place of another program; or of itself, when that could not go on: then why.
    Inherited(Box<Handover>, Option<String>),
}

/// Takes up what was left to this program, if anything. To be called before anything else is opened.
pub(super) fn begin(reads: &[u32]) -> io::Result<Beginning> {
    let mut inherited = Inherited::take_all()?;
    let Some(number) = std::env::var(WHERE).ok().and_then(|number| number.parse().ok()) else { return Ok(Beginning::Afresh) };
    let text = inherited.take(number).map(File::from).ok_or_else(|| io::Error::other("the handover is not there"))?;
    match read(&text, reads, &mut inherited) {
        Ok(handover) => Ok(Beginning::Inherited(Box::new(handover), std::env::var(RETURNED).ok())),
        Err(error) => Err(go_back(text, inherited, &error)),
    }
}

fn read(mut text: &File, reads: &[u32], inherited: &mut Inherited) -> io::Result<Handover> {
    let mut bytes = Vec::new();
    text.rewind()?;
    text.read_to_end(&mut bytes)?;
    let envelope: Envelope<serde_json::Value> = serde_json::from_slice(&bytes)?;
    if !reads.contains(&envelope.version) {
        return Err(io::Error::other(format!("version {} of the handover is not known to it", envelope.version)));
    }
    let Written { lock, socket, inode, open_files, groups, instances } = serde_json::from_value(envelope.state)?;
    let numbers = instances.iter().flat_map(Kept::descriptors).chain([&lock, &socket]);
    if let Some(missing) = numbers.copied().find(|number| !inherited.has(*number)) {
        return Err(io::Error::other(format!("descriptor {missing} of the handover is not there")));
    }
    let mut take = |number| inherited.take(number).ok_or_else(|| io::Error::other("a descriptor was handed over twice"));
    let socket = Socket { listener: take(socket)?, inode };
    let lock = Lock::take_up(take(lock)?);
    let instances = instances.into_iter().map(|kept| kept.map(|number| take(number).map(Held))).collect::<io::Result<_>>()?;
    Ok(Handover { lock, socket, open_files, groups, instances })
}

/// Lets the old program have the process back, with all that it left. Returns only when that failed too.
fn go_back(mut text: File, inherited: Inherited, why: &io::Error) -> io::Error {
    let mut attempt = || -> io::Result<io::Error> {
        let mut bytes = Vec::new();
        text.rewind()?;
        text.read_to_end(&mut bytes)?;
        let envelope: Envelope<serde_json::Value> = serde_json::from_slice(&bytes)?;
        rustix::io::fcntl_setfd(&text, FdFlags::empty())?;
        let program = format!("/proc/self/fd/{}", envelope.back);
        let mut command = Command::new(program);
        command.args(&envelope.back_args).env(WHERE, text.as_raw_fd().to_string()).env(RETURNED, why.to_string());
        Ok(signals::exec(&mut command))
    };
    let error = attempt().unwrap_or_else(|error| error);
    // Until here they had to be open: the old program knows them by their numbers.
    drop(inherited);
    error
}

impl Handover {
    /// Becomes the program, which takes all of this up. Returns only when it could not, with all that there was.
    pub(super) fn pass_to(self, program: &Path, args: &[String]) -> (Self, io::Error) {
        let error = self.try_to_pass_to(program, args).unwrap_or_else(|error| error);
        // Nothing else of ours may inherit them.
        let _ = self.each_descriptor(FdFlags::CLOEXEC);
        (self, error)
    }

    fn try_to_pass_to(&self, program: &Path, args: &[String]) -> io::Result<io::Error> {
        let back = File::open("/proc/self/exe")?;
        let envelope = Envelope {
            version: VERSION,
            back: back.as_raw_fd(),
            back_args: std::env::args_os().skip(1).collect(),
            state: self.written(),
        };
        let mut text = File::from(rustix::fs::memfd_create("lithouse-keeper", MemfdFlags::CLOEXEC)?);
        text.write_all(&serde_json::to_vec(&envelope)?)?;
        for descriptor in [back.as_fd(), text.as_fd()] {
            rustix::io::fcntl_setfd(descriptor, FdFlags::empty())?;
        }
        self.each_descriptor(FdFlags::empty())?;
        let mut command = Command::new(program);
        command.args(args).env(WHERE, text.as_raw_fd().to_string()).env_remove(RETURNED);
        Ok(signals::exec(&mut command))
    }

    fn written(&self) -> Writing<'_> {
        Writing {
            lock: self.lock.descriptor().as_raw_fd(),
            socket: self.socket.listener.as_raw_fd(),
            inode: self.socket.inode,
            open_files: self.open_files,
            groups: &self.groups,
            instances: &self.instances,
        }
    }

    fn each_descriptor(&self, flags: FdFlags) -> io::Result<()> {
        let own = [self.lock.descriptor(), self.socket.listener.as_fd()];
        for descriptor in own.into_iter().chain(self.instances.iter().flat_map(Kept::descriptors).map(|held| held.0.as_fd())) {
            rustix::io::fcntl_setfd(descriptor, flags)?;
        }
        Ok(())
    }
}

/// Tells one build of the program from another: by its version, its length, and its first and last bytes, where the linker leaves an
/// identity of what is between.
pub(super) fn build_of(program: &Path) -> io::Result<String> {
    use std::fmt::Write as _;

    use sha2::{Digest, Sha256};
    const ENDS: u64 = 64 << 10;
    let mut file = File::open(program)?;
    let length = file.metadata()?.len();
    let mut ends = Vec::new();
    (&file).take(ENDS).read_to_end(&mut ends)?;
    file.seek(io::SeekFrom::Start(length.saturating_sub(ENDS)))?;
    file.read_to_end(&mut ends)?;
    let digest = Sha256::new().chain_update(length.to_be_bytes()).chain_update(&ends).finalize();
    Ok(digest.iter().take(8).fold(format!("{}+", env!("CARGO_PKG_VERSION")), |mut build, byte| {
        // Writing to a string cannot fail.
        let _ = write!(build, "{byte:02x}");
        build
    }))
}

/// The program that runs in this process, also after another was put in its place.
pub(super) fn own_program() -> PathBuf {
    PathBuf::from("/proc/self/exe")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_one_byte_more_is_another_build() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        std::fs::write(&one, "program").unwrap();
        std::fs::write(&other, "program!").unwrap();
        assert_eq!(build_of(&one).unwrap(), build_of(&one).unwrap());
        assert_ne!(build_of(&one).unwrap(), build_of(&other).unwrap());
    }
}
