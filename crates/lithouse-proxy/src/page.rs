// SPDX-License-Identifier: Apache-2.0
//! The small pages that stand in where there is no app to answer. Whole in themselves: no script, no font, no picture, so that
//! they work under the strictest policy and without a network.

use std::fmt::Write as _;

use http::HeaderMap;
use http::header::ACCEPT;

/// The policy that the pages live under. They bring their own style and nothing else.
pub const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Whether this is read by a person in a browser, and not by a program.
pub fn is_wanted(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok()).any(|accept| accept.contains("text/html"))
}

/// What a page says. Every text is plain and gets escaped.
#[derive(Debug, Clone, Copy, Default)]
pub struct Page<'a> {
    /// The heading, and the title of the window.
    pub title: &'a str,
    /// A small word above the heading: what kind of page it is.
    pub label: &'a str,
    /// What happened, in a sentence.
    pub detail: &'a str,
    /// More about it in the words of the program that failed; shown as it is, line by line.
    pub reason: Option<&'a str>,
    /// What to do next.
    pub hint: Option<&'a str>,
    /// Load the page again after so many seconds, and look as if something is going on.
    pub refresh_seconds: Option<u32>,
}

impl Page<'_> {
    /// The page as HTML.
    pub fn html(&self) -> String {
        let mut html = String::with_capacity(3 * 1024);
        html.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        html.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        // By this the portal tells, in its frame, a page that stands in for an app from the app.
        html.push_str("<meta name=\"generator\" content=\"Lithouse\">\n");
        html.push_str("<meta name=\"robots\" content=\"noindex\">\n<meta name=\"color-scheme\" content=\"light dark\">\n");
        if let Some(seconds) = self.refresh_seconds {
            // Writing into a string cannot fail.
            let _ = writeln!(html, "<meta http-equiv=\"refresh\" content=\"{seconds}\">");
        }
        element(&mut html, "title", self.title);
        html.push_str(STYLE);
        html.push_str("</head>\n<body>\n<main>\n");
        element(&mut html, "p class=\"label\"", self.label);
        element(&mut html, "h1", self.title);
        element(&mut html, if self.refresh_seconds.is_some() { "p role=\"status\"" } else { "p" }, self.detail);
        if self.refresh_seconds.is_some() {
            html.push_str("<div class=\"beam\" aria-hidden=\"true\"></div>\n");
        }
        if let Some(reason) = self.reason.filter(|reason| !reason.trim().is_empty()) {
            element(&mut html, "pre tabindex=\"0\"", reason);
        }
        if let Some(hint) = self.hint {
            element(&mut html, "p class=\"hint\"", hint);
        }
        html.push_str(WAY_OUT);
        html.push_str("</main>\n</body>\n</html>\n");
        html
    }
}

/// An element with escaped text; what stands in backticks in a paragraph is shown as literal.
fn element(html: &mut String, open: &str, text: &str) {
    let name = open.split(' ').next().unwrap_or(open);
    html.push('<');
    html.push_str(open);
    html.push('>');
    if name == "p" && text.matches('`').count().is_multiple_of(2) {
        for (number, part) in text.split('`').enumerate() {
            let is_literal = number % 2 == 1;
            html.push_str(if is_literal { "<code>" } else { "" });
            escape_into(html, part);
            html.push_str(if is_literal { "</code>" } else { "" });
        }
    } else {
        escape_into(html, text);
    }
    html.push_str("</");
    html.push_str(name);
    html.push_str(">\n");
}

fn escape_into(html: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
}

/// To the portal. Where this page stands in the portal's frame, the portal itself takes the window: it lets nobody frame it.
const WAY_OUT: &str = "<p><a href=\"/\" target=\"_top\">All apps</a></p>\n";

/// The colours are those of the portal.
const STYLE: &str = "<style>
:root { color-scheme: light dark; --ground: #f5f7fa; --card: #fff; --ink: #14213a; --soft: #55617a; --line: #dce2ec; --light: #8f4700; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #0c1322; --card: #141e33; --ink: #e9eef8; --soft: #a3b1ca; --line: #27344f; --light: #ffc24b; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; }
main { width: 100%; max-width: 36rem; padding: 2rem; background: var(--card); border: 1px solid var(--line); border-radius: 14px; }
h1 { margin: 0 0 .5rem; font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere; }
p { margin: 0 0 .75rem; overflow-wrap: anywhere; }
p:last-child { margin-bottom: 0; }
.label { color: var(--light); font-size: .85rem; font-weight: 600; }
.hint { color: var(--soft); }
a { color: inherit; }
pre { margin: 1rem 0; padding: .85rem 1rem; max-height: 18rem; overflow: auto; background: var(--ground); border: 1px solid var(--line);
  border-radius: 8px; font: .85rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; white-space: pre-wrap; }
.beam { height: 3px; margin: 1.25rem 0 .5rem; border-radius: 3px; background: linear-gradient(90deg, var(--line) 30%, var(--light) 50%,
  var(--line) 70%) 0 0 / 300% 100%; animation: sweep 1.6s linear infinite; }
@keyframes sweep { from { background-position: 100% 0; } to { background-position: 0 0; } }
@media (prefers-reduced-motion: reduce) { .beam { animation: none; } }
</style>
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_escaped() {
        let evil = "<script>\"'&</script>";
        let html =
            Page { title: evil, label: evil, detail: evil, reason: Some(evil), hint: Some(evil), refresh_seconds: None }.html();
        assert!(!html.contains("<script"), "{html}");
        assert_eq!(html.matches("&lt;script&gt;&quot;&#39;&amp;&lt;/script&gt;").count(), 6);
    }

    #[test]
    fn a_page_needs_nothing_from_elsewhere() {
        let html =
            Page { title: "x", label: "y", detail: "z", reason: Some("r"), hint: Some("h"), refresh_seconds: Some(2) }.html();
        // A link is followed by people only, and this one stays here.
        let html = html.replace(WAY_OUT, "");
        for foreign in ["http://", "https://", "src=", "href=", "url(", "<script", "style=\"", "@import"] {
            assert!(!html.contains(foreign), "{foreign}");
        }
    }

    #[test]
    fn only_what_will_pass_loads_itself_again() {
        assert!(
            Page { refresh_seconds: Some(2), ..Page::default() }.html().contains("<meta http-equiv=\"refresh\" content=\"2\">")
        );
        assert!(!Page::default().html().contains("refresh"));
    }

    #[test]
    fn every_page_leads_to_the_apps_also_out_of_a_frame() {
        assert!(Page::default().html().contains("<a href=\"/\" target=\"_top\">"));
    }
}
