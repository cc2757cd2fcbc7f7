// SPDX-License-Identifier: Apache-2.0
//! Asks an app's health endpoint until it answers as the framework does when it is well.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
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

/// What was seen of an app that is asked, for whoever gives up on it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Option<String>>>);

impl Seen {
    /// Notes what is the case now.
    pub(crate) fn note(&self, what: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
    }

    /// What was noted last.
    pub(crate) fn last(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Waits until the app is healthy. The caller bounds the time.
pub(crate) async fn until_healthy(address: SocketAddr, health: &Health, seen: &Seen) {
    while let Err(what) = is_healthy(address, health).await {
        seen.note(what);
        tokio::time::sleep(PAUSE).await;
    }
}

/// Asks once; the error says what came instead.
async fn is_healthy(address: SocketAddr, health: &Health) -> Result<(), String> {
    let Health { path, body: expected } = health;
    let answer = ask(address, path, async |response| {
        let status = response.status();
        if status != StatusCode::OK {
            return Some((status, None));
        }
        let body = Limited::new(response.into_body(), LARGEST_BODY).collect().await.ok();
        Some((status, body.map(http_body_util::Collected::to_bytes)))
    });
    match answer.await {
        Some((_, Some(body))) if body == expected.as_bytes() => Ok(()),
        Some((_, Some(_))) => Err(format!("it answered `{path}` with something else than `{expected}`")),
        Some((StatusCode::OK, None)) => Err(format!("its answer to `{path}` broke off or was too long")),
        Some((status, None)) => Err(answered(path, status)),
        None => Err(format!("it hung up without an answer to `{path}`")),
    }
}

/// That a path was answered with this status.
pub(crate) fn answered(path: &str, status: StatusCode) -> String {
    format!("it answered `{path}` with {status}")
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
