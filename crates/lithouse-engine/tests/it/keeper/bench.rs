// SPDX-License-Identifier: Apache-2.0
//! A home with a keeper of its own, and what tests ask of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lithouse_core::ending::Ending;
use lithouse_core::id::{AppId, InstanceId, ReleaseNumber};
use lithouse_core::limits::Limits;
use lithouse_engine::home::Home;
use lithouse_engine::keeper::{
    CallError, InstanceReport, InstanceState, Keeper, KeeperEvent, KeeperProgram, Launch, LaunchLimits, LogLimits,
};
use lithouse_testkit::{wait_until, wait_until_blocking};
use rustix::process::{Pid, Signal};
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;

/// Long enough for a machine with much else to do.
pub(super) const SOON: Duration = Duration::from_mins(3);

pub(super) const BINARY: &str = env!("CARGO_BIN_EXE_keeper-under-test");

/// A home, and whatever keeper it has.
pub(super) struct Bench {
    folder: TempDir,
    pub(super) home: Home,
}

/// A connection to a bench's keeper.
pub(super) struct Server {
    pub(super) keeper: Keeper,
    pub(super) events: UnboundedReceiver<KeeperEvent>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::below(tempfile::tempdir().unwrap(), "data")
    }

    pub(super) fn below(folder: TempDir, path: &str) -> Self {
        let home = Home::open(&folder.path().join(path)).unwrap();
        Self { folder, home }
    }

    /// A folder for the test's own files.
    pub(super) fn scratch(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn program(&self) -> KeeperProgram {
        let args = vec!["keeper".into(), "--data".into(), self.home.root().into()];
        KeeperProgram { program: PathBuf::from(BINARY), args }
    }

    /// The program with further arguments.
    pub(super) fn special(&self, special: [&str; 2]) -> KeeperProgram {
        let mut program = self.program();
        program.args.extend(special.map(Into::into));
        program
    }

    pub(super) async fn connect_as(&self, program: &KeeperProgram) -> Server {
        let (keeper, events) = Keeper::connect(&self.home, program).await.unwrap();
        Server { keeper, events }
    }

    pub(super) async fn connect(&self) -> Server {
        let (keeper, events) = Keeper::connect(&self.home, &self.program()).await.unwrap();
        Server { keeper, events }
    }

    /// A launch of a shell script, with a log of its own.
    pub(super) fn shell(&self, script: &str) -> Launch {
        self.launch("/bin/sh", &["-c", script])
    }

    pub(super) fn launch(&self, program: &str, args: &[&str]) -> Launch {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&std::process::id().to_be_bytes());
        bytes[4..].copy_from_slice(&number.to_be_bytes());
        let (instance, app) = (InstanceId::from_bytes(bytes), AppId::from_bytes(bytes));
        let env = [("PATH", std::env::var("PATH").unwrap()), ("BENCH", self.scratch().to_str().unwrap().to_owned())];
        Launch {
            log: self.home.run_log(instance.as_str()),
            instance,
            app,
            release: ReleaseNumber(1),
            program: program.into(),
            args: args.iter().map(|&argument| argument.to_owned()).collect(),
            env: env.map(|(name, value)| (name.to_owned(), value)).into_iter().collect::<BTreeMap<_, _>>(),
            cwd: self.scratch().to_owned(),
            listen: None,
            binds: None,
            log_limits: LogLimits::default(),
            may_take: Limits::default(),
            limits: LaunchLimits::default(),
            run_as: None,
        }
    }

    /// The pids of the living processes whose environment names this bench.
    pub(super) fn alive(&self) -> Vec<i32> {
        let wanted = format!("BENCH={}\0", self.scratch().display());
        pids()
            .filter(|pid| {
                let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
                is_alive(*pid) && holds(&environment, wanted.as_bytes())
            })
            .collect()
    }

    /// The keepers of this home, found by how they were called: a test may have removed every file of theirs.
    fn keepers(&self) -> Vec<i32> {
        let call = format!("\0keeper\0--data\0{}\0", self.home.root().display());
        pids()
            .filter(|pid| {
                is_alive(*pid) && fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|read| holds(&read, call.as_bytes()))
            })
            .collect()
    }

    /// Ends the keeper as the server would, and sees to it that nothing is left.
    pub(super) async fn end(self, server: Server) {
        let pid = server.keeper.pid();
        server.keeper.shutdown(Duration::from_secs(5)).await.unwrap();
        assert!(!is_alive(i32::try_from(pid).unwrap()), "the keeper is gone when it says so");
        assert_eq!(self.alive(), [0; 0], "nothing of the apps is left");
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for pid in self.keepers() {
            kill(pid, Signal::KILL);
        }
        if !std::thread::panicking() {
            wait_until_blocking("the apps have died with their keeper", SOON, || match self.alive() {
                alive if alive.is_empty() => Ok(()),
                alive => Err(alive),
            });
        }
        for pid in self.alive() {
            kill(pid, Signal::KILL);
        }
    }
}

impl Server {
    pub(super) async fn report(&self, instance: &InstanceId) -> Option<InstanceReport> {
        self.keeper.list().await.unwrap().into_iter().find(|report| report.instance == *instance)
    }

    /// Waits for the end of the instance by asking, not by the event.
    pub(super) async fn ending(&self, instance: &InstanceId) -> Ending {
        wait_until("the instance has ended", SOON, async || match self.report(instance).await {
            Some(InstanceReport { state: InstanceState::Ended { ending, .. }, .. }) => Ok(ending),
            other => Err(other),
        })
        .await
    }

    /// Starts it and waits until its log holds the text.
    pub(super) async fn start(&self, launch: &Launch, until: &str) -> u32 {
        let spawned = self.keeper.spawn(launch.clone()).await.unwrap();
        log_with(&launch.log, until).await;
        spawned.pid
    }

    pub(super) async fn refused(&self, launch: &Launch) -> CallError {
        self.keeper.spawn(launch.clone()).await.unwrap_err()
    }

    /// Starts it and answers how it ends.
    pub(super) async fn run(&self, launch: &Launch) -> Ending {
        self.keeper.spawn(launch.clone()).await.unwrap();
        self.ending(&launch.instance).await
    }
}

/// Waits until the log holds the text, and answers all of it.
pub(super) async fn log_with(log: &Path, text: &str) -> String {
    wait_until(&format!("`{text}` stands in the log"), SOON, async || {
        let log = fs::read_to_string(log).unwrap_or_default();
        if log.contains(text) { Ok(log) } else { Err(log) }
    })
    .await
}

/// The lines of a log without their stamps.
pub(super) fn texts(log: &str) -> Vec<&str> {
    log.lines().map(|line| line.split_once(' ').unwrap().1).collect()
}

/// Waits until a file is there and whole, and reads the number in it.
pub(super) async fn number_in(file: &Path) -> i32 {
    wait_until(&format!("there is a number in `{}`", file.display()), SOON, async || {
        fs::read_to_string(file).ok()?.strip_suffix('\n')?.parse().ok()
    })
    .await
}

/// Whether the process exists and is not only waiting to be reaped.
pub(super) fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Waits until a process is gone.
pub(super) async fn gone(pid: i32) {
    wait_until(&format!("process {pid} is gone"), SOON, async || !is_alive(pid)).await;
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn pids() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

pub(super) fn kill(pid: i32, signal: Signal) {
    // It may have ended by itself.
    let _ = rustix::process::kill_process(Pid::from_raw(pid).unwrap(), signal);
}
