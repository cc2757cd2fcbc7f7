// SPDX-License-Identifier: Apache-2.0
//! What the tests of snippets work in: a data folder with an environment that was built once, and a service on it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use lithouse_engine::environment::Environments;
use lithouse_engine::home::Home;
use lithouse_engine::snippets::{Event, ExecuteError, Level, Outcome, Request, Sandbox, Settings, Snippets, Status};
use lithouse_sandbox::level::{Offer, probe};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::environment::lab;

/// Long enough for a machine with much else to do.
pub(crate) const PATIENCE: Duration = Duration::from_mins(4);

/// The longest time that a run may ask for.
const LONGEST_TIMEOUT: Duration = Duration::from_mins(1);

/// A service of one level with a runtime of its own, so that tests on several threads can share it.
pub(crate) struct Lab {
    pub(crate) runtime: Runtime,
    pub(crate) snippets: Snippets,
    pub(crate) home: Home,
    _folder: TempDir,
}

/// The program with the hidden verbs.
pub(crate) fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_keeper-under-test"))
}

/// What this machine offers.
pub(crate) fn offer() -> &'static Offer {
    static OFFER: OnceLock<Offer> = OnceLock::new();
    OFFER.get_or_init(|| probe(&program()))
}

/// The service of a level that all tests share which run at the same time; none where the machine does not offer it.
pub(crate) fn shared(level: Level) -> Option<Arc<Lab>> {
    static LABS: Mutex<Vec<(Level, Weak<Lab>)>> = Mutex::new(Vec::new());
    if !offer().has(level) {
        eprintln!("SKIPPED: this machine does not offer the sandbox `{level}`: {:?}", offer().findings);
        return None;
    }
    let mut labs = LABS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(lab) = labs.iter().find(|(of, _)| *of == level).and_then(|(_, lab)| lab.upgrade()) {
        return Some(lab);
    }
    labs.retain(|(of, _)| *of != level);
    // As many wait as there are tests at a time, on a machine of many cores too: one that comes to a full queue is refused.
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let lab = Arc::new(Lab::with(level, |settings| settings.workers = cores.div_ceil(2).max(2)));
    labs.push((level, Arc::downgrade(&lab)));
    Some(lab)
}

impl Lab {
    pub(crate) fn new(level: Level) -> Self {
        Self::with(level, |_| {})
    }

    /// A service with a change to the usual settings.
    pub(crate) fn with(level: Level, change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::open(&folder.path().join("data")).expect("a data folder");
        use_built_environment(&home);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let mut settings = Settings::new(program());
        settings.workers = 2;
        settings.sandbox = Sandbox::Exactly(level);
        settings.allow_open = true;
        // As long as can be: on a machine with much else to do, what takes a second takes many.
        settings.timeout = LONGEST_TIMEOUT;
        change(&mut settings);
        let _inside = runtime.enter();
        let environments = Environments::open(home.clone(), lab::settings()).expect("environments");
        let snippets = Snippets::open(home.clone(), environments, settings);
        Self { runtime, snippets, home, _folder: folder }
    }

    /// Runs a request to its end.
    pub(crate) fn execute(&self, request: Request) -> Result<Answer, ExecuteError> {
        self.runtime.block_on(self.snippets.execute(request, None)).map(|outcome| Answer::of(&outcome))
    }

    /// Runs code that may do what it likes, as far as the policy is concerned.
    pub(crate) fn run(&self, code: &str) -> Answer {
        self.execute(open(code)).expect("it can be run")
    }

    /// The same, with what came while it ran.
    pub(crate) fn stream(&self, code: &str) -> (Answer, Vec<Event>) {
        self.runtime.block_on(async {
            let (send, mut events) = mpsc::channel(4);
            let (outcome, heard) = tokio::join!(self.snippets.execute(open(code), Some(send)), async {
                let mut heard = Vec::new();
                while let Some(event) = events.recv().await {
                    heard.push(event);
                }
                heard
            });
            (Answer::of(&outcome.expect("it can be run")), heard)
        })
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.runtime.block_on(self.snippets.leave());
    }
}

/// A request that the policy lets through.
pub(crate) fn open(code: &str) -> Request {
    Request { mode: lithouse_engine::snippets::Mode::Open, ..Request::of(code) }
}

/// An outcome as a client sees it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: Status,
    pub(crate) json: Value,
}

impl Answer {
    fn of(outcome: &Outcome) -> Self {
        Self { status: outcome.status, json: serde_json::to_value(outcome).expect("JSON") }
    }

    pub(crate) fn stdout(&self) -> &str {
        self.json["output"]["stdout"].as_str().expect("a text")
    }

    pub(crate) fn stderr(&self) -> &str {
        self.json["output"]["stderr"].as_str().expect("a text")
    }

    /// Type and message of the error; empty for none.
    pub(crate) fn error(&self) -> String {
        let error = &self.json["error"];
        if error.is_null() {
            String::new()
        } else {
            format!("{}: {}", error["type"].as_str().unwrap(), error["message"].as_str().unwrap())
        }
    }

    /// The output of a run that must have been a success.
    pub(crate) fn printed(&self) -> &str {
        assert_eq!(self.status, Status::Success, "{:#}", self.json);
        self.stdout()
    }
}

/// Puts the environment of all tests into a data folder, as if it had been built there by an earlier start.
pub(crate) fn use_built_environment(home: &Home) {
    let built = built();
    let key = fs::read_dir(built.join("envs")).expect("environments").flatten().next().expect("an environment");
    std::os::unix::fs::symlink(key.path(), home.envs().join(key.file_name())).expect("a link");
    fs::create_dir_all(home.snippets()).expect("a folder");
    fs::copy(built.join("snippets/environment.json"), home.snippets().join("environment.json")).expect("a record");
}

/// A data folder whose environment is built by the product itself, once for all tests of this build.
fn built() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("snippets-of-tests-1-{}", rustix::process::geteuid()));
    let lock = File::create(folder.with_extension("lock")).expect("a lock");
    lock.lock().expect("the lock");
    if !folder.join("complete").exists() {
        let _ = fs::remove_dir_all(&folder);
        build_in(&folder);
        fs::write(folder.join("complete"), "").expect("a mark");
    }
    folder
}

fn build_in(folder: &Path) {
    let home = Home::open(folder).expect("a data folder");
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let environments = Environments::open(home.clone(), lab::settings()).expect("environments");
        let settings = Settings { sandbox: Sandbox::Exactly(Level::None), ..Settings::new(program()) };
        let snippets = Snippets::open(home.clone(), environments, settings);
        lithouse_testkit::wait_until("the environment is built", std::time::Duration::from_secs(600), async || {
            let answer = snippets.execute(Request::of("1"), None).await;
            answer.map(|outcome| assert_eq!(outcome.status, Status::Success, "{outcome:?}"))
        })
        .await;
        snippets.leave().await;
    });
}
