//! The part of a share's history that is stored in the share itself.

use crate::access::DownloadError;
use crate::{Sharer, Timestamp, UseSource, WriteId};

/// An action by a sharer, as recorded in the share log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    pub by: Sharer,
    pub at: Timestamp,
}

/// The last change to a share's expiration, revocation or link. Used to recognize a retry of that change.
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
    /// The link, and the expiration if the request contained one. `notify` says whether the new link was to
    /// be emailed.
    Renewal {
        notify: bool,
    },
}

/// A disclosure of the link to a sharer who used "copy link".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkCopy {
    pub action: Action,
    /// Distinguishes copies made at the same time.
    pub id: WriteId,
}

/// How often and when a link was used.
///
/// The counts are usually too high: mail scanners also follow links, and a failed download stays counted if its
/// failure cannot be recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The number of responses to the link itself, each either a page or a file.
    pub opens: u64,
    /// The number of signed URLs issued.
    pub downloads: u64,
    /// How many of `downloads` were of all files in one archive.
    pub archive_downloads: u64,
    /// The number of failed downloads, which `downloads` no longer includes.
    pub failed_downloads: u64,
    /// The time of the first use.
    pub first_at: Option<Timestamp>,
    /// The time of the last use.
    pub last_at: Option<Timestamp>,
    /// Identifies the last use, and distinguishes it from others at the same time. `None` if there was no
    /// use, or if a failed download was recorded since.
    pub last_id: Option<WriteId>,
    /// The source of the last use, if the deployment keeps it.
    pub last_source: Option<UseSource>,
    /// The last failed download, which is no longer counted.
    pub last_failure: Option<FailedDownload>,
}

impl Usage {
    /// Returns how many downloads were ever counted, including failed ones. Unlike `downloads`, this number
    /// never decreases, so it numbers the downloads.
    #[must_use]
    pub fn download_attempts(&self) -> u64 {
        self.downloads.saturating_add(self.failed_downloads)
    }

    /// Returns the number of the download with this id, if it is the last use.
    #[must_use]
    pub fn download_number(&self, id: WriteId) -> Option<u64> {
        (self.last_id == Some(id)).then(|| self.download_attempts())
    }
}

/// A use of a link, before it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkUse {
    pub id: WriteId,
    pub at: Timestamp,
    /// Where the use came from, if the deployment keeps it.
    pub source: Option<UseSource>,
}

/// A use of a link that was counted as a download before its file turned out to be unavailable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedDownload {
    /// Identifies the use.
    pub id: WriteId,
    /// The time of the use.
    pub at: Timestamp,
    pub error: DownloadError,
    /// The download's number within its share. `None` if a lost response hid it.
    pub number: Option<u64>,
    /// The source of the use, if the deployment keeps it.
    pub source: Option<UseSource>,
}
