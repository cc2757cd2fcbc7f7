// SPDX-License-Identifier: Apache-2.0
//! Every bound of a run, in one place. What a person can notice of them stands in the reference of the API.

use std::time::Duration;

/// The longest code that is taken, in bytes.
pub use lithouse_core::policy::MAX_CODE_BYTES as CODE_BYTES;

/// The longest timeout that may be asked for.
pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);
/// The shortest one: a run needs a moment to begin at all.
pub const SHORTEST_TIMEOUT: Duration = Duration::from_millis(1);

/// How many files may be given to a run.
pub const INPUT_FILES: usize = 32;
/// How large they may be together, in bytes of their content.
pub const INPUT_BYTES: usize = 16 << 20;
/// How deep a given file may lie in folders.
pub const INPUT_DEPTH: usize = 4;
/// The longest name of a given file, with its folders.
pub const INPUT_NAME_BYTES: usize = 255;
/// How much may be given as standard input.
pub const STDIN_BYTES: usize = 1 << 20;

/// How much is kept of each of the two streams.
pub const KEPT_OUTPUT_BYTES: usize = 1 << 20;
/// A run that writes more than this to both of them together is ended.
pub const OUTPUT_BYTES: u64 = 64 << 20;

/// How many charts a run may have.
pub const CHARTS: usize = 32;
/// The largest picture, in bytes of PNG.
pub const PICTURE_BYTES: usize = 8 << 20;
/// The largest picture, in pixels.
pub const PICTURE_PIXELS: u64 = 25_000_000;
/// The largest figure, and all charts of a run together, in bytes of JSON. Python keeps 20 MiB, and says a few words around each.
pub const CHARTS_BYTES: usize = (20 << 20) + CHARTS * 1024;
/// How many data frames a run may have.
pub const FRAMES: usize = 32;
/// How many rows of each are shown.
pub const FRAME_ROWS: usize = 1000;
/// How many columns of each are shown.
pub const FRAME_COLUMNS: usize = 200;
/// The longest HTML of a data frame, in bytes.
pub const FRAME_HTML_BYTES: usize = 512 << 10;
/// How many variables are shown.
pub const VARIABLES: usize = 200;
/// How many files a run may leave.
pub const OUTPUT_FILES: usize = 32;
/// How large they may be together, in bytes of their content.
pub const OUTPUT_FILE_BYTES: usize = 8 << 20;

/// How much a run may write to its own disk, which lives in memory.
pub const DISK_BYTES: u64 = 64 << 20;
