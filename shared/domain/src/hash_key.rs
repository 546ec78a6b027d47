//! Keyed hashes that stand for callers and items in the functions' logs.
//!
//! A hash shows whether two log lines concern the same caller or item. Looking for a guessed name requires the
//! key.

use std::fmt;

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

    /// Returns the hash of a caller, identified by the claim `sub`.
    #[must_use]
    pub fn hash_caller(&self, sub: &str) -> String {
        self.hash("caller:", sub)
    }

    /// Returns the hash of an item.
    #[must_use]
    pub fn hash_item(&self, item: &Item) -> String {
        self.hash("item:", &item.to_string())
    }

    /// Returns the first 64 bits. Two of a million callers have the same with a probability of 1 in 37 million.
    fn hash(&self, purpose: &str, text: &str) -> String {
        let hash = hmac::sign(&self.0, [purpose, text].concat().as_bytes());
        // The hash has 32 bytes.
        let start = hash.as_ref().first_chunk().copied().unwrap_or_default();
        format!("{:016x}", u64::from_be_bytes(start))
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

    /// `operations.md` computes the same hashes with `openssl`.
    #[test]
    fn hashes_are_frozen() {
        assert_eq!(key(SECRET).hash_caller("u1"), "ee3773901eb43298");
        assert_eq!(key(SECRET).hash_item(&item()), "7562b5102bf89582");
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
