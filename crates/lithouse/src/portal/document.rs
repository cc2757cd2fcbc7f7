// SPDX-License-Identifier: Apache-2.0
//! The page as a document: the list, or one app in its frame. Both are there in every document, and one of them is hidden, so that
//! the script can go from one to the other.

use maud::{DOCTYPE, Markup, html};

use super::asked::{Asked, Sort};
use super::card::{Card, state};
use super::{files, shape};

/// What an app in a frame may ask the browser for, as it may by itself.
const ALLOWED: &str = "fullscreen; clipboard-read; clipboard-write; camera; microphone; geolocation";

/// One page.
pub(super) struct Document<'a> {
    asked: &'a Asked,
    now_ms: i64,
    /// How many apps there are, whether they are shown or not.
    total: usize,
    /// Those of the list.
    cards: Vec<Card>,
    /// The one in the frame.
    framed: Option<Card>,
}

impl<'a> Document<'a> {
    /// The page of these apps that was asked for.
    pub(super) fn of(mut cards: Vec<Card>, asked: &'a Asked, now_ms: i64) -> Self {
        let total = cards.len();
        let framed = asked.app.as_ref().and_then(|name| cards.iter().position(|card| card.is_called(name)));
        let framed = framed.map(|at| cards.swap_remove(at));
        if framed.is_some() {
            // The script fetches the list when it has shown the app.
            cards.clear();
        }
        cards.retain(|card| asked.takes(card));
        asked.sort.apply(&mut cards);
        Self { asked, now_ms, total, cards, framed }
    }

    /// Whether an app was asked for that is not there.
    pub(super) fn is_about_nothing(&self) -> bool {
        self.asked.app.is_some() && self.framed.is_none()
    }

    pub(super) fn html(&self) -> String {
        let framed = self.framed.as_ref();
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                (head(framed.map_or("Apps", |card| &card.name)))
                body data-view=(if framed.is_some() { "frame" } else { "list" }) {
                    (shape::SHARED)
                    (self.list_view())
                    (frame_view(framed))
                    p.unseen #news role="status" {}
                }
            }
        };
        page.into_string()
    }

    fn list_view(&self) -> Markup {
        html! {
            div.view #list-view hidden[self.framed.is_some()] {
                a.skip href="#apps" { "Skip to the apps" }
                header.top {
                    a.brand href="/" { (shape::LIGHT) "Lithouse" }
                    button.quiet #theme type="button" hidden { (shape::THEME) span { "Theme: auto" } }
                }
                main {
                    div.heading {
                        h1 { "Apps" }
                        p #count role="status" { (self.count()) }
                    }
                    @if self.is_about_nothing() {
                        p.notice { "There is no app called “" (self.asked.app.as_deref().unwrap_or_default()) "”. These are there." }
                    }
                    @if self.total == 0 { (nothing_yet()) }
                    (self.search())
                    p.none #none hidden[self.total == 0 || !self.cards.is_empty() || self.framed.is_some()] {
                        "No app matches. " a href="/" { "Show all apps" }
                    }
                    (list(&self.cards, self.now_ms))
                    p.lost #lost role="status" {}
                }
            }
        }
    }

    fn count(&self) -> String {
        let apps = |count: usize| if count == 1 { "1 app".to_owned() } else { format!("{count} apps") };
        if self.cards.len() == self.total || self.framed.is_some() {
            apps(self.total)
        } else {
            format!("{} of {}", self.cards.len(), apps(self.total))
        }
    }

    fn search(&self) -> Markup {
        let sorts = [(Sort::Name, "Name"), (Sort::Used, "Last used")];
        html! {
            form.search role="search" action="/" method="get" hidden[self.total == 0] {
                div.field {
                    label.unseen for="q" { "Search apps" }
                    (shape::SEARCH)
                    input #q type="search" name="q" value=(self.asked.query) placeholder="Search apps" autocomplete="off"
                        spellcheck="false" aria-controls="apps" aria-keyshortcuts="/";
                    kbd aria-hidden="true" { "/" }
                }
                div.sorting {
                    label for="sort" { "Sort by" }
                    div.order {
                        select #sort name="sort" {
                            @for (sort, word) in sorts {
                                option value=(sort.word()) selected[sort == self.asked.sort] { (word) }
                            }
                        }
                    }
                }
                button #go type="submit" { "Search" }
            }
        }
    }
}

/// More apps than a browser draws in no time; the script has the same number.
const MANY: usize = 100;

/// The apps alone.
pub(super) fn list(cards: &[Card], now_ms: i64) -> Markup {
    html! {
        ul.cards.many[cards.len() > MANY] #apps tabindex="-1" role="list" aria-label="Apps" {
            @for card in cards { (card.markup(now_ms)) }
        }
    }
}

fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) " · Lithouse" }
            link rel="icon" type="image/svg+xml" href=(files::path("icon.svg"));
            @for name in ["look.css", "list.css", "frame.css"] { link rel="stylesheet" href=(files::path(name)); }
            // It runs before anything is drawn, so that the page does not change its colours before one's eyes.
            script src=(files::path("theme.js")) {}
            script type="module" src=(files::path("portal.js")) {}
            @for name in ["list.js", "frame.js", "switcher.js", "live.js", "text.js"] {
                link rel="modulepreload" href=(files::path(name));
            }
        }
    }
}

fn nothing_yet() -> Markup {
    html! {
        section.nothing #nothing {
            h2 { "No app is here yet" }
            p { "Put an " code { "app.py" } " and its " code { "requirements.txt" } " into a folder, and deploy it:" }
            pre tabindex="0" { code { "lithouse deploy ./my-app --key my-app" } }
            p { "It appears on this page by itself, and answers at " code { "/apps/my-app/" } "." }
        }
    }
}

fn frame_view(framed: Option<&Card>) -> Markup {
    let path = framed.map(Card::path).unwrap_or_default();
    let name = framed.map_or("", |card| card.name.as_str());
    html! {
        div.view #frame-view hidden[framed.is_none()] {
            header.bar {
                a.tool #back href="/" title="All apps" { (shape::BACK) span { "All apps" } }
                h1 #framed-name { (name) }
                div.switcher #switcher hidden {
                    label.unseen for="switch" { "Switch to another app" }
                    input #switch role="combobox" type="text" autocomplete="off" spellcheck="false" aria-autocomplete="list"
                        aria-expanded="false" aria-controls="choices";
                    ul #choices role="listbox" aria-label="Apps" hidden {}
                }
                div #framed-state { @if let Some(card) = framed { (state(card.status)) } }
                button.tool #reload type="button" title="Reload the app" hidden { (shape::RELOAD) span.unseen { "Reload the app" } }
                a.tool #alone href=(if path.is_empty() { "/" } else { &path }) target="_blank" rel="noopener" title="Open alone, in a new tab" {
                    (shape::ALONE) span.unseen { "Open alone, in a new tab" }
                }
            }
            main #frames data-allow=(ALLOWED) {
                @if let Some(card) = framed {
                    iframe src=(path) title=(card.name) data-app=(card.path_name) allow=(ALLOWED) {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(cards: Vec<Card>, query: &str) -> String {
        Document::of(cards, &Asked::of(query), 0).html()
    }

    #[test]
    fn the_list_is_whole_without_a_script_and_brings_none_of_its_own() {
        let html = page(vec![Card::example("b"), Card::example("a")], "");
        let places = ["href=\"/?app=a\"", "href=\"/apps/a/\"", "href=\"/?app=b\""].map(|part| html.find(part).expect(part));
        assert!(places.is_sorted(), "by name: {places:?}");
        assert!(html.contains(">2 apps</p>") && !html.contains("<script>") && !html.contains("style="), "{html}");
    }

    #[test]
    fn a_search_in_the_address_narrows_the_list_and_stands_in_the_field() {
        let html = page(vec![Card::example("tides"), Card::example("lamps")], "q=LAM%22%3E");
        assert!(html.contains("value=\"LAM&quot;&gt;\"") && html.contains(">0 of 2 apps</p>"), "{html}");
        assert!(html.contains("id=\"none\">No app matches"), "{html}");
        let html = page(vec![Card::example("tides"), Card::example("lamps")], "q=LAM&sort=used");
        assert!(html.contains("/apps/lamps/") && !html.contains("/apps/tides/"), "{html}");
        assert!(html.contains("<option value=\"used\" selected>"), "{html}");
    }

    #[test]
    fn one_app_is_shown_in_a_frame_under_any_of_its_names() {
        let app = || Card { other_names: vec!["a7c1e0f2b9f84a62".into()], ..Card::example("tides") };
        for name in ["tides", "a7c1e0f2b9f84a62"] {
            let html = page(vec![app(), Card::example("lamps")], &format!("app={name}"));
            assert!(html.contains("<iframe src=\"/apps/tides/\" title=\"tides\""), "{html}");
            assert!(html.contains("<title>tides · Lithouse</title>") && html.contains("data-view=\"frame\""), "{html}");
            assert!(!html.contains("lamps"), "the list is fetched when it is wanted: {html}");
        }
    }

    #[test]
    fn an_app_that_is_not_there_is_told_with_those_that_are() {
        let asked = Asked::of("app=%3Cimg+src%3Dx%3E");
        let document = Document::of(vec![Card::example("tides")], &asked, 0);
        assert!(document.is_about_nothing());
        let html = document.html();
        assert!(html.contains("“&lt;img src=x&gt;”") && html.contains("/?app=tides") && !html.contains("<iframe"), "{html}");
    }

    #[test]
    fn where_nothing_is_it_says_what_to_do_first() {
        let html = page(Vec::new(), "");
        assert!(html.contains("lithouse deploy ./my-app --key my-app") && html.contains(">0 apps</p>"), "{html}");
        assert!(html.contains("id=\"none\" hidden"), "{html}");
    }

    #[test]
    fn a_thousand_apps_are_a_page_of_a_moderate_size() {
        let cards = (0..1000).map(|number| Card { description: "d".repeat(80), ..Card::example(&format!("app-{number}")) });
        let html = page(cards.collect(), "");
        assert!(html.len() < 700_000, "{} bytes", html.len());
        assert!(html.contains("<ul class=\"cards many\""), "what is out of sight need not be drawn");
    }
}
