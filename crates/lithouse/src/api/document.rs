// SPDX-License-Identifier: Apache-2.0
//! The document of the API (OpenAPI 3.1), put together from what stands at the handlers.
//!
//! A handler is in it once it has `#[utoipa::path(…)]` above it and is registered in `api::documented` with `routes!`. Its doc
//! comment is the summary, and what it may give as a problem is named by `problems!`, as codes. The types of what it takes and
//! answers derive `ToSchema` or `IntoParams`; their doc comments are the descriptions. What all operations have in common is added
//! here.

mod links;
pub(super) mod problems;

use serde::Deserialize;
use utoipa::openapi::encoding::Encoding;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{Components, Ref, RefOr};
use utoipa::{IntoParams, OpenApi, PartialSchema, ToSchema};

use super::problem::ProblemDocument;
use super::upload;
use problems::text;

/// Which app.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it is only looked at for its documentation; handlers take it with other segments of the path")]
pub(super) struct AppName {
    /// The app's id or key.
    #[param(pattern = "^[a-z0-9][a-z0-9-]*$", max_length = 63, example = "sales")]
    app: String,
}

/// One server-sent event.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is only looked at for its documentation")]
pub(super) struct ServerSentEvent {
    /// What kind it is.
    event: String,
    /// What to send as `Last-Event-ID` to go on after it, where that can be.
    id: Option<String>,
    /// What it tells; several lines of `data` where that has several.
    data: String,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Lithouse",
        description = "Deploys Python web apps and looks after them, and runs pieces of Python in a sandbox.\n\n\
            Times are RFC 3339 in UTC with milliseconds, sizes are bytes. Unknown fields are errors, \
            and so are unknown parameters everywhere but at the server's health. Errors are problem documents (RFC 9457) with a stable `code`. Objects in answers may get further fields, and enumerations \
            further values.",
    ),
    servers((url = "/", description = "The server that this document comes from")),
    tags(
        (name = "apps", description = "What is deployed, and what it does"),
        (name = "releases", description = "The sets of files an app has had"),
        (name = "files", description = "The files of an app's newest or last activated release"),
        (name = "logs", description = "What an app and its builds have written"),
        (name = "snippets", description = "Pieces of Python, run in a sandbox"),
        (name = "server", description = "The server itself"),
    ),
)]
struct Frame;

/// The document before anything is registered.
pub(super) fn frame() -> utoipa::openapi::OpenApi {
    Frame::openapi()
}

/// The whole document, as it is served.
pub(super) fn finish(mut document: utoipa::openapi::OpenApi) -> String {
    let components = document.components.get_or_insert_with(Components::new);
    components.schemas.insert("Problem".to_owned(), ProblemDocument::schema());
    components.headers.insert("RequestId".to_owned(), text("Names the request in the server's logs").into());
    for (path, mut item) in std::mem::take(&mut document.paths.paths) {
        operations(&mut item).for_each(|operation| {
            add_request_id(operation);
            add_encodings(operation);
            links::add(operation);
        });
        // The router tells a segment that takes slashes by a star, which the document's templates do not have.
        document.paths.paths.insert(path.replace("{*", "{"), item);
    }
    // A structure of texts, numbers and maps with text keys always serialises.
    document.to_pretty_json().map(|json| json + "\n").unwrap_or_default()
}

pub(super) fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch].into_iter().flatten()
}

/// Every answer has it: the edge sets it.
fn add_request_id(operation: &mut Operation) {
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            response.headers.insert("X-Request-Id".to_owned(), RefOr::Ref(Ref::new("#/components/headers/RequestId")));
        }
    }
}

/// What the parts of a form hold.
fn add_encodings(operation: &mut Operation) {
    if let Some(RefOr::T(body)) = &mut operation.request_body
        && let Some(RefOr::T(form)) = body.content.get_mut("multipart/form-data")
    {
        for (name, kinds) in upload::PARTS {
            form.encoding.insert(name.to_owned(), Encoding::builder().content_type(Some(kinds)).build());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::problem::Code;

    #[test]
    fn every_code_is_told_at_some_operation_but_those_that_belong_to_none() {
        let (_, document) = crate::api::documented().split_for_parts();
        let document = finish(document);
        for code in Code::ALL {
            let is_no_request = matches!(code, Code::NotHttp | Code::AddressTooLong | Code::HeadTooLarge);
            let belongs_to_none = is_no_request || matches!(code, Code::NoSuchPath | Code::MethodNotAllowed);
            let is_told = document.contains(&format!("- `{}`: {}", code.as_str(), code.meaning()));
            assert_eq!(is_told, !belongs_to_none, "{code:?}");
        }
    }

    #[test]
    fn every_reference_within_the_document_leads_somewhere() {
        let (_, document) = crate::api::documented().split_for_parts();
        let document: serde_json::Value = serde_json::from_str(&finish(document)).unwrap();
        let mut pending = vec![&document];
        let mut followed = 0;
        while let Some(value) = pending.pop() {
            if let Some(reference) = value.get("$ref").and_then(|reference| reference.as_str()) {
                assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
                followed += 1;
            }
            pending.extend(value.as_object().into_iter().flat_map(|fields| fields.values()));
            pending.extend(value.as_array().into_iter().flatten());
        }
        assert!(followed > 20, "{followed}");
    }
}
