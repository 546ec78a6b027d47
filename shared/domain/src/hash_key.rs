//! Keyed hashes that stand for callers and items in the functions' logs, and for sharers and mailboxes in the
//! counters of emails.
//!
//! A hash shows whether two log lines or counters concern the same one. Looking for a guessed name requires
//! the key.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::hmac;
use thiserror::Error;

use crate::Item;

/// The minimum length of the secret, in bytes.
const MIN_SECRET_LENGTH: usize = 32;

/// The secret is too short for a key.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the secret is shorter than {MIN_SECRET_LENGTH} bytes")]
pub struct HashKeyError;

/// The key of the hashes.
pub struct HashKey(hmac::Key);

impl HashKey {
    /// Creates the key from the bytes of a secret.
    pub fn new(secret: &str) -> Result<Self, HashKeyError> {
        if secret.len() < MIN_SECRET_LENGTH {
            return Err(HashKeyError);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())))
    }

    /// Returns the hash of a caller, identified by the claim `sub`, for logs.
    #[must_use]
    pub fn hash_caller(&self, sub: &str) -> String {
        self.short_hash("caller:", sub)
    }

    /// Returns the hash of an item, for logs.
    #[must_use]
    pub fn hash_item(&self, item: &Item) -> String {
        self.short_hash("item:", &item.to_string())
    }

    /// Returns the hash of a sharer, identified by the claim `sub`, for counters.
    #[must_use]
    pub(crate) fn hash_sharer(&self, sub: &str) -> String {
        format!("{:032x}", self.hash("sharer:", sub))
    }

    /// Returns the hash of a mailbox, for counters.
    #[must_use]
    pub(crate) fn hash_mailbox(&self, mailbox: &str) -> String {
        format!("{:032x}", self.hash("mailbox:", mailbox))
    }

    /// Returns the first 64 bits. Two of a million callers have the same with a probability of 1 in 37
    /// million.
    fn short_hash(&self, purpose: &str, text: &str) -> String {
        format!("{:016x}", self.hash(purpose, text) >> 64)
    }

    /// Returns the first 128 bits.
    pub(crate) fn hash(&self, purpose: &str, text: &str) -> u128 {
        let hash = hmac::sign(&self.0, [purpose, text].concat().as_bytes());
        // The hash has 32 bytes.
        u128::from_be_bytes(hash.as_ref().first_chunk().copied().unwrap_or_default())
    }
}

impl FromStr for HashKey {
    type Err = HashKeyError;

    fn from_str(secret: &str) -> Result<Self, HashKeyError> {
        Self::new(secret)
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::item;

    const SECRET: &str = "a secret of at least 32 bytes, or more";

    fn key(secret: &str) -> HashKey {
        HashKey::new(secret).unwrap()
    }

    /// Golden vectors. Never edit them: `operations.md` computes the same hashes to find a caller's log lines.
    #[test]
    fn hashes_are_frozen() {
        assert_eq!(key(SECRET).hash_caller("u1"), "ee3773901eb43298");
        assert_eq!(key(SECRET).hash_item(&item()), "7562b5102bf89582");
    }

    /// Golden vectors. Never edit them: a changed hash would reset the day's counts.
    #[test]
    fn hashes_of_counters_are_frozen() {
        assert_eq!(key(SECRET).hash_sharer("u1"), "34805bb9a76902d54474afc76952a9db");
        assert_eq!(key(SECRET).hash_mailbox("ann@example.com"), "919a03f008b001fbf1320ef2d19d5d31");
    }

    #[test]
    fn hash_depends_on_key_purpose_and_text() {
        let hashes = [
            key(SECRET).hash_caller("jobs/1042"),
            key(SECRET).hash_caller("jobs/1043"),
            key(SECRET).hash_item(&item()),
            key("another secret of at least 32 bytes").hash_caller("jobs/1042"),
        ];
        for (i, hash) in hashes.iter().enumerate() {
            assert_eq!(hash.len(), 16);
            assert!(!hashes[..i].contains(hash), "{hashes:?}");
        }
    }

    #[test]
    fn short_secret_is_rejected() {
        assert!(HashKey::new(&"x".repeat(32)).is_ok());
        assert_eq!(HashKey::new(&"x".repeat(31)).unwrap_err(), HashKeyError);
    }

    #[test]
    fn debug_output_hides_the_key() {
        assert_eq!(format!("{:?}", key(SECRET)), "HashKey(..)");
    }
}
