// SPDX-License-Identifier: Apache-2.0
//! Requirements that turn out to be wrong after the upload was taken: what the app is told to have failed for is frozen, and nothing
//! but that and its log is left. All packages come from indexes of these tests, or from the upload itself.

use std::path::Path;

use lithouse_testkit::forge::{self, ZipEntry};
use lithouse_testkit::{free_port, wait_until_blocking};
use serde_json::Value;

use super::index::{Index, Manner, Wheel};
use super::lab::SCRIPT;
use crate::form::Form;
use crate::server::{HELLO, PATIENCE, STREAMLIT, Server, is_alive};
use crate::snapshot::assert_frozen;

/// Seconds that nobody has to wait for an index of these tests, however busy the machine is.
const ANSWERS_WITHIN: &str = "200";

/// A server that insists on nothing that does not answer in this many seconds.
fn server(build_timeout: &str, answers_within: &str) -> Server {
    let mut server = Server::prepare_with_uv(&[]);
    let cache = server.folder().join("uv-cache");
    let variables = [
        ("UV_HTTP_RETRIES", "0"),
        ("UV_HTTP_TIMEOUT", answers_within),
        ("UV_CACHE_DIR", cache.to_str().unwrap()),
        ("LITHOUSE_BUILD_TIMEOUT", build_timeout),
    ];
    server.start_again_with_env(&variables);
    server
}

/// A new app is taken, and fails; why is frozen.
#[track_caller]
fn fails(name: &str, form: Form) -> Server {
    fails_at(server("30m", ANSWERS_WITHIN), name, form)
}

#[track_caller]
fn fails_at(server: Server, name: &str, form: Form) -> Server {
    let id = server.create(form.text("key", "new"));
    let app = server.wait_for_status("new", "failed");
    let log: Vec<String> = app["reason_log"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect();
    // The rest of the log is uv's own.
    let lines = log.iter().filter_map(|line| line.split_once(" build | ")).map(|(_, line)| line);
    let ours: Vec<&str> = lines.skip_while(|line| !line.starts_with("failed: ")).collect();
    let text = format!("failed\n\nreason: {}\n\n{}\n", app["reason"].as_str().unwrap(), ours.join("\n"));
    assert_frozen(&format!("bad_input/builds/{name}.txt"), &normal(&text, &server, &id));
    nothing_is_left(&server);
    server
}

fn normal(text: &str, server: &Server, id: &str) -> String {
    let mut text = text.replace(&server.data().display().to_string(), "<data>").replace(id, "<app id>");
    for (before, name) in
        [("127.0.0.1:", "<port>"), ("this is Python ", "<version>"), ("CPython ", "<version>"), ("(`cp", "<version>")]
    {
        text = without_number(&text, before, name);
    }
    // Which step it was in depends on the machine, and what git says on its version.
    for before in [" (its last words: ", "could not be fetched with git: "] {
        let lines =
            text.lines().map(|line| line.split_once(before).map_or(line.to_owned(), |(line, _)| format!("{line}{before}…")));
        text = lines.collect::<Vec<_>>().join("\n");
    }
    text
}

fn without_number(text: &str, before: &str, name: &str) -> String {
    let mut parts = text.split(before);
    let mut normal = parts.next().unwrap().to_owned();
    for part in parts {
        normal.push_str(before);
        normal.push_str(name);
        normal.push_str(part.trim_start_matches(|each: char| each.is_ascii_digit() || each == '.'));
    }
    normal
}

#[track_caller]
fn nothing_is_left(server: &Server) {
    wait_until_blocking("nothing of the build is left", PATIENCE, || {
        let names = |folder: &str| -> Vec<String> {
            let entries = std::fs::read_dir(server.data().join(folder)).into_iter().flatten().flatten();
            entries.map(|entry| entry.file_name().display().to_string()).collect()
        };
        let left: Vec<_> = server.processes().into_iter().filter(|(_, command)| !command.contains(" keeper ")).collect();
        let seen = (names("tmp"), names("envs"), left);
        if seen.0.is_empty() && seen.1.is_empty() && seen.2.is_empty() { Ok(()) } else { Err(seen) }
    });
}

fn app(requirements: &str) -> Form {
    Form::app(requirements, SCRIPT)
}

/// An app that brings a package along, whose build does something in its folder.
fn with_package(body: &str) -> Form {
    let project = "[project]\nname = 'pkg'\nversion = '1.0'\n[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n";
    let body = format!("    {}\n", body.replace('\n', "\n    "));
    let backend = format!("import os, sys, time\ndef build_wheel(folder, settings=None, metadata=None):\n{body}");
    let index = Index::start(Manner::Honest, Vec::new());
    let entries = [
        ("app.py", SCRIPT),
        ("requirements.txt", &index.requirements("./pkg\n")),
        ("pkg/pyproject.toml", project),
        ("pkg/backend.py", &backend),
    ];
    Form::default().file("bundle", "app.zip", forge::zip(&entries.map(|(name, content)| ZipEntry::file(name, content))))
}

fn honest(wheels: Vec<Wheel>, lines: &str) -> Form {
    app(&Index::start(Manner::Honest, wheels).requirements(lines))
}

fn dishonest(manner: Manner) -> Form {
    app(&Index::start(manner, Vec::new()).requirements("streamlit\n"))
}

/// One test for each row: its name, and the new app.
macro_rules! failed {
    ($($name:ident: $form:expr;)+) => {$(
        #[test]
        fn $name() {
            fails(stringify!($name), $form);
        }
    )+};
}

failed! {
    a_package_that_does_not_exist: honest(Vec::new(), "no-such-package\n");
    a_version_that_does_not_exist: honest(vec![Wheel::pure("alpha", "1.0", "")], "alpha==99.0\n");
    requirements_that_conflict:
        honest(vec![Wheel::pure("alpha", "1.0", ""), Wheel::pure("alpha", "2.0", ""), Wheel::pure("beta", "1.0", "alpha<2")], "alpha==2.0\nbeta==1.0\n");
    a_wheel_for_another_python: honest(vec![Wheel::tagged("alpha", "1.0", "", "cp27-cp27mu-manylinux1_x86_64", "")], "alpha\n");
    a_package_for_another_python: honest(vec![Wheel::tagged("alpha", "1.0", "", "py3-none-any", ">=3.99")], "alpha\n");
    a_line_that_is_no_requirement: honest(Vec::new(), "# first\nstreamlit\nalpha==1 == 2\n");
    an_option_that_is_not_known: honest(Vec::new(), "--frobnicate\n");
    a_project_that_is_not_there: honest(Vec::new(), "./nowhere\n");
    a_repository_that_does_not_answer: honest(Vec::new(), &format!("alpha @ git+http://127.0.0.1:{}/alpha.git\n", free_port()));
    an_address_that_does_not_answer: honest(Vec::new(), &format!("http://127.0.0.1:{}/alpha-1.0-py3-none-any.whl\n", free_port()));
    an_index_that_refuses_connections: app(&format!("--index-url http://127.0.0.1:{}/simple\nstreamlit\n", free_port()));
    an_index_that_fails: dishonest(Manner::Refusing(500));
    an_index_that_asks_for_a_password: dishonest(Manner::Refusing(401));
    an_index_that_knows_nothing: dishonest(Manner::Refusing(404));
    an_index_that_answers_with_some_page: dishonest(Manner::Garbage);
    an_index_that_gives_half_a_file: dishonest(Manner::Truncating);
    an_index_that_gives_another_file: dishonest(Manner::Misleading);
    a_build_that_fails: with_package("print('compiling', file=sys.stderr)\nraise RuntimeError('no such compiler')");
    a_build_that_ends_its_process: with_package("os._exit(3)");
    a_build_that_wants_more_memory_than_it_may_have: with_package(
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\neaten = [bytearray(1 << 26) for _ in range(64)]"
    );
    a_build_that_makes_nothing: with_package("return 'pkg-1.0-py3-none-any.whl'");
}

#[test]
fn an_index_that_says_nothing() {
    fails_at(server("30m", "3"), "an_index_that_says_nothing", dishonest(Manner::Silent));
}

#[test]
fn a_build_that_prints_without_end_fills_no_disk() {
    let body = "for _ in range(300):\n    sys.stderr.write('x' * 99_999 + '\\n')\nraise RuntimeError('enough')";
    let server = fails("a_build_that_prints_thirty_megabytes", with_package(body));
    let log = server.data().join("logs/new.build.log").metadata().unwrap().len();
    assert!(log < 11_000_000, "{log}");
}

/// Python that notes its process id, leaves a daemon that does so too, and goes on as told.
fn noting(pids: &Path, then: &str) -> String {
    let note = format!("open({:?}, 'a').write(str(os.getpid()) + '\\n')", pids.display().to_string());
    format!(
        "{note}\nif os.fork() == 0:\n    os.setsid()\n    {note}\n    for output in (1, 2):\n        os.dup2(os.open('/dev/null', os.O_WRONLY), output)\n    time.sleep(1000)\n{then}"
    )
}

fn pids(file: &Path) -> Vec<u32> {
    wait_until_blocking("the build has begun", PATIENCE, || {
        let pids = noted(file);
        if pids.len() == 2 { Ok(pids) } else { Err(pids) }
    })
}

fn noted(file: &Path) -> Vec<u32> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    // One that is just being written has no end yet.
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')?.parse().ok()).collect()
}

#[track_caller]
fn all_end(pids: &[u32]) {
    wait_until_blocking("all of the build has ended", PATIENCE, || {
        let alive: Vec<u32> = pids.iter().copied().filter(|pid| is_alive(*pid)).collect();
        if alive.is_empty() { Ok(()) } else { Err(alive) }
    });
}

#[test]
fn a_build_that_fails_takes_its_daemons_along() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    fails("a_build_that_leaves_a_daemon", with_package(&noting(&file, "raise RuntimeError('bye')")));
    all_end(&pids(&file));
}

#[test]
fn a_build_that_hangs_is_ended_when_its_time_is_over() {
    // On a busy machine a build may not have come far in a short time; then it gets more.
    for seconds in [10, 40, 160] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pids");
        let server = server(&format!("{seconds}s"), ANSWERS_WITHIN);
        let id = server.create(with_package(&noting(&file, "time.sleep(1000)")).text("key", "new"));
        let app = server.wait_for_status("new", "failed");
        let reason = normal(app["reason"].as_str().unwrap(), &server, &id);
        assert_eq!(reason, format!("the build took longer than {seconds} s and was ended (its last words: …"));
        let pids = noted(&file);
        all_end(&pids);
        nothing_is_left(&server);
        if pids.len() == 2 {
            return;
        }
    }
    panic!("the build never came to hang");
}

#[test]
fn a_build_that_hangs_ends_with_a_stop_and_with_a_delete() {
    for is_deleted in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pids");
        let server = server("30m", ANSWERS_WITHIN);
        server.create(with_package(&noting(&file, "time.sleep(1000)")).text("key", "new"));
        let pids = pids(&file);
        assert_eq!(server.app("new")["status"], "building");
        if is_deleted {
            server.delete("/api/apps/new").expect(204);
            server.get("/api/apps/new").expect_problem(404, "no_such_app");
        } else {
            server.post("/api/apps/new/stop").expect(200);
            server.wait_for_status("new", "stopped");
        }
        all_end(&pids);
        nothing_is_left(&server);
    }
}

fn release(server: &Server, number: u64, state: &str) -> Value {
    wait_until_blocking(&format!("release {number} is {state}"), PATIENCE, || {
        let releases = server.get("/api/apps/there/releases").expect(200).json();
        let found = releases["releases"].as_array().unwrap().iter().find(|release| release["release"] == number).cloned();
        found.filter(|release| release["state"] == state).ok_or(releases)
    })
}

#[test]
fn bad_releases_leave_an_app_as_it_runs_and_the_next_good_one_takes_over() {
    let server = Server::start();
    server.create(Form::app(STREAMLIT, HELLO).text("key", "there"));
    let before = server.wait_for_status("there", "running");
    let bad = [
        honest(Vec::new(), "no-such-package\n"),
        with_package("raise RuntimeError('no such compiler')"),
        dishonest(Manner::Garbage),
        Form::app(STREAMLIT, "import streamlit as st\nst.write('x')\nraise ValueError('not today')\n"),
    ];
    let count = u64::try_from(bad.len()).unwrap();
    for (number, form) in (2..).zip(bad) {
        server.post_form("/api/apps/there/releases", form).expect(201);
        let failed = release(&server, number, "failed");
        // It is stored a moment before it is told.
        let told = format!("release {number} failed, and release 1 serves on: ");
        let now =
            server.wait_for("there", "told of it", |app| app["reason"].as_str().is_some_and(|reason| reason.starts_with(&told)));
        assert!(failed["reason"].is_string(), "{failed}");
        assert_eq!((&now["pid"], &now["release"], &now["status"]), (&before["pid"], &before["release"], &before["status"]));
        assert!(server.is_healthy("there"));
    }
    server.post_form("/api/apps/there/releases", Form::app(STREAMLIT, SCRIPT)).expect(201);
    release(&server, count + 2, "ready");
    let now = server.wait_for("there", "at the good release", |app| app["release"] == count + 2 && app["status"] == "running");
    assert_eq!(now["reason"], Value::Null);
}
