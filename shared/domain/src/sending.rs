//! Sending a claimed email of any kind: the outcome of a try, and the email's state afterward.

use chrono::TimeDelta;

use crate::mail::{CLOCK_SKEW, Pending};
use crate::reminder::ReminderState;
use crate::{Mail, MailReason, MailState, Share, Timestamp};

/// The age at which the sender gives up on an email. Mail servers should keep retrying for at least this long
/// (RFC 5321, section 4.5.4.1).
pub const GIVE_UP_AFTER: TimeDelta = TimeDelta::days(4);

/// The minimum number of tries for an email, however old it is, because the sender may have been down for
/// days.
const MIN_TRIES: u32 = 4;

/// The backoff after the first try. Doubles with each try, up to [`MAX_BACKOFF`].
const FIRST_BACKOFF: TimeDelta = TimeDelta::minutes(1);
const MAX_BACKOFF: TimeDelta = TimeDelta::hours(1);

/// A transient fault that prevented an email from being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The account's sending rate was exceeded.
    Throttled,
    /// The account's 24-hour sending quota is used up.
    QuotaSpent,
    /// Sending is paused for the account or the configuration set.
    Paused,
    /// The sender or, in the SES sandbox, the recipient is not verified. An operator can fix this.
    Unverified,
    /// SES is unreachable or failed.
    Unavailable,
    /// The link could not be built: the key ring or the base URL is unreachable.
    NoLink,
}

impl Fault {
    /// Returns the fault's name in logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::QuotaSpent => "quotaSpent",
            Self::Paused => "paused",
            Self::Unverified => "unverified",
            Self::Unavailable => "unavailable",
            Self::NoLink => "noLink",
        }
    }

    /// Returns whether the fault affects the whole account, and therefore every other email.
    #[must_use]
    pub fn is_account_wide(self) -> bool {
        matches!(self, Self::QuotaSpent | Self::Paused)
    }
}

/// The reason an email was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// A later try may succeed.
    Transient(Fault),
    /// No try can succeed.
    Permanent(MailReason),
}

/// The outcome for a claimed email.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// SES accepted the email.
    Sent,
    /// The email is no longer wanted.
    Withdrawn(MailReason),
    /// The email will never be sent.
    Failed(MailReason),
    /// The email becomes due again at `until`.
    Deferred { until: Timestamp, fault: Fault },
    /// A switch pauses the email, or its time has moved. It becomes due again at `until`, and this was no
    /// try.
    Held { until: Timestamp },
}

impl SendOutcome {
    /// Returns the outcome's name in logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Withdrawn(_) => "withdrawn",
            Self::Failed(_) => "failed",
            Self::Deferred { .. } => "putOff",
            Self::Held { .. } => "held",
        }
    }

    /// Returns the outcome for a claimed email or reminder that must not be sent, or `None` if it must be
    /// sent.
    ///
    /// The email is sent even if the share has expired, because a share may be created already expired. It is
    /// withdrawn if the share was revoked, or if the recipient has stopped emails about it. A reminder is
    /// sent only if it is still needed, and waits if the share was extended.
    #[must_use]
    pub fn without_sending(share: &Share, is_switched_off: bool, now: Timestamp) -> Option<Self> {
        let queued = share.queued()?;
        let is_unneeded = queued.kind == MailKind::Reminder && !share.may_be_reminded(now);
        if share.revoked_at.is_some() || is_unneeded {
            return Some(Self::Withdrawn(MailReason::Withdrawn));
        }
        if share.emails_stopped_at().is_some() {
            return Some(Self::Withdrawn(MailReason::StoppedByRecipient));
        }
        if queued.since > now + CLOCK_SKEW {
            return Some(Self::Held { until: queued.since });
        }
        queued.without_sending(is_switched_off, now)
    }

    /// Returns when the email becomes due again, if it stays in the outbox.
    #[must_use]
    pub fn requeued(self, pending: Pending) -> Option<Pending> {
        match self {
            Self::Deferred { until, .. } => Some(Pending { due: until, ..pending }),
            // An email that was held for days still has all of its tries.
            Self::Held { until } => Some(Pending { due: until, tries: 0 }),
            Self::Sent | Self::Withdrawn(_) | Self::Failed(_) => None,
        }
    }

    /// Returns the outcome of a try. A transient fault defers the email, until the sender gives up. The first
    /// delay is one minute, and the delay doubles with each try, up to one hour.
    #[must_use]
    pub fn from_result(sent: Result<(), SendError>, queued: Queued, now: Timestamp) -> Self {
        match sent {
            Ok(()) => Self::Sent,
            Err(SendError::Permanent(reason)) => Self::Failed(reason),
            Err(SendError::Transient(_)) if queued.is_given_up(now) => Self::Failed(MailReason::GivenUp),
            Err(SendError::Transient(fault)) => {
                let backoff = FIRST_BACKOFF * 2_i32.pow(queued.pending.tries.saturating_sub(1).min(10));
                Self::Deferred { until: now + backoff.min(MAX_BACKOFF), fault }
            }
        }
    }
}

/// What a row of the outbox holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailKind {
    /// The email that gives a recipient the link.
    Email,
    /// The reminder to a recipient who has downloaded nothing.
    Reminder,
    /// The notices to one sharer.
    Digest,
}

impl MailKind {
    /// Returns the kind's name in logs and in message tags.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Reminder => "reminder",
            Self::Digest => "digest",
        }
    }
}

/// A place in the outbox. Emails of every kind are claimed, deferred, held and given up alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queued {
    pub kind: MailKind,
    pub pending: Pending,
    /// The time from which the email's age counts: when it was requested, or when the reminder is due.
    pub since: Timestamp,
}

impl Queued {
    /// Returns the outcome for a claimed email that must not be sent now, or `None` if it may be sent.
    ///
    /// A paused email waits for as long as the switch is off, and is never given up. It is due again after
    /// its age, at least a minute and at most an hour.
    #[must_use]
    pub fn without_sending(&self, is_switched_off: bool, now: Timestamp) -> Option<SendOutcome> {
        if is_switched_off {
            let age = now - self.since;
            return Some(SendOutcome::Held { until: now + age.clamp(FIRST_BACKOFF, MAX_BACKOFF) });
        }
        self.is_given_up(now).then_some(SendOutcome::Failed(MailReason::GivenUp))
    }

    fn is_given_up(&self, now: Timestamp) -> bool {
        self.pending.tries > MIN_TRIES && now >= self.since + GIVE_UP_AFTER
    }
}

impl Share {
    /// Returns the share's place in the outbox: its email's, or else its reminder's.
    #[must_use]
    pub fn queued(&self) -> Option<Queued> {
        if let Some(pending) = self.mail.pending() {
            let since = self.mail.requested_at(self.created_at);
            return Some(Queued { kind: MailKind::Email, pending, since });
        }
        match self.reminder?.state {
            ReminderState::Queued(pending) => {
                Some(Queued { kind: MailKind::Reminder, pending, since: self.reminder_due()? })
            }
            _ => None,
        }
    }

    /// Returns the share after a try to send what it has in the outbox.
    #[must_use]
    pub fn after_sending(&self, outcome: SendOutcome, now: Timestamp) -> Self {
        let mut share = self.clone();
        if let Some(Queued { kind: MailKind::Reminder, pending, .. }) = self.queued()
            && let Some(reminder) = &mut share.reminder
        {
            reminder.state = match outcome {
                SendOutcome::Sent => ReminderState::Sent { at: now },
                SendOutcome::Failed(reason) => ReminderState::Failed { at: now, reason },
                _ => outcome.requeued(pending).map_or(ReminderState::Idle, ReminderState::Queued),
            };
        } else {
            share.mail = self.mail.after_sending(outcome, now);
        }
        share.with_reminder_queued(now)
    }
}

impl Mail {
    /// Returns the email after a try with this outcome.
    #[must_use]
    pub fn after_sending(&self, outcome: SendOutcome, now: Timestamp) -> Self {
        let pending = self.pending().unwrap_or(Pending { due: now, tries: 0 });
        let (state, reason) = match (outcome.requeued(pending), outcome) {
            (Some(pending), _) => return Self { state: MailState::Queued(pending), ..self.clone() },
            (None, SendOutcome::Withdrawn(reason)) => (MailState::None, Some(reason)),
            (None, SendOutcome::Failed(reason)) => (MailState::Failed, Some(reason)),
            (None, _) => (MailState::Sent, None),
        };
        Self { state, at: Some(now), reason, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Action;
    use crate::testing::{NOW, ann, pending, share, time};

    const WITHDRAWN: SendOutcome = SendOutcome::Withdrawn(MailReason::Withdrawn);
    const GIVEN_UP: SendOutcome = SendOutcome::Failed(MailReason::GivenUp);
    const TRANSIENT: Result<(), SendError> = Err(SendError::Transient(Fault::Unavailable));

    #[test]
    fn email_for_an_expired_share_is_sent() {
        let mut share = share(&["a"]);
        share.expires_at = time(NOW);
        assert_eq!(SendOutcome::without_sending(&share, false, time(NOW)), None);
    }

    #[test]
    fn email_for_a_revoked_share_is_withdrawn() {
        let mut share = share(&["a"]);
        share.revoked_at = Some(time(NOW));
        assert_eq!(SendOutcome::without_sending(&share, false, time(NOW)), Some(WITHDRAWN));
    }

    #[test]
    fn email_that_the_recipient_has_stopped_is_withdrawn() {
        let share = share(&["a"]);
        let stopped = share.with_email_choice(share.generation, false, time(NOW)).unwrap().unwrap();
        let withdrawn = Some(SendOutcome::Withdrawn(MailReason::StoppedByRecipient));
        for is_switched_off in [false, true] {
            assert_eq!(SendOutcome::without_sending(&stopped, is_switched_off, time(NOW)), withdrawn);
        }
    }

    #[test]
    fn paused_email_waits_and_is_never_given_up() {
        let mut share = share(&["a"]);
        for (age, wait) in [(0, 1), (1, 1), (7, 7), (60, 60), (61, 60), (10 * 24 * 60, 60)] {
            let now = time(NOW) + TimeDelta::minutes(age);
            share.mail.state = pending(now, 90);
            let held = SendOutcome::Held { until: now + TimeDelta::minutes(wait) };
            assert_eq!(SendOutcome::without_sending(&share, true, now), Some(held), "{age} minutes old");
            share.mail = share.mail.after_sending(held, now);
            assert_eq!(share.mail.state, pending(now + TimeDelta::minutes(wait), 0));
            assert_eq!(SendOutcome::without_sending(&share, false, now), None, "sent once it is on again");
        }
    }

    #[test]
    fn paused_email_of_a_revoked_share_is_withdrawn() {
        let mut share = share(&["a"]);
        share.revoked_at = Some(time(NOW));
        assert_eq!(SendOutcome::without_sending(&share, true, time(NOW)), Some(WITHDRAWN));
    }

    /// Dashboards and alarms use these names.
    #[test]
    fn outcome_names_are_frozen() {
        let deferred = SendOutcome::Deferred { until: time(NOW), fault: Fault::Throttled };
        let outcomes = [SendOutcome::Sent, WITHDRAWN, GIVEN_UP, deferred];
        assert_eq!(outcomes.map(SendOutcome::name), ["sent", "withdrawn", "failed", "putOff"]);
        assert_eq!(SendOutcome::Held { until: time(NOW) }.name(), "held");
    }

    /// Dashboards and alarms use these names.
    #[test]
    fn fault_names_are_frozen() {
        for (fault, name, is_account_wide) in [
            (Fault::Throttled, "throttled", false),
            (Fault::QuotaSpent, "quotaSpent", true),
            (Fault::Paused, "paused", true),
            (Fault::Unverified, "unverified", false),
            (Fault::Unavailable, "unavailable", false),
            (Fault::NoLink, "noLink", false),
        ] {
            assert_eq!(fault.name(), name);
            assert_eq!(fault.is_account_wide(), is_account_wide, "{name}");
        }
    }

    #[test]
    fn backoff_doubles_up_to_an_hour() {
        let mut share = share(&["a"]);
        for (tries, minutes) in [(0, 1), (1, 1), (2, 2), (3, 4), (7, 60), (8, 60), (99, 60)] {
            share.mail.state = pending(time(NOW), tries);
            let until = time(NOW) + TimeDelta::minutes(minutes);
            assert_eq!(
                SendOutcome::from_result(TRANSIENT, share.queued().unwrap(), time(NOW)),
                SendOutcome::Deferred { until, fault: Fault::Unavailable },
                "{tries} tries"
            );
        }
    }

    #[test]
    fn permanent_error_fails_the_email() {
        let rejected = Err(SendError::Permanent(MailReason::Rejected));
        assert_eq!(
            SendOutcome::from_result(rejected, share(&["a"]).queued().unwrap(), time(NOW)),
            SendOutcome::Failed(MailReason::Rejected)
        );
    }

    #[test]
    fn sender_gives_up_after_four_days() {
        let mut share = share(&["a"]);
        let end = time(NOW) + GIVE_UP_AFTER;
        let just_before = end - TimeDelta::milliseconds(1);
        share.mail.state = pending(end, 90);
        assert_eq!(SendOutcome::without_sending(&share, false, just_before), None);
        let outcome = SendOutcome::from_result(TRANSIENT, share.queued().unwrap(), just_before);
        assert!(matches!(outcome, SendOutcome::Deferred { .. }), "{outcome:?}");
        assert_eq!(SendOutcome::without_sending(&share, false, end), Some(GIVEN_UP));
        assert_eq!(SendOutcome::from_result(TRANSIENT, share.queued().unwrap(), end), GIVEN_UP);
        assert_eq!(
            SendOutcome::from_result(Ok(()), share.queued().unwrap(), end),
            SendOutcome::Sent,
            "SES accepted it"
        );
    }

    #[test]
    fn old_email_with_few_tries_is_retried() {
        let mut share = share(&["a"]);
        let end = time(NOW) + GIVE_UP_AFTER;
        share.mail.state = pending(end, MIN_TRIES);
        assert_eq!(SendOutcome::without_sending(&share, false, end), None);
        let outcome = SendOutcome::from_result(TRANSIENT, share.queued().unwrap(), end);
        assert!(matches!(outcome, SendOutcome::Deferred { .. }), "{outcome:?}");
    }

    #[test]
    fn age_of_a_resent_email_starts_at_the_resend() {
        let mut share = share(&["a"]);
        let end = time(NOW) + GIVE_UP_AFTER;
        share.mail = share.mail.next_attempt(&Action { at: end, ..ann() });
        share.mail.state = pending(end, 90);
        assert_eq!(SendOutcome::without_sending(&share, false, end), None);
    }

    #[test]
    fn outcome_determines_the_state() {
        let later = time(NOW) + TimeDelta::minutes(1);
        let claimed = Mail { state: pending(time(NOW), 3), ..share(&["a"]).mail };
        for (outcome, state, reason) in [
            (SendOutcome::Sent, MailState::Sent, None),
            (WITHDRAWN, MailState::None, Some(MailReason::Withdrawn)),
            (SendOutcome::Failed(MailReason::Rejected), MailState::Failed, Some(MailReason::Rejected)),
        ] {
            let mail = claimed.after_sending(outcome, later);
            assert_eq!(mail.state, state);
            assert_eq!(mail.at, Some(later), "{outcome:?}");
            assert_eq!(mail.reason, reason);
            assert_eq!(mail.attempt, claimed.attempt, "{outcome:?}");
        }
    }

    #[test]
    fn deferred_email_stays_queued_and_keeps_its_try_count() {
        let claimed = Mail { state: pending(time(NOW), 3), ..share(&["a"]).mail };
        let until = time(NOW) + TimeDelta::minutes(4);
        let deferred = SendOutcome::Deferred { until, fault: Fault::Throttled };
        assert_eq!(
            claimed.after_sending(deferred, time(NOW) + TimeDelta::minutes(1)),
            Mail { state: pending(until, 3), ..claimed }
        );
    }
}
