//! SES's events, as `EventBridge` delivers them.
//!
//! Nothing that they say of addresses, and nothing that a mail server answered, goes any further.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;
use sharelink_domain::Timestamp;
use sharelink_domain::delivery::{Bounce, DeliveryEvent, EmailId};

/// What SES reports of one of our emails.
#[derive(Debug, PartialEq)]
pub(crate) struct Report {
    pub(crate) email: EmailId,
    pub(crate) event: DeliveryEvent,
    pub(crate) at: Timestamp,
}

/// Why an event is not a report on one of our emails.
#[derive(Debug, PartialEq)]
pub(crate) enum IgnoredEvent {
    /// It does not look like an event of SES.
    Unreadable,
    /// Another kind of event.
    Kind,
    /// Its tags name no email of ours.
    Tags,
}

impl fmt::Display for IgnoredEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "it cannot be read as an event of SES",
            Self::Kind => "it is of a kind that says nothing of an email's fate",
            Self::Tags => "it is not about an email of ours",
        })
    }
}

#[derive(Deserialize)]
struct Event {
    detail: Detail,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    event_type: String,
    mail: MailOfEvent,
    delivery: Option<At>,
    bounce: Option<BounceOfEvent>,
    complaint: Option<At>,
}

#[derive(Deserialize)]
struct MailOfEvent {
    timestamp: Timestamp,
    #[serde(default)]
    tags: HashMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct At {
    timestamp: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BounceOfEvent {
    timestamp: Timestamp,
    bounce_type: String,
    #[serde(default)]
    bounce_sub_type: String,
}

impl Report {
    pub(crate) fn read(event: Value) -> Result<Self, IgnoredEvent> {
        let Event { detail } = serde_json::from_value(event).map_err(|_| IgnoredEvent::Unreadable)?;
        let (event, at) = match (detail.event_type.as_str(), detail.delivery, detail.bounce, detail.complaint)
        {
            ("Delivery", Some(delivery), ..) => (DeliveryEvent::Delivered, delivery.timestamp),
            ("Bounce", _, Some(bounce), _) => {
                let event = DeliveryEvent::Bounced(Bounce::new(&bounce.bounce_type, &bounce.bounce_sub_type));
                (event, bounce.timestamp)
            }
            ("Complaint", .., Some(complaint)) => (DeliveryEvent::Complained, complaint.timestamp),
            // It says no more than when the email was sent.
            ("Reject", ..) => (DeliveryEvent::Rejected, detail.mail.timestamp),
            ("Delivery" | "Bounce" | "Complaint", ..) => return Err(IgnoredEvent::Unreadable),
            _ => return Err(IgnoredEvent::Kind),
        };
        let tag = |name: &str| detail.mail.tags.get(name)?.first().map(String::as_str);
        let email = EmailId::from_tags(tag).ok_or(IgnoredEvent::Tags)?;
        Ok(Self { email, event, at: sharelink_domain::to_millis(at) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sharelink_domain::mail::BounceType;

    use super::*;

    /// As the documentation of SES shows them, addresses and answers of mail servers included.
    fn event(event_type: &str, name: &str, body: &Value) -> Value {
        json!({
            "version": "0", "id": "12a18625-3cf2-fd85-c1cb-0ed6e1b3f8ac", "detail-type": "Email Bounced",
            "source": "aws.ses", "account": "123456789012", "time": "2026-03-10T12:00:05Z", "region": "us-east-1",
            "resources": ["arn:aws:ses:us-east-1:123456789012:configuration-set/Emails"],
            "detail": {
                "eventType": event_type,
                name: body,
                "mail": {
                    "timestamp": "2026-03-10T12:00:00.000Z", "source": "no-reply@example.com",
                    "sendingAccountId": "123456789012", "messageId": "EXAMPLE7c191be45",
                    "destination": ["ann@example.com"], "headersTruncated": false, "headers": [],
                    "tags": {
                        "ses:configuration-set": ["Emails"], "ses:from-domain": ["example.com"],
                        "module": ["am9icw"], "item": ["MTA0Mg"], "share": ["877fab806afa6fcb1a85617f9ffe0709"],
                        "created": ["1773144000000"], "attempt": ["2"],
                    },
                },
            },
        })
    }

    fn bounce() -> Value {
        json!({
            "feedbackId": "01000157c44f053b", "bounceType": "Permanent", "bounceSubType": "General",
            "bouncedRecipients": [{
                "emailAddress": "ann@example.com", "action": "failed", "status": "5.1.1",
                "diagnosticCode": "smtp; 550 5.1.1 <ann@example.com>: user unknown",
            }],
            "timestamp": "2026-03-10T12:00:01.123Z", "reportingMTA": "dsn; mta.example.com",
        })
    }

    #[test]
    fn the_events_of_ses_are_read_as_they_are_documented() {
        let report = Report::read(event("Bounce", "bounce", &bounce())).unwrap();
        assert_eq!((report.email.item.to_string(), report.email.attempt), ("jobs/1042".to_owned(), 2));
        assert!(
            matches!(report.event, DeliveryEvent::Bounced(bounce) if bounce.bounce_type == BounceType::Permanent)
        );
        assert_eq!(report.at, "2026-03-10T12:00:01.123Z".parse::<Timestamp>().unwrap());
        assert!(!format!("{report:?}").contains("ann"));

        let delivery = json!({
            "timestamp": "2026-03-10T12:00:02Z", "processingTimeMillis": 546, "recipients": ["ann@example.com"],
            "smtpResponse": "250 2.6.0 Message received", "reportingMTA": "mta.example.com",
        });
        assert_eq!(
            Report::read(event("Delivery", "delivery", &delivery)).unwrap().event,
            DeliveryEvent::Delivered
        );
        let complaint = json!({
            "complainedRecipients": [{"emailAddress": "ann@example.com"}], "timestamp": "2026-03-10T13:00:00Z",
            "feedbackId": "01000157c44f053b", "complaintFeedbackType": "abuse",
        });
        assert_eq!(
            Report::read(event("Complaint", "complaint", &complaint)).unwrap().event,
            DeliveryEvent::Complained
        );
        let reject = Report::read(event("Reject", "reject", &json!({"reason": "Bad content"}))).unwrap();
        assert_eq!(
            (reject.event, reject.at),
            (DeliveryEvent::Rejected, "2026-03-10T12:00:00Z".parse().unwrap())
        );
    }

    #[test]
    fn what_is_no_report_is_told_apart() {
        for (event_type, name, body) in
            [("Send", "send", json!({})), ("DeliveryDelay", "deliveryDelay", json!({}))]
        {
            assert_eq!(Report::read(event(event_type, name, &body)), Err(IgnoredEvent::Kind), "{event_type}");
        }
        let mut foreign = event("Bounce", "bounce", &bounce());
        foreign["detail"]["mail"]["tags"] = json!({"ses:configuration-set": ["Emails"]});
        assert_eq!(Report::read(foreign), Err(IgnoredEvent::Tags));
        for odd in [
            json!(null),
            json!({}),
            json!({"detail": 1}),
            event("Bounce", "delivery", &json!({"timestamp": "x"})),
        ] {
            assert_eq!(Report::read(odd), Err(IgnoredEvent::Unreadable));
        }
        assert_eq!(Report::read(event("Bounce", "bounced", &bounce())), Err(IgnoredEvent::Unreadable));
    }
}
