// SPDX-License-Identifier: Apache-2.0
//! One Streamlit environment for all tests, and one for snippets: built once by the product itself, then linked into each test's data
//! folder, so that tests spend their time on what they claim. Building for real, and fetching uv, is tested where that is the claim.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use lithouse_testkit::{put_program, wait_until_blocking};
use serde_json::json;

use crate::form::Form;
use crate::server::{PATIENCE, STREAMLIT, Server};

fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("envs-of-tests-1")
}

/// The uv that the product installed for itself when it built the environment; none where the machine has one.
pub(crate) fn uv() -> Option<PathBuf> {
    let cache = cache();
    build_once(&cache);
    Some(cache.join("uv")).filter(|uv| uv.is_file())
}

/// Makes a virtual environment as a person would, which finds the packages of the shared one.
pub(crate) fn venv_at(venv: &Path) {
    let cache = cache();
    build_once(&cache);
    let entries = fs::read_dir(&cache).unwrap().flatten().map(|entry| entry.path());
    let shared = entries.into_iter().find(|path| path.join("bin/python").exists()).unwrap();
    let made = Command::new(shared.join("bin/python")).args(["-m", "venv", "--without-pip"]).arg(venv).status().unwrap();
    assert!(made.success(), "a virtual environment could not be made");
    let packages = |environment: &Path| {
        let python = fs::read_dir(environment.join("lib")).unwrap().flatten().next().unwrap().path();
        python.join("site-packages")
    };
    fs::write(packages(venv).join("shared.pth"), format!("{}\n", packages(&shared).display())).unwrap();
}

/// Puts the built environment into the data folder of a server that has no app yet.
pub(crate) fn link_into(data: &Path) {
    let cache = cache();
    build_once(&cache);
    let envs = data.join("envs");
    fs::create_dir_all(&envs).unwrap();
    for environment in fs::read_dir(&cache).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        let copied = Command::new("cp").arg("-al").arg(environment.path()).arg(&envs).status().unwrap();
        assert!(copied.success(), "the environment could not be linked");
    }
}

/// Makes a data folder one that has used snippets before, ahead of its server's start.
pub(crate) fn put_snippets_into(data: &Path) {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("snippets-of-tests-1");
    build_snippets_once(&cache);
    fs::create_dir_all(data).unwrap();
    for folder in ["envs", "snippets"] {
        let copied = Command::new("cp").arg("-al").arg(cache.join(folder)).arg(data).status().unwrap();
        assert!(copied.success(), "the environment of the snippets could not be linked");
    }
}

fn build_snippets_once(cache: &Path) {
    let lock = File::create(cache.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    if cache.join("complete").exists() {
        return;
    }
    let _ = fs::remove_dir_all(cache);
    // What is built is the same with any sandbox.
    let mut server = Server::prepare(&["--snippets-sandbox", "none"]).up();
    wait_until_blocking("a snippet runs", PATIENCE, || {
        let answer = server.post_json("/execute", &json!({ "code": "1" }));
        if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
    });
    assert!(server.stop().success());
    fs::create_dir_all(cache.join("snippets")).unwrap();
    let copied = Command::new("cp").arg("-a").arg(server.data().join("envs")).arg(cache).status().unwrap();
    assert!(copied.success(), "the environment of the snippets could not be kept");
    fs::copy(server.data().join("snippets/environment.json"), cache.join("snippets/environment.json")).unwrap();
    fs::write(cache.join("complete"), "").unwrap();
}

fn build_once(cache: &Path) {
    let lock = File::create(cache.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    if cache.join("complete").exists() {
        return;
    }
    let _ = fs::remove_dir_all(cache);
    let server = Server::start_without_environments();
    let app = server.create(Form::app(STREAMLIT, "import streamlit as st\nst.write('ready')\n"));
    server.wait_for_status(&app, "running");
    fs::create_dir_all(cache).unwrap();
    for environment in fs::read_dir(server.data().join("envs")).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        let copied = Command::new("cp").arg("-a").arg(environment.path()).arg(cache).status().unwrap();
        assert!(copied.success(), "the environment could not be kept");
    }
    if let Some(uv) = installed_uv(&server.data().join("tools")) {
        put_program(&cache.join("uv"), fs::read(uv).unwrap());
    }
    fs::write(cache.join("complete"), "").unwrap();
}

fn installed_uv(folder: &Path) -> Option<PathBuf> {
    let entries: Vec<PathBuf> = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    let direct = entries.iter().find(|path| path.is_file() && path.file_name().is_some_and(|name| name == "uv")).cloned();
    direct.or_else(|| entries.iter().filter(|path| path.is_dir()).find_map(|folder| installed_uv(folder)))
}
