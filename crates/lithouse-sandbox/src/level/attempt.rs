// SPDX-License-Identifier: Apache-2.0
//! Each level once, from the surroundings to the last filter, with a process that does nothing else.
//!
//! What is tried here is what is used later: the same surroundings, the same plan, composed by the same functions.

use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::ExitCode;

use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::process::{Signal, WaitOptions};
use rustix::thread::UnshareFlags;

use super::advice::{self, Host};
use super::{Finding, Level, Offer};
use crate::cgroup::Cgroups;
use crate::failure::Failure;
use crate::limits::Limits;
use crate::namespaces::{self, Fork};
use crate::plan::perform::{Values, perform};
use crate::zygote::{Attempt, Spec};

const MEMORY: u64 = 64 * 1024 * 1024;
/// Enough for the few pages that this process writes to.
const DATA_LIMIT: u64 = 1 << 40;

pub(super) fn offer() -> Offer {
    let host = Host::look();
    let groups = try_groups();
    let landlock = crate::landlock::version();
    let standard = try_level(Level::Standard);
    let full = match &groups {
        Ok(_) => try_level(Level::Full).map_err(|failure| advice::told(&failure, host)),
        Err(missing) => Err(missing.clone()),
    };
    let basic = try_level(Level::Basic);
    let mut findings = vec![
        finding("namespaces", namespaces_of(&standard), host),
        match groups {
            Ok(place) => found("cgroup", &place),
            Err(reason) => missing("cgroup", reason),
        },
        match landlock {
            Ok(version) => found("Landlock", &format!("version {version} of its interface")),
            Err(errno) => missing("Landlock", advice::told(&Failure::new(advice::LANDLOCK, errno), host)),
        },
        finding("system call filter", filter_of(&basic), host),
    ];
    let tried = [
        (Level::Full, full),
        (Level::Standard, standard.map_err(|failure| advice::told(&failure, host))),
        (Level::Basic, basic.map_err(|failure| advice::told(&failure, host))),
    ];
    let best = tried.iter().find(|(_, tried)| tried.is_ok()).map(|(level, _)| *level);
    findings.extend(tried.map(|(level, tried)| match tried {
        Ok(()) => found(&format!("level {level}"), "every step of it works"),
        Err(reason) => missing(&format!("level {level}"), reason),
    }));
    Offer { best, findings }
}

/// Whether namespaces themselves work, whatever else may have failed in them.
fn namespaces_of(standard: &Result<(), Failure>) -> Result<(), Failure> {
    match standard {
        Err(failure) if failure.step != FILTER => Err(failure.clone()),
        _ => Ok(()),
    }
}

fn filter_of(basic: &Result<(), Failure>) -> Result<(), Failure> {
    match basic {
        Err(failure) if failure.step == FILTER => Err(failure.clone()),
        _ => Ok(()),
    }
}

const FILTER: &str = "filter system calls";

fn finding(layer: &str, tried: Result<(), Failure>, host: Host) -> Finding {
    match tried {
        Ok(()) => found(layer, "it works"),
        Err(failure) => missing(layer, advice::told(&failure, host)),
    }
}

fn found(layer: &str, detail: &str) -> Finding {
    Finding { layer: layer.to_owned(), available: true, detail: detail.to_owned() }
}

fn missing(layer: &str, detail: String) -> Finding {
    Finding { layer: layer.to_owned(), available: false, detail }
}

/// Makes a group with limits, and moves a process into it.
fn try_groups() -> Result<String, String> {
    let groups = Cgroups::find(&format!("lithouse-probe-{}", std::process::id())).map_err(|missing| missing.reason)?;
    let described = groups.to_string();
    let tried = groups.slot(0, &Limits::new(MEMORY, Level::Full)).and_then(|slot| {
        let child = namespaces::fork_idle()?;
        let moved = slot.add(child.as_raw_nonzero().get());
        let _ = rustix::process::kill_process(child, Signal::KILL);
        let _ = rustix::process::waitpid(Some(child), WaitOptions::empty());
        moved
    });
    let removed = groups.remove();
    tried.and(removed).map_err(|error| format!("{described} could not be used: {error}"))?;
    Ok(described)
}

/// Confines a process as far as this level goes, in a process of its own.
fn try_level(level: Level) -> Result<(), Failure> {
    let folder = Scratch::make().map_err(|error| Failure::of_io("make a folder for temporary files", &error))?;
    let (ours, theirs) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|errno| Failure::new("make a pipe", errno))?;
    match namespaces::fork(0).map_err(|errno| Failure::new("fork", errno))? {
        Fork::Child => {
            drop(ours);
            let _ = crate::zygote::with_surroundings(&folder.spec(level), |attempt| {
                report(&theirs, &attempt.and_then(|attempt| confine_a_child(&attempt, &theirs)));
                ExitCode::SUCCESS
            })
            .map_err(|failure| report(&theirs, &Err(failure)));
            namespaces::end(0)
        }
        Fork::Parent(child) => {
            drop(theirs);
            let mut text = String::new();
            let read = std::fs::File::from(ours).read_to_string(&mut text);
            let _ = rustix::process::waitpid(Some(child), WaitOptions::empty());
            read.map_err(|error| Failure::of_io("read what was found", &error))?;
            verdict(&text)
        }
    }
}

/// The child has the last word: it alone knows whether it got to the end. Without any, something ended it.
fn verdict(text: &str) -> Result<(), Failure> {
    let ended = Failure::about("confine a child", Errno::CHILD, "it ended without a word");
    let words: Vec<Result<(), Failure>> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    match words.iter().find(|word| word.is_err()) {
        Some(failed) => failed.clone(),
        // Both the child and whoever forked it must have come to their end.
        None if words.len() == 2 => Ok(()),
        None => Err(ended),
    }
}

fn report(to: &OwnedFd, tried: &Result<(), Failure>) {
    let Ok(mut line) = serde_json::to_vec(tried) else { return };
    line.push(b'\n');
    // Nobody may be listening any more, and then there is nobody to tell.
    let _ = rustix::io::write(to, &line);
}

/// What the zygote does for each run: a fork in a pid namespace of its own, which performs the plan.
fn confine_a_child(attempt: &Attempt, told: &OwnedFd) -> Result<(), Failure> {
    let values = Values { slot: 0, uid: attempt.uid, ruleset: attempt.ruleset(), data_limit: DATA_LIMIT };
    perform(&attempt.seal.steps, values)?;
    if attempt.pid_namespace.is_some() {
        namespaces::unshare(UnshareFlags::NEWPID).map_err(|errno| Failure::new("unshare pid namespace", errno))?;
    }
    match namespaces::fork(0).map_err(|errno| Failure::new("fork a child", errno))? {
        Fork::Child => {
            let kept = rustix::stdio::dup2_stdout(told).map_err(|errno| Failure::new("keep a descriptor", errno));
            let tried = kept.and_then(|()| perform(&attempt.confine.steps, values));
            // All descriptors but the first few are closed by now, if it came to that.
            let Ok(mut line) = serde_json::to_vec(&tried) else { namespaces::end(1) };
            line.push(b'\n');
            let _ = rustix::io::write(rustix::stdio::stdout(), &line);
            namespaces::end(0)
        }
        Fork::Parent(child) => {
            if let Some(home) = &attempt.pid_namespace {
                rustix::thread::move_into_link_name_space(home.as_fd(), Some(rustix::thread::LinkNameSpaceType::ProcessID))
                    .map_err(|errno| Failure::new("return to the own pid namespace", errno))?;
            }
            rustix::process::waitpid(Some(child), WaitOptions::empty())
                .map(drop)
                .map_err(|errno| Failure::new("wait for the child", errno))
        }
    }
}

/// A folder for what a zygote needs on disk; gone with this value, but not with a fork of it.
struct Scratch {
    path: PathBuf,
    owner: u32,
}

impl Scratch {
    fn make() -> io::Result<Self> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let owner = std::process::id();
        let path = std::env::temp_dir().join(format!("lithouse-probe-{owner}-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        // Slots have to come to their folders in it.
        fs::DirBuilder::new().mode(0o755).create(&path)?;
        for name in ["cache", "workspace"] {
            fs::create_dir(path.join(name))?;
        }
        Ok(Self { path, owner })
    }

    fn spec(&self, level: Level) -> Spec {
        Spec {
            level,
            python: PathBuf::new(),
            args: Vec::new(),
            env: Vec::new(),
            readable: Vec::new(),
            cache: self.path.join("cache"),
            workspace: self.path.join("workspace"),
            slots: 1,
            limits: Limits::new(MEMORY, level),
            own_uids: true,
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.owner == std::process::id() {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
