// SPDX-License-Identifier: Apache-2.0
//! A zygote for the tests, and children of it that do what an attacker would.

use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use lithouse_sandbox::cgroup::{Cgroups, Group};
use lithouse_sandbox::level::Level;
use lithouse_sandbox::zygote::{Answer, Launched, Spec};
use lithouse_sandbox::{Failure, Limits};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    SocketFlags, SocketType,
};
use serde_json::{Value, json};

pub(crate) const MIB: u64 = 1024 * 1024;
const PYTHON: &str = "/usr/bin/python3";
const NOBODY: u32 = 65534;
/// Nothing here takes longer than a second or two on an idle machine.
const DEADLINE: Duration = Duration::from_secs(60);

static STARTING: Mutex<()> = Mutex::new(());

/// A level, and who we are when we use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ground {
    pub(crate) level: Level,
    pub(crate) as_root: bool,
    pub(crate) own_uids: bool,
}

/// A running zygote in surroundings of its own.
#[derive(Debug)]
pub(crate) struct Zygote {
    pub(crate) spec: Spec,
    pub(crate) launched: Launched,
    pub(crate) process: Process,
    pub(crate) ground: Ground,
    /// The environment in which Python found itself.
    pub(crate) environment: Value,
    /// A file beside the zygote's own that everybody on the machine may read, but no snippet.
    pub(crate) secret: PathBuf,
    control: OwnedFd,
    cgroups: Option<Cgroups>,
    _folder: tempfile::TempDir,
}

/// The launcher, which ends with this value.
#[derive(Debug)]
pub(crate) struct Process(Child);

/// A child that is confined and waits for its code.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) pidfd: OwnedFd,
    pub(crate) pid: i32,
    pub(crate) group: Option<Group>,
    channel: UnixStream,
    output: OwnedFd,
}

/// What a child said at its end.
#[derive(Debug)]
pub(crate) struct Ran {
    /// What the code left in `found`, unless it raised, or ended without a word.
    pub(crate) found: Option<Value>,
    pub(crate) said: String,
}

/// Every ground that this machine has.
pub(crate) fn grounds() -> Vec<Ground> {
    let ground = |level, as_root, own_uids| Ground { level, as_root, own_uids };
    if rustix::process::geteuid().is_root() {
        vec![
            ground(Level::Full, true, true),
            ground(Level::Standard, true, true),
            ground(Level::Standard, true, false),
            ground(Level::Standard, false, false),
            ground(Level::Basic, true, true),
            ground(Level::Basic, true, false),
            ground(Level::Basic, false, false),
        ]
    } else {
        vec![ground(Level::Standard, false, false), ground(Level::Basic, false, false)]
    }
}

/// Launches a zygote on every ground, and looks at it.
pub(crate) fn everywhere(look: impl Fn(&Zygote)) {
    everywhere_if(|_| true, look);
}

/// Launches a zygote on every ground of which this is true, and looks at it.
pub(crate) fn everywhere_if(is_meant: impl Fn(Ground) -> bool, look: impl Fn(&Zygote)) {
    for ground in grounds().into_iter().filter(|ground| is_meant(*ground)) {
        // Shown when the test fails: the last one is where it did.
        println!("at {ground:?}");
        look(&Zygote::launch(ground).unwrap_or_else(|failure| panic!("{failure}")));
    }
}

impl Zygote {
    /// Launches it, or tells why the launcher refused.
    pub(crate) fn launch(ground: Ground) -> Result<Self, Failure> {
        Self::launch_with(ground, |_| {})
    }

    pub(crate) fn launch_with(ground: Ground, change: impl FnOnce(&mut Spec)) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("sandbox-").tempdir().expect("a folder");
        let mut spec = specification(ground, folder.path());
        change(&mut spec);
        let (control, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).expect("sockets");
        rustix::net::sockopt::set_socket_timeout(&control, rustix::net::sockopt::Timeout::Recv, Some(DEADLINE))
            .expect("an option");
        let process = start(ground, &theirs);
        drop(theirs);
        send(&control, &spec.to_message(), &[]);
        let launched = match Answer::of_message(&receive(&control).0) {
            Some(Answer::Launched(launched)) => launched,
            Some(Answer::LaunchFailed(failure)) => return Err(failure),
            None => panic!("the launcher at {ground:?} ended without an answer"),
        };
        let answer = receive(&control).0;
        if let Some(Answer::LaunchFailed(failure)) = Answer::of_message(&answer) {
            return Err(failure);
        }
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        let environment = answer.pointer("/ready/environment").unwrap_or_else(|| panic!("{answer}")).clone();
        let cgroups = (ground.level == Level::Full).then(|| Cgroups::find(&unique_name()).expect("cgroups"));
        let secret = folder.path().join("secret");
        Ok(Self { spec, launched, process, ground, environment, secret, control, cgroups, _folder: folder })
    }

    /// Forks a child, and waits until it is parked and counted.
    pub(crate) fn fork(&self, slot: u32) -> Parked {
        self.try_fork(slot, &json!({})).unwrap_or_else(|refused| panic!("at {:?}: {refused}", self.ground))
    }

    /// Forks a child that leaves out steps of its plan: `[]` in service, and whatever should not help when one wall is tried alone.
    pub(crate) fn fork_without(&self, slot: u32, steps: &[&str]) -> Parked {
        let order = json!({"skip": steps});
        self.try_fork(slot, &order).unwrap_or_else(|refused| panic!("at {:?} without {steps:?}: {refused}", self.ground))
    }

    /// Forks a child for an order that differs from the usual one in this.
    pub(crate) fn try_fork(&self, slot: u32, difference: &Value) -> Result<Parked, Value> {
        let (ours, theirs) = UnixStream::pair().expect("sockets");
        let (output, input) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("a pipe");
        ours.set_read_timeout(Some(DEADLINE)).expect("an option");
        let mut order = json!({"run": 1, "slot": slot, "uid": self.spec.slot_uid(slot), "data_limit": 512 * MIB});
        for (name, value) in difference.as_object().expect("an object") {
            order[name] = value.clone();
        }
        send(&self.control, json!({ "fork": order }).to_string().as_bytes(), &[theirs.as_fd(), input.as_fd(), input.as_fd()]);
        drop((theirs, input));
        let (answer, mut descriptors) = receive(&self.control);
        assert!(answer.starts_with(b"{\"forked\""), "{}", String::from_utf8_lossy(&answer));
        let pidfd = descriptors.pop().expect("a pidfd");
        let pid = pid_of(&pidfd);
        let mut parked = Parked { pidfd, pid, group: None, channel: ours, output };
        let answer = parked.receive().expect("a word from the child");
        if answer.get("parked").is_none() {
            return Err(answer);
        }
        if let Some(cgroups) = &self.cgroups {
            let group = cgroups.slot(slot, &self.spec.limits).expect("a group");
            group.add(parked.pid).expect("the child goes into its group");
            parked.group = Some(group);
        }
        Ok(parked)
    }

    /// Forks a child and has it do this.
    pub(crate) fn run(&self, code: &str) -> Ran {
        self.fork(0).run(code)
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        self.process.end();
        if let Some(cgroups) = self.cgroups.take() {
            cgroups.remove().expect("the groups are removed");
        }
    }
}

impl Process {
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

impl Parked {
    pub(crate) fn start(&mut self, code: &str) {
        let body = json!({"run": {"code": code}}).to_string().into_bytes();
        let length = u32::try_from(body.len()).expect("a short one").to_le_bytes();
        self.channel.write_all(&[&length[..], &body].concat()).expect("the child takes it");
    }

    pub(crate) fn run(mut self, code: &str) -> Ran {
        self.start(code);
        self.finish()
    }

    /// Waits for the result, ends whatever the child left, and reads its output.
    pub(crate) fn finish(mut self) -> Ran {
        let result = self.receive();
        self.kill();
        if let Some(group) = &self.group {
            group.kill().expect("what is left is ended");
        }
        let mut said = Vec::new();
        std::fs::File::from(self.output).read_to_end(&mut said).expect("the output");
        let result = result.and_then(|result| result.get("result").cloned());
        let raised = result.as_ref().and_then(|result| result.get("raised")?.as_str().map(str::to_owned)).unwrap_or_default();
        let found = result.and_then(|result| result.get("found").cloned());
        Ran { found, said: raised + &String::from_utf8_lossy(&said) }
    }

    pub(crate) fn kill(&self) {
        // One that has ended already is what we want.
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, rustix::process::Signal::KILL);
    }

    /// Waits until it has ended.
    pub(crate) fn wait(&self) {
        let mut watched = [rustix::event::PollFd::new(&self.pidfd, rustix::event::PollFlags::IN)];
        let patience = rustix::time::Timespec { tv_sec: 30, tv_nsec: 0 };
        let ended = rustix::event::poll(&mut watched, Some(&patience)).expect("a pidfd can be polled");
        assert_eq!(ended, 1, "the child lives on");
    }

    fn receive(&mut self) -> Option<Value> {
        let mut length = [0; 4];
        self.channel.read_exact(&mut length).ok()?;
        let mut body = vec![0; u32::from_le_bytes(length) as usize];
        self.channel.read_exact(&mut body).ok()?;
        serde_json::from_slice(&body).ok()
    }
}

impl Ran {
    /// Whether the code was ended before its end.
    pub(crate) fn was_ended(&self) -> bool {
        self.found.is_none() && !self.said.contains("Traceback")
    }

    /// What the code found, which must have come to its end.
    pub(crate) fn found(self) -> Value {
        self.found.unwrap_or_else(|| panic!("it did not come to its end: {}", self.said))
    }
}

pub(crate) fn program() -> &'static str {
    env!("CARGO_BIN_EXE_sandbox-under-test")
}

fn specification(ground: Ground, folder: &Path) -> Spec {
    let make = |name: &str| {
        let path = folder.join(name);
        std::fs::create_dir(&path).expect("a folder");
        if rustix::process::geteuid().is_root() && !ground.as_root {
            chown(&path, Some(NOBODY), Some(NOBODY)).expect("we are root");
        }
        path
    };
    // As a server's own folder would not be, it is open: the slots' users must come to their own.
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    let (cache, workspace, tools) = (make("cache"), make("workspace"), make("tools"));
    for path in [&cache, &workspace, &tools] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    let script = tools.join("zygote.py");
    std::fs::write(&script, include_str!("zygote.py")).expect("a script");
    std::fs::write(folder.join("secret"), "of somebody else").expect("a file");
    let mut spec = Spec {
        level: ground.level,
        python: PathBuf::from(PYTHON),
        args: vec!["-I".to_owned(), "-B".to_owned(), script.display().to_string()],
        env: Vec::new(),
        readable: vec![PathBuf::from(PYTHON), tools],
        cache,
        workspace,
        slots: 4,
        limits: Limits::new(256 * MIB, ground.level),
        own_uids: ground.own_uids,
    };
    spec.env = vec![("CACHE".to_owned(), spec.cache_inside().display().to_string())];
    spec
}

fn start(ground: Ground, control: &OwnedFd) -> Process {
    let mut command = Command::new(program());
    command.arg("snippet-zygote").stdin(Stdio::null()).current_dir("/");
    if rustix::process::geteuid().is_root() && !ground.as_root {
        command.uid(NOBODY).gid(NOBODY);
    }
    // The descriptor is open to every process that is started meanwhile.
    let _alone = STARTING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let kept = rustix::io::fcntl_dupfd_cloexec(control, 10).expect("a descriptor");
    rustix::io::fcntl_setfd(&kept, rustix::io::FdFlags::empty()).expect("a flag");
    command.arg(kept.as_raw_fd().to_string());
    // What is in our own environment must not get any further.
    command.env("LITHOUSE_TEST_SECRET", "of the server");
    Process(command.spawn().expect("the program starts"))
}

pub(crate) fn unique_name() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("lithouse-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn pid_of(pidfd: &OwnedFd) -> i32 {
    let facts = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).expect("it is open");
    facts.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok()).expect("a pid")
}

fn send(control: &OwnedFd, message: &[u8], descriptors: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(descriptors)));
    }
    let parts = [std::io::IoSlice::new(message)];
    rustix::net::sendmsg(control, &parts, &mut ancillary, SendFlags::NOSIGNAL).expect("the other side takes it");
}

fn receive(control: &OwnedFd) -> (Vec<u8>, Vec<OwnedFd>) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = vec![0; 65536];
    let got = rustix::net::recvmsg(control, &mut [std::io::IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)
        .expect("the other side answers in time");
    bytes.truncate(got.bytes);
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            descriptors.extend(received);
        }
    }
    (bytes, descriptors)
}
