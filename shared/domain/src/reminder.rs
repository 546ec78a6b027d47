//! The reminder to a recipient who has downloaded nothing: one more email with the same link, some days
//! before the end of access.
//!
//! A share has one place in the outbox, which its email takes first. Once that email was sent, the reminder
//! takes the place, due in the future. A download writes nothing for the reminder: whether the recipient
//! still needs it is decided when it is claimed.

use chrono::TimeDelta;
use thiserror::Error;

use crate::mail::Pending;
use crate::{MailReason, MailState, Share, Status, Timestamp};

/// The maximum number of days before the end of access.
const DAYS_LIMIT: u8 = 30;

/// A number of days before the end of access. 0 means no reminder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReminderDays(u8);

/// The error for a number of days that is not a [`ReminderDays`].
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must be a whole number from 0 to {DAYS_LIMIT}")]
pub struct ReminderDaysError;

impl ReminderDays {
    /// Returns the number.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u64> for ReminderDays {
    type Error = ReminderDaysError;

    fn try_from(days: u64) -> Result<Self, ReminderDaysError> {
        u8::try_from(days).ok().filter(|days| *days <= DAYS_LIMIT).map(Self).ok_or(ReminderDaysError)
    }
}

/// The reason a recipient gets no reminder.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ReminderError {
    #[error("must be 0, because the share is inactive")]
    Inactive,
    /// The recipient wants no more emails about the share.
    #[error("must be 0, because the recipient has stopped emails")]
    EmailsStopped,
    #[error("must be 0, because the recipient got no email")]
    NotEmailed,
    #[error("must be 0, because the email failed, bounced or was reported as spam")]
    EmailProblem,
    #[error("must be 0, because the recipient has downloaded the files")]
    Downloaded,
    #[error("must be less, because the time of the reminder has passed")]
    TimePassed,
}

/// A share's reminder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reminder {
    pub days_before: ReminderDays,
    pub state: ReminderState,
}

/// The state of a reminder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReminderState {
    /// Not in the outbox: the share's email comes first, or the recipient needs no reminder.
    Idle,
    /// Not in the outbox until an email is requested: the link was renewed without one.
    Dropped,
    /// In the outbox.
    Queued(Pending),
    /// Accepted by SES.
    Sent { at: Timestamp },
    /// Rejected permanently, or abandoned because it could not be sent.
    Failed { at: Timestamp, reason: MailReason },
}

impl Reminder {
    /// Returns a new share's reminder, or `None` if there is none.
    #[must_use]
    pub fn new(days_before: ReminderDays) -> Option<Self> {
        (days_before.0 > 0).then_some(Self { days_before, state: ReminderState::Idle })
    }
}

impl Share {
    /// Returns when the reminder is due, if the share has one that was not sent.
    #[must_use]
    pub fn reminder_due(&self) -> Option<Timestamp> {
        let Reminder { days_before, state } = self.reminder?;
        let is_open = matches!(state, ReminderState::Idle | ReminderState::Queued(_)) && days_before.0 > 0;
        is_open.then(|| self.expires_at - TimeDelta::days(days_before.0.into()))
    }

    /// Checks that the recipient may need a reminder: the share is active, nothing was downloaded, the
    /// recipient has not stopped emails, and the share's email was neither withdrawn, nor did it fail, bounce
    /// or lead to a complaint.
    fn check_reminder(&self, now: Timestamp) -> Result<(), ReminderError> {
        if self.status(now) != Status::Active {
            return Err(ReminderError::Inactive);
        }
        if self.emails_stopped_at().is_some() {
            return Err(ReminderError::EmailsStopped);
        }
        match self.mail.state {
            MailState::None => Err(ReminderError::NotEmailed),
            MailState::Failed | MailState::Bounced(_) | MailState::Complained => {
                Err(ReminderError::EmailProblem)
            }
            MailState::Queued(_) | MailState::Sent | MailState::Delivered if self.usage.downloads > 0 => {
                Err(ReminderError::Downloaded)
            }
            MailState::Queued(_) | MailState::Sent | MailState::Delivered => Ok(()),
        }
    }

    /// Returns whether the recipient may need a reminder.
    #[must_use]
    pub fn may_be_reminded(&self, now: Timestamp) -> bool {
        self.check_reminder(now).is_ok()
    }

    /// Returns when the reminder will be sent, as far as it is known at `now`.
    #[must_use]
    pub fn planned_reminder(&self, now: Timestamp) -> Option<Timestamp> {
        let due = self.reminder_due().filter(|_| self.may_be_reminded(now))?;
        let is_queued = matches!(self.reminder?.state, ReminderState::Queued(_));
        (is_queued || (self.mail.pending().is_some() && due > now)).then_some(due)
    }

    /// Returns the share with its reminder in the outbox if the place is free, and if the reminder is due in
    /// the future and may be needed. A reminder whose time has passed before that is never sent.
    #[must_use]
    pub(crate) fn with_reminder_queued(mut self, now: Timestamp) -> Self {
        let is_email_first = self.mail.pending().is_some();
        let may_be_queued = !is_email_first && self.may_be_reminded(now);
        let due = self.reminder_due().filter(|due| *due > now);
        if let Some(reminder) = &mut self.reminder {
            reminder.state = match (reminder.state, due) {
                (ReminderState::Dropped, _) if is_email_first => ReminderState::Idle,
                (ReminderState::Queued(_), _) if !may_be_queued => ReminderState::Idle,
                (ReminderState::Idle, Some(due)) if may_be_queued => {
                    ReminderState::Queued(Pending { due, tries: 0 })
                }
                (state, _) => state,
            };
        }
        self
    }

    /// Returns the share with its reminder at the time that follows from a changed expiration. A reminder
    /// that was claimed stays: its sender may be running, and the next claim finds out the new time.
    #[must_use]
    pub(crate) fn with_reminder_moved(mut self, now: Timestamp) -> Self {
        if let Some(Reminder { state: state @ ReminderState::Queued(Pending { tries: 0, .. }), .. }) =
            &mut self.reminder
        {
            *state = ReminderState::Idle;
        }
        self.with_reminder_queued(now)
    }

    /// Returns the share with a new link that is not emailed. A reminder would email it.
    #[must_use]
    pub(crate) fn with_reminder_dropped(mut self) -> Self {
        if let Some(Reminder { state: state @ (ReminderState::Idle | ReminderState::Queued(_)), .. }) =
            &mut self.reminder
        {
            *state = ReminderState::Dropped;
        }
        self
    }

    /// Returns the share with the reminder that a sharer requests, even if one was sent before, or the reason
    /// why the recipient would not get it. With 0 days, returns the share without a reminder.
    pub fn with_reminder(&self, days_before: ReminderDays, now: Timestamp) -> Result<Self, ReminderError> {
        if days_before.0 == 0 {
            // A canceled reminder stays known as sent, so that a request for another is counted.
            let is_done = |state| matches!(state, ReminderState::Sent { .. } | ReminderState::Failed { .. });
            let done = self.reminder.filter(|reminder| is_done(reminder.state));
            return Ok(Self { reminder: done.map(|done| Reminder { days_before, ..done }), ..self.clone() });
        }
        self.check_reminder(now)?;
        let requested = Self { reminder: Reminder::new(days_before), ..self.clone() };
        if requested.reminder_due().is_none_or(|due| due <= now) {
            return Err(ReminderError::TimePassed);
        }
        Ok(requested.with_reminder_queued(now))
    }

    /// Returns whether a change to the changed share requests another reminder, after one was sent or tried.
    /// The first reminder is part of what the daily limits count for the share's email; each other one is
    /// counted.
    #[must_use]
    pub fn requests_another_reminder(&self, changed: &Self) -> bool {
        let (Some(before), Some(after)) = (self.reminder, changed.reminder) else { return false };
        match (before.state, after.state) {
            (ReminderState::Sent { .. } | ReminderState::Failed { .. }, state) => {
                matches!(state, ReminderState::Idle | ReminderState::Queued(_))
            }
            // Without a request, a reminder that was tried keeps its place or loses it.
            (ReminderState::Queued(before), ReminderState::Queued(after)) => {
                before.tries > 0 && after.tries == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expiry::RequestedExpiry;
    use crate::history::LinkCopy;
    use crate::mail::{BounceType, LEASE};
    use crate::sending::{Fault, MailKind, SendOutcome};
    use crate::share::{ExpectedVersion, Renewal, RequestedChanges};
    use crate::testing::{NOW, ShareBuilder, ann, time};
    use crate::{Action, Generation, ShareRules};

    fn days(days: u64) -> ReminderDays {
        days.try_into().unwrap()
    }

    fn at(days: i64) -> Timestamp {
        time(NOW) + TimeDelta::days(days)
    }

    /// Returns a share for ten days with a reminder three days before its end, whose email was not sent.
    fn new_share() -> Share {
        ShareBuilder::new().expires_in(TimeDelta::days(10)).reminder(3).build()
    }

    fn emailed() -> Share {
        new_share().after_sending(SendOutcome::Sent, time(NOW))
    }

    fn due(share: &Share) -> Option<Timestamp> {
        share.queued().map(|queued| queued.pending.due)
    }

    fn claimed(share: &Share, now: Timestamp) -> Share {
        let mut claimed = share.clone();
        let state = ReminderState::Queued(Pending { due: now + LEASE, tries: 1 });
        claimed.reminder.as_mut().unwrap().state = state;
        claimed
    }

    fn with_expiry(share: &Share, expires_at: Timestamp, now: Timestamp) -> Share {
        let expiry: RequestedExpiry = expires_at.to_rfc3339().parse().unwrap();
        let action = Action { at: now, ..ann() };
        let changed = share.with_expiration(expiry, &action, ExpectedVersion::Any, &ShareRules::default());
        changed.unwrap().unwrap()
    }

    fn renewed(share: &Share, notify: bool, now: Timestamp) -> Share {
        let renewal = Renewal { generation: Generation::from_bytes([9; 16]), expiry: None, notify };
        let action = Action { at: now, ..ann() };
        share.renewed(&renewal, &action, ExpectedVersion::Any, &ShareRules::default()).unwrap().unwrap()
    }

    #[test]
    fn days_are_from_0_to_30() {
        assert_eq!(days(30).get(), 30);
        for too_many in [31, 256, u64::MAX] {
            assert_eq!(ReminderDays::try_from(too_many), Err(ReminderDaysError));
        }
        assert_eq!(Reminder::new(days(0)), None);
    }

    #[test]
    fn reminder_follows_the_email() {
        let new = new_share();
        assert_eq!(new.queued().unwrap().kind, MailKind::Email);
        assert_eq!(new.planned_reminder(time(NOW)), Some(at(7)), "planned from the start");
        let emailed = emailed();
        assert_eq!(emailed.queued().unwrap().kind, MailKind::Reminder);
        assert_eq!(due(&emailed), Some(at(7)));
        assert_eq!(emailed.planned_reminder(at(1)), Some(at(7)));
    }

    #[test]
    fn reminder_whose_time_has_passed_is_not_planned() {
        let late = new_share().after_sending(SendOutcome::Sent, at(7));
        assert_eq!((late.queued(), late.planned_reminder(at(7))), (None, None), "the email was sent late");
        let short = Share { reminder: Reminder::new(days(10)), ..new_share() };
        assert_eq!(short.planned_reminder(time(NOW)), None);
        assert_eq!(short.after_sending(SendOutcome::Sent, time(NOW)).queued(), None);
    }

    #[test]
    fn share_without_a_sent_email_gets_no_reminder() {
        let failed = new_share().after_sending(SendOutcome::Failed(MailReason::Rejected), time(NOW));
        let withdrawn = new_share().after_sending(SendOutcome::Withdrawn(MailReason::Withdrawn), time(NOW));
        for share in [failed, withdrawn] {
            assert_eq!((share.queued(), share.planned_reminder(time(NOW))), (None, None));
        }
    }

    #[test]
    fn nothing_is_sent_to_a_recipient_who_needs_no_reminder() {
        let due = at(7);
        let due_share = claimed(&emailed(), due);
        assert_eq!(SendOutcome::without_sending(&due_share, false, due), None, "needed");
        let mut downloaded = due_share.clone();
        downloaded.usage.downloads = 1;
        let mut opened = due_share.clone();
        opened.usage.opens = 9;
        assert_eq!(SendOutcome::without_sending(&opened, false, due), None, "a scanner may have opened it");
        let revoked = due_share.revoked(&ann()).unwrap();
        let expired = Share { expires_at: due, ..due_share.clone() };
        let with_state = |state| {
            let mut share = due_share.clone();
            share.mail.state = state;
            share
        };
        let states = [MailState::Failed, MailState::Bounced(BounceType::Permanent), MailState::Complained]
            .map(with_state);
        let stopped = due_share.with_email_choice(due_share.generation, false, due).unwrap().unwrap();
        for share in [downloaded, revoked, expired, stopped].into_iter().chain(states) {
            let outcome = SendOutcome::without_sending(&share, false, due).unwrap();
            assert_eq!(outcome.name(), "withdrawn", "{share:?}");
            let after = share.after_sending(outcome, due);
            assert_eq!((after.queued(), after.mail), (None, share.mail), "only the reminder is dropped");
            assert_eq!(after.reminder.unwrap().state, ReminderState::Idle);
        }
    }

    #[test]
    fn change_of_the_expiration_moves_the_reminder() {
        let emailed = emailed();
        for (expires, due_day) in [(20, Some(17)), (6, Some(3)), (3, None), (2, None)] {
            assert_eq!(due(&with_expiry(&emailed, at(expires), time(NOW))), due_day.map(at), "{expires}");
        }
        let ended = with_expiry(&emailed, at(2), time(NOW));
        assert_eq!(due(&with_expiry(&ended, at(20), at(1))), Some(at(17)), "extended again");
        let queued = with_expiry(&new_share(), at(20), time(NOW));
        assert_eq!(queued.queued().unwrap().kind, MailKind::Email, "the email comes first");
        let revoked = emailed.revoked(&ann()).unwrap();
        assert_eq!(revoked.planned_reminder(time(NOW)), None);
        assert_eq!(due(&with_expiry(&revoked, at(20), at(1))), Some(at(17)), "reactivated");
    }

    /// The sender decides as of its claim, and a deferred reminder finds out the new time.
    #[test]
    fn claimed_reminder_of_an_extended_share_is_held() {
        let extended = with_expiry(&claimed(&emailed(), at(7)), at(20), at(7));
        assert_eq!(due(&extended), Some(at(7) + LEASE));
        let outcome = SendOutcome::without_sending(&extended, false, at(7) + LEASE);
        assert_eq!(outcome, Some(SendOutcome::Held { until: at(17) }));
        let held = extended.after_sending(outcome.unwrap(), at(7) + LEASE);
        assert_eq!(held.reminder.unwrap().state, ReminderState::Queued(Pending { due: at(17), tries: 0 }));
    }

    #[test]
    fn reminder_is_sent_once_unless_the_sharer_asks_again() {
        let sent = claimed(&emailed(), at(7)).after_sending(SendOutcome::Sent, at(7));
        assert_eq!(sent.reminder.unwrap().state, ReminderState::Sent { at: at(7) });
        assert_eq!((sent.queued(), sent.mail), (None, emailed().mail));
        let extended = with_expiry(&Share { reminder: sent.reminder, ..emailed() }, at(30), at(8));
        assert_eq!(extended.queued(), None);
        let again = extended.with_reminder(days(2), at(8)).unwrap();
        assert_eq!(due(&again), Some(at(28)));
        assert!(extended.requests_another_reminder(&again));
    }

    #[test]
    fn canceled_reminder_cannot_hide_that_one_was_sent() {
        let sent = claimed(&emailed(), at(7)).after_sending(SendOutcome::Sent, at(7));
        let canceled = sent.with_reminder(days(0), at(8)).unwrap();
        assert!(!sent.requests_another_reminder(&canceled));
        let another = canceled.with_reminder(days(1), at(8)).unwrap();
        assert!(canceled.requests_another_reminder(&another));
        for never_sent in [emailed(), claimed(&emailed(), at(7))] {
            let canceled = never_sent.with_reminder(days(0), at(7)).unwrap();
            assert_eq!((canceled.reminder, canceled.queued()), (None, None));
        }
        let first = emailed().with_reminder(days(1), time(NOW)).unwrap();
        assert!(!emailed().requests_another_reminder(&first));
    }

    #[test]
    fn only_requests_for_another_reminder_count() {
        let tried = claimed(&emailed(), at(7));
        let sent = tried.after_sending(SendOutcome::Sent, at(7));
        for share in [&tried, &sent] {
            let another = share.with_reminder(days(1), at(7)).unwrap();
            assert_eq!(due(&another), Some(at(9)));
            assert!(share.requests_another_reminder(&another));
            assert!(!another.requests_another_reminder(&another), "repeated");
            let action = Action { at: at(7), ..ann() };
            let unrequested = [
                with_expiry(share, at(7) - TimeDelta::minutes(1), at(7)),
                with_expiry(share, at(20), at(7)),
                share.revoked(&action).unwrap(),
                renewed(share, false, at(7)),
                share.with_reminder(days(0), at(7)).unwrap(),
            ];
            for changed in unrequested {
                assert!(!share.requests_another_reminder(&changed), "{:?}", changed.reminder);
            }
        }
        let queued = sent.resent(&Action { at: at(7), ..ann() }, &ShareRules::default()).unwrap();
        let after_the_email = queued.with_reminder(days(1), at(7)).unwrap();
        assert!(queued.requests_another_reminder(&after_the_email));
    }

    #[test]
    fn reminder_that_would_not_be_sent_is_refused() {
        let now = at(1);
        let share = emailed();
        let with_state = |state| {
            let mut share = share.clone();
            share.mail.state = state;
            share
        };
        let mut downloaded = share.clone();
        downloaded.usage.downloads = 1;
        let stopped = share.with_email_choice(share.generation, false, now).unwrap().unwrap();
        let cases = [
            (share.revoked(&ann()).unwrap(), ReminderError::Inactive),
            (Share { expires_at: now, ..share.clone() }, ReminderError::Inactive),
            (stopped, ReminderError::EmailsStopped),
            (with_state(MailState::None), ReminderError::NotEmailed),
            (with_state(MailState::Failed), ReminderError::EmailProblem),
            (with_state(MailState::Bounced(BounceType::Transient)), ReminderError::EmailProblem),
            (with_state(MailState::Complained), ReminderError::EmailProblem),
            (downloaded, ReminderError::Downloaded),
        ];
        for (share, error) in cases {
            assert_eq!(share.with_reminder(days(1), now), Err(error));
            assert!(share.with_reminder(days(0), now).is_ok(), "{error:?}");
        }
        for share in [&share, &new_share()] {
            assert_eq!(share.with_reminder(days(9), now), Err(ReminderError::TimePassed));
            assert!(share.with_reminder(days(8), now).is_ok());
        }
    }

    #[test]
    fn repeated_request_for_a_reminder_changes_nothing() {
        let request = |share: &Share, expected| {
            let requested = RequestedChanges { reminder: Some(days(2)), ..RequestedChanges::default() };
            share.with_changes(requested, &ann(), expected, false, &ShareRules::default())
        };
        let first = request(&emailed(), ExpectedVersion::Exactly(1)).unwrap().unwrap();
        assert_eq!((first.version, due(&first)), (1, Some(at(8))));
        assert_eq!(request(&first, ExpectedVersion::Exactly(1)), Ok(None));
        let refused = request(&emailed().revoked(&ann()).unwrap(), ExpectedVersion::Exactly(2));
        assert_eq!(refused, Err(ReminderError::Inactive.into()));
    }

    #[test]
    fn renewal_without_an_email_drops_the_reminder() {
        let now = at(1);
        for share in [emailed(), new_share(), claimed(&emailed(), now)] {
            let silent = renewed(&share, false, now);
            assert_eq!((silent.queued(), silent.planned_reminder(now)), (None, None));
            let extended = with_expiry(&silent, at(20), now);
            assert_eq!((extended.queued(), extended.planned_reminder(now)), (None, None));
        }
        let silent = renewed(&emailed(), false, now);
        let resent = silent.resent(&Action { at: now, ..ann() }, &ShareRules::default()).unwrap();
        for emailed in [resent, renewed(&silent, true, now)] {
            assert_eq!(emailed.planned_reminder(now), Some(at(7)));
            assert_eq!(due(&emailed.after_sending(SendOutcome::Sent, now)), Some(at(7)));
        }
        assert_eq!(due(&silent.with_reminder(days(2), now).unwrap()), Some(at(8)), "requested");
        let sent = claimed(&emailed(), at(7)).after_sending(SendOutcome::Sent, at(7));
        assert_eq!(renewed(&sent, false, at(8)).reminder, sent.reminder);
    }

    #[test]
    fn renewal_with_an_email_plans_the_reminder_again() {
        for share in [emailed(), claimed(&emailed(), at(1))] {
            let renewed = renewed(&share, true, at(1));
            assert_eq!(renewed.queued().unwrap().kind, MailKind::Email);
            assert_eq!(renewed.planned_reminder(at(1)), Some(at(7)));
        }
    }

    /// The outcome of a try that was withdrawn or deferred is recorded in the share as it is then.
    #[test]
    fn outcome_follows_from_the_changed_share() {
        let claimed = claimed(&emailed(), at(7));
        let withdrawn = SendOutcome::Withdrawn(MailReason::Withdrawn);
        let extended = with_expiry(&claimed, at(20), at(7));
        assert_eq!(due(&extended.after_sending(withdrawn, at(7))), Some(at(17)), "reactivated");
        let deferred = SendOutcome::Deferred { until: at(8), fault: Fault::Unavailable };
        let revoked = claimed.revoked(&ann()).unwrap();
        assert_eq!(due(&revoked.after_sending(deferred, at(7))), None);
        let canceled = new_share().with_reminder(days(0), time(NOW)).unwrap();
        let sent = canceled.after_sending(SendOutcome::Sent, time(NOW));
        assert_eq!((sent.queued(), sent.mail.state), (None, MailState::Sent));
    }

    #[test]
    fn paused_reminder_waits() {
        let due = at(7);
        let share = claimed(&emailed(), due);
        let held = SendOutcome::without_sending(&share, true, due).unwrap();
        assert!(matches!(held, SendOutcome::Held { until } if until > due), "{held:?}");
    }

    #[test]
    fn reminder_after_a_resend_is_planned_again() {
        let action = Action { at: at(1), ..ann() };
        let resent = emailed().resent(&action, &ShareRules::default()).unwrap();
        assert_eq!(resent.queued().unwrap().kind, MailKind::Email);
        assert_eq!(due(&resent.after_sending(SendOutcome::Sent, at(1))), Some(at(7)));
    }

    #[test]
    fn other_changes_leave_the_reminder() {
        let copy = LinkCopy { action: ann(), id: crate::WriteId::from_bytes([1; 16]) };
        let copied = Share { link_copied: Some(copy), ..emailed() };
        assert_eq!(copied.clone().with_reminder_queued(at(9)).reminder, copied.reminder, "held by a switch");
    }
}
