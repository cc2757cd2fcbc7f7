// SPDX-License-Identifier: Apache-2.0
//! `deploy`.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::binary::{Run, finish, lithouse_of, run};
use super::server::{Answer, Asked, Server, Stranger, Then, answer, app, events, log, problem, release, releases, with};

const URL: &str = "http://127.0.0.1:8080/apps/sales/\n";
const BUILD: [&str; 3] = [
    "2026-01-01T00:00:00.000Z build | of an earlier release",
    "2026-01-02T03:04:05.100Z build | Resolved 40 packages",
    "2026-01-02T03:04:06.200Z build | Installed 40 packages",
];

/// A folder with an app in it, and with what is none of the app.
pub(super) fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for path in ["Sales/app.py", "Sales/requirements.txt", "Sales/.git/config", "Sales/venv/bin/python"] {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    folder
}

fn deploy(server: &Server, folder: &Path, flags: &str) -> Command {
    let mut command = lithouse_of(server.data(), &format!("deploy {flags}"));
    command.current_dir(folder);
    command
}

async fn deployed(server: &Server, flags: &str) -> Run {
    let folder = folder();
    run(deploy(server, folder.path(), &format!("Sales {flags}"))).await
}

/// Answers as for a new app whose first release is pending for some questions and then what `then` says.
pub(super) fn creating(then: impl Fn() -> Answer + Send + Sync + 'static) -> impl Fn(&Asked) -> Answer {
    let polls = AtomicU32::new(0);
    let is_created = AtomicU32::new(0);
    move |asked| match asked.line.as_str() {
        "POST /api/apps" => {
            is_created.store(1, Ordering::Relaxed);
            answer(201, &app("sales", "starting"))
        }
        "GET /api/apps/sales" if is_created.load(Ordering::Relaxed) == 0 => {
            problem(404, "no_such_app", "there is no app `sales`")
        }
        "GET /api/apps/sales" => answer(200, &app("sales", "running")),
        "GET /api/apps/sales/releases" => {
            if polls.fetch_add(1, Ordering::Relaxed) < 2 {
                releases(&[release(1, "pending", false)])
            } else {
                then()
            }
        }
        line if line.contains("/logs?") => log(asked, &BUILD, Then::Stay),
        other => panic!("{other}"),
    }
}

pub(super) fn ready() -> Answer {
    releases(&[release(1, "ready", true)])
}

#[tokio::test]
async fn a_new_app_is_created_of_the_folder_and_its_url_is_all_that_is_printed() {
    let server = Server::new(creating(ready));
    let run = deployed(&server, "--name Sales --description What").await.code(0).prints(URL);
    let form = server.asked("POST /api/apps").form().await;
    let told = |name: &str| form.get(name).map(String::as_str);
    assert_eq!((told("key"), told("name"), told("description")), (Some("sales"), Some("Sales"), Some("What")));
    assert_eq!(told("bundle"), Some("app.py requirements.txt"));
    let asked = server.asked("POST /api/apps");
    assert_eq!(asked.header("content-length"), asked.body.len().to_string());
    let run = run.says("packed 2 files").says("Resolved 40 packages\nInstalled 40 packages\n").says("`sales` is ready after");
    assert!(!run.stderr.contains("build |") && !run.stderr.contains("of an earlier release"), "{run:#?}");
}

#[tokio::test]
async fn build_lines_that_come_together_are_shown_one_by_one() {
    let creating = creating(ready);
    let server = Server::new(move |asked| {
        if asked.line.contains("follow=true") {
            events(&[&BUILD.join("\ndata: ").replace("release", "release\ndata: of an earlier one too")], Then::Stay)
        } else {
            creating(asked)
        }
    });
    let run = deployed(&server, "").await.code(0).says("Resolved 40 packages\nInstalled 40 packages\n");
    assert!(!run.stderr.contains("of an earlier"), "{run:#?}");
}

#[tokio::test]
async fn json_prints_the_app() {
    let server = Server::new(creating(ready));
    let json = deployed(&server, "--json").await.code(0).stdout;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), app("sales", "running"));
}

#[tokio::test]
async fn the_folder_of_the_prompt_is_deployed_by_default_and_an_archive_as_it_is() {
    let server = Server::new(creating(ready));
    let folder = folder();
    run(deploy(&server, &folder.path().join("Sales"), "")).await.code(0).prints(URL);
    assert_eq!(server.asked("POST /api/apps").form().await["key"], "sales");

    let server = Server::new(creating(ready));
    let archive = fs::File::create(folder.path().join("sales.v2.tar.gz")).unwrap();
    let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(archive, flate2::Compression::fast()));
    builder.append_path_with_name(folder.path().join("Sales/app.py"), "main.py").unwrap();
    builder.into_inner().unwrap().finish().unwrap();
    run(deploy(&server, folder.path(), "sales.v2.tar.gz")).await.code(0).prints(URL);
    let form = server.asked("POST /api/apps").form().await;
    assert_eq!((form["key"].as_str(), form["bundle"].as_str()), ("sales", "main.py"));
}

#[tokio::test]
async fn an_app_that_is_there_gets_a_release_and_is_started_if_it_was_stopped() {
    for status in ["running", "stopped"] {
        let polls = AtomicU32::new(0);
        let server = Server::new(move |asked| match asked.line.as_str() {
            "POST /api/apps/shop/releases" => answer(201, &release(4, "pending", false)),
            "POST /api/apps/shop/start" | "PATCH /api/apps/shop" => answer(200, &app("shop", "starting")),
            "GET /api/apps/shop" => {
                let is_done = polls.load(Ordering::Relaxed) > 0;
                answer(200, &app("shop", if is_done { "running" } else { status }))
            }
            "GET /api/apps/shop/releases" => {
                let is_ready = polls.fetch_add(1, Ordering::Relaxed) > 0;
                let new = if is_ready { release(4, "ready", true) } else { release(4, "pending", false) };
                releases(&[new, release(3, "ready", !is_ready)])
            }
            _ => log(asked, &[], Then::End),
        });
        let url = "http://127.0.0.1:8080/apps/shop/\n";
        deployed(&server, "--key shop --name Shop").await.code(0).prints(url).says("accepted as release 4 of `shop`");
        let form = server.asked("POST /api/apps/shop/releases").form().await;
        assert_eq!(form.keys().collect::<Vec<_>>(), ["bundle"]);
        assert_eq!(server.asked("PATCH /api/apps/shop").body, r#"{"name":"Shop"}"#);
        let is_started = server.lines().contains(&"POST /api/apps/shop/start".to_owned());
        assert_eq!(is_started, status == "stopped");
    }
}

#[tokio::test]
async fn a_release_that_fails_tells_why_and_what_goes_on_serving() {
    let server = Server::new(|asked| match asked.line.as_str() {
        "POST /api/apps/sales/releases" => answer(201, &release(4, "pending", false)),
        "GET /api/apps/sales" => {
            let log =
                json!(["2026-01-02T03:04:06.200Z build | Installed 40 packages", "2026-01-02T03:04:07Z run | ImportError: x"]);
            answer(200, &with(app("sales", "running"), &json!({ "reason_log": log })))
        }
        "GET /api/apps/sales/releases" => {
            let failed = with(release(4, "failed", false), &json!({"reason": "the script raised `ImportError`"}));
            releases(&[failed, release(3, "ready", true)])
        }
        _ => log(asked, &BUILD, Then::Stay),
    });
    let run = deployed(&server, "").await.code(1).prints("");
    let tail = "\
Installed 40 packages
  ImportError: x
error: release 4 of `sales` failed: the script raised `ImportError`
hint: release 3 goes on serving; `lithouse logs sales` shows what it wrote, `lithouse logs sales --build` the build
";
    assert!(run.stderr.ends_with(tail), "{run:#?}");
}

#[tokio::test]
async fn an_app_that_ends_right_after_its_release_is_a_failure() {
    let server = Server::new(|asked| match asked.line.as_str() {
        "GET /api/apps/sales" => {
            answer(200, &with(app("sales", "crashed"), &json!({"reason": "exit code 3", "reason_log": ["bye"]})))
        }
        "POST /api/apps/sales/releases" => answer(201, &release(1, "pending", false)),
        "GET /api/apps/sales/releases" => ready(),
        _ => log(asked, &[], Then::End),
    });
    deployed(&server, "").await.code(1).prints("").says("  bye\nerror: `sales` has crashed: exit code 3\n");
}

#[tokio::test]
async fn an_app_that_is_stopped_meanwhile_is_not_waited_for() {
    let server = Server::new(|asked| match asked.line.as_str() {
        "POST /api/apps/sales/releases" => answer(201, &release(4, "pending", false)),
        "GET /api/apps/sales" | "POST /api/apps/sales/start" => answer(200, &app("sales", "stopped")),
        "GET /api/apps/sales/releases" => releases(&[release(4, "pending", false)]),
        _ => log(asked, &[], Then::End),
    });
    deployed(&server, "").await.code(1).says("error: `sales` was stopped before release 4 was ready");
}

#[tokio::test]
async fn no_wait_returns_once_the_upload_is_accepted() {
    let server = Server::new(creating(ready));
    deployed(&server, "--no-wait").await.code(0).prints(URL);
    assert_eq!(server.lines(), ["GET /api/apps/sales", "POST /api/apps", "GET /api/apps/sales"]);
}

#[tokio::test]
async fn a_build_log_that_breaks_is_taken_up_again_without_repeating_itself() {
    let follows = AtomicU32::new(0);
    let polls = AtomicU32::new(0);
    let server = Server::new(move |asked| match asked.line.as_str() {
        "GET /api/apps/sales" => answer(200, &app("sales", "running")),
        "POST /api/apps/sales/releases" => answer(201, &release(1, "pending", false)),
        "GET /api/apps/sales/releases" => {
            if polls.fetch_add(1, Ordering::Relaxed) < 4 {
                releases(&[release(1, "pending", false)])
            } else {
                ready()
            }
        }
        line if !line.contains("follow=true") => log(asked, &BUILD, Then::End),
        _ => match follows.fetch_add(1, Ordering::Relaxed) {
            0 => problem(503, "starting", "the server is starting"),
            1 => events(&BUILD[..2], Then::HangUp),
            _ => events(&BUILD, Then::Stay),
        },
    });
    let run = deployed(&server, "").await.code(0).prints(URL);
    for line in ["Resolved 40 packages", "Installed 40 packages"] {
        assert_eq!(run.stderr.matches(line).count(), 1, "{run:#?}");
    }
}

#[tokio::test]
async fn a_server_that_is_replaced_meanwhile_is_waited_for() {
    let polls = AtomicU32::new(0);
    let server = Server::new(creating(move || match polls.fetch_add(1, Ordering::Relaxed) {
        0..3 => problem(503, "starting", "the server is starting"),
        _ => ready(),
    }));
    let run = deployed(&server, "").await.code(0).prints(URL).says("the server is away; waiting for it");
    assert_eq!(run.stderr.matches("is away").count(), 1, "{run:#?}");
}

#[tokio::test]
async fn a_refused_upload_is_told_with_its_hint() {
    let server = Server::new(|asked| match asked.line.as_str() {
        "GET /api/apps/sales" => problem(404, "no_such_app", "there is no app `sales`"),
        _ => answer(413, &json!({"detail": "the upload is larger than 200 MB", "hint": "leave data out of it"})),
    });
    let run = deployed(&server, "").await.code(4).prints("");
    assert!(run.stderr.ends_with("error: the upload is larger than 200 MB\nhint: leave data out of it\n"), "{run:#?}");
}

#[tokio::test]
async fn a_server_that_refuses_an_upload_before_its_end_is_heard() {
    const NONE: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
    const REFUSAL: &[u8] = b"HTTP/1.1 413 Payload Too Large\r\ncontent-type: application/problem+json\r\nconnection: close\r\n\
        content-length: 22\r\n\r\n{\"detail\":\"too large\"}";
    let folder = folder();
    // What does not shrink, and fits in no buffer on the way.
    let mut noise = 1_u64;
    let data = std::iter::repeat_with(|| {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        noise.to_be_bytes()[0]
    });
    fs::write(folder.path().join("Sales/data.bin"), data.take(8 << 20).collect::<Vec<_>>()).unwrap();
    let stranger = Stranger::new(&[NONE, REFUSAL]);
    let mut command = lithouse_of(&stranger.data(), "deploy Sales");
    command.current_dir(folder.path());
    run(command).await.code(4).says("error: too large\n");
}

#[tokio::test]
async fn what_cannot_be_deployed_is_told_before_anything_is_sent() {
    let server = Server::new(|asked| panic!("asked {}", asked.line));
    deployed(&server, "--key -").await.code(2);
    let folder = folder();
    run(deploy(&server, folder.path(), "absent")).await.code(2).says("error: there is no `absent`");
    fs::create_dir(folder.path().join("data")).unwrap();
    fs::write(folder.path().join("data/notes.txt"), "x").unwrap();
    let none = run(deploy(&server, folder.path(), "data")).await.code(2).prints("");
    assert!(none.stderr.starts_with("error: there is no `app.py` in the folder `"), "{none:#?}");
    assert!(none.stderr.ends_with("\nhint: name the script `app.py`, or name the folder that holds it\n"), "{none:#?}");
    fs::create_dir(folder.path().join("…")).unwrap();
    run(deploy(&server, folder.path(), "…")).await.code(2).says("hint: choose one with `--key`");
    assert!(server.lines().is_empty());
}

#[tokio::test]
async fn a_folder_around_the_apps_folder_is_left_for_the_server_to_look_into() {
    let server = Server::new(creating(ready));
    let folder = folder();
    run(deploy(&server, folder.path(), ". --key sales")).await.code(0).prints(URL);
    assert_eq!(server.asked("POST /api/apps").form().await["bundle"], "Sales Sales/app.py Sales/requirements.txt");
}

#[tokio::test]
async fn ctrl_c_says_that_the_server_goes_on() {
    let server = Server::new(creating(|| releases(&[release(1, "pending", false)])));
    let folder = folder();
    let mut child = deploy(&server, folder.path(), "Sales").spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    while lines.next_line().await.unwrap().unwrap() != "Installed 40 packages" {}
    kill_process(Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap(), Signal::INT).unwrap();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("the server goes on with it"));
    finish(child).await.code(130).prints("");
}
