// SPDX-License-Identifier: Apache-2.0
//! Servers to put behind a proxy: honest ones that speak HTTP, and raw ones that cut, stall and lie.
//!
//! Each listens on a port (or socket) of its own and ends with its owner, connections included.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener};
use tokio::task::{JoinHandle, JoinSet};

/// The body of an honest server's answer.
pub type Body = BoxBody<Bytes, io::Error>;

/// A body that is there at once.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    use http_body_util::BodyExt as _;
    http_body_util::Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

/// A server on a TCP port of this machine.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl Upstream {
    /// A server that treats each connection as it likes. The number tells which one it is, from 0.
    pub async fn raw<F>(treat: impl Fn(TcpStream, usize) -> F + Send + 'static) -> io::Result<Self>
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let accepted = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&accepted);
        let server = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let number = counter.fetch_add(1, Ordering::SeqCst);
                connections.spawn(treat(stream, number));
            }
        });
        Ok(Self { address, accepted, server })
    }

    /// An honest HTTP/1.1 server with keep-alive and upgrades.
    pub async fn http<F>(answer: impl Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static) -> io::Result<Self>
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        Self::raw(move |stream, _| {
            let answer = answer.clone();
            async move {
                let service = service_fn(move |request| {
                    let answered = answer(request);
                    async move { Ok::<_, Infallible>(answered.await) }
                });
                let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
                served.map_err(io::Error::other)
            }
        })
        .await
    }

    /// A server that reads the head of each request and answers with these bytes, whatever they are, then goes on to the next.
    pub async fn saying(bytes: impl Into<Bytes>) -> io::Result<Self> {
        let bytes = bytes.into();
        Self::raw(move |mut stream, _| {
            let bytes = bytes.clone();
            async move {
                while !read_head(&mut stream).await?.is_empty() {
                    stream.write_all(&bytes).await?;
                }
                Ok(())
            }
        })
        .await
    }

    /// A server that reads the head of each request, answers with these bytes and closes the connection.
    pub async fn saying_once(bytes: impl Into<Bytes>) -> io::Result<Self> {
        let bytes = bytes.into();
        Self::raw(move |mut stream, _| {
            let bytes = bytes.clone();
            async move {
                read_head(&mut stream).await?;
                stream.write_all(&bytes).await
            }
        })
        .await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has accepted so far.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// An honest HTTP/1.1 server on a unix socket in a folder of its own.
#[derive(Debug)]
pub struct UnixUpstream {
    folder: tempfile::TempDir,
    server: JoinHandle<()>,
}

impl UnixUpstream {
    /// Starts it.
    pub fn http<F>(answer: impl Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static) -> io::Result<Self>
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let folder = tempfile::tempdir()?;
        let listener = UnixListener::bind(folder.path().join("app.sock"))?;
        let server = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let answer = answer.clone();
                connections.spawn(async move {
                    let service = service_fn(move |request| {
                        let answered = answer(request);
                        async move { Ok::<_, Infallible>(answered.await) }
                    });
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
                });
            }
        });
        Ok(Self { folder, server })
    }

    /// The socket.
    pub fn path(&self) -> PathBuf {
        Path::join(self.folder.path(), "app.sock")
    }
}

impl Drop for UnixUpstream {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// An address on the loopback at which nobody listens, nor will for as long as this process lives: its port is taken, and refuses
/// connections.
pub fn address_of_nobody() -> io::Result<SocketAddr> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    let address = socket.local_addr()?;
    // It never listens, and is never closed.
    std::mem::forget(socket);
    Ok(address)
}

/// Reads the head of one request or answer, up to and with the empty line; empty at the end of the stream.
pub async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && head.is_empty() => return Ok(String::new()),
            Err(error) => return Err(error),
        }
    }
    String::from_utf8(head).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_address_of_nobody_connections_are_refused_and_nobody_can_listen() {
        let address = address_of_nobody().unwrap();
        let refused = std::net::TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(std::net::TcpListener::bind(address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
