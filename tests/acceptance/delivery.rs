//! What SES reports of sent emails. No local emulator publishes its events, so the deployed function is invoked with
//! events of the documented shape; whether AWS delivers them is for AWS to show.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use sharelink_domain::Item;
use sharelink_domain::delivery::EmailId;

use crate::support::events::{CONFIGURATION_SET, ses_event};
use crate::support::pump::matches;
use crate::support::{Aws, Stack, TestItem, address, eventually, rfc3339};

/// An email of an item's share, as its tags name it.
async fn email(item: &TestItem<'_>, share: &str, attempt: u32) -> EmailId {
    let share = item.share_with_id(share).await;
    EmailId {
        item: Item { module: "jobs".parse().unwrap(), name: item.name.parse().unwrap() },
        share: share["shareId"].as_str().unwrap().parse().unwrap(),
        created_at: share["createdAt"].as_str().unwrap().parse().unwrap(),
        attempt,
    }
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

/// Reports an event, if the deployed rule lets it through.
async fn report(stack: &Stack, event: &Value) {
    let aws = Aws::of(stack);
    let deployed = aws.function_environment("NotifyRecipients").await["CONFIGURATION_SET"].clone();
    let event = event.to_string().replace(CONFIGURATION_SET, &deployed);
    let event: Value = serde_json::from_str(&event).unwrap();
    let rules = aws.call("events", "AWSEvents.ListRules", &json!({})).await;
    let rules = rules["Rules"].as_array().unwrap().iter();
    let patterns: Vec<Value> = rules
        .filter_map(|rule| serde_json::from_str(rule["EventPattern"].as_str()?).ok())
        .filter(|pattern: &Value| pattern["source"] == json!(["aws.ses"]))
        .collect();
    let kind = event["detail"]["eventType"].as_str().unwrap_or_default();
    let expected = ["Delivery", "Bounce", "Complaint"].contains(&kind);
    assert_eq!(patterns.iter().any(|pattern| matches(pattern, &event)), expected, "{patterns:?} and {event}");
    assert_eq!(aws.invoke("TrackDelivery", &event).await, Value::Null);
}

#[tokio::test]
async fn deliveries_bounces_and_complaints_become_the_state_of_the_email() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.shared_with(&address("ann")).await;
    let email = email(&item, &shared.id, 1).await;
    let version = item.share_with_id(&shared.id).await["version"].clone();
    let at = Utc::now();
    report(&stack, &ses_event(&email, "Delivery", at, &json!({"smtpResponse": "250 ok"}))).await;
    let mail = item.share_with_id(&shared.id).await["mail"].clone();
    assert_eq!(mail, json!({"state": "delivered", "at": rfc3339(at)}));

    let later = at + TimeDelta::minutes(1);
    report(&stack, &ses_event(&email, "Bounce", later, &bounce("Permanent", "NoEmail"))).await;
    let bounced = json!({"state": "bounced", "at": rfc3339(later), "detail": "the address does not exist"});
    assert_eq!(item.share_with_id(&shared.id).await["mail"], bounced);
    // Late, repeated and out of order.
    for event in [
        ses_event(&email, "Bounce", later, &bounce("Permanent", "NoEmail")),
        ses_event(&email, "Delivery", at, &json!({})),
        ses_event(&email, "Bounce", later, &bounce("Transient", "MailboxFull")),
    ] {
        report(&stack, &event).await;
        assert_eq!(item.share_with_id(&shared.id).await["mail"], bounced);
    }
    report(&stack, &ses_event(&email, "Complaint", later, &json!({"complaintFeedbackType": "abuse"}))).await;
    let share = item.share_with_id(&shared.id).await;
    assert_eq!((&share["mail"]["state"], &share["version"]), (&json!("complained"), &version));

    let log = item.log_of(5).await;
    let events: Vec<&str> = log.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["created", "emailed", "delivered", "bounced", "complained"]);
    assert_eq!(log[3]["detail"], "the address does not exist");
}

#[tokio::test]
async fn an_old_bounce_does_not_overwrite_a_resend() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let recipient = address("ann");
    let shared = item.shared_with(&recipient).await;
    let first = email(&item, &shared.id, 1).await;
    clock.stop_at(Utc::now() + TimeDelta::minutes(6));
    let resent = item.call(reqwest::Method::POST, &format!("/{}/resend", shared.id)).await;
    assert_eq!(resent.status, 202);
    item.mail_to(&recipient).await;
    let before = item.share_with_id(&shared.id).await;
    report(&stack, &ses_event(&first, "Bounce", Utc::now(), &bounce("Permanent", "General"))).await;
    // Nor does one of an earlier share of the same address.
    let mut earlier = EmailId { attempt: 2, ..first.clone() };
    earlier.created_at -= TimeDelta::days(100);
    report(&stack, &ses_event(&earlier, "Bounce", Utc::now(), &bounce("Permanent", "General"))).await;
    assert_eq!(item.share_with_id(&shared.id).await, before);
    let second = EmailId { attempt: 2, ..first };
    report(&stack, &ses_event(&second, "Delivery", Utc::now(), &json!({}))).await;
    assert_eq!(item.share_with_id(&shared.id).await["mail"]["state"], "delivered");
}

#[tokio::test]
async fn what_is_no_report_on_an_email_of_ours_is_ignored() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.shared_with(&address("ann")).await;
    let email = email(&item, &shared.id, 1).await;
    let before = item.share_with_id(&shared.id).await;
    let mut foreign = ses_event(&email, "Bounce", Utc::now(), &bounce("Permanent", "General"));
    foreign["detail"]["mail"]["tags"] = json!({"ses:configuration-set": [CONFIGURATION_SET]});
    let unknown = EmailId { share: "00000000000000000000000000000000".parse().unwrap(), ..email.clone() };
    for odd in [
        ses_event(&email, "DeliveryDelay", Utc::now(), &json!({"delayType": "MailboxFull"})),
        ses_event(&unknown, "Delivery", Utc::now(), &json!({})),
        foreign,
        json!({"source": "aws.ses", "detail": {}}),
        json!([]),
    ] {
        report(&stack, &odd).await;
    }
    assert_eq!(item.share_with_id(&shared.id).await, before);
    let logs = eventually("the log lines", || async {
        Some(Aws::of(&stack).logs().await).filter(|logs| {
            logs.contains("not about a Sharelink email") && logs.contains("not a valid SES event")
        })
    })
    .await;
    assert!(!logs.contains("secret-recipient"), "an address is in the logs");
}
