// SPDX-License-Identifier: Apache-2.0
//! Apps that are there at once: their `venv` holds a small program that answers like a Streamlit app, and tells its `app.py`.

use std::path::{Path, PathBuf};
use std::process::Output;

use lithouse_testkit::put_program;
use serde_json::Value;

use crate::server::Server;

/// It listens on the listener that it was started with. `app.py` is read once, as an interpreter would.
const PYTHON: &str = r#"#!/usr/bin/env -S python3 -SE
import os, socket, sys
text = open(sys.argv[3]).read()
if text.startswith("exit"):
    sys.exit(3)
listener = socket.socket(fileno=0)
while True:
    visitor, _ = listener.accept()
    asked = visitor.recv(65536).split(b" ")
    body = b"ok" if len(asked) > 1 and asked[1].endswith(b"/_stcore/health") else (text + " at " + asked[1].decode()).encode()
    visitor.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    visitor.close()
"#;

/// A `venv` with that program in it.
pub(super) fn venv(folder: &Path) -> PathBuf {
    let venv = folder.join("venv");
    std::fs::create_dir_all(venv.join("bin")).unwrap();
    // Whether that program has Streamlit is its own affair.
    std::fs::write(venv.join("pyvenv.cfg"), "include-system-site-packages = true\n").unwrap();
    let python = venv.join("bin/python");
    put_program(&python, PYTHON);
    venv
}

/// A folder with an app in it that answers with `text`.
pub(super) fn app(folder: &Path, text: &str) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("app.py"), text).unwrap();
    venv(folder);
    folder.to_owned()
}

impl Server {
    /// The folder of an app in `./apps`.
    pub(super) fn of_folder(&self, key: &str) -> PathBuf {
        self.folder().join("apps").join(key)
    }

    /// A file beside the data folder.
    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.folder().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        // At once, as editors do: who watches must not meet half of it.
        let new = self.folder().join("file-in-the-making");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, path).unwrap();
    }

    /// Runs `lithouse` with these arguments.
    pub(crate) fn lithouse(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    /// `lithouse refresh`, and what came of it.
    #[track_caller]
    pub(super) fn refresh(&self) -> Value {
        let done = self.lithouse(&["refresh", "--json"]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        serde_json::from_slice(&done.stdout).unwrap()
    }

    /// The app's own process, once it runs.
    #[track_caller]
    pub(super) fn pid_of(&self, app: &str) -> u64 {
        self.wait_for_status(app, "running")["pid"].as_u64().unwrap()
    }

    /// What a visitor reads, once it is that.
    #[track_caller]
    pub(super) fn wait_to_read(&self, path: &str, text: &str) {
        lithouse_testkit::wait_until_blocking(&format!("`{path}` reads `{text}`"), crate::server::PATIENCE, || {
            let read = self.get(path).text();
            if read.contains(text) { Ok(()) } else { Err(read) }
        });
    }
}

/// Names in a list of the outcome.
#[track_caller]
pub(super) fn keys(refreshed: &Value, list: &str) -> Vec<String> {
    let list = refreshed[list].as_array().unwrap_or_else(|| panic!("no `{list}`: {refreshed}"));
    list.iter().map(|key| key.as_str().unwrap_or_else(|| key["name"].as_str().unwrap()).to_owned()).collect()
}

/// The outcome of a refresh that found nothing to do, for so many apps.
#[track_caller]
pub(super) fn assert_nothing_done(refreshed: &Value, unchanged: u64) {
    for list in ["added", "changed", "restarted", "removed", "started", "passed_over"] {
        assert_eq!(keys(refreshed, list), [""; 0], "{list}: {refreshed}");
    }
    assert_eq!(refreshed["unchanged"], unchanged, "{refreshed}");
}
