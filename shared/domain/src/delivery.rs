//! What SES reports of an email that it had taken, and what a share makes of it.
//!
//! Reports come late, repeatedly and out of order, so the states of one email have an order of their own: a
//! report counts if it says more than what is known already, whenever it comes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::mail::{BounceType, MailState};
use crate::{Item, Mail, Share, ShareId, Timestamp};

/// Which email: the share that it was for, and which of that share's emails it was. Travels with the email as
/// its message tags, which SES gives back with every report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailId {
    pub item: Item,
    pub share: ShareId,
    /// When the share was created: one that is made again after a purge has the same id.
    pub created_at: Timestamp,
    pub attempt: u32,
}

/// The names of the tags.
const TAGS: [&str; 5] = ["module", "item", "share", "created", "attempt"];

impl EmailId {
    /// The present email of a share.
    #[must_use]
    pub fn of(share: &Share) -> Self {
        Self {
            item: share.item.clone(),
            share: share.id,
            created_at: share.created_at,
            attempt: share.mail.attempt,
        }
    }

    /// Its message tags. SES allows no more than `A-Z a-z 0-9 - _` in a value, so names are encoded.
    #[must_use]
    pub fn to_tags(&self) -> [(&'static str, String); 5] {
        let [module, item, share, created, attempt] = TAGS;
        [
            (module, URL_SAFE_NO_PAD.encode(self.item.module.as_str())),
            (item, URL_SAFE_NO_PAD.encode(self.item.name.as_str())),
            (share, self.share.to_string()),
            (created, self.created_at.timestamp_millis().to_string()),
            (attempt, self.attempt.to_string()),
        ]
    }

    /// Reads the tags of an email, each by its name. `None`: it is no email of a share.
    pub fn from_tags<'a>(tag: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let [module, item, share, created, attempt] = TAGS.map(tag);
        let name = |value: Option<&str>| String::from_utf8(URL_SAFE_NO_PAD.decode(value?).ok()?).ok();
        Some(Self {
            item: Item { module: name(module)?.parse().ok()?, name: name(item)?.parse().ok()? },
            share: share?.parse().ok()?,
            created_at: Timestamp::from_timestamp_millis(created?.parse().ok()?)?,
            attempt: attempt?.parse().ok().filter(|attempt| *attempt > 0)?,
        })
    }
}

/// What SES reports of an email.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryEvent {
    Delivered,
    /// SES took it, and then found something in it that it does not send on.
    Rejected,
    Bounced(Bounce),
    Complained,
}

/// A refusal by the recipient's mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounce {
    pub bounce_type: BounceType,
    /// Why, in words of ours: what a mail server says may hold an address.
    pub detail: &'static str,
}

impl Bounce {
    /// The bounce that SES describes with these two words.
    #[must_use]
    pub fn new(bounce_type: &str, subtype: &str) -> Self {
        let detail = match subtype {
            "NoEmail" => "the address does not exist",
            "Suppressed" | "OnAccountSuppressionList" => {
                "earlier emails to the address bounced or were called spam"
            }
            "MailboxFull" => "the mailbox is full",
            "MessageTooLarge" => "the email is too large for the mail server",
            "ContentRejected" | "AttachmentRejected" => "the mail server did not accept the content",
            _ if bounce_type == "Transient" => "the mail server did not take the email in time",
            _ => "the mail server refused the email",
        };
        let transient = bounce_type == "Transient";
        Self { bounce_type: if transient { BounceType::Transient } else { BounceType::Permanent }, detail }
    }
}

impl DeliveryEvent {
    /// Its name in logs.
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

    fn detail(self) -> Option<&'static str> {
        match self {
            Self::Delivered | Self::Complained => None,
            Self::Rejected => Some("the mail service found something harmful in the email"),
            Self::Bounced(bounce) => Some(bounce.detail),
        }
    }
}

/// How much a state says of an email. A mail server's final word is above its first: it may take an email and
/// bounce it later. A transient bounce is below a delivery, since an answer that somebody is away counts as one.
fn weight(state: MailState) -> u8 {
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
    /// The email after this report; none if the report says nothing new.
    #[must_use]
    pub fn reported(&self, event: DeliveryEvent, at: Timestamp) -> Option<Self> {
        let state = event.state();
        let reported =
            || Self { state, at: Some(at), detail: event.detail().map(Into::into), ..self.clone() };
        (weight(state) > weight(self.state)).then(reported)
    }
}

impl Share {
    /// The share after a report on this email; none if it was another email, or the report says nothing new.
    #[must_use]
    pub fn with_delivery_report(&self, email: &EmailId, event: DeliveryEvent, at: Timestamp) -> Option<Self> {
        let mail = (EmailId::of(self) == *email).then(|| self.mail.reported(event, at)).flatten()?;
        Some(Self { mail, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::share::tests::{NOW, share, time};

    #[test]
    fn an_email_is_known_by_its_tags() {
        let mut share = share(&["a"]);
        share.item.name = "a.b~c".parse().unwrap();
        let id = EmailId::of(&share);
        let tags = id.to_tags();
        for (name, value) in &tags {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
            assert!(value.bytes().all(allowed) && (1..=256).contains(&value.len()), "{name}: {value}");
        }
        let read =
            |wanted: &str| tags.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str());
        assert_eq!(EmailId::from_tags(read), Some(id));
        assert_eq!(EmailId::from_tags(|name| read(name).filter(|_| name != "attempt")), None);
        assert_eq!(EmailId::from_tags(|name| if name == "attempt" { Some("0") } else { read(name) }), None);
        assert_eq!(EmailId::from_tags(|_| Some("!")), None);
    }

    #[test]
    fn a_report_on_another_email_says_nothing_of_this_one() {
        let mut share = share(&["a"]);
        let id = EmailId::of(&share);
        share.mail.state = MailState::Sent;
        let delivered = |share: &Share| share.with_delivery_report(&id, DeliveryEvent::Delivered, time(NOW));
        assert_eq!(delivered(&share).unwrap().mail.state, MailState::Delivered);
        share.mail.attempt = 2;
        assert_eq!(delivered(&share), None);
        share.mail.attempt = 1;
        share.created_at += chrono::TimeDelta::days(100);
        assert_eq!(delivered(&share), None);
    }

    #[test]
    fn a_delivery_that_is_reported_before_the_sender_could_say_so_ends_the_sending() {
        let mail = share(&["a"]).mail;
        assert!(mail.pending().is_some());
        let delivered = mail.reported(DeliveryEvent::Delivered, time(NOW)).unwrap();
        assert_eq!((delivered.pending(), delivered.attempt), (None, 1));
    }

    #[test]
    fn the_first_report_of_a_state_says_since_when_and_why() {
        let sent = Mail { state: MailState::Sent, ..share(&["a"]).mail };
        let later = time(NOW) + chrono::TimeDelta::seconds(3);
        let bounced = DeliveryEvent::Bounced(Bounce::new("Permanent", "MailboxFull"));
        for (event, name, why) in [
            (DeliveryEvent::Delivered, "delivered", None),
            (
                DeliveryEvent::Rejected,
                "rejected",
                Some("the mail service found something harmful in the email"),
            ),
            (bounced, "bounced", Some("the mailbox is full")),
            (DeliveryEvent::Complained, "complained", None),
        ] {
            let mail = sent.reported(event, later).unwrap();
            assert_eq!((event.name(), mail.at, mail.detail.as_deref()), (name, Some(later), why));
            assert_eq!(mail.reported(event, later + chrono::TimeDelta::seconds(1)), None, "{name}");
        }
    }

    #[test]
    fn what_a_mail_server_says_is_told_in_words_of_ours() {
        let bounce = Bounce::new("Permanent", "NoEmail");
        assert_eq!(
            (bounce.bounce_type, bounce.detail),
            (BounceType::Permanent, "the address does not exist")
        );
        assert_eq!(Bounce::new("Transient", "MailboxFull").bounce_type, BounceType::Transient);
        assert_eq!(Bounce::new("Undetermined", "Undetermined").bounce_type, BounceType::Permanent);
        assert_eq!(Bounce::new("", "<ann@example.com>").detail, "the mail server refused the email");
    }

    proptest! {
        #[test]
        fn the_order_of_reports_makes_no_difference(order in Just([0_usize, 1, 2, 3, 4]).prop_shuffle(), count in 1_usize..=5) {
            let events = [
                DeliveryEvent::Delivered,
                DeliveryEvent::Bounced(Bounce::new("Transient", "General")),
                DeliveryEvent::Bounced(Bounce::new("Permanent", "General")),
                DeliveryEvent::Complained,
                DeliveryEvent::Rejected,
            ];
            let mut sent = share(&["a"]).mail;
            sent.state = MailState::Sent;
            let after = |order: &[usize]| {
                let apply = |mail: Mail, i: &usize| mail.reported(events[*i], time(NOW)).unwrap_or(mail);
                order.iter().fold(sent.clone(), apply)
            };
            let chosen = &order[..count];
            let mut sorted = chosen.to_vec();
            sorted.sort_unstable();
            prop_assert_eq!(after(chosen), after(&sorted));
            prop_assert_eq!(after(&[chosen, chosen].concat()), after(chosen));
        }
    }
}
