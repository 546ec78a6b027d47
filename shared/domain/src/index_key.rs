//! Keyed hashes by which the table's indexes find shares by their sharer and by their recipient.
//!
//! An index entry names no one. Looking for a guessed name requires the key, which is separate from the key of
//! the hashes in logs and counters: that key may be replaced, but a new index key would lose every entry.

use std::str::FromStr;

use crate::hash_key::{HashKey, HashKeyError};
use crate::ids::id;
use crate::{EmailAddress, Share};

id! {
    /// Stands for a sharer in the index `bySharer`.
    SharerKey
}
id! {
    /// Stands for a recipient in the index `byRecipient`.
    RecipientKey
}

/// The hashes by which the indexes find one share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexHashes {
    pub sharer: SharerKey,
    pub recipient: RecipientKey,
}

/// The key of the indexes' hashes.
#[derive(Debug)]
pub struct IndexKey(HashKey);

impl IndexKey {
    /// Creates the key from the bytes of a secret.
    pub fn new(secret: &str) -> Result<Self, HashKeyError> {
        HashKey::new(secret).map(Self)
    }

    /// Returns the hash of a sharer, identified by the claim `sub`.
    #[must_use]
    pub fn sharer(&self, sub: &str) -> SharerKey {
        SharerKey::from_bytes(self.0.hash("sharer index:", sub).to_be_bytes())
    }

    /// Returns the hash of a recipient, which depends only on the address's
    /// [identity](EmailAddress::identity).
    #[must_use]
    pub fn recipient(&self, address: &EmailAddress) -> RecipientKey {
        RecipientKey::from_bytes(self.0.hash("recipient index:", &address.identity()).to_be_bytes())
    }

    /// Returns the hashes of a share.
    #[must_use]
    pub fn hashes(&self, share: &Share) -> IndexHashes {
        IndexHashes {
            sharer: self.sharer(&share.created_by.sub),
            recipient: self.recipient(&share.recipient),
        }
    }
}

impl FromStr for IndexKey {
    type Err = HashKeyError;

    fn from_str(secret: &str) -> Result<Self, HashKeyError> {
        Self::new(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: &str) -> IndexKey {
        IndexKey::new(secret).unwrap()
    }

    const SECRET: &str = "a secret of at least 32 bytes, or more";

    fn address(typed: &str) -> EmailAddress {
        typed.parse().unwrap()
    }

    /// Golden vectors. Never edit them: a changed hash would hide the stored shares from the indexes.
    #[test]
    fn hashes_are_frozen() {
        assert_eq!(key(SECRET).sharer("u1").to_string(), "fd8be0b7cd7cd98ff9f91a0d44a29eda");
        assert_eq!(
            key(SECRET).recipient(&address("ann@example.com")).to_string(),
            "cb7d38daf540cf1af26ea3cbfaf0e432"
        );
    }

    #[test]
    fn spelling_of_an_address_does_not_matter() {
        let hash = |typed| key(SECRET).recipient(&address(typed));
        assert_eq!(hash("Ann@EXAMPLE.com"), hash("ann@example.com"));
        assert_eq!(hash("ann@bücher.example"), hash("ann@xn--bcher-kva.example"));
        assert_ne!(hash("ann+x@example.com"), hash("ann@example.com"), "another recipient");
    }

    #[test]
    fn hash_depends_on_key_purpose_and_text() {
        let other = key("another secret of at least 32 bytes");
        let hashes = [
            key(SECRET).sharer("ann@example.com").to_bytes(),
            key(SECRET).sharer("ANN@example.com").to_bytes(),
            key(SECRET).recipient(&address("ann@example.com")).to_bytes(),
            other.sharer("ann@example.com").to_bytes(),
        ];
        for (i, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..i].contains(hash), "{i}");
        }
    }

    #[test]
    fn debug_output_hides_key_and_hashes() {
        let hashes = key(SECRET).hashes(&crate::testing::share(&["a"]));
        assert_eq!(format!("{:?}", key(SECRET)), "IndexKey(HashKey(..))");
        assert_eq!(
            format!("{hashes:?}"),
            "IndexHashes { sharer: SharerKey(..), recipient: RecipientKey(..) }"
        );
    }
}
