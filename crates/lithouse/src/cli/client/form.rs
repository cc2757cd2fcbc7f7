// SPDX-License-Identifier: Apache-2.0
//! `multipart/form-data` with one file at its end, streamed from disk.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::HeaderValue;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

use super::Body;

/// How much of a body was handed to the connection.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct Sent(Arc<AtomicU64>);

impl Sent {
    /// The bytes so far.
    pub(in crate::cli) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Ends once nothing moved for that long.
    pub(super) async fn stalled(&self, patience: Duration) {
        loop {
            let before = self.bytes();
            tokio::time::sleep(patience).await;
            if self.bytes() == before {
                return;
            }
        }
    }
}

/// A form in the making.
#[derive(Debug)]
pub(in crate::cli) struct Form {
    boundary: String,
    head: String,
    tail: String,
    file: File,
    size: u64,
}

impl Form {
    /// A form with these fields and a file, whose field is `bundle`.
    pub(in crate::cli) fn new(fields: &[(&str, &str)], file_name: &str, file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        let mut random = [0_u8; 16];
        // Sixteen bytes come whole, and a boundary with less chance in it would do too.
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
        let boundary = format!("lithouse-{:032x}", u128::from_ne_bytes(random));
        let file_name = file_name.replace(['"', '\r', '\n', '\\'], "_");
        let head = fields
            .iter()
            .map(|(name, value)| format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"))
            .chain([format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"bundle\"; filename=\"{file_name}\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\n"
            )])
            .collect();
        let tail = format!("\r\n--{boundary}--\r\n");
        Ok(Self { boundary, head, tail, file, size })
    }

    /// The length of the whole body.
    pub(in crate::cli) fn length(&self) -> u64 {
        self.head.len() as u64 + self.size + self.tail.len() as u64
    }

    pub(super) fn content_type(&self) -> HeaderValue {
        let value = format!("multipart/form-data; boundary={}", self.boundary);
        HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("multipart/form-data"))
    }

    pub(super) fn into_body(self, sent: Sent) -> Body {
        // A file that grows meanwhile must not make the body longer than was announced.
        let file = tokio::fs::File::from_std(self.file).take(self.size);
        let file = ReaderStream::with_capacity(file, 64 << 10);
        let once = |text: String| stream::iter([Ok::<_, io::Error>(Bytes::from(text))]);
        let whole = once(self.head).chain(file).chain(once(self.tail));
        let counted = whole.map(move |piece| {
            let piece = piece?;
            sent.0.fetch_add(piece.len() as u64, Ordering::Relaxed);
            Ok(Frame::data(piece))
        });
        StreamBody::new(counted).boxed_unsync()
    }
}
