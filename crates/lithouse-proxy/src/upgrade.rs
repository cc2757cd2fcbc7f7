// SPDX-License-Identifier: Apache-2.0
//! Two byte streams that have become one: a WebSocket, or whatever else a client and an app agree to speak.
//!
//! Nothing here looks inside frames. A stream may be silent for as long as both sides hold it.

use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A direction's buffer while little passes; thousands of streams are open and silent.
const SMALL: usize = 4 * 1024;
/// A direction's buffer while much passes.
const LARGE: usize = 64 * 1024;
/// How long one direction may go on without a byte after the other has ended.
const HALF_CLOSED: Duration = Duration::from_secs(10);

/// Carries bytes both ways until both directions have ended, one has failed, or one has ended and the other has nothing more
/// to say. `early` is what the app has said already; `received` hears the
/// length of every piece that the client sends, and `sent` of every other that the app does.
pub(crate) async fn splice(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    app: impl AsyncRead + AsyncWrite + Unpin,
    early: Bytes,
    received: impl FnMut(usize),
    sent: impl FnMut(usize),
) -> io::Result<()> {
    if !early.is_empty() {
        client.write_all(&early).await?;
        client.flush().await?;
    }
    let (client_reads, client_writes) = tokio::io::split(client);
    let (app_reads, app_writes) = tokio::io::split(app);
    let (asked, answered) = (AtomicU64::new(0), AtomicU64::new(0));
    let mut to_app = pin!(pump(client_reads, app_writes, &asked, received));
    let mut to_client = pin!(pump(app_reads, client_writes, &answered, sent));
    tokio::select! {
        ended = &mut to_app => {
            ended?;
            finish(to_client, &answered).await
        }
        ended = &mut to_client => {
            ended?;
            finish(to_app, &asked).await
        }
    }
}

/// Lets the second direction end too, unless it has fallen silent.
async fn finish(mut rest: Pin<&mut impl Future<Output = io::Result<()>>>, passed: &AtomicU64) -> io::Result<()> {
    let mut before = passed.load(Ordering::Relaxed);
    loop {
        if let Ok(ended) = tokio::time::timeout(HALF_CLOSED, rest.as_mut()).await {
            return ended;
        }
        let now = passed.load(Ordering::Relaxed);
        if now == before {
            return Ok(());
        }
        before = now;
    }
}

/// Carries one direction to its end, and tells the other side of it.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    passed: &AtomicU64,
    mut noticed: impl FnMut(usize),
) -> io::Result<()> {
    let mut size = SMALL;
    let mut buffer = BytesMut::with_capacity(size);
    loop {
        let read = from.read_buf(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        noticed(read);
        passed.fetch_add(read as u64, Ordering::Relaxed);
        to.write_all_buf(&mut buffer).await?;
        to.flush().await?;
        let fitting = if read >= size {
            (size * 2).min(LARGE)
        } else if read < size / 4 {
            SMALL
        } else {
            size
        };
        if fitting == size {
            buffer.reserve(size);
        } else {
            size = fitting;
            buffer = BytesMut::with_capacity(size);
        }
    }
}
