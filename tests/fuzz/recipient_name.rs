//! Every recipient is either read or refused. A name is one short line without an address, and parses to
//! itself.

#![no_main]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a fuzz target fails by a panic")]

use libfuzzer_sys::fuzz_target;
use sharelink_domain::{RecipientName, read_recipient};

/// The maximum length of a name, in characters.
const NAME_LIMIT: usize = 100;

fn check_name(name: &RecipientName) {
    let text = name.as_str();
    assert!((1..=NAME_LIMIT).contains(&text.chars().count()), "{text:?}");
    assert!(!text.contains(['@', '＠', '<', '>']), "{text:?}");
    assert!(!text.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')), "{text:?}");
    assert_eq!(RecipientName::parse(text).as_ref(), Some(name), "{text:?}");
}

fuzz_target!(|input: &str| {
    if let Some(name) = RecipientName::parse(input) {
        check_name(&name);
    }
    if let Ok((address, Some(name))) = read_recipient(input) {
        check_name(&name);
        let text = format!("{} <{address}>", name.as_str());
        assert_eq!(read_recipient(&text), Ok((address, Some(name))), "{text:?}");
    }
});
