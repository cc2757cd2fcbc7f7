// SPDX-License-Identifier: Apache-2.0
//! The API's document, held against what the server really answers: every answer that any test gets is looked up in it.
//!
//! The server in use is asked for nothing: the frozen document is, which `documents.rs` holds equal to the served one.

use std::path::Path;
use std::sync::LazyLock;

use serde_json::Value;

use crate::server::Answer;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let frozen = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots/openapi.json");
    serde_json::from_slice(&std::fs::read(frozen).unwrap()).unwrap()
});

/// Fails where an answer of the API is not one that its document tells of.
#[track_caller]
pub(crate) fn assert_documented(method: &str, path: &str, answer: &Answer) {
    let path = path.split('?').next().unwrap();
    let is_told = DOCUMENT["paths"].as_object().unwrap().keys().any(|template| is_of(path, template));
    if !is_told && !path.starts_with("/api/") {
        return;
    }
    if let Err(what) = check(method, path, answer) {
        panic!("the document does not tell of this: {method} {path} {}: {what}\n{}", answer.status, answer.text());
    }
}

fn check(method: &str, path: &str, answer: &Answer) -> Result<(), String> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let refused = |code: &str, why: &str| {
        let codes = [code, "host_not_served", "not_signed_in", "foreign_origin"];
        let code = answer.json()["code"].as_str().is_some_and(|code| codes.contains(&code));
        if code { Ok(()) } else { Err(why.to_owned()) }
    };
    let Some((_, item)) = paths.iter().find(|(template, _)| is_of(path, template)) else {
        return refused("no_such_path", "there is no such path");
    };
    let Some(operation) = item.get(method.to_lowercase()) else {
        return refused("method_not_allowed", "there is no such method");
    };
    let Some(response) = operation["responses"].get(answer.status.to_string()) else {
        return Err("there is no such status".to_owned());
    };
    for header in response["headers"].as_object().unwrap().keys() {
        if !answer.headers.contains_key(header) {
            return Err(format!("the header `{header}` is missing"));
        }
    }
    let kind = answer.headers.get("content-type").map(|kind| kind.to_str().unwrap().split(';').next().unwrap());
    match (kind, response.get("content")) {
        (None, None) => Ok(()),
        (Some(kind), Some(content)) => {
            let media = content.get(kind).ok_or_else(|| format!("there is no content of the type `{kind}`"))?;
            if kind.ends_with("json") { matches(&answer.json(), &media["schema"], "") } else { Ok(()) }
        }
        (kind, _) => Err(format!("the content type is {kind:?}")),
    }
}

/// Whether a path is of this template, whose last segment takes the rest where it is `{path}`.
fn is_of(path: &str, template: &str) -> bool {
    let mut wanted = template.split('/').peekable();
    let mut given = path.split('/');
    while let Some(segment) = wanted.next() {
        match given.next() {
            Some(value) if segment == value || (segment.starts_with('{') && !value.is_empty()) => {}
            _ => return false,
        }
        if segment == "{path}" && wanted.peek().is_none() {
            return true;
        }
    }
    given.next().is_none()
}

/// Holds a value against a schema; a field that the schema does not name does not pass.
fn matches(value: &Value, schema: &Value, at: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return matches(value, DOCUMENT.pointer(&reference[1..]).unwrap(), at);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        matches(value, part, at)?;
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let refusals: Vec<String> = choices.iter().filter_map(|choice| matches(value, choice, at).err()).collect();
        return if choices.len() - refusals.len() == 1 {
            Ok(())
        } else {
            Err(format!("`{at}`: not one of several: {refusals:?}"))
        };
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().map(|name| name.as_str().unwrap()).collect(),
        Value::String(name) => vec![name],
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|name| is_a(value, name)) {
        return Err(format!("`{at}` is not {types:?}"));
    }
    if schema["enum"].as_array().is_some_and(|values| !values.contains(value)) {
        return Err(format!("`{at}` is none of {}", schema["enum"]));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        if value.get(name.as_str().unwrap()).is_none() {
            return Err(format!("`{at}` has no {name}"));
        }
    }
    for item in value.as_array().into_iter().flatten() {
        matches(item, &schema["items"], &format!("{at}[]"))?;
    }
    for (name, field) in value.as_object().into_iter().flatten() {
        let at = format!("{at}/{name}");
        let others = schema.get("additionalProperties").filter(|others| others.is_object());
        match schema["properties"].get(name).or(others) {
            Some(schema) => matches(field, schema, &at)?,
            // A part of a whole names only what it narrows.
            None if types.is_empty() => {}
            None => return Err(format!("`{at}` is not known")),
        }
    }
    Ok(())
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

#[test]
fn an_answer_that_the_document_does_not_tell_of_is_found() {
    let answer = |status, kind: &str, body: &str| {
        let headers = [("content-type", kind), ("x-request-id", "0123456789abcdef")];
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        Answer { status, headers: headers.collect(), body: body.into() }
    };
    let found = |method, path, answer: &Answer| check(method, path, answer).unwrap_err();
    check("GET", "/health", &answer(200, "application/json", r#"{"status": "up"}"#)).unwrap();
    assert!(found("GET", "/health", &answer(200, "application/json", r#"{"status": "odd"}"#)).contains("none of"));
    assert!(found("GET", "/health", &answer(200, "application/json", r#"{"status": "up", "x": 1}"#)).contains("not known"));
    assert!(found("GET", "/health", &answer(200, "application/json", "{}")).contains("has no"));
    assert!(found("GET", "/health", &answer(200, "text/plain", "up")).contains("type `text/plain`"));
    assert!(found("GET", "/health", &answer(418, "text/plain", "")).contains("no such status"));
    let problem = r#"{"type": "", "title": "", "status": 404, "code": "no_such_file", "detail": "", "request_id": ""}"#;
    check("GET", "/api/apps/a/files/b/c", &answer(404, "application/problem+json", problem)).unwrap();
    assert!(found("GET", "/api/apps/a", &answer(404, "application/problem+json", problem)).contains("/code"));
    assert!(found("POST", "/api/apps/a", &answer(404, "application/problem+json", problem)).contains("no such method"));
}
