// SPDX-License-Identifier: Apache-2.0
//! `[auth]`: who may do what.

use super::declare::Flag::Named;
use super::declare::Otherwise::{Found, Text};
use super::declare::section;
use super::reader::{NotYet, Nothing, OneOf, Word};

section! {
    /// Who may do what.
    pub(crate) struct Auth in "auth" {
        /// Who may do what: `auto` or `none`.
        ///
        /// `auto` is open to the user who runs the server and to root, on this machine, and refuses to listen where others reach
        /// it. `none` is open to everybody who can reach it: they may deploy and run programs here.
        mode: AuthMode as OneOf<AuthMode> {
            env: &["LITHOUSE_AUTH"],
            flag: Named("auth", "MODE"),
            default: Text("auto"),
        }
        /// File of names and passwords.
        htpasswd: Option<Nothing> as NotYet {
            env: &["LITHOUSE_HTPASSWD"],
            default: Found("none", |_| None),
        }
    }
}

/// How the server asks who somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthMode {
    /// Open to the local user of a loopback listener; nothing else is listened on.
    Auto,
    /// Open to everybody.
    None,
}

impl Word for AuthMode {
    const WORDS: &'static [(&'static str, Option<Self>)] =
        &[("auto", Some(Self::Auto)), ("none", Some(Self::None)), ("password", None)];
}
