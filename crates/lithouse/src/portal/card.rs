// SPDX-License-Identifier: Apache-2.0
//! One app in the list.

use std::hash::{DefaultHasher, Hash, Hasher};

use lithouse_core::app::AppStatus;
use lithouse_engine::app::AppView;
use maud::{Markup, html};

use super::ago::ago;
use super::shape;
use crate::api::time::rfc3339;

/// How many tints the marks of apps have in the style sheet.
const TINTS: u64 = 6;
/// The most that a card tells of a reason, in characters; the app's own page tells all.
const REASON: usize = 200;
/// The same for what it is for, which may be as long as a page; a search looks no further either.
const DESCRIPTION: usize = 400;

/// What a visitor is told of an app.
#[derive(Debug)]
pub(super) struct Card {
    pub(super) path_name: String,
    /// Key and id, by which it is asked for too.
    pub(super) other_names: Vec<String>,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) status: AppStatus,
    pub(super) reason: Option<String>,
    /// In milliseconds since 1970-01-01 UTC.
    pub(super) used_ms: Option<i64>,
}

impl Card {
    pub(super) fn of(view: &AppView, used_ms: Option<i64>) -> Self {
        let key = view.key.iter().map(ToString::to_string);
        Self {
            path_name: view.path_name.clone(),
            other_names: key.chain([view.id.to_string()]).collect(),
            name: view.name.clone(),
            description: shortened(&view.description, DESCRIPTION),
            status: view.status,
            reason: view.reason.as_deref().map(|reason| shortened(reason.trim().lines().next().unwrap_or_default(), REASON)),
            used_ms,
        }
    }

    /// Whether it is asked for by this name.
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.path_name == name || self.other_names.iter().any(|other| other == name)
    }

    /// Where it is by itself.
    pub(super) fn path(&self) -> String {
        format!("/apps/{}/", self.path_name)
    }

    /// What a search looks through.
    pub(super) fn searched(&self) -> String {
        format!("{}\n{}\n{}", self.name, self.description, self.path_name).to_lowercase()
    }

    /// Differs when anything does that people would want to see at once.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.path_name, &self.name, &self.description, self.status, &self.reason).hash(&mut hasher);
        self.used_ms.map(|ms| ms / 60_000).hash(&mut hasher);
        hasher.finish()
    }

    /// The card, as an entry of the list.
    pub(super) fn markup(&self, now_ms: i64) -> Markup {
        html! {
            li.card data-app=(self.path_name) data-status=(self.status) data-print={ (format_args!("{:08x}", self.fingerprint() >> 32)) } {
                span.mark data-tint=(self.tint()) aria-hidden="true" { (self.initial()) }
                h2 { a.open href={ "/?app=" (self.path_name) } { (self.name) } }
                @if !self.description.is_empty() { p.about { (self.description) } }
                @if let Some(reason) = &self.reason { p.reason { (with_literals(reason)) } }
                p.facts {
                    (state(self.status))
                    span.used { (used(self.used_ms, now_ms)) }
                }
                a.alone href=(self.path()) aria-label={ "Direct link to " (self.name) } title="Direct link" { (shape::ALONE) }
            }
        }
    }

    /// The first letter or digit of the name.
    fn initial(&self) -> String {
        let first = self.name.chars().find(|character| character.is_alphanumeric());
        first.map_or_else(|| "·".to_owned(), |character| character.to_uppercase().collect())
    }

    /// Always the same for one app.
    fn tint(&self) -> u64 {
        self.path_name.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte))) % TINTS
    }
}

/// A status in a word; its shape and colour are the style sheet's.
pub(super) fn state(status: AppStatus) -> Markup {
    let word = match status {
        AppStatus::Starting => "Starting",
        AppStatus::Building => "Building",
        AppStatus::Running => "Running",
        AppStatus::Sleeping => "Sleeping",
        AppStatus::Stopping => "Stopping",
        AppStatus::Stopped => "Stopped",
        AppStatus::Failed => "Failed",
        AppStatus::Crashed => "Crashed",
    };
    html! { span.state data-status=(status) { span.word { (word) } } }
}

fn used(used_ms: Option<i64>, now_ms: i64) -> Markup {
    let written = used_ms.and_then(|ms| Some((ms, rfc3339(ms)?)));
    html! {
        @if let Some((ms, written)) = written {
            "used " time datetime=(written) { (ago(now_ms, ms)) }
        } @else {
            "not used yet"
        }
    }
}

/// What stands in backticks is shown as literal.
fn with_literals(text: &str) -> Markup {
    if !text.matches('`').count().is_multiple_of(2) {
        return html! { (text) };
    }
    html! {
        @for (number, part) in text.split('`').enumerate() {
            @if number % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
impl Card {
    /// A running app that was never used.
    pub(super) fn example(name: &str) -> Self {
        Self {
            path_name: name.to_owned(),
            other_names: Vec::new(),
            name: name.to_owned(),
            description: String::new(),
            status: AppStatus::Running,
            reason: None,
            used_ms: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_of_an_app_is_escaped() {
        let evil = "<script>'\"&</script>";
        let card = Card { description: evil.into(), reason: Some(evil.into()), ..Card::example(evil) };
        let html = card.markup(0).into_string();
        assert!(!html.contains("<script") && !html.contains("'\""), "{html}");
        // An attribute in double quotes cannot be left without one.
        assert_eq!(html.matches("&lt;script&gt;'&quot;&amp;&lt;/script&gt;").count(), 7, "{html}");
    }

    #[test]
    fn a_state_is_told_in_words_with_its_reason_and_the_last_use() {
        let card = Card {
            status: AppStatus::Crashed,
            reason: Some("it was killed: out of memory".into()),
            used_ms: Some(1_767_323_045_120),
            ..Card::example("sales")
        };
        let html = card.markup(1_767_323_045_120 + 300_000).into_string();
        for part in [
            "data-status=\"crashed\"",
            ">Crashed</span>",
            ">it was killed: out of memory</p>",
            "used <time datetime=\"2026-01-02T03:04:05.120Z\">5 minutes ago</time>",
            "href=\"/?app=sales\"",
            "href=\"/apps/sales/\"",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert!(Card::example("x").markup(0).into_string().contains("not used yet"));
    }

    #[test]
    fn what_stands_in_backticks_is_a_literal_where_they_are_paired() {
        assert_eq!(with_literals("no `a<b` there").into_string(), "no <code>a&lt;b</code> there");
        assert_eq!(with_literals("a ` alone").into_string(), "a ` alone");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shortened("éé", 2), "éé");
        assert_eq!(shortened("ééé", 2), "éé…");
    }

    #[test]
    fn a_mark_is_a_letter_that_the_name_has() {
        for (name, initial) in [("sales", "S"), ("  <ärger>", "Ä"), ("…", "·"), ("7 days", "7")] {
            assert_eq!(Card::example(name).initial(), initial);
        }
    }

    #[test]
    fn what_people_see_changes_the_fingerprint_and_a_second_of_use_does_not() {
        let card = |status, used_ms| Card { status, used_ms, ..Card::example("x") }.fingerprint();
        let first = card(AppStatus::Running, Some(60_000));
        assert_eq!(first, card(AppStatus::Running, Some(61_000)));
        assert_ne!(first, card(AppStatus::Stopped, Some(60_000)));
        assert_ne!(first, card(AppStatus::Running, Some(120_000)));
    }
}
