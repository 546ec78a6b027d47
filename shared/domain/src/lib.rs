//! Sharelink's rules.
//!
//! Every rule lives here and nowhere else: who may share, which addresses, names and expiries are valid, when
//! a share is active, what a link contains, when an email is due, and what the share log records. The crate
//! is pure: it does no I/O and has no clock. Functions take the current time as an argument.

pub mod access;
pub mod address;
pub mod archive;
pub mod base_url;
pub mod brand;
pub mod delivery;
pub mod email_choice;
pub mod email_limits;
pub mod erasure;
pub mod expiry;
pub mod hash_key;
pub mod history;
pub mod idempotency;
pub mod ids;
pub mod index_key;
pub mod json;
pub mod key_layout;
pub mod language;
pub mod link;
pub mod log;
pub mod mail;
pub mod mail_reason;
pub mod message;
pub mod more_time;
pub mod names;
pub mod notices;
pub mod permission;
pub mod platform_url;
pub mod previewer;
mod recipient_address;
pub mod recipient_domain;
mod recipient_name;
pub mod reminder;
pub mod request;
pub mod resolution;
pub mod restore;
pub mod rules;
pub mod search;
pub mod sender;
pub mod sending;
pub mod share;
pub mod sharer;
pub mod suggestions;
pub mod switches;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time_left;
pub mod title;
pub mod use_source;

pub use access::Status;
pub use address::EmailAddress;
pub use base_url::BaseUrl;
pub use brand::Brand;
pub use expiry::Expiry;
pub use history::Action;
pub use ids::{Generation, ShareId, WriteId};
pub use index_key::{IndexHashes, RecipientKey, SharerKey};
pub use key_layout::{ItemPrefixes, KeyLayout, ObjectKey};
pub use language::Language;
pub use mail::{Mail, MailState};
pub use mail_reason::MailReason;
pub use message::Message;
pub use names::{FileName, Item, ItemName, ModuleName};
pub use platform_url::PlatformUrl;
pub use recipient_domain::RecipientDomain;
pub use recipient_name::{RecipientName, read_recipient};
pub use rules::{PermittedShare, ShareRules};
pub use search::SearchText;
pub use sender::{PlatformName, SharerName};
pub use share::{Share, SharedFile};
pub use sharer::Sharer;
pub use time_left::TimeLeft;
pub use title::Title;
pub use use_source::UseSource;

/// A point in time with millisecond precision, as in the table and in every response.
pub type Timestamp = chrono::DateTime<chrono::Utc>;

/// Truncates a time to whole milliseconds.
#[must_use]
pub fn truncate_to_millis(time: Timestamp) -> Timestamp {
    Timestamp::from_timestamp_millis(time.timestamp_millis()).unwrap_or(time)
}
