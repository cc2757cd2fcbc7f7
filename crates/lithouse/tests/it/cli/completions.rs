// SPDX-License-Identifier: Apache-2.0
//! What the shells are told when somebody presses the tab key.

use std::path::Path;

use serde_json::json;
use tokio::process::Command;

use super::binary::{lithouse, run};
use super::server::{Server, Stranger, answer, app, typed};
use super::terminal::with_person;

/// Three apps, the second of which has releases.
fn server() -> Server {
    Server::new(|request| match request.line.as_str() {
        "GET /api/apps" => {
            let apps = [app("sales", "running"), app("safety", "stopped"), app("ops\u{1b}[2J", "running")];
            answer(200, &json!({"apps": apps, "next": null}))
        }
        "GET /api/apps/safety/releases" => answer(
            200,
            &json!({"releases": [
                {"release": 3, "state": "ready", "active": true}, {"release": 2, "state": "failed", "active": false},
                {"release": 1, "state": "ready", "active": false},
            ], "next": null}),
        ),
        _ => typed(404, "text/plain", "".into()),
    })
}

/// What fish offers after these words, as it asks for it: a line each, a tab before the explanation.
async fn offered(data: &Path, words: &[&str]) -> String {
    let mut command = lithouse(["--", "lithouse"].iter().chain(words));
    command.env("LITHOUSE_COMPLETE", "fish").env("LITHOUSE_DATA", data);
    let run = run(command).await.code(0);
    assert_eq!(run.stderr, "");
    run.stdout
}

#[tokio::test]
async fn names_of_apps_come_from_the_server_with_their_status() {
    let server = server();
    for verb in ["stop", "start", "restart", "info", "logs", "open", "releases", "rollback", "rm"] {
        let offered = offered(server.data(), &[verb, "sa"]).await;
        assert!(offered.starts_with("sales\trunning, Sales\nsafety\tstopped, Sales\n"), "{verb}: {offered:?}");
    }
    assert!(offered(server.data(), &["deploy", "--key", "sal"]).await.starts_with("sales\t"));
    let all = offered(server.data(), &["stop", ""]).await;
    assert!(all.contains("ops [2J\t") && !all.contains('\u{1b}'), "{all:?}");
}

#[tokio::test]
async fn the_server_is_the_one_that_was_typed_before() {
    let server = server();
    let data = server.data().to_str().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    for words in [vec!["--data", data, "stop", "sal"], vec!["stop", &format!("--data={data}"), "sal"]] {
        assert!(offered(elsewhere.path(), &words).await.starts_with("sales\t"), "{words:?}");
    }
}

#[tokio::test]
async fn a_rollback_is_offered_the_releases_that_were_ready() {
    let server = server();
    let offered = offered(server.data(), &["rollback", "safety", ""]).await;
    let numbers: Vec<&str> = offered.lines().filter(|line| !line.starts_with('-')).collect();
    assert_eq!(numbers, ["1"], "{offered}");
}

#[tokio::test]
async fn words_of_settings_and_verbs_are_offered() {
    let nowhere = tempfile::tempdir().unwrap();
    assert_eq!(offered(nowhere.path(), &["serve", "--log-level", "d"]).await, "debug\n");
    assert_eq!(offered(nowhere.path(), &["serve", "--auth", ""]).await, "auto\nnone\n");
    assert!(offered(nowhere.path(), &["check", "--policy", "o"]).await.starts_with("open"));
    let verbs = offered(nowhere.path(), &["re"]).await;
    assert!(verbs.contains("restart\t") && verbs.contains("releases\t") && !verbs.contains("keeper"), "{verbs}");
}

#[tokio::test]
async fn without_a_server_or_with_one_that_is_silent_nothing_is_offered_and_nothing_said() {
    let nowhere = tempfile::tempdir().unwrap();
    let only_flags = |offered: String| offered.lines().all(|line| line.starts_with('-'));
    assert!(only_flags(offered(nowhere.path(), &["stop", ""]).await));
    let silent = Stranger::new(&[]);
    assert!(only_flags(offered(&silent.data(), &["stop", ""]).await));
    let other = Stranger::new(&[b"220 mail.example.com ESMTP\r\n"]);
    assert!(only_flags(offered(&other.data(), &["stop", ""]).await));
}

/// A shell of this machine that finds the program, or nothing, which is said.
fn shell(name: &str, server: &Server) -> Option<Command> {
    let path =
        ["/bin", "/usr/bin", "/usr/local/bin"].map(|folder| Path::new(folder).join(name)).into_iter().find(|path| path.exists());
    let Some(path) = path else {
        eprintln!("{name} is not here, and was not tried");
        return None;
    };
    let own = Path::new(env!("CARGO_BIN_EXE_lithouse")).parent().unwrap().display().to_string();
    let mut command = Command::new(path);
    command
        .env_clear()
        .env("PATH", format!("{own}:/usr/bin:/bin"))
        .env("LITHOUSE_DATA", server.data())
        .env("HOME", server.data());
    Some(command)
}

/// What a person sees who types that and the tab key in the shell, which is to complete it by the rest.
async fn completed(shell: &Command, set_up: &str, typed: &str, rest: &str) -> String {
    let (set_up, typed) = (format!("{set_up}; echo rea''dy\n"), format!("{typed}\t"));
    with_person(shell, &[("", &set_up), ("ready", &typed), (rest, "")]).await.1
}

#[tokio::test]
async fn bash_completes_what_is_typed() {
    let server = server();
    let Some(mut command) = shell("bash", &server) else { return };
    command.args(["--norc", "--noprofile", "-i"]);
    std::fs::create_dir(server.data().join("inner")).unwrap();
    let data = server.data().display();
    for (typed, rest) in [
        ("lithouse stop sal".to_owned(), "es "),
        (format!("lithouse stop --data={data} saf"), "ety "),
        (format!("lithouse --data={data}/inn"), "er/"),
        ("lithouse serve --log-level=de".to_owned(), "bug "),
        ("lithouse stop --no-w".to_owned(), "ait "),
    ] {
        let seen = completed(&command, "source <(lithouse completions bash)", &typed, rest).await;
        assert!(seen.contains(&format!("{typed}{rest}")), "{typed:?}: {seen:?}");
    }
}

#[tokio::test]
async fn zsh_completes_what_is_typed() {
    let server = server();
    let Some(mut command) = shell("zsh", &server) else { return };
    command.args(["-f", "-i"]);
    let set_up = "autoload -Uz compinit && compinit -u -D && source <(lithouse completions zsh)";
    let seen = completed(&command, set_up, "lithouse stop sal", "es").await;
    assert!(seen.contains("lithouse stop sales"), "{seen:?}");
}

#[tokio::test]
async fn fish_completes_what_is_typed() {
    let server = server();
    let Some(mut command) = shell("fish", &server) else { return };
    command.args(["--no-config", "-c", "lithouse completions fish | source; complete -C 'lithouse stop sa'"]);
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let run = run(command).await.code(0);
    assert!(run.stdout.starts_with("sales\trunning, Sales\nsafety\tstopped, Sales\n"), "{run:#?}");
}

#[tokio::test]
async fn every_shell_has_a_script_that_asks_the_program() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(lithouse(["completions", shell])).await.code(0).stdout;
        assert!(script.contains("LITHOUSE_COMPLETE") && script.contains("lithouse"), "{script}");
    }
    run(lithouse(["completions", "csh"])).await.code(2).says("[possible values: bash, zsh, fish, elvish, powershell]");
}

#[tokio::test]
async fn every_verb_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    run(lithouse([Path::new("man"), &pages])).await.code(0).prints("");
    for name in ["lithouse", "lithouse-deploy", "lithouse-config-show"] {
        let page = std::fs::read_to_string(pages.join(format!("{name}.1"))).unwrap();
        assert!(page.contains(".TH lithouse") && page.contains("Example"), "{page}");
    }
    assert!(!pages.join("lithouse-keeper.1").exists());
}
