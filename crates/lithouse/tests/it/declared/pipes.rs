// SPDX-License-Identifier: Apache-2.0
//! Pipes and devices in an app's folder where files are expected: whoever owns the folder can put them there.

use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, Mode, mkfifoat};

use super::lab::app;
use crate::server::Server;

fn pipe(path: &Path) {
    let _ = std::fs::remove_file(path);
    mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).unwrap();
}

#[track_caller]
fn assert_refused(server: &Server, app: &str, file: &Path) {
    let failed = server.wait_for_status(app, "failed");
    let reason = failed["reason"].as_str().unwrap();
    assert!(reason.contains(file.to_str().unwrap()) && reason.contains("it is not a regular file"), "{reason}");
    server.get("/health").expect(200);
}

#[test]
fn pipes_in_place_of_files_hold_up_nobody_and_the_app_says_why_it_cannot_run() {
    let server = Server::prepare_with_uv(&["apps"]);
    // More of them than the server has threads to stand at them.
    let keys: Vec<String> = (0..8).map(|number| format!("pipe{number}")).collect();
    for key in &keys {
        app(&server.of_folder(key), key);
        pipe(&server.of_folder(key).join("venv/pyvenv.cfg"));
    }
    app(&server.of_folder("endless"), "endless");
    let endless = server.of_folder("endless").join("venv/pyvenv.cfg");
    std::fs::remove_file(&endless).unwrap();
    symlink("/dev/zero", &endless).unwrap();
    app(&server.of_folder("good"), "all is well");
    let asked = ["requirements.txt", "pyproject.toml", "uv.lock"];
    for name in asked {
        let folder = server.of_folder(&name.replace('.', "-"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("app.py"), "").unwrap();
        pipe(&folder.join(name));
    }
    let included = server.of_folder("included");
    std::fs::create_dir_all(&included).unwrap();
    std::fs::write(included.join("app.py"), "").unwrap();
    std::fs::write(included.join("requirements.txt"), "-r more.txt\n").unwrap();
    pipe(&included.join("more.txt"));

    let server = server.up();
    server.wait_to_read("/apps/good/", "all is well");
    for key in &keys {
        assert_refused(&server, key, &server.of_folder(key).join("venv/pyvenv.cfg"));
    }
    assert_refused(&server, "endless", &endless);
    for name in asked {
        let key = name.replace('.', "-");
        assert_refused(&server, &key, &server.of_folder(&key).join(name));
    }
    assert_refused(&server, "included", &included.join("more.txt"));
    server.wait_to_read("/apps/good/", "all is well");
}
