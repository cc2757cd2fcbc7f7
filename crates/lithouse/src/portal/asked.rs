// SPDX-License-Identifier: Apache-2.0
//! What the address of the page asks for. Whatever it does not know in there it passes over: people paste addresses.

use std::cmp::Reverse;

use super::card::Card;

/// `?q=…&sort=…` narrows and sorts the list, `?app=…` opens one app.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// What was typed into the search.
    pub(super) query: String,
    pub(super) sort: Sort,
    /// The app in the frame, by any of its names.
    pub(super) app: Option<String>,
}

/// In which order apps are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Sort {
    /// By name.
    #[default]
    Name,
    /// The last used one first.
    Used,
}

impl Asked {
    /// Reads the part of an address behind the `?`. Of what is there twice the first counts.
    pub(super) fn of(query: &str) -> Self {
        let value = |name: &str| {
            let found = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
            found.map(|(_, value)| value.into_owned()).filter(|value| !value.trim().is_empty())
        };
        let sort = if value("sort").as_deref() == Some(Sort::Used.word()) { Sort::Used } else { Sort::Name };
        Self { query: value("q").unwrap_or_default(), sort, app: value("app") }
    }

    /// Whether an app is one of those that are looked for: it says every word somewhere.
    pub(super) fn takes(&self, card: &Card) -> bool {
        let text = card.searched();
        self.query.to_lowercase().split_whitespace().all(|word| text.contains(word))
    }
}

impl Sort {
    /// The word that stands in the address.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Used => "used",
        }
    }

    /// Brings cards into this order.
    pub(super) fn apply(self, cards: &mut [Card]) {
        match self {
            Self::Name => cards.sort_by_cached_key(|card| (card.name.to_lowercase(), card.path_name.clone())),
            Self::Used => cards.sort_by_cached_key(|card| (Reverse(card.used_ms), card.name.to_lowercase())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_far_as_it_is_known() {
        let asked = Asked::of("utm=1&q=sales+%3Cb%3E&sort=used&app=x&app=y&%ff");
        assert_eq!((asked.query.as_str(), asked.sort, asked.app.as_deref()), ("sales <b>", Sort::Used, Some("x")));
        let empty = Asked::of("q=&sort=nonsense&app=");
        assert_eq!((empty.query.as_str(), empty.sort, empty.app), ("", Sort::Name, None));
    }

    #[test]
    fn every_word_must_be_there_in_whatever_case_and_place() {
        let card = Card { name: "Sales Übersicht".into(), description: "By region".into(), ..Card::example("sales-de") };
        for query in ["", "SALES", "region übersicht", "s-d"] {
            assert!(Asked { query: query.into(), ..Asked::default() }.takes(&card), "{query}");
        }
        for query in ["sales cats", "running"] {
            assert!(!Asked { query: query.into(), ..Asked::default() }.takes(&card), "{query}");
        }
    }

    #[test]
    fn the_last_used_come_first_and_the_never_used_last() {
        let card = |name: &str, used_ms| Card { used_ms, ..Card::example(name) };
        let mut cards = [card("c", None), card("B", Some(1)), card("a", Some(1)), card("d", Some(2))];
        let names = |cards: &[Card]| cards.iter().map(|card| card.name.clone()).collect::<String>();
        Sort::Used.apply(&mut cards);
        assert_eq!(names(&cards), "daBc");
        Sort::Name.apply(&mut cards);
        assert_eq!(names(&cards), "aBcd");
    }
}
