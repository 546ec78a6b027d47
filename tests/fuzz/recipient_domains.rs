//! A list of domains is either parsed or rejected. The rules allow and block exactly the addresses within a
//! listed domain, however the domain is written.

#![no_main]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a fuzz target fails by a panic")]

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use sharelink_domain::recipient_domain::parse_domains;
use sharelink_domain::{EmailAddress, RecipientDomain, ShareRules};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    allowed: &'a str,
    blocked: &'a str,
    address: &'a str,
}

/// The maximum length of an address, in bytes.
const ADDRESS_LIMIT: usize = 254;

fn parse_list(list: &str) -> Option<Vec<RecipientDomain>> {
    let domains = parse_domains(list).ok()?;
    let texts: Vec<_> = domains.iter().map(RecipientDomain::as_str).collect();
    assert_eq!(parse_domains(&texts.join(",")).as_ref(), Ok(&domains));
    assert_eq!(parse_domains(&list.to_ascii_uppercase()).as_ref(), Ok(&domains));
    if !list.is_empty() {
        for (typed, domain) in list.split(',').zip(&domains) {
            check_domain(typed.trim(), domain);
        }
    }
    Some(domains)
}

/// Checks a domain and the text that it was parsed from.
fn check_domain(typed: &str, domain: &RecipientDomain) {
    let name = domain.as_str();
    assert!(name.is_ascii() && !name.contains(|c: char| c.is_ascii_uppercase()), "{name:?}");
    let upper = name.to_ascii_uppercase();
    // A top-level domain has no addresses.
    for within in [typed, name, &upper] {
        if let Ok(address) = format!("a@{within}").parse() {
            assert!(domain.covers(&address), "{within:?}");
            assert!(domain.blocks(&address), "{within:?}");
        } else {
            assert!(!name.contains('.') || name.len() + "a@".len() > ADDRESS_LIMIT, "{within:?}");
        }
    }
    let subdomain = format!("a@mail.{name}");
    if subdomain.len() <= ADDRESS_LIMIT {
        let address = subdomain.parse().unwrap();
        assert!(domain.covers(&address) && domain.blocks(&address), "{subdomain}");
    }
    // A domain that ends with the same text is another domain.
    if let Ok(address) = format!("a@x{name}").parse() {
        assert!(!domain.covers(&address) && !domain.blocks(&address), "{name}");
    }
}

/// Returns whether the address belongs to the domain or to one of its subdomains.
fn is_within(address: &EmailAddress, domain: &str) -> bool {
    let labels = |name: &str| name.rsplit('.').map(ToOwned::to_owned).collect::<Vec<_>>();
    labels(address.domain()).starts_with(&labels(domain))
}

fuzz_target!(|input: Input| {
    let (Some(allowed_domains), Some(blocked_domains)) =
        (parse_list(input.allowed), parse_list(input.blocked))
    else {
        return;
    };
    let Ok(address) = input.address.parse::<EmailAddress>() else { return };
    let is_allowed = allowed_domains.is_empty()
        || allowed_domains.iter().any(|domain| is_within(&address, domain.as_str()));
    let mut blocked = blocked_domains.iter().flat_map(RecipientDomain::with_aliases);
    let is_blocked = blocked.any(|domain| is_within(&address, domain));
    let rules = ShareRules { allowed_domains, blocked_domains, ..ShareRules::default() };
    assert_eq!(rules.check_recipient(&address).is_ok(), is_allowed && !is_blocked, "{}", address.as_str());
});
