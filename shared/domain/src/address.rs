//! Email addresses, and when two addresses belong to the same recipient.

use std::fmt;
use std::str::FromStr;

use idna::AsciiDenyList;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The reason a string is not a supported email address.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AddressError {
    #[error("is not an email address: it needs a name, an @ and a domain")]
    Shape,
    #[error("has an unsupported character before the @")]
    LocalPart,
    #[error("has an invalid domain")]
    Domain,
    #[error("is too long for an email address")]
    TooLong,
    /// The domain's ASCII form is a different one from the domain that a reader sees (UTS 39).
    #[error(
        "has a domain that looks like {resembled} but is {ascii}; correct it, or enter {ascii} if that is what \
         you mean"
    )]
    Lookalike { resembled: String, ascii: String },
    #[error(
        "has a domain that mixes scripts or has an unusual character; correct it, or enter its ASCII form, \
         {ascii}, if that is what you mean"
    )]
    MixedScripts { ascii: String },
}

/// The maximum length of a local part, in bytes (RFC 5321, section 4.5.3.1).
const LOCAL_PART_LIMIT: usize = 64;

/// The maximum length of an address, in bytes (RFC 3696, erratum 1690).
const ADDRESS_LIMIT: usize = 254;

/// The maximum length of a domain label, in bytes (RFC 1035, section 2.3.4).
const LABEL_LIMIT: usize = 63;

/// Domains whose addresses may reach the mailbox with the same name at the first domain, according to
/// [Google](https://support.google.com/mail/answer/10313), [Apple](https://support.apple.com/118230) and
/// [Proton](https://proton.me/support/addresses-and-aliases).
const ALIAS_DOMAINS: [(&str, &[&str]); 4] = [
    ("gmail.com", &["googlemail.com"]),
    ("icloud.com", &["me.com", "mac.com"]),
    ("proton.me", &["protonmail.com", "protonmail.ch", "pm.me"]),
    ("yandex.ru", &["ya.ru", "yandex.by", "yandex.com", "yandex.com.tr", "yandex.kz", "yandex.ua"]),
];

/// Returns all domains whose addresses may reach the mailboxes at this domain, including the domain.
pub(crate) fn alias_domains(domain: &str) -> Vec<&str> {
    let is_in = |(first, aliases): &&(&str, &[&str])| *first == domain || aliases.contains(&domain);
    match ALIAS_DOMAINS.iter().find(is_in) {
        Some((first, aliases)) => [&[*first], *aliases].concat(),
        None => vec![domain],
    }
}

/// An email address that SES can send to. The local part is stored as typed, and the domain in ASCII form.
///
/// Two addresses with the same [`identity`](Self::identity) belong to the same recipient.
/// [`read`](Self::read) accepts what people type; `parse` and deserialization only accept the address itself.
#[derive(Clone, Deserialize, PartialEq, Eq, Hash, Serialize)]
#[serde(try_from = "String")]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Returns the address for sending and display.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the domain, in ASCII form.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// Returns the address with its domain as people read it, if the domain is not ASCII.
    #[must_use]
    pub(crate) fn with_unicode_domain(&self) -> Option<String> {
        let (local, domain) = self.0.rsplit_once('@')?;
        let (unicode, valid) = idna::domain_to_unicode(domain);
        valid.ok().filter(|()| unicode != domain).map(|()| format!("{local}@{unicode}"))
    }

    /// Returns the address that the limit per mailbox applies to: in lowercase, and without the `+tag` and
    /// the punctuation of the local part.
    ///
    /// Anyone can invent such variants of an address, and they may all reach the same mailbox: Gmail ignores
    /// dots, Proton also hyphens and underscores. The rule is the same for every domain, because a list of
    /// providers would be incomplete. Where they are different mailboxes, two people share a limit, which is
    /// harmless. Never use this form to decide whether two recipients are the same.
    #[must_use]
    pub fn mailbox(&self) -> String {
        let identity = self.identity();
        let Some((local, domain)) = identity.rsplit_once('@') else { return identity };
        let user = local.split_once('+').map_or(local, |(user, _)| user);
        let letters = user.replace(['.', '-', '_'], "");
        let user = match (letters.as_str(), user) {
            // A tag alone is no user. All such addresses share a limit.
            ("", "") => "+",
            ("", punctuation) => punctuation,
            (letters, _) => letters,
        };
        let same = ALIAS_DOMAINS.iter().find(|(_, aliases)| aliases.contains(&domain));
        format!("{user}@{}", same.map_or(domain, |(domain, _)| domain))
    }

    /// Returns the address in lowercase, the form that the one-link rule compares. `+tags` and dots stay
    /// significant, because only some providers ignore them.
    ///
    /// The golden vectors below freeze this mapping. Every share's key is derived from the identity, so
    /// changing the mapping would allow a second link for the same address.
    #[must_use]
    pub fn identity(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl FromStr for EmailAddress {
    type Err = AddressError;

    fn from_str(typed: &str) -> Result<Self, AddressError> {
        let (local, domain) = typed.trim().rsplit_once('@').ok_or(AddressError::Shape)?;
        if local.is_empty() || domain.is_empty() {
            return Err(AddressError::Shape);
        }
        check_local_part(local)?;
        let address = format!("{local}@{}", to_ascii_domain(domain)?);
        if address.len() > ADDRESS_LIMIT {
            return Err(AddressError::TooLong);
        }
        Ok(Self(address))
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = AddressError;

    fn try_from(typed: String) -> Result<Self, AddressError> {
        typed.parse()
    }
}

/// Checks that a local part is a dot-atom (RFC 5322, section 3.2.3). SES rejects non-ASCII local parts, and
/// few mail servers accept quoted local parts.
fn check_local_part(local: &str) -> Result<(), AddressError> {
    let is_atext = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b);
    if !local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext)) {
        return Err(AddressError::LocalPart);
    }
    if local.len() > LOCAL_PART_LIMIT {
        return Err(AddressError::TooLong);
    }
    Ok(())
}

/// Converts a domain to ASCII (UTS 46). The domain must have at least two labels.
fn to_ascii_domain(domain: &str) -> Result<String, AddressError> {
    to_ascii_labels(domain).ok().filter(|ascii| ascii.contains('.')).ok_or(AddressError::Domain)
}

/// Converts a domain to ASCII (UTS 46). The domain may be a top-level domain.
pub(crate) fn to_ascii_labels(domain: &str) -> Result<String, AddressError> {
    let ascii = idna::domain_to_ascii_cow(domain.as_bytes(), AsciiDenyList::STD3)
        .map_err(|_| AddressError::Domain)?
        .into_owned();
    let is_label = |label: &str| {
        (1..=LABEL_LIMIT).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    let top = ascii.rsplit('.').next().unwrap_or_default();
    // A top-level domain begins with a letter. A numeric last label, in any base, would make the host an IPv4
    // address.
    let is_host = ascii.split('.').all(is_label) && top.starts_with(|c: char| c.is_ascii_alphabetic());
    if is_host { Ok(ascii) } else { Err(AddressError::Domain) }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Hides the address: debug output may reach a log.
impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Golden vectors: share keys in existing tables are derived from these identities. Never edit a vector.
    #[test]
    fn identities_are_frozen() {
        for (typed, address, identity) in [
            ("ann@example.com", "ann@example.com", "ann@example.com"),
            ("  Ann.B@Example.COM\t", "Ann.B@example.com", "ann.b@example.com"),
            ("ann+tag@example.com", "ann+tag@example.com", "ann+tag@example.com"),
            ("a.n.n@example.com", "a.n.n@example.com", "a.n.n@example.com"),
            ("Ann@Bücher.example", "Ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example"),
            ("ann@BU\u{308}CHER.example", "ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example"),
            ("ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example"),
            ("ann@faß.example", "ann@xn--fa-hia.example", "ann@xn--fa-hia.example"),
            ("ann@例え。テスト", "ann@xn--r8jz45g.xn--zckzah", "ann@xn--r8jz45g.xn--zckzah"),
            ("O'Neil/x=y@ex-ample.co.uk", "O'Neil/x=y@ex-ample.co.uk", "o'neil/x=y@ex-ample.co.uk"),
        ] {
            let parsed: EmailAddress = typed.parse().unwrap();
            assert_eq!(parsed.as_str(), address, "{typed}");
            assert_eq!(parsed.identity(), identity, "{typed}");
        }
    }

    #[test]
    fn variants_of_an_address_share_a_mailbox() {
        for (address, mailbox) in [
            ("victim@gmail.com", "victim@gmail.com"),
            ("victim+1@gmail.com", "victim@gmail.com"),
            ("VICTIM+Shop@Gmail.com", "victim@gmail.com"),
            ("v.i.c.t.i.m@gmail.com", "victim@gmail.com"),
            ("vic.tim+a+b.c@gmail.com", "victim@gmail.com"),
            ("victim+@gmail.com", "victim@gmail.com"),
            ("victim+1@Bücher.example", "victim@xn--bcher-kva.example"),
            ("vic.tim+1@googlemail.com", "victim@gmail.com"),
            ("victim@ME.com", "victim@icloud.com"),
            ("vic-tim+1@pm.me", "victim@proton.me"),
            ("vic_tim@protonmail.com", "victim@proton.me"),
            ("o'neil=x@example.com", "o'neil=x@example.com"),
            ("+tag@example.com", "+@example.com"),
            ("_+1@example.com", "_@example.com"),
            ("-@example.com", "-@example.com"),
            ("vic-tim+1@ya.ru", "victim@yandex.ru"),
        ] {
            assert_eq!(address.parse::<EmailAddress>().unwrap().mailbox(), mailbox, "{address}");
        }
    }

    #[test]
    fn invalid_address_is_rejected() {
        for (typed, error) in [
            ("", AddressError::Shape),
            ("ann", AddressError::Shape),
            ("@example.com", AddressError::Shape),
            ("ann@", AddressError::Shape),
            ("Ann <ann@example.com>", AddressError::LocalPart),
            ("a nn@example.com", AddressError::LocalPart),
            (".ann@example.com", AddressError::LocalPart),
            ("a..b@example.com", AddressError::LocalPart),
            ("\"a b\"@example.com", AddressError::LocalPart),
            ("änn@example.com", AddressError::LocalPart),
            ("a@b@example.com", AddressError::LocalPart),
            ("ann\r\nBcc: eve@example.com", AddressError::LocalPart),
            ("ann@example", AddressError::Domain),
            ("ann@example..com", AddressError::Domain),
            ("ann@example.com.", AddressError::Domain),
            ("ann@-example.com", AddressError::Domain),
            ("ann@exa_mple.com", AddressError::Domain),
            ("ann@192.168.0.1", AddressError::Domain),
            ("ann@1.2.3.0x4", AddressError::Domain),
            ("ann@[192.168.0.1]", AddressError::Domain),
            ("ann@exam ple.com", AddressError::Domain),
            ("ann@example.com\r\nBcc: eve", AddressError::Domain),
        ] {
            assert_eq!(typed.parse::<EmailAddress>(), Err(error), "{typed:?}");
        }
        assert_eq!(
            format!("{}@example.com", "a".repeat(65)).parse::<EmailAddress>(),
            Err(AddressError::TooLong)
        );
        let long_domain = vec!["d".repeat(60); 4].join(".");
        assert_eq!(
            format!("{}@{long_domain}", "a".repeat(30)).parse::<EmailAddress>(),
            Err(AddressError::TooLong)
        );
    }

    #[test]
    fn address_length_is_limited() {
        let address = |local: usize, last: usize| {
            let domain = [60, 60, 60, last].map(|label| "d".repeat(label)).join(".");
            format!("{}@{domain}", "a".repeat(local)).parse::<EmailAddress>()
        };
        assert_eq!(address(64, 6).map(|address| address.as_str().len()), Ok(254));
        assert_eq!(address(64, 7), Err(AddressError::TooLong));
        assert_eq!(address(65, 5), Err(AddressError::TooLong));
    }

    #[test]
    fn debug_output_hides_the_address() {
        let address: EmailAddress = "ann@example.com".parse().unwrap();
        assert_eq!(address.to_string(), "ann@example.com");
        assert_eq!(format!("{address:?}"), "EmailAddress(..)");
    }

    proptest! {
        #[test]
        fn parsing_never_panics(typed in any::<String>()) {
            let _ = typed.parse::<EmailAddress>();
        }

        #[test]
        fn tags_and_punctuation_do_not_change_the_mailbox(
            start in "[a-z0-9]{1,9}", mark in "[.]|[_-]{0,3}", end in "[a-z0-9]{1,9}", tag in "[a-zA-Z0-9+_-]{0,20}",
        ) {
            let mailbox = |address: String| address.parse::<EmailAddress>().unwrap().mailbox();
            let plain = mailbox(format!("{start}{end}@example.com"));
            prop_assert_eq!(mailbox(format!("{start}{mark}{end}+{tag}@EXAMPLE.com")), plain);
        }

        #[test]
        fn address_round_trips(local in "[a-zA-Z0-9+_-]{1,20}", domain in "[a-z]{1,10}\\.[a-z]{2,5}") {
            let first: EmailAddress = format!("{local}@{domain}").parse().unwrap();
            let second: EmailAddress = first.as_str().parse().unwrap();
            prop_assert_eq!(&first, &second);
            prop_assert_eq!(first.identity(), second.as_str().to_ascii_uppercase().parse::<EmailAddress>().unwrap().identity());
        }
    }
}
