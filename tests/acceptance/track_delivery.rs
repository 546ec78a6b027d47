//! SES's reports on sent emails. No local emulator publishes SES events, so these tests invoke the deployed
//! function with events in the documented format. Only a deployment to AWS can show that AWS delivers the
//! events.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use sharelink_domain::delivery::EmailId;

use crate::support::event_source_mapping::matches_pattern;
use crate::support::events::{CONFIGURATION_SET, ses_event};
use crate::support::fixtures::job;
use crate::support::{Aws, Stack, TestItem, address, eventually, rfc3339};

/// Returns the id of a share's email with the given attempt number.
async fn read_email_id(item: &TestItem<'_>, share_id: &str, attempt: u32) -> EmailId {
    let share = item.get_share(share_id).await;
    EmailId {
        item: job(&item.name),
        share: share_id.parse().unwrap(),
        created_at: share["createdAt"].as_str().unwrap().parse().unwrap(),
        attempt,
        is_reminder: false,
    }
}

/// Returns a share's email state, with its time and reason.
async fn read_mail(item: &TestItem<'_>, share_id: &str) -> Value {
    item.get_share(share_id).await["mail"].clone()
}

fn bounce(bounce_type: &str, subtype: &str) -> Value {
    json!({
        "bounceType": bounce_type, "bounceSubType": subtype, "feedbackId": "01000157c44f053b",
        "bouncedRecipients": [{
            "emailAddress": "secret-recipient@example.com", "action": "failed", "status": "5.1.1",
            "diagnosticCode": "smtp; 550 5.1.1 <secret-recipient@example.com>: user unknown",
        }],
    })
}

/// Asserts that the deployed rule matches the event if and only if its type is relevant. Then invokes
/// `track-delivery` with the event in either case.
async fn report(stack: &Stack, event: &Value) {
    let aws = Aws::new(stack);
    let deployed_set = aws.function_environment("NotifyRecipients").await["CONFIGURATION_SET"].clone();
    let text = event.to_string().replace(CONFIGURATION_SET, &deployed_set);
    let deployed_event: Value = serde_json::from_str(&text).unwrap();
    let rules = aws.call("events", "AWSEvents.ListRules", &json!({})).await;
    let patterns: Vec<Value> = rules["Rules"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|rule| serde_json::from_str(rule["EventPattern"].as_str()?).ok())
        .filter(|pattern: &Value| pattern["source"] == json!(["aws.ses"]))
        .collect();
    let event_type = deployed_event["detail"]["eventType"].as_str().unwrap_or_default();
    let expects_match = ["Delivery", "Bounce", "Complaint"].contains(&event_type);
    let is_match = patterns.iter().any(|pattern| matches_pattern(pattern, &deployed_event));
    assert_eq!(is_match, expects_match, "{patterns:?} and {deployed_event}");
    assert_eq!(aws.invoke("TrackDelivery", &deployed_event).await, Value::Null);
}

#[tokio::test]
async fn ses_reports_set_the_email_state() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;
    let email = read_email_id(&item, &shared.id, 1).await;
    let version = item.get_share(&shared.id).await["version"].clone();

    let at = Utc::now();
    report(&stack, &ses_event(&email, "Delivery", at, &json!({"smtpResponse": "250 ok"}))).await;
    assert_eq!(read_mail(&item, &shared.id).await, json!({"state": "delivered", "at": rfc3339(at)}));

    let later = at + TimeDelta::minutes(1);
    report(&stack, &ses_event(&email, "Bounce", later, &bounce("Permanent", "NoEmail"))).await;
    let bounced = json!({
        "state": "bounced", "at": rfc3339(later), "reason": "addressUnknown",
        "detail": "the address does not exist",
    });
    assert_eq!(read_mail(&item, &shared.id).await, bounced);

    // Repeated, reordered and less severe reports change nothing.
    for event in [
        ses_event(&email, "Bounce", later, &bounce("Permanent", "NoEmail")),
        ses_event(&email, "Delivery", at, &json!({})),
        ses_event(&email, "Bounce", later, &bounce("Transient", "MailboxFull")),
    ] {
        report(&stack, &event).await;
        assert_eq!(read_mail(&item, &shared.id).await, bounced);
    }

    report(&stack, &ses_event(&email, "Complaint", later, &json!({"complaintFeedbackType": "abuse"}))).await;
    let complained = item.get_share(&shared.id).await;
    assert_eq!(complained["mail"]["state"], "complained");
    assert_eq!(complained["version"], version, "a report does not change the share's version");

    let log = item.wait_for_log(5).await;
    let events: Vec<&str> = log.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["created", "emailed", "delivered", "bounced", "complained"]);
    assert_eq!(log[3]["reason"], "addressUnknown");
    assert_eq!(log[3]["detail"], "the address does not exist");
}

#[tokio::test]
async fn complaint_about_a_suppressed_address_is_a_bounce() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;
    let email = read_email_id(&item, &shared.id, 1).await;

    let at = Utc::now();
    let suppressed = json!({
        "complainedRecipients": [{"emailAddress": "secret-recipient@example.com"}],
        "complaintSubType": "OnAccountSuppressionList", "feedbackId": "01000157c44f053b",
    });
    report(&stack, &ses_event(&email, "Complaint", at, &suppressed)).await;

    let detail = "not sent, because an earlier email to the address bounced or was reported as spam";
    let bounced =
        json!({"state": "bounced", "at": rfc3339(at), "reason": "addressSuppressed", "detail": detail});
    assert_eq!(read_mail(&item, &shared.id).await, bounced);
    let log = item.wait_for_log(3).await;
    assert_eq!(log[2]["event"], "bounced");
    assert_eq!(log[2]["detail"], detail);
}

#[tokio::test]
async fn feedback_that_an_email_is_not_spam_changes_nothing() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;
    let email = read_email_id(&item, &shared.id, 1).await;
    let at = Utc::now();
    report(&stack, &ses_event(&email, "Delivery", at, &json!({}))).await;
    let before = item.get_share(&shared.id).await;

    for feedback in ["not-spam", "auth-failure"] {
        let complaint = json!({"complaintSubType": null, "complaintFeedbackType": feedback});
        report(&stack, &ses_event(&email, "Complaint", at + TimeDelta::minutes(1), &complaint)).await;
        assert_eq!(item.get_share(&shared.id).await, before, "{feedback}");
    }
}

#[tokio::test]
async fn report_on_an_earlier_email_is_ignored() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let recipient = address("ann");
    let shared = item.share_with(&recipient).await;
    let first = read_email_id(&item, &shared.id, 1).await;
    clock.stop_at(Utc::now() + TimeDelta::minutes(6));
    let resent = item.call(reqwest::Method::POST, &format!("/{}/resend", shared.id)).await;
    resent.assert_status(202);
    item.wait_for_email(&recipient).await;
    let before = item.get_share(&shared.id).await;

    report(&stack, &ses_event(&first, "Bounce", Utc::now(), &bounce("Permanent", "General"))).await;
    // This email belongs to a purged share that had the same item and address.
    let mut of_purged_share = EmailId { attempt: 2, ..first.clone() };
    of_purged_share.created_at -= TimeDelta::days(100);
    report(&stack, &ses_event(&of_purged_share, "Bounce", Utc::now(), &bounce("Permanent", "General"))).await;
    assert_eq!(item.get_share(&shared.id).await, before);

    let second = EmailId { attempt: 2, ..first };
    report(&stack, &ses_event(&second, "Delivery", Utc::now(), &json!({}))).await;
    assert_eq!(read_mail(&item, &shared.id).await["state"], "delivered");
}

#[tokio::test]
async fn unrelated_events_are_ignored_and_logged() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;
    let email = read_email_id(&item, &shared.id, 1).await;
    let before = item.get_share(&shared.id).await;
    let mut without_tags = ses_event(&email, "Bounce", Utc::now(), &bounce("Permanent", "General"));
    without_tags["detail"]["mail"]["tags"] = json!({"ses:configuration-set": [CONFIGURATION_SET]});
    let unknown_share =
        EmailId { share: "00000000000000000000000000000000".parse().unwrap(), ..email.clone() };

    for event in [
        ses_event(&email, "DeliveryDelay", Utc::now(), &json!({"delayType": "MailboxFull"})),
        ses_event(&unknown_share, "Delivery", Utc::now(), &json!({})),
        without_tags,
        json!({"source": "aws.ses", "detail": {}}),
        json!([]),
    ] {
        report(&stack, &event).await;
    }

    assert_eq!(item.get_share(&shared.id).await, before);
    let logs = eventually("the log lines", || async {
        Some(Aws::new(&stack).logs().await).filter(|logs| {
            logs.contains("not about a Sharelink email") && logs.contains("not a valid SES event")
        })
    })
    .await;
    assert!(!logs.contains("secret-recipient"), "the logs contain an address");
}
