//! A share's email: its state, and when it is due.
//!
//! An email that has not been sent is *pending*, and its share stores when it is due. Before sending an
//! email, a sender claims it, which moves the due time to the end of a lease. Two deliveries of the same
//! stream record therefore cannot both send the email. If a sender crashes, its email becomes due again.

use chrono::TimeDelta;

use crate::{Action, Timestamp};

/// How long a claim lasts. Longer than a sender's maximum run time plus [`CLOCK_SKEW`].
pub const LEASE: TimeDelta = TimeDelta::minutes(4);

/// How long after its due time an email becomes overdue. Until then, the recovery path leaves the email to
/// the fast path.
pub const OVERDUE_AFTER: TimeDelta = TimeDelta::minutes(1);

/// The assumed maximum difference between two functions' clocks. An email may be claimed this long before it
/// is due. Otherwise, a sender with a slow clock would skip it.
pub const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(30);

/// The wait before the first resend. Doubles with each resend, up to [`MAX_RESEND_WAIT`].
const FIRST_RESEND_WAIT: TimeDelta = TimeDelta::minutes(5);
const MAX_RESEND_WAIT: TimeDelta = TimeDelta::days(1);

/// The state of a share's email.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailState {
    /// No email: the sharer requested none, or revoked the share before the email was sent.
    None,
    /// Not sent yet.
    Queued(Pending),
    /// Accepted by SES.
    Sent,
    /// Accepted by the recipient's mail server.
    Delivered,
    /// Rejected permanently, or abandoned because it could not be sent.
    Failed,
    /// Rejected by the recipient's mail server.
    Bounced(BounceType),
    /// Reported as spam by the recipient.
    Complained,
}

/// An email that has not been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// When the email may be claimed.
    pub due: Timestamp,
    /// The number of times that the email has been claimed.
    pub tries: u32,
}

/// Whether a mail server's rejection is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BounceType {
    /// The server rejected every attempt by SES to deliver the email, or sent an out-of-office reply.
    Transient,
    Permanent,
}

impl MailState {
    /// The names of all states.
    pub const NAMES: [&'static str; 7] =
        ["none", "queued", "sent", "delivered", "failed", "bounced", "complained"];

    /// Returns the state's name in the table and in responses.
    #[must_use]
    pub fn name(self) -> &'static str {
        let [none, queued, sent, delivered, failed, bounced, complained] = Self::NAMES;
        match self {
            Self::None => none,
            Self::Queued(_) => queued,
            Self::Sent => sent,
            Self::Delivered => delivered,
            Self::Failed => failed,
            Self::Bounced(_) => bounced,
            Self::Complained => complained,
        }
    }

    /// Returns whether this state implies that SES has accepted the email. `Failed` does not imply it, because
    /// most failed emails were never accepted.
    #[must_use]
    pub fn is_sent(self) -> bool {
        matches!(self, Self::Sent | Self::Delivered | Self::Bounced(_) | Self::Complained)
    }
}

/// A share's email.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub state: MailState,
    /// When the email entered this state. `None` if there has never been an email.
    pub at: Option<Timestamp>,
    /// Why the email failed or bounced, or why there is no email.
    pub detail: Option<String>,
    /// The number of emails for this share so far, including this one. 0 if there has never been an email.
    pub attempt: u32,
    /// The action that requested this email, if the email is a resend.
    pub requested: Option<Action>,
    /// Whether an earlier email for this share was sent.
    pub was_sent_before: bool,
}

impl Mail {
    /// Returns a new share's email, which is due immediately.
    #[must_use]
    pub fn queued(now: Timestamp) -> Self {
        Self {
            state: MailState::Queued(Pending { due: now, tries: 0 }),
            at: Some(now),
            detail: None,
            attempt: 1,
            requested: None,
            was_sent_before: false,
        }
    }

    /// Returns the `Mail` of a share that has no email.
    #[must_use]
    pub fn none() -> Self {
        Self {
            state: MailState::None,
            at: None,
            detail: None,
            attempt: 0,
            requested: None,
            was_sent_before: false,
        }
    }

    /// Returns the next email after this one, due immediately.
    #[must_use]
    pub fn next_attempt(&self, action: &Action) -> Self {
        Self {
            attempt: self.attempt + 1,
            requested: Some(action.clone()),
            was_sent_before: self.was_sent_before || self.state.is_sent(),
            ..Self::queued(action.at)
        }
    }

    /// Returns the due time and the number of tries, if the email is pending.
    #[must_use]
    pub fn pending(&self) -> Option<Pending> {
        match self.state {
            MailState::Queued(pending) => Some(pending),
            _ => None,
        }
    }

    /// Returns whether the email may be claimed at `now`.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.pending().is_some_and(|pending| pending.due <= now + CLOCK_SKEW)
    }

    /// Returns when the email was requested: when the share was created, or when a resend was requested.
    pub(crate) fn requested_at(&self, share_created_at: Timestamp) -> Timestamp {
        self.requested.as_ref().map_or(share_created_at, |requested| requested.at)
    }

    /// Returns when the email may be resent, or `None` if there has never been an email.
    ///
    /// The first resend is allowed five minutes after the email was requested. The wait doubles with each
    /// resend, up to a day, to protect mailboxes from flooding. A pending email must also be past its due
    /// time by a full lease, because its sender may still be running.
    #[must_use]
    pub fn resend_allowed_at(&self, share_created_at: Timestamp) -> Option<Timestamp> {
        let wait = FIRST_RESEND_WAIT * 2_i32.pow(self.attempt.checked_sub(1)?.min(10));
        let at = self.requested_at(share_created_at) + wait.min(MAX_RESEND_WAIT);
        Some(self.pending().map_or(at, |pending| at.max(pending.due + LEASE)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, pending, share, time};

    #[test]
    fn new_email_is_due_immediately() {
        assert_eq!(share(&["a"]).mail.pending(), Some(Pending { due: time(NOW), tries: 0 }));
    }

    /// The table and the API use these names.
    #[test]
    fn state_names_are_frozen() {
        let states = [
            (MailState::None, "none"),
            (pending(time(NOW), 0), "queued"),
            (MailState::Sent, "sent"),
            (MailState::Delivered, "delivered"),
            (MailState::Failed, "failed"),
            (MailState::Bounced(BounceType::Transient), "bounced"),
            (MailState::Bounced(BounceType::Permanent), "bounced"),
            (MailState::Complained, "complained"),
        ];
        for (state, name) in states {
            assert_eq!(state.name(), name);
            assert!(MailState::NAMES.contains(&name), "{name} is missing from NAMES");
        }
    }

    #[test]
    fn email_is_due_despite_clock_skew() {
        let mail = Mail::queued(time(NOW));
        assert!(mail.is_due(time(NOW) - CLOCK_SKEW));
        assert!(!mail.is_due(time(NOW) - CLOCK_SKEW - TimeDelta::milliseconds(1)));
        assert!(!Mail::none().is_due(time(NOW)), "there is no email");
    }

    #[test]
    fn resend_wait_doubles_up_to_a_day() {
        let mut mail = Mail { state: MailState::Sent, ..share(&["a"]).mail };
        for (attempt, minutes) in [
            (0, None),
            (1, Some(5)),
            (2, Some(10)),
            (3, Some(20)),
            (9, Some(1280)),
            (10, Some(1440)),
            (99, Some(1440)),
        ] {
            mail.attempt = attempt;
            let wait = mail.resend_allowed_at(time(NOW)).map(|at| (at - time(NOW)).num_minutes());
            assert_eq!(wait, minutes, "attempt {attempt}");
        }
    }

    #[test]
    fn pending_email_may_be_resent_after_its_lease() {
        let due = time(NOW) + TimeDelta::hours(1);
        let mail = Mail { state: pending(due, 3), ..share(&["a"]).mail };
        assert_eq!(mail.resend_allowed_at(time(NOW)), Some(due + LEASE));
    }
}
