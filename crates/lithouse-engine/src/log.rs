// SPDX-License-Identifier: Apache-2.0
//! Logs on disk: reading their end, following them, and writing the server's own.
//!
//! A log is a file of lines, `2026-11-20T07:43:19.123Z out | text`, which is renamed to `….1`, `….2` and so on when it is full.
//! What apps print is written by the keeper and what builds print by the builder; this module reads those, and knows nothing of
//! whose they are.

mod bookmark;
mod files;
mod follow;
mod last;
mod read;
mod readable;
mod tail;
mod watch;
mod write;

pub use bookmark::Bookmark;
pub use follow::{Batch, Begin, follow};
pub use read::read;
pub(crate) use readable::{readable, without_unfinished_colour};
pub use tail::tail;
pub use write::{RotatingFile, format_line};
