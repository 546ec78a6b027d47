//! Suggestions of recipients: addresses that a sharer has used before.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::{EmailAddress, RecipientName, Share, ShareRules, Timestamp};

/// The maximum number of suggestions.
pub const SUGGESTIONS_LIMIT: usize = 20;

/// The maximum length of a prefix that can match, in characters.
const PREFIX_LIMIT: usize = 254;

/// An address that the sharer has used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    pub address: EmailAddress,
    /// The latest name that the sharer entered with the address.
    pub name: Option<RecipientName>,
    pub last_shared_at: Timestamp,
}

/// The beginning of an address, of one of its words or of a word in a name.
#[derive(Debug)]
pub struct Prefix(String);

impl Prefix {
    #[must_use]
    pub fn new(typed: &str) -> Self {
        Self(fold(typed.trim_start()))
    }

    fn matches(&self, text: &str) -> bool {
        let text = fold(text);
        // A word begins after a blank or a punctuation mark.
        let mut is_start = true;
        text.char_indices().any(|(i, c)| {
            let matches = is_start && text[i..].starts_with(&self.0);
            is_start = !c.is_alphanumeric();
            matches
        })
    }
}

/// Removes differences that a person who searches does not mean: case, accents, full-width forms.
fn fold(text: &str) -> String {
    let plain = text.chars().take(PREFIX_LIMIT + 1).nfkd().filter(|c| !is_combining_mark(*c));
    plain.flat_map(char::to_lowercase).collect()
}

/// The suggestions found so far.
#[derive(Debug, Default)]
pub struct Suggestions {
    found: Vec<Suggestion>,
    /// The positions of the recipients' addresses in `found`. `None` stands for one that does not match.
    seen: HashMap<String, Option<usize>>,
}

impl Suggestions {
    /// Adds the recipients of these shares, newest first, that the rules allow and that match the prefix. An
    /// empty prefix matches every recipient. Continues after shares that were added before.
    pub fn add(&mut self, shares: &[Share], prefix: &Prefix, rules: &ShareRules) {
        let is_allowed = |share: &&Share| rules.check_recipient(&share.recipient).is_ok();
        for share in shares.iter().filter(is_allowed) {
            let identity = share.recipient.identity();
            match self.seen.get(&identity) {
                // An earlier share may have the name that the later one lacks.
                Some(Some(position)) => {
                    let name = &mut self.found[*position].name;
                    if name.is_none() {
                        name.clone_from(&share.recipient_name);
                    }
                    continue;
                }
                Some(None) if share.recipient_name.is_none() => continue,
                _ => {}
            }
            let is_match = prefix.matches(share.recipient.as_str())
                || share.recipient.with_unicode_domain().is_some_and(|shown| prefix.matches(&shown))
                || share.recipient_name.as_ref().is_some_and(|name| prefix.matches(name.as_str()));
            let has_space = self.found.len() < SUGGESTIONS_LIMIT;
            self.seen.insert(identity, (is_match && has_space).then_some(self.found.len()));
            if is_match && has_space {
                self.found.push(Suggestion {
                    address: share.recipient.clone(),
                    name: share.recipient_name.clone(),
                    last_shared_at: share.created_at,
                });
            }
        }
    }

    /// Returns whether no more suggestions fit.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.found.len() >= SUGGESTIONS_LIMIT
    }

    /// Returns the suggestions, newest first.
    #[must_use]
    pub fn into_vec(self) -> Vec<Suggestion> {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::recipient_domain::parse_domains;
    use crate::testing::{NOW, ShareBuilder, time};

    /// Returns shares with these recipients, newest first.
    fn shares(recipients: &[(&str, &str)]) -> Vec<Share> {
        let share = |(i, (address, name)): (usize, &(&str, &str))| {
            let age = TimeDelta::minutes(i.try_into().unwrap());
            let share = ShareBuilder::new().recipient(address).created_at(time(NOW) - age).build();
            Share { recipient_name: RecipientName::parse(name), ..share }
        };
        recipients.iter().enumerate().map(share).collect()
    }

    fn suggest(prefix: &str, recipients: &[(&str, &str)]) -> Vec<String> {
        let mut suggestions = Suggestions::default();
        suggestions.add(&shares(recipients), &Prefix::new(prefix), &ShareRules::default());
        suggestions.into_vec().iter().map(|suggestion| suggestion.address.to_string()).collect()
    }

    #[test]
    fn prefix_matches_words_of_address_and_name() {
        let ann = ("Ann.Lee@mail.Example.com", "Dr. Zoë Müller-Lüdenscheidt");
        for prefix in [
            "",
            "a",
            "ANN",
            "ann.l",
            "lee",
            "lee@",
            "mail",
            "exam",
            "com",
            "ann.lee@mail.example.com",
            "zoe",
            "zoë",
            "müller",
            "muller",
            "lud",
            "zoë m",
            " zoë",
            "ｚｏｅ",
        ] {
            assert_eq!(suggest(prefix, &[ann]).len(), 1, "{prefix:?}");
        }
        for prefix in ["nn", "ee", "ample", "oë", "ann lee", "zoë l", "@@", &"a".repeat(300)] {
            assert!(suggest(prefix, &[ann]).is_empty(), "{prefix:?}");
        }
    }

    #[test]
    fn domain_matches_in_both_forms() {
        for prefix in ["büch", "buch", "xn--b", "ann@büc"] {
            assert_eq!(suggest(prefix, &[("ann@bücher.example", "")]).len(), 1, "{prefix:?}");
        }
    }

    #[test]
    fn each_recipient_is_suggested_once_newest_first() {
        let used =
            [("b@example.com", ""), ("A@example.com", ""), ("B@EXAMPLE.com", ""), ("c@example.com", "")];
        assert_eq!(suggest("", &used), ["b@example.com", "A@example.com", "c@example.com"]);
    }

    #[test]
    fn latest_name_is_suggested() {
        let mut suggestions = Suggestions::default();
        let used = [("a@example.com", ""), ("a@example.com", "New"), ("a@example.com", "Old")];
        let newest = shares(&used);
        suggestions.add(&newest, &Prefix::new("a"), &ShareRules::default());
        let [suggestion] = suggestions.into_vec().try_into().unwrap();
        assert_eq!(suggestion.name.unwrap().as_str(), "New");
        assert_eq!(suggestion.last_shared_at, newest[0].created_at);
    }

    #[test]
    fn earlier_name_is_found_although_the_latest_share_has_none() {
        assert_eq!(suggest("lee", &[("a@example.com", ""), ("a@example.com", "Ann Lee")]).len(), 1);
    }

    #[test]
    fn recipients_that_the_rules_refuse_are_not_suggested() {
        let blocked_domains = parse_domains("blocked.example").unwrap();
        let rules = ShareRules { blocked_domains, ..ShareRules::default() };
        let mut used: Vec<String> = (0..30).map(|i| format!("a{i}@mail.blocked.example")).collect();
        used.push("a@example.com".to_owned());
        let used: Vec<(&str, &str)> = used.iter().map(|address| (address.as_str(), "")).collect();
        let mut suggestions = Suggestions::default();
        suggestions.add(&shares(&used), &Prefix::new("a"), &rules);
        let found = suggestions.into_vec();
        let found: Vec<&str> = found.iter().map(|suggestion| suggestion.address.as_str()).collect();
        assert_eq!(found, ["a@example.com"], "they take up no space either");
    }

    #[test]
    fn at_most_twenty_are_suggested() {
        let addresses: Vec<String> = (0..30).map(|i| format!("a{i}@example.com")).collect();
        let used: Vec<(&str, &str)> = addresses.iter().map(|address| (address.as_str(), "")).collect();
        assert_eq!(suggest("a", &used), addresses[..20]);
    }
}
