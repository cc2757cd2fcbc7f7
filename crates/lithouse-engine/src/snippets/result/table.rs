// SPDX-License-Identifier: Apache-2.0
//! The HTML of a data frame: exactly the table that our Python writes, with text in its cells and nothing else.
//!
//! Whoever shows it puts it into a page as it is, so a tag or an attribute more would be somebody else's script in that page.

use super::Malformed;

const HEAD: &str = r#"<table class="dataframe"><thead><tr><th></th>"#;
const BODY: &str = "</tr></thead><tbody>";
const MORE: &str = "<tr><th>…</th></tr>";
const TAIL: &str = "</tbody></table>";
/// What a text may have in place of the characters that mean something in HTML.
const ENTITIES: [&str; 5] = ["&amp;", "&lt;", "&gt;", "&quot;", "&#x27;"];

/// Checks the HTML of a frame of so many columns; a table that had no room is empty.
pub(super) fn check(html: &str, columns: usize) -> Result<(), Malformed> {
    if html.is_empty() || table(html, columns).is_some() {
        Ok(())
    } else {
        Err(Malformed("HTML that is not the table of a data frame".to_owned()))
    }
}

fn table(html: &str, columns: usize) -> Option<()> {
    let rest = html.strip_prefix(HEAD)?;
    let mut rest = cells(rest, "<th>", "</th>", columns)?.strip_prefix(BODY)?;
    while rest != TAIL {
        if let Some(tail) = rest.strip_prefix(MORE)
            && tail == TAIL
        {
            return Some(());
        }
        let label = cells(rest.strip_prefix("<tr>")?, "<th>", "</th>", 1)?;
        rest = cells(label, "<td>", "</td>", columns)?.strip_prefix("</tr>")?;
    }
    Some(())
}

/// What follows so many cells.
fn cells<'a>(mut rest: &'a str, open: &str, close: &str, count: usize) -> Option<&'a str> {
    for _ in 0..count {
        rest = rest.strip_prefix(open)?;
        let (text, _) = rest.split_once('<')?;
        if !is_text(text) {
            return None;
        }
        rest = rest.get(text.len()..)?.strip_prefix(close)?;
    }
    Some(rest)
}

/// Whether a text stays text wherever it is put.
fn is_text(text: &str) -> bool {
    let mut entities = text.match_indices('&').map(|(at, _)| &text[at..]);
    !text.contains(['<', '>', '"', '\'']) && entities.all(|rest| ENTITIES.iter().any(|entity| rest.starts_with(entity)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table_of(body: &str) -> String {
        format!("{HEAD}<th>a</th><th>b&amp;c</th>{BODY}{body}{TAIL}")
    }

    #[test]
    fn the_tables_of_our_python_pass() {
        for body in [
            "",
            "<tr><th>0</th><td>1</td><td>&lt;script&gt;</td></tr>",
            "<tr><th>ä</th><td></td><td>&quot;&#x27; …</td></tr><tr><th>…</th></tr>",
        ] {
            assert_eq!(check(&table_of(body), 2), Ok(()), "{body}");
        }
        assert_eq!(check("", 7), Ok(()));
        assert_eq!(check(&format!("{HEAD}{BODY}<tr><th>…</th></tr>{TAIL}"), 0), Ok(()));
    }

    #[test]
    fn nothing_else_does() {
        for body in [
            "<script>alert(1)</script>",
            "<tr><th>0</th><td>1</td></tr>",
            "<tr><th>0</th><td>1</td><td>2</td><td>3</td></tr>",
            "<tr><th>0</th><td onclick=alert(1)>1</td><td>2</td></tr>",
            "<tr><th>0</th><td><img src=x onerror=alert(1)></td><td>2</td></tr>",
            "<tr><th>0</th><td>a > b</td><td>2</td></tr>",
            "<tr><th>0</th><td>\"</td><td>2</td></tr>",
            "<tr><th>0</th><td>&lt</td><td>2</td></tr>",
            "<tr><th>0</th><td>&#60;script></td><td>2</td></tr>",
            "<tr><th>…</th></tr><tr><th>0</th><td>1</td><td>2</td></tr>",
            "</tbody></table><p>",
            " ",
        ] {
            assert!(check(&table_of(body), 2).is_err(), "{body}");
        }
        for html in ["<table></table>", "x", "<table class=\"dataframe\" onload=\"x\"><thead><tr><th></th>"] {
            assert!(check(html, 0).is_err(), "{html}");
        }
        assert!(check(&(table_of("") + "\n"), 2).is_err());
    }
}
