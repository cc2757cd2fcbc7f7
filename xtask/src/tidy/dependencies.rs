// SPDX-License-Identifier: Apache-2.0
//! Which crate may use which. Cargo tells the facts; the tables say what is allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use serde_json::Value;

use super::Finding;
use super::repository::Repository;

/// What each of our crates may use of ours. As a dependency of tests, everybody may use the testkit besides.
const ALLOWED: &[(&str, &[&str])] = &[
    ("lithouse-core", &[]),
    ("lithouse-sandbox", &[]),
    ("lithouse-proxy", &["lithouse-core"]),
    ("lithouse-engine", &["lithouse-core", "lithouse-sandbox"]),
    ("lithouse", &["lithouse-core", "lithouse-engine", "lithouse-proxy", "lithouse-sandbox"]),
    (TESTKIT, &["lithouse-core"]),
    ("xtask", &[]),
];
const TESTKIT: &str = "lithouse-testkit";

/// What no crate may reach, directly or through others.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "lithouse-core",
        &["tokio", "futures-core", "futures-util", "async-trait", "hyper", "http", "axum", "sqlx", "rustix", "tempfile"],
    ),
    ("lithouse-sandbox", &["tokio", "hyper", "axum", "sqlx", "toml"]),
    ("lithouse-proxy", &["sqlx", "axum"]),
    ("lithouse-engine", &["axum", "axum-core", "tower-http", "utoipa"]),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Of the crate itself or of its build script.
    Shipped,
    Test,
}

/// Who uses whom, by name.
type Graph = BTreeMap<String, BTreeSet<(String, Kind)>>;

pub(super) fn edges_are_allowed(repository: &Repository) -> Vec<Finding> {
    read(&repository.root).map_or_else(|error| unknown(&error), |(ours, graph)| wrong_edges(&ours, &graph))
}

pub(super) fn libraries_are_allowed(repository: &Repository) -> Vec<Finding> {
    read(&repository.root).map_or_else(|error| unknown(&error), |(_, graph)| forbidden_libraries(&graph))
}

/// What cannot be looked at does not pass.
fn unknown(error: &anyhow::Error) -> Vec<Finding> {
    vec![Finding::new("Cargo.toml", format!("{error:#}"))]
}

fn wrong_edges(ours: &BTreeSet<String>, graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in ours {
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| known == name) else {
            findings.push(Finding::new(name, "the crate is not in the table"));
            continue;
        };
        for (used, kind) in graph.get(name).into_iter().flatten().filter(|(used, _)| ours.contains(used)) {
            let is_testkit_in_tests = used == TESTKIT && *kind == Kind::Test;
            // A crate may use itself in its own tests, with other features.
            if !allowed.contains(&used.as_str()) && !is_testkit_in_tests && used != name {
                findings.push(Finding::new(name, format!("it must not use `{used}`")));
            }
        }
    }
    findings
}

fn forbidden_libraries(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, forbidden) in FORBIDDEN {
        let ways = shipped_with(name, graph);
        for library in *forbidden {
            if let Some(user) = ways.get(*library) {
                findings.push(Finding::new(*name, format!("it reaches `{library}` through `{user}`")));
            }
        }
    }
    findings
}

/// Everything a crate is shipped with, and who uses it first.
fn shipped_with<'a>(name: &'a str, graph: &'a Graph) -> BTreeMap<&'a str, &'a str> {
    let mut ways = BTreeMap::new();
    let mut pending = vec![name];
    while let Some(user) = pending.pop() {
        for (used, kind) in graph.get(user).into_iter().flatten() {
            if *kind == Kind::Shipped && !ways.contains_key(used.as_str()) {
                ways.insert(used.as_str(), user);
                pending.push(used);
            }
        }
    }
    ways
}

/// Our crates, and the graph of all that they use on this platform.
fn read(root: &Path) -> anyhow::Result<(BTreeSet<String>, Graph)> {
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--locked", "--format-version=1", "--filter-platform", &platform])
        .current_dir(root)
        .output()
        .context("could not run `cargo metadata`")?;
    if !output.status.success() {
        bail!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    parse(&metadata).context("the answer of `cargo metadata` is not understood")
}

fn parse(metadata: &Value) -> Option<(BTreeSet<String>, Graph)> {
    let mut names = BTreeMap::new();
    for package in metadata["packages"].as_array()? {
        names.insert(package["id"].as_str()?, package["name"].as_str()?);
    }
    let members = metadata["workspace_members"].as_array()?;
    let ours = members.iter().map(|id| Some((*names.get(id.as_str()?)?).to_owned())).collect::<Option<_>>()?;
    let mut graph = Graph::new();
    for node in metadata["resolve"]["nodes"].as_array()? {
        // Several versions of a package are one here.
        let used = graph.entry((*names.get(node["id"].as_str()?)?).to_owned()).or_default();
        for dependency in node["deps"].as_array()? {
            let name = *names.get(dependency["pkg"].as_str()?)?;
            for kind in dependency["dep_kinds"].as_array()? {
                let kind = if kind["kind"].as_str() == Some("dev") { Kind::Test } else { Kind::Shipped };
                used.insert((name.to_owned(), kind));
            }
        }
    }
    Some((ours, graph))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &str, Kind)]) -> Graph {
        let mut graph = Graph::new();
        for (user, used, kind) in edges {
            graph.entry((*user).to_owned()).or_default().insert(((*used).to_owned(), *kind));
        }
        graph
    }

    fn ours() -> BTreeSet<String> {
        ALLOWED.iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    #[test]
    fn an_edge_that_is_not_in_the_table_is_found() {
        let graph = graph(&[
            ("lithouse-engine", "lithouse-core", Kind::Shipped),
            ("lithouse-engine", "lithouse-proxy", Kind::Shipped),
            ("lithouse-proxy", "lithouse-engine", Kind::Test),
            ("lithouse-proxy", TESTKIT, Kind::Test),
            ("lithouse", TESTKIT, Kind::Shipped),
            ("lithouse", "serde", Kind::Shipped),
        ]);
        let found: Vec<_> = wrong_edges(&ours(), &graph).into_iter().map(|finding| finding.place + " " + &finding.what).collect();
        assert_eq!(
            found,
            [
                format!("lithouse it must not use `{TESTKIT}`"),
                "lithouse-engine it must not use `lithouse-proxy`".to_owned(),
                "lithouse-proxy it must not use `lithouse-engine`".to_owned(),
            ]
        );
    }

    #[test]
    fn a_crate_that_is_not_in_the_table_is_found() {
        let found = wrong_edges(&BTreeSet::from(["lithouse-utils".to_owned()]), &Graph::new());
        assert_eq!(found, [Finding::new("lithouse-utils", "the crate is not in the table")]);
    }

    #[test]
    fn a_forbidden_library_is_found_behind_others_but_not_in_tests() {
        let graph = graph(&[
            ("lithouse-core", "helper", Kind::Shipped),
            ("helper", "tokio", Kind::Shipped),
            ("lithouse-sandbox", "tokio", Kind::Test),
            ("lithouse-engine", "axum", Kind::Shipped),
        ]);
        let found: Vec<_> = forbidden_libraries(&graph).into_iter().map(|finding| finding.place + " " + &finding.what).collect();
        assert_eq!(
            found,
            ["lithouse-core it reaches `tokio` through `helper`", "lithouse-engine it reaches `axum` through `lithouse-engine`"]
        );
    }

    #[test]
    fn the_answer_of_cargo_is_understood() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
        let (ours, graph) = read(root).expect("cargo answers");
        assert!(ours.contains("xtask") && graph["lithouse-engine"].contains(&("lithouse-core".to_owned(), Kind::Shipped)));
    }
}
