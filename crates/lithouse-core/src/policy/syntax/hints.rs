// SPDX-License-Identifier: Apache-2.0
//! Words for mistakes that are made often, known by what stands around the place where the parser stopped.

/// A mistake that is known.
struct Mistake {
    /// What stands before the place.
    before: &'static str,
    /// What stands there.
    after: &'static str,
    /// Whether nothing else stands before it in the line.
    begins_line: bool,
    message: &'static str,
}

const MISTAKES: &[Mistake] = &[
    Mistake {
        before: "",
        after: "%",
        begins_line: true,
        message: "commands of notebooks such as `%matplotlib` are not Python: remove the line; figures are collected without it",
    },
    Mistake {
        before: "",
        after: "!",
        begins_line: true,
        message: "commands of notebooks such as `!pip` are not Python: remove the line; the operator can add a library",
    },
    Mistake {
        before: "",
        after: ">>>",
        begins_line: true,
        message: "the prompt `>>>` is not Python: remove it, and the output below it",
    },
    Mistake {
        before: "",
        after: "```",
        begins_line: true,
        message: "the fence of U+0060 characters is not Python: send the code between the fences",
    },
    Mistake {
        before: "",
        after: "else:",
        begins_line: true,
        message: "`else` has nothing to belong to here: indent it as its `if`, `for`, `while` or `try`",
    },
    Mistake { before: "else ", after: "if ", begins_line: false, message: "use `elif` for `else if`" },
    Mistake { before: "&", after: "&", begins_line: false, message: "use `and` for `&&`" },
    Mistake { before: "|", after: "|", begins_line: false, message: "use `or` for `||`" },
    Mistake { before: "<", after: ">", begins_line: false, message: "use `!=` for `<>`" },
];

/// Better words than the parser's for what is wrong at a place, if it is a mistake that is known.
pub(super) fn of_place(code: &str, offset: usize) -> Option<&'static str> {
    let (before, after) = (code.get(..offset)?, code.get(offset..)?);
    let line = before.rsplit(['\n', '\r']).next().unwrap_or(before);
    let is_made = |mistake: &&Mistake| {
        after.starts_with(mistake.after) && before.ends_with(mistake.before) && (!mistake.begins_line || line.trim().is_empty())
    };
    MISTAKES.iter().find(is_made).map(|mistake| mistake.message)
}

/// Whether what stands before a place is the name `print`, which was a statement once.
pub(super) fn follows_print(code: &str, offset: usize) -> bool {
    let before = code.get(..offset).unwrap_or_default().trim_end_matches([' ', '\t']);
    before.strip_suffix("print").is_some_and(|rest| !rest.ends_with(|last: char| last.is_alphanumeric() || "_.".contains(last)))
}

/// Words for a character that begins nothing in Python. Some of them are told apart by their number alone.
pub(super) fn of_character(character: char) -> String {
    let is_plain = character.is_ascii_graphic() && character != '`' || character.is_alphanumeric();
    let name = if is_plain { character.to_string() } else { format!("U+{:04X}", u32::from(character)) };
    let instead = match character {
        '\u{2018}'..='\u{201f}' => "put straight quotes around text",
        '\u{2010}'..='\u{2015}' | '\u{2212}' => "use `-` for minus",
        _ if character.is_whitespace() => "use ordinary spaces",
        _ => "remove it, or put it into a string",
    };
    format!("the character `{name}` has no meaning in Python here: {instead}")
}
