// SPDX-License-Identifier: Apache-2.0
//! What holds of every configuration, whoever has written it.
#![expect(clippy::expect_used, reason = "a target fails by panicking, and what it works with must be there")]

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::file::File;
use super::layers::{Layers, Report, Scope};
use super::{Around, Config, Environment, Origin, Problems, SettingFlags, settings};

/// Where the file would lie. Nothing does, so that nothing is read.
const FOLDER: &str = "/nonexistent";

/// Reads the input as `lithouse.toml`, as `config.json`, and, where it is one line, as the value of every variable: what is taken
/// can be shown, and read as it is shown it is the same.
pub(crate) fn configuration(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    for name in ["lithouse.toml", "config.json"] {
        if let Ok(config) = told(resolved(name, text, &[])) {
            shown_again(&config);
        }
    }
    let value = text.trim_end_matches('\n');
    if !value.is_empty() && value.len() < 200 && !value.contains(['\0', '\n']) {
        for name in settings().flat_map(|setting| setting.env) {
            let read = told(resolved("lithouse.toml", "", &[(name, value)]));
            if let Ok(config) = read {
                let rows = config.rows();
                assert_eq!(rows.len(), config.rows().len());
            }
        }
    }
}

fn resolved(name: &str, text: &str, variables: &[(&str, &str)]) -> Result<Config, Problems> {
    let file = File::parse(Path::new(FOLDER).join(name), text)?;
    let around = Around { folder: PathBuf::from(FOLDER), cores: 2, ..Around::this_process() };
    let (flags, environment) = (SettingFlags::default(), Environment::of_pairs(variables));
    let layers = Layers { flags: &flags, environment: &environment, file: Some(&file), around: &around };
    let mut report = Report::default();
    let config = Config::read(&mut Scope::top(&layers, &mut report));
    let (config, origins) = report.finish(config)?;
    Ok(Config { origins, file: Some(file.path), ..config })
}

/// Of what is wrong, something is told.
fn told(read: Result<Config, Problems>) -> Result<Config, Problems> {
    if let Err(problems) = &read {
        assert!(!problems.0.is_empty());
        assert!(problems.0.iter().all(|problem| !problem.to_string().trim().is_empty()), "{problems:?}");
    }
    read
}

fn shown_again(config: &Config) {
    let rows = config.rows();
    let written = written(config);
    let again = resolved("lithouse.toml", &written, &[]).map_err(|problems| format!("{problems}\n{written}"));
    let again = again.expect("what is shown can be read");
    for (row, same) in rows.iter().zip(again.rows()) {
        assert_eq!((&row.key, &row.value), (&same.key, &same.value), "{written}");
    }
    assert_eq!(rows.len(), again.rows().len());
    assert!(config.differences(&again).is_empty(), "{:?}", config.differences(&again));
}

/// Everything that was said, as `config show` tells it, in the form of the file.
fn written(config: &Config) -> String {
    let mut text = String::new();
    let mut tables: Vec<(String, Vec<(String, Json)>)> = Vec::new();
    for row in config.rows() {
        if row.key == "snippets.templates" || !matches!(config.origin(&row.key), Origin::File(..)) {
            continue;
        }
        let (table, name) = row.key.rsplit_once('.').unwrap_or(("", &row.key));
        match tables.iter_mut().find(|(known, _)| known == table) {
            Some((_, rows)) => rows.push((name.to_owned(), row.value)),
            None => tables.push((table.to_owned(), vec![(name.to_owned(), row.value)])),
        }
    }
    // An app may be named and nothing be said of it.
    for key in config.apps.keys() {
        let table = format!("apps.{key}");
        if !tables.iter().any(|(known, _)| *known == table) {
            tables.push((table, Vec::new()));
        }
    }
    tables.sort_by_key(|(table, _)| !table.is_empty());
    for (table, rows) in tables {
        if table.starts_with("snippets.templates.") {
            text.push_str("[[snippets.templates]]\n");
        } else if !table.is_empty() {
            let _ = writeln!(text, "[{table}]");
        }
        for (name, value) in rows.iter().filter(|(_, value)| !value.is_null()) {
            let _ = writeln!(text, "{name} = {}", value_of(value));
        }
    }
    text
}

fn value_of(value: &Json) -> String {
    match value {
        // A JSON string is one of TOML but for this.
        Json::String(_) => value.to_string().replace('\u{7f}', "\\u007f"),
        Json::Array(items) => format!("[{}]", items.iter().map(value_of).collect::<Vec<_>>().join(", ")),
        Json::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            let members = members.map(|(name, value)| format!("{} = {}", Json::from(name.as_str()), value_of(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => value.to_string(),
    }
}
