// SPDX-License-Identifier: Apache-2.0
//! What holds of every form that is uploaded, however its bytes arrive.
#![expect(clippy::expect_used, reason = "a target fails by panicking, and what it works with must be there")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use axum::body::{Body, Bytes};
use axum::extract::FromRequest;
use futures_util::stream;
use http::Request;

use super::upload::{self, Form, Purpose};

/// What came of a form.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    Files { files: BTreeMap<PathBuf, Vec<u8>>, key: Option<String>, name: Option<String>, description: Option<String> },
    Refused { status: u16, detail: String },
}

/// Receives a form: the first byte says for what, the next seven how its bytes are cut, and the rest is its body, whose first line
/// gives the boundary.
pub(crate) fn multipart(input: &[u8]) {
    let (head, body) = input.split_at(input.len().min(8));
    let purpose = if head.first().is_none_or(|byte| byte % 2 == 1) { Purpose::NewApp } else { Purpose::Release };
    let first = body.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let boundary = first.strip_prefix(b"--").unwrap_or(b"boundary");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let whole = received(boundary, vec![Bytes::copy_from_slice(body)], purpose).await;
        let in_pieces = received(boundary, pieces(body, head), purpose).await;
        assert_eq!(in_pieces, whole);
    });
}

fn pieces(body: &[u8], lengths: &[u8]) -> Vec<Bytes> {
    let mut lengths = lengths.iter().skip(1).map(|length| usize::from(*length)).cycle();
    let (mut pieces, mut rest) = (Vec::new(), body);
    while !rest.is_empty() {
        let (piece, further) = rest.split_at((lengths.next().unwrap_or(16) % 64 + 1).min(rest.len()));
        pieces.push(Bytes::copy_from_slice(piece));
        rest = further;
    }
    pieces
}

async fn received(boundary: &[u8], pieces: Vec<Bytes>, purpose: Purpose) -> Option<Taken> {
    let lab = lab();
    let folder = lab.path().join("upload");
    let content_type = [b"multipart/form-data; boundary=", boundary].concat();
    let body = Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>)));
    let request = Request::post("/api/apps").header("content-type", content_type).body(body).ok()?;
    let form = Form::from_request(request, &()).await.ok()?;
    let taken = match upload::receive_into(folder.clone(), form, purpose).await {
        Ok(upload) => {
            let mut files = BTreeMap::new();
            read(upload.files(), &mut files);
            assert!(!files.is_empty());
            let key = upload.key.as_ref().map(ToString::to_string);
            Taken::Files { files, key, name: upload.name.clone(), description: upload.description.clone() }
        }
        Err(problem) => {
            let document = serde_json::to_value(problem.document("")).expect("a problem is JSON");
            let status = document["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or_default();
            assert!((400..500).contains(&status), "{document}");
            Taken::Refused { status, detail: document["detail"].to_string() }
        }
    };
    assert!(!folder.exists(), "{taken:?} has left its folder");
    Some(taken)
}

fn read(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let facts = path.symlink_metadata().expect("it is there");
        if facts.is_dir() {
            read(&path, files);
        } else {
            assert!(facts.is_file(), "{} is no file", path.display());
            let content = std::fs::read(&path).expect("a file");
            let name = path.strip_prefix(folder).expect("it is beneath").to_owned();
            files.insert(folder.file_name().map_or_else(PathBuf::new, PathBuf::from).join(name), content);
        }
    }
}

/// A folder that costs no disk, where there is one.
fn lab() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a folder to work in")
}
