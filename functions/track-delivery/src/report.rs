//! Delivery reports, parsed from the SES events that `EventBridge` delivers.
//!
//! A report contains no addresses or mail server responses. Both are personal data, so parsing drops them.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;
use sharelink_domain::Timestamp;
use sharelink_domain::delivery::{Bounce, DeliveryEvent, EmailId, KIND_TAG};
use sharelink_domain::sending::MailKind;

/// A report from SES about a Sharelink email.
#[derive(Debug, PartialEq)]
pub(crate) struct DeliveryReport {
    pub(crate) email: EmailId,
    pub(crate) event: DeliveryEvent,
    pub(crate) at: Timestamp,
}

/// The reason an event is ignored.
#[derive(Debug, PartialEq)]
pub(crate) enum IgnoredEvent {
    /// The event does not have the structure of an SES event.
    Malformed,
    /// The event type does not affect the email state.
    UnusedType,
    /// The feedback is not about spam.
    NotSpam,
    /// The email is a digest, whose delivery is recorded nowhere but in the log.
    Digest,
    /// The tags do not identify a Sharelink email.
    UnknownEmail,
}

impl fmt::Display for IgnoredEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a valid SES event",
            Self::UnusedType => "an event type that does not affect the email state",
            Self::NotSpam => "feedback that is not about spam",
            Self::Digest => "about a digest to a sharer",
            Self::UnknownEmail => "not about a Sharelink email",
        })
    }
}

#[derive(Deserialize)]
struct Event {
    detail: EventDetail,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventDetail {
    event_type: String,
    mail: MailFields,
    delivery: Option<DeliveryFields>,
    bounce: Option<BounceFields>,
    complaint: Option<ComplaintFields>,
}

#[derive(Deserialize)]
struct MailFields {
    timestamp: Timestamp,
    #[serde(default)]
    tags: HashMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct DeliveryFields {
    timestamp: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BounceFields {
    timestamp: Timestamp,
    bounce_type: String,
    #[serde(default)]
    bounce_sub_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ComplaintFields {
    timestamp: Timestamp,
    complaint_sub_type: Option<String>,
    complaint_feedback_type: Option<String>,
}

impl DeliveryReport {
    pub(crate) fn parse(event: Value) -> Result<Self, IgnoredEvent> {
        let Event { detail } = serde_json::from_value(event).map_err(|_| IgnoredEvent::Malformed)?;
        let (event, at) = match (detail.event_type.as_str(), detail.delivery, detail.bounce, detail.complaint)
        {
            ("Delivery", Some(delivery), ..) => (DeliveryEvent::Delivered, delivery.timestamp),
            ("Bounce", _, Some(bounce), _) => {
                let event = DeliveryEvent::Bounced(Bounce::new(&bounce.bounce_type, &bounce.bounce_sub_type));
                (event, bounce.timestamp)
            }
            ("Complaint", .., Some(complaint)) => {
                let subtype = complaint.complaint_sub_type.as_deref();
                let feedback = complaint.complaint_feedback_type.as_deref();
                let event = DeliveryEvent::from_complaint(subtype, feedback).ok_or(IgnoredEvent::NotSpam)?;
                (event, complaint.timestamp)
            }
            // A rejection has no timestamp, so use the time at which the email was sent.
            ("Reject", ..) => (DeliveryEvent::Rejected, detail.mail.timestamp),
            ("Delivery" | "Bounce" | "Complaint", ..) => return Err(IgnoredEvent::Malformed),
            _ => return Err(IgnoredEvent::UnusedType),
        };
        let tag = |name: &str| detail.mail.tags.get(name)?.first().map(String::as_str);
        if tag(KIND_TAG) == Some(MailKind::Digest.name()) {
            return Err(IgnoredEvent::Digest);
        }
        let email = EmailId::from_tags(tag).ok_or(IgnoredEvent::UnknownEmail)?;
        Ok(Self { email, event, at: sharelink_domain::truncate_to_millis(at) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sharelink_domain::mail::BounceType;

    use super::*;

    /// Creates an event like those in the SES documentation, including the addresses and mail server
    /// responses.
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
    fn documented_bounce_is_parsed() {
        let report = DeliveryReport::parse(event("Bounce", "bounce", &bounce())).unwrap();
        assert_eq!(report.email.item.to_string(), "jobs/1042");
        assert_eq!(report.email.attempt, 2);
        assert!(
            matches!(report.event, DeliveryEvent::Bounced(bounce) if bounce.bounce_type == BounceType::Permanent)
        );
        assert_eq!(report.at, "2026-03-10T12:00:01.123Z".parse::<Timestamp>().unwrap());
    }

    #[test]
    fn report_about_a_digest_is_ignored() {
        let mut digest = event("Bounce", "bounce", &bounce());
        digest["detail"]["mail"]["tags"] = json!({"ses:configuration-set": ["Emails"], "kind": ["digest"]});
        assert_eq!(DeliveryReport::parse(digest), Err(IgnoredEvent::Digest));
    }

    #[test]
    fn report_contains_no_addresses() {
        let report = DeliveryReport::parse(event("Bounce", "bounce", &bounce())).unwrap();
        assert!(!format!("{report:?}").contains("ann"));
    }

    #[test]
    fn documented_delivery_is_parsed() {
        let delivery = json!({
            "timestamp": "2026-03-10T12:00:02Z", "processingTimeMillis": 546, "recipients": ["ann@example.com"],
            "smtpResponse": "250 2.6.0 Message received", "reportingMTA": "mta.example.com",
        });
        let report = DeliveryReport::parse(event("Delivery", "delivery", &delivery)).unwrap();
        assert_eq!(report.event, DeliveryEvent::Delivered);
    }

    #[test]
    fn documented_complaint_is_parsed() {
        let complaint = json!({
            "complainedRecipients": [{"emailAddress": "ann@example.com"}], "timestamp": "2026-03-10T13:00:00Z",
            "feedbackId": "01000157c44f053b", "complaintFeedbackType": "abuse",
        });
        let report = DeliveryReport::parse(event("Complaint", "complaint", &complaint)).unwrap();
        assert_eq!(report.event, DeliveryEvent::Complained);
    }

    #[test]
    fn complaint_about_a_suppressed_address_is_a_bounce() {
        let complaint = json!({
            "complainedRecipients": [{"emailAddress": "ann@example.com"}], "timestamp": "2026-03-10T13:00:00Z",
            "feedbackId": "01000157c44f053b", "complaintSubType": "OnAccountSuppressionList",
        });
        let report = DeliveryReport::parse(event("Complaint", "complaint", &complaint)).unwrap();
        assert!(matches!(report.event, DeliveryEvent::Bounced(_)), "{:?}", report.event);
    }

    #[test]
    fn feedback_that_an_email_is_not_spam_is_ignored() {
        let complaint = json!({
            "timestamp": "2026-03-10T13:00:00Z", "complaintSubType": null, "complaintFeedbackType": "not-spam",
        });
        let parsed = DeliveryReport::parse(event("Complaint", "complaint", &complaint));
        assert_eq!(parsed, Err(IgnoredEvent::NotSpam));
    }

    #[test]
    fn rejection_gets_the_time_the_email_was_sent() {
        let rejection = json!({"reason": "Bad content"});
        let report = DeliveryReport::parse(event("Reject", "reject", &rejection)).unwrap();
        assert_eq!(report.event, DeliveryEvent::Rejected);
        assert_eq!(report.at, "2026-03-10T12:00:00Z".parse::<Timestamp>().unwrap());
    }

    #[test]
    fn unused_event_type_is_ignored() {
        for (event_type, name) in [("Send", "send"), ("DeliveryDelay", "deliveryDelay")] {
            let parsed = DeliveryReport::parse(event(event_type, name, &json!({})));
            assert_eq!(parsed, Err(IgnoredEvent::UnusedType), "{event_type}");
        }
    }

    #[test]
    fn event_about_an_unknown_email_is_ignored() {
        let mut event = event("Bounce", "bounce", &bounce());
        event["detail"]["mail"]["tags"] = json!({"ses:configuration-set": ["Emails"]});
        assert_eq!(DeliveryReport::parse(event), Err(IgnoredEvent::UnknownEmail));
    }

    #[test]
    fn malformed_event_is_ignored() {
        for malformed in [
            json!(null),
            json!({}),
            json!({"detail": 1}),
            event("Bounce", "delivery", &json!({"timestamp": "x"})),
            event("Bounce", "bounced", &bounce()),
        ] {
            let parsed = DeliveryReport::parse(malformed.clone());
            assert_eq!(parsed, Err(IgnoredEvent::Malformed), "{malformed}");
        }
    }
}
