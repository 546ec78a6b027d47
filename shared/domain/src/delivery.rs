//! SES reports on sent emails, and their effect on a share.
//!
//! Reports may arrive late, more than once and out of order. The states of an email are therefore ranked, and
//! a report takes effect only if its state ranks above the current state.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::mail::{BounceType, MailState};
use crate::sending::MailKind;
use crate::{Item, Mail, MailReason, Share, ShareId, Timestamp};

/// Identifies an email or a reminder by its share and the email's attempt number. The id is sent with the
/// email as message tags, which SES includes in each report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailId {
    pub item: Item,
    pub share: ShareId,
    /// Distinguishes shares with the same id, because a share can be purged and created again.
    pub created_at: Timestamp,
    pub attempt: u32,
    /// Whether this is the reminder that followed the email.
    pub is_reminder: bool,
}

/// The names of the message tags that identify an email.
const TAGS: [&str; 5] = ["module", "item", "share", "created", "attempt"];

/// The name of the message tag that tells an email, a reminder and a digest apart.
pub const KIND_TAG: &str = "kind";

impl EmailId {
    /// Returns the id of a share's current email.
    #[must_use]
    pub fn of(share: &Share) -> Self {
        Self {
            item: share.item.clone(),
            share: share.id,
            created_at: share.created_at,
            attempt: share.mail.attempt,
            is_reminder: false,
        }
    }

    /// Returns the id of the reminder that follows a share's current email.
    #[must_use]
    pub fn of_reminder(share: &Share) -> Self {
        Self { is_reminder: true, ..Self::of(share) }
    }

    /// Returns the message tags. Module and item names are encoded, because SES allows only `A-Z a-z 0-9 - _`
    /// in a tag's value.
    #[must_use]
    pub fn to_tags(&self) -> [(&'static str, String); 6] {
        let [module, item, share, created, attempt] = TAGS;
        let kind = if self.is_reminder { MailKind::Reminder } else { MailKind::Email };
        [
            (module, URL_SAFE_NO_PAD.encode(self.item.module.as_str())),
            (item, URL_SAFE_NO_PAD.encode(self.item.name.as_str())),
            (share, self.share.to_string()),
            (created, self.created_at.timestamp_millis().to_string()),
            (attempt, self.attempt.to_string()),
            (KIND_TAG, kind.name().to_owned()),
        ]
    }

    /// Returns the id as one word, for a header. It reveals nothing to the recipient.
    #[must_use]
    pub fn to_reference(&self) -> String {
        let suffix = if self.is_reminder { "-reminder" } else { "" };
        format!("{}-{}-{}{suffix}", self.share, self.created_at.timestamp_millis(), self.attempt)
    }

    /// Parses message tags. `tag` looks up a value by its name. Returns `None` if the email does not belong
    /// to a share.
    pub fn from_tags<'a>(tag: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let [module, item, share, created, attempt] = TAGS.map(&tag);
        let name = |value: Option<&str>| String::from_utf8(URL_SAFE_NO_PAD.decode(value?).ok()?).ok();
        Some(Self {
            item: Item { module: name(module)?.parse().ok()?, name: name(item)?.parse().ok()? },
            share: share?.parse().ok()?,
            created_at: Timestamp::from_timestamp_millis(created?.parse().ok()?)?,
            attempt: attempt?.parse().ok().filter(|attempt| *attempt > 0)?,
            is_reminder: tag(KIND_TAG) == Some(MailKind::Reminder.name()),
        })
    }
}

/// An event that SES reports about an email.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryEvent {
    Delivered,
    /// SES accepted the email, but then found malicious content in it and did not send it.
    Rejected,
    Bounced(Bounce),
    Complained,
}

/// A rejection by the recipient's mail server, or by SES because the address is on a suppression list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounce {
    pub bounce_type: BounceType,
    pub reason: MailReason,
}

/// Returns whether the subtype of a bounce or complaint names a suppression list. SES then accepted the email
/// but did not send it.
fn is_suppressed(subtype: &str) -> bool {
    subtype.ends_with("SuppressionList")
}

impl Bounce {
    const SUPPRESSED: Self =
        Self { bounce_type: BounceType::Permanent, reason: MailReason::AddressSuppressed };

    /// Creates a bounce from the type and subtype that SES reports.
    #[must_use]
    pub fn new(bounce_type: &str, subtype: &str) -> Self {
        let is_transient = bounce_type == "Transient";
        let reason = match subtype {
            "NoEmail" => MailReason::AddressUnknown,
            "Suppressed" => Self::SUPPRESSED.reason,
            _ if is_suppressed(subtype) => Self::SUPPRESSED.reason,
            "UnsubscribedRecipient" => MailReason::Unsubscribed,
            "MailboxFull" => MailReason::MailboxFull,
            "MessageTooLarge" => MailReason::TooLarge,
            "ContentRejected" | "AttachmentRejected" => MailReason::ContentRefused,
            _ if is_transient => MailReason::TimedOut,
            _ => MailReason::Refused,
        };
        Self { bounce_type: if is_transient { BounceType::Transient } else { BounceType::Permanent }, reason }
    }
}

impl DeliveryEvent {
    /// Returns the event that a complaint with this subtype and feedback type means. Returns `None` if it is
    /// not about spam.
    ///
    /// Not every `Complaint` event is a complaint: SES reports a suppressed email with the reason for which
    /// the address was put on the list ([`API_Complaint`]), and passes on every kind of feedback
    /// ([`complaintFeedbackType`]).
    ///
    /// [`API_Complaint`]: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Complaint.html
    /// [`complaintFeedbackType`]: https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#complaint-object
    #[must_use]
    pub fn from_complaint(subtype: Option<&str>, feedback: Option<&str>) -> Option<Self> {
        match (subtype, feedback) {
            (Some(subtype), _) if is_suppressed(subtype) => Some(Self::Bounced(Bounce::SUPPRESSED)),
            // The recipient moved the email out of the spam folder, or a server could not authenticate it.
            (_, Some("not-spam" | "auth-failure")) => None,
            _ => Some(Self::Complained),
        }
    }

    /// Returns the event's name in logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Rejected => "rejected",
            Self::Bounced(_) => "bounced",
            Self::Complained => "complained",
        }
    }

    fn state(self) -> MailState {
        match self {
            Self::Delivered => MailState::Delivered,
            Self::Rejected => MailState::Failed,
            Self::Bounced(bounce) => MailState::Bounced(bounce.bounce_type),
            Self::Complained => MailState::Complained,
        }
    }

    fn reason(self) -> Option<MailReason> {
        match self {
            Self::Delivered | Self::Complained => None,
            Self::Rejected => Some(MailReason::MaliciousContent),
            Self::Bounced(bounce) => Some(bounce.reason),
        }
    }
}

/// Ranks the states of one email. A permanent bounce ranks above a delivery, because a server may accept an
/// email and bounce it later. A transient bounce ranks below a delivery, because SES reports an out-of-office
/// reply as a transient bounce.
fn rank(state: MailState) -> u8 {
    match state {
        MailState::None | MailState::Queued(_) => 0,
        MailState::Sent => 1,
        MailState::Failed => 2,
        MailState::Bounced(BounceType::Transient) => 3,
        MailState::Delivered => 4,
        MailState::Bounced(BounceType::Permanent) => 5,
        MailState::Complained => 6,
    }
}

impl Mail {
    /// Returns the email after this event, or `None` if the event adds nothing new.
    #[must_use]
    pub fn after_event(&self, event: DeliveryEvent, at: Timestamp) -> Option<Self> {
        let state = event.state();
        if rank(state) <= rank(self.state) {
            return None;
        }
        Some(Self { state, at: Some(at), reason: event.reason(), ..self.clone() })
    }
}

impl Share {
    /// Returns the share after a delivery report on `email`, or `None` if the report is about another email
    /// or adds nothing new.
    ///
    /// A complaint about any of the share's emails counts, and stops one that is pending: complaints often
    /// take hours. A bounce of the reminder counts as one of the email, whose address is the same. Other
    /// reports on a reminder say nothing about the email.
    #[must_use]
    pub fn with_delivery_report(&self, email: &EmailId, event: DeliveryEvent, at: Timestamp) -> Option<Self> {
        let current = EmailId::of(self);
        let is_complaint = event == DeliveryEvent::Complained && email.attempt < current.attempt;
        let expected = if is_complaint { EmailId { attempt: email.attempt, ..current } } else { current };
        let counts =
            matches!(event, DeliveryEvent::Bounced(_) | DeliveryEvent::Complained) || !email.is_reminder;
        if !counts || expected != (EmailId { is_reminder: false, ..email.clone() }) {
            return None;
        }
        let reported = Self { mail: self.mail.after_event(event, at)?, ..self.clone() };
        Some(reported.with_reminder_queued(at))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::sending::SendOutcome;
    use crate::testing::{NOW, ShareBuilder, share, time};

    fn sent_mail() -> Mail {
        Mail { state: MailState::Sent, ..share(&["a"]).mail }
    }

    fn email_id() -> EmailId {
        EmailId { attempt: 2, ..EmailId::of(&share(&["a"])) }
    }

    fn parse_tags(tags: &[(&str, String)]) -> Option<EmailId> {
        EmailId::from_tags(|wanted| {
            tags.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str())
        })
    }

    #[test]
    fn email_id_round_trips_through_its_tags() {
        let mut id = email_id();
        id.item.name = "a.b~c".parse().unwrap();
        assert_eq!(parse_tags(&id.to_tags()), Some(id));
    }

    #[test]
    fn tag_values_use_only_allowed_characters() {
        for (name, value) in email_id().to_tags() {
            let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
            assert!(value.bytes().all(is_allowed), "{name}: {value}");
            assert!((1..=256).contains(&value.len()), "{name}: {value}");
        }
    }

    #[test]
    fn foreign_tags_are_rejected() {
        let tags = email_id().to_tags();
        assert_eq!(parse_tags(&tags[..4]), None, "a tag is missing");
        let mut no_attempt = tags.clone();
        no_attempt[4].1 = "0".into();
        assert_eq!(parse_tags(&no_attempt), None, "attempts are counted from 1");
        assert_eq!(EmailId::from_tags(|_| Some("!")), None);
    }

    #[test]
    fn report_updates_the_email_it_identifies() {
        let mut share = share(&["a"]);
        let id = EmailId::of(&share);
        share.mail.state = MailState::Sent;
        let delivered = share.with_delivery_report(&id, DeliveryEvent::Delivered, time(NOW)).unwrap();
        assert_eq!(delivered.mail.state, MailState::Delivered);
    }

    #[test]
    fn bounce_of_the_reminder_counts_and_its_delivery_does_not() {
        let mut share = share(&["a"]);
        share.mail.state = MailState::Delivered;
        let id = EmailId::of_reminder(&share);
        let report = |event| share.with_delivery_report(&id, event, time(NOW)).map(|share| share.mail.state);
        let bounced = DeliveryEvent::Bounced(Bounce::new("Permanent", "NoEmail"));
        assert_eq!(report(bounced), Some(MailState::Bounced(BounceType::Permanent)));
        assert_eq!(report(DeliveryEvent::Complained), Some(MailState::Complained));
        let transient = DeliveryEvent::Bounced(Bounce::new("Transient", "General"));
        for event in [DeliveryEvent::Delivered, DeliveryEvent::Rejected, transient] {
            assert_eq!(report(event), None, "{event:?}");
        }
    }

    #[test]
    fn delivery_leaves_the_reminder_and_a_bounce_drops_it() {
        let share = ShareBuilder::new().expires_in(TimeDelta::days(9)).reminder(2).build();
        let sent = share.after_sending(SendOutcome::Sent, time(NOW));
        let report = |event| sent.with_delivery_report(&EmailId::of(&sent), event, time(NOW)).unwrap();
        assert_eq!(report(DeliveryEvent::Delivered).queued(), sent.queued());
        let bounced = DeliveryEvent::Bounced(Bounce::new("Permanent", "NoEmail"));
        for event in [bounced, DeliveryEvent::Complained] {
            assert_eq!(report(event).queued(), None, "{event:?}");
        }
    }

    #[test]
    fn tags_without_a_kind_are_of_an_email() {
        let id = email_id();
        assert_eq!(parse_tags(&id.to_tags()[..5]), Some(id));
        let reminder = EmailId::of_reminder(&share(&["a"]));
        assert_eq!(parse_tags(&reminder.to_tags()), Some(reminder));
    }

    #[test]
    fn report_on_another_email_is_ignored() {
        let sent = Share { mail: sent_mail(), ..share(&["a"]) };
        let id = EmailId::of(&sent);
        let report = |share: &Share| share.with_delivery_report(&id, DeliveryEvent::Delivered, time(NOW));
        let resent = Share { mail: Mail { attempt: 2, ..sent.mail.clone() }, ..sent.clone() };
        assert_eq!(report(&resent), None, "an earlier attempt");
        let created_again = Share { created_at: sent.created_at + TimeDelta::days(100), ..sent };
        assert_eq!(report(&created_again), None, "an earlier share with the same id");
    }

    #[test]
    fn late_complaint_stops_the_resend() {
        let mut share = share(&["a"]);
        let first = EmailId::of(&share);
        share.mail.attempt = 2;
        let complained = share.with_delivery_report(&first, DeliveryEvent::Complained, time(NOW)).unwrap();
        assert_eq!(complained.mail.state, MailState::Complained);
        assert_eq!(complained.mail.attempt, 2);
        let future = EmailId { attempt: 3, ..first.clone() };
        assert_eq!(share.with_delivery_report(&future, DeliveryEvent::Complained, time(NOW)), None);
        let created_again = Share { created_at: share.created_at + TimeDelta::days(100), ..share };
        assert_eq!(created_again.with_delivery_report(&first, DeliveryEvent::Complained, time(NOW)), None);
    }

    #[test]
    fn delivery_report_may_arrive_before_the_send_is_recorded() {
        let queued = share(&["a"]).mail;
        let delivered = queued.after_event(DeliveryEvent::Delivered, time(NOW)).unwrap();
        assert_eq!(delivered.pending(), None);
        assert_eq!(delivered.attempt, 1);
    }

    #[test]
    fn first_report_of_a_state_sets_its_time_and_reason() {
        let later = time(NOW) + TimeDelta::seconds(3);
        let bounced = DeliveryEvent::Bounced(Bounce::new("Permanent", "MailboxFull"));
        for (event, name, reason) in [
            (DeliveryEvent::Delivered, "delivered", None),
            (DeliveryEvent::Rejected, "rejected", Some(MailReason::MaliciousContent)),
            (bounced, "bounced", Some(MailReason::MailboxFull)),
            (DeliveryEvent::Complained, "complained", None),
        ] {
            assert_eq!(event.name(), name);
            let mail = sent_mail().after_event(event, later).unwrap();
            assert_eq!(mail.at, Some(later), "{name}");
            assert_eq!(mail.reason, reason, "{name}");
            assert_eq!(mail.after_event(event, later + TimeDelta::seconds(1)), None, "{name} again");
        }
    }

    #[test]
    fn every_bounce_that_is_not_transient_is_permanent() {
        assert_eq!(Bounce::new("Transient", "MailboxFull").bounce_type, BounceType::Transient);
        assert_eq!(Bounce::new("Permanent", "NoEmail").bounce_type, BounceType::Permanent);
        assert_eq!(Bounce::new("Undetermined", "Undetermined").bounce_type, BounceType::Permanent);
    }

    #[test]
    fn suppressed_email_has_bounced() {
        let bounced = DeliveryEvent::Bounced(Bounce::SUPPRESSED);
        for subtype in ["Suppressed", "OnAccountSuppressionList", "OnTenantSuppressionList"] {
            assert_eq!(DeliveryEvent::Bounced(Bounce::new("Permanent", subtype)), bounced, "{subtype}");
        }
        for feedback in [None, Some("abuse"), Some("not-spam")] {
            let event = DeliveryEvent::from_complaint(Some("OnAccountSuppressionList"), feedback);
            assert_eq!(event, Some(bounced), "{feedback:?}");
        }
    }

    #[test]
    fn only_reports_of_spam_are_complaints() {
        for feedback in [None, Some("abuse"), Some("fraud"), Some("virus"), Some("other"), Some("new-type")] {
            let event = DeliveryEvent::from_complaint(None, feedback);
            assert_eq!(event, Some(DeliveryEvent::Complained), "{feedback:?}");
        }
        for feedback in ["not-spam", "auth-failure"] {
            assert_eq!(DeliveryEvent::from_complaint(None, Some(feedback)), None, "{feedback}");
        }
    }

    #[test]
    fn subtype_determines_the_reason() {
        assert_eq!(Bounce::new("Permanent", "NoEmail").reason, MailReason::AddressUnknown);
        assert_eq!(Bounce::new("", "<ann@example.com>").reason, MailReason::Refused);
        assert_eq!(Bounce::new("Transient", "General").reason, MailReason::TimedOut);
    }

    proptest! {
        #[test]
        fn order_and_repetition_of_reports_do_not_matter(
            order in Just([0_usize, 1, 2, 3, 4]).prop_shuffle(), count in 1_usize..=5,
        ) {
            let events = [
                DeliveryEvent::Delivered,
                DeliveryEvent::Bounced(Bounce::new("Transient", "General")),
                DeliveryEvent::Bounced(Bounce::new("Permanent", "General")),
                DeliveryEvent::Complained,
                DeliveryEvent::Rejected,
            ];
            let after = |order: &[usize]| {
                let apply = |mail: Mail, i: &usize| mail.after_event(events[*i], time(NOW)).unwrap_or(mail);
                order.iter().fold(sent_mail(), apply)
            };
            let chosen = &order[..count];
            let mut sorted = chosen.to_vec();
            sorted.sort_unstable();
            prop_assert_eq!(after(chosen), after(&sorted));
            prop_assert_eq!(after(&[chosen, chosen].concat()), after(chosen));
        }
    }
}
