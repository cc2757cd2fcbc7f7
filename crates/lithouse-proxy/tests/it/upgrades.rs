// SPDX-License-Identifier: Apache-2.0
//! Upgrades: the WebSocket, and other protocols that begin as HTTP.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::{SinkExt as _, StreamExt as _};
use http::HeaderValue;
use lithouse_core::route::{PathPrefix, Target, Upstream as Address};
use lithouse_proxy::proxy::Options;
use lithouse_testkit::upstream::{Upstream, read_head};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::support::{Lithouse, eventually, within};

const ASK: &str = "GET /apps/sales/s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n";
const AGREE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n";

/// An app that repeats every message, and agrees to the first subprotocol.
async fn echo() -> Upstream {
    Upstream::raw(|stream, _| async move {
        #[expect(clippy::result_large_err, reason = "the library's signature")]
        let agree = |request: &Request, mut response: Response| {
            let offered = request.headers().get("sec-websocket-protocol").and_then(|offered| offered.to_str().ok());
            if let Some(first) = offered.and_then(|offered| offered.split(',').next()) {
                response.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_str(first).unwrap());
            }
            Ok(response)
        };
        let mut socket = tokio_tungstenite::accept_hdr_async(stream, agree).await.map_err(io::Error::other)?;
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() || message.is_binary() {
                socket.send(message).await.map_err(io::Error::other)?;
            }
        }
        Ok(())
    })
    .await
    .unwrap()
}

async fn connect(lithouse: &Lithouse, protocols: Option<&str>) -> (WebSocketStream<TcpStream>, http::Response<Option<Vec<u8>>>) {
    let stream = TcpStream::connect(lithouse.address).await.unwrap();
    let mut request = format!("ws://{}/apps/sales/_stcore/stream", lithouse.address).into_client_request().unwrap();
    if let Some(protocols) = protocols {
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_str(protocols).unwrap());
    }
    within(tokio_tungstenite::client_async(request, stream)).await.unwrap()
}

/// An app that agrees to anything and then does as it is told.
async fn agreeing<F>(then: impl Fn(TcpStream) -> F + Send + Sync + 'static) -> Upstream
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let then = Arc::new(then);
    Upstream::raw(move |mut stream, _| {
        let then = Arc::clone(&then);
        async move {
            read_head(&mut stream).await?;
            stream.write_all(AGREE).await?;
            then(stream).await
        }
    })
    .await
    .unwrap()
}

async fn agreed(lithouse: &Lithouse) -> TcpStream {
    let mut stream = lithouse.raw(ASK).await;
    let head = within(read_head(&mut stream)).await.unwrap();
    assert!(head.starts_with("HTTP/1.1 101") && head.to_lowercase().contains("\r\nupgrade: test\r\n"), "{head}");
    stream
}

#[tokio::test]
async fn messages_of_every_size_come_back() {
    let app = echo().await;
    let lithouse = Lithouse::keeping(app.address()).await;
    let (mut socket, _) = connect(&lithouse, None).await;
    for size in [0, 1, 125, 126, 4096, 65_536, 1_000_000, 15 * 1024 * 1024] {
        let message = Message::Binary(Bytes::from(vec![u8::try_from(size % 251).unwrap(); size]));
        within(socket.send(message.clone())).await.unwrap();
        assert!(within(socket.next()).await.unwrap().unwrap() == message, "{size}");
    }
    within(socket.send(Message::text("wörds"))).await.unwrap();
    assert_eq!(within(socket.next()).await.unwrap().unwrap(), Message::text("wörds"));
}

#[tokio::test]
async fn subprotocols_are_agreed_between_client_and_app() {
    let app = echo().await;
    let lithouse = Lithouse::keeping(app.address()).await;
    let (_socket, answer) = connect(&lithouse, Some("streamlit, 2|token|x, a-session-id")).await;
    assert_eq!(answer.headers()["sec-websocket-protocol"], "streamlit");
}

#[tokio::test]
async fn the_handshake_passes_untouched_but_for_the_path() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let app = Upstream::raw(move |mut stream, _| {
        let tell = tell.clone();
        async move {
            tell.send(read_head(&mut stream).await?).unwrap();
            stream
                .write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
                .await
        }
    })
    .await
    .unwrap();
    let lithouse = Lithouse::stripping(app.address()).await;
    let lines = [
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: streamlit, 2|a|b, session",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
        "Origin: http://lit.example:8080",
        "Host: lit.example:8080",
    ];
    let ask = format!(
        "GET /apps/sales/ws?x=%20 HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n{}\r\n\r\n",
        lines.join("\r\n")
    );
    let mut stream = lithouse.raw(ask).await;
    let head = within(told.recv()).await.unwrap();
    assert!(head.starts_with("GET /ws?x=%20 HTTP/1.1\r\n"), "{head}");
    for line in lines.iter().chain(&["connection: upgrade", "upgrade: websocket", "x-forwarded-prefix: /apps/sales"]) {
        assert!(head.lines().any(|found| found.eq_ignore_ascii_case(line)), "{line}: {head}");
    }
    let answer = within(read_head(&mut stream)).await.unwrap().to_lowercase();
    for line in ["connection: upgrade", "upgrade: websocket", "sec-websocket-extensions: permessage-deflate"] {
        assert!(answer.lines().any(|found| found == line), "{line}: {answer}");
    }
}

#[tokio::test]
async fn a_refused_handshake_is_passed_on_as_it_is() {
    let app = Upstream::saying("HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\nX-Why: origin\r\n\r\nno way").await.unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    let mut stream = lithouse.raw(ASK).await;
    let head = within(read_head(&mut stream)).await.unwrap();
    assert!(head.starts_with("HTTP/1.1 403") && head.to_lowercase().contains("x-why: origin"), "{head}");
    let mut body = [0; 6];
    within(stream.read_exact(&mut body)).await.unwrap();
    assert_eq!((&body, lithouse.proxy.upgraded_streams()), (b"no way", 0));
}

#[tokio::test]
async fn an_app_that_is_down_refuses_a_handshake_with_503() {
    let lithouse = Lithouse::with(Target::Down { status: lithouse_core::app::AppStatus::Stopped, reason: None }).await;
    let mut stream = lithouse.raw(ASK).await;
    let head = within(read_head(&mut stream)).await.unwrap();
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
}

#[tokio::test]
async fn what_is_said_with_the_handshake_is_not_lost() {
    let app = Upstream::raw(|mut stream, _| async move {
        read_head(&mut stream).await?;
        let mut early = [0; 5];
        stream.write_all(&[AGREE, b"hello"].concat()).await?;
        stream.read_exact(&mut early).await?;
        stream.write_all(&early).await
    })
    .await
    .unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    let mut stream = lithouse.raw(format!("{ASK}early")).await;
    within(read_head(&mut stream)).await.unwrap();
    let mut said = [0; 10];
    within(stream.read_exact(&mut said)).await.unwrap();
    assert_eq!(&said, b"helloearly");
}

#[tokio::test]
async fn when_the_app_goes_the_client_is_told_at_once() {
    let go = Arc::new(Notify::new());
    let waiting = Arc::clone(&go);
    let app = agreeing(move |stream| {
        let go = Arc::clone(&waiting);
        async move {
            go.notified().await;
            drop(stream);
            Ok(())
        }
    })
    .await;
    let lithouse = Lithouse::keeping(app.address()).await;
    let mut stream = agreed(&lithouse).await;
    eventually("the stream is counted", || lithouse.proxy.upgraded_streams() == 1).await;
    go.notify_one();
    assert_eq!(within(stream.read(&mut [0; 8])).await.unwrap(), 0);
    drop(stream);
    eventually("both sides are gone", || lithouse.proxy.upgraded_streams() == 0).await;
}

#[tokio::test]
async fn when_the_client_goes_the_app_is_told_at_once() {
    for is_reset in [false, true] {
        let (tell, mut told) = mpsc::unbounded_channel();
        let app = agreeing(move |mut stream| {
            let tell = tell.clone();
            async move {
                let ended = stream.read(&mut [0; 8]).await;
                tell.send(ended.unwrap_or(0)).unwrap();
                Ok(())
            }
        })
        .await;
        let lithouse = Lithouse::keeping(app.address()).await;
        let stream = agreed(&lithouse).await;
        if is_reset {
            stream.set_zero_linger().unwrap();
        }
        drop(stream);
        assert_eq!(within(told.recv()).await, Some(0));
        eventually("both sides are gone", || lithouse.proxy.upgraded_streams() == 0).await;
    }
}

#[tokio::test]
async fn a_side_that_has_said_all_still_hears_the_other() {
    let app = agreeing(|mut stream| async move {
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await?;
        stream.write_all(b"heard: ").await?;
        stream.write_all(&heard).await
    })
    .await;
    let lithouse = Lithouse::keeping(app.address()).await;
    let mut stream = agreed(&lithouse).await;
    stream.write_all(b"all of it").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(answer, "heard: all of it");
    eventually("both sides are gone", || lithouse.proxy.upgraded_streams() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_stays_open_for_hours() {
    let app = agreeing(|mut stream| async move {
        let mut byte = [0; 1];
        stream.read_exact(&mut byte).await?;
        stream.write_all(&byte).await?;
        std::future::pending().await
    })
    .await;
    let lithouse = Lithouse::keeping(app.address()).await;
    let mut stream = agreed(&lithouse).await;
    // Paused time jumps ahead; whatever timer there were would go off now.
    tokio::time::advance(std::time::Duration::from_hours(12)).await;
    tokio::task::yield_now().await;
    stream.write_all(b"x").await.unwrap();
    let mut byte = [0; 1];
    stream.read_exact(&mut byte).await.unwrap();
    assert_eq!(&byte, b"x");
}

#[tokio::test]
async fn what_the_client_sends_counts_as_use_once_a_second() {
    static NOW: AtomicI64 = AtomicI64::new(1_000_000);
    let app = echo().await;
    let target = Target::Up(Address::Tcp(app.address()), PathPrefix::Keep);
    let lithouse = Lithouse::start(target, Options::default(), || NOW.load(Ordering::SeqCst), |_| {}).await;
    let (mut socket, _) = connect(&lithouse, None).await;
    let mut uses = Vec::new();
    for step in [5000, 300, 300, 500, 0, 2000] {
        NOW.fetch_add(step, Ordering::SeqCst);
        socket.send(Message::text("x")).await.unwrap();
        within(socket.next()).await.unwrap().unwrap();
        uses.push(lithouse.usage.last_used_ms().unwrap() - 1_000_000);
    }
    assert_eq!(uses, [5000, 5000, 5000, 6100, 6100, 8100]);
}

#[tokio::test]
async fn what_the_app_sends_counts_as_no_use() {
    static NOW: AtomicI64 = AtomicI64::new(1_000_000);
    let app = agreeing(|mut stream| async move {
        for _ in 0..3 {
            stream.write_all(b"x").await?;
        }
        std::future::pending().await
    })
    .await;
    let target = Target::Up(Address::Tcp(app.address()), PathPrefix::Keep);
    let lithouse = Lithouse::start(target, Options::default(), || NOW.fetch_add(1, Ordering::SeqCst), |_| {}).await;
    let mut stream = agreed(&lithouse).await;
    let asked = lithouse.usage.last_used_ms();
    let mut said = [0; 3];
    within(stream.read_exact(&mut said)).await.unwrap();
    assert_eq!(lithouse.usage.last_used_ms(), asked);
}

#[tokio::test]
async fn a_close_with_its_reason_passes() {
    let app = Upstream::raw(|stream, _| async move {
        let mut socket = tokio_tungstenite::accept_async(stream).await.map_err(io::Error::other)?;
        let reason = CloseFrame { code: CloseCode::Restart, reason: "new release".into() };
        socket.close(Some(reason)).await.map_err(io::Error::other)?;
        while let Some(Ok(_)) = socket.next().await {}
        Ok(())
    })
    .await
    .unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    let (mut socket, _) = connect(&lithouse, None).await;
    let Message::Close(Some(frame)) = within(socket.next()).await.unwrap().unwrap() else { panic!("no close frame") };
    assert_eq!((frame.code, frame.reason.as_str()), (CloseCode::Restart, "new release"));
}

#[tokio::test]
async fn h2c_is_not_an_upgrade_that_passes() {
    let app = Upstream::saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
    let lithouse = Lithouse::keeping(app.address()).await;
    let ask = "GET /apps/sales/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n";
    let mut stream = lithouse.raw(ask).await;
    let head = within(read_head(&mut stream)).await.unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
}
