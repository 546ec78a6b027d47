//! Requests that may be repeated: a client that got no answer sends the same request again under the same
//! `Idempotency-Key`, and gets what the first one would have got.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::TimeDelta;
use thiserror::Error;

use crate::share::WriteId;
use crate::{Sharer, Timestamp};

/// How long a request is remembered.
pub const IDEMPOTENCY_WINDOW: TimeDelta = TimeDelta::days(1);

const KEY_LIMIT: usize = 255;

/// A text that is no idempotency key.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must be 1 to {KEY_LIMIT} visible ASCII characters")]
pub struct IdempotencyKeyError;

/// The key has named another request before.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the idempotency key was used for another request")]
pub struct KeyReused;

/// What a client calls one of its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl FromStr for IdempotencyKey {
    type Err = IdempotencyKeyError;

    fn from_str(key: &str) -> Result<Self, IdempotencyKeyError> {
        let visible = key.bytes().all(|b| b.is_ascii_graphic());
        if visible && (1..=KEY_LIMIT).contains(&key.len()) {
            Ok(Self(key.to_owned()))
        } else {
            Err(IdempotencyKeyError)
        }
    }
}

/// A SHA-256 of what it stands for; printed in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hash([u8; 32]);

impl Hash {
    /// The parts are kept apart by their lengths.
    fn of(purpose: &str, parts: &[&[u8]]) -> Self {
        let mut bytes = format!("sharelink {purpose} 1\0").into_bytes();
        for part in parts {
            bytes.extend(part.len().to_be_bytes());
            bytes.extend(*part);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, &bytes).as_ref());
        Self(hash)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A request under an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotentRequest {
    id: Hash,
    fingerprint: Hash,
}

impl IdempotentRequest {
    /// A caller's request under their key. Keys of different callers and routes have nothing to do with each
    /// other; whether it is the same request again is told by `contents`, which is all that it asks for.
    #[must_use]
    pub fn new(caller: &Sharer, route: &str, key: &IdempotencyKey, contents: &[u8]) -> Self {
        Self {
            id: Hash::of("request", &[caller.sub.as_bytes(), route.as_bytes(), key.0.as_bytes()]),
            fingerprint: Hash::of("fingerprint", &[contents]),
        }
    }

    /// What tells it from every other request.
    #[must_use]
    pub fn id(&self) -> String {
        self.id.to_string()
    }

    /// What tells it from another request under the same key.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.fingerprint.to_string()
    }

    /// The id of whatever it writes, the same for each repetition of the request that was first received then.
    #[must_use]
    pub fn write_id(&self, received: Timestamp) -> WriteId {
        let received = received.timestamp_millis().to_be_bytes();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&Hash::of("write", &[&self.id.0, &received]).0[..16]);
        WriteId::from_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::tests::{NOW, ann, time};

    #[test]
    fn a_key_is_short_and_visible() {
        for good in ["1", "8e03978e-40d5-43dd-bc93-6894a57f9324", "\"quoted\"", &"x".repeat(255)] {
            assert!(good.parse::<IdempotencyKey>().is_ok(), "{good}");
        }
        for bad in ["", "a b", "a\n", "ä", &"x".repeat(256)] {
            assert_eq!(bad.parse::<IdempotencyKey>(), Err(IdempotencyKeyError), "{bad:?}");
        }
    }

    #[test]
    fn a_request_is_the_same_only_from_the_same_caller_on_the_same_route_under_the_same_key() {
        let request = |sub: &str, route, key: &str, contents: &str| {
            let caller = Sharer { sub: sub.into(), ..ann().by };
            IdempotentRequest::new(&caller, route, &key.parse().unwrap(), contents.as_bytes())
        };
        let first = request("u1", "POST /a", "k", "x");
        assert_eq!(first, request("u1", "POST /a", "k", "x"));
        for other in [
            request("u2", "POST /a", "k", "x"),
            request("u1", "POST /b", "k", "x"),
            request("u1", "POST /a", "l", "x"),
            // What one part ends with is not what the next begins with.
            request("u1P", "OST /a", "k", "x"),
        ] {
            assert_ne!(first.id, other.id);
        }
        let changed = request("u1", "POST /a", "k", "y");
        assert!(first.id == changed.id && first.fingerprint != changed.fingerprint);
    }

    #[test]
    fn a_request_and_its_contents_are_told_by_hashes_in_hexadecimal() {
        let request = |key: &str| IdempotentRequest::new(&ann().by, "POST /a", &key.parse().unwrap(), b"x");
        let (one, other) = (request("k"), request("l"));
        for hash in [one.id(), one.fingerprint()] {
            let digits = hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            assert!(hash.len() == 64 && digits, "{hash}");
        }
        assert_ne!(one.id(), one.fingerprint());
        assert_ne!(one.id(), other.id());
        assert_eq!(one.fingerprint(), other.fingerprint());
    }

    #[test]
    fn a_key_that_is_used_again_after_it_was_forgotten_writes_anew() {
        let request = IdempotentRequest::new(&ann().by, "POST /a", &"k".parse().unwrap(), b"");
        assert_eq!(request.write_id(time(NOW)), request.write_id(time(NOW)));
        assert_ne!(request.write_id(time(NOW)), request.write_id(time(NOW) + IDEMPOTENCY_WINDOW));
    }
}
