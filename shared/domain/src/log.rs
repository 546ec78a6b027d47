//! The share log: what happened to an item's shares, for the people who manage them.

use serde::{Deserialize, Serialize};

use crate::{EmailAddress, ShareId, Sharer, Timestamp};

/// One thing that happened to a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    pub at: Timestamp,
    pub share: ShareId,
    /// Whose share it is: the log outlives it.
    pub recipient: EmailAddress,
    pub event: LogEvent,
    /// Who did it, where it was a sharer.
    pub by: Option<Sharer>,
}

/// What happened; written the same in the table and in answers.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "camelCase")]
pub enum LogEvent {
    Created,
    Emailed,
    MailFailed { detail: String },
    Bounced { detail: String },
    Complained,
    Opened,
    Downloaded,
    ExpirationChanged { from: Timestamp, to: Timestamp },
    Revoked,
    Reactivated,
    LinkCopied,
    Resent,
    Expired,
    Purged,
}
