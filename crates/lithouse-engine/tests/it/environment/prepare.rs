// SPDX-License-Identifier: Apache-2.0
//! What a good build leaves.

use super::lab::{Lab, count, counted_uv, entries, python};

#[tokio::test]
async fn an_environment_holds_its_requirements_its_lock_and_its_marker() {
    let lab = Lab::new();
    let environments = lab.open();
    let source = lab.source("app", &[("requirements.txt", "six==1.17.0\niniconfig\n")]);
    let built = lab.prepare(&environments, &source).await.expect("an environment");
    assert_eq!(python(&built, "import six, iniconfig; print(six.__version__)"), "1.17.0");
    assert_eq!(built.path, lab.home.envs().join(built.key.as_str()));
    assert_eq!(built.python, built.path.join("bin/python"));
    let lock = std::fs::read_to_string(built.path.join("lithouse.lock.txt")).expect("the lock");
    assert!(lock.contains("six==1.17.0\n") && lock.contains("iniconfig=="), "{lock}");
    let marker = std::fs::read(built.path.join("lithouse.json")).expect("the marker");
    let marker: serde_json::Value = serde_json::from_slice(&marker).expect("JSON");
    assert_eq!(marker["python"], python(&built, "import platform; print(platform.python_version())"));
    assert!(marker["uv"].is_string() && marker["created"].as_str().is_some_and(|time| time.ends_with('Z')), "{marker}");
    assert_eq!(lab.remains(), [built.key.as_str()]);
    let log = lab.log_text("app");
    assert!(
        log.contains(" build | locking `requirements.txt`") && log.contains("six==1.17.0") && log.contains("is complete"),
        "{log}"
    );
    assert_eq!(environments.find(&built.key).expect("found").path, built.path);
}

#[tokio::test]
async fn the_second_app_with_the_same_lock_shares_the_environment() {
    let lab = Lab::new();
    let (uv, calls) = counted_uv(&lab);
    let environments = lab.open_with(|settings| settings.uv = Some(uv));
    let one = lab.source("one", &[("requirements.txt", "six==1.17.0\niniconfig==2.0.0\n")]);
    let two = lab.source("two", &[("requirements.txt", "# the same in other words\niniconfig == 2.0.0\nSix == 1.17.0")]);
    let first = lab.prepare(&environments, &one).await.expect("an environment");
    let second = lab.prepare(&environments, &two).await.expect("an environment");
    assert_eq!(first.key, second.key);
    assert_eq!(count(&calls, "pip install"), 1);
    assert!(lab.log_text("two").contains("is built already"));
}

#[tokio::test]
async fn requirements_that_are_not_named_are_added_and_named_ones_are_left_alone() {
    let lab = Lab::new();
    let environments = lab.open();
    let mut bare = lab.source("bare", &[]);
    bare.extra = vec!["six>=1.17,<1.17.1".to_owned()];
    let built = lab.prepare(&environments, &bare).await.expect("an environment");
    assert_eq!(python(&built, "import six; print(six.__version__)"), "1.17.0");
    let mut named = lab.source("named", &[("requirements.txt", "six==1.16.0\n")]);
    named.extra = vec!["six>=1.17".to_owned(), "iniconfig".to_owned()];
    let built = lab.prepare(&environments, &named).await.expect("an environment");
    assert_eq!(python(&built, "import six, iniconfig; print(six.__version__)"), "1.16.0");
}

#[tokio::test]
async fn an_environment_of_nothing_but_the_standard_library_is_built_too() {
    let lab = Lab::new();
    let environments = lab.open();
    let empty = lab.source("empty", &[("requirements.txt", "# nothing\n")]);
    let built = lab.prepare(&environments, &empty).await.expect("an environment");
    assert_eq!(python(&built, "import json; print(json.dumps(1))"), "1");
    let nothing = lab.source("nothing", &[]);
    assert_eq!(lab.prepare(&environments, &nothing).await.expect("an environment").key, built.key);
}

#[tokio::test]
async fn streamlit_is_installed_with_its_bytecode() {
    let lab = Lab::new();
    let environments = lab.open();
    let mut source = lab.source("app", &[]);
    source.extra = vec!["streamlit".to_owned()];
    let built = lab.prepare(&environments, &source).await.expect("an environment");
    let place = python(&built, "import streamlit; print(streamlit.__path__[0])");
    let modules: Vec<String> =
        entries(place.as_ref()).iter().filter_map(|name| name.strip_suffix(".py").map(str::to_owned)).collect();
    let compiled = entries(&std::path::Path::new(&place).join("__pycache__"));
    let missing = modules.iter().filter(|module| !compiled.iter().any(|file| file.starts_with(&format!("{module}.cpython"))));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(modules.len() > 20, "{modules:?}");
}

#[tokio::test]
async fn an_environment_whose_python_has_gone_is_not_found_but_built_anew() {
    let lab = Lab::new();
    let environments = lab.open();
    let source = lab.source("app", &[("requirements.txt", "six\n")]);
    let built = lab.prepare(&environments, &source).await.expect("an environment");
    std::fs::remove_file(&built.python).expect("the link");
    std::os::unix::fs::symlink("/nowhere/python", &built.python).expect("a link");
    assert!(environments.find(&built.key).is_none());
    let again = lab.prepare(&environments, &source).await.expect("an environment");
    assert_eq!(again.key, built.key);
    python(&again, "import six");
}

#[tokio::test]
async fn an_interrupted_build_is_never_used_and_is_removed() {
    let lab = Lab::new();
    let source = lab.source("app", &[("requirements.txt", "six\n")]);
    let key = lab.prepare(&lab.open(), &source).await.expect("an environment").key;
    let place = lab.home.envs().join(key.as_str());
    std::fs::remove_file(place.join("lithouse.json")).expect("the marker");
    std::fs::write(place.join("half"), "").expect("a file");
    std::fs::create_dir(lab.home.envs().join("notes of the operator")).expect("a folder");
    let environments = lab.open();
    assert!(environments.find(&key).is_none());
    assert_eq!(entries(&lab.home.envs()), ["notes of the operator"]);
    // The same while the server runs.
    std::fs::create_dir(&place).expect("a folder");
    std::fs::write(place.join("half"), "").expect("a file");
    lab.prepare(&environments, &source).await.expect("an environment");
    assert!(!place.join("half").exists());
}
