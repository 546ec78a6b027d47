//! All spellings of an email address have the same normalized address, identity and share. What people type is
//! read as an address that reads as itself.

#![no_main]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a fuzz target fails by a panic")]

use libfuzzer_sys::fuzz_target;
use sharelink_domain::{EmailAddress, Item, ShareId};

fuzz_target!(|input: &str| {
    if let Ok(read) = EmailAddress::read(input) {
        assert_eq!(EmailAddress::read(read.as_str()).unwrap(), read);
        assert!(!read.as_str().starts_with(['\'', '`', '|', '{']), "{read}");
    }
    let Ok(address) = input.parse::<EmailAddress>() else { return };
    let normalized = address.as_str();
    assert!(normalized.is_ascii(), "{normalized:?}");
    assert!(!normalized.contains(|c: char| c.is_ascii_control() || c == ' '), "{normalized:?}");
    assert!(normalized.contains('@'), "{normalized:?}");
    assert!(normalized.len() <= 254, "{normalized:?}");
    // Both normalizations are idempotent.
    assert_eq!(normalized.parse::<EmailAddress>().unwrap().as_str(), normalized);
    let identity = address.identity();
    assert_eq!(identity.parse::<EmailAddress>().unwrap().identity(), identity);
    let item = Item { module: "jobs".parse().unwrap(), name: "1042".parse().unwrap() };
    let share_id = |address: &str| ShareId::new(&item, &address.parse().unwrap());
    assert_eq!(share_id(input), share_id(normalized));
    assert_eq!(share_id(normalized), share_id(&identity));
});
