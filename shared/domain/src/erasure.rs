//! Erasing a person: what names them, and what replaces it.
//!
//! A recipient's shares are deleted, with their log entries. A sharer's shares stay, but no longer name the
//! sharer. The erasure leaves only its time, under a keyed hash of the person, so that a restored backup does
//! not bring back what was erased before.

use std::collections::HashSet;

use crate::log::LogEntry;
use crate::{EmailAddress, Item, Share, ShareId, Sharer, Timestamp};

/// The subject that replaces those of erased sharers.
pub const ERASED_SUB: &str = "erased";

impl Sharer {
    /// Returns the sharer that replaces erased sharers.
    #[must_use]
    pub fn erased() -> Self {
        Self { sub: ERASED_SUB.to_owned(), name: None, email: None }
    }

    /// Returns the actor of changes that an operator with this name made.
    #[must_use]
    pub fn operator(name: &str) -> Self {
        Self { sub: format!("operator:{name}"), name: None, email: None }
    }
}

/// The people that an erasure or an export is about.
#[derive(Clone, Default)]
pub struct People {
    recipients: Vec<EmailAddress>,
    identities: HashSet<String>,
    sharers: HashSet<String>,
}

impl People {
    /// Sharers are identified by the claim `sub`.
    #[must_use]
    pub fn new(recipients: Vec<EmailAddress>, sharers: impl IntoIterator<Item = String>) -> Self {
        let identities = recipients.iter().map(EmailAddress::identity).collect();
        // Nothing remains to be replaced in what an earlier erasure has left.
        let sharers = sharers.into_iter().filter(|sub| sub != ERASED_SUB).collect();
        Self { recipients, identities, sharers }
    }

    #[must_use]
    pub fn recipients(&self) -> &[EmailAddress] {
        &self.recipients
    }

    /// Returns the sharers' subjects.
    pub fn sharers(&self) -> impl Iterator<Item = &str> {
        self.sharers.iter().map(String::as_str)
    }

    /// Returns whether an address belongs to one of the recipients.
    #[must_use]
    pub fn includes_recipient(&self, address: &EmailAddress) -> bool {
        self.identities.contains(&address.identity())
    }

    /// Returns whether a share of the item with one of the recipients has this id.
    #[must_use]
    pub fn includes_share(&self, item: &Item, id: ShareId) -> bool {
        self.recipients.iter().any(|recipient| ShareId::new(item, recipient) == id)
    }

    /// Returns what replaces a sharer, or `None` if the sharer is none of these people. A recipient may be a
    /// sharer, too: then only the address is removed, because the erasure of the sharer is another decision.
    #[must_use]
    pub fn replace_sharer(&self, sharer: &Sharer) -> Option<Sharer> {
        if self.sharers.contains(&sharer.sub) {
            return Some(Sharer::erased());
        }
        let email = sharer.email.as_ref()?;
        self.includes_recipient(email).then(|| Sharer { email: None, ..sharer.clone() })
    }

    /// Returns whether a text mentions one of the recipients.
    #[must_use]
    pub fn are_mentioned_in(&self, text: &str) -> bool {
        self.recipients.iter().any(|recipient| mentions(text, recipient))
    }
}

/// Returns whether an erasure covers a share that was created, or an event that happened, at this time. What
/// comes later is new: a person may be shared with again, and may share again.
#[must_use]
pub fn covers(erased_at: Option<Timestamp>, at: Timestamp) -> bool {
    erased_at.is_some_and(|erased_at| at <= erased_at)
}

impl Share {
    /// Returns mutable references to all sharers that the share names, each with the time of their action.
    pub fn sharers_mut(&mut self) -> Vec<(&mut Sharer, Timestamp)> {
        let actions = [
            self.changed.as_mut().map(|change| &mut change.action),
            self.link_copied.as_mut().map(|copy| &mut copy.action),
            self.mail.requested.as_mut(),
        ];
        let actions = actions.into_iter().flatten().map(|action| (&mut action.by, action.at));
        std::iter::once((&mut self.created_by, self.created_at)).chain(actions).collect()
    }
}

impl LogEntry {
    /// Returns a mutable reference to the sharer that the entry names, with the entry's time.
    pub fn sharer_mut(&mut self) -> Option<(&mut Sharer, Timestamp)> {
        let at = self.at;
        self.by.as_mut().map(|by| (by, at))
    }
}

/// Returns whether a text contains the address, in any spelling that belongs to the same recipient.
#[must_use]
pub fn mentions(text: &str, address: &EmailAddress) -> bool {
    let identity = address.identity();
    let Some((local, domain)) = identity.rsplit_once('@') else { return false };
    text.match_indices(['@', '＠']).any(|(at, sign)| {
        let (before, after) = (&text[..at], &text[at + sign.len()..]);
        ends_with_local_part(before, local) && starts_with_domain(after, domain)
    })
}

/// Returns whether the text ends with this local part, and not with a longer one. A character that joins words
/// in an address belongs to a longer one. Other punctuation, such as the `=` of a query, does not.
fn ends_with_local_part(text: &str, local: &str) -> bool {
    let Some(start) = text.len().checked_sub(local.len()) else { return false };
    let Some((before, end)) = text.split_at_checked(start) else { return false };
    let joins = |c: char| c.is_alphanumeric() || ".+-_".contains(c);
    end.eq_ignore_ascii_case(local) && !before.ends_with(joins)
}

/// Returns whether the text starts with this domain, in its ASCII or Unicode form, and not with a longer one.
fn starts_with_domain(text: &str, domain: &str) -> bool {
    let end = text.find(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && !".-".contains(c));
    let typed = text[..end.unwrap_or(text.len())].split(char::is_whitespace).next().unwrap_or_default();
    // A sentence may end with the address.
    let typed = typed.trim_end_matches(|c: char| ".-。".contains(c) || !c.is_alphanumeric());
    let parsed: Result<EmailAddress, _> = format!("x@{typed}").parse();
    parsed.is_ok_and(|parsed| parsed.domain().eq_ignore_ascii_case(domain))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::history::{Change, ChangeKind, LinkCopy};
    use crate::testing::{NOW, action_by, share, sharer, time};
    use crate::{Action, WriteId};

    fn ann() -> EmailAddress {
        "ann@bücher.example".parse().unwrap()
    }

    #[test]
    fn address_is_found_in_any_spelling() {
        for text in [
            "ann@xn--bcher-kva.example",
            "Ann@BÜCHER.Example",
            "write to ann@bücher.example.",
            "<ANN@Bücher.example>, bob@example.com",
            "mailto:ann@bücher.example?subject=x",
            "to=ann@bücher.example&x",
            "(ann@bücher.example)",
            "'ann@bücher.example'",
            "“ann@bücher.example”",
            "ann＠bücher.example",
            "bob@bücher.example ann@bücher.example",
            "ann@bu\u{308}cher.example",
            "ann@bücher.example\nRegards",
        ] {
            assert!(mentions(text, &ann()), "{text:?}");
        }
    }

    #[test]
    fn another_address_is_not_found() {
        for text in [
            "",
            "@",
            "ann",
            "joann@bücher.example",
            "jo.ann@bücher.example",
            "x+ann@bücher.example",
            "ann+x@bücher.example",
            "éann@bücher.example",
            "ann@bücher.example.com",
            "ann@bücher.example-shop.com",
            "ann@bucher.example",
            "ann at bücher.example",
            "ann@bücher",
        ] {
            assert!(!mentions(text, &ann()), "{text:?}");
        }
    }

    #[test]
    fn recipient_who_also_shares_loses_only_the_address() {
        let email = Some("ann@example.com".parse().unwrap());
        let tess = Sharer { sub: "u1".into(), name: Some("Tess".into()), email };
        let recipients = vec!["ANN@example.com".parse().unwrap()];
        let of = |subs: &[&str]| People::new(recipients.clone(), subs.iter().map(|sub| (*sub).to_owned()));
        assert_eq!(of(&[]).replace_sharer(&tess), Some(Sharer { email: None, ..tess.clone() }));
        assert_eq!(of(&["u1"]).replace_sharer(&tess), Some(Sharer::erased()));
        assert_eq!(of(&["u1", ERASED_SUB]).replace_sharer(&Sharer::erased()), None);
        assert_eq!(of(&["U1"]).replace_sharer(&sharer("u1")), None, "another subject");
    }

    #[test]
    fn share_of_a_recipient_is_recognized_by_its_id() {
        let share = share(&["a"]);
        let people = |address: &str| People::new(vec![address.parse().unwrap()], []);
        assert!(people("Ann@EXAMPLE.com").includes_share(&share.item, share.id));
        assert!(!people("ann+x@example.com").includes_share(&share.item, share.id));
    }

    #[test]
    fn erasure_covers_what_came_before_it() {
        let at = time(NOW);
        assert!(covers(Some(at), at) && covers(Some(at), at - TimeDelta::days(1)));
        assert!(!covers(Some(at), at + TimeDelta::milliseconds(1)));
        assert!(!covers(None, at));
    }

    #[test]
    fn every_sharer_of_a_share_is_found() {
        let mut share = share(&["a"]);
        let by = |sub| Action { at: time(NOW) + TimeDelta::days(1), ..action_by(sub) };
        share.changed = Some(Change { kind: ChangeKind::Revocation, action: by("u2") });
        share.link_copied = Some(LinkCopy { action: by("u3"), id: WriteId::from_bytes([1; 16]) });
        share.mail.requested = Some(by("u4"));
        let found: Vec<(String, Timestamp)> =
            share.sharers_mut().into_iter().map(|(sharer, at)| (sharer.sub.clone(), at)).collect();
        let later = time(NOW) + TimeDelta::days(1);
        let expected = [("u1", time(NOW)), ("u2", later), ("u3", later), ("u4", later)];
        assert_eq!(found, expected.map(|(sub, at)| (sub.to_owned(), at)));
        for (sharer, _) in share.sharers_mut() {
            *sharer = Sharer::erased();
        }
        assert_eq!(share.created_by, sharer("erased"));
        assert_eq!(share.mail.requested.unwrap().by, sharer("erased"));
    }

    proptest! {
        #[test]
        fn typed_address_is_always_found(local in "[a-z0-9]{1,8}([.+_-][a-z0-9]{1,4})?", before in "[ (<,:;=\"'/]{1,3}", after in "[ )>,:;&\"'/?]{1,3}") {
            let address: EmailAddress = format!("{local}@example.com").parse().unwrap();
            let typed = format!("x{before}{}@Example.COM{after}x", local.to_uppercase());
            prop_assert!(mentions(&typed, &address), "{}", typed);
        }

        #[test]
        fn arbitrary_text_is_searched_without_a_panic(text in "(\\PC|[@＠. a-z]){0,40}") {
            let _ = mentions(&text, &ann());
        }
    }
}
