//! The email of a share: a state that the share itself carries.
//!
//! An email that has not left yet is *pending*: the share says when it is due. Whoever sends it claims it
//! first, which moves that time by a lease, so that two deliveries of one record cannot both send it and a
//! crashed sender's email becomes due again.

use chrono::TimeDelta;

use crate::{Action, Share, Timestamp};

/// How long a claimed email belongs to its sender: longer than the sender may run.
pub const LEASE: TimeDelta = TimeDelta::minutes(2);

/// How far apart the clocks of two functions may be: an email counts as due this much early, or one that was
/// queued by a clock ahead of the sender's would be passed over.
pub const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(30);

/// How long after the first email another one may be asked for.
const FIRST_RESEND: TimeDelta = TimeDelta::minutes(5);
const LONGEST_RESEND: TimeDelta = TimeDelta::days(1);

const FIRST_BACKOFF: TimeDelta = TimeDelta::minutes(1);
const LONGEST_BACKOFF: TimeDelta = TimeDelta::hours(1);

/// What has become of a share's email.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailState {
    /// There is none: the sharer wanted none, or revoked the share before it left.
    None,
    Queued,
    Sent,
    Delivered,
    Failed,
    Bounced,
    Complained,
}

impl MailState {
    /// Every state, for those who read names.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Queued,
        Self::Sent,
        Self::Delivered,
        Self::Failed,
        Self::Bounced,
        Self::Complained,
    ];

    /// Its name in the table and in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
        }
    }
}

/// The email of a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub state: MailState,
    /// When the state was reached; none while nothing has happened.
    pub at: Option<Timestamp>,
    /// Why it failed, or why there is none.
    pub detail: Option<String>,
    /// Which email to the recipient this is, from 1: a resend is the next one.
    pub attempt: u32,
    /// Who asked for this one, and when, where it is not the first.
    pub requested: Option<Action>,
    /// How often sending this one has been tried.
    pub tries: u32,
    /// When it is due, while it is pending.
    pub due: Option<Timestamp>,
}

impl Mail {
    /// The email of a new share, due at once.
    #[must_use]
    pub fn queued(now: Timestamp) -> Self {
        Self {
            state: MailState::Queued,
            at: Some(now),
            detail: None,
            attempt: 1,
            requested: None,
            tries: 0,
            due: Some(now),
        }
    }

    /// A share without an email.
    #[must_use]
    pub fn none() -> Self {
        Self {
            state: MailState::None,
            at: None,
            detail: None,
            attempt: 0,
            requested: None,
            tries: 0,
            due: None,
        }
    }

    /// The next email after this one, due at once.
    #[must_use]
    pub fn again(&self, action: &Action) -> Self {
        Self { attempt: self.attempt + 1, requested: Some(action.clone()), ..Self::queued(action.at) }
    }

    /// Whether it may be claimed now.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.due.is_some_and(|due| due <= now + CLOCK_SKEW)
    }
}

/// Why an email did not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The fault may pass: throttling, the daily quota, an outage, sending paused for the account.
    Passing,
    /// Refused for good, for this reason.
    Refused(&'static str),
}

/// Whether a share's email may leave, once it has been claimed. Access that has merely expired does not hold
/// it back: a share that expires earlier today is mailed like any other.
#[must_use]
pub fn may_leave(share: &Share) -> bool {
    share.revoked_at.is_none()
}

/// When another email of a share may be asked for: five minutes after the last one was, then twice as long each
/// time, a day at most, so that nobody's mailbox is flooded; and not while one is on its way, unless whoever was
/// to send it has let its time and a lease go by. `None`: there has been no email.
#[must_use]
pub fn resend_at(share: &Share) -> Option<Timestamp> {
    let mail = &share.mail;
    let wait = FIRST_RESEND * 2_i32.pow(mail.attempt.checked_sub(1)?.min(10));
    let requested = mail.requested.as_ref().map_or(share.created_at, |requested| requested.at);
    let at = requested + wait.min(LONGEST_RESEND);
    Some(mail.due.map_or(at, |due| at.max(due + LEASE)))
}

/// When to try again after a fault that may pass: a minute after the first try, then twice as long each
/// time, an hour at most.
#[must_use]
pub fn retry_at(now: Timestamp, tries: u32) -> Timestamp {
    let backoff = FIRST_BACKOFF * 2_i32.pow(tries.saturating_sub(1).min(10));
    now + backoff.min(LONGEST_BACKOFF)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::tests::{NOW, share, time};

    #[test]
    fn an_email_is_due_at_once_and_leaves_unless_revoked() {
        let mut share = share(&["a"]);
        assert_eq!((share.mail.state, share.mail.due), (MailState::Queued, Some(time(NOW))));
        share.expires_at = time(NOW);
        assert!(may_leave(&share));
        share.revoked_at = Some(time(NOW));
        assert!(!may_leave(&share));
    }

    #[test]
    fn clocks_may_differ_without_an_email_being_passed_over() {
        let mail = Mail::queued(time(NOW));
        assert!(mail.is_due(time(NOW) - CLOCK_SKEW));
        assert!(!mail.is_due(time(NOW) - CLOCK_SKEW - TimeDelta::milliseconds(1)));
        assert!(!Mail::none().is_due(time(NOW)));
    }

    #[test]
    fn the_wait_for_another_email_grows_to_a_day() {
        let mut share = share(&["a"]);
        share.mail.due = None;
        let mut minutes = |attempt| {
            share.mail.attempt = attempt;
            resend_at(&share).map(|at| (at - time(NOW)).num_minutes())
        };
        assert_eq!([0, 1, 2, 3].map(&mut minutes), [None, Some(5), Some(10), Some(20)]);
        assert_eq!([9, 10, 99].map(&mut minutes), [Some(1280), Some(1440), Some(1440)]);
        share.mail.attempt = 1;
        share.mail.due = Some(time(NOW) + TimeDelta::hours(1));
        assert_eq!(resend_at(&share), Some(time(NOW) + TimeDelta::hours(1) + LEASE));
    }

    #[test]
    fn the_backoff_grows_to_an_hour() {
        let now = time(NOW);
        let minutes = |tries| (retry_at(now, tries) - now).num_minutes();
        assert_eq!([0, 1, 2, 3, 7, 8, 99].map(minutes), [1, 1, 2, 4, 60, 60, 60]);
    }
}
