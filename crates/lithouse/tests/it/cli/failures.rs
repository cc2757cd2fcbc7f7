// SPDX-License-Identifier: Apache-2.0
//! Servers that are not there, not ours, not well, or not willing.

use std::os::unix::fs::PermissionsExt;

use lithouse_testkit::free_port;
use serde_json::json;
use tokio::net::UnixListener;

use super::binary::{lithouse, lithouse_of, run};
use super::server::{Server, Stranger, answer, problem, typed};

#[tokio::test]
async fn no_server_is_told_with_the_command_that_starts_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display();
    let command = lithouse_of(folder.path(), "apps");
    let absent = run(command).await.code(5).prints("");
    let hint = format!("hint: start it with `lithouse start --data {data}`");
    assert!(absent.stderr.starts_with(&format!("error: no server answers at `{data}/control.sock`\n{hint}")), "{absent:#?}");
    // The socket of a server that was killed stays behind.
    drop(UnixListener::bind(folder.path().join("control.sock")).unwrap());
    run(lithouse_of(folder.path(), "apps")).await.code(5).says(&hint);
    run(lithouse(["apps", "--url", &format!("http://127.0.0.1:{}", free_port())]))
        .await
        .code(5)
        .says("error: no server answers at http://127.0.0.1:");
}

#[tokio::test]
async fn a_socket_of_somebody_else_is_told_as_such() {
    let server = Server::new(|_| answer(200, &json!({"apps": [], "next": null})));
    std::fs::set_permissions(server.data().join("control.sock"), std::fs::Permissions::from_mode(0o000)).unwrap();
    // Permissions do not bind the superuser.
    if !rustix::process::geteuid().is_root() {
        server.run("apps").await.code(5).says("is open to its owner only");
    }
}

#[tokio::test]
async fn a_data_folder_may_lie_deeper_than_a_socket_address_is_long() {
    let server = Server::new(|_| answer(200, &json!({"apps": [], "next": null})));
    let deep = server.data().join("d".repeat(60)).join("e".repeat(60));
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::rename(server.data().join("control.sock"), deep.join("control.sock")).unwrap();
    run(lithouse_of(&deep, "apps")).await.code(0).says("no apps yet");
}

#[tokio::test]
async fn what_does_not_speak_http_is_not_taken_for_a_server() {
    let stranger = Stranger::new(&[b"220 mail.example.com ESMTP\r\n"]);
    run(lithouse_of(&stranger.data(), "apps")).await.code(6).prints("").says("does not speak as Lithouse does");
}

#[tokio::test]
async fn answers_of_another_program_are_not_taken_for_ours() {
    for (status, kind, body) in [
        (200, "text/html", "<html>"),
        (200, "application/json", "{\"apps\": ["),
        (200, "application/json", ""),
        (302, "text/html", ""),
    ] {
        let server = Server::new(move |_| typed(status, kind, body.into()));
        server.run("apps").await.code(6).prints("").says("does not speak as Lithouse does");
    }
    let server = Server::new(|_| answer(200, &json!({"apps": [{"app_id": 7}], "next": null})));
    server.run("apps").await.code(6).prints("").says("answered with something unexpected: ");
}

#[tokio::test]
async fn a_server_that_hangs_up_before_or_within_its_answer_is_unreachable() {
    const CUT: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{\"apps\"";
    for answers in [&[b"" as &[u8]], &[CUT]] {
        let stranger = Stranger::new(answers);
        run(lithouse_of(&stranger.data(), "apps")).await.code(5).prints("").says("hung up");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let stranger = Stranger::new(&[]);
    run(lithouse_of(&stranger.data(), "healthcheck --timeout 1")).await.code(1).says("did not answer within 1 s");
}

#[tokio::test]
async fn what_the_server_says_decides_the_exit_code_and_is_printed() {
    for (status, code) in [(400, 4), (401, 4), (403, 4), (404, 3), (409, 4), (413, 4), (429, 4), (500, 6), (502, 6), (503, 6)] {
        let server = Server::new(move |_| problem(status, "some_code", "that is why."));
        let run = server.run("info sales").await.code(code).prints("").says("error: that is why");
        // Whoever keeps the server finds a failure of its own by the request's id.
        assert_eq!(run.stderr.contains("4f3a"), status >= 500, "{run:#?}");
        assert_eq!(
            run.stderr
                .contains("hint: ask on that machine, as the user who runs the server or through its folder with `--data`\n"),
            status == 401,
            "{run:#?}"
        );
    }
    let server = Server::new(|_| answer(409, &json!({"title": "Conflict", "hint": "choose another"})));
    server.run("info sales").await.code(4).says("error: Conflict\nhint: choose another\n");
    let server =
        Server::new(|_| answer(404, &json!({"detail": "there is no app `sales`", "code": "no_such_app", "hint": "GET"})));
    server.run("info sales").await.code(3).says("error: there is no app `sales`\nhint: `lithouse apps` lists the apps\n");
    let server = Server::new(|_| typed(502, "text/html", "<html>".into()));
    server.run("info sales").await.code(6).says("error: the server answered 502 Bad Gateway\n");
}

#[tokio::test]
async fn a_remote_server_is_asked_with_the_token() {
    let server = Server::on_port(|_| answer(200, &json!({"apps": [], "next": null}))).await;
    let host = format!("127.0.0.1:{}", server.port.unwrap());
    let mut command = lithouse(["apps"]);
    command.env("LITHOUSE_URL", format!("http://{host}/tools/")).env("LITHOUSE_TOKEN", "secret-1\n");
    run(command).await.code(0);
    let asked = server.asked("GET /tools/api/apps");
    assert_eq!((asked.header("authorization"), asked.header("host")), ("Bearer secret-1", host.as_str()));
    let mut command = lithouse(["apps", "--url", &format!("http://{host}")]);
    command.env("LITHOUSE_TOKEN", "with\nline");
    let run = run(command).await.code(2).says("error: the token in `LITHOUSE_TOKEN`");
    assert!(!run.stderr.contains("with"), "{run:#?}");
}
