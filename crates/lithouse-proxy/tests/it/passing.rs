// SPDX-License-Identifier: Apache-2.0
//! What passes in headers and cookies, in either direction, and what does not.

use http::header::{CONNECTION, HeaderName, HeaderValue, SERVER};
use http::{Method, StatusCode};
use lithouse_core::route::{PathPrefix, Target, Upstream as Address};
use lithouse_proxy::proxy::Options;
use lithouse_testkit::upstream::{Upstream, full, read_head};
use tokio::io::AsyncWriteExt;

use crate::support::{Lithouse, request, unix_ms, within};

/// An app that repeats the head of the request as it came over the wire.
async fn mirror() -> Upstream {
    Upstream::raw(|mut stream, _| async move {
        loop {
            let head = read_head(&mut stream).await?;
            if head.is_empty() {
                return Ok(());
            }
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{head}", head.len());
            stream.write_all(answer.as_bytes()).await?;
        }
    })
    .await
    .unwrap()
}

fn has_line(head: &str, line: &str) -> bool {
    head.lines().any(|found| found.eq_ignore_ascii_case(line))
}

fn has_header(head: &str, name: &str) -> bool {
    head.lines().any(|line| line.split_once(':').is_some_and(|(found, _)| found.eq_ignore_ascii_case(name)))
}

/// Lithouse in front of an app that gives this answer to everything.
async fn saying(prefix: PathPrefix, head: &str) -> (Upstream, Lithouse) {
    let app = Upstream::saying(format!("HTTP/1.1 {head}Content-Length: 0\r\n\r\n")).await.unwrap();
    let lithouse = Lithouse::with(Target::Up(Address::Tcp(app.address()), prefix)).await;
    (app, lithouse)
}

#[tokio::test]
async fn the_app_is_told_the_truth_about_its_client() {
    let app = mirror().await;
    let lithouse = Lithouse::keeping(app.address()).await;
    let lies = [
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-port", "1"),
        ("x-forwarded-prefix", "/evil"),
        ("x-real-ip", "1.2.3.4"),
        ("forwarded", "for=1.2.3.4"),
        ("x_forwarded_for", "1.2.3.4"),
    ];
    let answer = lithouse.get("/apps/sales/", &lies).await;
    for line in [
        "host: lit.example:8080",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-proto: http",
        "x-forwarded-host: lit.example:8080",
        "x-forwarded-port: 8080",
        "x-forwarded-prefix: /apps/sales",
        "x-real-ip: 127.0.0.1",
    ] {
        assert!(has_line(answer.text(), line), "{line}: {}", answer.text());
    }
    for lie in ["1.2.3.4", "evil", "https", "forwarded: "] {
        assert!(
            !answer.text().to_lowercase().lines().any(|line| line.starts_with(lie) || line.ends_with(lie)),
            "{}",
            answer.text()
        );
    }
    assert!(!answer.text().contains("_for"));
}

#[tokio::test]
async fn identities_that_clients_claim_never_pass() {
    let app = mirror().await;
    let lithouse = Lithouse::keeping(app.address()).await;
    let names = [
        "X-Forwarded-User",
        "X-Forwarded-Email",
        "X-Forwarded-Groups",
        "X-Forwarded-Preferred-Username",
        "X-Auth-Request-User",
        "X-Auth-Request-Access-Token",
        "X-Remote-User",
        "Remote-User",
        "Remote-Email",
        "Remote-Groups",
        "Remote-Name",
        "X-Lithouse-User",
        "X_Lithouse_User",
        "Remote_User",
        "X_Forwarded-User",
    ];
    let lies: Vec<_> = names.iter().map(|name| (*name, "root")).collect();
    let answer = lithouse.get("/apps/sales/", &lies).await;
    assert!(!answer.text().contains("root"), "{}", answer.text());
}

#[tokio::test]
async fn an_identity_that_the_server_states_replaces_the_claimed_one() {
    let app = mirror().await;
    let target = Target::Up(Address::Tcp(app.address()), PathPrefix::Keep);
    let lithouse = Lithouse::start(target, Options::default(), unix_ms, |context| {
        context.drop_authorization = true;
        context.headers.push((HeaderName::from_static("x-forwarded-user"), HeaderValue::from_static("ada")));
    })
    .await;
    let answer = lithouse.get("/apps/sales/", &[("x-forwarded-user", "root"), ("authorization", "Basic eDp5")]).await;
    assert!(has_line(answer.text(), "x-forwarded-user: ada"), "{}", answer.text());
    assert!(!answer.text().contains("root") && !has_header(answer.text(), "authorization"), "{}", answer.text());
}

#[tokio::test]
async fn platform_cookies_and_hop_by_hop_headers_stay_here() {
    let app = mirror().await;
    let lithouse = Lithouse::keeping(app.address()).await;
    let headers = [
        ("cookie", "_streamlit_xsrf=2|a|b; lithouse_session=secret; __Host-lithouse_csrf=secret; theme=dark"),
        ("connection", "keep-alive, x-hop"),
        ("x-hop", "secret"),
        ("keep-alive", "secret"),
        ("proxy-authorization", "secret"),
        ("te", "secret, trailers"),
        ("expect", "100-continue"),
        ("authorization", "Bearer of-the-app"),
    ];
    let answer = lithouse.get("/apps/sales/", &headers).await;
    assert!(has_line(answer.text(), "cookie: _streamlit_xsrf=2|a|b; theme=dark"), "{}", answer.text());
    assert!(has_line(answer.text(), "te: trailers"), "{}", answer.text());
    assert!(has_line(answer.text(), "authorization: Bearer of-the-app"), "{}", answer.text());
    assert!(!answer.text().contains("secret"), "{}", answer.text());
    for name in ["connection", "expect", "keep-alive"] {
        assert!(!has_header(answer.text(), name), "{name}: {}", answer.text());
    }
}

#[tokio::test]
async fn an_old_client_without_a_host_is_served() {
    let app = mirror().await;
    let lithouse = Lithouse::keeping(app.address()).await;
    let stream = lithouse.raw("GET /apps/sales/ HTTP/1.0\r\n\r\n").await;
    let (answer, _) = crate::support::rest_of(stream).await;
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    assert!(has_line(&answer, "host: localhost") && answer.contains("GET /apps/sales/ HTTP/1.1"), "{answer}");
}

#[tokio::test]
async fn cookies_of_an_app_stay_with_the_app() {
    let (_app, lithouse) = saying(
        PathPrefix::Keep,
        "200 OK\r\nSet-Cookie: _streamlit_xsrf=1; Path=/; SameSite=Lax\r\nSet-Cookie: a=1; Domain=example\r\n\
         Set-Cookie: b=2; Path=/apps/sales/x\r\nSet-Cookie: lithouse_session=mine; Path=/\r\n",
    )
    .await;
    let answer = lithouse.get("/apps/sales/", &[]).await;
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(
        cookies,
        ["_streamlit_xsrf=1; SameSite=Lax; Path=/apps/sales/", "a=1; Path=/apps/sales/", "b=2; Path=/apps/sales/x"]
    );
}

#[tokio::test]
async fn redirects_stay_beneath_the_app() {
    let (_app, lithouse) = saying(PathPrefix::Strip, "302 Found\r\nLocation: /login?next=/\r\n").await;
    assert_eq!(lithouse.get("/apps/sales/", &[]).await.header("location"), Some("/apps/sales/login?next=/"));
    let (_app, lithouse) = saying(PathPrefix::Strip, "302 Found\r\nLocation: http://lit.example:8080/x\r\n").await;
    assert_eq!(lithouse.get("/apps/sales/", &[]).await.header("location"), Some("/apps/sales/x"));
    let (_app, lithouse) = saying(PathPrefix::Keep, "307 Moved\r\nLocation: http://lit.example:8080/apps/sales/\r\n").await;
    assert_eq!(lithouse.get("/apps/sales/x", &[]).await.header("location"), Some("http://lit.example:8080/apps/sales/"));
}

#[tokio::test]
async fn a_redirect_to_the_apps_own_address_is_brought_back() {
    let app = Upstream::http(|request| async move {
        let me = request.headers()["x-me"].to_str().unwrap().to_owned();
        hyper::Response::builder().status(302).header("location", format!("http://{me}/next")).body(full("")).unwrap()
    })
    .await
    .unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    let answer = lithouse.get("/apps/sales/", &[("x-me", &app.address().to_string())]).await;
    assert_eq!(answer.header("location"), Some("/apps/sales/next"));
}

#[tokio::test]
async fn an_app_speaks_neither_for_the_connection_nor_for_the_whole_host() {
    let (_app, lithouse) = saying(
        PathPrefix::Keep,
        "200 OK\r\nServer: uvicorn\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nService-Worker-Allowed: /\r\n\
         Clear-Site-Data: \"*\"\r\nAlt-Svc: h3=\":443\"\r\nX-App: kept\r\nCache-Control: no-cache\r\n",
    )
    .await;
    let answer = lithouse.get("/apps/sales/", &[]).await;
    assert_eq!((answer.header("x-app"), answer.header("cache-control")), (Some("kept"), Some("no-cache")));
    for name in ["x-hop", "keep-alive", "service-worker-allowed", "clear-site-data", "alt-svc"] {
        assert!(!answer.headers.contains_key(name), "{name}");
    }
    assert!(!answer.headers.contains_key(CONNECTION) && !answer.headers.contains_key(SERVER));
}

#[tokio::test]
async fn answers_without_a_body_keep_their_heads() {
    let app = Upstream::http(|request| async move {
        let builder = hyper::Response::builder().header("etag", "\"x\"");
        match (request.method().clone(), request.uri().path()) {
            (Method::HEAD, _) => builder.header("content-length", "1234").body(full("")).unwrap(),
            (_, "/apps/sales/304") => builder.status(304).body(full("")).unwrap(),
            _ => builder.status(204).body(full("")).unwrap(),
        }
    })
    .await
    .unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    let head = lithouse.ask(request("HEAD", "/apps/sales/", &[], "")).await;
    assert_eq!((head.status, head.header("content-length"), head.header("etag")), (StatusCode::OK, Some("1234"), Some("\"x\"")));
    for (path, status) in [("/apps/sales/304", StatusCode::NOT_MODIFIED), ("/apps/sales/204", StatusCode::NO_CONTENT)] {
        let answer = lithouse.get(path, &[]).await;
        assert_eq!((answer.status, answer.header("etag")), (status, Some("\"x\"")));
        assert_eq!(answer.header("transfer-encoding"), None);
        assert!(
            answer.header("content-length").is_none_or(|length| length == "0" && status == StatusCode::NOT_MODIFIED),
            "{answer:?}"
        );
    }
    // All of them left the connection fit for the next.
    assert_eq!(app.accepted(), 1);
}

#[tokio::test]
async fn every_method_and_status_passes() {
    let app = Upstream::http(|request| async move {
        let builder = hyper::Response::builder().status(418).header("x-method", request.method().as_str());
        builder.body(full("")).unwrap()
    })
    .await
    .unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"] {
        let answer = within(lithouse.ask(request(method, "/apps/sales/", &[], "body"))).await;
        assert_eq!((answer.status.as_u16(), answer.header("x-method")), (418, Some(method)));
    }
}
