// SPDX-License-Identifier: Apache-2.0
//! What a zygote is to be, as it travels from the server to the launcher, and what the launcher answers.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::level::Level;
use crate::limits::Limits;

/// Where the cache is found inside the tree of `full` and `standard`.
pub const CACHE: &str = "/var/cache/snippet";
/// Where each child has its files inside that tree.
pub(crate) const HOME: &str = "/home/snippet";
/// The first of the user ids that are ours where we are root: the zygote's. The slots' follow.
pub const FIRST_UID: u32 = 0x7C00_0000;

/// A zygote and its surroundings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Exactly this level is used, or nothing is started.
    pub level: Level,
    /// The interpreter: an absolute path beneath one of `readable`.
    pub python: PathBuf,
    /// Its arguments; the number of the descriptor with the [`Handover`](super::Handover) is added as the last one.
    pub args: Vec<String>,
    /// Its whole environment.
    pub env: Vec<(String, String)>,
    /// What it and its children may read, at the same paths: the environment, the interpreter's own files, our Python code.
    pub readable: Vec<PathBuf>,
    /// A folder that can be written while the zygote warms up, and only read from then on. Inside it is at [`Spec::cache_inside`].
    pub cache: PathBuf,
    /// In `basic` and `none`: where the slots have their folders. Not used otherwise.
    pub workspace: PathBuf,
    /// How many slots there are: their indices are below it.
    pub slots: u32,
    /// What one child may use.
    pub limits: Limits,
    /// Where we are root: give zygote and slots user ids that nobody has. Others must then be able to read everything in `readable`.
    pub own_uids: bool,
}

/// What the launcher tells over the control socket before Python does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// All is prepared, and the interpreter is about to run. What it says itself comes next.
    Launched(Launched),
    /// There will be no zygote.
    LaunchFailed(Failure),
}

/// How the zygote came to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launched {
    /// The level, as it was asked for.
    pub level: Level,
    /// Whether each slot has a user id that nothing else on the machine has.
    pub own_uids: bool,
    /// The version of the kernel's Landlock interface, if it has one.
    pub landlock: Option<u32>,
}

impl Spec {
    /// The specification as one message for the control socket.
    pub fn to_message(&self) -> Vec<u8> {
        #[expect(
            clippy::expect_used,
            reason = "paths that came from JSON or from our own folders are text, and nothing else here can fail"
        )]
        serde_json::to_vec(self).expect("a specification is plain data")
    }

    /// The user id to be sent with a fork: in the zygote's own numbering.
    pub fn slot_uid(&self, index: u32) -> u32 {
        if self.level.has_namespaces() { 1 + index } else { FIRST_UID + 1 + index }
    }

    /// The folder of a slot in `basic` and `none`, which the server empties between two runs but never removes: the rules that
    /// open it to the child stick to the folder itself, not to its name.
    pub fn slot_folder(&self, index: u32) -> PathBuf {
        self.workspace.join(format!("slot-{index}"))
    }

    /// Where the zygote finds its cache.
    pub fn cache_inside(&self) -> &Path {
        if self.level.has_namespaces() { Path::new(CACHE) } else { &self.cache }
    }
}

impl Answer {
    /// Reads a message from the control socket; `None` when it is not the launcher's.
    pub fn of_message(message: &[u8]) -> Option<Self> {
        serde_json::from_slice(message).ok()
    }
}
