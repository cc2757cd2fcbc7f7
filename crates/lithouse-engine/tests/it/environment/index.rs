// SPDX-License-Identifier: Apache-2.0
//! Package indexes: those that do not answer, and those that are configured for pip.

use lithouse_engine::environment::{PrepareError, Variables};

use super::lab::Lab;
use crate::environment_uv::Index;

#[tokio::test]
async fn an_index_that_does_not_answer_is_told_with_its_address() {
    let lab = Lab::new();
    let url = format!("http://{}/simple", lithouse_testkit::upstream::address_of_nobody().expect("an address"));
    let environments = lab
        .open_with(|settings| settings.variables = Variables::ambient().with("UV_HTTP_RETRIES", "0").with("PIP_INDEX_URL", &url));
    let error = lab.prepare(&environments, &lab.source("app", &[("requirements.txt", "six")])).await.expect_err("no answer");
    let PrepareError::Unreachable { url: told, cause } = &error else { panic!("{error:?}") };
    assert!(told.starts_with(&url) && cause.contains("refused"), "{error}");
    assert!(lab.remains().is_empty(), "{:?}", lab.remains());
}

async fn refused_with(status: u16) {
    let lab = Lab::new();
    let index = Index::start(Vec::new()).await.refusing(status);
    let environments = lab.open_with(|settings| {
        settings.variables = Variables::ambient().with("UV_HTTP_RETRIES", "0").with("UV_DEFAULT_INDEX", index.url());
    });
    let error = lab.prepare(&environments, &lab.source("app", &[("requirements.txt", "six")])).await.expect_err("a refusal");
    let is_told = |url: &str, told: &str| url.starts_with(&index.url()) && told.starts_with(&status.to_string());
    assert!(matches!(&error, PrepareError::Refused { url, status } if is_told(url, status)), "{error:?}");
}

#[tokio::test]
async fn an_index_that_refuses_is_told_with_its_status() {
    for status in [401, 403, 500] {
        refused_with(status).await;
    }
}

#[tokio::test]
async fn packages_come_from_the_index_that_is_configured_for_pip() {
    let lab = Lab::new();
    let index = Index::start(vec![Index::wheel("lithouse_probe", "3.2.1", &[("lithouse_probe.py", "FROM = 'own index'")])]).await;
    std::fs::write(lab.path("pip.conf"), format!("[global]\nindex-url = {}\n", index.url())).expect("a file");
    let environments =
        lab.open_with(|settings| settings.variables = Variables::ambient().with("PIP_CONFIG_FILE", lab.path("pip.conf")));
    let built =
        lab.prepare(&environments, &lab.source("app", &[("requirements.txt", "lithouse-probe")])).await.expect("an environment");
    assert_eq!(super::lab::python(&built, "import lithouse_probe; print(lithouse_probe.FROM)"), "own index");
}

#[tokio::test]
async fn an_index_in_the_requirements_holds_for_installing_and_makes_another_environment() {
    let lab = Lab::new();
    let wheel = |from: &str| vec![Index::wheel("lithouse_probe", "3.2.1", &[("lithouse_probe.py", &format!("FROM = '{from}'"))])];
    let (one, two) = (Index::start(wheel("one")).await, Index::start(wheel("two")).await);
    let environments = lab.open();
    let mut seen = Vec::new();
    for (name, index) in [("one", &one), ("two", &two)] {
        let source = lab.source(name, &[("requirements.txt", &format!("--index-url {}\nlithouse-probe\n", index.url()))]);
        let built = lab.prepare(&environments, &source).await.expect("an environment");
        assert_eq!(super::lab::python(&built, "import lithouse_probe; print(lithouse_probe.FROM)"), name);
        seen.push(built.key);
    }
    assert_ne!(seen[0], seen[1]);
}

#[tokio::test]
async fn an_index_for_one_package_of_a_project_is_used_for_that_package() {
    let lab = Lab::new();
    let index = Index::start(vec![Index::wheel("lithouse_probe", "3.2.1", &[("lithouse_probe.py", "")])]).await;
    let project = format!(
        "[project]\nname = 'x'\nversion = '1'\ndependencies = ['lithouse-probe', 'six']\n[tool.uv.sources]\nlithouse-probe = {{ index = 'own' }}\n\
         [[tool.uv.index]]\nname = 'own'\nurl = '{}'\nexplicit = true\n",
        index.url()
    );
    let built = lab.prepare(&lab.open(), &lab.source("app", &[("pyproject.toml", &project)])).await.expect("an environment");
    super::lab::python(&built, "import lithouse_probe, six");
}
