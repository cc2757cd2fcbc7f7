// SPDX-License-Identifier: Apache-2.0
//! The problems that an operation may answer with, told to its documentation as the codes that its handler can give.

use std::collections::BTreeMap;

use http::StatusCode;
use utoipa::openapi::header::Header;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder, Schema};

use crate::api::problem::Code;

/// What any request but the one for the server's health may meet.
pub(in crate::api) const ASKED: &[Code] = &[
    Code::InvalidParameter,
    Code::HostNotServed,
    Code::NotSignedIn,
    Code::Internal,
    Code::ServerRestarting,
    Code::TooManyRequests,
];
/// What a request that changes something may meet besides.
pub(in crate::api) const WRITTEN: &[Code] = &[Code::ForeignOrigin];
/// What a request with a JSON body may meet.
pub(in crate::api) const SENT: &[Code] =
    &[Code::NotJson, Code::InvalidJson, Code::InvalidField, Code::BrokenBody, Code::TooLarge];
/// What a request about one app may meet.
pub(in crate::api) const OF_APP: &[Code] = &[Code::InvalidPath, Code::NoSuchApp];
/// What a request whose wish is stored may meet.
pub(in crate::api) const STORED: &[Code] = &[Code::DiskFull, Code::DiskReadOnly];
/// What an upload may meet.
pub(in crate::api) const UPLOADED: &[Code] = &[
    Code::NotMultipart,
    Code::BrokenMultipart,
    Code::UnknownField,
    Code::DuplicateField,
    Code::ContradictingFields,
    Code::MissingField,
    Code::EmptyFile,
    Code::TooLarge,
    Code::InvalidBundle,
    Code::NoEntry,
    Code::InvalidScript,
    Code::InvalidRequirements,
];

/// Names the problems of an operation, for `responses(…)`: `problems!(Getting: ASKED, OF_APP, [Code::NoSuchFile]);`
macro_rules! problems {
    ($name:ident: $($codes:expr),+) => {
        struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::Response>> {
                $crate::api::document::problems::responses(&[$(&$codes[..]),+].concat())
            }
        }
    };
}
pub(in crate::api) use problems;

/// One response a status, with the codes that come with it.
pub(in crate::api) fn responses(codes: &[Code]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status = BTreeMap::<StatusCode, Vec<Code>>::new();
    for code in codes {
        let of_status = by_status.entry(code.status()).or_default();
        if !of_status.contains(code) {
            of_status.push(*code);
        }
    }
    by_status.into_iter().map(|(status, codes)| (status.as_str().to_owned(), response(status, &codes).into())).collect()
}

fn response(status: StatusCode, codes: &[Code]) -> Response {
    let told = codes.iter().map(|code| format!("- `{}`: {}", code.as_str(), code.meaning()));
    let title = status.canonical_reason().unwrap_or("Error");
    let description = format!("{title}\n\n{}", told.collect::<Vec<_>>().join("\n"));
    let words: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
    let narrowed = ObjectBuilder::new()
        .schema_type(SchemaType::AnyValue)
        .property("code", ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)));
    let schema = AllOfBuilder::new().item(Ref::from_schema_name("Problem")).item(narrowed).build();
    let content = ContentBuilder::new().schema(Some(Schema::from(schema))).build();
    let mut response = ResponseBuilder::new().description(description).content("application/problem+json", content);
    if status == StatusCode::UNAUTHORIZED {
        response = response.header("WWW-Authenticate", text("How to say who asks"));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let mut header = Header::new(ObjectBuilder::new().schema_type(Type::Integer));
        header.description = Some("The seconds after which the same request may succeed".to_owned());
        response = response.header("Retry-After", header);
    }
    response.build()
}

/// A header that holds text.
pub(super) fn text(description: &str) -> Header {
    let mut header = Header::new(ObjectBuilder::new().schema_type(Type::String));
    header.description = Some(description.to_owned());
    header
}
