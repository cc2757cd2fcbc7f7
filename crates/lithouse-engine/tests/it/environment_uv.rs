// SPDX-License-Identifier: Apache-2.0
//! uv is installed on first need: with pip, without it, from whatever index is configured.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use lithouse_engine::environment::Variables;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use zip::write::SimpleFileOptions;

use crate::environment::lab::{Lab, entries, python};

/// A package index on a loopback port.
pub(crate) struct Index {
    port: u16,
    status: Arc<AtomicU16>,
    served: Arc<AtomicUsize>,
}

/// A file of an index: its name, its bytes, and the digest that the index tells of it.
pub(crate) struct Wheel {
    name: String,
    bytes: Vec<u8>,
    digest: String,
}

impl Index {
    pub(crate) async fn start(wheels: Vec<Wheel>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let (status, served) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicUsize::new(0)));
        let mut answers = HashMap::new();
        for wheel in wheels {
            let package = wheel.name.split('-').next().unwrap_or_default().replace('_', "-");
            let page: &mut Vec<u8> = answers.entry(format!("/simple/{package}/")).or_default();
            let mut link = String::new();
            writeln!(link, "<a href=\"/files/{0}#sha256={1}\">{0}</a>", wheel.name, wheel.digest).expect("text");
            page.extend(link.into_bytes());
            answers.insert(format!("/files/{}", wheel.name), wheel.bytes);
        }
        let (answers, own_status, own_served) = (Arc::new(answers), Arc::clone(&status), Arc::clone(&served));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (answers, status, served) =
                    (Arc::clone(&answers), own_status.load(Ordering::SeqCst), Arc::clone(&own_served));
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    let mut buffer = [0; 4096];
                    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                        match stream.read(&mut buffer).await {
                            Ok(count) if count > 0 => request.extend_from_slice(&buffer[..count]),
                            _ => return,
                        }
                    }
                    let text = String::from_utf8_lossy(&request);
                    let path = text.split(' ').nth(1).unwrap_or_default();
                    let (status, body) = match answers.get(path) {
                        Some(body) if status == 200 => (200, body.as_slice()),
                        _ => (if status == 200 { 404 } else { status }, &[][..]),
                    };
                    if path.starts_with("/files/") && text.starts_with("GET") {
                        served.fetch_add(1, Ordering::SeqCst);
                    }
                    let kind = if path.starts_with("/files/") { "application/octet-stream" } else { "text/html" };
                    let head = format!(
                        "HTTP/1.1 {status} x\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                        body.len()
                    );
                    let _ = stream.write_all(head.as_bytes()).await;
                    if !text.starts_with("HEAD") {
                        let _ = stream.write_all(body).await;
                    }
                });
            }
        });
        Self { port, status, served }
    }

    pub(crate) fn refusing(self, status: u16) -> Self {
        self.status.store(status, Ordering::SeqCst);
        self
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/simple", self.port)
    }

    fn downloads(&self) -> usize {
        self.served.load(Ordering::SeqCst)
    }

    /// A pure wheel with these files.
    pub(crate) fn wheel(name: &str, version: &str, files: &[(&str, &str)]) -> Wheel {
        let info = format!("{name}-{version}.dist-info");
        let metadata = format!("Metadata-Version: 2.1\nName: {}\nVersion: {version}\n", name.replace('_', "-"));
        let wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
        let mut all: Vec<(String, &str)> = files.iter().map(|(path, text)| ((*path).to_owned(), *text)).collect();
        all.extend([
            (format!("{info}/METADATA"), metadata.as_str()),
            (format!("{info}/WHEEL"), wheel),
            (format!("{info}/RECORD"), ""),
        ]);
        Wheel::pack(&format!("{name}-{version}-py3-none-any.whl"), &all)
    }
}

impl Wheel {
    fn pack(name: &str, files: &[(String, &str)]) -> Self {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (path, text) in files {
            archive.start_file(path, SimpleFileOptions::default()).expect("a file");
            archive.write_all(text.as_bytes()).expect("its text");
        }
        let bytes = archive.finish().expect("an archive").into_inner();
        let digest = Sha256::digest(&bytes).iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        Self { name: name.to_owned(), bytes, digest }
    }

    /// A wheel that looks like uv's and holds a program that answers like it.
    fn of_uv(version: &str, platform: &str) -> Self {
        let program = format!("#!/bin/sh\necho 'uv {version}'\n");
        let metadata = format!("Metadata-Version: 2.1\nName: uv\nVersion: {version}\n");
        let files = [
            (format!("uv-{version}.data/scripts/uv"), program.as_str()),
            (format!("uv-{version}.dist-info/METADATA"), metadata.as_str()),
        ];
        Self::pack(&format!("uv-{version}-py3-none-{platform}.whl"), &files)
    }
}

fn platform() -> String {
    format!("manylinux_2_17_{0}.manylinux2014_{0}", std::env::consts::ARCH)
}

/// Runs the fetching script as a Python without pip would.
fn fetch_without_pip(into: &Path, variables: &[(&str, String)]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python/fetch_uv.py");
    let code = "import importlib.util, sys\n\
                find = importlib.util.find_spec\n\
                importlib.util.find_spec = lambda name, *rest: None if name in ('pip', 'ensurepip') else find(name, *rest)\n\
                source = open(sys.argv[1]).read()\n\
                sys.argv = sys.argv[1:]\n\
                exec(compile(source, 'fetch_uv.py', 'exec'))\n";
    let mut command = Command::new("python3");
    command.args(["-c", code]).arg(script).arg(into).env("PIP_CONFIG_FILE", "/dev/null").env_remove("PIP_FIND_LINKS");
    command.envs(variables.iter().map(|(name, value)| (name, value))).output().expect("Python")
}

fn version_of(uv: &Path) -> String {
    String::from_utf8_lossy(&Command::new(uv).arg("--version").output().expect("uv").stdout).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn uv_is_installed_once_on_first_need_and_builds_with_it() {
    let lab = Lab::new();
    let bare = lab.path("bare-bin");
    std::fs::create_dir(&bare).expect("a folder");
    let environments = lab.open_with(|settings| {
        settings.uv = None;
        settings.python = Some(which("python3"));
        settings.variables = Variables::ambient().with("PATH", &bare);
    });
    let sources = ["one", "two", "three"].map(|name| lab.source(name, &[("requirements.txt", "six")]));
    let built = futures_util::future::join_all(sources.iter().map(|source| lab.prepare(&environments, source))).await;
    for one in built {
        python(&one.expect("an environment"), "import six");
    }
    assert_eq!(entries(&lab.home.tools()), ["uv"]);
    let installs =
        ["one", "two", "three"].iter().filter(|name| lab.log_text(name).contains("installing one for Lithouse")).count();
    assert_eq!(installs, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_uv_that_fits_is_fetched_without_pip() {
    let old = Wheel::of_uv("0.9.2", &platform());
    let new = Wheel::of_uv("0.10.1", &platform());
    let index =
        Index::start(vec![old, new, Wheel::of_uv("0.11.0", "manylinux_2_17_mips64"), Wheel::of_uv("0.12.0", "win_amd64")]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let output = fetch_without_pip(folder.path(), &[("PIP_INDEX_URL", index.url())]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(version_of(&folder.path().join("uv")), "uv 0.10.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_uv_with_another_digest_than_the_index_says_is_refused() {
    let mut wheel = Wheel::of_uv("0.10.1", &platform());
    wheel.digest = "0".repeat(64);
    let index = Index::start(vec![wheel]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let output = fetch_without_pip(folder.path(), &[("UV_DEFAULT_INDEX", index.url())]);
    assert!(!output.status.success());
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("but the index says 0000"),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(index.downloads(), 1);
    assert!(!folder.path().join("uv").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_wheels_serves_a_machine_without_a_network() {
    let folder = tempfile::tempdir().expect("a folder");
    let wheel = Wheel::of_uv("0.10.7", &platform());
    let wheels = folder.path().join("wheels");
    std::fs::create_dir(&wheels).expect("a folder");
    std::fs::write(wheels.join(&wheel.name), &wheel.bytes).expect("a wheel");
    let settings = [("PIP_FIND_LINKS", wheels.display().to_string()), ("PIP_NO_INDEX", "1".to_owned())];
    let output = fetch_without_pip(folder.path(), &settings);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(version_of(&folder.path().join("uv")), "uv 0.10.7");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_way_to_uv_the_reason_names_what_was_tried() {
    let lab = Lab::new();
    let index = Index::start(Vec::new()).await;
    let bare = lab.path("bare-bin");
    std::fs::create_dir(&bare).expect("a folder");
    let environments = lab.open_with(|settings| {
        settings.uv = None;
        settings.python = Some(which("python3"));
        settings.variables =
            [("PATH", bare.display().to_string()), ("PIP_CONFIG_FILE", "/dev/null".into()), ("PIP_INDEX_URL", index.url())]
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect();
    });
    let error = lab.prepare(&environments, &lab.source("app", &[])).await.expect_err("no uv");
    let text = error.to_string();
    assert!(text.starts_with("uv is not available: ") && text.contains("404"), "{text}");
    assert!(lab.remains().is_empty(), "{:?}", lab.remains());
}

/// Where a Python really is, beyond any shim on the search path.
fn which(name: &str) -> std::path::PathBuf {
    let answer = Command::new(name).args(["-c", "import sys; print(sys.executable)"]).output().expect("Python");
    String::from_utf8_lossy(&answer.stdout).trim().into()
}
