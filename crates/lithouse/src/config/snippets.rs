// SPDX-License-Identifier: Apache-2.0
//! `[snippets]`: the service that runs Python snippets.

use std::time::Duration;

use super::declare::Flag::{Named, Switch as Yes};
use super::declare::Otherwise::{Found, Text};
use super::declare::section;
use super::reader::{Count, ImportNames, OneOf, Requirements, Seconds, Size, Switch, Word};
use super::template::{Template, Templates};

/// More workers than this gain nothing on one machine.
const MOST_WORKERS: usize = 64;

section! {
    /// How snippets of Python are run.
    pub(crate) struct Snippets in "snippets" {
        /// Whether there is a snippet service.
        enabled: bool as Switch {
            env: &["LITHOUSE_SNIPPETS"],
            default: Text("true"),
        }
        /// How many snippets may run at a time.
        workers: usize as Count<1, MOST_WORKERS> {
            env: &["MAX_WORKERS"],
            flag: Named("max-workers", "N"),
            default: Found("the number of cores", |around| around.cores.clamp(1, MOST_WORKERS)),
        }
        /// How long a snippet may run when its request does not say.
        timeout: Duration as Seconds<1, 60> {
            env: &["TIMEOUT_SECONDS"],
            default: Text("30s"),
        }
        /// How much memory a snippet may take.
        memory: u64 as Size<64_000_000> {
            env: &["LITHOUSE_SNIPPETS_MEMORY"],
            default: Text("512MB"),
        }
        /// Whether a request may ask for the policy `open`.
        ///
        /// The policy `restricted` keeps people from what does not work in the sandbox. What holds code back is the sandbox, under
        /// both.
        allow_open: bool as Switch {
            env: &["LITHOUSE_SNIPPETS_ALLOW_OPEN"],
            flag: Yes("snippets-allow-open"),
            default: Text("false"),
        }
        /// The sandbox that snippets need: `auto`, `full`, `standard`, `basic` or `none`.
        ///
        /// `auto` takes the strongest that this machine offers. With `full`, `standard` or `basic`, no snippet is run where the
        /// machine does not offer that one. `none` runs snippets without any confinement: whoever may send one can do all that the
        /// user of the server can.
        sandbox: Sandbox as OneOf<Sandbox> {
            env: &["LITHOUSE_SNIPPETS_SANDBOX"],
            flag: Named("snippets-sandbox", "LEVEL"),
            default: Text("auto"),
        }
        /// Requirements to install beside numpy, pandas, matplotlib and plotly.
        packages: Vec<String> as Requirements {
            default: Found("none", |_| Vec::new()),
        }
        /// Names that the policy `restricted` lets snippets import besides its own.
        libraries: Vec<String> as ImportNames {
            default: Found("none", |_| Vec::new()),
        }
        /// Templates to offer besides the built-in ones; one with the name of a built-in one takes its place.
        templates: Vec<Template> as Templates {
            default: Found("none", |_| Vec::new()),
        }
    }
}

/// The sandbox that snippets need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sandbox {
    /// The strongest that the machine offers; without any, no snippet is run.
    Auto,
    /// Namespaces, a memory and process group of the kernel, and a filter of system calls.
    Full,
    /// Namespaces and a filter of system calls.
    Standard,
    /// File rules of the kernel and a filter of system calls.
    Basic,
    /// No confinement at all.
    None,
}

impl Word for Sandbox {
    const WORDS: &'static [(&'static str, Option<Self>)] = &[
        ("auto", Some(Self::Auto)),
        ("full", Some(Self::Full)),
        ("standard", Some(Self::Standard)),
        ("basic", Some(Self::Basic)),
        ("none", Some(Self::None)),
    ];
}
