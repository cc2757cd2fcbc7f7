// SPDX-License-Identifier: Apache-2.0
//! What a lock follows from, and who may share it.

use std::process::Command;

use lithouse_engine::environment::PrepareError;

use super::lab::{Lab, python, uv};

const PROJECT: &str = "[project]\nname = 'x'\nversion = '1'\nrequires-python = '>=3.10'\ndependencies = ['six==1.16.0']\n";

#[tokio::test]
async fn a_project_is_installed_by_its_dependencies() {
    let lab = Lab::new();
    let mut source = lab.source("app", &[("pyproject.toml", PROJECT), ("requirements.txt", "nosuchthing-at-all")]);
    source.extra = vec!["iniconfig".to_owned()];
    let built = lab.prepare(&lab.open(), &source).await.expect("an environment");
    assert_eq!(python(&built, "import six, iniconfig; print(six.__version__)"), "1.16.0");
}

#[tokio::test]
async fn a_uv_lock_is_taken_as_it_is() {
    let lab = Lab::new();
    let source = lab.source("app", &[("pyproject.toml", &PROJECT.replace("==1.16.0", ""))]);
    let pinned = Command::new(uv())
        .args(["lock", "--quiet", "--upgrade-package", "six==1.15.0"])
        .current_dir(&source.folder)
        .output()
        .expect("uv");
    assert!(pinned.status.success(), "{}", String::from_utf8_lossy(&pinned.stderr));
    let environments = lab.open();
    let built = lab.prepare(&environments, &source).await.expect("an environment");
    assert_eq!(python(&built, "import six; print(six.__version__)"), "1.15.0");
    let mut with_extra = source.clone();
    with_extra.extra = vec!["six".to_owned(), "iniconfig".to_owned()];
    let built = lab.prepare(&environments, &with_extra).await.expect("an environment");
    assert_eq!(python(&built, "import six, iniconfig; print(six.__version__)"), "1.15.0");
    let lock = std::fs::read_to_string(built.path.join("lithouse.lock.txt")).expect("the lock");
    assert!(lock.contains("--hash=sha256:"), "{lock}");
}

#[tokio::test]
async fn a_pyproject_for_tools_does_not_hide_the_requirements() {
    let lab = Lab::new();
    let source = lab.source("app", &[("pyproject.toml", "[tool.ruff]\nline-length = 100\n"), ("requirements.txt", "six")]);
    let built = lab.prepare(&lab.open(), &source).await.expect("an environment");
    python(&built, "import six");
}

#[tokio::test]
async fn local_packages_are_private_and_follow_their_content() {
    let lab = Lab::new();
    let environments = lab.open();
    let one = lab.source_with_package("one", "pass");
    let content = one.folder.join("pkg/content.py");
    std::fs::write(&content, "NUMBER = 1").expect("a file");
    let first = lab.prepare(&environments, &one).await.expect("an environment");
    assert_eq!(python(&first, "import onepkg; print(onepkg.NUMBER)"), "1");
    let mut other = one.clone();
    other.private_to = "another app".to_owned();
    let others = lab.prepare(&environments, &other).await.expect("an environment");
    assert_ne!(first.key, others.key);
    std::fs::write(&content, "NUMBER = 2").expect("a file");
    let second = lab.prepare(&environments, &one).await.expect("an environment");
    assert_ne!(first.key, second.key);
    assert_eq!(python(&second, "import onepkg; print(onepkg.NUMBER)"), "2");
    assert_eq!(python(&first, "import onepkg; print(onepkg.NUMBER)"), "1");
}

#[tokio::test]
async fn an_editable_package_becomes_part_of_the_environment() {
    let lab = Lab::new();
    let source = lab.source_with_package("one", "pass");
    std::fs::write(source.folder.join("requirements.txt"), "-e ./pkg").expect("a file");
    let built = lab.prepare(&lab.open(), &source).await.expect("an environment");
    std::fs::remove_dir_all(&source.folder).expect("the source");
    python(&built, "import onepkg");
}

#[tokio::test]
async fn hashes_in_the_requirements_are_held_to() {
    let lab = Lab::new();
    let environments = lab.open();
    let line = |hash: &str| format!("six==1.17.0 --hash=sha256:{hash}\n");
    let right = "4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274";
    let source = lab.source("right", &[("requirements.txt", &line(right))]);
    let built = lab.prepare(&environments, &source).await.expect("an environment");
    let lock = std::fs::read_to_string(built.path.join("lithouse.lock.txt")).expect("the lock");
    assert_eq!(lock.trim(), line(right).trim());
    let source = lab.source("wrong", &[("requirements.txt", &line(&"0".repeat(64)))]);
    let error = lab.prepare(&environments, &source).await.expect_err("a mismatch");
    assert!(matches!(&error, PrepareError::HashMismatch { package } if package == "six==1.17.0"), "{error:?}");
}

#[tokio::test]
async fn settings_of_uv_in_the_folder_make_another_environment() {
    let lab = Lab::new();
    let environments = lab.open();
    let plain = lab.source("plain", &[("requirements.txt", "six==1.17.0")]);
    let own = lab.source("own", &[("requirements.txt", "six==1.17.0"), ("uv.toml", "no-build = true\n")]);
    let plain = lab.prepare(&environments, &plain).await.expect("an environment");
    let own = lab.prepare(&environments, &own).await.expect("an environment");
    assert_ne!(plain.key, own.key);
}
