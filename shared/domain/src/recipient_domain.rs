//! Domains that recipients' addresses may belong to.

use std::str::FromStr;

use thiserror::Error;

use crate::EmailAddress;
use crate::address::{AddressError, alias_domains, to_ascii_labels};

/// A domain together with its subdomains, in ASCII form (UTS 46), like the domain of an [`EmailAddress`].
///
/// Unlike an address's domain, it may be a top-level domain such as `gov`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientDomain(String);

impl RecipientDomain {
    /// Returns the domain in ASCII form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether an address belongs to this domain or to one of its subdomains.
    #[must_use]
    pub fn covers(&self, address: &EmailAddress) -> bool {
        is_within(address, self.as_str())
    }

    /// Returns whether a block of this domain concerns an address: it covers the address, or the address may
    /// reach a mailbox at this domain because both belong to the same provider, such as `googlemail.com` and
    /// `gmail.com`. Never use this to decide whether an address is allowed.
    #[must_use]
    pub fn blocks(&self, address: &EmailAddress) -> bool {
        self.with_aliases().into_iter().any(|domain| is_within(address, domain))
    }

    /// Returns the domains that [`blocks`](Self::blocks) covers, in ASCII form.
    #[must_use]
    pub fn with_aliases(&self) -> Vec<&str> {
        alias_domains(self.as_str())
    }
}

fn is_within(address: &EmailAddress, domain: &str) -> bool {
    let rest = address.domain().strip_suffix(domain);
    rest.is_some_and(|subdomains| subdomains.is_empty() || subdomains.ends_with('.'))
}

/// The error for a list of domains with an invalid entry. Contains the entry's position, counted from 1, but not
/// the entry: it may be an address, which must not reach a log.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("has an entry, number {position}, that is not a domain")]
pub struct DomainListError {
    position: usize,
}

/// Parses a list of domains, separated by commas. An empty text is an empty list.
pub fn parse_domains(list: &str) -> Result<Vec<RecipientDomain>, DomainListError> {
    if list.is_empty() {
        return Ok(vec![]);
    }
    let parse = |(i, entry): (usize, &str)| entry.parse().map_err(|_| DomainListError { position: i + 1 });
    list.split(',').enumerate().map(parse).collect()
}

impl FromStr for RecipientDomain {
    type Err = AddressError;

    fn from_str(typed: &str) -> Result<Self, AddressError> {
        to_ascii_labels(typed.trim()).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(typed: &str) -> RecipientDomain {
        typed.parse().unwrap()
    }

    #[test]
    fn domain_covers_itself_and_its_subdomains() {
        for (name, covered, others) in [
            (
                "blocked.com",
                &["a@blocked.com", "a@BLOCKED.com", "a@mail.blocked.com", "a@x.y.blocked.com"][..],
                &["a@notblocked.com", "a@blocked.com.example", "blocked.com@example.com", "a@blocked.co"][..],
            ),
            ("mail.com", &["a@a.mail.com"], &["a@gmail.com"]),
            ("mail.blocked.com", &["a@mail.blocked.com"], &["a@blocked.com", "a@hotmail.blocked.com"]),
            ("gov", &["a@example.gov", "a@x.example.gov"], &["a@gov.example", "a@example.notgov"]),
        ] {
            for address in covered {
                assert!(domain(name).covers(&address.parse().unwrap()), "{name}, {address}");
            }
            for address in others {
                assert!(!domain(name).covers(&address.parse().unwrap()), "{name}, {address}");
            }
        }
    }

    #[test]
    fn block_includes_the_providers_other_domains() {
        for (name, blocked, others) in [
            (
                "gmail.com",
                &["a@gmail.com", "a@GoogleMail.com", "a@x.gmail.com"][..],
                &["a@notgooglemail.com", "a@googlemail.com.example"][..],
            ),
            ("googlemail.com", &["a@gmail.com", "a@googlemail.com"], &["a@google.com"]),
            ("pm.me", &["a@proton.me", "a@protonmail.com", "a@pm.me"], &["a@icloud.com"]),
            // A country's domain does not include its providers' domains elsewhere.
            ("ru", &["a@yandex.ru"], &["a@yandex.com"]),
            ("blocked.com", &["a@blocked.com", "a@mail.blocked.com"], &["a@gmail.com"]),
        ] {
            for address in blocked {
                assert!(domain(name).blocks(&address.parse().unwrap()), "{name}, {address}");
            }
            for address in others {
                assert!(!domain(name).blocks(&address.parse().unwrap()), "{name}, {address}");
            }
        }
        assert!(!domain("gmail.com").covers(&"a@googlemail.com".parse().unwrap()), "allowed as written");
    }

    #[test]
    fn domains_are_compared_in_ascii_form() {
        for typed in
            ["Bücher.example", " bu\u{308}cher.EXAMPLE ", "xn--bcher-kva.example", "XN--BCHER-KVA.example"]
        {
            assert_eq!(domain(typed).as_str(), "xn--bcher-kva.example", "{typed:?}");
        }
        let full_width = domain("ｅｘａｍｐｌｅ．ｃｏｍ");
        assert_eq!(full_width, domain("example.com"));
        for address in ["a@bücher.example", "a@shop.BÜCHER.example", "a@XN--BCHER-KVA.example"] {
            assert!(domain("bücher.example").covers(&address.parse().unwrap()), "{address}");
        }
        assert!(!domain("faß.example").covers(&"a@fass.example".parse().unwrap()), "another domain");
    }

    #[test]
    fn list_of_domains_is_separated_by_commas() {
        assert_eq!(parse_domains(""), Ok(vec![]));
        assert_eq!(
            parse_domains("a.example, Bücher.example"),
            Ok(vec![domain("a.example"), domain("bücher.example")])
        );
        for (list, position) in
            [(" ", 1), (",", 1), ("a.example,", 2), ("a.example,b@b.example", 2), ("a.example;b.example", 1)]
        {
            assert_eq!(parse_domains(list), Err(DomainListError { position }), "{list:?}");
        }
    }

    #[test]
    fn text_that_is_not_a_domain_is_rejected() {
        for typed in [
            "",
            " ",
            ".",
            "example.com.",
            ".example.com",
            "*.example.com",
            "@example.com",
            "a@example.com",
            "example..com",
            "-a.com",
            "exa mple.com",
            "https://example.com",
            "192.168.0.1",
            "a_b.com",
        ] {
            assert_eq!(typed.parse::<RecipientDomain>(), Err(AddressError::Domain), "{typed:?}");
        }
    }
}
