//! Access: when a share is active, and what its link gives the recipient.

use std::num::NonZeroUsize;
use std::time::Duration;

use chrono::TimeDelta;
use thiserror::Error;

use crate::{FileName, Generation, Share, SharedFile, Timestamp, Title};

/// Whether a share gives access. Computed from the current time and never stored, so it does not depend on
/// when the sweeper runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Active,
    Inactive(InactiveReason),
}

impl Status {
    /// Returns the status at `now` of a share with these dates.
    #[must_use]
    pub fn at(now: Timestamp, expires_at: Timestamp, revoked_at: Option<Timestamp>) -> Self {
        if revoked_at.is_some() {
            Self::Inactive(InactiveReason::Revoked)
        } else if now >= expires_at {
            Self::Inactive(InactiveReason::Expired)
        } else {
            Self::Active
        }
    }
}

/// The reason a share gives no access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InactiveReason {
    Expired,
    Revoked,
}

/// The maximum lifetime of a signed URL. A URL signed just before a revocation expires within this time.
pub const MAX_URL_LIFETIME: Duration = Duration::from_mins(1);

/// The minimum lifetime of a signed URL. S3 measures lifetimes in whole seconds, so a link is redeemable only
/// while at least one second of access remains.
pub const MIN_URL_LIFETIME: TimeDelta = TimeDelta::seconds(1);

/// The minimum number of files in a share that has an archive.
pub const MIN_ARCHIVE_FILES: usize = 2;

/// The part of a share that a recipient requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The link itself, which leads to the only file or to the list of files.
    Link,
    /// The list of files, even if there is only one.
    List,
    /// The file at this position in the list, counting from 1.
    File(NonZeroUsize),
    /// All files in one archive. A share of a single file has none.
    Archive,
}

/// The result of redeeming a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redemption<'a> {
    /// One file, through a signed URL with this lifetime.
    File(&'a SharedFile, Duration),
    /// The list of files.
    List(&'a [SharedFile]),
    /// An archive of these files, through a signed URL with this lifetime.
    Archive(&'a [SharedFile], Duration),
}

/// The reason a link gives no access.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RedeemError {
    /// The share does not exist, has a newer link, or has no file at this position or no archive. The holder of
    /// an old link therefore does not learn whether the share still exists.
    #[error("unknown link")]
    UnknownLink,
    /// Access has expired or was revoked. Recipients cannot distinguish the two.
    #[error("access has ended")]
    AccessEnded,
}

/// The reason a shared file cannot be downloaded, although its link gives access.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DownloadError {
    #[error("the file was moved or removed")]
    Missing,
    /// The file is in an archive, and no restored copy exists.
    #[error("the file is archived")]
    Archived,
    /// S3 does not allow the deployment to read the file.
    #[error("the file may not be read")]
    Forbidden,
}

impl DownloadError {
    /// Returns the reason's name in the API and in events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Archived => "archived",
            Self::Forbidden => "forbidden",
        }
    }
}

impl Share {
    /// Returns the status at `now`. A revocation takes precedence over the expiry, because it was a sharer's
    /// decision.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> Status {
        Status::at(now, self.expires_at, self.revoked_at)
    }

    /// Redeems a link with this generation at `now`.
    pub fn redeem(
        &self,
        generation: Generation,
        target: Target,
        now: Timestamp,
    ) -> Result<Redemption<'_>, RedeemError> {
        if self.generation != generation {
            return Err(RedeemError::UnknownLink);
        }
        let remaining = self.expires_at - now;
        if self.status(now) != Status::Active || remaining < MIN_URL_LIFETIME {
            return Err(RedeemError::AccessEnded);
        }
        let lifetime = Duration::from_secs(remaining.num_seconds().unsigned_abs()).min(MAX_URL_LIFETIME);
        match (target, self.files.as_slice()) {
            (Target::File(n), files) => {
                let file = files.get(n.get() - 1).ok_or(RedeemError::UnknownLink)?;
                Ok(Redemption::File(file, lifetime))
            }
            (Target::Link, [file]) => Ok(Redemption::File(file, lifetime)),
            (Target::Link | Target::List, files) => Ok(Redemption::List(files)),
            (Target::Archive, files) if self.has_archive() => Ok(Redemption::Archive(files, lifetime)),
            (Target::Archive, _) => Err(RedeemError::UnknownLink),
        }
    }

    /// Returns whether the files can be downloaded as one archive, if their number and size permit it.
    #[must_use]
    pub fn has_archive(&self) -> bool {
        self.files.len() >= MIN_ARCHIVE_FILES
    }

    /// Returns the name of the archive of all files: the item's title or, if it has none, the first file's name.
    #[must_use]
    pub fn archive_name(&self) -> FileName {
        let first = || self.files.first().map(|file| file.name.stem());
        FileName::of_archive(self.title.as_ref().map(Title::as_str).or_else(first).unwrap_or_default())
    }

    /// Returns how many downloads to count when the link is opened: 1 if the link leads directly to the only
    /// file, 0 if it shows the list.
    #[must_use]
    pub fn downloads_per_open(&self) -> u64 {
        u64::from(self.files.len() == 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{GENERATION, NOW, share, time};

    const EXPIRY: &str = "2026-03-10T13:00:00Z";

    fn redeem(share: &Share, target: Target, now: Timestamp) -> Result<Redemption<'_>, RedeemError> {
        share.redeem(Generation::from_bytes(GENERATION), target, now)
    }

    fn file(n: usize) -> Target {
        Target::File(NonZeroUsize::new(n).unwrap())
    }

    #[test]
    fn share_is_active_until_its_expiry() {
        let share = share(&["brief.pdf"]);
        assert_eq!(share.status(time(EXPIRY) - TimeDelta::milliseconds(1)), Status::Active);
        assert_eq!(share.status(time(EXPIRY)), Status::Inactive(InactiveReason::Expired));
    }

    #[test]
    fn revoked_share_stays_revoked_after_its_expiry() {
        let mut share = share(&["brief.pdf"]);
        share.revoked_at = Some(time(NOW));
        assert_eq!(share.status(time(NOW)), Status::Inactive(InactiveReason::Revoked));
        assert_eq!(share.status(time("2027-01-01T00:00:00Z")), Status::Inactive(InactiveReason::Revoked));
    }

    #[test]
    fn signed_url_never_outlives_access() {
        let share = share(&["brief.pdf"]);
        for (remaining, lifetime) in [(3_600_000, 60), (60_999, 60), (10_000, 10), (1_999, 1), (1_000, 1)] {
            assert_eq!(
                redeem(&share, Target::Link, time(EXPIRY) - TimeDelta::milliseconds(remaining)),
                Ok(Redemption::File(&share.files[0], Duration::from_secs(lifetime))),
                "{remaining} ms remaining"
            );
        }
    }

    #[test]
    fn link_is_not_redeemable_in_its_last_second() {
        let share = share(&["brief.pdf"]);
        for remaining in [999, 0, -1] {
            assert_eq!(
                redeem(&share, Target::Link, time(EXPIRY) - TimeDelta::milliseconds(remaining)),
                Err(RedeemError::AccessEnded),
                "{remaining} ms remaining"
            );
        }
    }

    #[test]
    fn link_to_several_files_returns_the_list() {
        let share = share(&["a", "b"]);
        assert_eq!(redeem(&share, Target::Link, time(NOW)), Ok(Redemption::List(&share.files)));
    }

    #[test]
    fn list_of_a_single_file_is_available() {
        let share = share(&["a"]);
        assert_eq!(redeem(&share, Target::List, time(NOW)), Ok(Redemption::List(&share.files)));
        assert_eq!(redeem(&share, Target::List, time(EXPIRY)), Err(RedeemError::AccessEnded));
    }

    #[test]
    fn file_positions_start_at_one() {
        let share = share(&["a", "b"]);
        let Ok(Redemption::File(second, _)) = redeem(&share, file(2), time(NOW)) else {
            panic!("the second file is not redeemable")
        };
        assert_eq!(second.name.as_str(), "b");
        assert_eq!(redeem(&share, file(3), time(NOW)), Err(RedeemError::UnknownLink));
        assert_eq!(redeem(&share, file(usize::MAX), time(NOW)), Err(RedeemError::UnknownLink));
    }

    #[test]
    fn only_several_files_have_an_archive() {
        let several = share(&["a", "b"]);
        let archive = Redemption::Archive(&several.files, Duration::from_mins(1));
        assert_eq!(redeem(&several, Target::Archive, time(NOW)), Ok(archive));
        assert_eq!(redeem(&several, Target::Archive, time(EXPIRY)), Err(RedeemError::AccessEnded));
        assert_eq!(redeem(&share(&["a"]), Target::Archive, time(NOW)), Err(RedeemError::UnknownLink));
    }

    #[test]
    fn archive_is_named_after_the_title_or_the_first_file() {
        let mut share = share(&["art.pdf", "b"]);
        assert_eq!(share.archive_name().as_str(), "art.zip");
        share.title = Title::parse("Spring / Summer");
        assert_eq!(share.archive_name().as_str(), "Spring _ Summer.zip");
    }

    #[test]
    fn opening_counts_as_a_download_only_for_a_single_file() {
        assert_eq!(share(&["a"]).downloads_per_open(), 1);
        assert_eq!(share(&["a", "b"]).downloads_per_open(), 0);
    }

    #[test]
    fn link_with_an_earlier_generation_is_unknown() {
        let earlier = Generation::from_bytes([8; 16]);
        let redeemed = share(&["a"]).redeem(earlier, Target::Link, time(NOW)).err();
        assert_eq!(redeemed, Some(RedeemError::UnknownLink));
    }

    proptest! {
        #[test]
        fn only_an_active_share_gives_access(
            offset in -7_200_000_i64..7_200_000,
            is_revoked in any::<bool>(),
            has_list in any::<bool>(),
        ) {
            let mut share = share(if has_list { &["a", "b"] } else { &["a"] });
            share.revoked_at = is_revoked.then(|| time(NOW));
            let now = share.expires_at + TimeDelta::milliseconds(offset);
            let target = if has_list { Target::Archive } else { Target::Link };
            if let Ok(Redemption::File(_, lifetime) | Redemption::Archive(_, lifetime)) =
                redeem(&share, target, now)
            {
                prop_assert_eq!(share.status(now), Status::Active);
                prop_assert!(now + lifetime <= share.expires_at, "the URL outlives access");
                prop_assert!(lifetime <= MAX_URL_LIFETIME);
            }
        }
    }
}
