//! An address is read the same way, however it is typed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sharelink_domain::{EmailAddress, Item, ShareId};

fuzz_target!(|typed: &str| {
    let Ok(address) = typed.parse::<EmailAddress>() else { return };
    let text = address.as_str();
    assert!(text.is_ascii() && !text.contains(|c: char| c.is_ascii_control() || c == ' '), "{text:?}");
    assert!(text.len() <= 254 && text.contains('@'), "{text:?}");
    // What it became stays as it is, and so does who it is.
    assert_eq!(text.parse::<EmailAddress>().unwrap().as_str(), text);
    let identity = address.identity();
    assert_eq!(identity.parse::<EmailAddress>().unwrap().identity(), identity);
    let item = Item { module: "jobs".parse().unwrap(), name: "1042".parse().unwrap() };
    let id = |text: &str| ShareId::new(&item, &text.parse().unwrap());
    assert!(id(typed) == id(text) && id(text) == id(&identity));
});
