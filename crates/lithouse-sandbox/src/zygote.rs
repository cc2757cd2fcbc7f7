// SPDX-License-Identifier: Apache-2.0
//! The launcher: confines itself, and becomes the zygote.
//!
//! The server starts its own binary again with the hidden verb `snippet-zygote` and the number of an inherited `SOCK_SEQPACKET`
//! socket. The first message on it is the [`Spec`]; one [`Answer`] goes back; after that the socket is Python's, which finds it
//! as descriptor 3 and everything else in the [`Handover`].

mod confine;
mod folders;
mod handover;
mod spec;
mod surroundings;

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

use self::confine::Circumstances;
pub use self::handover::Handover;
pub(crate) use self::spec::HOME;
pub use self::spec::{Answer, CACHE, FIRST_UID, Launched, Spec};
use self::surroundings::{Surroundings, die_with_parent};
use crate::failure::Failure;
use crate::plan::Plan;

/// The exit code of a launcher that could not become a zygote, as shells have it.
const COULD_NOT_START: u8 = 127;
const OOM_SCORE: &str = "500";
/// No specification is longer.
const LONGEST_SPEC: usize = 64 * 1024;

/// Becomes the zygote of the specification that comes over the socket with this number; ends as it does.
///
/// To be called in `main` before anything else: the process must have one thread and no work of its own. The server must start it
/// from a thread that lasts, since the kernel takes that thread's end for the server's.
pub fn enter(channel: &OsStr) -> ExitCode {
    let Ok(control) = handover::take_control(channel) else {
        return ExitCode::from(COULD_NOT_START);
    };
    match launch(&control) {
        Ok(code) => code,
        Err(failure) => refuse(&control, failure),
    }
}

fn launch(control: &OwnedFd) -> Result<ExitCode, Failure> {
    let spec = receive(control)?;
    die_with_parent()?;
    // The caller may have made it the leader of a session already.
    let _ = rustix::process::setsid();
    crate::signals::reset();
    // When the whole machine is short of memory, snippets go first. A preference, not a promise.
    let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    in_surroundings(&spec, |settled| match settled {
        Ok(surroundings) => become_python(control, &spec, &surroundings),
        Err(failure) => refuse(control, failure),
    })
}

/// What a process that only looks whether it can be confined needs to know.
pub(crate) struct Attempt {
    pub(crate) pid_namespace: Option<OwnedFd>,
    pub(crate) seal: Plan,
    pub(crate) confine: Plan,
    /// The user id of the first slot.
    pub(crate) uid: u32,
    rulesets: Vec<OwnedFd>,
}

impl Attempt {
    /// The descriptor of the first slot's ruleset, or none.
    pub(crate) fn ruleset(&self) -> i32 {
        self.rulesets.first().map_or(-1, |ruleset| handover::number(ruleset.as_fd()))
    }
}

/// Does `work` where a zygote would be, for the probe.
pub(crate) fn with_surroundings(
    spec: &Spec,
    work: impl FnOnce(Result<Attempt, Failure>) -> ExitCode,
) -> Result<ExitCode, Failure> {
    die_with_parent()?;
    in_surroundings(spec, |settled| {
        work(settled.map(|surroundings| Attempt {
            seal: confine::seal(spec),
            confine: confine::confine(spec, circumstances(&surroundings)),
            uid: spec.slot_uid(0),
            pid_namespace: surroundings.pid_namespace,
            rulesets: surroundings.rulesets,
        }))
    })
}

fn in_surroundings(spec: &Spec, work: impl FnOnce(Result<Surroundings, Failure>) -> ExitCode) -> Result<ExitCode, Failure> {
    if spec.level.has_namespaces() { surroundings::with_namespaces(spec, work) } else { Ok(work(folders::prepare(spec))) }
}

fn circumstances(surroundings: &Surroundings) -> Circumstances {
    Circumstances {
        has_own_uids: surroundings.has_own_uids,
        is_capable: surroundings.is_capable,
        has_landlock: !surroundings.rulesets.is_empty(),
    }
}

fn receive(control: &OwnedFd) -> Result<Spec, Failure> {
    const STEP: &str = "read the specification";
    let mut message = vec![0; LONGEST_SPEC];
    let (length, _) =
        rustix::net::recv(control, message.as_mut_slice(), RecvFlags::empty()).map_err(|errno| Failure::new(STEP, errno))?;
    serde_json::from_slice(&message[..length]).map_err(|error| Failure::about(STEP, Errno::INVAL, error))
}

/// Runs the interpreter in this process. Returns only when that failed, once it was told.
fn become_python(control: &OwnedFd, spec: &Spec, surroundings: &Surroundings) -> ExitCode {
    let failure = match run_python(control, spec, surroundings) {
        Ok(never) => match never {},
        Err(failure) => failure,
    };
    refuse(control, failure)
}

fn run_python(control: &OwnedFd, spec: &Spec, surroundings: &Surroundings) -> Result<std::convert::Infallible, Failure> {
    let numbers = |descriptors: &[OwnedFd]| descriptors.iter().map(|one| handover::number(one.as_fd())).collect();
    let handover = Handover {
        control: handover::number(control.as_fd()),
        pid_namespace: surroundings.pid_namespace.as_ref().map(|one| handover::number(one.as_fd())),
        rulesets: numbers(&surroundings.rulesets),
        level: spec.level,
        slots: spec.slots,
        home: confine::home(spec),
        seal: confine::seal(spec),
        confine: confine::confine(spec, circumstances(surroundings)),
        steps_before_fork: spec.level.has_namespaces(),
    };
    let handover = handover.to_descriptor().map_err(|errno| Failure::new("hand over the plan", errno))?;
    rustix::thread::set_no_new_privs(true).map_err(|errno| Failure::new("no new privileges", errno))?;
    std::env::set_current_dir("/").map_err(|error| Failure::of_io("go to the root", &error))?;
    let kept = [control, &handover].into_iter().chain(&surroundings.rulesets).chain(&surroundings.pid_namespace);
    for descriptor in kept {
        handover::let_through(descriptor.as_fd()).map_err(|errno| Failure::new("keep descriptors", errno))?;
    }
    let launched = Launched { level: spec.level, own_uids: surroundings.has_own_uids, landlock: surroundings.landlock };
    tell(control.as_fd(), &Answer::Launched(launched));
    let mut python = Command::new(&spec.python);
    python.args(&spec.args).arg(handover::number(handover.as_fd()).to_string());
    python.env_clear().envs(spec.env.iter().map(|(name, value)| (name, value)));
    let error = python.exec();
    Err(Failure { message: format!("`{}`", spec.python.display()), ..Failure::of_io("run the interpreter", &error) })
}

fn refuse(control: &OwnedFd, failure: Failure) -> ExitCode {
    tell(control.as_fd(), &Answer::LaunchFailed(failure));
    ExitCode::from(COULD_NOT_START)
}

fn tell(control: BorrowedFd<'_>, answer: &Answer) {
    let message = serde_json::to_vec(answer).map_err(io::Error::from);
    // Nobody may be listening any more, and then there is nobody to tell.
    let _ = message.and_then(|message| Ok(rustix::net::send(control, &message, SendFlags::NOSIGNAL)?));
}
