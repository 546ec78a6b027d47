//! Notices to sharers about their shares: an email that could not be delivered, a first download, a request
//! for more time.
//!
//! Notices follow from log entries, so one that is logged once is noticed once. Those to one sharer wait for
//! ten minutes and leave in one email, the digest. A notice names a share and nothing else: the digest reads
//! the shares when it is sent, so it omits those that were purged or erased, and what no longer is true.

use std::str::FromStr;

use chrono::TimeDelta;
use thiserror::Error;

use crate::log::{LogEntry, LogEvent};
use crate::mail::Pending;
use crate::reminder::ReminderState;
use crate::sending::{MailKind, Queued};
use crate::{EmailAddress, Item, MailReason, MailState, Share, ShareId, SharerKey, Timestamp};

/// How long notices to one sharer are gathered.
pub const GATHERED_FOR: TimeDelta = TimeDelta::minutes(10);

/// The maximum number of notices that a digest lists. The others are only counted.
pub const LISTED_LIMIT: usize = 20;

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoticeKind {
    /// An email or a reminder failed or bounced.
    EmailProblem,
    /// A share was downloaded for the first time.
    FirstDownload,
    /// A recipient asks for more time.
    MoreTime,
}

impl NoticeKind {
    pub const ALL: [Self; 3] = [Self::EmailProblem, Self::FirstDownload, Self::MoreTime];

    /// Returns the kind's name in the table, in settings and in responses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EmailProblem => "emailProblem",
            Self::FirstDownload => "firstDownload",
            Self::MoreTime => "moreTime",
        }
    }

    /// Returns the kind with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    fn of(event: &LogEvent, share: &Share) -> Option<Self> {
        match event {
            // The share is gone.
            LogEvent::MailFailed { reason: MailReason::Purged } => None,
            LogEvent::MailFailed { .. } | LogEvent::Bounced { .. } | LogEvent::ReminderFailed { .. } => {
                Some(Self::EmailProblem)
            }
            // Not the event's number, which includes failed downloads.
            LogEvent::Downloaded { .. } | LogEvent::DownloadedAll { .. } => {
                let is_first = share.usage.downloads == 1;
                (is_first && share.notify_on_first_download).then_some(Self::FirstDownload)
            }
            LogEvent::MoreTimeRequested { .. } => Some(Self::MoreTime),
            _ => None,
        }
    }
}

/// The kinds of notices that a deployment or a sharer allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoticeKinds {
    pub email_problem: bool,
    pub first_download: bool,
    pub more_time: bool,
}

/// The error for a name in a list of kinds.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must be a comma-separated list of emailProblem, firstDownload and moreTime")]
pub struct NoticeKindsError;

impl NoticeKinds {
    pub const ALL: Self = Self { email_problem: true, first_download: true, more_time: true };
    const NONE: Self = Self { email_problem: false, first_download: false, more_time: false };

    #[must_use]
    pub fn includes(&self, kind: NoticeKind) -> bool {
        match kind {
            NoticeKind::EmailProblem => self.email_problem,
            NoticeKind::FirstDownload => self.first_download,
            NoticeKind::MoreTime => self.more_time,
        }
    }

    /// Returns the names of the included kinds.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        NoticeKind::ALL.into_iter().filter(|kind| self.includes(*kind)).map(NoticeKind::name).collect()
    }
}

/// Parses a list such as `emailProblem,moreTime`, which may be empty.
impl FromStr for NoticeKinds {
    type Err = NoticeKindsError;

    fn from_str(list: &str) -> Result<Self, NoticeKindsError> {
        let names = list.split(',').filter(|_| !list.is_empty());
        names.map(|name| NoticeKind::parse(name).ok_or(NoticeKindsError)).try_fold(
            Self::NONE,
            |kinds, kind| {
                Ok(match kind? {
                    NoticeKind::EmailProblem => Self { email_problem: true, ..kinds },
                    NoticeKind::FirstDownload => Self { first_download: true, ..kinds },
                    NoticeKind::MoreTime => Self { more_time: true, ..kinds },
                })
            },
        )
    }
}

/// A notice. It names no one: the share's id is a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub kind: NoticeKind,
    pub item: Item,
    pub share: ShareId,
    pub at: Timestamp,
}

impl Notice {
    /// Returns the notice that follows from a log entry of the share as it was right after the event, or
    /// `None` if there is none, or if the sharer has no known address.
    #[must_use]
    pub fn of(entry: &LogEntry, share: &Share) -> Option<Self> {
        let kind = NoticeKind::of(&entry.event, share)?;
        share.created_by.email.as_ref()?;
        Some(Self { kind, item: share.item.clone(), share: entry.share, at: entry.at })
    }

    /// Returns whether the notice is about this share, and not about an earlier one with the same recipient,
    /// which had the same id.
    fn is_about(&self, share: &Share) -> bool {
        share.id == self.share && share.item == self.item && share.created_at <= self.at
    }

    /// Returns what the digest says about the share, or `None` if it is no longer true: the email was sent
    /// again, the download failed after all, the time was granted.
    #[must_use]
    pub fn finding(&self, share: &Share) -> Option<Finding> {
        match self.kind {
            NoticeKind::EmailProblem => {
                match (share.mail.state, share.reminder.map(|reminder| reminder.state)) {
                    (MailState::Failed, _) => Some(Finding::EmailFailed(known(share.mail.reason))),
                    (MailState::Bounced(_), _) => Some(Finding::EmailBounced(known(share.mail.reason))),
                    (_, Some(ReminderState::Failed { reason, .. })) => Some(Finding::ReminderFailed(reason)),
                    _ => None,
                }
            }
            NoticeKind::FirstDownload => (share.usage.downloads > 0).then_some(Finding::Downloaded),
            NoticeKind::MoreTime => share.is_more_time_open().then_some(Finding::MoreTimeRequested),
        }
    }
}

fn known(reason: Option<MailReason>) -> MailReason {
    reason.unwrap_or(MailReason::Unknown)
}

/// What a digest says about a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    EmailFailed(MailReason),
    EmailBounced(MailReason),
    ReminderFailed(MailReason),
    Downloaded,
    MoreTimeRequested,
}

/// The notices that wait for one sharer's digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingNotices {
    pub sharer: SharerKey,
    /// At most twice [`LISTED_LIMIT`], the oldest first. `None` takes the place of a notice about an erased
    /// recipient, and of one that cannot be read.
    pub listed: Vec<Option<Notice>>,
    /// The number of all notices, listed or not.
    pub count: u64,
    /// When the first of them was appended.
    pub since: Timestamp,
    pub pending: Pending,
}

impl PendingNotices {
    /// Returns the digest's place in the outbox.
    #[must_use]
    pub fn queued(&self) -> Queued {
        Queued { kind: MailKind::Digest, pending: self.pending, since: self.since }
    }
}

/// A line of a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    pub share: &'a Share,
    pub finding: Finding,
    pub at: Timestamp,
}

/// One email to a sharer about several shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest<'a> {
    /// The sharer's address, as of the newest of the shares.
    pub to: &'a EmailAddress,
    /// Never empty.
    pub lines: Vec<Line<'a>>,
    /// The number of notices that have no line.
    pub more: u64,
}

impl<'a> Digest<'a> {
    /// Composes the digest of the notices about `shares`, all of this sharer's, as far as the sharer wants
    /// them. Returns `None` if nothing is left to say, or if no share has the sharer's address.
    #[must_use]
    pub fn new(notices: &PendingNotices, shares: &'a [Share], wanted: NoticeKinds) -> Option<Self> {
        let mut lines: Vec<Line<'a>> = Vec::new();
        let line = |notice: &Notice| {
            let share = shares.iter().find(|share| notice.is_about(share))?;
            Some(Line { share, finding: notice.finding(share)?, at: notice.at })
        };
        let listed = notices.listed.iter().flatten();
        for found in listed.filter(|notice| wanted.includes(notice.kind)).filter_map(line) {
            // An email may be rejected more than once.
            let is_same = |line: &Line<'_>| line.share.id == found.share.id && line.finding == found.finding;
            if !lines.iter().any(is_same) {
                lines.push(found);
            }
        }
        let is_addressed = |line: &&Line<'a>| line.share.created_by.email.is_some();
        let newest = lines.iter().filter(is_addressed).max_by_key(|line| line.share.created_at)?;
        let to = newest.share.created_by.email.as_ref()?;
        let cut = lines.len().saturating_sub(LISTED_LIMIT) as u64;
        lines.truncate(LISTED_LIMIT);
        let unlisted = notices.count.saturating_sub(notices.listed.len() as u64);
        Some(Self { to, lines, more: unlisted + cut })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::{Bounce, DeliveryEvent};
    use crate::log::{entries_for_change, entries_for_purge};
    use crate::mail::BounceType;
    use crate::testing::{NOW, ShareBuilder, time};
    use crate::{Mail, Sharer};

    fn ann() -> Sharer {
        Sharer { sub: "ann".into(), name: None, email: Some("ann@example.com".parse().unwrap()) }
    }

    fn share_with(recipient: &str) -> Share {
        ShareBuilder::new().sharer(ann()).recipient(recipient).notify_on_first_download().build()
    }

    fn bounced(recipient: &str) -> Share {
        let share = share_with(recipient);
        let event = DeliveryEvent::Bounced(Bounce::new("Permanent", "NoEmail"));
        Share { mail: share.mail.after_event(event, time(NOW)).unwrap(), ..share }
    }

    fn notices(old: &Share, new: &Share) -> Vec<NoticeKind> {
        let entries = entries_for_change(old, new);
        entries.iter().filter_map(|entry| Some(Notice::of(entry, new)?.kind)).collect()
    }

    fn notice(kind: NoticeKind, share: &Share) -> Notice {
        Notice { kind, item: share.item.clone(), share: share.id, at: share.created_at }
    }

    fn pending(listed: Vec<Notice>, count: u64) -> PendingNotices {
        let pending = Pending { due: time(NOW), tries: 1 };
        let sharer = SharerKey::from_bytes([1; 16]);
        let listed = listed.into_iter().map(Some).collect();
        PendingNotices { sharer, listed, count, since: time(NOW), pending }
    }

    fn downloaded(share: &Share, downloads: u64) -> Share {
        let mut new = share.clone();
        new.usage.downloads = downloads;
        new.usage.last_at = Some(time(NOW));
        new.usage.last_id = Some(crate::WriteId::from_bytes([3; 16]));
        new
    }

    #[test]
    fn problems_and_the_first_download_are_noticed() {
        let share = share_with("bob@example.com");
        assert_eq!(notices(&share, &bounced("bob@example.com")), [NoticeKind::EmailProblem]);
        let failed = Share { mail: Mail { state: MailState::Failed, ..share.mail.clone() }, ..share.clone() };
        assert_eq!(notices(&share, &failed), [NoticeKind::EmailProblem]);
        let first = downloaded(&share, 1);
        assert_eq!(notices(&share, &first), [NoticeKind::FirstDownload]);
        assert_eq!(notices(&first, &downloaded(&first, 2)), []);
    }

    #[test]
    fn download_after_a_failed_one_is_the_first() {
        let share = share_with("bob@example.com");
        let first = downloaded(&share, 1);
        let mut failed = first.clone();
        (failed.usage.downloads, failed.usage.failed_downloads) = (0, 1);
        assert_eq!(notices(&first, &failed), []);
        assert_eq!(notices(&failed, &downloaded(&failed, 1)), [NoticeKind::FirstDownload]);
    }

    #[test]
    fn purge_is_not_noticed() {
        let share = share_with("bob@example.com");
        let pending = Share { mail: Mail::queued(time(NOW)), ..share };
        let entries = entries_for_purge(&pending, time(NOW));
        assert!(entries.iter().any(|entry| matches!(entry.event, LogEvent::MailFailed { .. })));
        assert!(entries.iter().all(|entry| Notice::of(entry, &pending).is_none()));
    }

    #[test]
    fn nothing_is_noticed_unasked_or_without_an_address() {
        let unasked = Share { notify_on_first_download: false, ..share_with("bob@example.com") };
        assert_eq!(notices(&unasked, &downloaded(&unasked, 1)), []);
        let nameless = |share: Share| Share { created_by: crate::testing::sharer("ann"), ..share };
        let share = nameless(share_with("bob@example.com"));
        assert_eq!(notices(&share, &nameless(bounced("bob@example.com"))), []);
    }

    #[test]
    fn request_for_more_time_is_noticed_until_it_is_granted() {
        let share = share_with("bob@example.com");
        let asked = share.with_more_time_requested(share.generation, share.expires_at).unwrap();
        assert_eq!(notices(&share, &asked), [NoticeKind::MoreTime]);
        let waiting = pending(vec![notice(NoticeKind::MoreTime, &asked)], 1);
        let shares = [asked.clone()];
        let digest = Digest::new(&waiting, &shares, NoticeKinds::ALL).unwrap();
        assert_eq!(digest.lines[0].finding, Finding::MoreTimeRequested);
        let granted = Share { version: asked.version + 1, ..asked };
        assert_eq!(Digest::new(&waiting, &[granted], NoticeKinds::ALL), None);
    }

    #[test]
    fn complaint_is_not_noticed() {
        let share = share_with("bob@example.com");
        let complained = Share {
            mail: share.mail.after_event(DeliveryEvent::Complained, time(NOW)).unwrap(),
            ..share.clone()
        };
        assert_eq!(notices(&share, &complained), []);
    }

    #[test]
    fn digest_says_only_what_is_still_true() {
        let bounced = bounced("bob@example.com");
        let sent = Share { mail: Mail { state: MailState::Sent, ..bounced.mail.clone() }, ..bounced.clone() };
        let waiting = pending(vec![notice(NoticeKind::EmailProblem, &bounced)], 1);
        let shares = [bounced.clone()];
        let digest = Digest::new(&waiting, &shares, NoticeKinds::ALL).unwrap();
        assert_eq!(digest.lines[0].finding, Finding::EmailBounced(MailReason::AddressUnknown));
        assert_eq!((digest.to.as_str(), digest.more), ("ann@example.com", 0));
        assert_eq!(Digest::new(&waiting, &[sent], NoticeKinds::ALL), None, "sent again");
        assert_eq!(Digest::new(&waiting, &[], NoticeKinds::ALL), None, "purged or erased");
        let unwanted = NoticeKinds { email_problem: false, ..NoticeKinds::ALL };
        assert_eq!(Digest::new(&waiting, &shares, unwanted), None, "switched off");
    }

    #[test]
    fn notice_of_an_earlier_share_is_left_out() {
        let earlier = bounced("bob@example.com");
        let later = Share { created_at: earlier.created_at + TimeDelta::milliseconds(1), ..earlier.clone() };
        let waiting = pending(vec![notice(NoticeKind::EmailProblem, &earlier)], 1);
        assert_eq!(Digest::new(&waiting, &[later], NoticeKinds::ALL), None);
    }

    #[test]
    fn empty_place_in_the_list_hides_no_other_notice() {
        let shares = [bounced("bob@example.com")];
        let mut waiting = pending(vec![notice(NoticeKind::EmailProblem, &shares[0])], 2);
        waiting.listed.insert(0, None);
        let digest = Digest::new(&waiting, &shares, NoticeKinds::ALL).unwrap();
        assert_eq!((digest.lines.len(), digest.more), (1, 0));
    }

    #[test]
    fn digest_names_each_problem_once_and_counts_the_rest() {
        let shares: Vec<Share> = (0..30).map(|n| bounced(&format!("r{n}@example.com"))).collect();
        let mut listed: Vec<Notice> =
            shares.iter().map(|share| notice(NoticeKind::EmailProblem, share)).collect();
        listed.push(listed[0].clone());
        let digest = pending(listed, 1_000);
        let digest = Digest::new(&digest, &shares, NoticeKinds::ALL).unwrap();
        assert_eq!((digest.lines.len(), digest.more), (20, 969 + 10));
    }

    #[test]
    fn failed_first_download_is_not_told() {
        let share = share_with("bob@example.com");
        let waiting = pending(vec![notice(NoticeKind::FirstDownload, &share)], 1);
        assert_eq!(Digest::new(&waiting, std::slice::from_ref(&share), NoticeKinds::ALL), None);
        assert!(Digest::new(&waiting, &[downloaded(&share, 1)], NoticeKinds::ALL).is_some());
    }

    #[test]
    fn digest_goes_to_the_address_of_the_newest_share() {
        let old = bounced("bob@example.com");
        let mut new = bounced("eve@example.com");
        new.created_at += TimeDelta::days(1);
        new.created_by.email = Some("ann@new.example".parse().unwrap());
        let both = [&old, &new].map(|share| notice(NoticeKind::EmailProblem, share));
        let shares = [old, new];
        let waiting = pending(both.into(), 2);
        assert_eq!(Digest::new(&waiting, &shares, NoticeKinds::ALL).unwrap().to.as_str(), "ann@new.example");
    }

    /// Settings and rows contain these names.
    #[test]
    fn names_are_frozen() {
        let names = NoticeKind::ALL.map(NoticeKind::name);
        assert_eq!(names, ["emailProblem", "firstDownload", "moreTime"]);
        for kind in NoticeKind::ALL {
            assert_eq!(NoticeKind::parse(kind.name()), Some(kind));
        }
        assert_eq!(MailState::Bounced(BounceType::Permanent).name(), "bounced");
    }

    #[test]
    fn list_of_kinds_is_parsed() {
        assert_eq!("emailProblem,firstDownload,moreTime".parse(), Ok(NoticeKinds::ALL));
        assert_eq!("".parse(), Ok(NoticeKinds::NONE));
        let only = NoticeKinds { first_download: true, ..NoticeKinds::NONE };
        assert_eq!("firstDownload".parse(), Ok(only));
        for list in ["bounces", "moreTime,", "emailProblem, moreTime"] {
            assert_eq!(list.parse::<NoticeKinds>(), Err(NoticeKindsError), "{list}");
        }
    }
}
