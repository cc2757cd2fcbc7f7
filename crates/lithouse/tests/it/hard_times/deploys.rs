// SPDX-License-Identifier: Apache-2.0
//! Many deploys at once, and builds that go wrong.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use lithouse_testkit::wait_until_blocking;

use super::row::{Plan, ports_of_its_own};
use super::wheels::{EndlessBuild, TINY, index};
use crate::form::Form;
use crate::server::PATIENCE;

const DEPLOYS: usize = 100;
/// One in so many asks for a version that there is not.
const HOPELESS_EVERY: usize = 10;
/// Server and keeper never need more than this for it.
const MOST_MEMORY: u64 = 300 << 10;

#[test]
fn a_hundred_deploys_at_once_are_built_a_few_at_a_time_and_all_come_to_an_end() {
    let plan = Plan::of("a-hundred-deploys", &ports_of_its_own(200));
    let index = index(&plan.server);
    let mut row = plan.begin_with(&index);
    let server = &row.server;
    let apps: BTreeMap<usize, String> = std::thread::scope(|scope| {
        let deploys: Vec<_> = (0..DEPLOYS)
            .map(|number| {
                scope.spawn(move || {
                    let version = if number % HOPELESS_EVERY == 0 { 99 } else { 1 + number % 5 };
                    (number, server.create(Form::app(&format!("{TINY}tiny=={version}\n"), &format!("# app {number}\n"))))
                })
            })
            .collect();
        deploys.into_iter().map(|deploy| deploy.join().unwrap()).collect()
    });
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let (mut most_builds, waited) = (0, AtomicBool::new(false));
    wait_until_blocking("all have come to an end", PATIENCE, || {
        let builds = server.processes().iter().filter(|(_, command)| command.contains(" guard ")).count();
        most_builds = most_builds.max(builds);
        let listed = server.get("/api/apps").expect(200).json();
        let listed = listed["apps"].as_array().unwrap();
        let waits = |app: &serde_json::Value| app["status"] == "starting" && app["reason"] == "waiting for other builds to end";
        waited.fetch_or(listed.iter().any(waits), Ordering::Relaxed);
        let at_end = listed.iter().filter(|app| app["status"] == "running" || app["status"] == "failed").count();
        if at_end == DEPLOYS + 1 { Ok(()) } else { Err(at_end) }
    });
    assert!(waited.into_inner(), "nobody was told to wait");
    // As many are locked meanwhile.
    assert!(most_builds <= 2 * cores, "{most_builds} builds at a time");
    for (number, app) in &apps {
        let seen = server.app(app);
        let expected = if number % HOPELESS_EVERY == 0 { "failed" } else { "running" };
        assert_eq!(seen["status"], expected, "{number}: {seen}");
        if expected == "running" {
            assert_eq!(server.get(&format!("/apps/{app}/")).expect(200).text(), format!("# app {number}\n"));
        }
    }
    for pid in [server.pid(), server.keeper_pid().unwrap()] {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak: u64 = peak.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        assert!(peak < MOST_MEMORY, "{peak} kB");
    }
    let hopeless = server.app(&apps[&0]);
    row.told("one that asks for what there is not", &hopeless);
    row.end();
}

#[test]
fn a_python_that_vanishes_between_builds_is_named_and_builds_go_on_when_it_is_back() {
    let mut plan = Plan::of("python-vanishes", "");
    let python = plan.server.folder().join("python-of-test");
    plan.set(&format!("python = {python:?}"));
    let real = std::process::Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    let real = String::from_utf8(real.stdout).unwrap().trim().to_owned();
    std::os::unix::fs::symlink(&real, &python).unwrap();
    let index = index(&plan.server);
    let mut row = plan.begin_with(&index);
    let first = row.server.create(Form::app(&format!("{TINY}tiny==1\n"), "# first\n"));
    row.server.wait_for_status(&first, "running");
    std::fs::remove_file(&python).unwrap();
    let second = row.server.create(Form::app(&format!("{TINY}tiny==2\n"), "# second\n"));
    row.server.wait_for_status(&second, "failed");
    let told = row.server.app(&second);
    row.told("the second", &told);
    std::os::unix::fs::symlink(&real, &python).unwrap();
    row.server.post(&format!("/api/apps/{second}/start")).expect(200);
    row.server.wait_for_status(&second, "running");
    assert_eq!(row.server.app(&first)["status"], "running");
    row.end();
}

#[test]
fn an_environment_that_was_removed_by_hand_is_built_again_with_the_next_start() {
    let plan = Plan::of("environment-removed", "");
    let index = index(&plan.server);
    let mut row = plan.begin_with(&index);
    let app = row.server.create(Form::app(&format!("{TINY}tiny==1\n"), "# here\n"));
    row.server.wait_for_status(&app, "running");
    let envs = row.server.data().join("envs");
    for part in ["", "bin"] {
        let environment =
            std::fs::read_dir(&envs).unwrap().flatten().map(|entry| entry.path()).find(|path| path.is_dir()).unwrap();
        std::fs::remove_dir_all(environment.join(part)).unwrap();
        let pid = row.server.app(&app)["pid"].clone();
        row.server.post(&format!("/api/apps/{app}/restart")).expect(200);
        row.server.wait_for(&app, "restarted", |seen| seen["status"] == "running" && seen["pid"] != pid);
        row.when(&format!("`data/envs/<key>/{part}` was removed, and the app restarted"));
        let log = row.server.get(&format!("/api/apps/{app}/logs?stream=build")).expect(200).text();
        for words in ["is complete after", "making an environment"] {
            assert!(log.contains(words), "no `{words}` in {log}");
        }
        let seen = row.server.app(&app);
        row.told("its app", &seen);
    }
    row.end();
}

#[test]
fn a_build_is_chosen_before_an_app_and_an_app_before_the_server_when_memory_runs_out() {
    let plan = Plan::of("build-and-memory", "");
    let build = EndlessBuild::beside(&plan.server);
    let index = index(&plan.server);
    let mut row = plan.begin_with(&index);
    let app = row.server.create(build.form());
    let backend = wait_until_blocking("the package is being built", PATIENCE, || {
        if !build.has_begun.exists() {
            return None;
        }
        row.server.processes().into_iter().find(|(_, command)| command.contains("build_wheel")).map(|(pid, _)| pid)
    });
    let score =
        |pid: u32| -> i32 { std::fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap().trim().parse().unwrap() };
    let app_of_neighbour = row.server.app("neighbour")["pid"].as_u64().unwrap();
    let scores = [backend, u32::try_from(app_of_neighbour).unwrap(), row.server.pid()].map(score);
    assert!(scores.is_sorted_by(|first, then| first > then), "build, app, server: {scores:?}");
    assert!(score(row.server.keeper_pid().unwrap()) <= score(row.server.pid()));
    // What the kernel does then.
    crate::server::signal(backend, "KILL");
    let mut failed = row.server.wait_for_status(&app, "failed");
    // The rest is in uv's words.
    let reason = failed["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("SIGKILL"), "{failed}");
    failed["reason"] = reason.split_inclusive(" failed").next().unwrap().into();
    failed["reason_log"] = serde_json::json!([]);
    row.told("its app", &failed);
    row.end();
}
