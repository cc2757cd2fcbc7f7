// SPDX-License-Identifier: Apache-2.0
//! Connections: TCP, or the control socket of a data folder.

use std::io;
use std::path::Path;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::stream::Stream;
use super::{Body, ClientError};
use crate::cli::address::Address;

const PATIENCE: Duration = Duration::from_secs(10);

/// A connection for one request.
pub(super) struct Connection {
    sender: SendRequest<Body>,
}

impl Connection {
    /// Connects.
    pub(super) async fn open(address: &Address) -> Result<Self, ClientError> {
        let unreachable = |source| ClientError::of_connect(address, source);
        match address {
            Address::Socket(path) => Self::over(connect_socket(path).map_err(unreachable)?, address).await,
            Address::Http { host, port, .. } => {
                let connecting = tokio::time::timeout(PATIENCE, TcpStream::connect((host.as_str(), *port)));
                let stream = connecting.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(unreachable)?;
                // Requests are written in few pieces, and each should leave at once; without this it is only slower.
                let _ = stream.set_nodelay(true);
                Self::over(stream, address).await
            }
        }
    }

    async fn over<S>(stream: S, address: &Address) -> Result<Self, ClientError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) =
            handshake(TokioIo::new(Stream::new(stream))).await.map_err(|source| ClientError::of_hyper(address, source))?;
        // It ends with the answer's body; what goes wrong on it is told to whoever reads that.
        tokio::spawn(connection);
        Ok(Self { sender })
    }

    /// Sends the request and waits for the head of the answer.
    pub(super) async fn send(&mut self, request: Request<Body>) -> Result<Response<Incoming>, hyper::Error> {
        self.sender.send_request(request).await
    }
}

fn connect_socket(path: &Path) -> io::Result<UnixStream> {
    let stream = lithouse_engine::socket::connect(path)?;
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}
