// SPDX-License-Identifier: Apache-2.0
//! Bodies flow as they come, in both directions, and nothing is gathered up.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use lithouse_testkit::upstream::{Upstream, full, read_head};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, Semaphore, mpsc};

use crate::support::{Answer, Lithouse, eventually, request, rest_of, within};

/// A body whose frames a test sends one by one.
struct ByHand(mpsc::Receiver<Bytes>);

impl ByHand {
    fn new() -> (mpsc::Sender<Bytes>, Self) {
        let (sender, receiver) = mpsc::channel(1);
        (sender, Self(receiver))
    }
}

impl Body for ByHand {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

#[tokio::test]
async fn each_event_arrives_before_the_next_is_sent() {
    let (events, body) = ByHand::new();
    let body = Arc::new(std::sync::Mutex::new(Some(body.boxed())));
    let app = Upstream::http(move |_| {
        let body = body.lock().unwrap().take().unwrap();
        async move { hyper::Response::builder().header("content-type", "text/event-stream").body(body).unwrap() }
    })
    .await
    .unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    let mut answer = lithouse.open(request("GET", "/apps/sales/events", &[], "")).await;
    for number in 0..20 {
        let event = Bytes::from(format!("data: {number}\n\n"));
        within(events.send(event.clone())).await.unwrap();
        let frame = within(answer.frame()).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), event);
    }
    drop(events);
    assert!(within(answer.frame()).await.is_none());
    eventually("the connection waits for the next request", || lithouse.proxy.idle_connections() == 1).await;
}

#[tokio::test]
async fn a_large_upload_stalls_with_its_reader_and_arrives_whole() {
    const SIZE: u64 = 200 * 1024 * 1024;
    let (go, read) = (Arc::new(Notify::new()), Arc::new(AtomicU64::new(0)));
    let (gone, counted) = (Arc::clone(&go), Arc::clone(&read));
    let app = Upstream::raw(move |mut stream, _| {
        let (go, read) = (Arc::clone(&gone), Arc::clone(&counted));
        async move {
            let head = read_head(&mut stream).await?;
            assert!(head.to_lowercase().contains(&format!("content-length: {SIZE}")), "{head}");
            go.notified().await;
            let mut buffer = vec![0; 256 * 1024];
            while read.load(Ordering::SeqCst) < SIZE {
                let length = stream.read(&mut buffer).await?;
                read.fetch_add(length as u64, Ordering::SeqCst);
            }
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await
        }
    })
    .await
    .unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    let stream = lithouse.raw(format!("PUT /apps/sales/f HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n")).await;
    let sent = Arc::new(AtomicU64::new(0));
    let (mut reader, mut writer) = stream.into_split();
    let counter = Arc::clone(&sent);
    let upload = tokio::spawn(async move {
        let piece = vec![7; 64 * 1024];
        while counter.load(Ordering::SeqCst) < SIZE {
            writer.write_all(&piece).await.unwrap();
            counter.fetch_add(piece.len() as u64, Ordering::SeqCst);
        }
        writer
    });
    // The client gets rid of what sockets and buffers hold, and no more: two looks see the same number.
    let mut before = u64::MAX;
    loop {
        // Time for megabytes, if anybody took them.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let now = sent.load(Ordering::SeqCst);
        if now == before {
            break;
        }
        before = now;
    }
    assert!(before < 32 * 1024 * 1024, "{before} bytes are on their way to an app that reads none");
    go.notify_one();
    let head = within(read_head(&mut reader)).await.unwrap();
    assert!(head.starts_with("HTTP/1.1 204"), "{head}");
    assert_eq!(read.load(Ordering::SeqCst), SIZE);
    within(upload).await.unwrap();
}

#[tokio::test]
async fn a_large_download_stalls_with_its_reader() {
    const PIECE: usize = 1024 * 1024;
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    let app = Upstream::raw(move |mut stream, _| {
        let sent = Arc::clone(&counter);
        async move {
            read_head(&mut stream).await?;
            stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 200 * PIECE).as_bytes()).await?;
            let piece = vec![7; PIECE];
            for _ in 0..200 {
                stream.write_all(&piece).await?;
                sent.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        }
    })
    .await
    .unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    let answer = lithouse.open(request("GET", "/apps/sales/", &[], "")).await;
    let mut before = u64::MAX;
    loop {
        // Time for many more pieces, if anybody took them.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let now = sent.load(Ordering::SeqCst);
        if now == before {
            break;
        }
        before = now;
    }
    assert!(before < 32, "{before} MB are on their way to a client that reads none");
    assert_eq!(Answer::of(answer).await.body.len(), 200 * PIECE);
}

#[tokio::test]
async fn bodies_flow_both_ways_at_once() {
    let app = Upstream::http(|request| async move {
        let body = request.into_body().map_err(io::Error::other).boxed();
        hyper::Response::new(body)
    })
    .await
    .unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    let (frames, body) = ByHand::new();
    let request = Request::post("/apps/sales/echo").header("host", "a").body(body).unwrap();
    let mut answer = lithouse.open(request).await;
    for number in 0..10 {
        let piece = Bytes::from(format!("piece {number}"));
        within(frames.send(piece.clone())).await.unwrap();
        assert_eq!(within(answer.frame()).await.unwrap().unwrap().into_data().unwrap(), piece);
    }
    drop(frames);
    assert!(within(answer.frame()).await.is_none());
}

#[tokio::test]
async fn an_upload_goes_on_while_nobody_reads_the_early_answer() {
    // The app answers at once with more than fits anywhere, and ends only when it has read everything. The client sends
    // everything before it reads. Neither may wait for the other.
    const SIZE: usize = 64 * 1024 * 1024;
    let app = Upstream::raw(|stream, _| async move {
        let (mut reader, mut writer) = stream.into_split();
        read_head(&mut reader).await?;
        let reading = tokio::spawn(async move {
            let mut left = SIZE;
            let mut buffer = vec![0; 256 * 1024];
            while left > 0 {
                left -= reader.read(&mut buffer).await?;
            }
            Ok::<_, io::Error>(())
        });
        writer.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n").as_bytes()).await?;
        writer.write_all(&vec![1; SIZE]).await?;
        reading.await?
    })
    .await
    .unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    let mut stream = lithouse.raw(format!("POST /apps/sales/ HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n")).await;
    within(stream.write_all(&vec![2; SIZE])).await.unwrap();
    let head = within(read_head(&mut stream)).await.unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let mut body = vec![0; SIZE];
    within(stream.read_exact(&mut body)).await.unwrap();
}

#[tokio::test]
async fn trailers_pass_in_both_directions() {
    let app = Upstream::http(|request| async move {
        let body = request.into_body().collect().await.unwrap();
        let told = body.trailers().unwrap()["x-sum"].clone();
        let trailers = HeaderMap::from_iter([(http::HeaderName::from_static("x-echo"), told)]);
        let frames = [Ok(Frame::data(body.to_bytes())), Ok(Frame::trailers(trailers))];
        let body = StreamBody::new(futures_util::stream::iter(frames)).boxed();
        hyper::Response::builder().header("trailer", "x-echo").body(body).unwrap()
    })
    .await
    .unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    let trailers = HeaderMap::from_iter([(http::HeaderName::from_static("x-sum"), http::HeaderValue::from_static("42"))]);
    let frames = [Ok::<_, io::Error>(Frame::data(Bytes::from("x"))), Ok(Frame::trailers(trailers))];
    let request = Request::post("/apps/sales/")
        .header("host", "a")
        .header("te", "trailers")
        .header("trailer", "x-sum")
        .body(StreamBody::new(futures_util::stream::iter(frames)))
        .unwrap();
    let answer = within(lithouse.open(request).await.into_body().collect()).await.unwrap();
    assert_eq!(answer.trailers().unwrap()["x-echo"], "42");
}

#[tokio::test]
async fn a_chunked_body_of_a_get_arrives() {
    let app =
        Upstream::http(
            |request| async move { hyper::Response::new(full(request.into_body().collect().await.unwrap().to_bytes())) },
        )
        .await
        .unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    let head = "GET /apps/sales/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (answer, _) = rest_of(lithouse.raw(format!("{head}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")).await).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("abcde"), "{answer}");
}

#[tokio::test]
async fn a_body_coded_beyond_chunks_is_refused_not_garbled() {
    let app = Upstream::saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n").await.unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    let head = "POST /apps/sales/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: gzip, chunked\r\n\r\n";
    let (answer, _) = rest_of(lithouse.raw(format!("{head}0\r\n\r\n")).await).await;
    assert!(answer.starts_with("HTTP/1.1 501"), "{answer}");
    assert_eq!(app.accepted(), 0);
    assert_eq!(lithouse.get("/apps/sales/", &[]).await.status, StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn a_client_that_waits_for_permission_gets_it_and_may_send() {
    let app =
        Upstream::http(
            |request| async move { hyper::Response::new(full(request.into_body().collect().await.unwrap().to_bytes())) },
        )
        .await
        .unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    let head = "POST /apps/sales/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    let mut stream = lithouse.raw(head).await;
    let permission = within(read_head(&mut stream)).await.unwrap();
    assert!(permission.starts_with("HTTP/1.1 100"), "{permission}");
    stream.write_all(b"hello").await.unwrap();
    let head = within(read_head(&mut stream)).await.unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let mut body = [0; 5];
    within(stream.read_exact(&mut body)).await.unwrap();
    assert_eq!(&body, b"hello");
}

#[tokio::test]
async fn one_connection_carries_many_requests_and_many_clients_share_few() {
    let app = Upstream::http(|_| async { hyper::Response::new(full("hello")) }).await.unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    for _ in 0..20 {
        assert_eq!(lithouse.get("/apps/sales/", &[]).await.text(), "hello");
    }
    assert_eq!(app.accepted(), 1);
}

#[tokio::test]
async fn slow_requests_do_not_hold_up_others() {
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let app = Upstream::http(move |request| {
        let gate = Arc::clone(&waiting);
        async move {
            if request.uri().path().ends_with("slow") {
                gate.acquire().await.unwrap().forget();
            }
            hyper::Response::new(full("done"))
        }
    })
    .await
    .unwrap();
    let lithouse = Arc::new(Lithouse::keeping(app.address()).await);
    let slow: Vec<_> = (0..10)
        .map(|_| {
            let lithouse = Arc::clone(&lithouse);
            tokio::spawn(async move { lithouse.get("/apps/sales/slow", &[]).await.status })
        })
        .collect();
    eventually("all slow requests have reached the app", || app.accepted() == 10).await;
    assert_eq!(lithouse.get("/apps/sales/fast", &[]).await.text(), "done");
    gate.add_permits(10);
    for request in slow {
        assert_eq!(within(request).await.unwrap(), StatusCode::OK);
    }
}
