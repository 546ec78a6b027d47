//! A link's token opens if it is the very one that was sealed, and nothing else does.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use sharelink_domain::link::{KeyId, KeyRing, Link};
use sharelink_domain::{Generation, Item, ShareId};

static RING: LazyLock<KeyRing> = LazyLock::new(|| {
    KeyRing::parse(
        r#"{"current": "k2", "k1": "a first secret, of 32 bytes or more", "k2": "a second secret, of 32 bytes or more"}"#,
    )
    .unwrap()
});

#[derive(Arbitrary, Debug)]
enum Token<'a> {
    Text(&'a str),
    Sealed(Sealed<'a>, Vec<Edit<'a>>),
}

#[derive(Arbitrary, Debug)]
struct Sealed<'a> {
    by_current_key: bool,
    item: Option<&'a str>,
    share: [u8; 16],
    generation: [u8; 16],
}

#[derive(Arbitrary, Debug)]
enum Edit<'a> {
    Character(u8, char),
    /// One that base64url knows.
    Digit(u8, u8),
    Cut(u8),
    Longer(&'a str),
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn seal(key: &KeyId, link: &Link) -> String {
    RING.seal(key, link).unwrap().expose().to_owned()
}

fn edited(sealed: &str, edits: Vec<Edit>) -> String {
    let mut characters: Vec<char> = sealed.chars().collect();
    for edit in edits {
        let (place, character) = match edit {
            Edit::Character(place, character) => (place, character),
            Edit::Digit(place, digit) => (place, DIGITS[usize::from(digit % 64)].into()),
            Edit::Cut(length) => return sealed.chars().take(length.into()).collect(),
            Edit::Longer(rest) => return format!("{sealed}{rest}"),
        };
        let place = usize::from(place) % characters.len();
        characters[place] = character;
    }
    characters.into_iter().collect()
}

fuzz_target!(|token: Token| {
    let (Sealed { by_current_key, item, share, generation }, edits) = match token {
        // A forgery: a guess at 128 bits.
        Token::Text(text) => return assert!(RING.open(text).is_err()),
        Token::Sealed(sealed, edits) => (sealed, edits),
    };
    let link = Link {
        item: item.and_then(|item| Item::parse(item).ok()).unwrap_or(Item::parse("jobs/1042").unwrap()),
        share: ShareId::from_bytes(share),
        generation: Generation::from_bytes(generation),
    };
    let key = if by_current_key { RING.current().clone() } else { "k1".parse().unwrap() };
    let sealed = seal(&key, &link);
    assert_eq!(RING.open(&sealed), Ok(link));
    let text = edited(&sealed, edits);
    let opened = RING.open(&text);
    assert_eq!(opened.is_ok(), text == sealed);
    // What opens is what it would be sealed to again.
    assert!(opened.is_err() || seal(&key, &opened.unwrap()) == text);
});
