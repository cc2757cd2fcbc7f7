// SPDX-License-Identifier: Apache-2.0
//! Virtual environments that people made, and those that are built for a command.

use std::process::Command;

use super::{configured, told};

#[test]
fn the_programs_of_a_given_virtual_environment_come_first_and_it_is_left_as_it_is() {
    let (server, _) = configured("command = \"python serve.py\"\nvenv = \"given\"");
    let venv = server.folder().join("given");
    assert!(Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(&venv).status().unwrap().success());
    let before = listing(&venv);
    let server = server.up();
    server.wait_for_status("other", "running");
    let told = told(&server, "/apps/other/");
    assert_eq!(told["env"]["VIRTUAL_ENV"], venv.to_str().unwrap());
    assert_eq!(told["python"], venv.join("bin/python").to_str().unwrap());
    assert_eq!(listing(&venv), before);
}

#[test]
fn a_given_virtual_environment_without_streamlit_is_refused_with_what_to_do() {
    let (server, folder) = configured("venv = \"given\"");
    std::fs::write(folder.join("app.py"), "import streamlit\n").unwrap();
    let venv = server.folder().join("given");
    assert!(Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(&venv).status().unwrap().success());
    let server = server.up();
    let failed = server.wait_for_status("other", "failed");
    let reason = failed["reason"].as_str().unwrap();
    assert!(reason.contains(&format!("`{}/bin/python -m pip install streamlit`", venv.display())), "{reason}");
}

#[test]
fn a_command_with_requirements_runs_in_an_environment_built_of_them_without_streamlit() {
    let (server, folder) = configured("command = \"python -c 'import six; print(six.__version__)' && exec python serve.py\"");
    std::fs::write(folder.join("requirements.txt"), "six==1.17.0\n").unwrap();
    let server = server.up();
    server.wait_for_status("other", "running");
    let told = told(&server, "/apps/other/");
    let venv = told["env"]["VIRTUAL_ENV"].as_str().unwrap();
    assert!(venv.starts_with(server.data().join("envs").to_str().unwrap()), "{venv}");
    let names = listing(std::path::Path::new(venv));
    assert!(names.iter().any(|name| name == "six.py") && !names.iter().any(|name| name == "streamlit"), "{names:?}");
}

/// The names of everything in it.
fn listing(folder: &std::path::Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            names.push(entry.file_name().to_string_lossy().into_owned());
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
        }
    }
    names.sort();
    names
}
