// SPDX-License-Identifier: Apache-2.0
//! Files that a run has left: a name that leads nowhere else, and a content of the size that it says.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::json;
use super::{Malformed, NAME_BYTES, bounded};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<'a> {
    name: String,
    size: usize,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Checks a file; answers with its size too.
pub(super) fn file(raw: &RawValue) -> Result<(usize, Box<RawValue>), Malformed> {
    let file: File<'_> = serde_json::from_str(raw.get()).map_err(|error| Malformed::of("a file", error))?;
    bounded("bytes in a file's name", file.name.len(), NAME_BYTES)?;
    // An absolute name has an empty first part.
    if file.name.contains(|c: char| c.is_control() || c == '\\')
        || file.name.split('/').any(|part| matches!(part, "" | "." | ".."))
    {
        return Err(Malformed(format!("a file of the name {:?}", file.name)));
    }
    let data: &str = serde_json::from_str(file.data.get()).map_err(|error| Malformed::of("a file", error))?;
    let content = STANDARD.decode(data).map_err(|error| Malformed::of("a file", error))?;
    if content.len() != file.size {
        return Err(Malformed(format!("a file of {} bytes that says {}", content.len(), file.size)));
    }
    json::check(raw)?;
    Ok((file.size, raw.to_owned()))
}
