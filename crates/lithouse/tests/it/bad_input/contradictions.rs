// SPDX-License-Identifier: Apache-2.0
//! Requests that contradict each other and come at once: each is answered, what they come to is one of few ends, and it stays so.

use lithouse_testkit::wait_until_blocking;
use serde_json::{Value, json};

use super::lab::SCRIPT;
use crate::form::Form;
use crate::server::{Answer, HELLO, PATIENCE, STREAMLIT, Server};

/// Sends all of these at once, and tells the answers in their order.
fn at_once<'a>(sent: Vec<Box<dyn FnOnce() -> Answer + Send + 'a>>) -> Vec<Answer> {
    let barrier = std::sync::Barrier::new(sent.len());
    std::thread::scope(|scope| {
        let barrier = &barrier;
        let threads: Vec<_> = sent
            .into_iter()
            .map(|send| {
                scope.spawn(move || {
                    barrier.wait();
                    send()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status).collect()
}

/// The app once it rests in one of these states.
#[track_caller]
fn rests(server: &Server, app: &str, allowed: &[&str]) -> Value {
    server.wait_for(app, &format!("one of {allowed:?}"), |app| {
        allowed.contains(&app["status"].as_str().unwrap()) && (app["status"] != "stopped" || app["pid"].is_null())
    })
}

fn without_uv() -> Server {
    Server::prepare(&["--uv", "/bin/false"]).up()
}

#[track_caller]
fn nothing_is_left(server: &Server, app: &str) {
    wait_until_blocking("nothing of the app is left", PATIENCE, || {
        let processes: Vec<_> = server.processes().into_iter().filter(|(_, command)| !command.contains(" keeper ")).collect();
        let tmp = std::fs::read_dir(server.data().join("tmp")).unwrap().count();
        let has_folder = server.data().join("apps").join(app).exists();
        if processes.is_empty() && tmp == 0 && !has_folder { Ok(()) } else { Err((processes, tmp, has_folder)) }
    });
    server.get(&format!("/api/apps/{app}")).expect_problem(404, "no_such_app");
    server.get(&format!("/apps/{app}/")).expect(404);
}

#[test]
fn of_apps_that_want_the_same_key_at_once_exactly_one_is_made() {
    let server = without_uv();
    let create = || server.post_form("/api/apps", Form::app("six\n", SCRIPT).text("key", "same"));
    let answers = at_once((0..5).map(|_| Box::new(create) as Box<dyn FnOnce() -> Answer + Send>).collect());
    let mut told = statuses(&answers);
    told.sort_unstable();
    assert_eq!(told, [201, 409, 409, 409, 409]);
    for answer in answers.into_iter().filter(|answer| answer.status == 409) {
        answer.expect_problem(409, "name_taken");
    }
    assert_eq!(server.get("/api/apps").json()["apps"].as_array().unwrap().len(), 1);
    let folders = || std::fs::read_dir(server.data().join("apps")).unwrap().count();
    wait_until_blocking("one folder is left", PATIENCE, || if folders() == 1 { Ok(()) } else { Err(folders()) });
}

#[test]
fn releases_and_edits_at_once_are_all_taken_each_under_a_number_of_its_own() {
    let server = without_uv();
    server.create(Form::app("six\n", SCRIPT).text("key", "there"));
    let release = || server.post_form("/api/apps/there/releases", Form::app("six\n", SCRIPT));
    let edit = || server.put("/api/apps/there/files/lib.py", b"X = 1\n");
    let answers = at_once(vec![Box::new(release), Box::new(edit), Box::new(release), Box::new(edit), Box::new(edit)]);
    let mut numbers: Vec<u64> =
        answers.into_iter().map(|answer| answer.expect(201).json()["release"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3, 4, 5, 6]);
    wait_until_blocking("uploads are cleared away", PATIENCE, || {
        let left = std::fs::read_dir(server.data().join("tmp")).unwrap().count();
        if left == 0 { Ok(()) } else { Err(left) }
    });
}

#[test]
fn an_app_that_is_deleted_twice_is_gone_once() {
    let server = Server::start();
    let app = server.running_app(HELLO);
    let delete = || server.delete(&format!("/api/apps/{app}"));
    let answers = at_once(vec![Box::new(delete), Box::new(delete)]);
    for answer in &answers {
        assert!(matches!(answer.status, 204 | 404), "{answer:?}");
    }
    assert!(statuses(&answers).contains(&204));
    nothing_is_left(&server, &app);
}

#[test]
fn an_app_that_is_deleted_while_it_starts_is_gone() {
    let server = Server::start();
    for status in ["starting", "building", "running"] {
        let app = server.create(Form::app(STREAMLIT, HELLO));
        // It may be further already.
        rests(&server, &app, &[status, "running"]);
        server.delete(&format!("/api/apps/{app}")).expect(204);
        nothing_is_left(&server, &app);
    }
}

#[test]
fn whatever_is_asked_of_an_app_while_it_is_deleted_is_refused_and_changes_nothing() {
    let server = Server::start();
    let app = server.running_app(HELLO);
    let path = |rest: &str| format!("/api/apps/{app}{rest}");
    let answers = at_once(vec![
        Box::new(|| server.delete(&path(""))),
        Box::new(|| server.patch(&path(""), &json!({"name": "other"}))),
        Box::new(|| server.post(&path("/start"))),
        Box::new(|| server.post(&path("/stop"))),
        Box::new(|| server.post(&path("/restart"))),
        Box::new(|| server.post_form(&path("/releases"), Form::app(STREAMLIT, SCRIPT))),
        Box::new(|| server.put(&path("/files/app.py"), SCRIPT.as_bytes())),
    ]);
    assert_eq!(answers[0].status, 204);
    for answer in &answers[1..] {
        // Before, while or after it was deleted.
        assert!(matches!(answer.status, 200 | 201 | 404 | 409), "{answer:?} {}", answer.text());
    }
    nothing_is_left(&server, &app);
}

#[test]
fn an_app_that_is_stopped_and_started_at_once_ends_as_one_of_them_said() {
    let server = Server::start();
    let app = server.running_app(HELLO);
    for _ in 0..3 {
        let ask = |verb: &'static str| {
            let (server, app) = (&server, &app);
            Box::new(move || server.post(&format!("/api/apps/{app}/{verb}"))) as Box<dyn FnOnce() -> Answer + Send>
        };
        let answers = at_once(vec![ask("stop"), ask("start"), ask("restart"), ask("stop"), ask("restart")]);
        assert_eq!(statuses(&answers), [200; 5]);
        let seen = rests(&server, &app, &["running", "stopped"]);
        assert_eq!(seen["restarts"], 0, "a wish is no crash: {seen}");
    }
    server.post(&format!("/api/apps/{app}/start")).expect(200);
    server.wait_for_status(&app, "running");
    wait_until_blocking("one process serves it", PATIENCE, || {
        let processes = server.processes();
        let apps = processes.iter().filter(|(_, command)| command.contains("launch.py")).count();
        if apps == 1 && server.is_healthy(&app) { Ok(()) } else { Err(processes) }
    });
}

#[test]
fn an_older_release_that_is_activated_while_a_newer_one_is_proved_or_the_other_way_round_leaves_one_of_them() {
    let server = Server::start();
    let app = server.running_app(HELLO);
    let path = |rest: &str| format!("/api/apps/{app}{rest}");
    let release = || server.post_form(&path("/releases"), Form::app(STREAMLIT, SCRIPT));
    release().expect(201);
    server.wait_for(&app, "at release 2", |app| app["release"] == 2);
    let answers = at_once(vec![Box::new(release), Box::new(|| server.post(&path("/releases/1/activate")))]);
    assert_eq!(statuses(&answers), [201, 200]);
    let settled = wait_until_blocking("one of both is active, and nothing is on its way", PATIENCE, || {
        let releases = server.get(&path("/releases")).expect(200).json();
        let list = releases["releases"].as_array().unwrap();
        let active = list.iter().find(|release| release["active"] == true).cloned();
        let number = active.and_then(|release| release["release"].as_u64());
        let is_settled = list.iter().all(|release| release["state"] != "pending");
        if matches!(number, Some(1 | 3)) && is_settled && server.is_healthy(&app) { Ok(number) } else { Err(releases) }
    });
    // It is stored a moment before it is told.
    server.wait_for(&app, "at the release that won", |app| app["release"].as_u64() == settled);
}
