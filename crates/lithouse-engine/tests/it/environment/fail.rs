// SPDX-License-Identifier: Apache-2.0
//! Every failure has its own reason, and leaves nothing behind but that and its log.

use lithouse_engine::environment::PrepareError;

use super::lab::Lab;

async fn failure(lab: &Lab, requirements: &str) -> PrepareError {
    let source = lab.source("app", &[("requirements.txt", requirements)]);
    failure_of(lab, &source).await
}

async fn failure_of(lab: &Lab, source: &lithouse_engine::environment::Source) -> PrepareError {
    let error = lab.prepare(&lab.open(), source).await.expect_err("a failure");
    assert!(lab.remains().is_empty(), "{:?}", lab.remains());
    let log = lab.log_text(&source.private_to);
    assert!(log.contains(&format!("build | failed: {error}")), "{log}");
    error
}

#[tokio::test]
async fn a_package_that_does_not_exist_is_named() {
    let error = failure(&Lab::new(), "six\nlithouse-no-such-package-anywhere\n").await;
    assert!(
        matches!(&error, PrepareError::NotFound { requirement, .. } if requirement == "lithouse-no-such-package-anywhere"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_version_that_does_not_exist_is_named() {
    let error = failure(&Lab::new(), "six==99.0\n").await;
    assert!(matches!(&error, PrepareError::NoSuchVersion { requirement } if requirement == "six==99.0"), "{error:?}");
}

#[tokio::test]
async fn a_conflict_is_explained() {
    let error = failure(&Lab::new(), "python-dateutil==2.9.0\nsix==1.4.0\n").await;
    let PrepareError::Conflict { explanation } = &error else { panic!("{error:?}") };
    assert!(explanation.contains("python-dateutil") && explanation.contains("six"), "{explanation}");
}

#[tokio::test]
async fn a_package_without_a_wheel_for_this_machine_is_named() {
    let error = failure(&Lab::new(), "pywin32==306\n").await;
    assert!(matches!(&error, PrepareError::NoWheel { package, .. } if package.starts_with("pywin32")), "{error:?}");
}

#[tokio::test]
async fn a_line_that_cannot_be_read_is_told_with_its_number() {
    let error = failure(&Lab::new(), "six\n\nsix==1 == 2\n").await;
    assert!(
        matches!(&error, PrepareError::BadRequirements { file, line: Some(3), .. } if file == "requirements.txt"),
        "{error:?}"
    );
    let error = failure(&Lab::new(), "six\n--frobnicate\n").await;
    assert!(matches!(&error, PrepareError::BadRequirements { line: Some(2), .. }), "{error:?}");
}

#[tokio::test]
async fn a_missing_file_or_folder_is_named() {
    let error = failure(&Lab::new(), "-r more.txt\n").await;
    assert!(matches!(&error, PrepareError::BadRequirements { file, .. } if file == "more.txt"), "{error:?}");
    let error = failure(&Lab::new(), "./nowhere\n").await;
    assert!(matches!(&error, PrepareError::NotFound { requirement, .. } if requirement == "nowhere"), "{error:?}");
}

#[tokio::test]
async fn a_project_for_another_python_says_which_one_it_needs() {
    let lab = Lab::new();
    let text = "[project]\nname = 'x'\nversion = '1'\nrequires-python = '>=3.99'\ndependencies = ['six']\n";
    let source = lab.source("app", &[("pyproject.toml", text)]);
    let error = failure_of(&lab, &source).await;
    assert!(matches!(&error, PrepareError::WrongPython { needed, .. } if needed == ">=3.99"), "{error:?}");
}

#[tokio::test]
async fn a_build_script_that_fails_is_told_with_its_package_and_its_last_words() {
    let lab = Lab::new();
    let source = lab.source_with_package("app", "print('compiling', file=sys.stderr)\nraise RuntimeError('no such compiler')");
    let error = failure_of(&lab, &source).await;
    let PrepareError::BuildScript { package, explanation } = &error else { panic!("{error:?}") };
    assert_eq!((package.as_deref(), explanation.as_str()), (Some("apppkg"), "RuntimeError: no such compiler"));
    assert!(lab.log_text("app").contains("compiling"));
}

#[tokio::test]
async fn a_uv_that_is_killed_is_told_with_the_signal() {
    let lab = Lab::new();
    let source = lab.source_with_package("app", "os.kill(os.getppid(), 9)\ntime.sleep(1000)");
    let error = failure_of(&lab, &source).await;
    assert!(matches!(error, PrepareError::Killed { signal: 9 }), "{error:?}");
}

#[tokio::test]
async fn a_git_repository_that_does_not_answer_is_told() {
    let error = failure(&Lab::new(), "git+https://127.0.0.1:9/x.git\n").await;
    assert!(matches!(&error, PrepareError::Git { explanation } if explanation.contains("127.0.0.1")), "{error:?}");
}

#[tokio::test]
async fn without_a_python_the_reason_says_what_was_looked_at() {
    let lab = Lab::new();
    let environments = lab.open_with(|settings| settings.python = Some("/nowhere/python3".into()));
    let error = lab.prepare(&environments, &lab.source("app", &[])).await.expect_err("no Python");
    assert!(matches!(error, PrepareError::NoPython { .. }) && error.to_string().contains("/nowhere/python3"), "{error}");
}

#[tokio::test]
async fn a_uv_that_is_not_uv_is_refused() {
    let lab = Lab::new();
    let environments = lab.open_with(|settings| settings.uv = Some("/bin/true".into()));
    let error = lab.prepare(&environments, &lab.source("app", &[])).await.expect_err("no uv");
    assert!(matches!(error, PrepareError::NoUv { .. }) && error.to_string().contains("/bin/true"), "{error}");
}
