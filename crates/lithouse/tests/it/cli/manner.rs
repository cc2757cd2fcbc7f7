// SPDX-License-Identifier: Apache-2.0
//! How things are told: in colour or not, with progress or without, to people and to programs.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use super::binary::{lithouse, lithouse_of, run};
use super::deploy::{creating, folder};
use super::server::{Answer, Then};
use super::server::{Asked, Server, answer, app, log as server_log, problem, release, releases, with};
use super::terminal::{on_terminal, with_person};

/// A server with one app, which starts for as long as it is asked.
fn starting() -> Server {
    Server::new(|_| answer(200, &app("sales", "starting")))
}

fn one_app(asked: &Asked) -> Answer {
    match asked.line.as_str() {
        "GET /api/apps" => answer(200, &json!({"apps": [app("sales", "running"), app("ops", "stopped")], "next": null})),
        _ => problem(404, "no_such_app", "there is no app `slaes`"),
    }
}

fn of(server: &Server, arguments: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = lithouse_of(server.data(), arguments);
    command.envs(variables.iter().copied());
    command
}

/// What is typed, under which variables, and whether it is coloured.
type Case = (&'static str, &'static [(&'static str, &'static str)], bool);

#[tokio::test]
async fn colours_are_used_where_they_are_wanted() {
    let server = Server::new(one_app);
    let piped: &[Case] = &[
        ("apps", &[], false),
        ("apps", &[("CLICOLOR_FORCE", "1")], true),
        ("apps", &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
        ("apps --color=always", &[("NO_COLOR", "1")], true),
        ("apps --color never", &[("CLICOLOR_FORCE", "1")], false),
        ("apps --json --color always", &[], false),
    ];
    for (arguments, variables, is_coloured) in piped {
        let told = run(of(&server, arguments, variables)).await.code(0).stdout;
        assert_eq!(told.contains("\x1b["), *is_coloured, "{arguments} {variables:?}: {told:?}");
    }
    let seen: &[Case] = &[
        ("apps", &[], true),
        ("apps", &[("NO_COLOR", "")], true),
        ("apps", &[("NO_COLOR", "1")], false),
        ("apps", &[("CLICOLOR", "0")], false),
        ("apps", &[("TERM", "dumb")], false),
        ("apps --color=never", &[], false),
        ("apps --color=always", &[("TERM", "dumb")], true),
    ];
    for (arguments, variables, is_coloured) in seen {
        let (_, told) = on_terminal(&of(&server, arguments, variables), "").await;
        assert_eq!(told.contains("\x1b[32mrunning"), *is_coloured, "{arguments} {variables:?}: {told:?}");
    }
}

#[tokio::test]
async fn what_goes_wrong_is_coloured_as_the_rest() {
    let server = Server::new(one_app);
    let (_, seen) = on_terminal(&of(&server, "info slaes", &[]), "").await;
    assert!(seen.contains("\x1b[1;31merror:\x1b[0m there is no app") && seen.contains("\x1b[1;36mhint:\x1b[0m"), "{seen:?}");
    let (_, seen) = on_terminal(&of(&server, "info slaes --color=never", &[]), "").await;
    assert!(!seen.contains('\x1b'), "{seen:?}");
    let told = run(lithouse(["--color", "always", "aps"])).await.code(2).stderr;
    assert!(told.contains("\x1b["), "{told:?}");
    let told = run(lithouse(["--color", "alwys", "apps"])).await.code(2).stderr;
    assert!(told.contains("invalid value 'alwys' for '--color <WHEN>'") && !told.contains('\x1b'), "{told:?}");
}

#[tokio::test]
async fn whoever_waits_at_a_terminal_sees_what_for_and_may_leave() {
    for (verb, state) in [("start sales", "`sales`: starting"), ("restart sales", "`sales`: starting")] {
        let server = starting();
        let (code, seen) = with_person(&of(&server, verb, &[]), &[(state, "\u{3}")]).await;
        assert_eq!(code, Some(130), "{seen:?}");
        let after = seen.rsplit(state).next().unwrap();
        assert!(after.contains("the server goes on with it") && after.contains("error:"), "{seen:?}");
        // The line that moved is gone, and the cursor was never hidden, or is back.
        assert!(after.contains("\x1b[2K"), "{seen:?}");
        assert_eq!(seen.matches("\x1b[?25l").count(), seen.matches("\x1b[?25h").count(), "{seen:?}");
    }
}

#[tokio::test]
async fn a_deploy_shows_its_build_at_a_terminal_without_letting_that_steer_it() {
    let log = ["2999-01-01T00:00:00.000Z build | \x1b[2Jresolved \x1b[31mred\x1b[0m"];
    let pending = creating(|| releases(&[release(1, "pending", false)]));
    let server = Server::new(move |asked| match asked.line.as_str() {
        line if line.contains("/logs?") => server_log(asked, &log, Then::Stay),
        _ => pending(asked),
    });
    let folder = folder();
    let mut command = of(&server, "deploy", &[]);
    command.arg(folder.path().join("Sales"));
    let (code, seen) = with_person(&command, &[("resolved ", " "), ("release 1 of `sales`: ", "\u{3}")]).await;
    assert_eq!(code, Some(130), "{seen:?}");
    assert!(!seen.contains("\x1b[2J") && seen.contains("\x1b[31mred\x1b[0m"), "{seen:?}");
}

#[tokio::test]
async fn nothing_moves_in_a_pipe_in_an_automatic_job_or_where_that_is_refused() {
    let settled = || {
        let asked = std::sync::atomic::AtomicU32::new(0);
        Server::new(move |_| {
            let is_over = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 6;
            answer(200, &app("sales", if is_over { "running" } else { "starting" }))
        })
    };
    let line = "`sales` is running at http://127.0.0.1:8080/apps/sales/\n";
    let piped = run(of(&settled(), "start sales", &[])).await.code(0).prints("");
    assert_eq!(piped.stderr, line);
    let (_, seen) = on_terminal(&of(&settled(), "start sales", &[("CI", "true")]), "").await;
    assert_eq!(seen.replace("\r\n", "\n"), line);
    let (_, seen) = on_terminal(&of(&settled(), "start sales", &[("TERM", "dumb")]), "").await;
    assert_eq!(seen.replace("\r\n", "\n"), line);
    let (_, seen) = on_terminal(&of(&settled(), "start sales --quiet", &[]), "").await;
    assert_eq!(seen, "");
}

#[tokio::test]
async fn who_wants_quiet_hears_data_and_what_goes_wrong() {
    let server = Server::new(one_app);
    let told = run(of(&server, "-q apps", &[])).await.code(0);
    assert!(told.stdout.contains("running") && told.stderr.is_empty(), "{told:#?}");
    run(of(&server, "info slaes --quiet", &[])).await.code(3).says("error: there is no app `slaes`");
}

#[tokio::test]
async fn a_name_that_is_nearly_right_is_told() {
    let server = Server::new(one_app);
    for verb in ["info", "logs", "start", "stop", "restart", "open", "releases", "rollback", "rm --yes"] {
        run(of(&server, &format!("{verb} slaes"), &[])).await.code(3).says("hint: did you mean `sales`?\n");
    }
    run(of(&server, "info nothing-like-it", &[])).await.code(3).says("hint: `lithouse apps` lists the apps\n");
    run(lithouse(["aps"])).await.code(2).says("'apps'");
    run(lithouse(["apps", "--jsn"])).await.code(2).says("'--json'");
}

/// What a program reads of a failure: one line of JSON on standard error, and nothing on standard output.
fn told(run: &super::binary::Run) -> Value {
    assert_eq!(run.stdout, "", "{run:#?}");
    let line = run.stderr.lines().last().unwrap_or_else(|| panic!("{run:#?}"));
    serde_json::from_str(line).unwrap_or_else(|_| panic!("{run:#?}"))
}

#[tokio::test]
async fn a_program_is_told_what_went_wrong_in_json() {
    let server = Server::new(one_app);
    let verbs = ["info slaes --json", "logs slaes --json", "releases slaes --json"];
    for verb in verbs {
        let refused = run(of(&server, verb, &[])).await.code(3);
        let expected = json!({
            "type": "about:blank", "title": "Not Found", "status": 404, "code": "no_such_app",
            "detail": "there is no app `slaes`", "hint": "did you mean `sales`?", "request_id": "4f3a", "exit_code": 3,
        });
        assert_eq!(told(&refused), expected, "{verb}");
    }
    let wrong = Server::new(|_| problem(422, "invalid_configuration", "lithouse.toml:1: unknown key `a`"));
    let refused = told(&run(of(&wrong, "refresh --json", &[])).await.code(4));
    assert_eq!((&refused["code"], &refused["exit_code"]), (&json!("invalid_configuration"), &json!(4)));
    assert_eq!(refused["detail"], "lithouse.toml:1: unknown key `a`");
    let lines = "lithouse.toml:1: unknown key `a`\nhint: did you mean `b`?\nerror: lithouse.toml:2: unknown key `c`";
    let wrong = Server::new(move |_| problem(422, "invalid_configuration", lines));
    let refused = told(&wrong.run("refresh --json").await.code(4));
    assert_eq!(refused["detail"], "lithouse.toml:1: unknown key `a`; lithouse.toml:2: unknown key `c`");
    assert_eq!(refused["hint"], "did you mean `b`?");
    let nowhere = tempfile::tempdir().unwrap();
    for verb in ["apps --json", "templates --json"] {
        let absent = told(&run(lithouse_of(nowhere.path(), verb)).await.code(5));
        assert_eq!((&absent["code"], &absent["status"]), (&json!("no_server"), &Value::Null), "{absent}");
        assert!(absent["hint"].as_str().unwrap().starts_with("start it with `lithouse start"), "{absent}");
    }
    assert_eq!(told(&run(lithouse_of(nowhere.path(), "status --json")).await.code(3))["code"], "no_server");
    assert_eq!(told(&run(lithouse_of(nowhere.path(), "healthcheck --json")).await.code(1))["code"], "not_up");
    assert_eq!(told(&run(lithouse_of(nowhere.path(), "check --json absent.py")).await.code(2))["code"], "unreadable");
    std::fs::write(nowhere.path().join("wrong.toml"), "lsiten = 1\n").unwrap();
    for verb in ["config show --json", "config check --json", "doctor --json"] {
        let mut command = lithouse(format!("{verb} --config wrong.toml").split_whitespace());
        command.current_dir(nowhere.path());
        let wrong = told(&run(command).await.code(2));
        assert_eq!(wrong["code"], "invalid_configuration", "{wrong}");
        assert_eq!(wrong["detail"], "wrong.toml:1: unknown key `lsiten`");
        assert_eq!(wrong["hint"], "did you mean `listen`?");
        let expected = json!([{"detail": "wrong.toml:1: unknown key `lsiten`", "hint": "did you mean `listen`?"}]);
        assert_eq!(wrong["errors"], expected, "{wrong}");
    }
}

#[tokio::test]
async fn a_server_of_another_version_is_told() {
    let server = Server::new(|asked| match asked.line.as_str() {
        "GET /api/server" => answer(
            200,
            &json!({"pid": 7, "version": "99.1.0", "listen": "127.0.0.1:1", "url": "http://a/", "data": "/d", "log": "/l", "apps": {}}),
        ),
        _ => answer(200, &json!({"apps": [app("sales", "running")], "next": null})),
    });
    let warning = format!("warning: this command is version {}, the server 99.1.0\n", env!("CARGO_PKG_VERSION"));
    for verb in ["status", "status --server", "status --quiet"] {
        run(of(&server, verb, &[])).await.code(0).says(&warning).says("hint: `lithouse restart --server` replaces the server");
    }
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_failure() {
    let server = Server::new(one_app);
    for verb in ["apps", "apps --json", "config show", "completions bash", "doctor"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = of(&server, verb, &[]);
        command.stdout(writer).stderr(Stdio::piped());
        let ended = run(command).await;
        assert!(!ended.stderr.contains("error: could not write") && !ended.stderr.contains("panicked"), "{verb}: {ended:#?}");
        assert!(verb == "doctor" || ended.code == Some(0), "{verb}: {ended:#?}");
    }
}

#[tokio::test]
async fn a_narrow_terminal_gets_what_matters_of_a_table() {
    let server = Server::new(|_| {
        let long = with(app("sales", "running"), &json!({"access_url": "http://a/"}));
        answer(200, &json!({"apps": [long], "next": null}))
    });
    let program = env!("CARGO_BIN_EXE_lithouse");
    for (columns, titles) in [
        (200, "APP    STATUS   PID   UP   MEMORY  CPU   URL"),
        (40, "APP    STATUS   PID   UP   URL"),
        (25, "APP    STATUS   URL"),
    ] {
        let mut command = Command::new("/bin/sh");
        let script = format!("stty cols {columns}; exec {program} --color never apps");
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LITHOUSE_DATA", server.data()).args(["-c", &script]);
        let (_, seen) = on_terminal(&command, "").await;
        assert_eq!(seen.lines().next(), Some(titles), "{columns}: {seen:?}");
    }
}

#[tokio::test]
async fn templates_are_listed_and_printed() {
    let server = Server::new(|_| {
        let hello = json!({"name": "hello", "title": "Hello", "description": "Says so", "code": "print('売上')\nprint(2)\n"});
        answer(200, &json!({"templates": [hello, {"name": "売上", "title": "Sales", "description": "", "code": ""}]}))
    });
    let table = "TEMPLATE  TITLE  DESCRIPTION\nhello     Hello  Says so\n売上      Sales\n";
    server.run("templates").await.code(0).prints(table);
    server.run("templates hello").await.code(0).prints("print('売上')\nprint(2)\n");
    server
        .run("templates helo")
        .await
        .code(3)
        .prints("")
        .says("error: there is no template `helo`\nhint: did you mean `hello`?\n");
    let shown = server.run("templates --json").await.code(0).stdout;
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap()["templates"][0]["name"], "hello");
    assert_eq!(server.lines()[0], "GET /api/templates");
    let one = server.run("templates hello --json").await.code(0).stdout;
    let whole = json!({"name": "hello", "title": "Hello", "description": "Says so", "code": "print('売上')\nprint(2)\n"});
    assert_eq!(serde_json::from_str::<Value>(&one).unwrap(), whole);
    let told = server.run("templates helo --json").await.code(3).prints("").stderr;
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap()["code"], "no_such_template");
}
