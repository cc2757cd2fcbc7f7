// SPDX-License-Identifier: Apache-2.0
//! The limit on open descriptors: as high as it may be for server and keeper, and as it was for the programs that they start.

use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit};

/// Tells a process that we start what the limit was before we raised it.
const VARIABLE: &str = "LITHOUSE_OPEN_FILES_BEFORE";

/// What the limit was, once it was raised.
static BEFORE: OnceLock<Option<u64>> = OnceLock::new();

/// Raises the limit as far as we may. Answers what it was before any process of ours did so.
pub fn raise() -> Option<u64> {
    *BEFORE.get_or_init(|| {
        let now = rustix::process::getrlimit(Resource::Nofile);
        let raised = Rlimit { current: now.maximum, maximum: now.maximum };
        // Where that is not allowed, there is less room.
        let _ = rustix::process::setrlimit(Resource::Nofile, raised);
        let told = std::env::var(VARIABLE).ok().and_then(|text| text.parse().ok());
        told.map_or(now.current, |before: u64| Some(now.maximum.map_or(before, |most| before.min(most))))
    })
}

/// The variable that tells a process of ours what the limit was, where it was raised.
pub fn told() -> Option<(&'static str, String)> {
    Some((VARIABLE, BEFORE.get().copied().flatten()?.to_string()))
}
