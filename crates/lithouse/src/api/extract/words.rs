// SPDX-License-Identifier: Apache-2.0
//! What decoding complains of, in the words of the API.

/// What kind of thing was decoded, as people call it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Of {
    Field,
    Parameter,
}

impl Of {
    fn word(self) -> &'static str {
        match self {
            Self::Field => "field",
            Self::Parameter => "parameter",
        }
    }
}

/// Decoding tells `name: invalid type …`, or `name: unknown field `name`, expected …`, or leaves the name out.
pub(super) fn of_value(of: Of, cause: &str) -> String {
    let what = of.word();
    let (name, error) = apart(without_place(cause));
    if let Some((unknown, known)) = parted(error, "unknown field `", "`, expected ") {
        return format!("there is no {what} `{unknown}`; known: {}", known.trim_start_matches("one of "));
    }
    if let Some(missing) = error.strip_prefix("missing field ") {
        return format!("the {what} {missing} is missing");
    }
    if let Some(twice) = error.strip_prefix("duplicate field ") {
        return format!("the {what} {twice} is there twice");
    }
    let error = expected(error).unwrap_or_else(|| error.to_owned());
    name.map_or_else(|| error.clone(), |name| format!("the {what} `{name}`: {error}"))
}

/// What keeps a body from being JSON, with its place.
pub(super) fn of_json(cause: &str) -> String {
    let error = without_place(cause);
    let place = cause.get(error.len()..).unwrap_or_default().replace(" column", ", column").replace(" at ", "");
    // The name of the field that it is in says nothing that the place does not.
    let what = match error.rsplit(": ").next().unwrap_or(error) {
        error if error.starts_with("EOF while parsing") => "it ends too early",
        "trailing characters" => "something stands behind its end",
        "trailing comma" => "a comma stands before the closing bracket",
        "expected value" | "expected ident" => "a value is expected",
        "key must be a string" => "a name in double quotes is expected",
        error if error.starts_with("control character") => "a control character in a text must be written as `\\u00…`",
        "recursion limit exceeded" => "it is nested too deeply",
        "number out of range" => "the number is too large",
        "invalid unicode code point" | "unexpected end of hex escape" | "lone leading surrogate in hex escape" => {
            "a character in a text cannot be read"
        }
        other => other,
    };
    format!("the body is not JSON: {what} ({place})")
}

/// The name of the field, where decoding tells one, and what is wrong.
fn apart(cause: &str) -> (Option<&str>, &str) {
    match cause.split_once(": ") {
        // A name may be anything; what is wrong begins with one of these words wherever a name comes first.
        Some((name, error)) if !is_complaint(name) => (Some(name), error),
        _ => (None, cause),
    }
}

fn is_complaint(text: &str) -> bool {
    ["invalid ", "unknown ", "missing ", "duplicate "].iter().any(|word| text.starts_with(word))
}

/// Decoding tells a place in the body; with the name of the field it is of no use.
fn without_place(cause: &str) -> &str {
    let place = cause.rfind(" at line ").filter(|at| cause[*at..].contains(" column "));
    place.map_or(cause, |at| &cause[..at])
}

fn parted<'a>(text: &'a str, before: &str, between: &str) -> Option<(&'a str, &'a str)> {
    text.strip_prefix(before)?.split_once(between)
}

/// What should have been there, and what was.
fn expected(error: &str) -> Option<String> {
    if let Some((found, known)) = parted(error, "unknown variant `", "`, expected ") {
        return Some(format!("{known} is expected, not `{found}`"));
    }
    if let Some((found, wanted)) =
        parted(error, "invalid type: ", ", expected ").or_else(|| parted(error, "invalid value: ", ", expected "))
    {
        return Some(format!("{} is expected, not {}", wanted_words(wanted), found_words(found)));
    }
    match error {
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            Some("a whole number is expected".to_owned())
        }
        "number too large to fit in target type" => Some("the number is too large".to_owned()),
        "provided string was not `true` or `false`" => Some("`true` or `false` is expected".to_owned()),
        _ => None,
    }
}

fn wanted_words(wanted: &str) -> &str {
    match wanted {
        "a string" => "a text",
        "a boolean" => "`true` or `false`",
        "a map" => "an object",
        "a sequence" => "a list",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0 on",
        "f32" | "f64" | "a JSON number" => "a number",
        other => other,
    }
}

fn found_words(found: &str) -> String {
    let (kind, value) = found.split_once([' ']).unwrap_or((found, ""));
    match (kind, value) {
        ("integer", number) => format!("the number {}", number.trim_matches('`')),
        ("floating", rest) => format!("the number {}", rest.trim_start_matches("point ").trim_matches('`')),
        ("string", text) => format!("the text `{}`", text.trim_matches('"')),
        ("boolean", value) => value.to_owned(),
        ("sequence", _) => "a list".to_owned(),
        ("map", _) => "an object".to_owned(),
        _ => found.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_decoding_says_is_told_with_the_name_of_the_field_once() {
        let told = |cause| of_value(Of::Parameter, cause);
        for (cause, words) in [
            ("limit: invalid digit found in string", "the parameter `limit`: a whole number is expected"),
            ("env.A[0]: invalid type: map, expected a string", "the parameter `env.A[0]`: a text is expected, not an object"),
            ("x: unknown field `x`, expected `a` or `b`", "there is no parameter `x`; known: `a` or `b`"),
            ("unknown field `x`, expected one of `a`, `b`", "there is no parameter `x`; known: `a`, `b`"),
            ("missing field `a` at line 1 column 2", "the parameter `a` is missing"),
            ("duplicate field `a`", "the parameter `a` is there twice"),
            (
                "p: unknown variant `opne`, expected `a` or `b` at line 1 column 30",
                "the parameter `p`: `a` or `b` is expected, not `opne`",
            ),
            ("invalid type: integer `3`, expected an object at line 1 column 1", "an object is expected, not the number 3"),
            (
                "m: invalid value: integer `-1`, expected u64",
                "the parameter `m`: a whole number from 0 on is expected, not the number -1",
            ),
            (
                "m: invalid type: floating point `4.5`, expected u64",
                "the parameter `m`: a whole number from 0 on is expected, not the number 4.5",
            ),
            ("m: invalid type: string \"1: GB\", expected f64", "the parameter `m`: a number is expected, not the text `1: GB`"),
            ("an app id is short", "an app id is short"),
        ] {
            assert_eq!(told(cause), words);
        }
    }

    #[test]
    fn what_is_no_json_is_told_with_its_place() {
        assert_eq!(
            of_json("EOF while parsing a value at line 1 column 9"),
            "the body is not JSON: it ends too early (line 1, column 9)"
        );
        assert_eq!(of_json("expected ident at line 2 column 3"), "the body is not JSON: a value is expected (line 2, column 3)");
    }
}
