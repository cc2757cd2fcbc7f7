// SPDX-License-Identifier: Apache-2.0
//! `stop`: an app, or the server with all apps, until it is so.

use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use lithouse_engine::home::Home;
use lithouse_engine::keeper;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal};

use super::address::Address;
use super::app_name::AppName;
use super::client::{Client, ClientError};
use super::complete;
use super::failure::Failure;
use super::output::{self, Progress};
use super::power::{self, PowerArgs};
use super::watch::Unattended;
use crate::serve::is_held;

const PAUSE: Duration = Duration::from_millis(20);
/// How often a person who waits is told so.
const TELL_EVERY: Duration = Duration::from_secs(3);

/// What ends.
#[derive(Debug, Args)]
pub(super) struct StopArgs {
    /// Key or id of the app; without it the server ends, with all apps
    #[arg(add = complete::apps())]
    pub(super) app: Option<AppName>,
    /// Return once the server has accepted it
    #[arg(long)]
    no_wait: bool,
}

/// Ends an app, or the server.
pub(super) async fn run(client: &Client, args: StopArgs) -> Result<(), Failure> {
    match args.app {
        Some(app) => power::stop(client, &PowerArgs { app, no_wait: args.no_wait }).await,
        None => server(client, args.no_wait).await,
    }
}

async fn server(client: &Client, no_wait: bool) -> Result<(), Failure> {
    let processes = match client.address() {
        Address::Socket(socket) => socket.parent().map(|data| processes_of(&Home::at(data))).unwrap_or_default(),
        Address::Http { .. } => Vec::new(),
    };
    let asked = client.post_for_nothing("/api/server/stop").await;
    let Address::Socket(socket) = client.address() else { return Ok(asked?) };
    let data = socket.parent().unwrap_or(Path::new(""));
    let home = Home::at(data);
    match asked {
        Ok(()) => {}
        Err(ClientError::NoServerHere { .. }) => {
            if !end_what_is_left(&home)? {
                output::note(&format!("no server runs for the data folder `{}`", data.display()));
                return Ok(());
            }
        }
        Err(error) => return Err(error.into()),
    }
    if no_wait {
        output::note("the server is stopping");
        return Ok(());
    }
    let unattended = Unattended::begin();
    let outcome = until_gone(&home).await;
    unattended.end();
    outcome?;
    for process in processes {
        // A lock is free a moment before its process is gone.
        let at_most = Timespec { tv_sec: 10, tv_nsec: 0 };
        let _ = rustix::event::poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&at_most));
    }
    output::note("the server is stopped, with all apps");
    Ok(())
}

/// The processes of server and keeper, each readable when it has ended.
fn processes_of(home: &Home) -> Vec<OwnedFd> {
    let holders = [home.lock(), home.keeper_lock()].into_iter().filter_map(|lock| holder(&lock));
    holders.filter_map(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok()).collect()
}

/// The process that holds a lock, by the number in its file: which may be another's by now, so that it must have the file open.
fn holder(lock: &Path) -> Option<Pid> {
    let pid = std::fs::read_to_string(lock).ok()?.trim().parse().ok()?;
    Pid::from_raw(pid).filter(|_| has_open(pid, lock))
}

/// Ends a server that no socket leads to, or apps whose server is gone. Whether there was anything to end.
fn end_what_is_left(home: &Home) -> Result<bool, Failure> {
    let lock = if is_held(home).map_err(Failure::Lock)? { home.lock() } else { home.keeper_lock() };
    let Some(process) = holder(&lock) else { return Ok(false) };
    match rustix::process::kill_process(process, Signal::TERM) {
        // It has ended meanwhile.
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(true),
        Err(errno) => Err(Failure::Lock(errno.into())),
    }
}

/// Whether the process has this file open.
fn has_open(pid: i32, file: &Path) -> bool {
    let Ok(file) = std::fs::metadata(file) else { return false };
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let opened = descriptors.filter_map(|descriptor| std::fs::metadata(descriptor.path()).ok());
    opened.into_iter().any(|open| (open.dev(), open.ino()) == (file.dev(), file.ino()))
}

async fn until_gone(home: &Home) -> Result<(), Failure> {
    let (began, mut told) = (Instant::now(), Instant::now());
    let _progress = Progress::of("waiting for the server and its apps to end");
    loop {
        let is_there = is_held(home).map_err(Failure::Lock)? || keeper::holder(home).map_err(Failure::Lock)?.is_some();
        if !is_there {
            return Ok(());
        }
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            output::note(&format!("waiting for the apps to end ({} s)", began.elapsed().as_secs()));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
