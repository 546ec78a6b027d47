//! The share log: what happened to an item's shares, for the people who manage those shares.
//!
//! Handlers never write log entries. Instead, entries are derived from changes to shares: comparing a share
//! before and after a change shows what happened. The identity of an entry depends only on the share, so an
//! event is logged once even if its change is processed twice or out of order.
//!
//! An entry never replaces another, with one exception: the entry for a failed download replaces the entry
//! for the download, in whichever order the two changes are processed.
//!
//! A recipient can use a link any number of times, but must not be able to fill the log. A share's first
//! [`LOGGED_USES`] opens and downloads are all logged, and later ones only if their number is a power of two.
//! The numbers never repeat, so a redelivered change makes the same decision.

use std::fmt::Display;

use crate::access::{DownloadError, InactiveReason};
use crate::history::ChangeKind;
use crate::mail::MailState;
use crate::reminder::ReminderState;
use crate::share::FIRST_VERSION;
use crate::{
    Action, EmailAddress, Generation, MailReason, Share, ShareId, Sharer, Status, Timestamp, UseSource,
    WriteId,
};

/// A log entry: one event in a share's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    pub at: Timestamp,
    /// Orders and distinguishes entries with the same time. Deterministic: the same event always has the same
    /// sequence.
    pub sequence: String,
    pub share: ShareId,
    /// The share's recipient, stored here because the log outlives the share.
    pub recipient: EmailAddress,
    pub event: LogEvent,
    /// The sharer who caused the event, if any.
    pub by: Option<Sharer>,
    /// For a use of the link, where it came from, if the deployment keeps it.
    pub source: Option<UseSource>,
}

/// The number of opens, and of downloads, up to which each is logged.
pub const LOGGED_USES: u64 = 100;

/// Returns whether the open or the download with this number is logged. Numbers begin at 1.
fn is_logged(number: u64) -> bool {
    number <= LOGGED_USES || number.is_power_of_two()
}

impl LogEntry {
    /// Returns whether the entry replaces an earlier entry with the same time and sequence. Only a failed
    /// download does: its use was counted, and logged as a download, before the file turned out to be
    /// unavailable.
    #[must_use]
    pub fn is_correction(&self) -> bool {
        matches!(self.event, LogEvent::DownloadFailed { .. })
    }

    /// Returns whether the entry is only for restorations, not for sharers. Undoing a revocation sets the
    /// expiration that the share already has. If earlier entries are lost, only this entry contains it.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        matches!(self.event, LogEvent::ExpirationChanged { from, to } if from == to)
    }
}

/// The kind of an event, with its details.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEvent {
    Created,
    Emailed,
    MailFailed {
        reason: MailReason,
    },
    Delivered,
    Bounced {
        reason: MailReason,
    },
    Complained,
    /// The reminder was sent.
    Reminded,
    ReminderFailed {
        reason: MailReason,
    },
    Opened {
        /// The number of opens of the share so far.
        number: u64,
    },
    Downloaded {
        /// The number of downloads of the share so far, including failed ones.
        number: u64,
    },
    /// A download of all files in one archive.
    DownloadedAll {
        /// The number of downloads of the share so far, of single files and of all.
        number: u64,
    },
    DownloadFailed {
        reason: DownloadError,
    },
    ExpirationChanged {
        from: Timestamp,
        to: Timestamp,
    },
    Revoked,
    Reactivated,
    LinkCopied,
    /// `generation` is that of the new link. Only a restoration needs it.
    LinkRenewed {
        generation: Generation,
    },
    Resent,
    MoreTimeRequested {
        /// The number of requests so far.
        number: u32,
    },
    /// The recipient wants no more emails about the share.
    EmailsStopped,
    /// The recipient wants emails about the share again.
    EmailsAllowed,
    Expired,
    /// `created_at` is the creation time of the deleted share, which distinguishes it from an earlier share
    /// with the same id. Entries of earlier versions lack it.
    Purged {
        created_at: Option<Timestamp>,
    },
    Restored,
}

/// The rank of a scheduled expiry, which sorts before any change made at the same time.
const SCHEDULED_EXPIRY_RANK: u8 = 25;

impl LogEvent {
    /// Returns the event's rank among events with the same time.
    fn rank(&self) -> u8 {
        match self {
            Self::Created => 10,
            Self::Opened { .. } => 20,
            // A failed download has the same place in the log as the download that it corrects.
            Self::Downloaded { .. } | Self::DownloadedAll { .. } | Self::DownloadFailed { .. } => 21,
            Self::ExpirationChanged { .. } => 30,
            Self::Revoked => 31,
            Self::Reactivated => 32,
            Self::Expired => 33,
            Self::LinkRenewed { .. } => 34,
            Self::LinkCopied => 40,
            Self::Resent => 50,
            Self::Emailed => 51,
            Self::MailFailed { .. } => 52,
            Self::Delivered => 53,
            Self::Bounced { .. } => 54,
            Self::Complained => 55,
            Self::Reminded => 56,
            Self::ReminderFailed { .. } => 57,
            Self::MoreTimeRequested { .. } => 60,
            Self::EmailsStopped => 61,
            Self::EmailsAllowed => 62,
            Self::Purged { .. } => 90,
            Self::Restored => 91,
        }
    }
}

impl LogEntry {
    /// Returns the last part of the sequence, which distinguishes the event from others of the same kind: the
    /// share's version for changes and deletions, the attempt for emails, and the number of requests for more
    /// time and of choices about emails. Returns `None` if that part is not a number.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        self.sequence.rsplit_once('.')?.1.parse().ok()
    }
}

/// Returns the entries for a new row. A row that was restored from a backup is also new, and its creation has
/// the same entry as before.
#[must_use]
pub fn entries_for_creation(share: &Share) -> Vec<LogEntry> {
    let mut log = Entries::of(share);
    log.add_action(&share.created_by, share.created_at, LogEvent::Created, &FIRST_VERSION);
    let is_unchanged = share.version == FIRST_VERSION;
    if is_unchanged && share.status(share.created_at) == Status::Inactive(InactiveReason::Expired) {
        log.add_event(share.created_at, LogEvent::Expired, &FIRST_VERSION);
    }
    log.entries
}

/// Returns the entries for a change to a share.
#[must_use]
pub fn entries_for_change(old: &Share, new: &Share) -> Vec<LogEntry> {
    let mut log = Entries::of(new);
    log.add_version_change(old, new);
    log.add_usage_change(old, new);
    log.add_mail_change(old, new);
    log.add_reminder_change(old, new);
    log.add_recipient_change(old, new);
    // Compare only the ids: an erasure replaces the sharer of an earlier copy.
    let old_copy = old.link_copied.as_ref().map(|copy| copy.id);
    if let Some(copy) = new.link_copied.as_ref().filter(|copy| old_copy != Some(copy.id)) {
        log.add_action(&copy.action.by, copy.action.at, LogEvent::LinkCopied, &copy.id);
    }
    log.entries
}

/// Returns the entries for a share that was purged at the given time.
#[must_use]
pub fn entries_for_purge(share: &Share, at: Timestamp) -> Vec<LogEntry> {
    let mut log = Entries::of(share);
    log.add_scheduled_expiry(share, at);
    if share.mail.pending().is_some() {
        let event = LogEvent::MailFailed { reason: MailReason::Purged };
        log.add_event(at, event, &share.mail.attempt);
    }
    log.add_event(at, LogEvent::Purged { created_at: Some(share.created_at) }, &share.version);
    log.entries
}

/// Returns the entry for the share's scheduled expiry, if that time has passed.
#[must_use]
pub fn entries_for_expiry(share: &Share, now: Timestamp) -> Vec<LogEntry> {
    let mut log = Entries::of(share);
    log.add_scheduled_expiry(share, now);
    log.entries
}

/// Returns the entries for a share that was restored from a backup at the given time. `known` is the share as
/// the backup and the log describe it.
pub(crate) fn entries_for_restoration(known: &Share, restored: &Share, at: Timestamp) -> Vec<LogEntry> {
    let mut log = Entries::of(restored);
    if restored.revoked_at != known.revoked_at {
        // The share may have expired before, with no entry logged yet.
        log.add_scheduled_expiry(known, at);
        log.add_event(at, LogEvent::Revoked, &restored.version);
    }
    if restored.generation != known.generation {
        let event = LogEvent::LinkRenewed { generation: restored.generation };
        log.add_event(at, event, &restored.version);
    }
    log.add_mail_change(known, restored);
    log.add_event(at, LogEvent::Restored, &restored.version);
    log.entries
}

/// Collects the entries for one share.
struct Entries<'a> {
    share: &'a Share,
    entries: Vec<LogEntry>,
}

impl<'a> Entries<'a> {
    fn of(share: &'a Share) -> Self {
        Self { share, entries: Vec::new() }
    }

    /// Adds a sharer's action. `nth` distinguishes the action from others of the same kind.
    fn add_action(&mut self, by: &Sharer, at: Timestamp, event: LogEvent, nth: &dyn Display) {
        self.push(at, event.rank(), event, nth, Some(by));
    }

    /// Adds an event that no sharer caused. `nth` distinguishes the event from others of the same kind.
    fn add_event(&mut self, at: Timestamp, event: LogEvent, nth: &dyn Display) {
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
            source: None,
        });
    }

    /// Adds a use of the link.
    fn add_use(&mut self, at: Timestamp, event: LogEvent, id: WriteId, source: Option<UseSource>) {
        self.add_event(at, event, &id);
        if let Some(entry) = self.entries.last_mut() {
            entry.source = source;
        }
    }

    /// Adds the scheduled expiry of `share`, if that time has passed.
    fn add_scheduled_expiry(&mut self, share: &Share, now: Timestamp) {
        if let Some(at) = share.scheduled_expiry().filter(|at| *at <= now) {
            self.push(at, SCHEDULED_EXPIRY_RANK, LogEvent::Expired, &share.version, None);
        }
    }

    fn add_version_change(&mut self, old: &Share, new: &Share) {
        let Some(change) = new.changed.as_ref().filter(|_| new.version != old.version) else { return };
        let Action { by, at } = &change.action;
        let at = *at;
        // The share may have expired before this change, with no entry logged yet.
        self.add_scheduled_expiry(old, at);
        if change.kind == ChangeKind::Revocation {
            self.add_action(by, at, LogEvent::Revoked, &new.version);
            return;
        }
        // A renewal need not change the expiration. A change of the expiration may only undo a revocation.
        if new.expires_at != old.expires_at || new.revoked_at != old.revoked_at {
            let event = LogEvent::ExpirationChanged { from: old.expires_at, to: new.expires_at };
            self.add_action(by, at, event, &new.version);
        }
        match (old.status(at), new.status(at)) {
            (Status::Inactive(_), Status::Active) => {
                self.add_action(by, at, LogEvent::Reactivated, &new.version);
            }
            // The new expiry was already in the past.
            (Status::Active, Status::Inactive(_)) => self.add_event(at, LogEvent::Expired, &new.version),
            _ => {}
        }
        if new.generation != old.generation {
            let event = LogEvent::LinkRenewed { generation: new.generation };
            self.add_action(by, at, event, &new.version);
        }
    }

    /// Adds the entries for one use, because every use is a separate change. The entries are identified by
    /// the use's id, not by its number: a correction must find its download even if it does not know the
    /// number.
    fn add_usage_change(&mut self, old: &Share, new: &Share) {
        let (old, new) = (&old.usage, &new.usage);
        if let (Some(at), Some(id)) = (new.last_at, new.last_id) {
            let number = new.opens;
            if number > old.opens && is_logged(number) {
                self.add_use(at, LogEvent::Opened { number }, id, new.last_source);
            }
            let number = new.download_attempts();
            if number > old.download_attempts() && is_logged(number) {
                let event = if new.archive_downloads > old.archive_downloads {
                    LogEvent::DownloadedAll { number }
                } else {
                    LogEvent::Downloaded { number }
                };
                self.add_use(at, event, id, new.last_source);
            }
        }
        if let Some(failed) = new.last_failure.filter(|failed| old.last_failure.as_ref() != Some(failed)) {
            // An unknown number may be that of a logged download. It follows only from a lost response, so it
            // cannot fill the log.
            if failed.number.is_none_or(is_logged) {
                let event = LogEvent::DownloadFailed { reason: failed.error };
                self.add_use(failed.at, event, failed.id, failed.source);
            }
        }
    }

    fn add_reminder_change(&mut self, old: &Share, new: &Share) {
        let Some(reminder) = new.reminder.filter(|new| old.reminder.map(|old| old.state) != Some(new.state))
        else {
            return;
        };
        let attempt = new.mail.attempt;
        match reminder.state {
            ReminderState::Idle | ReminderState::Dropped | ReminderState::Queued(_) => {}
            ReminderState::Sent { at } => self.add_event(at, LogEvent::Reminded, &attempt),
            ReminderState::Failed { at, reason } => {
                self.add_event(at, LogEvent::ReminderFailed { reason }, &attempt);
            }
        }
    }

    /// Adds what the recipient did on the pages of the link, other than using it. A recipient can change the
    /// choice about emails any number of times, but must not be able to fill the log.
    fn add_recipient_change(&mut self, old: &Share, new: &Share) {
        if let Some(request) = new.more_time.filter(|_| new.more_time != old.more_time) {
            let event = LogEvent::MoreTimeRequested { number: request.requests };
            self.add_event(request.requested_at, event, &request.requests);
        }
        let is_new = new.email_choice != old.email_choice;
        if let Some(choice) = new.email_choice.filter(|choice| is_new && is_logged(choice.number)) {
            let event = if choice.wants_emails { LogEvent::EmailsAllowed } else { LogEvent::EmailsStopped };
            self.add_event(choice.at, event, &choice.number);
        }
    }

    fn add_mail_change(&mut self, old: &Share, new: &Share) {
        let attempt = new.mail.attempt;
        let is_resend = attempt != old.mail.attempt;
        if let Some(requested) = new.mail.requested.as_ref().filter(|_| is_resend) {
            self.add_action(&requested.by, requested.at, LogEvent::Resent, &attempt);
        }
        let Some(at) = new.mail.at else { return };
        let was_logged = !is_resend && old.mail.state.is_sent();
        // If SES accepts an email and later rejects it, the acceptance is normally logged when the email
        // becomes `Sent`.
        if new.mail.state.is_sent() && !was_logged {
            self.add_event(at, LogEvent::Emailed, &attempt);
        }
        if is_resend || new.mail.state != old.mail.state {
            let reason = new.mail.reason.unwrap_or(MailReason::Unknown);
            match new.mail.state {
                MailState::None | MailState::Queued(_) | MailState::Sent => {}
                MailState::Delivered => self.add_event(at, LogEvent::Delivered, &attempt),
                MailState::Failed => self.add_event(at, LogEvent::MailFailed { reason }, &attempt),
                MailState::Bounced(_) => self.add_event(at, LogEvent::Bounced { reason }, &attempt),
                MailState::Complained => self.add_event(at, LogEvent::Complained, &attempt),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::TimeDelta;

    use super::*;
    use crate::delivery::DeliveryEvent;
    use crate::history::{FailedDownload, LinkCopy};
    use crate::reminder::Reminder;
    use crate::share::{ExpectedVersion, Renewal};
    use crate::testing::{NOW, ann, requested_expiry, share, time};
    use crate::use_source::ClientKind;
    use crate::{Mail, ShareRules};

    const EXPIRY: &str = "2026-03-10T13:00:00Z";
    const LATER: &str = "2026-03-10T15:00:00Z";

    /// Returns each entry's event, time and sharer.
    fn summary(entries: &[LogEntry]) -> Vec<(&LogEvent, Timestamp, Option<&str>)> {
        entries
            .iter()
            .map(|entry| (&entry.event, entry.at, entry.by.as_ref().map(|by| by.sub.as_str())))
            .collect()
    }

    fn events(entries: &[LogEntry]) -> Vec<&LogEvent> {
        entries.iter().map(|entry| &entry.event).collect()
    }

    fn ann_at(text: &str) -> Action {
        Action { at: time(text), ..ann() }
    }

    fn with_expiration(share: &Share, expiry: &str, action: &Action) -> Share {
        share
            .with_expiration(requested_expiry(expiry), action, ExpectedVersion::Any, &ShareRules::default())
            .unwrap()
            .unwrap()
    }

    #[test]
    fn reminder_is_logged_once_by_its_time() {
        let share = share(&["a"]);
        let with = |state| {
            let reminder = Reminder::new(3.try_into().unwrap());
            Share { reminder: reminder.map(|reminder| Reminder { state, ..reminder }), ..share.clone() }
        };
        let (idle, sent) = (with(ReminderState::Idle), with(ReminderState::Sent { at: time(NOW) }));
        assert_eq!(events(&entries_for_change(&idle, &sent)), [&LogEvent::Reminded]);
        assert_eq!(entries_for_change(&sent, &sent), []);
        let reason = MailReason::GivenUp;
        let failed = with(ReminderState::Failed { at: time(NOW), reason });
        assert_eq!(events(&entries_for_change(&idle, &failed)), [&LogEvent::ReminderFailed { reason }]);
        assert_eq!(entries_for_change(&sent, &idle), [], "requested anew");
    }

    #[test]
    fn creation_is_logged_with_sharer_and_time() {
        let share = share(&["a"]);
        assert_eq!(summary(&entries_for_creation(&share)), [(&LogEvent::Created, time(NOW), Some("u1"))]);
    }

    #[test]
    fn share_created_already_expired_logs_its_expiry() {
        let share = share(&["a"]);
        let entries = entries_for_creation(&Share { expires_at: share.created_at, ..share });
        assert_eq!(summary(&entries)[1], (&LogEvent::Expired, time(NOW), None));
    }

    #[test]
    fn restored_share_logs_the_same_creation() {
        let share = share(&["a"]);
        let creation = entries_for_creation(&share);
        let changed = with_expiration(&share, "2026-03-10T01:00:00Z", &ann());
        assert_eq!(entries_for_creation(&changed), creation);
        let ended = Share { expires_at: share.created_at, version: 2, ..share };
        assert_eq!(entries_for_creation(&ended), creation);
    }

    #[test]
    fn entry_number_is_the_end_of_the_sequence() {
        let mut entry = entries_for_creation(&share(&["a"])).remove(0);
        assert_eq!(entry.number(), Some(1));
        entry.sequence = "a.31.1001".into();
        assert_eq!(entry.number(), Some(1001));
        for sequence in ["", "7", "a.40.0f"] {
            entry.sequence = sequence.into();
            assert_eq!(entry.number(), None, "{sequence}");
        }
    }

    #[test]
    fn change_before_the_expiry_logs_no_expiry() {
        let old = share(&["a"]);
        let new = with_expiration(&old, "2026-03-11T13:00:00Z", &ann_at("2026-03-10T12:30:00Z"));
        let event = LogEvent::ExpirationChanged { from: time(EXPIRY), to: new.expires_at };
        assert_eq!(
            summary(&entries_for_change(&old, &new)),
            [(&event, time("2026-03-10T12:30:00Z"), Some("ann"))]
        );
        assert_eq!(entries_for_expiry(&new, time(EXPIRY)), []);
    }

    #[test]
    fn unchanged_share_logs_nothing() {
        assert_eq!(entries_for_change(&share(&["a"]), &share(&["a"])), []);
    }

    #[test]
    fn expiry_entry_is_the_same_for_every_trigger() {
        let old = share(&["a"]);
        let alarm = entries_for_expiry(&old, time(EXPIRY));
        assert_eq!(summary(&alarm), [(&LogEvent::Expired, time(EXPIRY), None)]);

        let reactivated = with_expiration(&old, "2026-03-11T13:00:00Z", &ann_at(LATER));
        assert_eq!(entries_for_change(&old, &reactivated)[0], alarm[0]);
        assert_eq!(entries_for_change(&old, &old.revoked(&ann_at(LATER)).unwrap())[0], alarm[0]);
        assert_eq!(entries_for_purge(&old, time(LATER))[0], alarm[0]);
    }

    #[test]
    fn reactivation_after_the_expiry_logs_both() {
        let old = share(&["a"]);
        let reactivated = with_expiration(&old, "2026-03-11T13:00:00Z", &ann_at(LATER));
        let changed = LogEvent::ExpirationChanged { from: old.expires_at, to: reactivated.expires_at };
        assert_eq!(
            summary(&entries_for_change(&old, &reactivated)),
            [
                (&LogEvent::Expired, time(EXPIRY), None),
                (&changed, time(LATER), Some("ann")),
                (&LogEvent::Reactivated, time(LATER), Some("ann")),
            ]
        );
    }

    #[test]
    fn revocation_after_the_expiry_logs_both() {
        let old = share(&["a"]);
        let revoked = old.revoked(&ann_at(LATER)).unwrap();
        assert_eq!(events(&entries_for_change(&old, &revoked)), [&LogEvent::Expired, &LogEvent::Revoked]);
    }

    #[test]
    fn purge_after_the_expiry_logs_both() {
        let share = Share { mail: Mail::none(), ..share(&["a"]) };
        let purged = LogEvent::Purged { created_at: Some(share.created_at) };
        assert_eq!(events(&entries_for_purge(&share, time(LATER))), [&LogEvent::Expired, &purged]);
    }

    #[test]
    fn setting_a_past_expiry_also_logs_the_expiry() {
        let old = share(&["a"]);
        let ended = with_expiration(&old, "2026-03-10T01:00:00Z", &ann_at("2026-03-10T12:30:00Z"));
        let entries = entries_for_change(&old, &ended);
        assert_eq!(summary(&entries)[1], (&LogEvent::Expired, time("2026-03-10T12:30:00Z"), None));
        assert_eq!(entries_for_expiry(&ended, time(EXPIRY)), [], "the alarm adds nothing");
    }

    #[test]
    fn expiry_is_logged_only_once() {
        let action = ann_at("2026-03-10T12:30:00Z");
        let ended = with_expiration(&share(&["a"]), "2026-03-10T01:00:00Z", &action);
        let again = with_expiration(&ended, "2026-03-10T02:00:00Z", &ann_at("2026-03-10T12:40:00Z"));
        assert_eq!(entries_for_change(&ended, &again).len(), 1, "another past expiry");
        let revoked = again.revoked(&ann_at("2026-03-10T12:50:00Z")).unwrap();
        assert_eq!(events(&entries_for_change(&again, &revoked)), [&LogEvent::Revoked]);
    }

    #[test]
    fn revoked_share_logs_no_expiry() {
        let revoked = share(&["a"]).revoked(&ann()).unwrap();
        assert_eq!(entries_for_expiry(&revoked, time("2027-01-01T00:00:00Z")), []);
        let reactivated = with_expiration(&revoked, "2026-03-11T13:00:00Z", &ann_at("2026-03-10T14:00:00Z"));
        let changed = LogEvent::ExpirationChanged { from: time(EXPIRY), to: reactivated.expires_at };
        assert_eq!(events(&entries_for_change(&revoked, &reactivated)), [&changed, &LogEvent::Reactivated]);
    }

    #[test]
    fn expiration_of_an_undone_revocation_is_internal() {
        let active = share(&["a"]);
        let revoked = active.revoked(&ann()).unwrap();
        let is_internal = |old, expiry| {
            let entries = entries_for_change(old, &with_expiration(old, expiry, &ann()));
            entries.iter().map(LogEntry::is_internal).collect::<Vec<_>>()
        };
        assert_eq!(is_internal(&revoked, EXPIRY), [true, false], "only the reactivation is shown");
        assert_eq!(is_internal(&revoked, LATER), [false, false]);
        assert_eq!(is_internal(&active, LATER), [false]);
    }

    fn renewed(share: &Share, expiry: Option<&str>, notify: bool) -> Share {
        let generation = Generation::from_bytes([9; 16]);
        let renewal = Renewal { generation, expiry: expiry.map(requested_expiry), notify };
        share
            .renewed(&renewal, &ann_at(LATER), ExpectedVersion::Any, &ShareRules::default())
            .unwrap()
            .unwrap()
    }

    #[test]
    fn renewal_is_logged_with_what_it_changes() {
        let active = Share { expires_at: time("2026-03-20T13:00:00Z"), ..share(&["a"]) };
        let active = with_mail_state(&active, MailState::Delivered);
        let renewal = LogEvent::LinkRenewed { generation: Generation::from_bytes([9; 16]) };
        let new = renewed(&active, None, false);
        assert_eq!(summary(&entries_for_change(&active, &new)), [(&renewal, time(LATER), Some("ann"))]);
        let new = renewed(&active, None, true);
        assert_eq!(events(&entries_for_change(&active, &new)), [&renewal, &LogEvent::Resent]);

        let expiry = "2026-03-21T13:00:00Z";
        let changed = LogEvent::ExpirationChanged { from: active.expires_at, to: time(expiry) };
        let new = renewed(&active, Some(expiry), false);
        assert_eq!(events(&entries_for_change(&active, &new)), [&changed, &renewal]);
        let revoked = active.revoked(&ann()).unwrap();
        let new = renewed(&revoked, Some(expiry), false);
        let all = [&changed, &LogEvent::Reactivated, &renewal];
        assert_eq!(events(&entries_for_change(&revoked, &new)), all);
        let new = renewed(&revoked, Some("2026-03-20T13:00:00Z"), false);
        assert!(entries_for_change(&revoked, &new)[0].is_internal(), "the expiration is the same");
    }

    fn write(id: u8) -> WriteId {
        WriteId::from_bytes([id; 16])
    }

    /// Returns a share of one file after another use.
    fn with_use(share: &Share, id: u8) -> Share {
        let mut used = share.clone();
        used.usage.opens += 1;
        used.usage.downloads += 1;
        used.usage.last_at = Some(time(EXPIRY));
        used.usage.last_id = Some(write(id));
        used
    }

    /// Returns a share of two files after another download of all.
    fn with_archive_download(share: &Share, id: u8) -> Share {
        let mut used = with_use(share, id);
        used.usage.opens -= 1;
        used.usage.archive_downloads += 1;
        used
    }

    fn with_failed_download(share: &Share, id: u8) -> Share {
        let mut failed = share.clone();
        failed.usage.downloads -= 1;
        failed.usage.failed_downloads += 1;
        failed.usage.last_id = None;
        failed.usage.last_failure = Some(FailedDownload {
            id: write(id),
            at: time(EXPIRY),
            error: DownloadError::Archived,
            number: Some(share.usage.download_attempts()),
            source: share.usage.last_source,
        });
        failed
    }

    /// Returns a share of one file, used this often.
    fn used(times: u64) -> Share {
        let mut share = share(&["a"]);
        (share.usage.opens, share.usage.downloads) = (times, times);
        share
    }

    fn link_copy(id: u8) -> LinkCopy {
        LinkCopy { action: ann(), id: write(id) }
    }

    #[test]
    fn uses_at_the_same_time_are_logged_separately() {
        let unused = share(&["a"]);
        let once = with_use(&unused, 1);
        let twice = with_use(&once, 2);
        let entries = [entries_for_change(&unused, &once), entries_for_change(&once, &twice)].concat();
        let opened = |number| LogEvent::Opened { number };
        let downloaded = |number| LogEvent::Downloaded { number };
        assert_eq!(events(&entries), [&opened(1), &downloaded(1), &opened(2), &downloaded(2)]);
        let sequences: BTreeSet<_> = entries.iter().map(|entry| &entry.sequence).collect();
        assert_eq!(sequences.len(), 4);
    }

    #[test]
    fn failed_download_takes_the_place_of_its_download() {
        let unused = share(&["a"]);
        let first = with_use(&unused, 1);
        let second = with_use(&first, 2);
        let failed = with_failed_download(&second, 1);
        let downloaded = &entries_for_change(&unused, &first)[1];
        let [correction] = entries_for_change(&second, &failed).try_into().unwrap();
        assert_eq!(correction.event, LogEvent::DownloadFailed { reason: DownloadError::Archived });
        assert_eq!((correction.at, &correction.sequence), (downloaded.at, &downloaded.sequence));
        assert!(correction.is_correction());
        assert!(!downloaded.is_correction());

        // The next use has the same count as the failed download, but does not replace it.
        let third = with_use(&failed, 3);
        assert_eq!(third.usage.downloads, second.usage.downloads);
        let next = entries_for_change(&failed, &third);
        assert_eq!(events(&next), [&LogEvent::Opened { number: 3 }, &LogEvent::Downloaded { number: 3 }]);
        assert_ne!(next[1].sequence, correction.sequence);
    }

    #[test]
    fn uses_after_the_hundredth_are_logged_at_powers_of_two() {
        let mut logged = vec![];
        let mut current = used(0);
        for n in 1..=2_000 {
            let next = with_use(&current, 1);
            let entries = entries_for_change(&current, &next);
            assert!(entries.is_empty() || entries.len() == 2, "{entries:?}");
            if let Some(entry) = entries.first() {
                assert_eq!(entry.event, LogEvent::Opened { number: n });
                logged.push(n);
            }
            current = next;
        }
        assert_eq!(logged, (1..=100).chain([128, 256, 512, 1024]).collect::<Vec<u64>>());
    }

    #[test]
    fn download_of_all_files_is_logged_as_such() {
        let unused = share(&["a", "b"]);
        let once = with_archive_download(&unused, 1);
        let mut twice = with_use(&once, 2);
        twice.usage.opens -= 1;
        let all = entries_for_change(&unused, &once);
        let entries = [all.clone(), entries_for_change(&once, &twice)].concat();
        let expected = [&LogEvent::DownloadedAll { number: 1 }, &LogEvent::Downloaded { number: 2 }];
        assert_eq!(events(&entries), expected, "both kinds have the same numbers");
        assert!(!all[0].is_correction());
    }

    #[test]
    fn downloads_of_all_files_thin_out_with_the_others() {
        let mut current = used(0);
        let mut entries = 0;
        for n in 1..=2_000 {
            let next = if n % 2 == 0 { with_archive_download(&current, 1) } else { with_use(&current, 1) };
            let new = entries_for_change(&current, &next);
            entries += events(&new).iter().filter(|event| !matches!(event, LogEvent::Opened { .. })).count();
            current = next;
        }
        assert_eq!(entries, 104);
    }

    /// A missing file lets a recipient repeat a download that is never counted in the end.
    #[test]
    fn failed_downloads_do_not_fill_the_log() {
        let mut current = used(0);
        let mut entries = vec![];
        for _ in 1..=2_000 {
            let used = with_use(&current, 1);
            entries.extend(entries_for_change(&current, &used));
            current = with_failed_download(&used, 1);
            entries.extend(entries_for_change(&used, &current));
        }
        assert_eq!(current.usage.downloads, 0);
        let count = |is_counted: fn(&LogEvent) -> bool| {
            entries.iter().filter(|entry| is_counted(&entry.event)).count()
        };
        assert_eq!(count(|event| matches!(event, LogEvent::Downloaded { .. })), 104);
        assert_eq!(count(|event| matches!(event, LogEvent::DownloadFailed { .. })), 104);
        assert_eq!(entries.len(), 3 * 104);
    }

    #[test]
    fn correction_is_logged_exactly_if_its_download_was() {
        for number in [1, 100, 101, 127, 128, 129, 1 << 40] {
            let before = used(number - 1);
            let used = with_use(&before, 1);
            let failed = with_failed_download(&used, 1);
            let is_logged = entries_for_change(&before, &used).len() == 2;
            assert_eq!(entries_for_change(&used, &failed).len() == 1, is_logged, "download {number}");
        }
        let mut failed = with_failed_download(&used(127), 1);
        failed.usage.last_failure.as_mut().unwrap().number = None;
        assert_eq!(entries_for_change(&used(127), &failed).len(), 1, "unknown number");
    }

    #[test]
    fn use_is_logged_with_its_source() {
        let source = UseSource { network: None, client: ClientKind::Firefox };
        let mut used = with_use(&share(&["a"]), 1);
        used.usage.last_source = Some(source);
        let entries = entries_for_change(&share(&["a"]), &used);
        assert_eq!(entries.iter().map(|entry| entry.source).collect::<Vec<_>>(), [Some(source); 2]);
        let [correction] = entries_for_change(&used, &with_failed_download(&used, 1)).try_into().unwrap();
        assert_eq!(correction.source, Some(source));
        assert_eq!(entries_for_creation(&used)[0].source, None, "not a use");
    }

    #[test]
    fn link_copies_at_the_same_time_are_both_logged() {
        let none = share(&["a"]);
        let first = Share { link_copied: Some(link_copy(1)), ..none.clone() };
        let second = Share { link_copied: Some(link_copy(2)), ..none.clone() };
        let entries = [entries_for_change(&none, &first), entries_for_change(&first, &second)].concat();
        assert_eq!(events(&entries), [&LogEvent::LinkCopied, &LogEvent::LinkCopied]);
        assert_eq!(entries[0].at, entries[1].at);
        assert_ne!(entries[0].sequence, entries[1].sequence);
    }

    #[test]
    fn erased_sharers_are_not_logged_again() {
        let share = share(&["a"]);
        let old = share.revoked(&ann()).unwrap();
        let old = Share { link_copied: Some(link_copy(1)), ..old };
        let mut erased = old.clone();
        for (sharer, _) in erased.sharers_mut() {
            *sharer = Sharer::erased();
        }
        assert_ne!(old, erased);
        assert_eq!(entries_for_change(&old, &erased), []);
    }

    #[test]
    fn sequences_are_unique() {
        let used = Share { link_copied: Some(link_copy(1)), ..with_use(&share(&["a"]), 1) };
        let entries = entries_for_change(&share(&["a"]), &used);
        let sequences: BTreeSet<_> = entries.iter().map(|entry| &entry.sequence).collect();
        assert_eq!(sequences.len(), 3);
    }

    fn with_mail_state(share: &Share, state: MailState) -> Share {
        Share { mail: Mail { state, at: Some(time(EXPIRY)), ..share.mail.clone() }, ..share.clone() }
    }

    fn with_mail_event(share: &Share, event: DeliveryEvent) -> Share {
        Share { mail: share.mail.after_event(event, time(EXPIRY)).unwrap(), ..share.clone() }
    }

    #[test]
    fn each_email_state_is_logged_once() {
        let queued = share(&["a"]);
        let sent = with_mail_state(&queued, MailState::Sent);
        assert_eq!(events(&entries_for_change(&queued, &sent)), [&LogEvent::Emailed]);
        let delivered = with_mail_event(&sent, DeliveryEvent::Delivered);
        assert_eq!(events(&entries_for_change(&sent, &delivered)), [&LogEvent::Delivered]);
        let complained = with_mail_event(&delivered, DeliveryEvent::Complained);
        assert_eq!(events(&entries_for_change(&delivered, &complained)), [&LogEvent::Complained]);
    }

    #[test]
    fn report_before_the_send_is_recorded_logs_both() {
        let queued = share(&["a"]);
        let delivered = with_mail_event(&queued, DeliveryEvent::Delivered);
        assert_eq!(
            events(&entries_for_change(&queued, &delivered)),
            [&LogEvent::Emailed, &LogEvent::Delivered]
        );
    }

    #[test]
    fn resent_email_logs_its_states_again() {
        let delivered = with_mail_state(&share(&["a"]), MailState::Delivered);
        let resent = Share { mail: delivered.mail.next_attempt(&ann()), ..delivered.clone() };
        assert_eq!(events(&entries_for_change(&delivered, &resent)), [&LogEvent::Resent]);
        let sent = with_mail_state(&resent, MailState::Sent);
        assert_eq!(events(&entries_for_change(&resent, &sent)), [&LogEvent::Emailed]);
        let failed = with_mail_state(&resent, MailState::Failed);
        let mail_failed = LogEvent::MailFailed { reason: MailReason::Unknown };
        assert_eq!(events(&entries_for_change(&resent, &failed)), [&mail_failed]);
    }

    #[test]
    fn each_request_for_more_time_is_logged_once() {
        let share = share(&["a"]);
        let first = share.with_more_time_requested(share.generation, time(EXPIRY)).unwrap();
        let logged = entries_for_change(&share, &first);
        assert_eq!(events(&logged), [&LogEvent::MoreTimeRequested { number: 1 }]);
        assert_eq!((logged[0].at, logged[0].number()), (time(EXPIRY), Some(1)));
        let used = with_use(&first, 1);
        let events_of_use = entries_for_change(&first, &used);
        assert!(!events_of_use.iter().any(|entry| matches!(entry.event, LogEvent::MoreTimeRequested { .. })));
    }

    #[test]
    fn choices_about_emails_cannot_fill_the_log() {
        let mut share = share(&["a"]);
        let mut entries = Vec::new();
        for number in 1..=200 {
            let wants_emails = number % 2 == 0;
            let chosen = share.with_email_choice(share.generation, wants_emails, time(NOW)).unwrap().unwrap();
            entries.extend(entries_for_change(&share, &chosen));
            share = chosen;
        }
        assert_eq!(events(&entries)[..2], [&LogEvent::EmailsStopped, &LogEvent::EmailsAllowed]);
        assert_eq!(entries.last().unwrap().number(), Some(128));
        assert_eq!(entries.len(), 101);
        let sequences: BTreeSet<_> = entries.iter().map(|entry| &entry.sequence).collect();
        assert_eq!(sequences.len(), entries.len());
    }

    #[test]
    fn withdrawn_email_is_not_logged() {
        let queued = share(&["a"]);
        let withdrawn = with_mail_state(&queued, MailState::None);
        assert_eq!(entries_for_change(&queued, &withdrawn), []);
    }

    #[test]
    fn email_still_pending_at_purge_is_logged_as_failed() {
        let entries = entries_for_purge(&share(&["a"]), time(NOW) + TimeDelta::days(9));
        let ranks: Vec<u8> = entries.iter().map(|entry| entry.event.rank()).collect();
        assert_eq!(ranks, [33, 52, 90]);
    }
}
