// SPDX-License-Identifier: Apache-2.0
//! Bundles: an app's files as one archive, and the rules for every path that comes from outside.
//!
//! Owns unpacking uploads beneath one root, packing a folder for `deploy`, and finding an app's entry file. Knows nothing of
//! releases, uploads or HTTP, and does not judge what the files contain. Everything here blocks: call it from `spawn_blocking`.

mod entry;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod kind;
mod pack;
mod path;
mod sink;
mod tar;
mod unpack;
mod zip;

pub use entry::find_entry;
pub use kind::{ArchiveKind, DetectError, detect};
pub use pack::{PackError, Packed, pack_tar_gz};
pub use path::{FilePath, PathError};
pub use unpack::{UnpackError, UnpackLimits, Unpacked, unpack};
