//! The share log: what happened to an item's shares, for the people who manage them.
//!
//! Nobody writes it along with a change. It follows from the changes themselves: what a share was before and
//! after each one says what happened, and each event has an identity that follows from the share alone. So a change
//! that is looked at twice is logged once, in whatever order changes are looked at.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use crate::mail::MailState;
use crate::share::{Changed, Reason, Status};
use crate::{Action, EmailAddress, Share, ShareId, Sharer, Timestamp};

/// One thing that happened to a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    pub at: Timestamp,
    /// Tells entries of the same time apart, and is the same whenever the same event is met.
    pub sequence: String,
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
    Delivered,
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

/// Where an expiry by itself comes.
const LAPSE: u8 = 25;

impl LogEvent {
    /// Where it comes among events of the same time.
    fn rank(&self) -> u8 {
        match self {
            Self::Created => 10,
            Self::Opened => 20,
            Self::Downloaded => 21,
            Self::ExpirationChanged { .. } => 30,
            Self::Revoked => 31,
            Self::Reactivated => 32,
            Self::Expired => 33,
            Self::LinkCopied => 40,
            Self::Resent => 50,
            Self::Emailed => 51,
            Self::MailFailed { .. } => 52,
            Self::Delivered => 53,
            Self::Bounced { .. } => 54,
            Self::Complained => 55,
            Self::Purged => 90,
        }
    }
}

/// A share was created.
#[must_use]
pub fn entries_for_creation(share: &Share) -> Vec<LogEntry> {
    let mut log = Log::of(share);
    log.done(&share.created_by, share.created_at, LogEvent::Created, &share.version);
    // Access that had ended by then never began.
    if share.status(share.created_at) == Status::Inactive(Reason::Expired) {
        log.add(share.created_at, LogEvent::Expired, &share.version);
    }
    log.entries
}

/// A share was changed, in whatever way.
#[must_use]
pub fn entries_for_change(old: &Share, new: &Share) -> Vec<LogEntry> {
    let mut log = Log::of(new);
    log_version(&mut log, old, new);
    log_usage(&mut log, old, new);
    log_mail(&mut log, old, new);
    if let Some(copy) = new.link_copied.as_ref().filter(|copy| old.link_copied.as_ref() != Some(copy)) {
        log.done(&copy.action.by, copy.action.at, LogEvent::LinkCopied, &copy.id);
    }
    log.entries
}

/// A share was purged, at this time.
#[must_use]
pub fn entries_for_purge(share: &Share, at: Timestamp) -> Vec<LogEntry> {
    let mut log = Log::of(share);
    log.lapse(share, at);
    if share.mail.pending().is_some() {
        let detail = "the share was purged before the email was sent".into();
        log.add(at, LogEvent::MailFailed { detail }, &share.mail.attempt);
    }
    log.add(at, LogEvent::Purged, &share.version);
    log.entries
}

/// The time of a share's expiry may have passed: whoever was to look then, looks now.
#[must_use]
pub fn entries_for_expiry(share: &Share, now: Timestamp) -> Vec<LogEntry> {
    let mut log = Log::of(share);
    log.lapse(share, now);
    log.entries
}

fn log_version(log: &mut Log, old: &Share, new: &Share) {
    let Some(change) = new.changed.as_ref().filter(|_| new.version != old.version) else { return };
    let Action { by, at } = &change.action;
    let at = *at;
    // It may have expired before, and nobody has looked since.
    log.lapse(old, at);
    match change.of {
        Changed::Revocation => log.done(by, at, LogEvent::Revoked, &new.version),
        Changed::Expiration => {
            let event = LogEvent::ExpirationChanged { from: old.expires_at, to: new.expires_at };
            log.done(by, at, event, &new.version);
            match (old.status(at), new.status(at)) {
                (Status::Inactive(_), Status::Active) => {
                    log.done(by, at, LogEvent::Reactivated, &new.version);
                }
                // The change itself ended access.
                (Status::Active, Status::Inactive(_)) => log.add(at, LogEvent::Expired, &new.version),
                _ => {}
            }
        }
    }
}

fn log_usage(log: &mut Log, old: &Share, new: &Share) {
    let Some(at) = new.usage.last_at else { return };
    for nth in old.usage.opens + 1..=new.usage.opens {
        log.add(at, LogEvent::Opened, &nth);
    }
    for nth in old.usage.downloads + 1..=new.usage.downloads {
        log.add(at, LogEvent::Downloaded, &nth);
    }
}

fn log_mail(log: &mut Log, old: &Share, new: &Share) {
    let attempt = new.mail.attempt;
    let next = attempt != old.mail.attempt;
    if let Some(requested) = new.mail.requested.as_ref().filter(|_| next) {
        log.done(&requested.by, requested.at, LogEvent::Resent, &attempt);
    }
    let Some(at) = new.mail.at else { return };
    let had_left = !next && has_left(old.mail.state);
    if has_left(new.mail.state) && !had_left {
        log.add(at, LogEvent::Emailed, &attempt);
    }
    if next || new.mail.state != old.mail.state {
        let detail = new.mail.detail.clone().unwrap_or_default();
        match new.mail.state {
            MailState::None | MailState::Queued(_) | MailState::Sent => {}
            MailState::Delivered => log.add(at, LogEvent::Delivered, &attempt),
            MailState::Failed => log.add(at, LogEvent::MailFailed { detail }, &attempt),
            MailState::Bounced(_) => log.add(at, LogEvent::Bounced { detail }, &attempt),
            MailState::Complained => log.add(at, LogEvent::Complained, &attempt),
        }
    }
}

/// Whether SES has taken the email. One that it rejects afterwards has been sent before, which was logged then.
fn has_left(state: MailState) -> bool {
    matches!(state, MailState::Sent | MailState::Delivered | MailState::Bounced(_) | MailState::Complained)
}

/// Entries of one share in the making.
struct Log<'a> {
    share: &'a Share,
    entries: Vec<LogEntry>,
}

impl<'a> Log<'a> {
    fn of(share: &'a Share) -> Self {
        Self { share, entries: Vec::new() }
    }

    /// Adds what a sharer did, which `nth` tells from others of its kind.
    fn done(&mut self, by: &Sharer, at: Timestamp, event: LogEvent, nth: &dyn Display) {
        self.push(at, event.rank(), event, nth, Some(by));
    }

    /// Adds what happened by itself, which `nth` tells from others of its kind.
    fn add(&mut self, at: Timestamp, event: LogEvent, nth: &dyn Display) {
        self.push(at, event.rank(), event, nth, None);
    }

    fn push(&mut self, at: Timestamp, rank: u8, event: LogEvent, nth: &dyn Display, by: Option<&Sharer>) {
        self.entries.push(LogEntry {
            at,
            sequence: format!("{}.{rank}.{nth}", self.share.id),
            share: self.share.id,
            recipient: self.share.recipient.clone(),
            event,
            by: by.cloned(),
        });
    }

    /// Adds that a share has expired, if it had by now: before whatever was done at that very moment.
    fn lapse(&mut self, share: &Share, now: Timestamp) {
        if let Some(at) = share.scheduled_expiry().filter(|at| *at <= now) {
            self.push(at, LAPSE, LogEvent::Expired, &share.version, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::delivery::DeliveryEvent;
    use crate::share::tests::{NOW, ann, expiry, share, time};
    use crate::share::{ExpectedVersion, LinkCopy, WriteId};

    fn told(entries: &[LogEntry]) -> Vec<(&LogEvent, Timestamp, Option<&str>)> {
        entries
            .iter()
            .map(|entry| (&entry.event, entry.at, entry.by.as_ref().map(|by| by.sub.as_str())))
            .collect()
    }

    fn at(text: &str) -> Action {
        Action { at: time(text), ..ann() }
    }

    fn changed(share: &Share, to: &str, action: &Action) -> Share {
        share.with_expiration(expiry(to), action, ExpectedVersion::Any).unwrap().unwrap()
    }

    const EXPIRY: &str = "2026-03-10T13:00:00Z";

    #[test]
    fn a_creation_is_told_with_who_and_when() {
        let share = share(&["a"]);
        assert_eq!(told(&entries_for_creation(&share)), [(&LogEvent::Created, time(NOW), Some("u1"))]);
        let born_expired = Share { expires_at: share.created_at, ..share };
        let entries = entries_for_creation(&born_expired);
        assert_eq!(told(&entries)[1], (&LogEvent::Expired, time(NOW), None));
    }

    #[test]
    fn a_change_before_the_expiry_tells_of_no_expiry() {
        let old = share(&["a"]);
        let new = changed(&old, "2026-03-11T13:00:00Z", &at("2026-03-10T12:30:00Z"));
        let event = LogEvent::ExpirationChanged { from: time(EXPIRY), to: new.expires_at };
        assert_eq!(
            told(&entries_for_change(&old, &new)),
            [(&event, time("2026-03-10T12:30:00Z"), Some("ann"))]
        );
        assert!(entries_for_expiry(&new, time(EXPIRY)).is_empty());
        assert!(entries_for_change(&new, &new).is_empty());
    }

    #[test]
    fn whoever_meets_an_expiry_tells_of_it_under_the_same_identity() {
        let old = share(&["a"]);
        let alarm = entries_for_expiry(&old, time(EXPIRY));
        assert_eq!(told(&alarm), [(&LogEvent::Expired, time(EXPIRY), None)]);
        let later = "2026-03-10T15:00:00Z";
        let reactivation = entries_for_change(&old, &changed(&old, "2026-03-11T13:00:00Z", &at(later)));
        assert_eq!(reactivation[0], alarm[0]);
        assert!(matches!(reactivation[1].event, LogEvent::ExpirationChanged { .. }));
        assert_eq!(told(&reactivation)[2], (&LogEvent::Reactivated, time(later), Some("ann")));
        assert_eq!(reactivation.len(), 3);
        let revocation = entries_for_change(&old, &old.revoked(&at(later)).unwrap());
        assert_eq!((&revocation[0], &revocation[1].event), (&alarm[0], &LogEvent::Revoked));
        let purge = entries_for_purge(&Share { mail: crate::Mail::none(), ..old }, time(later));
        assert_eq!((&purge[0], &purge[1].event), (&alarm[0], &LogEvent::Purged));
    }

    #[test]
    fn an_expiry_in_the_past_ends_access_with_the_change_and_once() {
        let old = share(&["a"]);
        let past = "2026-03-10T01:00:00Z";
        let ended = changed(&old, past, &at("2026-03-10T12:30:00Z"));
        let entries = entries_for_change(&old, &ended);
        assert_eq!(told(&entries)[1], (&LogEvent::Expired, time("2026-03-10T12:30:00Z"), None));
        assert!(entries_for_expiry(&ended, time(EXPIRY)).is_empty());
        // Again, when it was inactive already.
        let again = changed(&ended, "2026-03-10T02:00:00Z", &at("2026-03-10T12:40:00Z"));
        assert_eq!(entries_for_change(&ended, &again).len(), 1);
        // And revoked in the end: that is all that is new.
        assert_eq!(entries_for_change(&again, &again.revoked(&at("2026-03-10T12:50:00Z")).unwrap()).len(), 1);
    }

    #[test]
    fn a_revoked_share_does_not_expire() {
        let revoked = share(&["a"]).revoked(&ann()).unwrap();
        assert!(entries_for_expiry(&revoked, time("2027-01-01T00:00:00Z")).is_empty());
        let reactivated = changed(&revoked, "2026-03-11T13:00:00Z", &at("2026-03-10T14:00:00Z"));
        let entries = entries_for_change(&revoked, &reactivated);
        assert_eq!((entries.len(), &entries[1].event), (2, &LogEvent::Reactivated));
    }

    #[test]
    fn every_use_and_every_copy_of_the_link_is_an_entry() {
        let old = share(&["a"]);
        let mut new = old.clone();
        (new.usage.opens, new.usage.downloads, new.usage.last_at) = (2, 1, Some(time(EXPIRY)));
        let copy = |id| Some(LinkCopy { action: ann(), id: WriteId::from_bytes([id; 16]) });
        new.link_copied = copy(1);
        let entries = entries_for_change(&old, &new);
        let events: Vec<&LogEvent> = entries.iter().map(|entry| &entry.event).collect();
        assert_eq!(
            events,
            [&LogEvent::Opened, &LogEvent::Opened, &LogEvent::Downloaded, &LogEvent::LinkCopied]
        );
        let copied_again = Share { link_copied: copy(2), ..new.clone() };
        let again = entries_for_change(&new, &copied_again);
        // At the same moment, by the same sharer, and yet another copy.
        assert_eq!((again.len(), again[0].at), (1, entries[3].at));
        let mut all: Vec<_> = entries.iter().chain(&again).map(|entry| &entry.sequence).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 5);
    }

    #[test]
    fn each_email_is_told_of_once_and_so_is_what_became_of_it() {
        let with = |share: &Share, state| {
            let mut share = share.clone();
            (share.mail.state, share.mail.at) = (state, Some(time(EXPIRY)));
            share
        };
        let kinds = |old: &Share, new: &Share| -> Vec<LogEvent> {
            entries_for_change(old, new).into_iter().map(|entry| entry.event).collect()
        };
        let queued = share(&["a"]);
        let sent = with(&queued, MailState::Sent);
        assert_eq!(kinds(&queued, &sent), [LogEvent::Emailed]);
        let reported = |share: &Share, event| Share {
            mail: share.mail.reported(event, time(EXPIRY)).unwrap(),
            ..share.clone()
        };
        let delivered = reported(&sent, DeliveryEvent::Delivered);
        assert_eq!(kinds(&sent, &delivered), [LogEvent::Delivered]);
        // A report that was faster than the sender.
        assert_eq!(
            kinds(&queued, &reported(&queued, DeliveryEvent::Delivered)),
            [LogEvent::Emailed, LogEvent::Delivered]
        );
        assert_eq!(
            kinds(&delivered, &reported(&delivered, DeliveryEvent::Complained)),
            [LogEvent::Complained]
        );

        let resent = Share { mail: delivered.mail.again(&ann()), ..delivered.clone() };
        assert_eq!(kinds(&delivered, &resent), [LogEvent::Resent]);
        assert_eq!(kinds(&resent, &with(&resent, MailState::Sent)), [LogEvent::Emailed]);
        assert_eq!(
            kinds(&resent, &with(&resent, MailState::Failed)),
            [LogEvent::MailFailed { detail: String::new() }]
        );
        // Withdrawn, with the revocation.
        assert!(kinds(&resent, &with(&resent, MailState::None)).is_empty());
    }

    #[test]
    fn an_email_that_is_pending_at_the_purge_is_told_to_have_failed() {
        let entries = entries_for_purge(&share(&["a"]), time(NOW) + TimeDelta::days(9));
        let events: Vec<u8> = entries.iter().map(|entry| entry.event.rank()).collect();
        assert_eq!(events, [33, 52, 90]);
    }
}
