// SPDX-License-Identifier: Apache-2.0
//! Texts of somebody else's: what of them could deceive whoever reads them, and what people may call their apps.

/// The most characters of an app's name.
pub(crate) const LONGEST_NAME: usize = 200;
/// The most characters of an app's description.
pub(crate) const LONGEST_DESCRIPTION: usize = 10_000;

/// Whether this may be the name of an app: one line that reads as it is written.
pub(crate) fn is_name(text: &str) -> bool {
    let is_short = text.chars().count() <= LONGEST_NAME;
    is_short && !text.trim().is_empty() && !text.chars().any(|each| each.is_control() || overrides(each))
}

/// Whether this may be the description of an app: the same of several lines, or nothing.
pub(crate) fn is_description(text: &str) -> bool {
    let is_refused = |each: char| overrides(each) || (each.is_control() && !matches!(each, '\n' | '\r' | '\t'));
    text.chars().count() <= LONGEST_DESCRIPTION && !text.chars().any(is_refused)
}

/// The text with blanks in the place of what moves the cursor, changes colours, ends a line or turns the direction of writing.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|each| if is_harmful(each) { ' ' } else { each }).collect()
}

/// Whether it moves the cursor, changes colours, ends a line or turns the direction of writing.
pub(crate) fn is_harmful(character: char) -> bool {
    character.is_control() || overrides(character) || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}')
}

/// Whether it turns the direction of writing of all that follows. Texts in scripts from right to left need none of them.
fn overrides(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_descriptions_read_as_they_are_written() {
        for text in ["Sales report", "Umsätze 📈", "דוח\u{200f} מכירות"] {
            assert!(is_name(text) && is_description(text), "{text}");
        }
        for text in ["a\0b", "a\u{1b}[31mb", "a\u{7f}", "a\u{9b}", "a\u{202e}b", "a\u{2066}b"] {
            assert!(!is_name(text) && !is_description(text), "{text:?}");
            assert_eq!(plain(text).chars().find(|each| !each.is_ascii_graphic() && *each != ' '), None);
        }
        assert!(is_description("a\r\n\tb") && is_description("") && !is_name("a\nb") && !is_name(" "));
        assert!(is_name(&"a".repeat(LONGEST_NAME)) && !is_name(&"a".repeat(LONGEST_NAME + 1)));
        assert!(!is_description(&"a".repeat(LONGEST_DESCRIPTION + 1)));
    }
}
