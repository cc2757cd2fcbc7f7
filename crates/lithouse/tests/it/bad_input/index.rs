// SPDX-License-Identifier: Apache-2.0
//! A package index on a loopback port, honest or not, with wheels made by hand.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use lithouse_testkit::forge::{self, ZipEntry};
use sha2::{Digest, Sha256};

/// What the index does when it is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Honest,
    /// Answers everything with this status.
    Refusing(u16),
    /// Accepts connections and never says a word.
    Silent,
    /// Answers with the page of some portal.
    Garbage,
    /// Gives half of each file.
    Truncating,
    /// Tells digests that are not those of the files.
    Misleading,
}

pub(super) struct Index {
    port: u16,
}

/// A file of the index.
pub(super) struct Wheel {
    name: String,
    bytes: Vec<u8>,
    requires_python: &'static str,
}

impl Wheel {
    /// A wheel for every Python.
    pub(super) fn pure(name: &str, version: &str, requires: &str) -> Self {
        Self::tagged(name, version, requires, "py3-none-any", "")
    }

    pub(super) fn tagged(name: &str, version: &str, requires: &str, tag: &str, requires_python: &'static str) -> Self {
        let info = format!("{name}-{version}.dist-info");
        let mut metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
        if !requires.is_empty() {
            writeln!(metadata, "Requires-Dist: {requires}").unwrap();
        }
        if !requires_python.is_empty() {
            writeln!(metadata, "Requires-Python: {requires_python}").unwrap();
        }
        let wheel = format!("Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n");
        let entries = [
            ZipEntry::file(&format!("{name}.py"), "X = 1\n"),
            ZipEntry::file(&format!("{info}/METADATA"), &metadata),
            ZipEntry::file(&format!("{info}/WHEEL"), &wheel),
            ZipEntry::file(&format!("{info}/RECORD"), ""),
        ];
        Self { name: format!("{name}-{version}-{tag}.whl"), bytes: forge::zip(&entries), requires_python }
    }
}

impl Index {
    /// An index with these files, and with what every app needs besides.
    pub(super) fn start(manner: Manner, wheels: Vec<Wheel>) -> Self {
        let mut answers: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for wheel in wheels.into_iter().chain([Wheel::pure("streamlit", "1.0", "")]) {
            let package = wheel.name.split('-').next().unwrap();
            let digest = match manner {
                Manner::Misleading => "0".repeat(64),
                _ => Sha256::digest(&wheel.bytes).iter().fold(String::new(), |mut text, byte| {
                    write!(text, "{byte:02x}").unwrap();
                    text
                }),
            };
            let python = wheel.requires_python.replace('>', "&gt;");
            let link = format!("<a href=\"/files/{0}#sha256={digest}\" data-requires-python=\"{python}\">{0}</a>\n", wheel.name);
            answers.entry(format!("/simple/{package}/")).or_default().extend(link.bytes());
            answers.insert(format!("/files/{}", wheel.name), wheel.bytes);
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers = Arc::new(answers);
        // Both threads end with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answers = Arc::clone(&answers);
                std::thread::spawn(move || answer(stream, manner, &answers));
            }
        });
        Self { port }
    }

    /// Requirements that take everything from here.
    pub(super) fn requirements(&self, lines: &str) -> String {
        format!("--index-url http://127.0.0.1:{}/simple\n{lines}", self.port)
    }
}

/// Says one answer; what goes wrong with the connection shows at the other end.
fn answer(mut stream: TcpStream, manner: Manner, answers: &BTreeMap<String, Vec<u8>>) {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(count @ 1..) => request.extend(&buffer[..count]),
            _ => return,
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let is_file = path.starts_with("/files/");
    let (status, body) = match (manner, answers.get(path)) {
        (Manner::Silent, _) => {
            // Until the other side gives up.
            let _ = stream.read(&mut buffer);
            return;
        }
        (Manner::Refusing(status), _) => (status, Vec::new()),
        (Manner::Garbage, _) => (200, b"<html><body>Please sign in to the guest network</body></html>".to_vec()),
        (_, None) => (404, Vec::new()),
        (_, Some(body)) => (200, body.clone()),
    };
    let kind = if is_file { "application/octet-stream" } else { "text/html" };
    let sent = if manner == Manner::Truncating && is_file { &body[..body.len() / 2] } else { &body[..] };
    let head =
        format!("HTTP/1.1 {status} x\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes());
    if !request.starts_with("HEAD") {
        let _ = stream.write_all(sent);
    }
}
