// SPDX-License-Identifier: Apache-2.0
//! Every code of the API's problems, once: its name, its status, what it means, and what to do then. Programs rely on the names; a new one is an
//! addition, a changed or missing one breaks them.

use http::StatusCode;

macro_rules! codes {
    ($($(#[doc = $meaning:literal])+ $name:ident = $status:ident $text:literal: $remedy:literal,)+) => {
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

            /// What to do then, in a clause. It is the hint of a problem that has no closer one.
            pub(super) fn remedy(self) -> &'static str {
                match self {
                    $(Self::$name => $remedy,)+
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
    MissingField = BAD_REQUEST "missing_field":
        "add the field; with curl `-F app=@app.py`, and do not forget the `@`",
    /// the upload has a field that is not known
    UnknownField = BAD_REQUEST "unknown_field":
        "correct its name: the hint lists those that are known. A release has no `key`, `name` or `description`",
    /// a field of the upload is there twice
    DuplicateField = BAD_REQUEST "duplicate_field":
        "send it once",
    /// both a bundle and single files
    ContradictingFields = BAD_REQUEST "contradicting_fields":
        "send either `bundle`, or `requirements` and `app`",
    /// `app`, `bundle` or the script is empty
    EmptyFile = BAD_REQUEST "empty_file":
        "look whether the file was saved, and whether its path is right",
    /// the form cannot be read
    BrokenMultipart = BAD_REQUEST "broken_multipart":
        "let a library or `curl -F` make the form; where it ended early, send it again",
    /// the body ended early
    BrokenBody = BAD_REQUEST "broken_body":
        "send it again, without long pauses, and with the true `Content-Length`",
    /// the archive is none, is hostile, or is too large unpacked
    InvalidBundle = BAD_REQUEST "invalid_bundle":
        "send a zip or a tar.gz of the app's folder: the detail names the entry and what is wrong with it",
    /// there is no script in it
    NoEntry = BAD_REQUEST "no_entry":
        "name the script `app.py`, and put it at the top, or at the top of the only folder",
    /// Python cannot read the script; the detail has the line
    InvalidScript = BAD_REQUEST "invalid_script":
        "correct the script at the line that the detail names, or save it as UTF-8",
    /// the requirements are no text, or name files that were not sent
    InvalidRequirements = BAD_REQUEST "invalid_requirements":
        "save the file as UTF-8; send what it includes along in a bundle",
    /// the key is out of form
    InvalidKey = BAD_REQUEST "invalid_key":
        "use up to 63 of `a-z`, `0-9` and `-`, beginning with a letter or digit, and not 16 hexadecimal digits",
    /// the name is out of form or too long
    InvalidName = BAD_REQUEST "invalid_name":
        "use one line of 1 to 200 characters",
    /// the description is too long
    InvalidDescription = BAD_REQUEST "invalid_description":
        "use 10,000 characters at most, none of them invisible",
    /// a variable's name or value that cannot be
    InvalidVariable = BAD_REQUEST "invalid_variable":
        "use letters, digits and `_` in the name, and no NUL in the value",
    /// a variable that Lithouse sets itself
    ReservedVariable = BAD_REQUEST "reserved_variable":
        "choose another name",
    /// a limit that no app could run within, or that is none
    InvalidLimit = BAD_REQUEST "invalid_limit":
        "choose a number within the bounds of the detail, or null for none",
    /// the body is not JSON
    InvalidJson = BAD_REQUEST "invalid_json":
        "correct the body at the place that the detail names",
    /// a field of the body is unknown or of the wrong type
    InvalidField = BAD_REQUEST "invalid_field":
        "correct the field: the detail names it, and what is expected",
    /// a parameter of the URL is unknown or wrong
    InvalidParameter = BAD_REQUEST "invalid_parameter":
        "correct the parameter: the detail names it, and what is expected",
    /// the path is not UTF-8 text, or cannot be a file's
    InvalidPath = BAD_REQUEST "invalid_path":
        "write the path relative to the app's folder, with `/`, without `..`, in UTF-8",
    /// the path of a file leads to a folder
    IsAFolder = BAD_REQUEST "is_a_folder":
        "name a file in it",
    /// the path of a file leads through a file
    NotAFolder = BAD_REQUEST "not_a_folder":
        "choose another path, or take the file away with a new release",
    /// a timeout that is not offered
    TimeoutOutOfRange = BAD_REQUEST "timeout_out_of_range":
        "ask for 0.001 to 60 seconds",
    /// a file for a snippet that cannot be: its name, its base64, or one too many
    InvalidFiles = BAD_REQUEST "invalid_files":
        "correct the file that the detail names",
    /// what came is no HTTP/1.1 request
    NotHttp = BAD_REQUEST "not_http":
        "ask by HTTP/1.1, without TLS; a proxy in front speaks TLS with browsers",
    /// neither the local user nor root asks, or another server passed the request on
    NotSignedIn = UNAUTHORIZED "not_signed_in":
        "ask as the user who runs the server, or as root, on its own machine",
    /// the `Host` is not ours
    HostNotServed = FORBIDDEN "host_not_served":
        "ask by the address that the server listens on, or by its `public_base`",
    /// a page of another origin sends it
    ForeignOrigin = FORBIDDEN "foreign_origin":
        "send it from a page of this server, or from a program, which sends no `Origin`",
    /// the operator does not allow the policy `open`
    OpenNotAllowed = FORBIDDEN "open_not_allowed":
        "leave `policy` out; the operator can set `snippets.allow_open`",
    /// only the control socket of the data folder takes it
    ControlSocketOnly = FORBIDDEN "control_socket_only":
        "run `lithouse` on the server's machine, as the user who runs the server",
    /// no app has that id or key
    NoSuchApp = NOT_FOUND "no_such_app":
        "look for its id or key with `GET /api/apps`",
    /// the app has no such release
    NoSuchRelease = NOT_FOUND "no_such_release":
        "look for its number with `GET /api/apps/{app}/releases`",
    /// the app has no such file
    NoSuchFile = NOT_FOUND "no_such_file":
        "look for its path with `GET /api/apps/{app}/files`",
    /// there is nothing at that path
    NoSuchPath = NOT_FOUND "no_such_path":
        "see `/docs` for the paths of the API, and `/` for the apps",
    /// the path does not know that method; `Allow` names those it knows
    MethodNotAllowed = METHOD_NOT_ALLOWED "method_not_allowed":
        "use one of the methods in `Allow`",
    /// another app has that key
    NameTaken = CONFLICT "name_taken":
        "choose another key, or send a new release of that app",
    /// that release is the active one, and none is on its way
    AlreadyActive = CONFLICT "already_active":
        "there is nothing to do: it is as you want it",
    /// the app's files are a person's folder: no releases and no edits
    ServedInPlace = CONFLICT "served_in_place":
        "change the files in that folder, and restart the app",
    /// a folder or the configuration names the app, and would bring it back
    Declared = CONFLICT "declared":
        "take it out of the folder or the configuration; then `lithouse refresh`",
    /// the configuration says it of the app, and would say it again
    Configured = CONFLICT "configured":
        "change it in the configuration; then `lithouse refresh`",
    /// the configuration, or the folder of apps, cannot be used as it is; nothing has changed
    InvalidConfiguration = CONFLICT "invalid_configuration":
        "correct what the detail names; then refresh again",
    /// no successor could take the server's place; it goes on
    NotReplaced = CONFLICT "not_replaced":
        "see the detail, mend it, and try again",
    /// the app is being deleted
    BeingDeleted = CONFLICT "being_deleted":
        "wait until it is gone; then its key is free",
    /// a file, a field or the body is larger than allowed
    TooLarge = PAYLOAD_TOO_LARGE "too_large":
        "send less: the detail names what is too large, and how large it may be",
    /// the address in the first line of the request is too long
    AddressTooLong = URI_TOO_LONG "address_too_long":
        "send in the body what makes it so long",
    /// the head of the request is too large, or has too many headers
    HeadTooLarge = REQUEST_HEADER_FIELDS_TOO_LARGE "head_too_large":
        "send fewer headers; in a browser, delete the cookies of this address",
    /// the code of a snippet is longer than 51,200 bytes
    SnippetTooLarge = PAYLOAD_TOO_LARGE "code_too_large":
        "send data with `files`",
    /// the body is not `multipart/form-data`
    NotMultipart = UNSUPPORTED_MEDIA_TYPE "not_multipart":
        "send a form, as `curl -F` does",
    /// the body is not `application/json`
    NotJson = UNSUPPORTED_MEDIA_TYPE "not_json":
        "send JSON, with `Content-Type: application/json`",
    /// something went wrong in the server, whose log tells more
    Internal = INTERNAL_SERVER_ERROR "internal":
        "look for the request id in `controller.log`, and report it",
    /// the server is being replaced, and could not wait for the end of the request
    ServerRestarting = SERVICE_UNAVAILABLE "server_restarting":
        "ask again after `Retry-After`",
    /// as many requests are under way as there are descriptors for
    TooManyRequests = SERVICE_UNAVAILABLE "too_many_requests":
        "ask again after `Retry-After`; raise the limit on open files",
    /// every port of the range is taken
    NoFreePort = SERVICE_UNAVAILABLE "no_free_port":
        "stop an app that is not needed, or widen `hosting.port_range`",
    /// the deletion takes long, and goes on
    StillDeleting = SERVICE_UNAVAILABLE "still_deleting":
        "ask for the app until the answer is 404",
    /// as many snippets as may wait are waiting
    QueueFull = SERVICE_UNAVAILABLE "queue_full":
        "ask again after `Retry-After`",
    /// the environment of the snippets is being built
    EnvironmentBuilding = SERVICE_UNAVAILABLE "environment_building":
        "ask again after `Retry-After`",
    /// no snippet can be run here now
    SnippetsUnavailable = SERVICE_UNAVAILABLE "snippets_unavailable":
        "see the detail, and `lithouse doctor`",
    /// the disk of the data folder is full
    DiskFull = INSUFFICIENT_STORAGE "disk_full":
        "free some space, or delete apps that are not needed",
    /// the disk of the data folder is read-only
    DiskReadOnly = INSUFFICIENT_STORAGE "disk_read_only":
        "mount the disk for writing again",
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::reference::assert_generated;

    const ABOUT: &str = "\
# Problems

This page is generated: `UPDATE_SNAPSHOTS=1 cargo test -p lithouse code` writes it anew.

Every error of the API is a problem document (RFC 9457) with a `code` from this page. Programs may rely on the codes and on their
status; the words of `detail` and `hint` are for people, and change. Whatever is refused with a status below 500 has changed nothing.
How a document is made, and the codes of the paths below `/apps/`, are told in [the HTTP API](api.md#problems).

| status | `code` | when | what to do |
|---|---|---|---|
";

    #[test]
    fn the_page_of_problems_is_made_of_the_codes() {
        let mut page = ABOUT.to_owned();
        for code in Code::ALL {
            let (status, name) = (code.status().as_u16(), code.as_str());
            writeln!(page, "| {status} | `{name}` | {} | {} |", code.meaning(), code.remedy()).unwrap();
        }
        assert_generated("errors.md", &page);
    }

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
