// SPDX-License-Identifier: Apache-2.0
//! JSON laid out for people, with every key in its place and every number as it was written.

/// Lays valid JSON out anew: two blanks a level. What is not valid comes out as odd as it came in.
pub(in crate::cli) fn indent(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut level = 0_usize;
    let mut characters = json.trim().chars().peekable();
    let new_line = |out: &mut String, level: usize| {
        out.push('\n');
        out.push_str(&"  ".repeat(level));
    };
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                out.push('"');
                while let Some(inner) = characters.next() {
                    out.push(inner);
                    match inner {
                        '\\' => out.extend(characters.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '{' | '[' => {
                out.push(character);
                while characters.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(end) = characters.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(end);
                } else {
                    level += 1;
                    new_line(&mut out, level);
                }
            }
            '}' | ']' => {
                level = level.saturating_sub(1);
                new_line(&mut out, level);
                out.push(character);
            }
            ',' => {
                out.push(',');
                new_line(&mut out, level);
            }
            ':' => out.push_str(": "),
            blank if blank.is_ascii_whitespace() => {}
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_blanks_change() {
        let json = r#" {"b":[1.50, {"a" : "x,\"}: \\"}],"a":{ },"l":[ ],"n":null} "#;
        let told = "{\n  \"b\": [\n    1.50,\n    {\n      \"a\": \"x,\\\"}: \\\\\"\n    }\n  ],\n  \"a\": {},\n  \"l\": [],\n  \"n\": null\n}";
        assert_eq!(indent(json), told);
        assert_eq!(indent(&indent(json)), told);
    }

    #[test]
    fn damaged_json_ends_too() {
        for damaged in ["", "\"", "\"\\", "{[", "]]]"] {
            let _ = indent(damaged);
        }
    }
}
