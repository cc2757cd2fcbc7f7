// SPDX-License-Identifier: Apache-2.0
//! Files and logs of apps, over the API.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::memory::assert_needs_few;
use super::{BLOCK, Exchange, LARGE, around, length};
use crate::form::Form;
use crate::server::{HELLO, Server};

/// Makes a large file and the archives of a folder with it: half of the file cannot be compressed.
const PACK: &str = r"
import os, sys, tarfile, zipfile
os.chdir(sys.argv[1])
noise = os.urandom(1 << 19)
with open('large', 'wb') as file:
    for number in range(int(sys.argv[2]) >> 20):
        file.write(number.to_bytes(8, 'big') + noise[8:] + bytes(1 << 19))
with open('requirements.txt', 'w') as file:
    file.write('six\n')
with open('app.py', 'w') as file:
    file.write('print(1)\n')
for name, how in [('stored.zip', zipfile.ZIP_STORED), ('deflated.zip', zipfile.ZIP_DEFLATED)]:
    with zipfile.ZipFile(name, 'w', how, compresslevel=1) as archive:
        for part in ['requirements.txt', 'app.py', 'large']:
            archive.write(part)
for name, options in [('plain.tar', {'mode': 'w'}), ('packed.tar.gz', {'mode': 'w:gz', 'compresslevel': 1})]:
    with tarfile.open(name, **options) as archive:
        for part in ['requirements.txt', 'app.py', 'large']:
            archive.add(part)
";

fn upload(server: &Server, path: &str, archive: &Path) -> Value {
    let (kind, [before, after]) = around("bundle");
    let size = fs::metadata(archive).unwrap().len();
    let length = size + before.len() as u64 + after.len() as u64;
    let mut exchange = Exchange::begin(server, "POST", path, &kind, length);
    exchange.send(Cursor::new(before).chain(File::open(archive).unwrap()).chain(Cursor::new(after))).unwrap();
    serde_json::from_reader(exchange.expect(201)).unwrap()
}

/// Whether a body is what a file holds.
fn is_content_of(path: &Path, mut body: impl Read) -> bool {
    let mut file = BufReader::new(File::open(path).unwrap());
    let (mut wanted, mut given) = (vec![0; BLOCK], vec![0; BLOCK]);
    loop {
        let count = file.read(&mut wanted).unwrap();
        if count == 0 {
            return body.read(&mut given).unwrap() == 0;
        }
        if body.read_exact(&mut given[..count]).is_err() || given[..count] != wanted[..count] {
            return false;
        }
    }
}

#[test]
fn a_large_bundle_is_taken_and_its_files_are_given_without_being_in_memory() {
    let server = Server::start_without_environments();
    let folder: PathBuf = server.folder().join("large");
    fs::create_dir(&folder).unwrap();
    let packed = Command::new("python3").args(["-c", PACK]).arg(&folder).arg(LARGE.to_string()).status().unwrap();
    assert!(packed.success());
    let mut app = String::new();
    for name in ["stored.zip", "deflated.zip", "plain.tar", "packed.tar.gz"] {
        let archive = folder.join(name);
        let created = assert_needs_few(name, &server, || upload(&server, "/api/apps", &archive));
        created["app_id"].as_str().unwrap().clone_into(&mut app);
        let path = format!("/api/apps/{app}/files/large");
        let is_same =
            assert_needs_few(&path, &server, || is_content_of(&folder.join("large"), Exchange::get(&server, &path).expect(200)));
        assert!(is_same, "{name}: the file differs");
        if name != "packed.tar.gz" {
            server.delete(&format!("/api/apps/{app}")).expect(204);
        }
    }
    assert_needs_few("a release", &server, || upload(&server, &format!("/api/apps/{app}/releases"), &folder.join("stored.zip")));
    let most = 64 << 20;
    assert_needs_few("an edit", &server, || {
        let mut exchange =
            Exchange::begin(&server, "PUT", &format!("/api/apps/{app}/files/edit"), "application/octet-stream", most);
        exchange.send(File::open(folder.join("large")).unwrap().take(most)).unwrap();
        exchange.expect(201);
    });
    assert_eq!(length(Exchange::get(&server, &format!("/api/apps/{app}/files/edit")).expect(200)), most);
}

#[test]
fn a_large_log_is_given_whole_without_being_in_memory() {
    let server = Server::start_without_environments();
    let app = server.create(Form::app("six\n", HELLO).text("key", "wordy"));
    // Its build would write beside what is looked at.
    server.post(&format!("/api/apps/{app}/stop")).expect(200);
    server.wait_for_status(&app, "stopped");
    let logs = server.data().join("logs");
    let line = format!("2026-11-20T07:43:19.123Z out | {}\n", "é".repeat(100));
    let lines = (100 << 20) / line.len();
    // Older files end where they were full, one of them within a line; the newest goes on.
    for (name, count, end) in
        [("wordy.log.2", lines / 2, "half"), ("wordy.log.1", lines - lines / 2, ""), ("wordy.log", 1, "half")]
    {
        let mut file = BufWriter::new(File::create(logs.join(name)).unwrap());
        for _ in 0..count {
            file.write_all(line.as_bytes()).unwrap();
        }
        file.write_all(end.as_bytes()).unwrap();
    }
    let whole = (lines + 1) * line.len() + "half\n".len() + "half".len();
    let path = "/api/apps/wordy/logs?tail=10000000";
    let told = assert_needs_few(path, &server, || {
        // Its length is not known before, so it comes in chunks: what is between them does not count.
        let agent = ureq::agent();
        let mut text = agent.get(server.url(path)).call().unwrap().into_body().into_reader();
        length(&mut text)
    });
    assert_eq!(told, whole as u64);
    let path = format!("{path}&follow=true");
    let followed = assert_needs_few(&path, &server, || {
        let agent = ureq::agent();
        let events = agent.get(server.url(&path)).call().unwrap().into_body().into_reader();
        length(events.take(whole as u64))
    });
    assert_eq!(followed, whole as u64);
}
