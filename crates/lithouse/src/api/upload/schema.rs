// SPDX-License-Identifier: Apache-2.0
//! The form of an upload, for the document of the API. What is really taken is told by `receive`.

use std::borrow::Cow;

use serde_json::json;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::schema::AdditionalProperties;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::api::app::LimitsRequest;

/// The files of a new app: `requirements` and `app`, or `bundle`; and what it is called. Each field once.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is only looked at for its documentation")]
struct AppFields {
    /// The requirements, as pip takes them; 1 MiB at most. The file may be empty.
    #[schema(value_type = Option<String>, nullable = false, format = Binary)]
    requirements: Option<Vec<u8>>,
    /// The script; 16 MiB at most.
    #[schema(value_type = Option<String>, nullable = false, format = Binary)]
    app: Option<Vec<u8>>,
    /// A zip, tar or tar.gz with all files of the app, told by its content; 1 GiB at most.
    #[schema(value_type = Option<String>, nullable = false, format = Binary)]
    bundle: Option<Vec<u8>>,
    /// The name in URLs and on the command line. It must not be 16 hexadecimal digits, and cannot be changed.
    #[schema(nullable = false, pattern = "^(?![0-9a-f]{16}$)[a-z0-9][a-z0-9-]*$", max_length = 63, example = "sales")]
    key: Option<String>,
    /// The name for people: one line, without characters that turn the direction of writing.
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*[^\s\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069][^\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*$",
        example = "Sales"
    )]
    name: Option<String>,
    /// What it is for, without control characters but tabs and line breaks.
    #[schema(
        nullable = false,
        max_length = 10_000,
        pattern = r"^(?![\s\S]*[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069])",
        example = "What sold, by month"
    )]
    description: Option<String>,
    /// What it may take, as JSON.
    #[schema(nullable = false)]
    limits: Option<LimitsRequest>,
}

/// The files of a release: `requirements` and `app`, or `bundle`. Each field once.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is only looked at for its documentation")]
struct ReleaseFields {
    /// The requirements, as pip takes them; 1 MiB at most. The file may be empty.
    #[schema(value_type = Option<String>, nullable = false, format = Binary)]
    requirements: Option<Vec<u8>>,
    /// The script; 16 MiB at most.
    #[schema(value_type = Option<String>, nullable = false, format = Binary)]
    app: Option<Vec<u8>>,
    /// A zip, tar or tar.gz with all files of the app, told by its content; 1 GiB at most.
    #[schema(value_type = Option<String>, nullable = false, format = Binary)]
    bundle: Option<Vec<u8>>,
}

/// What the files of a form are. What a client says of them is not looked at.
pub(in crate::api) const PARTS: [(&str, &str); 3] = [
    ("requirements", "text/plain"),
    ("app", "text/x-python"),
    ("bundle", "application/zip, application/gzip, application/x-tar"),
];

/// The form of a new app.
pub(in crate::api) struct AppUpload;

impl PartialSchema for AppUpload {
    fn schema() -> RefOr<Schema> {
        files_or_bundle(AppFields::schema())
    }
}

impl ToSchema for AppUpload {
    fn name() -> Cow<'static, str> {
        "AppUpload".into()
    }
}

/// The form of a release.
pub(in crate::api) struct ReleaseUpload;

impl PartialSchema for ReleaseUpload {
    fn schema() -> RefOr<Schema> {
        files_or_bundle(ReleaseFields::schema())
    }
}

impl ToSchema for ReleaseUpload {
    fn name() -> Cow<'static, str> {
        "ReleaseUpload".into()
    }
}

/// Says which fields go together, beside the fields themselves, so that a form can be made of them.
fn files_or_bundle(mut schema: RefOr<Schema>) -> RefOr<Schema> {
    if let RefOr::T(Schema::Object(object)) = &mut schema {
        object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        let files = json!({ "required": ["requirements", "app"] });
        // Beside a bundle, one of the two asks for the other, and all three are both ways at once: neither may be.
        let both = json!({ "requirements": ["app"], "app": ["requirements"] });
        let bundle = json!({ "required": ["bundle"], "dependentRequired": both });
        object.extensions = Some(Extensions::from_iter([("oneOf", json!([files, bundle]))]));
    }
    schema
}
