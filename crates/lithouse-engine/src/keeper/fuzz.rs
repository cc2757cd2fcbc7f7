// SPDX-License-Identifier: Apache-2.0
//! What holds of every frame between server and keeper, whoever sends it.
#![expect(clippy::expect_used, reason = "a target fails by panicking, and what it works with must be there")]

use std::io;

use futures_util::stream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::io::StreamReader;

use super::wire::{Call, FrameError, Hello, Request, Said, frame, read};
use crate::fuzz::pieces;

/// Reads the input as both sides would read a stream, in pieces, and as the content of each message: what is understood is the same
/// after it was sent on.
pub fn keeper_protocol(input: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let (lengths, stream) = input.split_at(input.len().min(4));
        as_keeper(stream, lengths).await;
        as_server(stream, lengths).await;
        sent_on::<Hello>(input, lengths).await;
        sent_on::<Said>(input, lengths).await;
        sent_on::<Call<Request>>(input, lengths).await;
    });
}

async fn as_keeper(bytes: &[u8], lengths: &[u8]) {
    let mut stream = incoming(bytes, lengths);
    let hello: Result<Hello, _> = read(&mut stream).await;
    if hello.is_ok() {
        while let Ok(call) = read::<Call<Value>>(&mut stream).await {
            if let Err(error) = serde_json::from_value::<Request>(call.request) {
                assert!(!error.to_string().is_empty());
            }
        }
    }
}

async fn as_server(bytes: &[u8], lengths: &[u8]) {
    let mut stream = incoming(bytes, lengths);
    let hello: Result<Hello, _> = read(&mut stream).await;
    match hello {
        Ok(_) => while read::<Said>(&mut stream).await.is_ok() {},
        Err(FrameError::Io(error)) => assert!(error.kind() != io::ErrorKind::OutOfMemory, "{error}"),
        Err(FrameError::Closed | FrameError::TooLong(_) | FrameError::NotOurs(_)) => {}
    }
}

fn incoming(
    bytes: &[u8],
    lengths: &[u8],
) -> StreamReader<impl stream::Stream<Item = io::Result<io::Cursor<Vec<u8>>>> + Unpin, io::Cursor<Vec<u8>>> {
    StreamReader::new(stream::iter(pieces(bytes, lengths).into_iter().map(|piece| Ok(io::Cursor::new(piece)))))
}

async fn sent_on<M: Serialize + DeserializeOwned>(text: &[u8], lengths: &[u8]) {
    let Ok(message) = serde_json::from_slice::<M>(text) else { return };
    let sent = frame(&message).expect("a short message");
    let received: M = read(&mut incoming(&sent, lengths)).await.expect("what we send is understood");
    let again = frame(&received).expect("a short message");
    assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(&sent));
    // Cut anywhere, it is no message.
    let cut = &sent[..sent.len() - 1];
    assert!(matches!(read::<M>(&mut incoming(cut, lengths)).await, Err(FrameError::Closed)));
}
