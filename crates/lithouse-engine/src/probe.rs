// SPDX-License-Identifier: Apache-2.0
//! Asks an app's health endpoint until it answers as the framework does when it is well.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What a framework says when it is well. A 200 alone proves nothing: many answer any path with their page.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    /// The path, with the app's prefix.
    pub(crate) path: String,
    /// The whole body.
    pub(crate) body: &'static str,
}

/// The pause between two questions. The first waits in the listener's backlog, so a good start needs only one.
const PAUSE: Duration = Duration::from_millis(100);
const LARGEST_BODY: usize = 4096;

/// Waits until the app is healthy. The caller bounds the time.
pub(crate) async fn until_healthy(address: SocketAddr, health: &Health) {
    while !is_healthy(address, health).await {
        tokio::time::sleep(PAUSE).await;
    }
}

/// Asks once.
pub(crate) async fn is_healthy(address: SocketAddr, health: &Health) -> bool {
    let body = ask(address, &health.path, async |response| {
        if response.status() != StatusCode::OK {
            return None;
        }
        Limited::new(response.into_body(), LARGEST_BODY).collect().await.ok().map(http_body_util::Collected::to_bytes)
    });
    body.await.is_some_and(|body| body == health.body.as_bytes())
}

/// The status with which a path is answered, whatever it is.
pub(crate) async fn status(address: SocketAddr, path: &str) -> Option<StatusCode> {
    ask(address, path, async |response| Some(response.status())).await
}

async fn ask<T>(address: SocketAddr, path: &str, read: impl AsyncFnOnce(Response<Incoming>) -> Option<T>) -> Option<T> {
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    let exchange = async move {
        let request = Request::get(path).header(header::HOST, address.to_string()).body(Empty::<Bytes>::new()).ok()?;
        let answer = read(sender.send_request(request).await.ok()?).await;
        drop(sender);
        answer
    };
    // The connection is driven beside the exchange and ends with it, since that drops the sender.
    tokio::join!(exchange, connection).0
}
