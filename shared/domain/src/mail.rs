//! A share's email: its state, and when it is due.
//!
//! An email that has not been sent is *pending*, and its share stores when it is due. Before sending an
//! email, a sender claims it, which moves the due time to the end of a lease. Two deliveries of the same
//! stream record therefore cannot both send the email. If a sender crashes, its email becomes due again.

use chrono::TimeDelta;

use crate::{Action, MailReason, Timestamp};

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
    /// No email: the sharer requested none, or revoked the share or renewed the link before the email was
    /// sent.
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

    /// Returns whether this state implies that SES has accepted the email. `Failed` does not imply it,
    /// because most failed emails were never accepted.
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
    pub reason: Option<MailReason>,
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
            reason: None,
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
            reason: None,
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

    /// Returns the email after the link was renewed.
    ///
    /// An email contains the link as of its claim. A pending email that was never claimed will therefore
    /// contain the new link. An email that was claimed may still be on its way with the old link. The email
    /// with the new link is then not due before the claim's lease ends, so that it is sent last. It also
    /// waits as long as a resend, to protect the mailbox from flooding.
    ///
    /// Without `notify`, a pending email is withdrawn: the sharer wants no email with the new link. A
    /// recipient who has reported an email as spam gets no other.
    #[must_use]
    pub(crate) fn after_renewal(&self, notify: bool, share_created_at: Timestamp, action: &Action) -> Self {
        let now = action.at;
        match (notify, self.pending()) {
            (false, None) => self.clone(),
            (true, None) if self.state == MailState::Complained => self.clone(),
            (false, Some(_)) => Self {
                state: MailState::None,
                at: Some(now),
                reason: Some(MailReason::LinkReplaced),
                ..self.clone()
            },
            (true, Some(pending)) if pending.tries == 0 => self.clone(),
            (true, pending) => {
                // The due time is the end of a lease, or of a backoff, which may be longer.
                let lease_ends_at = pending.map_or(now, |pending| pending.due.min(now + LEASE));
                let wait_ends_at = self.resend_wait_ends_at(share_created_at).unwrap_or(now);
                let due = now.max(lease_ends_at).max(wait_ends_at);
                Self { state: MailState::Queued(Pending { due, tries: 0 }), ..self.next_attempt(action) }
            }
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
        let at = self.resend_wait_ends_at(share_created_at)?;
        Some(self.pending().map_or(at, |pending| at.max(pending.due + LEASE)))
    }

    /// Returns the end of the wait that protects the mailbox, or `None` if there has never been an email.
    fn resend_wait_ends_at(&self, share_created_at: Timestamp) -> Option<Timestamp> {
        let wait = FIRST_RESEND_WAIT * 2_i32.pow(self.attempt.checked_sub(1)?.min(10));
        Some(self.requested_at(share_created_at) + wait.min(MAX_RESEND_WAIT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, ann, pending, share, time};

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
    fn unclaimed_email_stays_pending_for_the_new_link() {
        let mail = share(&["a"]).mail;
        assert_eq!(mail.after_renewal(true, time(NOW), &ann()), mail);
    }

    #[test]
    fn email_with_the_new_link_waits_for_the_sender_of_the_old_one() {
        let at = time(NOW) + TimeDelta::hours(1);
        let action = Action { at, ..ann() };
        let due = |due, tries| {
            let mail = Mail { state: pending(due, tries), ..share(&["a"]).mail };
            let renewed = mail.after_renewal(true, time(NOW), &action);
            assert_eq!((renewed.attempt, renewed.requested.as_ref()), (2, Some(&action)));
            renewed.pending().unwrap().due
        };
        let lease_end = at + TimeDelta::minutes(3);
        assert_eq!(due(lease_end, 1), lease_end, "a sender may be running");
        assert_eq!(due(at - TimeDelta::minutes(1), 1), at, "the sender's lease has ended");
        assert_eq!(due(at + TimeDelta::hours(1), 9), at + LEASE, "a backoff is longer than any lease");
    }

    #[test]
    fn email_with_the_new_link_waits_like_a_resend() {
        let sent = Mail { state: MailState::Sent, ..share(&["a"]).mail };
        let due_after = |mail: &Mail, minutes| {
            let action = Action { at: time(NOW) + TimeDelta::minutes(minutes), ..ann() };
            let renewed = mail.after_renewal(true, time(NOW), &action);
            ((renewed.pending().unwrap().due - time(NOW)).num_minutes(), renewed)
        };
        assert_eq!(due_after(&sent, 1).0, 5);
        let (due, renewed) = due_after(&sent, 9);
        assert_eq!(due, 9);
        assert!(renewed.was_sent_before);
        let sent_again = Mail { state: MailState::Sent, ..renewed };
        assert_eq!(due_after(&sent_again, 10).0, 19);
        assert_eq!(due_after(&Mail::none(), 0).0, 0, "there has never been an email");
    }

    #[test]
    fn new_link_is_emailed_only_on_request() {
        let withdrawn = share(&["a"]).mail.after_renewal(false, time(NOW), &ann());
        assert_eq!((withdrawn.state, withdrawn.attempt), (MailState::None, 1));
        assert_eq!(withdrawn.reason, Some(MailReason::LinkReplaced));
        for state in [MailState::None, MailState::Delivered, MailState::Complained] {
            let mail = Mail { state, ..share(&["a"]).mail };
            assert_eq!(mail.after_renewal(false, time(NOW), &ann()), mail, "{state:?}");
        }
        let complained = Mail { state: MailState::Complained, ..share(&["a"]).mail };
        assert_eq!(complained.after_renewal(true, time(NOW), &ann()), complained);
    }

    #[test]
    fn pending_email_may_be_resent_after_its_lease() {
        let due = time(NOW) + TimeDelta::hours(1);
        let mail = Mail { state: pending(due, 3), ..share(&["a"]).mail };
        assert_eq!(mail.resend_allowed_at(time(NOW)), Some(due + LEASE));
    }
}
