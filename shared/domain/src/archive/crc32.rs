//! CRC-32 checksums, as ZIP archives and S3 use them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm::Crc32IsoHdlc;

/// The CRC-32 of some bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Crc32(u32);

impl Crc32 {
    /// The checksum of no bytes.
    pub const EMPTY: Self = Self(0);

    #[must_use]
    pub fn new(crc: u32) -> Self {
        Self(crc)
    }

    /// Computes the checksum of the bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_digest(crc_fast::checksum(Crc32IsoHdlc, bytes))
    }

    /// Parses the value of S3's `x-amz-checksum-crc32`: four big-endian bytes in Base64. The value covers the
    /// whole object only if the checksum's type is `FULL_OBJECT`.
    #[must_use]
    pub fn from_base64(value: &str) -> Option<Self> {
        let bytes = STANDARD.decode(value).ok()?;
        bytes.try_into().ok().map(u32::from_be_bytes).map(Self)
    }

    /// Returns the checksum of these bytes followed by `len` others with the checksum `next`.
    #[must_use]
    pub fn followed_by(self, next: Self, len: u64) -> Self {
        if len == 0 {
            return self;
        }
        Self::from_digest(crc_fast::checksum_combine(Crc32IsoHdlc, self.0.into(), next.0.into(), len))
    }

    #[must_use]
    pub fn to_u32(self) -> u32 {
        self.0
    }

    #[allow(clippy::cast_possible_truncation, reason = "a CRC-32 has 32 bits")]
    fn from_digest(digest: u64) -> Self {
        Self(digest as u32)
    }
}

impl fmt::Debug for Crc32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crc32({:08x})", self.0)
    }
}

/// Computes the CRC-32 of bytes that arrive in chunks.
#[derive(Debug)]
pub struct Crc32Hasher(crc_fast::Digest);

impl Default for Crc32Hasher {
    fn default() -> Self {
        Self(crc_fast::Digest::new(Crc32IsoHdlc))
    }
}

impl Crc32Hasher {
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    #[must_use]
    pub fn finish(&self) -> Crc32 {
        Crc32::from_digest(self.0.finalize())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn checksum_matches_the_published_check_value() {
        // https://reveng.sourceforge.io/crc-catalogue/all.htm#crc.cat.crc-32-iso-hdlc
        assert_eq!(Crc32::of(b"123456789"), Crc32::new(0xcbf4_3926));
        assert_eq!(Crc32::of(b""), Crc32::EMPTY);
    }

    #[test]
    fn checksum_from_s3_is_big_endian_base64() {
        assert_eq!(Crc32::from_base64("y/Q5Jg=="), Some(Crc32::of(b"123456789")));
        for value in ["", "y/Q5", "y/Q5JgA=", "y/Q5Jg==-2", "not base64"] {
            assert_eq!(Crc32::from_base64(value), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn checksums_of_pieces_combine(bytes: Vec<u8>, cut: prop::sample::Index) {
            let (first, second) = bytes.split_at(cut.index(bytes.len() + 1));
            let combined = Crc32::of(first).followed_by(Crc32::of(second), second.len() as u64);
            prop_assert_eq!(combined, Crc32::of(&bytes));
            let mut hasher = Crc32Hasher::default();
            hasher.update(first);
            hasher.update(second);
            prop_assert_eq!(hasher.finish(), combined);
        }
    }
}
