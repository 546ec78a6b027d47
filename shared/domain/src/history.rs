//! The part of a share's history that the share itself stores.

use crate::{Sharer, Timestamp, WriteId};

/// A sharer's action, for the share log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    pub by: Sharer,
    pub at: Timestamp,
}

/// The last change of a share's expiration or revocation. Identifies a retry of the same change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub kind: ChangeKind,
    pub action: Action,
}

/// The property that a [`Change`] changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Expiration,
    Revocation,
}

/// A disclosure of the link to a sharer, through "copy link".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkCopy {
    pub action: Action,
    /// Distinguishes copies made at the same time.
    pub id: WriteId,
}

/// How often and when a link was used.
///
/// Counts are upper bounds: mail scanners follow links too, and a use is counted before S3 reports that the
/// file is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Responses to the link itself, either a page or a file.
    pub opens: u64,
    /// Signed URLs issued.
    pub downloads: u64,
    /// Time of the first use.
    pub first_at: Option<Timestamp>,
    /// Time of the last use.
    pub last_at: Option<Timestamp>,
}
