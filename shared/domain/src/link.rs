//! Links. A link contains a share's key, sealed so that only a holder of the key ring can create or open the
//! link.
//!
//! A token is `base64url(version, key id, ciphertext)`. The ciphertext is the share's id, its generation and
//! the item, encrypted with AES-256-GCM-SIV (RFC 8452) and a constant nonce. Sealing is deterministic, so a
//! link can be derived again at any time and is never stored: neither the table nor its backups contain
//! anything that creates or reveals a link. A token reveals its key id and the length of the item's path, and
//! equal links have equal tokens. Nothing else leaks. The version, the purpose and the key id are also
//! authenticated. Forging a token requires guessing a 128-bit tag.
//!
//! A new token never ends in `-` or `_`, because mail clients and chat programs cut these off a link. The
//! last character of base64 is any of the 64 only if the length in bytes is a multiple of three. A link whose
//! token would have such a length is therefore padded by one byte before encryption.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

use crate::{Generation, Item, Share, ShareId};

const VERSION: u8 = 1;
const PURPOSE: &[u8] = b"sharelink link 1";

/// The byte that pads a link. No item's path contains it.
const PADDING: u8 = 0;

/// The length of the authentication tag (RFC 8452), in bytes.
const TAG_LEN: usize = 16;

/// The contents of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub item: Item,
    pub share: ShareId,
    pub generation: Generation,
}

impl Link {
    /// Returns a share's link.
    #[must_use]
    pub fn of(share: &Share) -> Self {
        Self { item: share.item.clone(), share: share.id, generation: share.generation }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let path = self.item.to_string();
        [&self.share.to_bytes()[..], &self.generation.to_bytes(), path.as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_suffix(&[PADDING]).unwrap_or(bytes);
        let (share, rest) = bytes.split_first_chunk::<16>()?;
        let (generation, path) = rest.split_first_chunk::<16>()?;
        Some(Self {
            item: Item::parse(std::str::from_utf8(path).ok()?).ok()?,
            share: ShareId::from_bytes(*share),
            generation: Generation::from_bytes(*generation),
        })
    }
}

/// The id of a key in the ring: 1 to 32 characters from `A-Z a-z 0-9 - _`, but not `current`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(String);

impl KeyId {
    /// Returns the id as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = KeyRingError;

    fn from_str(id: &str) -> Result<Self, KeyRingError> {
        let has_valid_characters = id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if has_valid_characters && (1..=32).contains(&id.len()) && id != CURRENT {
            Ok(Self(id.to_owned()))
        } else {
            Err(KeyRingError::KeyId)
        }
    }
}

const CURRENT: &str = "current";

/// The minimum length of a key's secret, in bytes.
const MIN_SECRET_LENGTH: usize = 32;

/// The reason a secret is not a valid key ring. The messages never quote the secret.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum KeyRingError {
    #[error("the key ring is not a flat JSON object of strings")]
    Json,
    #[error("a key id in the ring must be 1 to 32 letters, digits, - or _")]
    KeyId,
    #[error("the key ring's \"current\" must name one of its keys")]
    Current,
    #[error("a key in the ring is shorter than {MIN_SECRET_LENGTH} bytes")]
    TooShort,
    #[error("a key could not be derived")]
    Derivation,
}

/// The last segment of a link. A token grants access to anyone who has it, so only [`expose`](Self::expose)
/// returns its text.
pub struct LinkToken(String);

impl LinkToken {
    /// Returns the token's text. It may be used only in an email to the recipient or in a response to an
    /// authorized caller.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LinkToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkToken(..)")
    }
}

/// The reason a token was rejected.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TokenError {
    #[error("the token was not sealed by this key ring")]
    Forged,
    #[error("the token names a key that is not in the ring")]
    UnknownKey(KeyId),
}

/// The keys that seal and open links, as stored in Secrets Manager: `{"current": "k1", "k1": "…"}`.
pub struct KeyRing {
    current: KeyId,
    keys: BTreeMap<KeyId, LessSafeKey>,
}

impl KeyRing {
    /// Parses a key ring. Each key is derived from the bytes of its secret string. The string is not decoded
    /// first, and may contain any characters.
    pub fn parse(json: &str) -> Result<Self, KeyRingError> {
        let mut strings: BTreeMap<String, String> =
            serde_json::from_str(json).map_err(|_| KeyRingError::Json)?;
        let current = strings.remove(CURRENT).ok_or(KeyRingError::Current)?.parse()?;
        let keys = strings
            .iter()
            .map(|(id, secret)| Ok((id.parse()?, derive_key(secret.as_bytes())?)))
            .collect::<Result<BTreeMap<KeyId, _>, KeyRingError>>()?;
        if keys.contains_key(&current) { Ok(Self { current, keys }) } else { Err(KeyRingError::Current) }
    }

    /// Returns the id of the key that seals new links.
    #[must_use]
    pub fn current(&self) -> &KeyId {
        &self.current
    }

    /// Seals a link with one of the ring's keys. The same link and key always give the same token.
    pub fn seal(&self, id: &KeyId, link: &Link) -> Result<LinkToken, TokenError> {
        let key = self.keys.get(id).ok_or_else(|| TokenError::UnknownKey(id.clone()))?;
        let header = header(id);
        let mut sealed = link.to_bytes();
        if (header.len() + sealed.len() + TAG_LEN).is_multiple_of(3) {
            sealed.push(PADDING);
        }
        key.seal_in_place_append_tag(nonce(), Aad::from(associated_data(id)), &mut sealed)
            .map_err(|_| TokenError::Forged)?;
        let token = [header.as_slice(), &sealed].concat();
        Ok(LinkToken(URL_SAFE_NO_PAD.encode(token)))
    }

    /// Opens a token. Accepts only the exact text that [`seal`](Self::seal) returns, with or without padding.
    pub fn open(&self, token: &str) -> Result<Link, TokenError> {
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| TokenError::Forged)?;
        let (id, sealed) = split_header(&bytes).ok_or(TokenError::Forged)?;
        let Some(key) = self.keys.get(&id) else { return Err(TokenError::UnknownKey(id)) };
        let mut buffer = sealed.to_vec();
        let opened = key
            .open_in_place(nonce(), Aad::from(associated_data(&id)), &mut buffer)
            .map_err(|_| TokenError::Forged)?;
        Link::from_bytes(opened).ok_or(TokenError::Forged)
    }
}

/// Returns the texts that may be the token in a segment of a URL's path, the most likely first.
///
/// Programs that turn text into links often include the punctuation around a link, such as a period, a
/// closing bracket or a quotation mark. Markup adds `_`, which a token may contain but no longer ends in.
pub fn find_tokens(segment: &str) -> impl Iterator<Item = &str> {
    let is_token_character = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let run = segment.split(|c| !is_token_character(c)).find(|run| !run.is_empty());
    let trimmed = run.map(|run| run.trim_matches(['-', '_'])).filter(|trimmed| Some(*trimmed) != run);
    run.into_iter().chain(trimmed)
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("current", &self.current).finish_non_exhaustive()
    }
}

/// Derives a link-sealing key from a secret (HKDF, RFC 5869).
fn derive_key(secret: &[u8]) -> Result<LessSafeKey, KeyRingError> {
    if secret.len() < MIN_SECRET_LENGTH {
        return Err(KeyRingError::TooShort);
    }
    let pseudorandom_key = Salt::new(HKDF_SHA256, b"sharelink").extract(secret);
    let key = pseudorandom_key
        .expand(&[PURPOSE], &AES_256_GCM_SIV)
        .map(UnboundKey::from)
        .map_err(|_| KeyRingError::Derivation)?;
    Ok(LessSafeKey::new(key))
}

/// Returns a constant nonce, which makes sealing deterministic. Unlike GCM, GCM-SIV stays secure when a nonce
/// is reused.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

fn header(id: &KeyId) -> Vec<u8> {
    // A key id is at most 32 bytes long, so the conversion cannot fail.
    let length = u8::try_from(id.0.len()).unwrap_or(u8::MAX);
    [&[VERSION, length], id.0.as_bytes()].concat()
}

fn associated_data(id: &KeyId) -> Vec<u8> {
    [PURPOSE, &header(id)].concat()
}

fn split_header(bytes: &[u8]) -> Option<(KeyId, &[u8])> {
    let ([version, length], rest) = bytes.split_first_chunk::<2>()?;
    let (id_bytes, sealed) = rest.split_at_checked(usize::from(*length))?;
    let id = std::str::from_utf8(id_bytes).ok()?.parse().ok()?;
    (*version == VERSION).then_some((id, sealed))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::item;

    const RING: &str = r#"{"current": "k2", "k1": "an old secret of 32 bytes or more!", "k2": "\"any\" bytes, \\ {quoted} or not: é"}"#;

    fn ring() -> KeyRing {
        KeyRing::parse(RING).unwrap()
    }

    fn link() -> Link {
        let share = ShareId::new(&item(), &"ann@example.com".parse().unwrap());
        Link { item: item(), share, generation: Generation::from_bytes([7; 16]) }
    }

    /// Golden vector: links in recipients' mailboxes have this format. Never edit this vector.
    #[test]
    fn token_format_is_frozen() {
        let token = ring().seal(&"k1".parse().unwrap(), &link()).unwrap();
        assert_eq!(
            token.expose(),
            "AQJrMfpFmwvJ29i8uLyai2TN1__Ogk1ii42EGHcqiD_T0l4OujkCutihRk6K7vLsYQ3PdgRoc4mP-qK1Rw"
        );
    }

    #[test]
    fn every_key_in_the_ring_opens_its_links() {
        let ring = ring();
        for id in ["k1", "k2"] {
            let token = ring.seal(&id.parse().unwrap(), &link()).unwrap();
            assert_eq!(ring.open(token.expose()), Ok(link()));
        }
    }

    #[test]
    fn sealing_is_deterministic() {
        let (first, second) = (ring(), ring());
        let seal = |ring: &KeyRing| ring.seal(ring.current(), &link()).unwrap().expose().to_owned();
        assert_eq!(seal(&first), seal(&second));
    }

    #[test]
    fn altered_token_is_rejected() {
        let ring = ring();
        let sealed = ring.seal(ring.current(), &link()).unwrap();
        let token = sealed.expose();
        for end in 0..token.len() {
            assert!(ring.open(&token[..end]).is_err());
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(ring.open(&URL_SAFE_NO_PAD.encode(altered)).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn base64url_is_decoded_strictly() {
        let ring = ring();
        let sealed = ring.seal(ring.current(), &link()).unwrap();
        let token = sealed.expose();
        for altered in [format!("{token}="), format!(" {token}"), format!("{token}\n"), format!("{token}A")] {
            assert!(ring.open(&altered).is_err(), "{altered:?}");
        }
        // The unused bits of the last character must be zero.
        let last = token.chars().last().unwrap();
        let accepted = ('!'..='~')
            .filter(|c| ring.open(&format!("{}{c}", &token[..token.len() - 1])).is_ok())
            .collect::<Vec<_>>();
        assert_eq!(accepted, [last]);
    }

    #[test]
    fn token_is_rejected_by_another_ring() {
        let other_ring =
            KeyRing::parse(r#"{"current": "k2", "k2": "another secret that has 32 bytes too"}"#).unwrap();
        let token = ring().seal(&"k2".parse().unwrap(), &link()).unwrap();
        assert_eq!(other_ring.open(token.expose()), Err(TokenError::Forged));
        let token = ring().seal(&"k1".parse().unwrap(), &link()).unwrap();
        assert_eq!(other_ring.open(token.expose()), Err(TokenError::UnknownKey("k1".parse().unwrap())));
    }

    #[test]
    fn invalid_key_ring_is_rejected() {
        for (json, error) in [
            ("", KeyRingError::Json),
            ("[]", KeyRingError::Json),
            (r#"{"current": "k1", "k1": 1}"#, KeyRingError::Json),
            (r#"{"k1": "0123456789abcdef0123456789abcdef"}"#, KeyRingError::Current),
            (r#"{"current": "k2", "k1": "0123456789abcdef0123456789abcdef"}"#, KeyRingError::Current),
            (r#"{"current": "k1", "k1": "short"}"#, KeyRingError::TooShort),
            (r#"{"current": "a b", "a b": "0123456789abcdef0123456789abcdef"}"#, KeyRingError::KeyId),
        ] {
            assert_eq!(KeyRing::parse(json).map(|_| ()), Err(error), "{json}");
        }
    }

    #[test]
    fn ring_seals_new_links_with_its_current_key() {
        assert_eq!(ring().current().as_str(), "k2");
    }

    #[test]
    fn debug_output_hides_secrets_and_tokens() {
        let ring = ring();
        let token = ring.seal(ring.current(), &link()).unwrap();
        assert_eq!(format!("{ring:?}"), r#"KeyRing { current: KeyId("k2"), .. }"#);
        assert_eq!(format!("{token:?}"), "LinkToken(..)");
    }

    /// A link whose token needs padding.
    fn padded_link() -> Link {
        Link { item: Item::parse("jobs/104151").unwrap(), ..link() }
    }

    /// Golden vector, like [`token_format_is_frozen`]. Never edit this vector.
    #[test]
    fn padded_token_format_is_frozen() {
        let token = ring().seal(&"k1".parse().unwrap(), &padded_link()).unwrap();
        assert_eq!(
            token.expose(),
            "AQJrMSq9_hBYOO7ghqP8nOhaKPN7mgqWNn5Fe1C2K-cUD6xCkQuMP86nrzs8JWC1Z4NQ_o1pA5kiikeVZHP14w"
        );
    }

    /// Golden vector: the same link, sealed before tokens were padded. Never edit this vector.
    #[test]
    fn token_without_padding_opens() {
        let token = "AQJrMZOvooSLnxxSRa88BLhw3OFfZ-mx_2L0_gfjomBf_lRFmMU7Yc_0hQYNbHvOt366p-ZWz46CY8tCIlb_";
        assert_eq!(ring().open(token), Ok(padded_link()));
        assert_eq!(find_tokens(&format!("{token}.")).next(), Some(token));
    }

    #[test]
    fn only_one_byte_of_padding_is_accepted() {
        let bytes = link().to_bytes();
        assert_eq!(Link::from_bytes(&[&bytes[..], &[0]].concat()), Some(link()));
        for padding in [&[0, 0][..], &[1], b" ", b"\0/"] {
            assert_eq!(Link::from_bytes(&[&bytes[..], padding].concat()), None, "{padding:?}");
        }
    }

    #[test]
    fn token_is_found_within_punctuation() {
        let found = |segment: &str| find_tokens(segment).map(str::to_owned).collect::<Vec<_>>();
        for around in [
            ".", ",", ")", ">", ";", "!", "?", "'", "\"", "*", "]", "}", "|", "`", "~", ":", " ", "%20",
            "\u{2026}", "\u{bb}", "\u{201d}", "\u{2019}", "\u{3002}", "\u{ff09}", "\u{200b}", "\u{a0}",
            "...", ").", ">,", "\").",
        ] {
            assert_eq!(found(&format!("AQ-x_y{around}")), ["AQ-x_y"], "{around:?}");
            assert_eq!(found(&format!("AQ-x_y{around}and more")), ["AQ-x_y"], "{around:?}");
        }
        for before in ["<", "(", "\"", "\u{201e}", " ", "\u{200b}", "[["] {
            assert_eq!(found(&format!("{before}AQ-x_y>")), ["AQ-x_y"], "{before:?}");
        }
        assert_eq!(found("AQ-x_y_"), ["AQ-x_y_", "AQ-x_y"]);
        assert_eq!(found("__AQ-x_y__."), ["__AQ-x_y__", "AQ-x_y"]);
        assert_eq!(found("AQ-x_y--"), ["AQ-x_y--", "AQ-x_y"]);
        for none in ["", ".", "\u{2026}", "()"] {
            assert!(found(none).is_empty(), "{none:?}");
        }
    }

    proptest! {
        #[test]
        fn token_ends_in_a_letter_or_a_digit(
            path in "[A-Za-z0-9]{1,64}/[A-Za-z0-9._~-]{0,63}[a-z]", id in "[A-Za-z0-9_-]{1,32}",
            share in any::<[u8; 16]>(), generation in any::<[u8; 16]>(),
        ) {
            prop_assume!(id != CURRENT);
            let secret = "a secret that has at least 32 bytes";
            let ring = KeyRing::parse(&format!(r#"{{"current": "{id}", "{id}": "{secret}"}}"#)).unwrap();
            let (share, generation) = (ShareId::from_bytes(share), Generation::from_bytes(generation));
            let link = Link { item: Item::parse(&path).unwrap(), share, generation };
            let token = ring.seal(ring.current(), &link).unwrap();
            let token = token.expose();
            prop_assert!(token.ends_with(|c: char| c.is_ascii_alphanumeric()), "{token}");
            // What cuts off or adds punctuation leaves exactly this token.
            prop_assert_eq!(token.trim_end_matches(['-', '_']), token);
            let surrounded = format!("_{token}_).");
            let opened = find_tokens(&surrounded).find_map(|token| ring.open(token).ok());
            prop_assert_eq!(opened, Some(link));
        }

        #[test]
        fn opening_arbitrary_text_fails_without_a_panic(text in any::<String>(), bytes in any::<Vec<u8>>()) {
            prop_assert!(ring().open(&text).is_err());
            prop_assert!(ring().open(&URL_SAFE_NO_PAD.encode(bytes)).is_err());
        }

        #[test]
        fn sealed_link_opens_to_the_same_link(
            module in "[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,127}", name in "[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,127}",
            share in any::<[u8; 16]>(), generation in any::<[u8; 16]>(),
        ) {
            let link = Link {
                item: Item { module: module.parse().unwrap(), name: name.parse().unwrap() },
                share: ShareId::from_bytes(share),
                generation: Generation::from_bytes(generation),
            };
            let token = ring().seal(ring().current(), &link).unwrap();
            prop_assert_eq!(ring().open(token.expose()), Ok(link));
        }
    }
}
