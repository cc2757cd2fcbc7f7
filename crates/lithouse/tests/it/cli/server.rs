// SPDX-License-Identifier: Apache-2.0
//! A server that says what the test wants it to say, and remembers what it was asked.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinHandle;

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// Method, path and query: `GET /api/apps`.
    pub(super) line: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The fields of a form; a file is there as the names of what its archive holds.
    pub(super) async fn form(&self) -> HashMap<String, String> {
        use axum::extract::FromRequest;
        let mut request = Request::new(Body::from(self.body.clone()));
        *request.headers_mut() = self.headers.clone();
        let mut form = axum::extract::Multipart::from_request(request, &()).await.unwrap();
        let mut fields = HashMap::new();
        while let Some(field) = form.next_field().await.unwrap() {
            let (name, is_file) = (field.name().unwrap().to_owned(), field.file_name().is_some());
            let bytes = field.bytes().await.unwrap();
            let text = if is_file { archive_names(&bytes) } else { String::from_utf8(bytes.to_vec()).unwrap() };
            fields.insert(name, text);
        }
        fields
    }
}

fn archive_names(bytes: &[u8]) -> String {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes));
    let names = archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string());
    names.collect::<Vec<_>>().join(" ")
}

/// One answer.
pub(super) type Answer = Response<Body>;

/// JSON with a status.
pub(super) fn answer(status: u16, body: &Value) -> Answer {
    let kind = if status < 400 { "application/json" } else { "application/problem+json" };
    typed(status, kind, Body::from(body.to_string()))
}

/// Any body of any kind.
pub(super) fn typed(status: u16, kind: &str, body: Body) -> Answer {
    Response::builder().status(status).header("content-type", kind).body(body).unwrap()
}

/// A problem.
pub(super) fn problem(status: u16, code: &str, detail: &str) -> Answer {
    let title = StatusCode::from_u16(status).unwrap();
    let title = title.canonical_reason().unwrap();
    answer(
        status,
        &json!({"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail, "request_id": "4f3a"}),
    )
}

/// What follows the events of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    End,
    HangUp,
    Stay,
}

/// Log lines as events.
pub(super) fn events(lines: &[&str], then: Then) -> Answer {
    let mut pieces = vec![Ok(Bytes::from(": hello\n\n"))];
    pieces.extend(lines.iter().map(|line| Ok(Bytes::from(format!("data: {line}\n\n")))));
    if then == Then::HangUp {
        pieces.push(Err(io::Error::other("hang up")));
    }
    // Each piece leaves by itself, as from a log that is being written.
    let pieces = stream::iter(pieces).then(|piece| async {
        tokio::task::yield_now().await;
        piece
    });
    let body = match then {
        Then::Stay => Body::from_stream(pieces.chain(stream::pending())),
        Then::End | Then::HangUp => Body::from_stream(pieces),
    };
    typed(200, "text/event-stream", body)
}

/// A log: as events where it is followed, else its lines.
pub(super) fn log(asked: &Asked, lines: &[&str], then: Then) -> Answer {
    if asked.line.contains("follow=true") {
        return events(lines, then);
    }
    let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
    typed(200, "text/plain; charset=utf-8", text.into())
}

/// A running server; it ends when it is dropped.
pub(super) struct Server {
    folder: TempDir,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
    pub(super) port: Option<u16>,
}

impl Server {
    /// Answers on the control socket of a data folder of its own.
    pub(super) fn new(answering: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("control.sock")).unwrap();
        let asked = Arc::default();
        let talk = Talk { answering: Arc::new(answering), asked: Arc::clone(&asked) };
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk.clone().over(TokioIo::new(stream)));
            }
        });
        Self { folder, asked, task, port: None }
    }

    /// Answers on a port of the loopback.
    pub(super) async fn on_port(answering: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = Some(listener.local_addr().unwrap().port());
        let asked = Arc::default();
        let talk = Talk { answering: Arc::new(answering), asked: Arc::clone(&asked) };
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk.clone().over(TokioIo::new(stream)));
            }
        });
        Self { folder, asked, task, port }
    }

    /// Its data folder.
    pub(super) fn data(&self) -> &Path {
        self.folder.path()
    }

    /// What it was asked, in order: method, path and query.
    pub(super) fn lines(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|asked| asked.line.clone()).collect()
    }

    /// The last request of that line.
    #[track_caller]
    pub(super) fn asked(&self, line: &str) -> Asked {
        let asked = self.asked.lock().unwrap();
        let found = asked.iter().rfind(|asked| asked.line == line);
        found.cloned().unwrap_or_else(|| panic!("never asked `{line}`"))
    }

    /// Runs the binary against it.
    pub(super) async fn run(&self, arguments: &str) -> super::binary::Run {
        super::binary::run(super::binary::lithouse_of(self.data(), arguments)).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Talk {
    answering: Arc<dyn Fn(&Asked) -> Answer + Send + Sync>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Talk {
    async fn over<S>(self, stream: TokioIo<S>)
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let talk = self.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
                let asked = Asked { line: format!("{} {}", head.method, head.uri), headers: head.headers, body };
                talk.asked.lock().unwrap().push(asked.clone());
                Ok::<_, Infallible>((talk.answering)(&asked))
            }
        });
        // A client that goes away is no matter.
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await;
    }
}

/// Something that is on the socket and does not speak HTTP, or not at all.
pub(super) struct Stranger {
    folder: TempDir,
    task: JoinHandle<()>,
}

impl Stranger {
    /// For each connection reads a little, writes the next of these answers (the last one again and again) and hangs up;
    /// without answers it stays silent.
    pub(super) fn new(answers: &'static [&'static [u8]]) -> Self {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("control.sock")).unwrap();
        let task = tokio::spawn(async move {
            let mut held = Vec::new();
            let mut turn = 0;
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 4096]).await;
                if let Some(bytes) = answers.get(turn).or(answers.last()) {
                    let _ = stream.write_all(bytes).await;
                    turn += 1;
                } else {
                    held.push(stream);
                }
            }
        });
        Self { folder, task }
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An app resource.
pub(super) fn app(key: &str, status: &str) -> Value {
    let is_running = status == "running";
    json!({
        "app_id": "a7c1e0f2b9f84a62", "key": key, "name": "Sales", "description": "What was sold", "url": null,
        "access_url": format!("http://127.0.0.1:8080/apps/{key}/"), "status": status, "reason": null, "reason_log": [],
        "port": is_running.then_some(8501), "pid": is_running.then_some(4242), "release": 1, "restarts": 0,
        "restart_on_crash": true, "created_at": "2026-01-02T03:04:05Z",
        // Ahead of every clock, so that ages are told as `0 s`.
        "started_at": is_running.then_some("2999-01-01T00:00:00Z"), "last_used_at": null,
        "memory": is_running.then_some(36_700_160), "cpu": is_running.then_some(0.125),
    })
}

/// The same with other values.
pub(super) fn with(mut resource: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        resource[name] = value.clone();
    }
    resource
}

/// A release resource.
pub(super) fn release(number: u32, state: &str, active: bool) -> Value {
    json!({
        "release": number, "state": state, "active": active, "reason": null, "entry": "app.py",
        "created_at": "2026-01-02T03:04:05Z",
    })
}

/// A list of releases.
pub(super) fn releases(list: &[Value]) -> Answer {
    answer(200, &json!({ "releases": list, "next": null }))
}
