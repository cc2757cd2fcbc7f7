// SPDX-License-Identifier: Apache-2.0
//! Clients of one app that never rest: a browser's session, somebody who follows the log, somebody who asks. When the server dies
//! they are cut off, and try again until it is back.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use lithouse_testkit::wait_until_blocking;
use tokio_tungstenite::tungstenite::client::{IntoClientRequest, client};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::Message;

use crate::server::{PATIENCE, Server};

/// An app that shows something and prints numbered lines for ever, as fast as apps do that print all the time.
pub(super) const COUNTING: &str = r"
import streamlit as st, sys, threading, time
st.write('x')
if not hasattr(sys, 'counting'):
    sys.counting = True
    def count():
        for number in range(100000000):
            print('line', number)
            time.sleep(0.005)  # Its pace.
    threading.Thread(target=count, daemon=True).start()
";

/// `BackMsg { rerun_script: ClientState {} }`: run the page, as a browser asks first.
const RERUN_SCRIPT: &[u8] = &[0x5a, 0x00];
/// A client that hears nothing for so long has been forgotten by the server.
const FORGOTTEN: Duration = PATIENCE;
const PAUSE: Duration = Duration::from_millis(20);

/// Ends its clients when it is dropped.
pub(super) struct Clients {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    app: String,
    /// Where the server listens, while it does.
    address: Mutex<Option<String>>,
    is_over: AtomicBool,
    /// Messages that sessions got since the address was told.
    shown: AtomicU64,
    /// Lines that were followed since the address was told.
    lines: AtomicU64,
    /// Answers that were given since the address was told.
    answers: AtomicU64,
    /// How many clients are connected.
    connected: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

impl Clients {
    /// Clients of this app; they connect once they are told where.
    pub(super) fn of(app: &str) -> Self {
        let shared = Arc::new(Shared { app: app.to_owned(), ..Shared::default() });
        let threads = [Shared::session, Shared::follower, Shared::visitor].map(|client| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                while !shared.is_over.load(Ordering::Relaxed) {
                    let address = shared.address.lock().unwrap().clone();
                    if let Some(address) = address {
                        client(&shared, &address);
                    }
                    std::thread::sleep(PAUSE); // Between two attempts, as clients do.
                }
            })
        });
        Self { shared, threads: threads.into() }
    }

    /// Tells them that the server is here now.
    pub(super) fn come_to(&self, server: &Server) {
        for count in [&self.shared.shown, &self.shared.lines, &self.shared.answers] {
            count.store(0, Ordering::Relaxed);
        }
        *self.shared.address.lock().unwrap() = Some(server.address());
    }

    /// Waits until all of them have what they came for.
    pub(super) fn wait_until_served(&self) {
        wait_until_blocking("the clients are served", PATIENCE, || {
            self.check();
            let counts =
                [&self.shared.shown, &self.shared.lines, &self.shared.answers].map(|count| count.load(Ordering::Relaxed));
            if counts.iter().all(|count| *count > 0) { Ok(()) } else { Err(counts) }
        });
    }

    /// After the server has died: every client was told by the end of its connection.
    pub(super) fn wait_until_cut_off(&self) {
        *self.shared.address.lock().unwrap() = None;
        wait_until_blocking("the clients are cut off", PATIENCE, || {
            let connected = self.shared.connected.load(Ordering::Relaxed);
            if connected == 0 { Ok(()) } else { Err(connected) }
        });
    }

    /// Nobody got a wrong answer.
    #[track_caller]
    pub(super) fn check(&self) {
        let wrong = self.shared.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        *self.shared.address.lock().unwrap() = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Counts a client as connected as long as it lives.
struct Connected<'a>(&'a AtomicU64);

impl<'a> Connected<'a> {
    fn new(count: &'a AtomicU64) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Connected<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    fn is_wrong(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }

    fn connect(&self, address: &str) -> Option<(TcpStream, Connected<'_>)> {
        let connected = Connected::new(&self.connected);
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(FORGOTTEN)).unwrap();
        Some((stream, connected))
    }

    /// Whether a client should go on waiting on its connection.
    fn is_here(&self, address: &str) -> bool {
        !self.is_over.load(Ordering::Relaxed) && self.address.lock().unwrap().as_deref().is_none_or(|here| here == address)
    }

    fn session(&self, address: &str) {
        let Some((stream, _connected)) = self.connect(address) else { return };
        // Short, so that the end of the test is not waited for; what counts is what the connection tells.
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let url = format!("ws://{address}/apps/{}/_stcore/stream", self.app);
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("streamlit"));
        let mut socket = match client(request, stream) {
            Ok((socket, _)) => socket,
            Err(error) => {
                if error.to_string().contains("HTTP error") {
                    self.is_wrong(format!("a session was refused: {error}"));
                }
                return;
            }
        };
        if socket.send(Message::Binary(RERUN_SCRIPT.into())).is_err() {
            return;
        }
        while self.is_here(address) {
            match socket.read() {
                Ok(Message::Close(_)) => return,
                Ok(Message::Binary(_)) => drop(self.shown.fetch_add(1, Ordering::Relaxed)),
                Ok(_) => {}
                Err(error) if is_timeout(&error.to_string()) => {}
                Err(_) => return,
            }
        }
    }

    fn follower(&self, address: &str) {
        let Some((mut stream, _connected)) = self.connect(address) else { return };
        let path = format!("/api/apps/{}/logs?follow=true&tail=20", self.app);
        let Ok(()) = write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n") else { return };
        let mut last = None;
        // The lines of the log stand whole in the body's chunks, between lines that are of HTTP.
        for line in BufReader::new(stream).lines() {
            let line = match line {
                Ok(line) => line,
                Err(error) if is_timeout(&error.to_string()) => return self.is_wrong("a follower was forgotten".to_owned()),
                Err(_) => return,
            };
            if line.starts_with("HTTP/1.1 ") && !line.contains("200") {
                return self.is_wrong(format!("a follower was refused: {line}"));
            }
            let Some(number) = number_in(&line) else { continue };
            if last.is_some_and(|last: u64| last + 1 != number) {
                return self.is_wrong(format!("line {number} was followed after {last:?}"));
            }
            last = Some(number);
            self.lines.fetch_add(1, Ordering::Relaxed);
            if !self.is_here(address) {
                return;
            }
        }
    }

    fn visitor(&self, address: &str) {
        let Some((mut stream, _connected)) = self.connect(address) else { return };
        let path = format!("/apps/{}/_stcore/health", self.app);
        let mut answer = String::new();
        let asked = write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        match asked.and_then(|()| stream.read_to_string(&mut answer)) {
            Err(error) if is_timeout(&error.to_string()) => self.is_wrong("a visitor was forgotten".to_owned()),
            // Cut off.
            Err(_) => {}
            Ok(_) if answer.is_empty() => {}
            Ok(_) if answer.starts_with("HTTP/1.1 200 ") => drop(self.answers.fetch_add(1, Ordering::Relaxed)),
            Ok(_) => self.is_wrong(format!("a visitor was answered {answer}")),
        }
    }
}

fn is_timeout(error: &str) -> bool {
    error.contains("os error 11") || error.contains("timed out")
}

/// The number of a line that [`COUNTING`] has printed.
pub(super) fn number_in(line: &str) -> Option<u64> {
    line.split_once(" out | line ")?.1.trim_end().parse().ok()
}
