//! Restoring a share's row from a backup of the table.
//!
//! A backup shows a share as it was at some earlier time. The share log shows what has happened since, so its
//! entries are replayed on the backup's share. A row that is still readable is never replaced.
//!
//! The log may be incomplete: the entry for a revocation may be lost or not yet written. A restored share
//! therefore gives access only if there is evidence that the replay has reached the row's last version.
//! Otherwise, it is restored as revoked, and with a new link: the last known link may have been renewed
//! since, and reactivating the share must not bring it back. No restored share has a pending email, because
//! the email may already have been sent.

use std::cmp::Ordering;

use chrono::TimeDelta;

use crate::delivery::{Bounce, DeliveryEvent};
use crate::email_choice::EmailChoice;
use crate::history::{Change, ChangeKind, Usage};
use crate::log::{LogEntry, LogEvent, entries_for_restoration};
use crate::mail::{BounceType, CLOCK_SKEW};
use crate::more_time::MoreTime;
use crate::reminder::{Reminder, ReminderState};
use crate::sending::SendOutcome;
use crate::{Action, Generation, Mail, MailReason, Share, Sharer, Timestamp};

/// A share's row in the live table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveRow {
    Missing,
    /// The row exists, but cannot be decoded.
    Damaged(Remains),
    /// The row can be decoded, and its share has this generation.
    Readable(Generation),
}

/// The attributes of a damaged row that can still be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remains {
    pub generation: Option<Generation>,
    pub version: Option<u64>,
    /// Whether the row has a revocation time, decodable or not.
    pub is_revoked: bool,
}

/// How to restore a share if nothing shows whether it changed after its last known state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unconfirmed {
    /// Revoke it.
    #[default]
    Revoke,
    /// Keep its last known state. Requires that no share changed between the backup and the loss.
    Trust,
}

/// The conditions of a restoration that are the same for every share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    pub unconfirmed: Unconfirmed,
    /// The time of the restoration.
    pub now: Timestamp,
}

/// What to do with a share from a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Restore(Box<Restoration>),
    Skip(SkipReason),
}

/// A share to write to the live table, together with new log entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restoration {
    pub share: Share,
    pub entries: Vec<LogEntry>,
    /// Whether this restoration revokes the share.
    pub revokes: bool,
}

/// The reason that a share from a backup is not restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// The row is readable.
    Intact,
    /// The share was purged and created again, or its link was renewed. Its address has a newer link.
    Replaced,
    /// Its retention period has ended.
    RetentionEnded,
}

/// The distance between the last known version of a share whose later changes are lost, and its version once
/// restored. No client can have seen the new version.
const LOST_VERSIONS: u64 = 1_000;

/// Whether the live table confirms a share's last known state.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Evidence {
    /// The row's last version is known, and the replay has reached it.
    Confirms,
    /// The row changed after its last known state.
    Contradicts,
    Missing,
}

/// The deletion of a row.
#[derive(Clone, Copy)]
struct Deletion {
    at: Timestamp,
    /// The row's last version.
    version: u64,
    /// Whether the entry shows that the row was this share's, and not that of another share with the same id.
    is_same_share: bool,
}

/// A share from a backup, on which log entries are replayed.
#[derive(Clone)]
pub struct Replay {
    share: Share,
    /// The time of the last use that the backup's counts include.
    counted_until: Option<Timestamp>,
    is_replaced: bool,
    /// The last deletion of the row, unless the row was restored since.
    deletion: Option<Deletion>,
}

impl Replay {
    #[must_use]
    pub fn new(backup: Share) -> Self {
        let counted_until = backup.usage.last_at;
        Self { share: backup, counted_until, is_replaced: false, deletion: None }
    }

    /// Returns the share's creation time. Earlier log entries belong to an earlier share with the same id.
    #[must_use]
    pub fn starts_at(&self) -> Timestamp {
        self.share.created_at
    }

    /// Replays an entry of the live table's log. The entries must be in chronological order. Entries that the
    /// backup's share already includes change nothing.
    pub fn apply(&mut self, entry: &LogEntry) {
        if entry.share != self.share.id || entry.at < self.share.created_at {
            return;
        }
        let created_at = match entry.event {
            LogEvent::Created => Some(entry.at),
            LogEvent::Purged { created_at } => created_at,
            _ => None,
        };
        // The creation of a newer share may be missing from the log.
        self.is_replaced |= created_at.is_some_and(|at| at > self.share.created_at);
        if self.is_replaced || created_at.is_some_and(|at| at < self.share.created_at) {
            return;
        }
        match &entry.event {
            LogEvent::Opened { number } => {
                return self.count_use(entry.at, |usage| usage.opens = (usage.opens + 1).max(*number));
            }
            LogEvent::Downloaded { number } | LogEvent::DownloadedAll { number } => {
                return self.count_use(entry.at, |usage| {
                    let not_failed = number.saturating_sub(usage.failed_downloads);
                    usage.downloads = (usage.downloads + 1).max(not_failed);
                    if matches!(entry.event, LogEvent::DownloadedAll { .. }) {
                        usage.archive_downloads += 1;
                    }
                });
            }
            LogEvent::DownloadFailed { .. } => {
                return self.count_use(entry.at, |usage| usage.failed_downloads += 1);
            }
            _ => {}
        }
        let Some(number) = entry.number() else { return };
        match &entry.event {
            LogEvent::ExpirationChanged { to, .. } if number > self.share.version => {
                self.share = Share {
                    expires_at: *to,
                    // A future expiry reactivates the share.
                    revoked_at: self.share.revoked_at.filter(|_| *to <= entry.at),
                    ..self.changed(ChangeKind::Expiration, number, entry)
                };
            }
            // A renewal that also changes the expiration has two entries with the same version.
            LogEvent::LinkRenewed { generation } if number >= self.share.version => {
                let is_known = *generation == self.share.generation;
                let kind = ChangeKind::Renewal { notify: false };
                let renewed = Share {
                    generation: *generation,
                    link_key: self.share.link_key.clone().filter(|_| is_known),
                    renewed_at: Some(entry.at),
                    ..self.changed(kind, number, entry)
                };
                let renewed = if is_known { renewed } else { renewed.with_reminder_dropped() };
                self.share = renewed.with_reminder_queued(entry.at);
            }
            LogEvent::Revoked if number > self.share.version => {
                self.share = Share {
                    revoked_at: Some(entry.at),
                    ..self.changed(ChangeKind::Revocation, number, entry)
                };
            }
            LogEvent::Purged { created_at } => {
                let is_same_share = created_at.is_some();
                self.deletion = Some(Deletion { at: entry.at, version: number, is_same_share });
            }
            LogEvent::Restored => self.deletion = None,
            LogEvent::Reminded => self.replay_reminder(ReminderState::Sent { at: entry.at }, entry.at),
            LogEvent::ReminderFailed { reason } => {
                let failed = ReminderState::Failed { at: entry.at, reason: *reason };
                self.replay_reminder(failed, entry.at);
            }
            LogEvent::MoreTimeRequested { number } => self.replay_more_time(*number, entry.at),
            LogEvent::EmailsStopped => self.replay_email_choice(false, number, entry.at),
            LogEvent::EmailsAllowed => self.replay_email_choice(true, number, entry.at),
            _ => self.replay_email(number, entry),
        }
    }

    fn changed(&self, kind: ChangeKind, version: u64, entry: &LogEntry) -> Share {
        let by = entry.by.clone().unwrap_or_else(operator);
        let changed = Some(Change { kind, action: Action { by, at: entry.at } });
        Share { version, changed, ..self.share.clone() }
    }

    /// Counts a use after the backup. Its number also counts the uses before it that were not logged.
    fn count_use(&mut self, at: Timestamp, count: impl FnOnce(&mut Usage)) {
        if self.counted_until.is_some_and(|last| at <= last) {
            return;
        }
        let usage = &mut self.share.usage;
        count(usage);
        usage.first_at.get_or_insert(at);
        usage.last_at = Some(at);
    }

    /// Replays that a reminder was sent or failed, unless the backup includes it: the share then has the same
    /// reminder, or another that was requested since and is due later.
    fn replay_reminder(&mut self, state: ReminderState, at: Timestamp) {
        let due = self.share.reminder_due();
        let Some(reminder) = &mut self.share.reminder else { return };
        let is_new = match reminder.state {
            ReminderState::Idle | ReminderState::Queued(_) => due.is_some_and(|due| at + CLOCK_SKEW >= due),
            ReminderState::Sent { at: last } | ReminderState::Failed { at: last, .. } => at > last,
            ReminderState::Dropped => false,
        };
        if is_new {
            reminder.state = state;
        }
    }

    fn replay_more_time(&mut self, requests: u32, requested_at: Timestamp) {
        if self.share.more_time.is_none_or(|last| requests > last.requests) {
            let version = self.share.version;
            self.share.more_time = Some(MoreTime { requests, requested_at, version });
        }
    }

    fn replay_email_choice(&mut self, wants_emails: bool, number: u64, at: Timestamp) {
        if self.share.email_choice.is_none_or(|last| number > last.number) {
            self.share.email_choice = Some(EmailChoice { wants_emails, at, number });
        }
    }

    fn replay_email(&mut self, attempt: u64, entry: &LogEntry) {
        let mail = &self.share.mail;
        let Ok(attempt) = u32::try_from(attempt) else { return };
        let event = match &entry.event {
            LogEvent::Resent if attempt > mail.attempt => {
                let action = Action { by: entry.by.clone().unwrap_or_else(operator), at: entry.at };
                self.share.mail = Mail { attempt, ..mail.next_attempt(&action) };
                self.share = self.share.clone().with_reminder_queued(entry.at);
                return;
            }
            LogEvent::Emailed if attempt == mail.attempt && mail.pending().is_some() => {
                self.share.mail = mail.after_sending(SendOutcome::Sent, entry.at);
                return;
            }
            LogEvent::MailFailed { .. } => DeliveryEvent::Rejected,
            LogEvent::Delivered => DeliveryEvent::Delivered,
            // The log does not contain the bounce type. A later report can still replace a transient bounce.
            LogEvent::Bounced { reason } => {
                DeliveryEvent::Bounced(Bounce { bounce_type: BounceType::Transient, reason: *reason })
            }
            LogEvent::Complained => DeliveryEvent::Complained,
            _ => return,
        };
        if let Some(reported) = mail.after_event(event, entry.at).filter(|_| attempt == mail.attempt) {
            let reason = match entry.event {
                LogEvent::MailFailed { reason } => Some(reason),
                _ => reported.reason,
            };
            self.share.mail = Mail { reason, ..reported };
        }
    }

    /// Decides whether and how to restore the share. `retention` is the time from the end of access until the
    /// share is purged. `new` is the generation of a new link, if the share needs one.
    #[must_use]
    pub fn decide(self, live: &LiveRow, retention: TimeDelta, policy: Policy, new: Generation) -> Decision {
        let live_generation = match live {
            LiveRow::Missing => None,
            LiveRow::Damaged(remains) => remains.generation,
            LiveRow::Readable(generation) => Some(*generation),
        };
        if self.is_replaced || live_generation.is_some_and(|live| live != self.share.generation) {
            return Decision::Skip(SkipReason::Replaced);
        }
        if matches!(live, LiveRow::Readable(_)) {
            return Decision::Skip(SkipReason::Intact);
        }
        if self.share.purge_at(retention) <= policy.now {
            return Decision::Skip(SkipReason::RetentionEnded);
        }
        let keeps_state = match (self.evidence(live), policy.unconfirmed) {
            (Evidence::Confirms, _) | (Evidence::Missing, Unconfirmed::Trust) => true,
            (Evidence::Contradicts, _) | (Evidence::Missing, Unconfirmed::Revoke) => false,
        };
        // After the deletion, even if the clocks differ, so that the log shows the two in this order.
        let at = self.deletion.map_or(policy.now, |deletion| deletion.at.max(policy.now));
        let (share, revokes) =
            if keeps_state { (self.share.clone(), false) } else { self.revoked(live, at, new) };
        let share = without_pending_email(share, at);
        let entries = entries_for_restoration(&self.share, &share, at);
        Decision::Restore(Box::new(Restoration { share, entries, revokes }))
    }

    fn evidence(&self, live: &LiveRow) -> Evidence {
        let is_revoked = self.share.revoked_at.is_some();
        let (last_version, is_same_share) = match live {
            LiveRow::Damaged(remains) if remains.is_revoked && !is_revoked => return Evidence::Contradicts,
            LiveRow::Damaged(remains) => {
                (remains.version, remains.generation.is_some() && remains.is_revoked == is_revoked)
            }
            _ => (
                self.deletion.map(|deletion| deletion.version),
                self.deletion.is_some_and(|deletion| deletion.is_same_share),
            ),
        };
        match last_version.map(|last| last.cmp(&self.share.version)) {
            Some(Ordering::Greater) => Evidence::Contradicts,
            Some(Ordering::Equal) if is_same_share => Evidence::Confirms,
            _ => Evidence::Missing,
        }
    }

    /// Returns the share as revoked, at a version that no client has seen, and whether it was not revoked
    /// before. The share has a new link, unless the row's generation is known: it is then that of the last
    /// known link.
    fn revoked(&self, live: &LiveRow, at: Timestamp, new: Generation) -> (Share, bool) {
        let (seen, generation) = match live {
            LiveRow::Damaged(remains) => (remains.version, remains.generation),
            _ => (self.deletion.map(|deletion| deletion.version), None),
        };
        let version = self.share.version.max(seen.unwrap_or(0)).saturating_add(LOST_VERSIONS);
        let share = match generation {
            Some(_) => self.share.clone(),
            None => Share { generation: new, link_key: None, renewed_at: Some(at), ..self.share.clone() }
                .with_reminder_dropped(),
        };
        match share.revoked(&Action { by: operator(), at }) {
            Some(revoked) => (Share { version, ..revoked }, true),
            None => (Share { version, ..share }, false),
        }
    }
}

/// Returns the share without a pending email. A reminder stays planned only if it is due in the future: an
/// earlier one may have been sent.
fn without_pending_email(mut share: Share, at: Timestamp) -> Share {
    if let Some(Reminder { state: state @ ReminderState::Queued(_), .. }) = &mut share.reminder {
        *state = ReminderState::Idle;
    }
    if share.mail.pending().is_some() {
        let outcome = if share.revoked_at.is_some() {
            SendOutcome::Withdrawn(MailReason::Withdrawn)
        } else {
            SendOutcome::Failed(MailReason::Restored)
        };
        share.mail = share.mail.after_sending(outcome, at);
    }
    share.with_reminder_queued(at)
}

/// The actor of changes that no sharer made.
fn operator() -> Sharer {
    Sharer { sub: "operator".to_owned(), name: None, email: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::DownloadError;
    use crate::history::FailedDownload;
    use crate::log::{entries_for_change, entries_for_creation, entries_for_purge};
    use crate::share::{ExpectedVersion, Renewal};
    use crate::testing::{NOW, ShareBuilder, ann, requested_expiry, share, time};
    use crate::{MailState, ShareId, ShareRules, Status, WriteId};

    const RETENTION: TimeDelta = TimeDelta::days(30);
    const POLICY: Policy = Policy { unconfirmed: Unconfirmed::Revoke, now: Timestamp::UNIX_EPOCH };

    /// A minute after [`NOW`], for the n-th event.
    fn minute(n: i64) -> Timestamp {
        time(NOW) + TimeDelta::minutes(n)
    }

    fn policy(unconfirmed: Unconfirmed) -> Policy {
        Policy { unconfirmed, now: minute(30) }
    }

    fn new_generation() -> Generation {
        Generation::from_bytes([11; 16])
    }

    fn ann_at(at: Timestamp) -> Action {
        Action { at, ..ann() }
    }

    /// Returns a share in the backup. Its email was sent.
    fn backup() -> Share {
        let mut share = share(&["a"]);
        share.mail = share.mail.after_sending(SendOutcome::Sent, minute(1));
        share
    }

    fn revoked(share: &Share, at: Timestamp) -> Share {
        share.revoked(&ann_at(at)).unwrap()
    }

    fn with_expiry(share: &Share, expiry: &str, at: Timestamp) -> Share {
        share
            .with_expiration(
                requested_expiry(expiry),
                &ann_at(at),
                ExpectedVersion::Any,
                &ShareRules::default(),
            )
            .unwrap()
            .unwrap()
    }

    /// Returns the log of a share that went through these states.
    fn log(states: &[&Share]) -> Vec<LogEntry> {
        let changes = states.windows(2).flat_map(|pair| entries_for_change(pair[0], pair[1]));
        entries_for_creation(states[0]).into_iter().chain(changes).collect()
    }

    /// Returns the log of a share that went through these states and whose row was deleted at minute 20.
    fn log_until_deletion(states: &[&Share]) -> Vec<LogEntry> {
        [log(states), entries_for_purge(states.last().unwrap(), minute(20))].concat()
    }

    fn replay(backup: &Share, log: &[LogEntry]) -> Replay {
        let mut replay = Replay::new(backup.clone());
        for entry in log {
            replay.apply(entry);
        }
        replay
    }

    fn decide(backup: &Share, log: &[LogEntry], live: LiveRow, unconfirmed: Unconfirmed) -> Decision {
        replay(backup, log).decide(&live, RETENTION, policy(unconfirmed), new_generation())
    }

    fn restore_row(backup: &Share, log: &[LogEntry], live: LiveRow, unconfirmed: Unconfirmed) -> Restoration {
        match decide(backup, log, live, unconfirmed) {
            Decision::Restore(restoration) => *restoration,
            Decision::Skip(reason) => panic!("skipped: {reason:?}"),
        }
    }

    /// Restores a missing row.
    fn restore(backup: &Share, log: &[LogEntry]) -> Restoration {
        restore_row(backup, log, LiveRow::Missing, Unconfirmed::Revoke)
    }

    fn events(restoration: &Restoration) -> Vec<&LogEvent> {
        restoration.entries.iter().map(|entry| &entry.event).collect()
    }

    fn remains(share: &Share) -> Remains {
        Remains {
            generation: Some(share.generation),
            version: Some(share.version),
            is_revoked: share.revoked_at.is_some(),
        }
    }

    #[test]
    fn deleted_share_is_restored_unchanged() {
        let share = backup();
        let restored = restore(&share, &log_until_deletion(&[&share]));
        assert_eq!(restored.share, share);
        assert!(!restored.revokes);
        assert_eq!(events(&restored), [&LogEvent::Restored]);
        assert_eq!((restored.entries[0].at, &restored.entries[0].by), (minute(30), &None));
    }

    #[test]
    fn readable_row_is_never_replaced() {
        let share = backup();
        let live = LiveRow::Readable(share.generation);
        let skipped = decide(&share, &log(&[&share]), live, Unconfirmed::Trust);
        assert_eq!(skipped, Decision::Skip(SkipReason::Intact));
        let other = LiveRow::Readable(Generation::from_bytes([9; 16]));
        let skipped = decide(&share, &log(&[&share]), other, Unconfirmed::Trust);
        assert_eq!(skipped, Decision::Skip(SkipReason::Replaced));
    }

    #[test]
    fn revocation_after_the_backup_is_kept() {
        let share = backup();
        let revoked = revoked(&share, minute(5));
        let restored = restore(&share, &log_until_deletion(&[&share, &revoked]));
        assert_eq!(restored.share, revoked);
        assert!(!restored.revokes, "the sharer revoked it");
        assert_eq!(events(&restored), [&LogEvent::Restored]);
    }

    #[test]
    fn reactivation_after_the_backup_is_kept() {
        let revoked = revoked(&backup(), minute(5));
        let reactivated = with_expiry(&revoked, "2026-03-12T12:00:00Z", minute(6));
        let restored = restore(&revoked, &log_until_deletion(&[&backup(), &revoked, &reactivated]));
        assert_eq!(restored.share, reactivated);
    }

    #[test]
    fn undone_revocation_keeps_an_expiry_that_was_not_logged() {
        let shortened = with_expiry(&backup(), "2026-03-10T12:40:00Z", minute(5));
        let revoked = revoked(&shortened, minute(6));
        let undone = with_expiry(&revoked, "2026-03-10T12:40:00Z", minute(7));
        let mut log = log_until_deletion(&[&backup(), &shortened, &revoked, &undone]);
        log.retain(|entry| entry.at != minute(5));
        assert_eq!(restore(&backup(), &log).share, undone);
    }

    /// Returns a restored share whose link may have been renewed.
    fn with_new_link(share: Share) -> Share {
        Share { generation: new_generation(), renewed_at: Some(minute(30)), ..share }
    }

    fn renewed(share: &Share, expiry: Option<&str>, at: Timestamp) -> Share {
        let generation = Generation::from_bytes([u8::try_from(at.timestamp() % 251).unwrap(); 16]);
        let renewal = Renewal { generation, expiry: expiry.map(requested_expiry), notify: false };
        share.renewed(&renewal, &ann_at(at), ExpectedVersion::Any, &ShareRules::default()).unwrap().unwrap()
    }

    #[test]
    fn renewal_after_the_backup_is_kept() {
        let sealed = Share { link_key: Some("k1".parse().unwrap()), ..backup() };
        let first = renewed(&sealed, None, minute(5));
        let revoked = revoked(&first, minute(6));
        let second = renewed(&revoked, Some("2026-03-12T12:00:00Z"), minute(7));
        let states = [&sealed, &first, &revoked, &second];
        for n in 1..=states.len() {
            let log = log_until_deletion(&states[..n]);
            for backup in &states[..n] {
                assert_eq!(&restore(backup, &log).share, states[n - 1], "{n} states");
            }
        }
    }

    #[test]
    fn unlogged_renewal_never_brings_the_old_link_back() {
        let share = backup();
        let second = renewed(&share, None, minute(5));
        // The log shows a deletion at version 2, but not the renewal.
        let lost_renewal = [log(&[&share]), entries_for_purge(&second, minute(20))].concat();
        for log in [log(&[&share]), lost_renewal] {
            let mut log = log;
            let restored = restore(&share, &log);
            assert_eq!(restored.share.generation, new_generation());
            // A second loss restores that link, not the one in the backup.
            log.extend(restored.entries);
            log.extend(entries_for_purge(&restored.share, minute(40)));
            assert_eq!(restore(&share, &log).share.generation, new_generation());
        }
        let live = LiveRow::Damaged(remains(&second));
        let skipped = decide(&share, &log(&[&share]), live, Unconfirmed::Trust);
        assert_eq!(skipped, Decision::Skip(SkipReason::Replaced));
    }

    #[test]
    fn shortened_expiry_is_kept() {
        let share = Share { expires_at: minute(600), ..backup() };
        let shortened = with_expiry(&share, "2026-03-10T12:40:00Z", minute(5));
        let ended = with_expiry(&shortened, "2026-03-10T12:06:00Z", minute(6));
        assert_eq!(restore(&share, &log_until_deletion(&[&share, &shortened])).share, shortened);
        assert_eq!(restore(&share, &log_until_deletion(&[&share, &shortened, &ended])).share, ended);
    }

    #[test]
    fn past_expiry_keeps_the_revocation() {
        let share = backup();
        let revoked = revoked(&share, minute(5));
        let ended = with_expiry(&revoked, "2026-03-10T12:06:00Z", minute(6));
        assert_eq!(restore(&share, &log_until_deletion(&[&share, &revoked, &ended])).share, ended);
    }

    #[test]
    fn entries_before_the_backup_change_nothing() {
        let revoked = revoked(&backup(), minute(5));
        let reactivated = with_expiry(&revoked, "2026-03-12T12:00:00Z", minute(6));
        let restored = restore(&reactivated, &log_until_deletion(&[&backup(), &revoked, &reactivated]));
        assert_eq!(restored.share, reactivated);
    }

    /// Returns a share for ten days whose email was sent, with a reminder this many days before its end.
    fn with_reminder(days: u64) -> Share {
        let share = ShareBuilder::new().expires_in(TimeDelta::days(10)).reminder(days).build();
        share.after_sending(SendOutcome::Sent, minute(1))
    }

    fn replayed(backup: &Share, log: &[LogEntry]) -> Share {
        replay(backup, log).share
    }

    #[test]
    fn reminder_after_the_backup_is_not_sent_again() {
        let share = with_reminder(3);
        let due = share.reminder_due().unwrap();
        for outcome in [SendOutcome::Sent, SendOutcome::Failed(MailReason::GivenUp)] {
            let reminded = share.after_sending(outcome, due);
            assert_eq!(replayed(&share, &log(&[&share, &reminded])), reminded);
            assert_eq!(replayed(&reminded, &log(&[&share, &reminded])), reminded, "included");
            let again = reminded.with_reminder(1.try_into().unwrap(), due).unwrap();
            assert_eq!(replayed(&again, &log(&[&share, &reminded])), again, "included, and requested anew");
            let second = again.after_sending(SendOutcome::Sent, again.reminder_due().unwrap());
            assert_eq!(
                replayed(&share, &log(&[&share, &reminded, &again, &second])).reminder.unwrap().state,
                { second.reminder.unwrap().state }
            );
        }
        let shortened = with_expiry(&share, "2026-03-15T12:00:00Z", minute(5));
        let reminded = shortened.after_sending(SendOutcome::Sent, shortened.reminder_due().unwrap());
        let log = log(&[&share, &shortened, &reminded]);
        assert_eq!(replayed(&share, &log).reminder, reminded.reminder, "moved");
    }

    #[test]
    fn renewal_after_the_backup_drops_the_reminder() {
        let share = with_reminder(3);
        let second = renewed(&share, None, minute(5));
        let resent = second.resent(&ann_at(minute(6)), &ShareRules::default()).unwrap();
        let sent = resent.after_sending(SendOutcome::Sent, minute(7));
        let states = [&share, &second, &resent, &sent];
        assert_eq!(restore(&share, &log_until_deletion(&states[..2])).share.queued(), None);
        let restored = restore(&share, &log_until_deletion(&states)).share;
        assert_eq!((restored.queued(), restored.reminder), (sent.queued(), sent.reminder));
    }

    #[test]
    fn share_without_a_logged_deletion_is_revoked() {
        let share = backup();
        let restored = restore(&share, &log(&[&share]));
        assert_eq!(restored.share.revoked_at, Some(minute(30)));
        assert_eq!(restored.share.version, 1_001, "no client has seen this version");
        assert!(restored.revokes);
        let renewal = LogEvent::LinkRenewed { generation: new_generation() };
        assert_eq!(events(&restored), [&LogEvent::Revoked, &renewal, &LogEvent::Restored]);
        let keeps_rest = Share {
            revoked_at: None,
            version: 1,
            changed: None,
            generation: share.generation,
            renewed_at: None,
            ..restored.share
        };
        assert_eq!(keeps_rest, share);
    }

    #[test]
    fn revoked_share_that_expired_before_the_restoration_logs_both() {
        let share = Share { expires_at: minute(25), ..backup() };
        let restored = restore(&share, &log(&[&share]));
        assert_eq!(events(&restored)[..2], [&LogEvent::Expired, &LogEvent::Revoked]);
        assert_eq!(restored.entries[0].at, minute(25));
    }

    #[test]
    fn share_with_a_lost_change_is_revoked() {
        let share = backup();
        let changed = with_expiry(&share, "2026-03-12T12:00:00Z", minute(5));
        let revoked = revoked(&changed, minute(6));
        // The log shows a deletion at version 3, but not the change to that version.
        let log = [log(&[&share, &changed]), entries_for_purge(&revoked, minute(20))].concat();
        for unconfirmed in [Unconfirmed::Revoke, Unconfirmed::Trust] {
            let restored = restore_row(&share, &log, LiveRow::Missing, unconfirmed);
            assert_eq!(restored.share.status(minute(30)), revoked.status(minute(30)));
            assert_eq!(restored.share.version, 1_003);
            assert!(restored.revokes);
        }
    }

    #[test]
    fn trusted_backup_is_restored_unchanged() {
        let share = backup();
        let restored = restore_row(&share, &[], LiveRow::Missing, Unconfirmed::Trust);
        assert_eq!(restored.share, share);
        assert!(!restored.revokes);
    }

    #[test]
    fn trusted_backup_still_gets_later_revocations() {
        let share = backup();
        let revoked = revoked(&share, minute(5));
        let restored = restore_row(&share, &log(&[&share, &revoked]), LiveRow::Missing, Unconfirmed::Trust);
        assert_eq!(restored.share, revoked);
    }

    #[test]
    fn revoked_share_is_not_revoked_again() {
        let revoked = revoked(&backup(), minute(5));
        let restored = restore(&revoked, &log(&[&backup(), &revoked]));
        assert_eq!(restored.share, with_new_link(Share { version: 1_002, ..revoked }));
        assert!(!restored.revokes);
        let renewal = LogEvent::LinkRenewed { generation: new_generation() };
        assert_eq!(events(&restored), [&renewal, &LogEvent::Restored]);
    }

    #[test]
    fn earlier_deletion_confirms_nothing_after_a_restoration() {
        let share = backup();
        let mut log = log_until_deletion(&[&share]);
        log.extend(restore(&share, &log).entries);
        assert!(restore(&share, &log).revokes, "the second deletion is not logged");
        log.extend(entries_for_purge(&share, minute(40)));
        assert_eq!(restore(&share, &log).share, share);
    }

    #[test]
    fn restoration_is_logged_after_the_deletion() {
        let share = backup();
        let log = [log(&[&share]), entries_for_purge(&share, minute(31))].concat();
        assert_eq!(restore(&share, &log).entries[0].at, minute(31), "the clocks differ by a minute");
    }

    #[test]
    fn deletion_at_an_earlier_version_confirms_nothing() {
        let share = backup();
        let changed = with_expiry(&share, "2026-03-12T12:00:00Z", minute(5));
        let log = [log(&[&share, &changed]), entries_for_purge(&share, minute(20))].concat();
        assert!(restore(&share, &log).revokes);
    }

    #[test]
    fn share_that_was_created_again_is_skipped() {
        let share = backup();
        let again = Share { created_at: minute(25), generation: Generation::from_bytes([9; 16]), ..backup() };
        let log = [log_until_deletion(&[&share]), entries_for_creation(&again)].concat();
        for live in [LiveRow::Missing, LiveRow::Damaged(Remains { generation: None, ..remains(&again) })] {
            assert_eq!(decide(&share, &log, live, Unconfirmed::Trust), Decision::Skip(SkipReason::Replaced));
        }
        let deleted_again = [log, entries_for_purge(&again, minute(26))].concat();
        assert_eq!(restore(&again, &deleted_again).share, again, "the newer share can be restored");
        assert_eq!(
            decide(&share, &deleted_again, LiveRow::Missing, Unconfirmed::Trust),
            Decision::Skip(SkipReason::Replaced)
        );
    }

    #[test]
    fn deletion_of_a_newer_share_does_not_revive_the_old_link() {
        let share = backup();
        let again = Share { created_at: minute(15), generation: Generation::from_bytes([9; 16]), ..backup() };
        // The creation of the newer share is missing from the log.
        let log = [log(&[&share]), entries_for_purge(&again, minute(20))].concat();
        for unconfirmed in [Unconfirmed::Revoke, Unconfirmed::Trust] {
            let skipped = decide(&share, &log, LiveRow::Missing, unconfirmed);
            assert_eq!(skipped, Decision::Skip(SkipReason::Replaced));
        }
    }

    #[test]
    fn deletion_without_a_creation_time_confirms_nothing() {
        let share = backup();
        let mut log = log_until_deletion(&[&share]);
        log.last_mut().unwrap().event = LogEvent::Purged { created_at: None };
        assert!(restore(&share, &log).revokes);
        assert_eq!(restore_row(&share, &log, LiveRow::Missing, Unconfirmed::Trust).share, share);
    }

    #[test]
    fn late_deletion_of_an_earlier_share_confirms_nothing() {
        let share = backup();
        let earlier = Share { created_at: minute(-60), ..backup() };
        let log = [log(&[&share]), entries_for_purge(&earlier, minute(1))].concat();
        assert!(restore(&share, &log).revokes);
    }

    #[test]
    fn entries_of_other_shares_are_ignored() {
        let share = backup();
        let mut revocation = log(&[&share, &revoked(&share, minute(5))]).pop().unwrap();
        revocation.share = ShareId::from_bytes([1; 16]);
        let log = [log_until_deletion(&[&share]), vec![revocation]].concat();
        assert_eq!(restore(&share, &log).share, share);
    }

    #[test]
    fn entries_of_an_earlier_share_are_ignored() {
        let earlier = Share { version: 7, created_at: minute(-60), ..backup() };
        let earlier_log = [
            log(&[&earlier, &revoked(&earlier, minute(-50))]),
            entries_for_purge(&revoked(&earlier, minute(-50)), minute(-40)),
        ];
        let share = backup();
        let log = [earlier_log.concat(), log_until_deletion(&[&share])].concat();
        assert_eq!(restore(&share, &log).share, share);
        assert_eq!(replay(&share, &[]).starts_at(), time(NOW));
    }

    #[test]
    fn share_past_its_retention_is_skipped() {
        let share = backup();
        let decide_at = |now, log: &[LogEntry]| {
            let policy = Policy { now, ..POLICY };
            let decision = replay(&share, log).decide(&LiveRow::Missing, RETENTION, policy, new_generation());
            matches!(decision, Decision::Restore(_))
        };
        let log = log_until_deletion(&[&share]);
        let purge = share.purge_at(RETENTION);
        assert!(decide_at(purge - TimeDelta::milliseconds(1), &log));
        assert!(!decide_at(purge, &log));
        let revoked = revoked(&share, minute(5));
        let log = log_until_deletion(&[&share, &revoked]);
        assert!(!decide_at(revoked.purge_at(RETENTION), &log), "access ended earlier");
    }

    #[test]
    fn damaged_row_at_a_known_version_is_repaired() {
        let share = backup();
        let changed = with_expiry(&share, "2026-03-12T12:00:00Z", minute(5));
        let live = LiveRow::Damaged(remains(&changed));
        let restored = restore_row(&share, &log(&[&share, &changed]), live, Unconfirmed::Revoke);
        assert_eq!(restored.share, changed);
    }

    #[test]
    fn damaged_row_that_may_be_of_another_share_is_revoked() {
        let share = backup();
        for lost in
            [Remains { generation: None, ..remains(&share) }, Remains { version: None, ..remains(&share) }]
        {
            let live = LiveRow::Damaged(lost);
            assert!(restore_row(&share, &log(&[&share]), live, Unconfirmed::Revoke).revokes);
            assert_eq!(restore_row(&share, &log(&[&share]), live, Unconfirmed::Trust).share, share);
        }
    }

    #[test]
    fn damaged_row_of_a_newer_share_is_skipped() {
        let share = backup();
        let other = Remains { generation: Some(Generation::from_bytes([9; 16])), ..remains(&share) };
        let skipped = decide(&share, &log(&[&share]), LiveRow::Damaged(other), Unconfirmed::Trust);
        assert_eq!(skipped, Decision::Skip(SkipReason::Replaced));
    }

    #[test]
    fn damaged_row_with_an_unlogged_revocation_stays_revoked() {
        let share = backup();
        let live = LiveRow::Damaged(Remains { is_revoked: true, ..remains(&share) });
        let restored = restore_row(&share, &log(&[&share]), live, Unconfirmed::Trust);
        assert!(restored.revokes);
        assert_eq!(restored.share.version, 1_001);
        let live = LiveRow::Damaged(Remains { version: Some(5), ..remains(&share) });
        let restored = restore_row(&share, &log(&[&share]), live, Unconfirmed::Trust);
        assert_eq!(restored.share.version, 1_005, "later than the damaged row");
    }

    #[test]
    fn damaged_row_without_its_revocation_time_stays_revoked() {
        let share = backup();
        let revoked = revoked(&share, minute(5));
        // The row's generation shows that its link is the same.
        let live = LiveRow::Damaged(Remains { is_revoked: false, ..remains(&revoked) });
        let restored = restore_row(&share, &log(&[&share, &revoked]), live, Unconfirmed::Revoke);
        assert_eq!(restored.share, Share { version: 1_002, ..revoked });
    }

    /// Returns the share after an open with a download.
    fn used(share: &Share, at: Timestamp, id: u8) -> Share {
        let usage = Usage {
            opens: share.usage.opens + 1,
            downloads: share.usage.downloads + 1,
            first_at: Some(share.usage.first_at.unwrap_or(at)),
            last_at: Some(at),
            last_id: Some(WriteId::from_bytes([id; 16])),
            ..share.usage
        };
        Share { usage, ..share.clone() }
    }

    #[test]
    fn uses_after_the_backup_are_counted() {
        let unused = backup();
        let first = used(&unused, minute(2), 1);
        let second = used(&first, minute(5), 2);
        let third = used(&second, minute(9), 3);
        let log = log_until_deletion(&[&unused, &first, &second, &third]);
        for (backup, name) in [(&unused, "unused"), (&first, "used once"), (&third, "after all uses")] {
            let usage = restore(backup, &log).share.usage;
            assert_eq!((usage.opens, usage.downloads), (3, 3), "{name}");
            assert_eq!((usage.first_at, usage.last_at), (Some(minute(2)), Some(minute(9))), "{name}");
        }
    }

    #[test]
    fn downloads_of_all_files_after_the_backup_are_counted() {
        let unused = backup();
        let mut all = used(&unused, minute(2), 1);
        all.usage.archive_downloads = 1;
        let single = used(&all, minute(5), 2);
        let log = log_until_deletion(&[&unused, &all, &single]);
        for (backup, name) in [(&unused, "unused"), (&all, "used once"), (&single, "after all uses")] {
            let usage = restore(backup, &log).share.usage;
            assert_eq!((usage.downloads, usage.archive_downloads), (2, 1), "{name}");
        }
    }

    #[test]
    fn use_at_the_time_of_the_creation_is_counted() {
        let share = backup();
        let log = log_until_deletion(&[&share, &used(&share, share.created_at, 1)]);
        assert_eq!(restore(&share, &log).share.usage.opens, 1);
    }

    #[test]
    fn incomplete_log_takes_no_change_back() {
        let changed = with_expiry(&backup(), "2026-03-12T10:00:00Z", minute(2));
        let revoked = revoked(&changed, minute(3));
        let reactivated = with_expiry(&revoked, "2026-03-14T10:00:00Z", minute(4));
        let mut log = log_until_deletion(&[&backup(), &changed, &revoked, &reactivated]);
        log.retain(|entry| entry.at != minute(4));
        assert_eq!(restore(&reactivated, &log).share, reactivated);
    }

    /// Returns the share after a resend that SES accepted a minute later.
    fn resent(share: &Share, n: i64) -> [Share; 2] {
        let pending = Share { mail: share.mail.next_attempt(&ann_at(minute(n))), ..share.clone() };
        let sent =
            Share { mail: pending.mail.after_sending(SendOutcome::Sent, minute(n + 1)), ..pending.clone() };
        [pending, sent]
    }

    #[test]
    fn incomplete_log_takes_no_email_back() {
        let [second, second_sent] = resent(&backup(), 6);
        let [third, third_sent] = resent(&second_sent, 8);
        let delivered = with_report(&third_sent, DeliveryEvent::Delivered, 10);
        let log = log_until_deletion(&[&backup(), &second, &second_sent, &third, &third_sent]);
        assert_eq!(restore(&delivered, &log).share.mail, delivered.mail, "the delivery is not logged");
        let without_sent: Vec<_> = log.iter().filter(|entry| entry.at != minute(9)).cloned().collect();
        assert_eq!(restore(&third_sent, &without_sent).share.mail, third_sent.mail, "nor is the sending");
    }

    #[test]
    fn resend_after_one_that_was_not_logged_keeps_its_number() {
        let [second, second_sent] = resent(&backup(), 6);
        let [third, third_sent] = resent(&second_sent, 8);
        let mut log = log_until_deletion(&[&backup(), &second, &second_sent, &third, &third_sent]);
        log.retain(|entry| entry.at != minute(6) && entry.at != minute(7));
        assert_eq!(restore(&backup(), &log).share.mail.attempt, 3);
    }

    #[test]
    fn failed_download_after_the_backup_is_not_counted() {
        let first = used(&backup(), minute(2), 1);
        let mut failed = first.clone();
        (failed.usage.downloads, failed.usage.failed_downloads) = (0, 1);
        failed.usage.last_failure = Some(FailedDownload {
            id: WriteId::from_bytes([1; 16]),
            at: minute(2),
            error: DownloadError::Missing,
            number: Some(1),
            source: None,
        });
        let second = used(&failed, minute(3), 2);
        // A correction replaces the entry of the download.
        let mut log = log_until_deletion(&[&backup(), &first, &failed, &second]);
        log.retain(|entry| entry.event != LogEvent::Downloaded { number: 1 });
        let usage = restore(&backup(), &log).share.usage;
        assert_eq!((usage.opens, usage.downloads, usage.failed_downloads), (2, 1, 1));
    }

    #[test]
    fn uses_that_were_not_logged_are_counted() {
        let unused = backup();
        let mut states = vec![unused.clone()];
        for n in 1..=200 {
            let last = states.last().unwrap();
            states.push(used(last, minute(2) + TimeDelta::seconds(n), 1));
        }
        let log = log_until_deletion(&states.iter().collect::<Vec<_>>());
        let usage = restore(&unused, &log).share.usage;
        assert_eq!((usage.opens, usage.downloads), (128, 128), "the last use that was logged");
    }

    fn pending() -> Share {
        share(&["a"])
    }

    fn with_report(share: &Share, event: DeliveryEvent, n: i64) -> Share {
        Share { mail: share.mail.after_event(event, minute(n)).unwrap(), ..share.clone() }
    }

    const BOUNCED: DeliveryEvent = DeliveryEvent::Bounced(Bounce {
        bounce_type: BounceType::Transient,
        reason: MailReason::MailboxFull,
    });

    #[test]
    fn email_sent_after_the_backup_is_not_sent_again() {
        let sent = backup();
        assert_eq!(restore(&pending(), &log_until_deletion(&[&pending(), &sent])).share, sent);
        let bounced = with_report(&sent, BOUNCED, 3);
        let delivered = with_report(&bounced, DeliveryEvent::Delivered, 4);
        let complained = with_report(&delivered, DeliveryEvent::Complained, 5);
        let states = [&pending(), &sent, &bounced, &delivered, &complained];
        for n in 3..=states.len() {
            let log = log_until_deletion(&states[..n]);
            assert_eq!(&restore(&pending(), &log).share, states[n - 1], "{n} states");
            assert_eq!(&restore(states[n - 1], &log).share, states[n - 1], "{n} states in the backup");
        }
    }

    #[test]
    fn failed_email_keeps_its_reason() {
        let mut failed = pending();
        failed.mail = failed.mail.after_sending(SendOutcome::Failed(MailReason::Rejected), minute(2));
        assert_eq!(restore(&pending(), &log_until_deletion(&[&pending(), &failed])).share, failed);
    }

    #[test]
    fn pending_email_is_left_to_a_resend() {
        // The deletion logged the email as failed.
        let restored = restore(&pending(), &log_until_deletion(&[&pending()]));
        assert_eq!(restored.share.mail.state, MailState::Failed);
        assert_eq!(events(&restored), [&LogEvent::Restored]);

        let restored = restore_row(&pending(), &[], LiveRow::Missing, Unconfirmed::Trust);
        assert_eq!(restored.share.mail.state, MailState::Failed);
        let failed = LogEvent::MailFailed { reason: MailReason::Restored };
        assert_eq!(events(&restored), [&failed, &LogEvent::Restored]);
        assert_eq!(restored.share.status(minute(30)), Status::Active);
        let resent = restored.share.resent(&ann_at(minute(31)), &ShareRules::default());
        assert_eq!(resent.unwrap().mail.attempt, 2);
    }

    #[test]
    fn pending_email_of_a_revoked_share_is_withdrawn() {
        let restored = restore(&pending(), &[]);
        assert_eq!(restored.share.mail.state, MailState::None);
        let renewal = LogEvent::LinkRenewed { generation: new_generation() };
        assert_eq!(events(&restored), [&LogEvent::Revoked, &renewal, &LogEvent::Restored]);
    }

    #[test]
    fn what_the_recipient_did_after_the_backup_is_replayed() {
        let stopped = backup().with_email_choice(backup().generation, false, minute(2)).unwrap().unwrap();
        let allowed = stopped.with_email_choice(stopped.generation, true, minute(3)).unwrap().unwrap();
        let ended = with_expiry(&allowed, "2026-03-10T12:04:00Z", minute(4));
        let asked = ended.with_more_time_requested(ended.generation, minute(5)).unwrap();
        let states = [&backup(), &stopped, &allowed, &ended, &asked];
        for n in 2..=states.len() {
            let log = log_until_deletion(&states[..n]);
            let name = format!("{n} states");
            assert_eq!(&restore(&backup(), &log).share, states[n - 1], "{name}");
            assert_eq!(&restore(states[n - 1], &log).share, states[n - 1], "{name} in the backup");
        }
        assert!(asked.is_more_time_open());
    }

    #[test]
    fn resend_after_the_backup_is_replayed() {
        let resent = backup().resent(&ann_at(minute(10)), &ShareRules::default()).unwrap();
        let mut sent = resent.clone();
        sent.mail = sent.mail.after_sending(SendOutcome::Sent, minute(11));
        let delivered = with_report(&sent, DeliveryEvent::Delivered, 12);
        let log = log_until_deletion(&[&pending(), &backup(), &resent, &sent, &delivered]);
        for (name, backup) in [("pending", pending()), ("sent", backup()), ("resent", resent)] {
            assert_eq!(restore(&backup, &log).share, delivered, "{name}");
        }
    }

    #[test]
    fn reports_on_other_attempts_are_ignored() {
        let resent = backup().resent(&ann_at(minute(10)), &ShareRules::default()).unwrap();
        let mut sent = resent.clone();
        sent.mail = sent.mail.after_sending(SendOutcome::Sent, minute(11));
        let mut log = log_until_deletion(&[&pending(), &backup(), &resent, &sent]);
        let late = with_report(&backup(), BOUNCED, 13);
        log.extend(entries_for_change(&backup(), &late));
        assert_eq!(restore(&pending(), &log).share.mail, sent.mail);
    }
}
