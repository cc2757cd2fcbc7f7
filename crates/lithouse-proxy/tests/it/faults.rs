// SPDX-License-Identifier: Apache-2.0
//! Apps that are absent, cut, stall or lie, and clients that go away.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;
use lithouse_core::route::{PathPrefix, Target, Upstream as Address};
use lithouse_proxy::proxy::Options;
use lithouse_testkit::upstream::{Upstream, address_of_nobody, full, read_head};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, UnixSocket, UnixStream};
use tokio::sync::mpsc;

use crate::support::{Lithouse, eventually, request, rest_of, unix_ms, within};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn up(address: std::net::SocketAddr) -> Target {
    Target::Up(Address::Tcp(address), PathPrefix::Keep)
}

async fn code_of(lithouse: &Lithouse, method: &str) -> (u16, String) {
    let answer = lithouse.ask(request(method, "/apps/sales/", &[], "")).await;
    let code = serde_json::from_slice::<serde_json::Value>(&answer.body).map(|problem| problem["code"].to_string());
    (answer.status.as_u16(), code.unwrap_or_default().trim_matches('"').to_owned())
}

#[tokio::test]
async fn an_app_that_does_not_listen_is_unavailable_for_now() {
    let lithouse = Lithouse::keeping(address_of_nobody().unwrap()).await;
    assert_eq!(code_of(&lithouse, "POST").await, (503, "app_not_listening".to_owned()));
    let page = lithouse.get("/apps/sales/", &[("accept", "text/html")]).await;
    assert_eq!((page.status, page.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, Some("2")));
    assert!(page.text().contains("http-equiv=\"refresh\"") && page.text().contains("Sales &lt;Report&gt;"));
    let folder = tempfile::tempdir().unwrap();
    lithouse.publish(Target::Up(Address::Unix(folder.path().join("gone.sock")), PathPrefix::Keep));
    assert_eq!(code_of(&lithouse, "GET").await, (503, "app_not_listening".to_owned()));
}

#[tokio::test]
async fn a_request_waits_in_the_backlog_until_the_app_is_ready() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let lithouse = Arc::new(Lithouse::keeping(listener.local_addr().unwrap()).await);
    let asking = Arc::clone(&lithouse);
    let answer = tokio::spawn(async move { asking.get("/apps/sales/", &[]).await });
    eventually("the request is on its way", || lithouse.usage.last_used_ms().is_some()).await;
    assert!(!answer.is_finished());
    let (mut stream, _) = within(listener.accept()).await.unwrap();
    within(read_head(&mut stream)).await.unwrap();
    stream.write_all(OK).await.unwrap();
    assert_eq!(within(answer).await.unwrap().text(), "ok");
}

#[tokio::test]
async fn a_request_waits_where_the_backlog_of_a_unix_socket_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let socket = UnixSocket::new_stream().unwrap();
    socket.bind(&path).unwrap();
    let listener = socket.listen(1).unwrap();
    let mut queued = Vec::new();
    let full = loop {
        match UnixStream::connect(&path).await {
            Ok(stream) => queued.push(stream),
            Err(error) => break error,
        }
    };
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    let lithouse = Arc::new(Lithouse::with(Target::Up(Address::Unix(path), PathPrefix::Keep)).await);
    let asking = Arc::clone(&lithouse);
    let answer = tokio::spawn(async move { asking.get("/apps/sales/", &[]).await });
    eventually("the request is on its way", || lithouse.usage.last_used_ms().is_some()).await;
    for _ in &queued {
        within(listener.accept()).await.unwrap();
    }
    let (mut stream, _) = within(listener.accept()).await.unwrap();
    within(read_head(&mut stream)).await.unwrap();
    stream.write_all(OK).await.unwrap();
    assert_eq!(within(answer).await.unwrap().text(), "ok");
}

#[tokio::test]
async fn an_app_that_accepts_nobody_is_busy() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(Duration::from_millis(200), tokio::net::TcpStream::connect(address)).await {
        queued.push(stream);
    }
    let options = Options { connect_timeout: Duration::from_millis(200), ..Options::default() };
    let lithouse = Lithouse::start(up(address), options, unix_ms, |_| {}).await;
    assert_eq!(code_of(&lithouse, "GET").await, (503, "app_busy".to_owned()));
}

#[tokio::test]
async fn an_app_that_never_answers_times_out_where_that_is_configured() {
    let app = Upstream::raw(|mut stream, _| async move {
        read_head(&mut stream).await?;
        std::future::pending().await
    })
    .await
    .unwrap();
    let options = Options { response_header_timeout: Some(Duration::from_millis(50)), ..Options::default() };
    let lithouse = Lithouse::start(up(app.address()), options, unix_ms, |_| {}).await;
    assert_eq!(code_of(&lithouse, "GET").await, (504, "app_timed_out".to_owned()));
}

#[tokio::test]
async fn a_client_that_sends_nothing_more_of_its_body_is_told_so_and_the_app_is_let_go() {
    let app = Upstream::raw(|mut stream, _| async move {
        read_head(&mut stream).await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.map(drop)
    })
    .await
    .unwrap();
    let options = Options { request_body_timeout: Duration::from_millis(200), ..Options::default() };
    let lithouse = Lithouse::start(up(app.address()), options, unix_ms, |_| {}).await;
    let head = "POST /apps/sales/ HTTP/1.1\r\nHost: lit.example\r\nContent-Length: 100\r\n\r\nsome of it";
    let (answer, _) = rest_of(lithouse.raw(head).await).await;
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    assert!(answer.contains("\"code\":\"request_stalled\""), "{answer}");
}

#[tokio::test]
async fn a_connection_that_the_app_has_closed_meanwhile_is_not_used() {
    // Each connection is good for one request, which the app does not say.
    let app = Upstream::saying_once(OK).await.unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    for method in ["GET", "POST", "PUT", "DELETE", "GET"] {
        let answer = lithouse.ask(request(method, "/apps/sales/", &[], "")).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, "ok"), "{method}");
    }
    assert_eq!(app.accepted(), 5);
}

/// An app that closes its first connection over the second request, without an answer, and is honest afterwards.
/// It counts the requests that it has seen.
async fn impatient() -> (Upstream, Arc<AtomicUsize>) {
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    let app = Upstream::raw(move |mut stream, number| {
        let seen = Arc::clone(&counter);
        async move {
            for request in 0.. {
                if read_head(&mut stream).await?.is_empty() {
                    break;
                }
                seen.fetch_add(1, Ordering::SeqCst);
                if number == 0 && request == 1 {
                    break;
                }
                stream.write_all(OK).await?;
            }
            Ok(())
        }
    })
    .await
    .unwrap();
    (app, seen)
}

#[tokio::test]
async fn a_request_that_changes_nothing_is_sent_again_over_a_fresh_connection() {
    for method in ["GET", "HEAD", "OPTIONS"] {
        let (app, seen) = impatient().await;
        let lithouse = Lithouse::keeping(app.address()).await;
        assert_eq!(lithouse.get("/apps/sales/", &[]).await.status, StatusCode::OK);
        let answer = lithouse.ask(request(method, "/apps/sales/", &[], "")).await;
        assert_eq!(answer.status, StatusCode::OK, "{method}");
        assert_eq!((app.accepted(), seen.load(Ordering::SeqCst)), (2, 3), "{method}");
    }
}

#[tokio::test]
async fn a_request_that_may_change_something_is_never_sent_twice() {
    for (method, body) in [("POST", ""), ("DELETE", ""), ("GET", "with a body")] {
        let (app, seen) = impatient().await;
        let lithouse = Lithouse::keeping(app.address()).await;
        assert_eq!(lithouse.get("/apps/sales/", &[]).await.status, StatusCode::OK);
        let answer = lithouse.ask(request(method, "/apps/sales/", &[], body)).await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{method}");
        assert!(answer.text().contains("app_no_answer"), "{}", answer.text());
        assert_eq!((app.accepted(), seen.load(Ordering::SeqCst)), (1, 2), "{method}");
    }
}

#[tokio::test]
async fn a_request_that_may_change_something_rides_no_connection_that_was_idle_for_long() {
    static NOW: AtomicI64 = AtomicI64::new(1_000_000);
    let (app, seen) = impatient().await;
    let lithouse = Lithouse::start(up(app.address()), Options::default(), || NOW.load(Ordering::SeqCst), |_| {}).await;
    assert_eq!(lithouse.get("/apps/sales/", &[]).await.status, StatusCode::OK);
    NOW.fetch_add(1500, Ordering::SeqCst);
    assert_eq!(lithouse.ask(request("POST", "/apps/sales/", &[], "")).await.status, StatusCode::OK);
    assert_eq!((app.accepted(), seen.load(Ordering::SeqCst)), (2, 2));
}

#[tokio::test]
async fn connections_that_wait_too_long_or_were_closed_are_swept_away() {
    let app = Upstream::saying_once(OK).await.unwrap();
    let lithouse = Lithouse::start(
        up(app.address()),
        Options { idle_timeout: Duration::from_millis(200), ..Options::default() },
        || 1_000_000,
        |_| {},
    )
    .await;
    assert_eq!(lithouse.get("/apps/sales/", &[]).await.text(), "ok");
    eventually("the closed connection is swept away", || lithouse.proxy.idle_connections() == 0).await;
    let app = Upstream::saying(OK).await.unwrap();
    let options = Options { idle_timeout: Duration::from_millis(50), ..Options::default() };
    let lithouse = Lithouse::start(up(app.address()), options, unix_ms, |_| {}).await;
    for _ in 0..2 {
        assert_eq!(lithouse.get("/apps/sales/", &[]).await.text(), "ok");
        eventually("the old connection is swept away", || lithouse.proxy.idle_connections() == 0).await;
    }
    assert_eq!(app.accepted(), 2);
}

#[tokio::test]
async fn an_app_that_closes_without_an_answer_is_a_bad_gateway() {
    let app = Upstream::saying_once("").await.unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    for method in ["GET", "POST"] {
        assert_eq!(code_of(&lithouse, method).await, (502, "app_no_answer".to_owned()));
    }
    assert_eq!(app.accepted(), 2);
}

#[tokio::test]
async fn what_is_not_http_is_a_bad_gateway() {
    let long = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n", "x".repeat(1024 * 1024));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X-Many: 1\r\n".repeat(1000));
    for garbage in [
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/1.1 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
        "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        &long,
        &many,
    ] {
        let app = Upstream::saying(garbage.to_owned()).await.unwrap();
        let lithouse = Lithouse::keeping(app.address()).await;
        let (status, code) = code_of(&lithouse, "GET").await;
        assert_eq!((status, code.as_str()), (502, "app_bad_answer"), "{}", &garbage[..garbage.len().min(80)]);
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_passed_off_as_whole() {
    for (answer, whole) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it", "half of it"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhalf of it\r\n", "\r\n0\r\n\r\n"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf of it", "\r\n0\r\n\r\n"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhalf of it\r\nnonsense", "\r\n0\r\n\r\n"),
    ] {
        let app = Upstream::saying_once(answer).await.unwrap();
        let lithouse = Lithouse::keeping(app.address()).await;
        let stream = lithouse.raw("GET /apps/sales/ HTTP/1.1\r\nHost: a\r\n\r\n").await;
        // The connection ends, though the client would have kept it.
        let (got, _) = rest_of(stream).await;
        assert!(got.starts_with("HTTP/1.1 200"), "{got}");
        if whole.starts_with("half") {
            assert!(got.to_lowercase().contains("content-length: 100") && got.ends_with(whole), "{got}");
        } else {
            assert!(!got.ends_with(whole), "{got}");
        }
    }
}

#[tokio::test]
async fn what_an_app_says_unasked_is_nobodys_answer() {
    let app = Upstream::saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL")
        .await
        .unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    for method in ["GET", "GET", "POST", "GET"] {
        assert_eq!(lithouse.ask(request(method, "/apps/sales/", &[], "")).await.text(), "ok");
    }
    assert_eq!(app.accepted(), 4);
}

#[tokio::test]
async fn a_length_beside_chunks_is_not_passed_on() {
    let app =
        Upstream::saying("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n")
            .await
            .unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    let answer = lithouse.get("/apps/sales/", &[]).await;
    assert_eq!((answer.text(), answer.header("content-length")), ("four", None));
}

#[tokio::test]
async fn an_app_that_speaks_the_old_protocol_is_understood() {
    let app = Upstream::saying_once("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end").await.unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    for _ in 0..2 {
        assert_eq!(lithouse.get("/apps/sales/", &[]).await.text(), "until the end");
    }
    assert_eq!(app.accepted(), 2);
}

#[tokio::test]
async fn an_app_that_closes_politely_is_asked_over_a_new_connection() {
    let app = Upstream::saying_once("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    for _ in 0..3 {
        assert_eq!(lithouse.ask(request("POST", "/apps/sales/", &[], "x")).await.text(), "ok");
        assert_eq!(lithouse.proxy.idle_connections(), 0);
    }
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_request_with_it() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let app = Upstream::raw(move |mut stream, _| {
        let tell = tell.clone();
        async move {
            let head = read_head(&mut stream).await?;
            tell.send("asked").unwrap();
            if head.starts_with("GET /apps/sales/stream") {
                stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n").await?;
            }
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            tell.send("gone").unwrap();
            Ok(())
        }
    })
    .await
    .unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    for head in [
        "GET /apps/sales/wait HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /apps/sales/stream HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /apps/sales/upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf",
    ] {
        let stream = lithouse.raw(head).await;
        assert_eq!(within(told.recv()).await, Some("asked"));
        drop(stream);
        assert_eq!(within(told.recv()).await, Some("gone"), "{head}");
    }
}

#[tokio::test]
async fn an_app_that_refuses_an_upload_early_is_heard() {
    let app = Upstream::raw(|mut stream, _| async move {
        read_head(&mut stream).await?;
        stream.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\nConnection: close\r\n\r\ntoo large").await?;
        // Reads no more, but does not cut the client off in the middle of its sentence either.
        std::future::pending().await
    })
    .await
    .unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    let mut stream = lithouse.raw("PUT /apps/sales/f HTTP/1.1\r\nHost: a\r\nContent-Length: 209715200\r\n\r\nsome").await;
    let head = within(read_head(&mut stream)).await.unwrap();
    assert!(head.starts_with("HTTP/1.1 413"), "{head}");
    let mut body = [0; 9];
    within(stream.read_exact(&mut body)).await.unwrap();
    assert_eq!(&body, b"too large");
}

#[tokio::test]
async fn an_app_that_dies_under_load_fails_requests_and_nothing_else() {
    let app = Upstream::http(|_| async { hyper::Response::new(full("hello")) }).await.unwrap();
    let address = app.address();
    let lithouse = Arc::new(Lithouse::keeping(address).await);
    let load: Vec<_> = (0..8)
        .map(|_| {
            let lithouse = Arc::clone(&lithouse);
            tokio::spawn(async move {
                let mut statuses = Vec::new();
                for _ in 0..50 {
                    statuses.push(lithouse.get("/apps/sales/", &[]).await.status.as_u16());
                }
                statuses
            })
        })
        .collect();
    eventually("the load is on", || app.accepted() > 0).await;
    drop(app);
    for client in load {
        let statuses = within(client).await.unwrap();
        assert!(statuses.iter().all(|status| matches!(status, 200 | 502 | 503)), "{statuses:?}");
    }
    let again = Upstream::http(|_| async { hyper::Response::new(full("again")) }).await.unwrap();
    lithouse.publish(up(again.address()));
    assert_eq!(lithouse.get("/apps/sales/", &[]).await.text(), "again");
}
