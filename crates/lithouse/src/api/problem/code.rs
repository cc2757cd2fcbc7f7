// SPDX-License-Identifier: Apache-2.0
//! Every code of the API's problems, once: its name, its status, and what it means. Programs rely on the names; a new one is an
//! addition, a changed or missing one breaks them.

use http::StatusCode;

macro_rules! codes {
    ($($(#[doc = $meaning:literal])+ $name:ident = $status:ident $text:literal,)+) => {
        /// The stable word for what went wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code {
            $($(#[doc = $meaning])+ $name,)+
        }

        impl Code {
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)+];

            /// The word that stands in the problem.
            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }

            /// The status that it comes with, always the same.
            pub(crate) fn status(self) -> StatusCode {
                match self {
                    $(Self::$name => StatusCode::$status,)+
                }
            }

            /// What it means, in a clause.
            pub(crate) fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($meaning),+).trim_ascii(),)+
                }
            }
        }
    };
}

codes! {
    /// a field of the upload is missing
    MissingField = BAD_REQUEST "missing_field",
    /// the upload has a field that is not known
    UnknownField = BAD_REQUEST "unknown_field",
    /// a field of the upload is there twice
    DuplicateField = BAD_REQUEST "duplicate_field",
    /// both a bundle and single files
    ContradictingFields = BAD_REQUEST "contradicting_fields",
    /// `app` or `bundle` is empty
    EmptyFile = BAD_REQUEST "empty_file",
    /// the form cannot be read
    BrokenMultipart = BAD_REQUEST "broken_multipart",
    /// the body ended early
    BrokenBody = BAD_REQUEST "broken_body",
    /// the archive is none, is hostile, or is too large unpacked
    InvalidBundle = BAD_REQUEST "invalid_bundle",
    /// there is no script in it
    NoEntry = BAD_REQUEST "no_entry",
    /// the key is out of form
    InvalidKey = BAD_REQUEST "invalid_key",
    /// the name is out of form or too long
    InvalidName = BAD_REQUEST "invalid_name",
    /// the description is too long
    InvalidDescription = BAD_REQUEST "invalid_description",
    /// a variable's name or value that cannot be
    InvalidVariable = BAD_REQUEST "invalid_variable",
    /// a variable that Lithouse sets itself
    ReservedVariable = BAD_REQUEST "reserved_variable",
    /// a limit that no app could run within, or that is none
    InvalidLimit = BAD_REQUEST "invalid_limit",
    /// the body is not JSON
    InvalidJson = BAD_REQUEST "invalid_json",
    /// a field of the body is unknown or of the wrong type
    InvalidField = BAD_REQUEST "invalid_field",
    /// a parameter of the URL is unknown or wrong
    InvalidParameter = BAD_REQUEST "invalid_parameter",
    /// the path is not UTF-8 text, or cannot be a file's
    InvalidPath = BAD_REQUEST "invalid_path",
    /// the path of a file leads to a folder
    IsAFolder = BAD_REQUEST "is_a_folder",
    /// the path of a file leads through a file
    NotAFolder = BAD_REQUEST "not_a_folder",
    /// a timeout that is not offered
    TimeoutOutOfRange = BAD_REQUEST "timeout_out_of_range",
    /// a file for a snippet that cannot be: its name, its base64, or one too many
    InvalidFiles = BAD_REQUEST "invalid_files",
    /// neither the local user nor root asks, or another server passed the request on
    NotSignedIn = UNAUTHORIZED "not_signed_in",
    /// the `Host` is not ours
    HostNotServed = FORBIDDEN "host_not_served",
    /// a page of another origin sends it
    ForeignOrigin = FORBIDDEN "foreign_origin",
    /// the operator does not allow the policy `open`
    OpenNotAllowed = FORBIDDEN "open_not_allowed",
    /// only the control socket of the data folder takes it
    ControlSocketOnly = FORBIDDEN "control_socket_only",
    /// no app has that id or key
    NoSuchApp = NOT_FOUND "no_such_app",
    /// the app has no such release
    NoSuchRelease = NOT_FOUND "no_such_release",
    /// the app has no such file
    NoSuchFile = NOT_FOUND "no_such_file",
    /// there is nothing at that path
    NoSuchPath = NOT_FOUND "no_such_path",
    /// the path does not know that method; `Allow` names those it knows
    MethodNotAllowed = METHOD_NOT_ALLOWED "method_not_allowed",
    /// another app has that key
    NameTaken = CONFLICT "name_taken",
    /// that release is the active one, and none is on its way
    AlreadyActive = CONFLICT "already_active",
    /// the app's files are a person's folder: no releases and no edits
    ServedInPlace = CONFLICT "served_in_place",
    /// a folder or the configuration names the app, and would bring it back
    Declared = CONFLICT "declared",
    /// the configuration, or the folder of apps, cannot be used as it is; nothing has changed
    InvalidConfiguration = CONFLICT "invalid_configuration",
    /// no successor could take the server's place; it goes on
    NotReplaced = CONFLICT "not_replaced",
    /// the app is being deleted
    BeingDeleted = CONFLICT "being_deleted",
    /// a file, a field or the body is larger than allowed
    TooLarge = PAYLOAD_TOO_LARGE "too_large",
    /// the code of a snippet is longer than 51,200 bytes
    SnippetTooLarge = PAYLOAD_TOO_LARGE "code_too_large",
    /// the body is not `multipart/form-data`
    NotMultipart = UNSUPPORTED_MEDIA_TYPE "not_multipart",
    /// the body is not `application/json`
    NotJson = UNSUPPORTED_MEDIA_TYPE "not_json",
    /// something went wrong in the server, whose log tells more
    Internal = INTERNAL_SERVER_ERROR "internal",
    /// the server is being replaced, and could not wait for the end of the request
    ServerRestarting = SERVICE_UNAVAILABLE "server_restarting",
    /// every port of the range is taken
    NoFreePort = SERVICE_UNAVAILABLE "no_free_port",
    /// the deletion takes long, and goes on
    StillDeleting = SERVICE_UNAVAILABLE "still_deleting",
    /// as many snippets as may wait are waiting
    QueueFull = SERVICE_UNAVAILABLE "queue_full",
    /// the environment of the snippets is being built
    EnvironmentBuilding = SERVICE_UNAVAILABLE "environment_building",
    /// no snippet can be run here now
    SnippetsUnavailable = SERVICE_UNAVAILABLE "snippets_unavailable",
    /// the disk of the data folder is full
    DiskFull = INSUFFICIENT_STORAGE "disk_full",
    /// the disk of the data folder is read-only
    DiskReadOnly = INSUFFICIENT_STORAGE "disk_read_only",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_for_people_has_every_code_with_its_status() {
        let reference = include_str!("../../../../../docs/reference/api.md");
        for code in Code::ALL {
            let (status, name) = (format!("| {} |", code.status().as_u16()), format!("`{}`", code.as_str()));
            let is_told = reference.lines().any(|line| line.starts_with(&status) && line.contains(&name));
            assert!(is_told, "{name} with {status} is missing in docs/reference/api.md");
        }
    }
}
