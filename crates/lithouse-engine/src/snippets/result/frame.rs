// SPDX-License-Identifier: Apache-2.0
//! Data frames: the shape that they are answered in, within its bounds. What is in the cells is the code's affair.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::few::Few;
use super::{Malformed, NAME_BYTES, bounded, json, table};
use crate::snippets::limits::{FRAME_COLUMNS, FRAME_HTML_BYTES, FRAME_ROWS};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame<'a> {
    name: String,
    #[serde(borrow)]
    columns: Few<&'a RawValue, FRAME_COLUMNS>,
    #[serde(borrow)]
    dtypes: &'a RawValue,
    #[serde(borrow)]
    index: Few<&'a RawValue, FRAME_ROWS>,
    #[serde(borrow)]
    data: Few<Few<&'a RawValue, FRAME_COLUMNS>, FRAME_ROWS>,
    shape: [u64; 2],
    truncated: bool,
    html: String,
}

/// Checks a data frame.
pub(super) fn frame(raw: &RawValue) -> Result<Box<RawValue>, Malformed> {
    let frame: Frame<'_> = serde_json::from_str(raw.get()).map_err(|error| Malformed::of("a data frame", error))?;
    bounded("bytes in a data frame's name", frame.name.len(), NAME_BYTES)?;
    bounded("bytes of HTML", frame.html.len(), FRAME_HTML_BYTES)?;
    table::check(&frame.html, frame.columns.0.len())?;
    if frame.data.0.iter().any(|row| row.0.len() != frame.columns.0.len()) {
        return Err(Malformed("a row that is not as long as there are columns".to_owned()));
    }
    let shown = [frame.data.0.len(), frame.columns.0.len()].map(|count| count as u64);
    if shown[0] > frame.shape[0] || shown[1] > frame.shape[1] || (!frame.truncated && shown != frame.shape) {
        return Err(Malformed("a data frame of another shape than it says".to_owned()));
    }
    if frame.index.0.len() != frame.data.0.len() {
        return Err(Malformed("an index that is not as long as there are rows".to_owned()));
    }
    if !frame.dtypes.get().starts_with(['[', '{']) {
        return Err(Malformed("a data frame without types".to_owned()));
    }
    json::check(raw)?;
    Ok(raw.to_owned())
}
