// SPDX-License-Identifier: Apache-2.0
//! Requests written by hand: no client would send most of these.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use ureq::http::{HeaderMap, HeaderName, HeaderValue};

use crate::contract::assert_documented;
use crate::form::Form;
use crate::server::{Answer, PATIENCE, Server};

/// A request, byte by byte.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    /// What the head claims, if not the truth.
    length: Length,
}

#[derive(Clone, Copy)]
enum Length {
    True,
    Claimed(usize),
    /// In chunks, without the last one.
    CutInChunks,
    /// There is no head: the body is all that is sent.
    NoHead,
}

impl Request {
    pub(super) fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: Vec::new(), length: Length::True }
    }

    /// Whatever these bytes are.
    pub(super) fn raw(bytes: impl AsRef<[u8]>) -> Vec<Self> {
        vec![Self { body: bytes.as_ref().to_vec(), length: Length::NoHead, ..Self::new("these bytes", "") }]
    }

    pub(super) fn get(path: impl Into<String>) -> Vec<Self> {
        vec![Self::new("GET", path)]
    }

    pub(super) fn post(path: impl Into<String>) -> Vec<Self> {
        vec![Self::new("POST", path)]
    }

    /// A change of the app that is there.
    pub(super) fn patch(body: impl AsRef<[u8]>) -> Vec<Self> {
        Self::json("PATCH", "/api/apps/there", body)
    }

    pub(super) fn json(method: &'static str, path: &str, body: impl AsRef<[u8]>) -> Vec<Self> {
        vec![Self::new(method, path).header("Content-Type", "application/json").body(body)]
    }

    /// A file of the app that is there.
    pub(super) fn put(path: &str, body: impl AsRef<[u8]>) -> Vec<Self> {
        vec![Self::new("PUT", format!("/api/apps/there/files/{path}")).body(body)]
    }

    /// The same upload as a new app and as a release of the one that is there.
    pub(super) fn upload(form: Form) -> Vec<Self> {
        let (kind, body) = form.finish();
        Self::upload_raw(&kind, body)
    }

    pub(super) fn upload_raw(kind: &str, body: impl AsRef<[u8]>) -> Vec<Self> {
        let sent = |path| Self::new("POST", path).header("Content-Type", kind).body(&body);
        vec![sent("/api/apps"), sent("/api/apps/there/releases")]
    }

    /// A bundle both ways.
    pub(super) fn bundle(archive: impl AsRef<[u8]>) -> Vec<Self> {
        Self::upload(Form::default().file("bundle", "app.zip", archive))
    }

    /// The two files both ways.
    pub(super) fn files(requirements: impl AsRef<[u8]>, script: impl AsRef<[u8]>) -> Vec<Self> {
        Self::upload(Form::default().file("requirements", "requirements.txt", requirements).file("app", "app.py", script))
    }

    pub(super) fn to(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    pub(super) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub(super) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        body.as_ref().clone_into(&mut self.body);
        self
    }

    /// Says that the body has another length than it has.
    pub(super) fn claiming(mut self, length: usize) -> Self {
        self.length = Length::Claimed(length);
        self
    }

    /// In chunks, the last of which never comes.
    pub(super) fn cut_in_chunks(mut self) -> Self {
        self.length = Length::CutInChunks;
        self
    }

    fn bytes(&self, host: &str) -> Vec<u8> {
        if let Length::NoHead = self.length {
            return self.body.clone();
        }
        let mut bytes = format!("{} {} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n", self.method, self.path).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend(name.as_bytes());
            bytes.extend(b": ");
            bytes.extend(value);
            bytes.extend(b"\r\n");
        }
        match self.length {
            Length::True => bytes.extend(format!("Content-Length: {}\r\n\r\n", self.body.len()).bytes()),
            Length::Claimed(length) => bytes.extend(format!("Content-Length: {length}\r\n\r\n").bytes()),
            Length::CutInChunks | Length::NoHead => bytes.extend(b"Transfer-Encoding: chunked\r\n\r\n"),
        }
        match self.length {
            Length::True | Length::Claimed(_) | Length::NoHead => bytes.extend(&self.body),
            Length::CutInChunks => {
                for chunk in self.body.chunks(1 << 16) {
                    bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
                    bytes.extend(chunk);
                    bytes.extend(b"\r\n");
                }
            }
        }
        bytes
    }

    /// Sends it; none where the server closed the connection without an answer.
    pub(super) fn send(&self, server: &Server) -> Option<Answer> {
        let address = server.address();
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let (bytes, mut sending) = (self.bytes(&address), stream.try_clone().unwrap());
        let is_cut = !matches!(self.length, Length::True);
        // The answer may come, and the connection end, while there is still more to send.
        let sender = std::thread::spawn(move || {
            let _ = sending.write_all(&bytes);
            if is_cut {
                let _ = sending.shutdown(Shutdown::Write);
            }
        });
        let mut answer = Vec::new();
        let mut buffer = [0; 1 << 14];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            answer.extend(&buffer[..count]);
        }
        drop(stream);
        sender.join().unwrap();
        let answer = parse(&answer)?;
        assert_documented(self.method, &self.path, &answer);
        Some(answer)
    }
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        headers.append(name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap());
    }
    let body = bytes[end + 4..].to_vec();
    if let Some(length) = headers.get("content-length") {
        assert_eq!(length.to_str().unwrap().parse(), Ok(body.len()), "the answer is cut");
    }
    Some(Answer { status, headers, body })
}
