// SPDX-License-Identifier: Apache-2.0
//! What an answer leads to: which operations take what it tells, and where in it that stands.

use utoipa::openapi::RefOr;
use utoipa::openapi::link::Link;
use utoipa::openapi::path::Operation;

/// The app that was taken.
const NEW_APP: (&str, &str) = ("app", "$response.body#/app_id");
/// The app that was asked about.
const SAME_APP: (&str, &str) = ("app", "$request.path.app");

/// The links of one operation, at its success.
struct Links {
    operation: &'static str,
    status: &'static str,
    /// The operations that they lead to.
    lead_to: &'static [&'static str],
    /// What those take, and where it stands.
    parameters: &'static [(&'static str, &'static str)],
}

const LINKS: [Links; 5] = [
    Links {
        operation: "create_app",
        status: "201",
        lead_to: &[
            "get_app",
            "change_app",
            "start_app",
            "stop_app",
            "restart_app",
            "delete_app",
            "list_releases",
            "create_release",
            "list_files",
            "read_log",
        ],
        parameters: &[NEW_APP],
    },
    Links { operation: "list_apps", status: "200", lead_to: &["list_apps"], parameters: &[("after", "$response.body#/next")] },
    Links {
        operation: "list_files",
        status: "200",
        lead_to: &["read_file"],
        parameters: &[SAME_APP, ("path", "$response.body#/files/0/path")],
    },
    Links {
        operation: "create_release",
        status: "201",
        lead_to: &["activate_release"],
        parameters: &[SAME_APP, ("release", "$response.body#/release")],
    },
    Links {
        operation: "write_file",
        status: "201",
        lead_to: &["activate_release"],
        parameters: &[SAME_APP, ("release", "$response.body#/release")],
    },
];

/// Adds its links to an operation.
pub(super) fn add(operation: &mut Operation) {
    let Some(links) = LINKS.iter().find(|links| operation.operation_id.as_deref() == Some(links.operation)) else { return };
    let Some(RefOr::T(response)) = operation.responses.responses.get_mut(links.status) else { return };
    for id in links.lead_to {
        let link =
            links.parameters.iter().fold(Link::builder().operation_id(*id), |link, (name, value)| link.parameter(*name, *value));
        response.links.insert((*id).to_owned(), link.build().into());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;

    #[test]
    fn every_link_stands_in_the_document_and_leads_to_an_operation_with_that_parameter() {
        let (_, document) = crate::api::documented().split_for_parts();
        let document: Value = serde_json::from_str(&crate::api::document::finish(document)).unwrap();
        let items = document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
        let operations: BTreeMap<_, _> = items.map(|operation| (operation["operationId"].as_str().unwrap(), operation)).collect();
        for links in &LINKS {
            let told = operations[links.operation]["responses"][links.status]["links"].as_object().unwrap();
            assert!(
                told.keys().eq(links.lead_to.iter().copied().collect::<std::collections::BTreeSet<_>>()),
                "{}",
                links.operation
            );
            for (id, (name, _)) in links.lead_to.iter().flat_map(|id| links.parameters.iter().map(move |named| (id, named))) {
                let parameters = operations[id]["parameters"].as_array().unwrap();
                assert!(parameters.iter().any(|parameter| parameter["name"] == *name), "{id} takes no `{name}`");
            }
        }
    }
}
