//! The email of a share: a state that the share itself carries.
//!
//! An email that has not left yet is *pending*: the share says when it is due. Whoever sends it claims it
//! first, which moves that time by a lease, so that two deliveries of one record cannot both send it and a
//! crashed sender's email becomes due again.

use chrono::TimeDelta;

use crate::{Action, Share, Timestamp};

/// How long a claimed email belongs to its sender: longer than the sender may run, by more than [`CLOCK_SKEW`].
pub const LEASE: TimeDelta = TimeDelta::minutes(4);

/// How long after it was due an email is overdue: until then it is for the stream, which is fast, to bring it.
pub const OVERDUE_AFTER: TimeDelta = TimeDelta::minutes(1);

/// How far apart the clocks of two functions may be: an email counts as due this much early, or one that was
/// queued by a clock ahead of the sender's would be passed over.
pub const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(30);

/// How old an email may become before it is given up: as long as mail servers try (RFC 5321, 4.5.4.1).
pub const GIVE_UP_AFTER: TimeDelta = TimeDelta::days(4);

/// How long after the first email another one may be asked for.
const FIRST_RESEND: TimeDelta = TimeDelta::minutes(5);
const LONGEST_RESEND: TimeDelta = TimeDelta::days(1);

/// How often an email is tried, however old it is.
const LEAST_TRIES: u32 = 4;

const FIRST_BACKOFF: TimeDelta = TimeDelta::minutes(1);
const LONGEST_BACKOFF: TimeDelta = TimeDelta::hours(1);

/// What has become of a share's email.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailState {
    /// There is none: the sharer wanted none, or revoked the share before it left.
    None,
    /// It has not left yet.
    Queued(Pending),
    /// SES took it.
    Sent,
    /// The recipient's mail server took it.
    Delivered,
    /// It was refused for good, or given up.
    Failed,
    /// The recipient's mail server refused it.
    Bounced(BounceType),
    /// The recipient called it spam.
    Complained,
}

/// An email that has not left yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// When somebody may claim it.
    pub due: Timestamp,
    /// How often it has been claimed.
    pub tries: u32,
}

/// Whether a mail server refused an email for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BounceType {
    /// It did not take it for as long as SES tried, or answered that the recipient is away.
    Transient,
    Permanent,
}

impl MailState {
    /// The names of all states.
    pub const NAMES: [&'static str; 7] =
        ["none", "queued", "sent", "delivered", "failed", "bounced", "complained"];

    /// Its name in the table and in answers.
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
}

/// The email of a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub state: MailState,
    /// When the state was reached; none while nothing has happened.
    pub at: Option<Timestamp>,
    /// Why it failed or bounced, or why there is none.
    pub detail: Option<String>,
    /// Which email to the recipient this is, from 1: a resend is the next one.
    pub attempt: u32,
    /// Who asked for this one, and when, where it is not the share's own.
    pub requested: Option<Action>,
}

impl Mail {
    /// The email of a new share, due at once.
    #[must_use]
    pub fn queued(now: Timestamp) -> Self {
        Self {
            state: MailState::Queued(Pending { due: now, tries: 0 }),
            at: Some(now),
            detail: None,
            attempt: 1,
            requested: None,
        }
    }

    /// A share without an email.
    #[must_use]
    pub fn none() -> Self {
        Self { state: MailState::None, at: None, detail: None, attempt: 0, requested: None }
    }

    /// The next email after this one, due at once.
    #[must_use]
    pub fn again(&self, action: &Action) -> Self {
        Self { attempt: self.attempt + 1, requested: Some(action.clone()), ..Self::queued(action.at) }
    }

    /// When and how often, while it has not left yet.
    #[must_use]
    pub fn pending(&self) -> Option<Pending> {
        match self.state {
            MailState::Queued(pending) => Some(pending),
            _ => None,
        }
    }

    /// Whether it may be claimed now.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.pending().is_some_and(|pending| pending.due <= now + CLOCK_SKEW)
    }
}

/// Why an email could not leave now, though it may later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Faster than the account may send.
    Throttled,
    /// As many as the account may send in 24 hours.
    QuotaSpent,
    /// Sending is paused for the account or the configuration set.
    Paused,
    /// The sender, or in SES's sandbox the recipient, has not been verified: an operator is about to.
    Unverified,
    /// SES is out of reach, or it failed.
    Unavailable,
    /// The link could not be made: the key ring or the base URL is out of reach.
    NoLink,
}

impl Fault {
    /// Its name in logs and metrics.
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

    /// Whether every other email would meet it, too.
    #[must_use]
    pub fn is_account_wide(self) -> bool {
        matches!(self, Self::QuotaSpent | Self::Paused)
    }
}

/// Why an email did not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The fault may pass.
    Transient(Fault),
    /// Refused for good, for this reason.
    Permanent(&'static str),
}

/// What became of an email that was claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// SES took it.
    Sent,
    /// The share was revoked before it left.
    Withdrawn,
    /// It will never be sent, for this reason.
    Failed(&'static str),
    /// It is due again.
    Deferred { until: Timestamp, fault: Fault },
}

impl SendOutcome {
    /// A word for logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Withdrawn => "withdrawn",
            Self::Failed(_) => "failed",
            Self::Deferred { .. } => "putOff",
        }
    }

    /// What becomes of a claimed email without any sending; none if it is to be sent. Access that has merely
    /// expired does not hold it back: a share that expires earlier today is mailed like any other.
    ///
    /// One that has become too old is given up, but not before it has been tried some times: its sender may have
    /// been down all the while.
    #[must_use]
    pub fn without_sending(share: &Share, now: Timestamp) -> Option<Self> {
        if share.revoked_at.is_some() {
            return Some(Self::Withdrawn);
        }
        is_given_up(share, now).then_some(Self::Failed(GIVEN_UP))
    }

    /// What became of an email that was to be sent: after a fault that may pass it is due again, a minute after
    /// the first try, then twice as long each time, an hour at most, until it is given up.
    #[must_use]
    pub fn of_sending(sent: Result<(), SendError>, share: &Share, now: Timestamp) -> Self {
        match sent {
            Ok(()) => Self::Sent,
            Err(SendError::Permanent(reason)) => Self::Failed(reason),
            Err(SendError::Transient(_)) if is_given_up(share, now) => Self::Failed(GIVEN_UP),
            Err(SendError::Transient(fault)) => {
                let tries = share.mail.pending().map_or(1, |pending| pending.tries);
                let backoff = FIRST_BACKOFF * 2_i32.pow(tries.saturating_sub(1).min(10));
                Self::Deferred { until: now + backoff.min(LONGEST_BACKOFF), fault }
            }
        }
    }
}

const GIVEN_UP: &str = "the email could not be sent for days";

/// What the share says of an email that was withdrawn.
pub const WITHDRAWN: &str = "revoked before the email was sent";

fn requested_at(share: &Share) -> Timestamp {
    share.mail.requested.as_ref().map_or(share.created_at, |requested| requested.at)
}

fn is_given_up(share: &Share, now: Timestamp) -> bool {
    let tries = share.mail.pending().map_or(0, |pending| pending.tries);
    tries > LEAST_TRIES && now >= requested_at(share) + GIVE_UP_AFTER
}

/// When another email of a share may be asked for: five minutes after the last one was, then twice as long each
/// time, a day at most, so that nobody's mailbox is flooded; and not while one is on its way, unless whoever was
/// to send it has let its time and a lease go by. `None`: there has been no email.
#[must_use]
pub fn resend_at(share: &Share) -> Option<Timestamp> {
    let mail = &share.mail;
    let wait = FIRST_RESEND * 2_i32.pow(mail.attempt.checked_sub(1)?.min(10));
    let at = requested_at(share) + wait.min(LONGEST_RESEND);
    Some(mail.pending().map_or(at, |pending| at.max(pending.due + LEASE)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::tests::{NOW, ann, pending, share, time};

    #[test]
    fn an_email_is_due_at_once_and_leaves_unless_revoked() {
        let mut share = share(&["a"]);
        assert_eq!(share.mail.pending(), Some(Pending { due: time(NOW), tries: 0 }));
        share.expires_at = time(NOW);
        assert_eq!(SendOutcome::without_sending(&share, time(NOW)), None);
        share.revoked_at = Some(time(NOW));
        assert_eq!(SendOutcome::without_sending(&share, time(NOW)), Some(SendOutcome::Withdrawn));
    }

    /// The table and the API have them so.
    #[test]
    fn the_names_of_states_are_frozen() {
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
            assert!(MailState::NAMES.contains(&name));
        }
    }

    /// Dashboards and alarms have them so.
    #[test]
    fn operators_know_outcomes_and_faults_by_their_names() {
        let put_off = SendOutcome::Deferred { until: time(NOW), fault: Fault::Throttled };
        let outcomes = [SendOutcome::Sent, SendOutcome::Withdrawn, SendOutcome::Failed(GIVEN_UP), put_off];
        assert_eq!(outcomes.map(SendOutcome::name), ["sent", "withdrawn", "failed", "putOff"]);
        for (fault, name, everybodys) in [
            (Fault::Throttled, "throttled", false),
            (Fault::QuotaSpent, "quotaSpent", true),
            (Fault::Paused, "paused", true),
            (Fault::Unverified, "unverified", false),
            (Fault::Unavailable, "unavailable", false),
            (Fault::NoLink, "noLink", false),
        ] {
            assert_eq!((fault.name(), fault.is_account_wide()), (name, everybodys));
        }
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
        share.mail.state = MailState::Sent;
        let mut minutes = |attempt| {
            share.mail.attempt = attempt;
            resend_at(&share).map(|at| (at - time(NOW)).num_minutes())
        };
        assert_eq!([0, 1, 2, 3].map(&mut minutes), [None, Some(5), Some(10), Some(20)]);
        assert_eq!([9, 10, 99].map(&mut minutes), [Some(1280), Some(1440), Some(1440)]);
        share.mail.attempt = 1;
        share.mail.state = pending(time(NOW) + TimeDelta::hours(1), 3);
        assert_eq!(resend_at(&share), Some(time(NOW) + TimeDelta::hours(1) + LEASE));
    }

    #[test]
    fn the_backoff_grows_to_an_hour() {
        let mut share = share(&["a"]);
        let now = time(NOW);
        let failed = Err(SendError::Transient(Fault::Throttled));
        let mut minutes = |tries| {
            share.mail.state = pending(now, tries);
            match SendOutcome::of_sending(failed, &share, now) {
                SendOutcome::Deferred { until, fault: Fault::Throttled } => (until - now).num_minutes(),
                outcome => panic!("{outcome:?}"),
            }
        };
        assert_eq!([0, 1, 2, 3, 7, 8, 99].map(&mut minutes), [1, 1, 2, 4, 60, 60, 60]);
    }

    #[test]
    fn an_email_is_given_up_when_it_is_four_days_old_and_was_tried() {
        let mut share = share(&["a"]);
        let end = time(NOW) + GIVE_UP_AFTER;
        let failed = Err(SendError::Transient(Fault::Unavailable));
        let just_before = end - TimeDelta::milliseconds(1);
        share.mail.state = pending(end, 90);
        assert_eq!(SendOutcome::without_sending(&share, just_before), None);
        assert!(matches!(SendOutcome::of_sending(failed, &share, just_before), SendOutcome::Deferred { .. }));
        assert_eq!(SendOutcome::without_sending(&share, end), Some(SendOutcome::Failed(GIVEN_UP)));
        assert_eq!(SendOutcome::of_sending(failed, &share, end), SendOutcome::Failed(GIVEN_UP));
        // Nobody has tried often yet.
        share.mail.state = pending(end, LEAST_TRIES);
        assert_eq!(SendOutcome::without_sending(&share, end), None);
        assert!(matches!(SendOutcome::of_sending(failed, &share, end), SendOutcome::Deferred { .. }));
        assert_eq!(SendOutcome::of_sending(Ok(()), &share, end), SendOutcome::Sent);
        // A resend is as old as its request.
        share.mail = share.mail.again(&Action { at: end, ..ann() });
        share.mail.state = pending(end, 90);
        assert_eq!(SendOutcome::without_sending(&share, end), None);
    }
}
