// SPDX-License-Identifier: Apache-2.0
//! Accepts connections and serves HTTP on them. Listeners and the shutdown come from outside.

mod crowd;
mod stream;

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

use crate::edge::{Connection, Door, Edge, Room, is_short};
use crowd::{Crowd, Guest};
use stream::{Refuse, Stream};

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
    // Each by itself: however crowded the listener is, the owner gets in.
    tokio::join!(serve_listener(&edge, listener, &stop, &tasks), serve_control(&edge, control, &stop, &tasks));
}

async fn serve_listener(edge: &Arc<Edge>, listener: &TcpListener, stop: &Stop, tasks: &TaskTracker) {
    let crowd = Crowd::within_limit();
    let mut refusals = Refusals::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.accepting.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Some((stream, peer)) = refusals.look(accepted).await else { continue };
        // All of these fail only on a connection that is gone already.
        let _ = stream.set_nodelay(true);
        // A WebSocket whose client vanished without a word would be held for ever.
        let _ = set_socket_keepalive(&stream, true);
        let Ok(local) = stream.local_addr() else { continue };
        let place = tokio::select! {
            place = crowd.enter() => Some(place),
            // Nobody comes after this one.
            () = stop.accepting.cancelled() => None,
        };
        let door = Door::Tcp { peer, local };
        let mut stream = Stream::new(stream, place, refusing(edge, door));
        let guest = Arc::clone(stream.guest());
        let io = TokioIo::new(stream.clone());
        let serving = serve(edge, io, door, Some((Arc::clone(&crowd), Arc::clone(&guest))), &stop.serving);
        tasks.spawn(async move {
            tokio::select! {
                () = serving => {}
                () = guest.is_to_leave() => {}
                () = guest.overstays() => {}
                () = stream.is_left(peer, local) => {}
            }
            stream.linger().await;
        });
    }
}

/// Answers what comes through this door and is no request.
fn refusing(edge: &Arc<Edge>, door: Door) -> Refuse {
    let edge = Arc::clone(edge);
    Arc::new(move |status| edge.answer_to_no_request(status, door))
}

async fn serve_control(edge: &Arc<Edge>, control: &UnixListener, stop: &Stop, tasks: &TaskTracker) {
    let mut refusals = Refusals::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.accepting.cancelled() => return,
            accepted = control.accept() => accepted,
        };
        if let Some((stream, _)) = refusals.look(accepted).await {
            tasks.spawn(serve(edge, TokioIo::new(stream), Door::Control, None, &stop.serving));
        }
    }
}

/// Connections that the system refuses us, for instance because descriptors ran out.
#[derive(Debug, Default)]
struct Refusals {
    /// Told once, however long it lasts.
    is_told: bool,
}

impl Refusals {
    async fn look<T>(&mut self, accepted: io::Result<T>) -> Option<T> {
        match accepted {
            Ok(accepted) => {
                self.is_told = false;
                Some(accepted)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_told, true) {
                    tracing::warn!(error = %error, "connections cannot be accepted; they wait until they can");
                }
                tokio::time::sleep(PAUSE).await;
                None
            }
        }
    }
}

fn serve<S>(
    edge: &Arc<Edge>,
    stream: TokioIo<S>,
    door: Door,
    crowd: Option<(Arc<Crowd>, Arc<Guest>)>,
    stop: &CancellationToken,
) -> impl Future<Output = ()> + Send + 'static
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (edge, stop) = (Arc::clone(edge), stop.clone());
    async move {
        let connection = Arc::new(Connection::new(edge, door).await);
        // At the control socket, where nobody counts, a client that ends its side has gone: it is the command line.
        let may_half_close = crowd.is_some();
        let service = service_fn(move |request| {
            let (connection, crowd) = (Arc::clone(&connection), crowd.clone());
            let asking = crowd.as_ref().map(|(_, guest)| guest.asks());
            async move {
                let room =
                    match &crowd {
                        Some((crowd, guest)) if guest.is_besides() && !is_short(&request) => {
                            if Box::pin(crowd.seat(guest)).await { Room::Enough } else { Room::None }
                        }
                        Some((_, guest)) if guest.is_besides() => Room::ForOne,
                        Some(_) | None => Room::Enough,
                    };
                let answer = connection.answer(request, room).await;
                Ok::<_, Infallible>(match asking {
                    Some(asking) => asking.until_sent(answer),
                    None => answer,
                })
            }
        });
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .half_close(may_half_close)
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
    }
}
