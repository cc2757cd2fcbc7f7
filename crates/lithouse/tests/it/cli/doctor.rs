// SPDX-License-Identifier: Apache-2.0
//! What `doctor` says of a machine that the test has put together.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use lithouse_testkit::put_program;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::process::Command;

use super::binary::{Run, lithouse, run};
use super::server::{Server, answer};
use crate::snapshot::assert_frozen;

const PYTHON: &str = r#"{"executable":"/opt/python3","version":"3.12.1","numbers":[3,12,1],"is_final":true,"implementation":"cpython","platform":"p"}"#;

/// A folder to work in, with the programs that are on the search path.
fn machine(programs: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    for (name, says) in programs {
        put_program(&bin.join(name), format!("#!/bin/sh\necho '{says}'\n"));
    }
    folder
}

fn doctor(folder: &Path, flags: &[&str]) -> Command {
    let mut command = lithouse(["doctor", "--listen", "127.0.0.1:0"].iter().chain(flags));
    command.current_dir(folder).env("PATH", folder.join("bin"));
    command
}

/// One line of what it said to programs.
fn check(run: &Run, name: &str) -> Value {
    let said: Value = serde_json::from_str(&run.stdout).unwrap();
    said["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap().clone()
}

#[tokio::test]
async fn a_machine_that_has_everything_passes_and_is_left_as_it_was() {
    let folder = machine(&[("python3", PYTHON), ("uv", "uv 0.9.2"), ("git", "git version 2.50.1")]);
    fs::write(folder.path().join("lithouse.toml"), "data = \"var/data\"\n").unwrap();
    let done = run(doctor(folder.path(), &[])).await.code(0);
    assert_eq!(done.stderr, "");
    let place = folder.path().display().to_string();
    let known = done.stdout.replace(&place, "[here]");
    let steady = known.lines().map(|line| match line.split_whitespace().nth(1) {
        Some("kernel") => "ok    kernel         [release]",
        Some("sandbox") if !line.starts_with("fail") => "[status] sandbox     [level]",
        Some("app") if line.contains("app limits") && !line.starts_with("fail") => "[status] app limits  [how]",
        Some("open") if !line.starts_with("fail") => "[status] open files  [how many]",
        Some("memory") if !line.starts_with("fail") => "[status] memory      [room]",
        Some("clock") if !line.starts_with("fail") => "[status] clock       [time]",
        Some("disk") if !line.starts_with("fail") => "[status] disk        [room]",
        Some("app") if !line.starts_with("fail") => "[status] app ports   [how many]",
        _ => line,
    });
    // Whether the disk is nearly full, and what its kernel offers, is the machine's own affair.
    let steady: Vec<&str> = steady.filter(|line| !line.trim_start().starts_with("fix: ")).collect();
    // The first column is as wide as the widest of its words.
    let narrow = |line: &&str| line.split_once(' ').map(|(status, rest)| format!("{status} {}", rest.trim_start()));
    let steady: Vec<String> = steady.iter().filter_map(narrow).collect();
    assert_frozen("doctor.txt", &steady.join("\n"));
    assert!(!folder.path().join("var").exists());
}

#[tokio::test]
async fn what_is_missing_is_told_with_what_mends_it_and_exit_code_1() {
    let folder = machine(&[("python3", ""), ("apk", "")]);
    let done = run(doctor(folder.path(), &["--json"])).await.code(1);
    let told: Value = serde_json::from_str(&done.stderr).unwrap();
    assert_eq!(
        told,
        json!({
            "code": "not_fit", "detail": "this machine lacks 1 of the things that a server needs",
            "hint": "each line with `fail` says what mends it", "exit_code": 1,
        })
    );
    let done = run(doctor(folder.path(), &[])).await.code(1);
    assert_eq!(
        done.stderr,
        "error: this machine lacks 1 of the things that a server needs\nhint: each line with `fail` says what mends it\n"
    );
    let done = run(doctor(folder.path(), &["--json"])).await.code(1);
    let python = check(&done, "python");
    assert_eq!((&python["status"], &python["fix"]), (&json!("fail"), &json!("sudo apk add python3")));
    assert!(python["detail"].as_str().unwrap().starts_with("no Python 3.10 or newer was found: "), "{python}");
    let uv = check(&done, "uv");
    assert_eq!((&uv["status"], &uv["fix"]), (&json!("warn"), &json!("pip install uv")));
    assert_eq!(
        check(&done, "git"),
        json!({
            "name": "git", "status": "warn", "fix": "sudo apk add git",
            "detail": "none found; requirements that name a git repository cannot be built",
        })
    );
    let said: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(said["status"], "fail");
}

#[tokio::test]
async fn tools_that_were_named_and_will_not_do_are_failures() {
    let folder = machine(&[("python3", PYTHON), ("old-uv", "uv 0.1.0")]);
    let done = run(doctor(folder.path(), &["--json", "--uv", "bin/old-uv", "--python", "bin/absent"])).await.code(1);
    let uv = check(&done, "uv");
    assert_eq!(uv["detail"], "uv is not available: the configured `bin/old-uv` is uv 0.1.0, older than 0.5.0");
    assert_eq!(uv["status"], "fail");
    let python = check(&done, "python");
    assert!(python["detail"].as_str().unwrap().contains("the configured Python `bin/absent` does not run"), "{python}");
    assert_eq!(python["fix"], "name another with `--python`, or leave `hosting.python` out");
}

#[tokio::test]
async fn an_address_that_anybody_has_but_the_server_of_this_folder_is_a_failure() {
    let folder = machine(&[("python3", PYTHON)]);
    let stranger = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let held = stranger.local_addr().unwrap();
    let talking = tokio::spawn(async move {
        while let Ok((mut caller, _)) = stranger.accept().await {
            let _ = caller.write_all(b"220 mail.example.com ESMTP\r\n").await;
        }
    });
    let port = held.port().to_string();
    let range = format!("{port}-{port}");
    let flags = ["--json", "--listen", &held.to_string(), "--port-range", &range];
    let mut command = lithouse(["doctor"].iter().chain(&flags));
    command.current_dir(folder.path()).env("PATH", folder.path().join("bin"));
    let done = run(command).await.code(1);
    let address = check(&done, "address");
    assert_eq!(address["detail"], format!("another program has `{held}`"));
    let fix = format!("choose another with `--listen ADDR:PORT`; `ss -ltnp 'sport = :{port}'` tells who has this one");
    assert_eq!((&address["status"], &address["fix"]), (&json!("fail"), &json!(fix)));
    let ports = check(&done, "app ports");
    assert_eq!(ports["detail"], format!("none of {range} is free; apps need one each while they run"));
    talking.abort();

    let server = Server::on_port(|_| answer(200, &json!({"status": "up"}))).await;
    let ours = format!("127.0.0.1:{}", server.port.unwrap());
    let looked = |data: &Path| {
        let mut command = lithouse(["doctor", "--json", "--listen", &ours, "--data", &data.display().to_string()]);
        command.current_dir(folder.path()).env("PATH", folder.path().join("bin"));
        run(command)
    };
    let of_server = |listen: String| {
        Server::new(move |_| {
            let server = json!({"pid": 1, "version": "0", "listen": listen, "url": "", "data": "", "log": ""});
            answer(200, &server)
        })
    };
    let here = of_server(ours.clone());
    let address = check(&looked(here.data()).await.code(0), "address");
    assert_eq!(address["detail"], format!("the Lithouse server of `{}` answers at `{ours}`", here.data().display()));
    // The server of another folder, whether there is one of this folder or not.
    let elsewhere = of_server("127.0.0.1:1".to_owned());
    for data in [elsewhere.data(), &folder.path().join("data")] {
        let address = check(&looked(data).await.code(1), "address");
        assert_eq!(address["detail"], format!("a Lithouse server has `{ours}`, and not that of `{}`", data.display()));
        assert_eq!(address["status"], "fail");
    }
}

#[tokio::test]
async fn an_address_that_others_can_reach_is_a_failure_without_a_word_of_the_operator() {
    let folder = machine(&[("python3", PYTHON)]);
    let looked = |flags: &str| {
        let mut command = lithouse(["doctor", "--json"].into_iter().chain(flags.split_whitespace()));
        command.current_dir(folder.path()).env("PATH", folder.path().join("bin"));
        run(command)
    };
    for flags in ["--listen 0.0.0.0:0", "--listen 127.0.0.1:0 --public-base https://apps.example.com"] {
        let address = check(&looked(flags).await.code(1), "address");
        assert!(address["detail"].as_str().unwrap().contains("can be reached by others"), "{address}");
        assert!(address["fix"].as_str().unwrap().contains("`--auth none`"), "{address}");
        looked(&format!("{flags} --auth none")).await.code(0);
    }
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_one_is_a_failure() {
    let folder = machine(&[("python3", PYTHON)]);
    fs::write(folder.path().join("taken"), "").unwrap();
    let done = run(doctor(folder.path(), &["--json", "--data", "taken"])).await.code(1);
    assert_eq!(check(&done, "data folder")["detail"], "`taken` is not a folder");
    let below = run(doctor(folder.path(), &["--json", "--data", "taken/below"])).await.code(1);
    assert_eq!(check(&below, "data folder")["detail"], "`taken` is not a folder");
    let below = check(&below, "data folder");
    assert_eq!(below["fix"], "choose another with `--data DIR`");
    let nowhere = run(doctor(folder.path(), &["--json", "--data", "/proc/absent"])).await.code(1);
    assert_eq!(check(&nowhere, "data folder")["detail"], "`/proc` lies on a file system that keeps no files");
    let locked = folder.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, PermissionsExt::from_mode(0o500)).unwrap();
    let done = run(doctor(folder.path(), &["--json", "--data", "locked/data"])).await;
    let here = run(doctor(folder.path(), &["--json", "--data", "locked"])).await;
    // Permissions do not bind the superuser.
    if !rustix::process::geteuid().is_root() {
        let data = check(&here.code(1), "data folder");
        assert_eq!(data["fix"], "sudo chown -R \"$USER\" 'locked', or choose another with `--data DIR`");
        let data = check(&done.code(1), "data folder");
        assert_eq!(data["fix"], "sudo install -d -o \"$USER\" 'locked/data', or choose another with `--data DIR`");
        assert_eq!(data["detail"], "`locked` cannot be written: Permission denied (os error 13)");
    }
}
