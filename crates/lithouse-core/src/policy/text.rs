// SPDX-License-Identifier: Apache-2.0
//! Places in a text, and characters that do not belong into code.

/// Tells lines and columns of ever later places in a text: both from 1, columns in code points, without the byte order mark.
pub(super) struct Places<'a> {
    code: &'a str,
    offset: usize,
    line: u32,
    column: u32,
}

impl<'a> Places<'a> {
    pub(super) fn new(code: &'a str) -> Self {
        let offset = if code.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { code, offset, line: 1, column: 1 }
    }

    /// The line and column of a place that is not before the last one asked for.
    pub(super) fn of(&mut self, offset: usize) -> (u32, u32) {
        let mut rest = self.code.get(self.offset..).unwrap_or_default().chars().peekable();
        while self.offset < offset {
            let Some(character) = rest.next() else { break };
            self.offset += character.len_utf8();
            // A line ends with `\n`, `\r\n` or `\r`.
            if character == '\n' || character == '\r' && rest.peek() != Some(&'\n') {
                (self.line, self.column) = (self.line + 1, 1);
            } else {
                self.column += 1;
            }
        }
        (self.line, self.column)
    }
}

/// Characters that change the direction of the text around them, and so show code in another order than it is run in.
pub(super) fn direction_marks(code: &str) -> impl Iterator<Item = (usize, char)> {
    let is_mark = |character: char| matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    // All of them begin with the same byte, which is rare: most code is passed over without decoding it.
    let has_some = code.as_bytes().contains(&0xe2);
    code.char_indices().filter(move |(_, character)| has_some && is_mark(*character))
}

/// A name with two underscores that a format looks up in a value, as in `{0.__class__}` or `{0[__class__]}`.
pub(super) fn lookups_in_format(format: &str) -> impl Iterator<Item = &str> {
    let fields = format.split('{').skip(1).filter_map(|field| field.split('}').next());
    fields.flat_map(|field| {
        // What comes first names the value; what follows `:` or `!` is how to show it.
        let end = field.find([':', '!']).unwrap_or(field.len());
        field[..end].split(['.', '[', ']']).skip(1)
    })
}
