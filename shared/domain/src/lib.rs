//! What a share is and may do.
//!
//! Every rule of Sharelink lives here and nowhere else: who may share, what an address, a name and an
//! expiry must look like, when a share is active, what a link is made of, when its email is due, what
//! happened to it. The crate
//! is pure: no I/O and no clock of its own, the current time is always an argument.

pub mod address;
pub mod delivery;
pub mod expiry;
pub mod idempotency;
pub mod link;
pub mod log;
pub mod mail;
pub mod names;
pub mod permission;
pub mod request;
pub mod share;

pub use address::EmailAddress;
pub use expiry::Expiry;
pub use mail::{Mail, MailState};
pub use names::{FileName, Item, ItemName, ModuleName};
pub use share::{Action, Generation, Share, ShareId, SharedFile, Sharer, Status};

/// A point in time, to the millisecond: the precision of the table and of every answer.
pub type Timestamp = chrono::DateTime<chrono::Utc>;

/// Cuts a time down to the millisecond.
#[must_use]
pub fn to_millis(time: Timestamp) -> Timestamp {
    Timestamp::from_timestamp_millis(time.timestamp_millis()).unwrap_or(time)
}
