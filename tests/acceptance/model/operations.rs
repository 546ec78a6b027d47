//! The operations in a history, with their inputs and responses.

use chrono::TimeDelta;
use sharelink_domain::share::ExpectedVersion;
use sharelink_domain::{Generation, WriteId};

use super::Time;

pub(super) const RECIPIENTS: [&str; 2] = ["ann@example.com", "bob@example.com"];
pub(super) const ACTORS: [&str; 2] = ["tess", "tom"];

#[derive(Clone, Debug)]
pub(super) enum Operation {
    Create {
        life: TimeDelta,
    },
    /// Changes the expiration. The expected version is the share's version before this round minus `behind`,
    /// or any version if `behind` is `None`.
    Change {
        life: TimeDelta,
        behind: Option<u64>,
    },
    Revoke,
    /// Renews the link, with a new expiration if `life` is given. `behind` is as for a change.
    Renew {
        notify: bool,
        life: Option<TimeDelta>,
        behind: Option<u64>,
    },
    Resend,
    /// Sends the pending email.
    Send,
    /// Opens one of the recipient's links: the newest if `ago` is 0, the one before it if `ago` is 1, and so
    /// on. If the link works but the file is not available, records the failed download.
    Open {
        ago: usize,
        is_available: bool,
    },
    /// Deletes the share if its TTL has passed.
    Purge,
}

/// An actor's operation on a recipient's share. If `is_retry` is set, the step instead repeats a recent call
/// of the same operation, if there is one.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) recipient: usize,
    pub(super) actor: usize,
    pub(super) operation: Operation,
    pub(super) is_retry: bool,
}

/// A step with all of its operation's inputs. All inputs are chosen before any operation in the round starts.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) recipient: usize,
    pub(super) actor: usize,
    pub(super) operation: Operation,
    pub(super) expires_at: Time,
    pub(super) expected: ExpectedVersion,
    pub(super) generation: Generation,
    pub(super) write: WriteId,
}

/// The response to a call.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Response {
    Created,
    /// An earlier attempt of the same create request created the share.
    Retried,
    /// Another create request created the share, with this generation.
    Exists(Generation),
    /// The share's version after the operation.
    Version(u64),
    Stale,
    /// The requested expiry is before today or, for a renewal, not in the future.
    PastExpiry,
    NotFound,
    /// The email with this number is pending.
    Queued(u32),
    TooSoon,
    Inactive,
    /// The email contained a link with this generation.
    Sent(Generation),
    Nothing,
    Redeemed,
    AccessEnded,
    UnknownLink,
    Purged,
}
