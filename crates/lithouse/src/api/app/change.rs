// SPDX-License-Identifier: Apache-2.0
//! What may be changed of an app, and in which bounds.

use std::collections::BTreeMap;

use lithouse_engine::app::Change;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

use super::limits::LimitsRequest;
use crate::api::extract;
use crate::api::problem::{Code, Problem};
use crate::api::upload;

/// What may be changed of an app. What is left out, or null, stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "description": "What sold, by month", "env": { "REGION": "north" } }))]
pub(crate) struct ChangeRequest {
    /// The name for people: one line, without characters that turn the direction of writing.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*[^\s\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069][^\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*$"
    )]
    name: Option<String>,
    /// What it is for, without control characters but tabs and line breaks.
    #[schema(max_length = 10_000, pattern = r"^(?![\s\S]*[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069])")]
    description: Option<String>,
    #[schema(schema_with = variables)]
    env: Option<BTreeMap<String, String>>,
    /// Whether a crash is followed by a restart.
    restart_on_crash: Option<bool>,
    #[schema(value_type = Option<LimitsRequest>)]
    limits: Option<extract::Object<LimitsRequest>>,
}

impl ChangeRequest {
    /// The change, if all of it may be.
    pub(super) fn checked(self) -> Result<Change, Problem> {
        if let Some(name) = &self.name {
            upload::check_name(name)?;
        }
        if let Some(description) = &self.description {
            upload::check_description(description)?;
        }
        if let Some(env) = &self.env {
            check_env(env)?;
        }
        let limits = self.limits.map(|extract::Object(limits)| limits.checked()).transpose()?;
        let Self { name, description, env, restart_on_crash, .. } = self;
        Ok(Change { name, description, env, restart_on_crash, limits })
    }
}

/// The variables as the document tells them: the same bounds as `check_env` holds.
fn variables() -> Object {
    let name = r"^(?!(?:PORT|VIRTUAL_ENV|PYTHONHOME|PYTHONDONTWRITEBYTECODE)$|LITHOUSE_)[A-Za-z_][A-Za-z0-9_]*$";
    let text = |pattern| ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern));
    ObjectBuilder::new()
        .schema_type(SchemaType::Array(vec![Type::Object, Type::Null]))
        .description(Some(
            "All its variables; they count from the next start. `PORT`, `VIRTUAL_ENV`, `PYTHONHOME`, `PYTHONDONTWRITEBYTECODE` and \
             `LITHOUSE_…` are refused. `STREAMLIT_…` that the server sets wins over these.",
        ))
        .property_names(Some(text(name)))
        .additional_properties(Some(text(r"^[^\x00]*$")))
        .build()
}

/// Names that the platform sets itself, or that would undo what it does.
const RESERVED: [&str; 4] = ["PORT", "VIRTUAL_ENV", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE"];

fn check_env(env: &BTreeMap<String, String>) -> Result<(), Problem> {
    for (name, value) in env {
        let sound = name
            .bytes()
            .enumerate()
            .all(|(at, byte)| byte == b'_' || byte.is_ascii_alphabetic() || (at > 0 && byte.is_ascii_digit()));
        if name.is_empty() || !sound {
            let detail = format!("`{name}` cannot be a variable's name: use letters, digits and `_`, not beginning with a digit");
            return Err(Problem::new(Code::InvalidVariable, detail));
        }
        if RESERVED.contains(&name.as_str()) || name.starts_with("LITHOUSE_") {
            return Err(Problem::new(Code::ReservedVariable, format!("the variable `{name}` is set by Lithouse itself")));
        }
        if value.contains('\0') {
            return Err(Problem::new(Code::InvalidVariable, format!("the value of `{name}` holds a NUL byte")));
        }
    }
    Ok(())
}
