// SPDX-License-Identifier: Apache-2.0
//! Charts: a picture in PNG, or a figure of plotly's.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::json;
use super::{Malformed, bounded};
use crate::snippets::limits::{CHARTS_BYTES, PICTURE_BYTES, PICTURE_PIXELS};

/// A figure's own idea of its size can be anything; none is wider or higher than this.
const LONGEST_SIDE: f64 = 1e5;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chart<'a> {
    #[serde(rename = "type")]
    kind: String,
    format: String,
    #[serde(borrow)]
    data: &'a RawValue,
    width: f64,
    height: f64,
}

/// A picture with the size that it really has.
#[derive(Serialize)]
struct Picture<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    format: &'a str,
    data: &'a str,
    width: u32,
    height: u32,
}

/// Checks a chart.
pub(super) fn chart(raw: &RawValue) -> Result<Box<RawValue>, Malformed> {
    bounded("bytes in a chart", raw.get().len(), CHARTS_BYTES)?;
    let chart: Chart<'_> = serde_json::from_str(raw.get()).map_err(|error| Malformed::of("a chart", error))?;
    match (chart.kind.as_str(), chart.format.as_str()) {
        ("matplotlib", "png") => picture(&chart),
        ("plotly", "json") => figure(&chart, raw),
        (kind, format) => {
            // The words are the child's, and may be of any length.
            let short = |word: &str| word.chars().take(16).collect::<String>();
            Err(Malformed(format!("a chart of type {:?} in format {:?}", short(kind), short(format))))
        }
    }
}

fn picture(chart: &Chart<'_>) -> Result<Box<RawValue>, Malformed> {
    // Base64 needs no escape in JSON, so its text can be borrowed.
    let data: &str = serde_json::from_str(chart.data.get()).map_err(|error| Malformed::of("a picture", error))?;
    bounded("bytes in a picture", data.len(), PICTURE_BYTES / 3 * 4 + 4)?;
    let bytes = STANDARD.decode(data).map_err(|error| Malformed::of("a picture", error))?;
    let (width, height) = size_of_png(&bytes).ok_or_else(|| Malformed("a picture that is no PNG".to_owned()))?;
    if u64::from(width) * u64::from(height) > PICTURE_PIXELS {
        return Err(Malformed(format!("a picture of {width} × {height} pixels")));
    }
    let picture = Picture { kind: &chart.kind, format: &chart.format, data, width, height };
    to_raw_value(&picture).map_err(|error| Malformed::of("a picture", error))
}

/// Width and height from the header of a PNG, with an end where it should be; none for anything else.
fn size_of_png(bytes: &[u8]) -> Option<(u32, u32)> {
    const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR";
    const END: &[u8] = b"\0\0\0\0IEND\xae\x42\x60\x82";
    let (width, rest) = bytes.strip_prefix(SIGNATURE)?.split_first_chunk::<4>()?;
    let (height, rest) = rest.split_first_chunk::<4>()?;
    let (width, height) = (u32::from_be_bytes(*width), u32::from_be_bytes(*height));
    (rest.ends_with(END) && width > 0 && height > 0).then_some((width, height))
}

fn figure(chart: &Chart<'_>, raw: &RawValue) -> Result<Box<RawValue>, Malformed> {
    if !chart.data.get().starts_with('{') {
        return Err(Malformed("a figure that is no object".to_owned()));
    }
    for side in [chart.width, chart.height] {
        if !(0.0..=LONGEST_SIDE).contains(&side) {
            return Err(Malformed(format!("a figure with a side of {side}")));
        }
    }
    json::check(raw)?;
    Ok(raw.to_owned())
}
