//! 128-bit ids, written as 32 lowercase hexadecimal digits.

use aws_lc_rs::digest::{SHA256, digest};
use thiserror::Error;

use crate::{EmailAddress, Item};

/// The error for a string that is not an id of 32 lowercase hexadecimal digits.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("is not an id of 32 lowercase hexadecimal digits")]
pub struct IdError;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(u128);

        impl $name {
            /// Creates the id from its big-endian bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(u128::from_be_bytes(bytes))
            }

            /// Returns the big-endian bytes of the id.
            #[must_use]
            pub fn to_bytes(self) -> [u8; 16] {
                self.0.to_be_bytes()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        /// Hides the id: debug output may reach a log.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::ids::IdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::ids::parse(text).map(Self)
            }
        }
    };
}

pub(crate) use id;

pub(crate) fn parse(text: &str) -> Result<u128, IdError> {
    let is_hex = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if is_hex { u128::from_str_radix(text, 16).map_err(|_| IdError) } else { Err(IdError) }
}

id! {
    /// Identifies a share. Derived from the item and the recipient, so each pair has at most one share.
    ShareId
}
id! {
    /// 128 random bits, generated for every new share and sealed into its link. A share that is purged and
    /// then created again therefore gets a different link. Renewing a link replaces its generation, so that
    /// the old link never works again.
    Generation
}
id! {
    /// Identifies one write. When the SDK retries a write whose first attempt succeeded, this id shows that
    /// the stored change came from that write.
    WriteId
}

impl ShareId {
    /// Derives the id: the truncated SHA-256 hash of the item and the recipient's
    /// [identity](EmailAddress::identity).
    #[must_use]
    pub fn new(item: &Item, recipient: &EmailAddress) -> Self {
        let name = format!("sharelink share id 1\0{}\0{}\0{}", item.module, item.name, recipient.identity());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest(&SHA256, name.as_bytes()).as_ref()[..16]);
        Self::from_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::item;

    /// Golden vectors: share keys in existing tables contain these ids. Never edit a vector.
    #[test]
    fn share_ids_are_frozen() {
        let id = |address: &str| ShareId::new(&item(), &address.parse().unwrap()).to_string();
        assert_eq!(id("ann@example.com"), "877fab806afa6fcb1a85617f9ffe0709");
        assert_eq!(id(" ANN@Example.com"), id("ann@example.com"));
        assert_eq!(id("bob@Bücher.example"), "fddd7533b511f49c6e3ccf5bb6dcf13f");
    }

    #[test]
    fn same_address_on_another_item_has_another_id() {
        let ann = "ann@example.com".parse().unwrap();
        let other_item = Item { module: "jobs".parse().unwrap(), name: "1043".parse().unwrap() };
        assert_ne!(ShareId::new(&item(), &ann), ShareId::new(&other_item, &ann));
    }

    #[test]
    fn id_round_trips_through_its_display_form() {
        let id = ShareId::from_bytes([0x0a; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn malformed_id_is_rejected() {
        for text in ["", "0a", &"0A".repeat(16), &"+a".repeat(16), &"0a".repeat(17)] {
            assert_eq!(text.parse::<ShareId>(), Err(IdError), "{text}");
        }
    }

    #[test]
    fn debug_output_hides_the_id() {
        assert_eq!(format!("{:?}", ShareId::from_bytes([7; 16])), "ShareId(..)");
        assert_eq!(format!("{:?}", Generation::from_bytes([7; 16])), "Generation(..)");
    }
}
