// SPDX-License-Identifier: Apache-2.0
//! Accepts connections and serves HTTP on them. Listeners and the shutdown come from outside.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::sockopt::set_socket_keepalive;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::edge::{Connection, Door, Edge};

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The pause after the system refused us a connection, for instance because descriptors ran out.
const PAUSE: Duration = Duration::from_millis(50);

/// Where connections come in.
#[derive(Debug)]
pub(crate) struct Doors {
    pub(crate) listener: TcpListener,
    pub(crate) control: UnixListener,
}

/// When to take no further connection, and when to end those that are there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    /// No new connection is taken. Those that come then wait for whoever accepts next.
    pub(crate) accepting: CancellationToken,
    /// Connections end: the ones that are in the middle of an answer finish it.
    pub(crate) serving: CancellationToken,
}

/// Serves the listener and the control socket until it is told to stop.
pub(crate) async fn run(edge: Arc<Edge>, doors: Arc<Doors>, stop: Stop, tasks: TaskTracker) {
    let Doors { listener, control } = &*doors;
    let Stop { accepting, serving: stop } = stop;
    loop {
        tokio::select! {
            biased;
            () = accepting.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    // All of these fail only on a connection that is gone already.
                    let _ = stream.set_nodelay(true);
                    // A WebSocket whose client vanished without a word would be held for ever.
                    let _ = set_socket_keepalive(&stream, true);
                    let Ok(local) = stream.local_addr() else { continue };
                    serve(&edge, TokioIo::new(stream), Door::Tcp { peer, local }, &stop, &tasks);
                }
                Err(error) => refused(&error).await,
            },
            accepted = control.accept() => match accepted {
                Ok((stream, _)) => serve(&edge, TokioIo::new(stream), Door::Control, &stop, &tasks),
                Err(error) => refused(&error).await,
            },
        }
    }
}

async fn refused(error: &io::Error) {
    tracing::warn!(error = %error, "a connection could not be accepted");
    tokio::time::sleep(PAUSE).await;
}

fn serve<S>(edge: &Arc<Edge>, stream: TokioIo<S>, door: Door, stop: &CancellationToken, tasks: &TaskTracker)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (edge, stop) = (Arc::clone(edge), stop.clone());
    tasks.spawn(async move {
        let connection = Arc::new(Connection::new(edge, door).await);
        let service = service_fn(move |request| {
            let connection = Arc::clone(&connection);
            async move { Ok::<_, Infallible>(connection.answer(request).await) }
        });
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(stream, service)
            .with_upgrades();
        let mut serving = std::pin::pin!(serving);
        let result = tokio::select! {
            result = serving.as_mut() => result,
            () = stop.cancelled() => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
        if let Err(error) = result {
            tracing::debug!(error = %error, "a connection ended early");
        }
    });
}
