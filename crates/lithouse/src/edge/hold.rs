// SPDX-License-Identifier: Apache-2.0
//! The API while the server is handed over: requests that are begun are finished here, those that come then wait until it is clear
//! who answers them, and are passed on to the successor if it is that one.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use http::{HeaderName, HeaderValue, Method, Request, Response, header};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use tokio_util::sync::CancellationToken;

/// Says that a request on the control socket is not its owner's: a predecessor passes it on.
pub(super) const PASSED_ON: HeaderName = HeaderName::from_static("lithouse-passed-on");

/// How long uploads, deletions and snippets may take once the server is to be handed over.
const LONG: Duration = Duration::from_secs(30);
/// How long everything else may.
const SHORT: Duration = Duration::from_secs(3);

/// Who answers the API.
#[derive(Debug)]
pub(crate) struct Hold {
    /// Whether requests that take long are answered elsewhere; those that are begun hold it for reading.
    long: Arc<RwLock<bool>>,
    /// The same of all others.
    short: Arc<RwLock<bool>>,
    /// Nothing is waited for any more.
    hurry: CancellationToken,
    has_moved: AtomicBool,
    control: PathBuf,
}

/// Nothing of the API is being answered, and nothing begins.
#[derive(Debug)]
pub(crate) struct Held(OwnedRwLockWriteGuard<bool>, OwnedRwLockWriteGuard<bool>);

/// Leave to answer a request here.
pub(super) struct Leave(#[expect(dead_code, reason = "held for as long as the request is answered")] OwnedRwLockReadGuard<bool>);

impl Hold {
    /// Nothing is held. `control` is the socket on which a successor will listen.
    pub(crate) fn new(control: PathBuf) -> Self {
        let open = || Arc::new(RwLock::new(false));
        Self { long: open(), short: open(), hurry: CancellationToken::new(), has_moved: AtomicBool::new(false), control }
    }

    /// Lets what is begun come to its end, and nothing begin. What takes too long is refused.
    pub(crate) async fn close(&self) -> Held {
        let closing = |lock: &Arc<RwLock<bool>>, patience| {
            let lock = Arc::clone(lock);
            async move {
                let waiting = Arc::clone(&lock).write_owned();
                if let Ok(held) = tokio::time::timeout(patience, waiting).await {
                    return held;
                }
                self.hurry.cancel();
                lock.write_owned().await
            }
        };
        let long = closing(&self.long, LONG).await;
        Held(long, closing(&self.short, SHORT).await)
    }

    /// From now on all requests are a successor's.
    pub(crate) fn give_away(&self, mut held: Held) {
        self.has_moved.store(true, Ordering::Relaxed);
        *held.0 = true;
        *held.1 = true;
    }

    pub(super) fn has_moved(&self) -> bool {
        self.has_moved.load(Ordering::Relaxed)
    }

    /// Leave to answer here; none if a successor answers. May wait.
    pub(super) async fn enter(&self, is_long: bool) -> Option<Leave> {
        let lock = if is_long { &self.long } else { &self.short };
        let guard = Arc::clone(lock).read_owned().await;
        (!*guard).then(|| Leave(guard))
    }

    /// Comes when nothing is waited for any more.
    pub(super) async fn hurry(&self) {
        self.hurry.cancelled().await;
    }

    /// Has the successor answer.
    pub(super) async fn pass_on(&self, mut request: Request<Body>, is_owners: bool) -> std::io::Result<Response<Body>> {
        let stream = lithouse_engine::socket::connect(&self.control)?;
        stream.set_nonblocking(true)?;
        let stream = TokioIo::new(UnixStream::from_std(stream)?);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.map_err(std::io::Error::other)?;
        tokio::spawn(connection);
        request.headers_mut().remove(header::CONNECTION);
        if !is_owners {
            request.headers_mut().insert(PASSED_ON, HeaderValue::from_static("1"));
        }
        let answer = sender.send_request(request).await.map_err(std::io::Error::other)?;
        Ok(answer.map(Body::new))
    }
}

/// Whether a request may take long by its nature.
pub(super) fn is_long<B>(request: &Request<B>) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    matches!(*request.method(), Method::PUT | Method::DELETE)
        || kind.starts_with(b"multipart/")
        || request.uri().path().ends_with("/execute")
}
