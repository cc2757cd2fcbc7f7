// SPDX-License-Identifier: Apache-2.0
//! The few fields of Streamlit's messages that the proof needs, read straight from protobuf's wire format.
//!
//! The numbers have been the same since long before the oldest version we support; a generated decoder would tie us to one
//! version's schema. What is not understood is skipped, so the worst case is a proof that sees less.

/// `BackMsg { rerun_script: ClientState {} }`: run the default page.
pub(super) const RERUN_SCRIPT: &[u8] = &[0x5a, 0x00];

/// What one message of the app tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sign {
    NewRun,
    Shown,
    Exception(String),
    NotCompiled(String),
    Ended(ScriptEnd),
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScriptEnd {
    Finished,
    NotCompiled,
}

/// Reads a `ForwardMsg`.
pub(super) fn read(message: &[u8]) -> Sign {
    for field in Fields(message) {
        match (field.number, field.value) {
            (4, Value::Bytes(_)) => return Sign::NewRun,
            (5, Value::Bytes(delta)) => return read_delta(delta),
            (6, Value::Number(0)) => return Sign::Ended(ScriptEnd::Finished),
            (6, Value::Number(1)) => return Sign::Ended(ScriptEnd::NotCompiled),
            (10, Value::Bytes(event)) => {
                if let Some(exception) = bytes_of(event, 3) {
                    return Sign::NotCompiled(describe(exception));
                }
            }
            _ => {}
        }
    }
    Sign::Other
}

fn read_delta(delta: &[u8]) -> Sign {
    let exception = bytes_of(delta, 3).and_then(|element| bytes_of(element, 8));
    match exception {
        Some(exception) if !is_warning(exception) => Sign::Exception(describe(exception)),
        _ => Sign::Shown,
    }
}

fn is_warning(exception: &[u8]) -> bool {
    Fields(exception).any(|field| field.number == 5 && field.value == Value::Number(1))
}

/// `ValueError: no`, with the last line of the trace that names a file.
fn describe(exception: &[u8]) -> String {
    let text = |number| bytes_of(exception, number).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let kind = text(1).unwrap_or_default();
    let message: String = text(2).unwrap_or_default().chars().take(500).collect();
    let mut told = match (kind.is_empty(), message.is_empty()) {
        (false, false) => format!("`{kind}: {message}`"),
        (false, true) => format!("`{kind}`"),
        (true, _) => format!("`{message}`"),
    };
    let place = Fields(exception)
        .filter_map(|field| match (field.number, field.value) {
            (3, Value::Bytes(line)) => Some(String::from_utf8_lossy(line).into_owned()),
            _ => None,
        })
        .filter_map(|line| place_of(&line))
        .last();
    if let Some(place) = place {
        told.push_str(" in ");
        told.push_str(&place);
    }
    told
}

/// `File "/…/app.py", line 3, in <module>` becomes `app.py`, line 3.
fn place_of(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("File \"")?;
    let (path, rest) = rest.split_once("\", line ")?;
    // Frames of Python itself and of packages say little about where to look.
    if path.contains("/site-packages/") || path.contains("/lib/python3") {
        return None;
    }
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let file = path.rsplit('/').next().unwrap_or(path);
    Some(format!("`{file}`, line {number}"))
}

fn bytes_of(message: &[u8], number: u64) -> Option<&[u8]> {
    Fields(message).find_map(|field| match field.value {
        Value::Bytes(bytes) if field.number == number => Some(bytes),
        Value::Bytes(_) | Value::Number(_) => None,
    })
}

struct Field<'a> {
    number: u64,
    value: Value<'a>,
}

#[derive(Debug, PartialEq, Eq)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of one message, in order; ends at the first byte that makes no sense.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Number(self.varint()?),
            1 => Value::Bytes(self.take(8)?),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Bytes(self.take(4)?),
            _ => return None,
        };
        Some(Field { number: tag >> 3, value })
    }
}

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2, u8::try_from(content.len()).unwrap()];
        bytes.extend(content);
        bytes
    }

    fn exception(extra: &[u8]) -> Vec<u8> {
        let parts = [
            field(1, b"ValueError"),
            field(2, b"no"),
            field(3, b"  File \"/data/apps/x/releases/1/app.py\", line 3, in <module>"),
            extra.to_vec(),
        ];
        parts.concat()
    }

    #[test]
    fn the_end_of_a_script_is_told_from_its_zero() {
        assert_eq!(read(&[0x30, 0x00]), Sign::Ended(ScriptEnd::Finished));
        assert_eq!(read(&[0x30, 0x01]), Sign::Ended(ScriptEnd::NotCompiled));
        assert_eq!(read(&[0x30, 0x02]), Sign::Other, "a rerun is not the end");
        assert_eq!(read(&[]), Sign::Other);
    }

    #[test]
    fn an_exception_on_the_page_is_told_with_its_place_and_a_warning_is_not_one() {
        let shown = |exception: Vec<u8>| read(&field(5, &field(3, &field(8, &exception))));
        assert_eq!(shown(exception(&[])), Sign::Exception("`ValueError: no` in `app.py`, line 3".into()));
        assert_eq!(shown(exception(&[5 << 3, 1])), Sign::Shown);
        assert_eq!(read(&field(5, &field(3, &field(7, b"text")))), Sign::Shown);
        let event = field(10, &field(3, &field(2, b"invalid syntax")));
        assert_eq!(read(&event), Sign::NotCompiled("`invalid syntax`".into()));
    }

    #[test]
    fn no_bytes_upset_the_reader() {
        let whole = field(5, &field(3, &field(8, &exception(&[]))));
        for end in 0..whole.len() {
            read(&whole[..end]);
            let mut broken = whole.clone();
            broken[end] ^= 0xff;
            read(&broken);
        }
        assert_eq!(read(&[0xff; 64]), Sign::Other);
    }
}
