// SPDX-License-Identifier: Apache-2.0
//! The service around the runs: who waits, who is refused, and what it says of itself.

use std::fs;
use std::time::{Duration, Instant};

use lithouse_engine::engine::Engine;
use lithouse_engine::environment::Environments;
use lithouse_engine::home::Home;
use lithouse_engine::keeper::LogLimits;
use lithouse_engine::snippets::{ExecuteError, Level, Request, Sandbox, Settings, Snippets, State, Status};
use lithouse_testkit::wait_until;

use super::lab::{Lab, PATIENCE, offer, open, program};
use super::processes::settled;
use crate::environment::lab::{self, entries};

fn full() -> Option<Level> {
    let level = Level::Full;
    if offer().has(level) {
        return Some(level);
    }
    eprintln!("SKIPPED: this machine does not offer the sandbox `full`");
    None
}

#[test]
fn a_full_queue_refuses_and_is_served_in_order() {
    const WAITED: Duration = Duration::from_secs(1);
    let Some(level) = full() else { return };
    let lab = Lab::with(level, |settings| settings.workers = 1);
    settled(&lab);
    // The first run goes on until it is called off, so that all others wait for as long as this looks at them.
    let began = Instant::now();
    let snippets = || lab.snippets.clone();
    let health = || lab.snippets.health();
    lab.runtime.block_on(async {
        let spawn = |code: &'static str| {
            let snippets = snippets();
            tokio::spawn(async move { snippets.execute(open(code), None).await })
        };
        let first = spawn("while True: pass");
        wait_until("it runs", PATIENCE, async || health().running == 1).await;
        let mut waiting = Vec::new();
        for index in 0..4 {
            waiting.push(spawn("import time\nprint(time.monotonic_ns())"));
            wait_until("it waits", PATIENCE, async || health().queued == index + 1).await;
        }
        match lab.snippets.execute(open("1"), None).await {
            Err(error @ ExecuteError::Busy { waiting: 4, .. }) => assert!(error.retry_after().is_some()),
            other => panic!("{other:?}"),
        }
        // Who gives up makes room.
        waiting.remove(2).abort();
        wait_until("one is gone", PATIENCE, async || health().queued == 3).await;
        waiting.push(spawn("import time\nprint(time.monotonic_ns())"));
        wait_until("it waits", PATIENCE, async || health().queued == 4).await;
        wait_until("they have waited", PATIENCE, async || began.elapsed() > WAITED).await;
        assert!(!first.is_finished());
        let (waited, handed_out) = (began.elapsed(), Instant::now());
        first.abort();
        let mut turns: Vec<u64> = Vec::new();
        let mut took = 0;
        for run in waiting {
            let outcome = run.await.unwrap().unwrap();
            assert_eq!(outcome.status, Status::Success);
            took += outcome.execution_time;
            turns.push(outcome.output.stdout.trim().parse().unwrap());
        }
        assert!(turns.is_sorted(), "{turns:?}");
        // Waiting counts nowhere: one ran after the other since the first was called off.
        let since = u64::try_from(handed_out.elapsed().as_millis()).unwrap();
        assert!(took <= since + 4, "{took} ms of {since} ms, after a wait of {waited:?}");
    });
    assert_eq!(lab.snippets.health().runs[&Status::Success], 4);
}

#[test]
fn only_so_many_run_at_a_time() {
    let Some(level) = full() else { return };
    let lab = Lab::new(level);
    settled(&lab);
    lab.runtime.block_on(async {
        let spawn = |code: &'static str| {
            let snippets = lab.snippets.clone();
            tokio::spawn(async move { snippets.execute(open(code), None).await })
        };
        let endless = [spawn("while True: pass"), spawn("while True: pass")];
        wait_until("two run", PATIENCE, async || lab.snippets.health().running == 2).await;
        let runs: Vec<_> = (0..8).map(|_| spawn("import time\ntime.sleep(0.05)")).collect();
        wait_until("the others wait, though a process is parked", PATIENCE, async || {
            let health = lab.snippets.health();
            if (health.running, health.queued) == (2, 8) && health.parked > 0 { Ok(()) } else { Err(health) }
        })
        .await;
        endless.iter().for_each(tokio::task::JoinHandle::abort);
        let mut most = 0;
        while !runs.iter().all(tokio::task::JoinHandle::is_finished) {
            most = most.max(lab.snippets.health().running);
            tokio::task::yield_now().await;
        }
        assert!(most <= 2, "{most}");
        for run in runs {
            assert_eq!(run.await.unwrap().unwrap().status, Status::Success);
        }
    });
}

#[test]
fn its_health_tells_level_libraries_and_counts() {
    let Some(level) = full() else { return };
    let lab = Lab::new(level);
    lab.run("1");
    lab.run("1 / 0");
    settled(&lab);
    let health = lab.snippets.health();
    assert_eq!((health.level, health.state, health.workers, health.parked), (Some(level), State::Ready, 2, 3));
    let zygote = health.zygote.unwrap();
    assert!(zygote.libraries.contains_key("pandas") && zygote.python.starts_with("3.") && zygote.forks >= 2);
    assert_eq!((health.runs[&Status::Success], health.runs[&Status::Error], health.runs[&Status::Crashed]), (1, 1, 0));
    let json = serde_json::to_value(lab.snippets.health()).unwrap();
    assert_eq!((&json["state"], &json["level"], &json["runs"]["error"]), (&"ready".into(), &"full".into(), &1.into()));
}

#[test]
fn behind_a_built_environment_a_run_is_a_user_of_its_own() {
    const FIRST: u32 = 0x7C00_0000;
    let Some(level) = full() else { return };
    let lab = Lab::new(level);
    let all = settled(&lab);
    let users: Vec<u32> = all
        .iter()
        .filter(|process| all.iter().any(|other| other.pid == process.parent))
        .map(|process| fs::read_to_string(format!("/proc/{}/status", process.pid)).unwrap())
        .map(|status| status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next()?.parse().ok()).unwrap())
        .collect();
    let health = lab.snippets.health();
    let told = health.findings.iter().find(|finding| finding.layer == "own user ids").expect("it is told");
    if has_ids_to_give() {
        assert!(users.len() >= 3 && users.iter().all(|user| *user >= FIRST), "{users:?}: {told:?}");
    }
    assert_eq!(told.available, users.iter().all(|user| *user >= FIRST), "{users:?}: {told:?}");
}

/// Whether we are root over so many ids that there are some for runs.
fn has_ids_to_give() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap();
    rustix::process::geteuid().is_root() && map.split_whitespace().collect::<Vec<_>>() == ["0", "0", "4294967295"]
}

#[test]
fn who_never_runs_a_snippet_has_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(&folder.path().join("data")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let environments = Environments::open(home.clone(), lab::settings()).unwrap();
    let snippets = Snippets::open(home.clone(), environments, Settings::new(program()));
    assert!(snippets.check("x = 1", lithouse_engine::snippets::Mode::Restricted).is_empty());
    // What the machine offers is told all the same.
    let looked = async || {
        let health = snippets.health();
        if health.findings.is_empty() { Err(health) } else { Ok(health) }
    };
    let health = runtime.block_on(wait_until("it was looked", PATIENCE, looked));
    assert_eq!((health.level, health.state), (offer().best, State::Unused));
    runtime.block_on(snippets.leave());
    assert!(!home.snippets().exists() && entries(&home.envs()).is_empty());
    let refused = runtime.block_on(snippets.execute(Request::of("1"), None));
    assert!(matches!(refused, Err(ExecuteError::Unavailable { .. })), "{refused:?}");
}

#[test]
fn an_environment_that_is_known_is_warmed_up_before_anybody_asks() {
    let lab = Lab::new(Level::None);
    lab.runtime.block_on(wait_until("it is ready", PATIENCE, async || {
        let health = lab.snippets.health();
        if health.state == State::Ready { Ok(()) } else { Err(health) }
    }));
}

#[test]
fn other_packages_make_another_environment_and_the_wait_is_told() {
    let lab = Lab::with(Level::None, |settings| settings.packages = vec!["six==1.17.0".to_owned()]);
    lab.runtime.block_on(async {
        match lab.snippets.execute(Request::of("1"), None).await {
            Err(error @ ExecuteError::Building { .. }) => assert!(error.retry_after().is_some(), "{error}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(lab.snippets.health().state, State::Building);
        let outcome = wait_until("it is built", Duration::from_secs(300), async || {
            lab.snippets.execute(open("import six\nprint(six.__version__)"), None).await
        })
        .await;
        assert_eq!((outcome.status, outcome.output.stdout.as_str()), (Status::Success, "1.17.0\n"));
    });
    let record = fs::read_to_string(lab.home.snippets().join("environment.json")).unwrap();
    assert!(record.contains("six==1.17.0"), "{record}");
}

#[test]
fn an_environment_that_cannot_be_built_says_why() {
    let lab = Lab::with(Level::None, |settings| settings.packages = vec!["six==99.99".to_owned()]);
    let error = lab.runtime.block_on(wait_until("it has failed", PATIENCE, async || {
        match lab.snippets.execute(Request::of("1"), None).await {
            Err(error @ ExecuteError::Unavailable { .. }) => Ok(error),
            other => Err(format!("{other:?}")),
        }
    }));
    assert!(error.to_string().contains("six==99.99") && error.hint().is_some() && error.retry_after().is_some(), "{error}");
    assert_eq!(lab.snippets.health().state, State::Failed);
    assert!(lab.snippets.health().reason.unwrap().contains("six==99.99"));
}

#[test]
fn a_level_that_is_not_there_is_refused_by_its_name() {
    // A program that does not know the probe offers nothing.
    for (sandbox, words) in [(Sandbox::Best, "no sandbox"), (Sandbox::Exactly(Level::Basic), "`basic`")] {
        let lab = Lab::with(Level::None, |settings| {
            settings.sandbox = sandbox;
            settings.program = "/bin/false".into();
        });
        let error = lab.execute(Request::of("1")).expect_err("nothing can be run");
        assert!(matches!(error, ExecuteError::Unavailable { .. }) && error.to_string().contains(words), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("lithouse doctor")));
    }
}

#[test]
fn a_python_that_does_not_start_is_told_and_tried_again() {
    let lab = Lab::with(Level::None, |settings| settings.program = "/bin/false".into());
    let error = lab.execute(Request::of("1")).expect_err("nothing can be run");
    assert!(error.to_string().contains("could not be started") && error.retry_after().is_some(), "{error}");
    assert_eq!(lab.snippets.health().state, State::Failed);
}

#[test]
fn open_code_is_refused_where_the_operator_does_not_allow_it() {
    let lab = Lab::with(Level::None, |settings| settings.allow_open = false);
    assert!(matches!(lab.execute(open("1")), Err(ExecuteError::OpenNotAllowed)));
    assert_eq!(lab.execute(Request::of("print(1)")).unwrap().printed(), "1\n");
}

#[test]
fn a_data_folder_on_a_full_disk_still_runs_snippets() {
    let Some(level) = full() else { return };
    let lab = Lab::new(level);
    assert_eq!(lab.run("print(1)").printed(), "1\n");
    // As a full disk does: nothing can be made or written any more, not even by root.
    let folders = [lab.home.snippets(), lab.home.tools(), lab.home.tmp(), lab.home.root().to_owned()];
    let _sealed: Vec<Sealed> = folders.into_iter().filter_map(Sealed::new).collect();
    for _ in 0..10 {
        assert_eq!(lab.run("open('x', 'w').write('x')\nprint(2)").stdout(), "1\n2\n".trim_start_matches("1\n"));
    }
}

#[test]
fn a_data_folder_that_cannot_be_written_says_so_and_is_tried_again() {
    let lab = Lab::with(Level::None, |_| {});
    lab.runtime.block_on(lab.snippets.leave());
    let tools = lab.home.tools();
    fs::remove_dir_all(&tools).unwrap();
    fs::write(&tools, "in the way").unwrap();
    let _inside = lab.runtime.enter();
    let environments = Environments::open(lab.home.clone(), lab::settings()).unwrap();
    let settings = Settings { sandbox: Sandbox::Exactly(Level::None), ..Settings::new(program()) };
    let service = Snippets::open(lab.home.clone(), environments, settings);
    let error = lab.runtime.block_on(service.execute(Request::of("1"), None)).expect_err("its files cannot be written");
    assert!(error.to_string().contains("could not write") && error.retry_after().is_some(), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("disk is full")), "{:?}", error.hint());
    assert_eq!(service.health().state, State::Failed);
    lab.runtime.block_on(service.leave());
}

/// A folder that nobody can write to, as far as the file system knows such a thing.
struct Sealed(std::path::PathBuf);

impl Sealed {
    fn new(folder: std::path::PathBuf) -> Option<Self> {
        let sealed = std::process::Command::new("chattr").arg("+i").arg(&folder).output().is_ok_and(|done| done.status.success());
        sealed.then_some(Self(folder))
    }
}

impl Drop for Sealed {
    fn drop(&mut self) {
        let _ = std::process::Command::new("chattr").arg("-i").arg(&self.0).output();
    }
}

#[test]
fn the_environment_of_snippets_is_not_collected() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(&folder.path().join("data")).unwrap();
    let (kept, unused) = ("a".repeat(32), "b".repeat(32));
    for key in [&kept, &unused] {
        fs::create_dir(home.envs().join(key)).unwrap();
        let marker =
            r#"{"python": "3.12.1", "implementation": "cpython", "platform": "p", "uv": "1", "created": "2026-01-01T00:00:00Z"}"#;
        fs::write(home.envs().join(key).join("lithouse.json"), marker).unwrap();
    }
    fs::create_dir_all(home.snippets()).unwrap();
    fs::write(home.snippets().join("environment.json"), format!(r#"{{"environment": "{kept}", "requirements": ["numpy"]}}"#))
        .unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let settings = lithouse_engine::shared::Settings {
            port_range: 1..=1,
            start_timeout: Duration::from_secs(1),
            stop_grace: Duration::from_secs(1),
            proof_timeout: Duration::from_secs(1),
            log_limits: LogLimits::default(),
            limits: lithouse_core::limits::Limits::default(),
            keep_releases: 10,
            parallel_starts: 1,
            parallel_builds: 1,
            build_timeout: Duration::from_secs(1),
            python: None,
            uv: None,
            public_address: ("localhost".to_owned(), 1),
            public_url: "http://127.0.0.1:8080".to_owned(),
            program: program(),
        };
        // A start collects what nobody wants.
        Engine::open(home.clone(), settings, Vec::new()).await.unwrap().0.leave().await;
    });
    assert_eq!(entries(&home.envs()), [kept]);
}
