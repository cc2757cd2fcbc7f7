// SPDX-License-Identifier: Apache-2.0
//! One headless Streamlit session, from connect to the end of the script: the proof that a release works.
//!
//! A health endpoint says nothing of the script, which runs only when a visitor connects. So this is a visitor: it opens the
//! WebSocket, asks for one run, and reads until the run is over. The wire format is written down in `python/README.md`.

mod wire;

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error as SocketError};

use wire::{ScriptEnd, Sign};

/// The largest message that is read; Streamlit's own default for what it sends.
const LARGEST_MESSAGE: usize = 200 << 20;

/// Why a session is no proof.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// The script raised.
    #[error("the script raised {0}")]
    Raised(String),
    /// The script is not Python.
    #[error("the script does not compile: {0}")]
    NotCompiled(String),
    /// The script ended its own session, for instance by `sys.exit`.
    #[error("the session's script neither finished nor showed anything within {0} s")]
    Silent(u64),
    /// The app ended the connection.
    #[error("the app closed the session before its script was over")]
    Closed,
    /// The WebSocket could not be opened or broke.
    #[error("the session's WebSocket failed: {0}")]
    Socket(Box<SocketError>),
}

impl SessionError {
    /// Whether the app's process may have ended, which its exit code tells better.
    pub(crate) fn may_be_an_end(&self) -> bool {
        match self {
            Self::Closed | Self::Socket(_) => true,
            Self::Raised(_) | Self::NotCompiled(_) | Self::Silent(_) => false,
        }
    }
}

impl From<SocketError> for SessionError {
    fn from(error: SocketError) -> Self {
        match error {
            SocketError::ConnectionClosed | SocketError::AlreadyClosed => Self::Closed,
            error => Self::Socket(Box::new(error)),
        }
    }
}

/// Runs one session of the app at this address, whose base path is `/apps/x` without a final slash. A script that shows something
/// and still runs at the deadline loops on purpose, as live dashboards do, and passes.
pub(crate) async fn prove(address: SocketAddr, base_path: &str, deadline: Duration) -> Result<(), SessionError> {
    let mut seen = Seen::default();
    match tokio::time::timeout(deadline, run(address, base_path, &mut seen)).await {
        Ok(result) => result,
        Err(_) => match seen.exception {
            Some(exception) => Err(SessionError::Raised(exception)),
            None if seen.anything => Ok(()),
            None => Err(SessionError::Silent(deadline.as_secs())),
        },
    }
}

/// What the running script has shown so far.
#[derive(Debug, Default)]
struct Seen {
    exception: Option<String>,
    anything: bool,
}

async fn run(address: SocketAddr, base_path: &str, seen: &mut Seen) -> Result<(), SessionError> {
    let mut request = format!("ws://{address}{base_path}/_stcore/stream").into_client_request()?;
    request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("streamlit"));
    let stream = TcpStream::connect(address).await.map_err(SocketError::Io)?;
    let config = WebSocketConfig::default().max_message_size(Some(LARGEST_MESSAGE)).max_frame_size(Some(LARGEST_MESSAGE));
    let (mut socket, _) = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await?;
    socket.send(Message::Binary(Bytes::from_static(wire::RERUN_SCRIPT))).await?;
    let mut uncompiled = false;
    while let Some(message) = socket.next().await {
        let message = match message? {
            Message::Binary(message) => message,
            Message::Close(_) => return Err(SessionError::Closed),
            Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
        };
        match wire::read(&message) {
            Sign::NewRun => *seen = Seen::default(),
            Sign::Shown => seen.anything = true,
            Sign::Exception(exception) => {
                seen.exception.get_or_insert(exception);
            }
            Sign::NotCompiled(why) => return Err(SessionError::NotCompiled(why)),
            Sign::Ended(ScriptEnd::NotCompiled) => uncompiled = true,
            Sign::Ended(ScriptEnd::Finished) => {
                // The peer is told that this visitor leaves; whether it hears that does not matter.
                let _ = socket.close(None).await;
                return seen.exception.take().map_or(Ok(()), |exception| Err(SessionError::Raised(exception)));
            }
            Sign::Other if uncompiled => return Err(SessionError::NotCompiled("see the log".to_owned())),
            Sign::Other => {}
        }
    }
    Err(SessionError::Closed)
}
