//! Searching shares by text.

use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

use crate::Share;

/// The maximum length of a search text, in characters: longer than any address.
const LIMIT: usize = 256;

/// The error for a text that is too long to search for.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("has more than {LIMIT} characters")]
pub struct SearchTextError;

/// A text to search for. Neither case nor the form of characters matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchText(String);

impl SearchText {
    /// Parses what a user typed. Returns `None` if there is nothing to search for.
    pub fn parse(typed: &str) -> Result<Option<Self>, SearchTextError> {
        let typed = typed.trim();
        if typed.chars().count() > LIMIT {
            return Err(SearchTextError);
        }
        Ok(Some(Self(fold(typed))).filter(|text| !text.0.is_empty()))
    }

    fn is_in(&self, text: &str) -> bool {
        fold(text).contains(&self.0)
    }
}

/// Returns the text in a form in which texts that look the same are the same.
///
/// A word must have the same form alone and within a text, so a sigma has one form in any position. Some
/// letters compose with a mark only in lowercase, such as `ǰ`.
fn fold(text: &str) -> String {
    let lowercase = text.nfkc().flat_map(char::to_lowercase);
    lowercase.map(|c| if c == 'ς' { 'σ' } else { c }).nfkc().collect()
}

impl Share {
    /// Returns whether the text is part of the recipient's address or name, the item's name or title, or a file
    /// name.
    #[must_use]
    pub fn contains_text(&self, text: &SearchText) -> bool {
        text.is_in(self.recipient.as_str())
            || self.recipient.with_unicode_domain().is_some_and(|address| text.is_in(&address))
            || self.recipient_name.as_ref().is_some_and(|name| text.is_in(name.as_str()))
            || text.is_in(self.item.name.as_str())
            || self.title.as_ref().is_some_and(|title| text.is_in(title.as_str()))
            || self.files.iter().any(|file| text.is_in(file.name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RecipientName;
    use crate::testing::{ShareBuilder, file};

    fn share() -> Share {
        let share = ShareBuilder::new()
            .recipient("Ann.Lee@b\u{fc}cher.example")
            .title("Spring Campaign")
            .files(vec![file("brief.pdf"), file("Stra\u{df}e A\u{308}rger.mov")])
            .build();
        Share { recipient_name: RecipientName::parse("Zo\u{eb} M\u{fc}ller"), ..share }
    }

    fn is_found(typed: &str) -> bool {
        share().contains_text(&SearchText::parse(typed).unwrap().unwrap())
    }

    #[test]
    fn share_is_found_by_recipient_item_title_or_file() {
        for typed in [
            "ann.lee@",
            "ANN",
            "b\u{fc}cher.EXAMPLE",
            "xn--bcher-kva",
            "1042",
            "campaign",
            "spring c",
            "BRIEF",
            "\u{c4}rger",
            "a\u{308}rger",
            "STRA\u{df}E",
            " lee ",
            "\u{ff21}nn",
            "ZO\u{cb} M",
            "mu\u{308}ller",
        ] {
            assert!(is_found(typed), "{typed}");
        }
    }

    #[test]
    fn capitals_are_found_wherever_they_are() {
        for (title, typed) in [
            ("\u{3a0}\u{3ac}\u{3c3}\u{3c7}\u{3b1}", "\u{3a0}\u{386}\u{3a3}"),
            ("\u{39f}\u{394}\u{39f}\u{3a3}", "\u{3bf}\u{3b4}\u{3bf}\u{3c2}"),
            ("\u{1f0}", "J\u{30c}"),
            ("J\u{30c}", "j\u{30c}"),
        ] {
            let share = ShareBuilder::new().title(title).build();
            assert!(share.contains_text(&SearchText::parse(typed).unwrap().unwrap()), "{title}, {typed}");
        }
    }

    #[test]
    fn other_fields_are_not_searched() {
        for typed in ["jobs", "u1", "ann lee", "brief.pdf Stra", "877f"] {
            assert!(!is_found(typed), "{typed}");
        }
    }

    #[test]
    fn search_text_has_a_limit() {
        assert_eq!(SearchText::parse(" \t"), Ok(None));
        assert!(SearchText::parse(&"\u{e4}".repeat(256)).is_ok());
        assert_eq!(SearchText::parse(&"a".repeat(257)), Err(SearchTextError));
    }
}
