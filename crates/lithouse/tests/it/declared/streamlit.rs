// SPDX-License-Identifier: Apache-2.0
//! What an app of a folder runs on: its own environment, what its files ask for, or a usual one. With real packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use lithouse_testkit::wait_until_blocking;
use serde_json::json;

use crate::server::{HELLO, PATIENCE, STREAMLIT, Server};
use crate::store_of_envs;

/// A server that is not up yet, with a folder of apps.
fn prepared() -> Server {
    let server = Server::prepare_with_uv(&["apps"]);
    std::fs::create_dir(server.folder().join("apps")).unwrap();
    server
}

/// The environment that the app's process was started in, once it answers as Streamlit does.
#[track_caller]
fn runs_in(server: &Server, app: &str) -> PathBuf {
    let pid = server.pid_of(app);
    assert!(server.is_healthy(app));
    let variables = std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    let environment = variables.split('\0').find_map(|variable| variable.strip_prefix("VIRTUAL_ENV=")).unwrap();
    PathBuf::from(environment).canonicalize().unwrap()
}

/// What an interpreter prints.
fn python(environment: &Path, code: &str) -> String {
    let ran = Command::new(environment.join("bin/python")).args(["-c", code]).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap().trim().to_owned()
}

/// Whether it is one that was built.
fn is_built(server: &Server, environment: &Path) -> bool {
    environment.starts_with(server.data().canonicalize().unwrap().join("envs"))
}

#[test]
fn an_app_runs_in_its_own_venv_and_in_the_one_that_the_configuration_names() {
    let server = prepared();
    // As a person makes one; its Streamlit is the one that all tests share.
    let made = server.folder().join("apps/own/venv");
    std::fs::create_dir_all(made.parent().unwrap()).unwrap();
    store_of_envs::venv_at(&made);
    server.write("apps/own/app.py", HELLO);
    server.write("apps/own/requirements.txt", "this-package-does-not-exist\n");
    server.write("elsewhere/app.py", HELLO);
    server.write("lithouse.toml", &format!("[apps.named]\ndir = \"elsewhere\"\nvenv = {made:?}\n"));
    let server = server.up();
    let own = made.canonicalize().unwrap();
    assert_eq!((runs_in(&server, "own"), runs_in(&server, "named")), (own.clone(), own));
}

#[test]
fn an_app_runs_on_its_requirements_and_other_requirements_build_another_environment() {
    let server = prepared();
    server.write("apps/asking/app.py", HELLO);
    server.write("apps/asking/requirements.txt", STREAMLIT);
    let server = server.up();
    let pid = server.pid_of("asking");
    let first = runs_in(&server, "asking");
    assert!(is_built(&server, &first), "{first:?}");
    server.write("apps/asking/requirements.txt", &format!("{STREAMLIT}six==1.17.0\n"));
    assert_eq!(server.refresh()["restarted"], json!(["asking"]));
    server.wait_for("asking", "started anew", |app| app["status"] == "running" && app["pid"] != pid);
    let now = runs_in(&server, "asking");
    assert!(is_built(&server, &now) && now != first, "{first:?} {now:?}");
    assert_eq!(python(&now, "import six; print(six.__version__)"), "1.17.0");
    let shown = server.data().join("apps").join(server.app("asking")["app_id"].as_str().unwrap()).join("venv");
    assert_eq!(shown.canonicalize().unwrap(), now, "the link that a person looks for leads to what it runs in");
    wait_until_blocking("the environment of before is gone", PATIENCE, || !first.exists());
}

#[test]
fn an_app_runs_on_its_pyproject_and_on_its_uv_lock() {
    let server = prepared();
    let project = "[project]\nname = \"sales\"\nversion = \"1\"\nrequires-python = \">=3.11\"\n\
                   dependencies = [\"streamlit==1.67.0\", \"six==1.16.0\"]\n";
    for key in ["project", "locked"] {
        server.write(&format!("apps/{key}/app.py"), HELLO);
        server.write(&format!("apps/{key}/pyproject.toml"), project);
    }
    // The lock is of before the project took any newer version too.
    let uv = store_of_envs::uv().unwrap_or_else(|| "uv".into());
    let locked = server.folder().join("apps/locked");
    let lock = Command::new(uv).arg("lock").current_dir(&locked).output().unwrap();
    assert!(lock.status.success(), "{}", String::from_utf8_lossy(&lock.stderr));
    assert!(locked.join("uv.lock").is_file());
    server.write("apps/locked/pyproject.toml", &project.replace("six==1.16.0", "six>=1.16.0"));
    let server = server.up();
    for key in ["project", "locked"] {
        let place = runs_in(&server, key);
        assert!(is_built(&server, &place), "{place:?}");
        assert_eq!(python(&place, "import six; print(six.__version__)"), "1.16.0", "{key}");
    }
}

#[test]
fn an_app_that_asks_for_nothing_runs_on_a_usual_streamlit() {
    let server = prepared();
    server.write("apps/plain/app.py", HELLO);
    let server = server.up();
    let place = runs_in(&server, "plain");
    assert!(is_built(&server, &place), "{place:?}");
}
