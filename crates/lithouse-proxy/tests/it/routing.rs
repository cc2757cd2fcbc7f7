// SPDX-License-Identifier: Apache-2.0
//! Which app is asked, under which path, and what is said where none is.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use lithouse_core::app::AppStatus;
use lithouse_core::route::{PathPrefix, Target, Upstream as Address};
use lithouse_testkit::upstream::{UnixUpstream, Upstream, full};

use lithouse_proxy::proxy::Options;

use crate::support::{ID, Lithouse, eventually, request};

const PAGE: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

/// An app that repeats the target it was asked for.
async fn parrot() -> Upstream {
    Upstream::http(|request| async move {
        let target = request.uri().to_string();
        hyper::Response::new(full(target))
    })
    .await
    .unwrap()
}

fn down(status: AppStatus, reason: Option<&str>) -> Target {
    Target::Down { status, reason: reason.map(str::to_owned) }
}

#[tokio::test]
async fn an_app_that_knows_its_path_gets_it_byte_for_byte() {
    let app = parrot().await;
    let lithouse = Lithouse::keeping(app.address()).await;
    for path in ["/apps/sales/", "/apps/sales/a%2F..%2Fb/../c//d;e?f=%20&g=/h?i", "/apps/sales/%2e%2e/%2e%2e/api"] {
        assert_eq!(lithouse.get(path, &[]).await.text(), path);
    }
}

#[tokio::test]
async fn an_app_that_does_not_gets_it_without_the_prefix() {
    let app = parrot().await;
    let lithouse = Lithouse::stripping(app.address()).await;
    for (path, sent) in
        [("/apps/sales/", "/"), ("/apps/sales/a%2Fb?c", "/a%2Fb?c"), ("/apps/sales//x", "//x"), ("/apps/sales/?", "/?")]
    {
        assert_eq!(lithouse.get(path, &[]).await.text(), sent);
    }
}

#[tokio::test]
async fn an_app_on_a_unix_socket_is_served_alike() {
    let app = UnixUpstream::http(|request| async move { hyper::Response::new(full(request.uri().to_string())) }).unwrap();
    let lithouse = Lithouse::with(Target::Up(Address::Unix(app.path()), PathPrefix::Keep)).await;
    assert_eq!(lithouse.get("/apps/sales/x", &[]).await.text(), "/apps/sales/x");
}

#[tokio::test]
async fn a_missing_slash_is_added_by_a_redirect_that_keeps_the_query() {
    let app = parrot().await;
    let lithouse = Lithouse::keeping(app.address()).await;
    for (asked, location) in [
        ("/apps/sales".to_owned(), "/apps/sales/"),
        ("/apps/sales?a=1&b=%2F".to_owned(), "/apps/sales/?a=1&b=%2F"),
        (format!("/apps/{ID}?a"), "/apps/sales/?a"),
    ] {
        let answer = lithouse.get(&asked, &[]).await;
        assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(answer.header("location"), Some(location));
    }
    assert_eq!(app.accepted(), 0);
}

#[tokio::test]
async fn other_names_redirect_page_loads_and_are_rewritten_for_everything_else() {
    let app = parrot().await;
    let lithouse = Lithouse::keeping(app.address()).await;
    let path = format!("/apps/{ID}/page%2F2?x=1");
    for headers in [&[PAGE][..], &[PAGE, ("sec-fetch-mode", "navigate")]] {
        let answer = lithouse.get(&path, headers).await;
        assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(answer.header("location"), Some("/apps/sales/page%2F2?x=1"));
    }
    for headers in [&[][..], &[("accept", "*/*")], &[PAGE, ("sec-fetch-mode", "cors")]] {
        assert_eq!(lithouse.get(&path, headers).await.text(), "/apps/sales/page%2F2?x=1");
    }
    assert_eq!(lithouse.ask(request("POST", &path, &[PAGE], "")).await.text(), "/apps/sales/page%2F2?x=1");
}

#[tokio::test]
async fn an_unknown_name_is_not_found() {
    let app = parrot().await;
    let lithouse = Lithouse::keeping(app.address()).await;
    for path in
        ["/apps/nobody/", "/apps/../api/apps", "/apps/sales%2f/", "/apps/%73ales/", "/apps//sales/", "/apps/", "/elsewhere"]
    {
        let answer = lithouse.get(path, &[]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert!(answer.text().contains(r#""code":"app_not_found""#), "{}", answer.text());
    }
    assert_eq!(app.accepted(), 0);
}

#[tokio::test]
async fn a_name_that_was_asked_for_is_escaped_on_the_page() {
    let lithouse = Lithouse::with(down(AppStatus::Stopped, None)).await;
    let answer = lithouse.get("/apps/\"onload='x'/", &[PAGE]).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.text().contains("&quot;onload=&#39;x&#39;"), "{}", answer.text());
}

#[tokio::test]
async fn an_app_that_is_down_tells_people_its_status_and_reason() {
    let lithouse = Lithouse::with(down(AppStatus::Building, Some("pandas <3 & \"more\""))).await;
    let answer = lithouse.get("/apps/sales/", &[PAGE]).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("retry-after"), Some("2"));
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    for text in ["Sales &lt;Report&gt;", "building", "pandas &lt;3 &amp; &quot;more&quot;", r#"http-equiv="refresh" content="2""#]
    {
        assert!(answer.text().contains(text), "{text}: {}", answer.text());
    }
    assert!(!answer.text().contains("<Report>"));
}

#[tokio::test]
async fn an_app_that_is_down_tells_programs_its_status_and_reason() {
    let lithouse = Lithouse::with(down(AppStatus::Crashed, Some("exit code 1"))).await;
    let answer = lithouse.get("/apps/sales/", &[("accept", "application/json")]).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert!(answer.headers.contains_key("retry-after"));
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(problem["status"], 503);
    assert_eq!(problem["code"], "app_not_running");
    assert_eq!(problem["app_status"], "crashed");
    assert_eq!(problem["reason"], "exit code 1");
    assert_eq!(problem["detail"], "Sales <Report> has crashed");
    assert_eq!(problem["hint"], "whoever looks after this app learns more with `lithouse logs sales`");
    assert!(problem["title"].is_string() && problem["type"].is_string());
}

#[tokio::test]
async fn only_a_passing_state_loads_its_page_again() {
    for (status, passes) in [
        (AppStatus::Starting, true),
        (AppStatus::Building, true),
        (AppStatus::Stopping, true),
        (AppStatus::Sleeping, true),
        (AppStatus::Stopped, false),
        (AppStatus::Failed, false),
        (AppStatus::Crashed, false),
    ] {
        let lithouse = Lithouse::with(down(status, None)).await;
        let answer = lithouse.get("/apps/sales/", &[PAGE]).await;
        assert_eq!(answer.text().contains("http-equiv=\"refresh\""), passes, "{status}");
    }
}

#[tokio::test]
async fn a_page_is_not_sent_where_only_its_head_is_asked_for() {
    let lithouse = Lithouse::with(down(AppStatus::Stopped, None)).await;
    let answer = lithouse.ask(request("HEAD", "/apps/sales/", &[PAGE], "")).await;
    assert_eq!((answer.status, answer.body), (StatusCode::SERVICE_UNAVAILABLE, Bytes::new()));
}

#[tokio::test]
async fn a_new_table_counts_from_the_next_request() {
    let (old, new) = (parrot().await, parrot().await);
    let lithouse = Lithouse::keeping(old.address()).await;
    lithouse.get("/apps/sales/", &[]).await;
    lithouse.publish(Target::Up(Address::Tcp(new.address()), PathPrefix::Strip));
    assert_eq!(lithouse.get("/apps/sales/x", &[]).await.text(), "/x");
    assert_eq!((old.accepted(), new.accepted()), (1, 1));
    lithouse.publish(down(AppStatus::Stopped, None));
    assert_eq!(lithouse.get("/apps/sales/x", &[]).await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn every_request_is_a_use_even_of_an_app_that_is_down() {
    let lithouse = Lithouse::with(down(AppStatus::Sleeping, None)).await;
    assert_eq!(lithouse.usage.last_used_ms(), None);
    let before = crate::support::unix_ms();
    lithouse.get("/apps/sales/", &[]).await;
    assert!(lithouse.usage.last_used_ms().is_some_and(|at| at >= before));
}

#[tokio::test]
async fn a_request_for_an_app_that_opens_its_port_waits_until_it_has_done_so() {
    let app = parrot().await;
    let lithouse = Lithouse::with(Target::Opening).await;
    let asking = lithouse.get("/apps/sales/x", &[]);
    let opening = async {
        eventually("the request has come", || lithouse.usage.last_used_ms().is_some()).await;
        lithouse.publish(Target::Up(Address::Tcp(app.address()), PathPrefix::Strip));
    };
    let (answer, ()) = tokio::join!(asking, opening);
    assert_eq!(answer.text(), "/x");
}

#[tokio::test]
async fn an_app_that_does_not_open_its_port_in_time_is_told_as_starting() {
    let options = Options { opening_patience: Duration::from_millis(50), ..Options::default() };
    let lithouse = Lithouse::start(Target::Opening, options, || 1, |_| {}).await;
    let answer = lithouse.get("/apps/sales/", &[]).await;
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains(r#""app_status":"starting""#), "{}", answer.text());
    assert_eq!(answer.header("retry-after"), Some("2"));
}
