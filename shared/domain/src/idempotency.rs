//! Idempotent requests: after a lost response, a client can safely repeat the request with the same
//! `Idempotency-Key`.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::TimeDelta;
use thiserror::Error;

use crate::{Sharer, Timestamp, WriteId};

/// How long an idempotency key identifies a request.
pub const IDEMPOTENCY_WINDOW: TimeDelta = TimeDelta::days(1);

const KEY_LIMIT: usize = 255;

/// The error for a string that is not an idempotency key.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must be 1 to {KEY_LIMIT} visible ASCII characters")]
pub struct IdempotencyKeyError;

/// The error for a key that already identifies a different request.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the idempotency key was used for another request")]
pub struct KeyReused;

/// The key by which a client identifies one of its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl FromStr for IdempotencyKey {
    type Err = IdempotencyKeyError;

    fn from_str(key: &str) -> Result<Self, IdempotencyKeyError> {
        let is_visible = key.bytes().all(|b| b.is_ascii_graphic());
        if is_visible && (1..=KEY_LIMIT).contains(&key.len()) {
            Ok(Self(key.to_owned()))
        } else {
            Err(IdempotencyKeyError)
        }
    }
}

/// A SHA-256 hash, displayed in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hash([u8; 32]);

impl Hash {
    /// Hashes the parts, each preceded by its length, so that different lists of parts never produce the same
    /// input.
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

/// A request with an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotentRequest {
    id: Hash,
    fingerprint: Hash,
}

impl IdempotentRequest {
    /// Creates a request, identified by its caller, route and key. `contents` is everything that the request
    /// specifies. It distinguishes a retry from a different request with the same key.
    #[must_use]
    pub fn new(caller: &Sharer, route: &str, key: &IdempotencyKey, contents: &[u8]) -> Self {
        Self {
            id: Hash::of("request", &[caller.sub.as_bytes(), route.as_bytes(), key.0.as_bytes()]),
            fingerprint: Hash::of("fingerprint", &[contents]),
        }
    }

    /// Returns the request's id as 64 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> String {
        self.id.to_string()
    }

    /// Returns the fingerprint of the request's contents as 64 hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.fingerprint.to_string()
    }

    /// Returns the id of the request's writes, which is the same for every attempt. `received_at` is the time
    /// at which the first attempt was received.
    #[must_use]
    pub fn write_id(&self, received_at: Timestamp) -> WriteId {
        let millis = received_at.timestamp_millis().to_be_bytes();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&Hash::of("write", &[&self.id.0, &millis]).0[..16]);
        WriteId::from_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, sharer, time};

    fn request(sub: &str, route: &str, key: &str, contents: &str) -> IdempotentRequest {
        IdempotentRequest::new(&sharer(sub), route, &key.parse().unwrap(), contents.as_bytes())
    }

    #[test]
    fn key_is_short_visible_ascii() {
        for key in ["1", "8e03978e-40d5-43dd-bc93-6894a57f9324", "\"quoted\"", &"x".repeat(255)] {
            assert!(key.parse::<IdempotencyKey>().is_ok(), "{key}");
        }
        for key in ["", "a b", "a\n", "ä", &"x".repeat(256)] {
            assert_eq!(key.parse::<IdempotencyKey>(), Err(IdempotencyKeyError), "{key:?}");
        }
    }

    #[test]
    fn caller_route_and_key_identify_a_request() {
        let first = request("u1", "POST /a", "k", "x");
        assert_eq!(request("u1", "POST /a", "k", "x"), first);
        assert_ne!(request("u2", "POST /a", "k", "x").id, first.id, "another caller");
        assert_ne!(request("u1", "POST /b", "k", "x").id, first.id, "another route");
        assert_ne!(request("u1", "POST /a", "l", "x").id, first.id, "another key");
        assert_ne!(request("u1P", "OST /a", "k", "x").id, first.id, "the same characters, split differently");
    }

    #[test]
    fn contents_change_only_the_fingerprint() {
        let first = request("u1", "POST /a", "k", "x");
        let changed = request("u1", "POST /a", "k", "y");
        assert_eq!(first.id, changed.id);
        assert_ne!(first.fingerprint, changed.fingerprint);
    }

    #[test]
    fn id_and_fingerprint_are_hexadecimal_hashes() {
        let request = request("u1", "POST /a", "k", "x");
        assert_ne!(request.id(), request.fingerprint());
        for hash in [request.id(), request.fingerprint()] {
            assert_eq!(hash.len(), 64, "{hash}");
            assert!(hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{hash}");
        }
    }

    #[test]
    fn displayed_ids_distinguish_requests() {
        let first = request("u1", "POST /a", "k", "x");
        let other = request("u1", "POST /a", "l", "x");
        assert_ne!(first.id(), other.id());
        assert_eq!(first.fingerprint(), other.fingerprint());
    }

    #[test]
    fn key_reused_after_its_window_gets_a_new_write_id() {
        let request = request("u1", "POST /a", "k", "");
        assert_eq!(request.write_id(time(NOW)), request.write_id(time(NOW)));
        assert_ne!(request.write_id(time(NOW)), request.write_id(time(NOW) + IDEMPOTENCY_WINDOW));
    }
}
