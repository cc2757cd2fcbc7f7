// SPDX-License-Identifier: Apache-2.0
//! `[apps.<key>.limits]`: what one app may take.

use lithouse_core::limits::{Cores, LEAST_MEMORY, LEAST_OPEN_FILES, LEAST_PROCESSES, Limits, MOST_OPEN_FILES, MOST_PROCESSES};
use serde_json::Value as Json;

use super::declare::Otherwise::Found;
use super::declare::section;
use super::file::Node;
use super::layers::Scope;
use super::reader::{Maybe, Number, Reader, Share, Size, Wrong};

/// Processes and threads.
pub(super) type Processes = Number<LEAST_PROCESSES, MOST_PROCESSES>;
/// Open descriptors.
pub(super) type OpenFiles = Number<LEAST_OPEN_FILES, MOST_OPEN_FILES>;

section! {
    /// What one app may take, with all that it starts.
    pub(crate) struct LimitsTable in "apps.<key>.limits" {
        /// Memory. An app that uses all of it is ended, and the reason says so.
        memory: Option<u64> as Maybe<Size<LEAST_MEMORY>> {
            default: Found("that of `[hosting]`", |_| None),
        }
        /// Processor time, in cores.
        cpu: Option<Cores> as Maybe<Share> {
            default: Found("that of `[hosting]`", |_| None),
        }
        /// Processes and threads.
        processes: Option<u32> as Maybe<Processes> {
            default: Found("that of `[hosting]`", |_| None),
        }
        /// Open files and connections of each process.
        open_files: Option<u32> as Maybe<OpenFiles> {
            default: Found("that of `[hosting]`", |_| None),
        }
    }
}

/// Reads the table.
pub(super) struct LimitsOfApp;

impl Reader for LimitsOfApp {
    type Value = Limits;

    fn expected() -> String {
        "a table is expected".to_owned()
    }

    fn example() -> &'static str {
        "limits = { memory = \"1GB\" }"
    }

    fn of_text(_text: &str) -> Result<Limits, Wrong> {
        Err(Wrong::Form)
    }

    fn show(limits: &Limits) -> Json {
        let Limits { memory, cpu, processes, open_files } = *limits;
        let table = LimitsTable { memory, cpu, processes, open_files };
        let said: serde_json::Map<String, Json> = table
            .show()
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(setting, value)| (setting.name.to_owned(), value))
            .collect();
        if said.is_empty() { Json::Null } else { Json::Object(said) }
    }

    /// What is wrong in it is told with its own line.
    fn of_node(node: &Node, scope: &mut Scope<'_>) -> Result<Limits, Wrong> {
        let mut table = scope.at(scope.key("limits"), node);
        let known: Vec<&str> = LimitsTable::SETTINGS.iter().map(|setting| setting.name).collect();
        table.refuse_unknown(&known, &[]);
        let read = LimitsTable::read(&mut table);
        Ok(read.map_or_else(Limits::default, |LimitsTable { memory, cpu, processes, open_files }| Limits {
            memory,
            cpu,
            processes,
            open_files,
        }))
    }
}
