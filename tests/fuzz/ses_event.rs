//! Every SES event is either parsed or ignored, and the parsed report never contains an email address.

#![no_main]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a fuzz target fails by a panic")]

mod json_input;
#[allow(dead_code)]
#[path = "../../functions/track-delivery/src/report.rs"]
mod report;

use std::sync::LazyLock;

use json_input::JsonInput;
use libfuzzer_sys::fuzz_target;
use report::DeliveryReport;
use serde_json::{Value, json};
use sharelink_domain::delivery::EmailId;

static SAMPLE_EVENT: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "detail-type": "Email Bounced",
        "detail": {
            "eventType": "Bounce",
            "bounce": {
                "bounceType": "Permanent", "bounceSubType": "General",
                "timestamp": "2026-03-10T12:00:01.123Z",
                "bouncedRecipients": [
                    {"emailAddress": "ann@example.com", "diagnosticCode": "<ann@example.com>"},
                ],
            },
            "delivery": {"timestamp": "2026-03-10T12:00:02Z", "smtpResponse": "250 ann@example.com"},
            "complaint": {"timestamp": "2026-03-10T13:00:00Z"},
            "mail": {
                "timestamp": "2026-03-10T12:00:00.000Z", "destination": ["ann@example.com"],
                "tags": {
                    "module": ["am9icw"], "item": ["MTA0Mg"], "share": ["877fab806afa6fcb1a85617f9ffe0709"],
                    "created": ["1773144000000"], "attempt": ["2"],
                },
            },
            "others": ["Delivery", "Bounce", "Complaint", "Reject", "Transient", "MailboxFull"],
        },
    })
});

fuzz_target!(
    init: assert!(DeliveryReport::parse(SAMPLE_EVENT.clone()).is_ok(), "the sample event was rejected"),
    |json: JsonInput| {
        let Ok(event) = serde_json::from_slice(&json.into_bytes(&SAMPLE_EVENT)) else { return };
        let Ok(report) = DeliveryReport::parse(event) else { return };
        assert!(!format!("{report:?}").contains('@'), "the report contains an address");
        // The message tags identify the email.
        let tags = report.email.to_tags();
        let tag = |name: &str| tags.iter().find(|tag| tag.0 == name).map(|tag| tag.1.as_str());
        assert_eq!(EmailId::from_tags(tag), Some(report.email.clone()));
    }
);
