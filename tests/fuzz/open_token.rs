//! A link token can be opened only if it is exactly the token that was sealed.

#![no_main]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a fuzz target fails by a panic")]

use std::sync::LazyLock;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use sharelink_domain::link::{KeyId, KeyRing, Link, find_tokens};
use sharelink_domain::{Generation, Item, ShareId};

static KEY_RING: LazyLock<KeyRing> = LazyLock::new(|| {
    KeyRing::parse(
        r#"{
            "current": "k2",
            "k1": "a first secret, of 32 bytes or more",
            "k2": "a second secret, of 32 bytes or more"
        }"#,
    )
    .unwrap()
});

#[derive(Arbitrary, Debug)]
enum Token<'a> {
    Forged(&'a str),
    Edited(LinkInput<'a>, Vec<Edit<'a>>),
}

#[derive(Arbitrary, Debug)]
struct LinkInput<'a> {
    uses_current_key: bool,
    item: Option<&'a str>,
    share: [u8; 16],
    generation: [u8; 16],
}

/// Changes a sealed token.
#[derive(Arbitrary, Debug)]
enum Edit<'a> {
    /// Replaces the character at a position, modulo the length.
    Character(u8, char),
    /// Replaces the character at a position with a character from the base64url alphabet.
    Digit(u8, u8),
    /// Truncates the sealed token to this length.
    Truncate(u8),
    /// Appends to the sealed token.
    Append(&'a str),
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn seal(key: &KeyId, link: &Link) -> String {
    KEY_RING.seal(key, link).unwrap().expose().to_owned()
}

fn edit_token(sealed: &str, edits: Vec<Edit>) -> String {
    let mut characters: Vec<char> = sealed.chars().collect();
    for edit in edits {
        let (position, character) = match edit {
            Edit::Character(position, character) => (position, character),
            Edit::Digit(position, digit) => (position, DIGITS[usize::from(digit % 64)].into()),
            Edit::Truncate(length) => return sealed.chars().take(length.into()).collect(),
            Edit::Append(suffix) => return format!("{sealed}{suffix}"),
        };
        let index = usize::from(position) % characters.len();
        characters[index] = character;
    }
    characters.into_iter().collect()
}

fuzz_target!(|token: Token| {
    let (input, edits) = match token {
        // To forge a token, the fuzzer would have to guess a 128-bit authentication tag.
        Token::Forged(text) => return assert!(KEY_RING.open(text).is_err(), "{text:?} was opened"),
        Token::Edited(input, edits) => (input, edits),
    };
    let link = Link {
        item: input
            .item
            .and_then(|item| Item::parse(item).ok())
            .unwrap_or_else(|| Item::parse("jobs/1042").unwrap()),
        share: ShareId::from_bytes(input.share),
        generation: Generation::from_bytes(input.generation),
    };
    let key = if input.uses_current_key { KEY_RING.current().clone() } else { "k1".parse().unwrap() };
    let sealed = seal(&key, &link);
    assert_eq!(KEY_RING.open(&sealed), Ok(link));
    assert!(
        sealed.ends_with(|c: char| c.is_ascii_alphanumeric()),
        "a program may cut off the end of {sealed}"
    );
    assert_eq!(find_tokens(&format!("{sealed}.")).next(), Some(sealed.as_str()));
    let edited = edit_token(&sealed, edits);
    let opened = KEY_RING.open(&edited);
    assert_eq!(opened.is_ok(), edited == sealed);
    if let Ok(opened) = opened {
        assert_eq!(seal(&key, &opened), edited, "two different tokens open as the same link");
    }
});
