// SPDX-License-Identifier: Apache-2.0
//! The other side of the table: input that looks odd, is good, and must be taken.

use lithouse_testkit::forge::{self, ZipEntry, tar_entry, tar_file};
use serde_json::json;

use super::lab::SCRIPT;
use crate::form::Form;
use crate::server::{STREAMLIT, Server};

fn bundle(archive: Vec<u8>) -> Form {
    Form::default().file("bundle", "app.rar", archive)
}

fn files(server: &Server, app: &str) -> Vec<String> {
    let files = server.get(&format!("/api/apps/{app}/files")).expect(200).json();
    files["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn scripts_and_requirements_of_every_editor_are_taken() {
    let server = Server::prepare(&["--uv", "/bin/false"]).up();
    let scripts: [&[u8]; 6] = [
        b"\xef\xbb\xbfimport streamlit as st\r\nst.write('caf\xc3\xa9')\r\n",
        b"# -*- coding: latin-1 -*-\nx = 'caf\xe9'\n",
        b"# coding: shift_jis\nx = '\x83\x5c'\n",
        b"# nothing but a remark",
        b"\n",
        b"match 1:\n    case 1:\n        pass\n",
    ];
    for script in scripts {
        let form = Form::default().file("requirements", "requirements.txt", "six\n").file("app", "app.py", script);
        let app = server.create(form);
        assert_eq!(server.get(&format!("/api/apps/{app}/files/app.py")).expect(200).body, script);
    }
    for requirements in
        ["", "# nothing\r\n", "\u{feff}six\r\nidna ; python_version < '3'\r\n", "-e git+https://host.invalid/x.git#egg=x\n"]
    {
        let app = server.create(Form::app(requirements, SCRIPT));
        assert_eq!(server.get(&format!("/api/apps/{app}/files/requirements.txt")).expect(200).text(), requirements);
    }
}

#[test]
fn archives_of_every_tool_are_taken() {
    let server = Server::prepare(&["--uv", "/bin/false"]).up();
    let plain = |name: &str| ZipEntry::file(name, SCRIPT);
    let long = format!("{}/{}.py", "folder".repeat(20), "name".repeat(20));
    let taken: [(Vec<u8>, &[&str]); 7] = [
        (forge::zip(&[plain("app.py")]), &["app.py"]),
        (forge::zip(&[plain("app-main/app.py"), plain("app-main/lib/x.py")]), &["app.py", "lib/x.py"]),
        (forge::zip(&[plain("app.py"), plain("__MACOSX/._app.py"), plain(".DS_Store"), plain("App.PY")]), &["App.PY", "app.py"]),
        (
            forge::zip(&[plain("app.py"), plain("caf\u{e9}.py"), plain("cafe\u{301}.py")]),
            &["app.py", "cafe\u{301}.py", "caf\u{e9}.py"],
        ),
        (forge::gz(&forge::tar(&[tar_file("./app.py", SCRIPT)])), &["app.py"]),
        (
            forge::tar(&[
                tar_file("app.py", SCRIPT),
                tar_entry("././@LongLink", b'L', format!("{long}\0").as_bytes(), ""),
                tar_file("short.py", "x"),
            ]),
            &["app.py", &long],
        ),
        (
            forge::zip(&[plain("app.py"), plain("releases/1/meta.json"), plain("run.log"), plain("state/x")]),
            &["app.py", "releases/1/meta.json", "run.log", "state/x"],
        ),
    ];
    for (archive, names) in taken {
        let app = server.create(bundle(archive));
        assert_eq!(files(&server, &app), names);
    }
}

#[test]
fn json_with_a_mark_of_the_byte_order_and_another_type_of_json_is_taken() {
    let server = Server::prepare(&["--uv", "/bin/false"]).up();
    let app = server.create(Form::app("six\n", SCRIPT));
    let path = format!("/api/apps/{app}");
    assert_eq!(server.patch_with(&path, "\u{feff}{\"name\": \"x\"}\r\n").expect(200).json()["name"], "x");
    assert_eq!(server.patch(&path, &json!({"name": "y", "description": null})).expect(200).json()["name"], "y");
}

#[test]
fn a_script_in_an_old_coding_and_requirements_of_windows_become_a_running_app() {
    let server = Server::start();
    let script = b"# -*- coding: latin-1 -*-\r\nimport streamlit as st\r\nst.write('caf\xe9')\r\n";
    let requirements = STREAMLIT.replace('\n', "\r\n");
    let app = server.create(Form::default().file("requirements", "requirements.txt", requirements).file("app", "app.py", script));
    let running = server.wait_for_status(&app, "running");
    assert_eq!(running["reason"], json!(null));
}
