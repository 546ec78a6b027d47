//! LinkBuilder, tokens and addresses stay where they belong.

use std::collections::BTreeSet;

use chrono::{TimeDelta, Utc};
use reqwest::RequestBuilder;
use serde_json::json;

use crate::support::leaks::leak;
use crate::support::{Answer, Aws, Stack, TestItem, address, eventually, next_week, unique};

#[tokio::test]
async fn a_link_is_nowhere_but_in_its_email() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::with_files(&stack, &["a.txt", "b.txt"]).await;
    let aws = Aws::of(&stack);
    let gone_before = lines_of(&aws.logs().await, "\"status\":410");
    let recipient = address("leak");
    let shared = item.shared_with(&recipient).await;
    let token = shared.link.rsplit('/').next().unwrap().to_owned();
    // Every way to use it, and to fail with it.
    stack.open(&shared.link).await;
    stack.client.head(&shared.link).send().await.unwrap();
    stack.download(&format!("{}/files/1", shared.link)).await;
    stack.open(&format!("{}/files/9", shared.link)).await;
    stack.open(&format!("{}x", shared.link)).await;
    let key = unique("key");
    let key = |request: RequestBuilder| request.bearer_auth(&item.token).header("Idempotency-Key", &key);
    let copied = Answer::to(key(stack.client.post(item.url(&format!("/{}/link", shared.id))))).await;
    assert!(copied.text.contains(&token));
    let resend = || Answer::to(key(stack.client.post(item.url(&format!("/{}/resend", shared.id)))));
    assert_eq!(resend().await.status, 429);
    clock.stop_at(Utc::now() + TimeDelta::minutes(6));
    let sent_again = resend().await;
    assert_eq!(sent_again.status, 202);
    item.mail_to(&recipient).await;
    let changed = key(stack.client.patch(item.url(&format!("/{}", shared.id)))).header("If-Match", "*");
    let changed = Answer::to(changed.json(&json!({"expiresAt": next_week()}))).await;
    assert_eq!(changed.status, 200);
    let again = json!({"recipients": [recipient], "expiresAt": next_week()});
    let again = Answer::to(key(stack.client.post(item.url(""))).json(&again)).await;
    assert_eq!(again.status, 409);
    let list = item.get("").await.text;
    let read = item.get(&format!("/{}", shared.id)).await.text;
    let revoked = item.revoke(&shared.id).await.text;
    let gone = stack.open(&shared.link).await;
    assert_eq!(gone.status, 410);
    item.share(&[&recipient]).await;
    item.share(&["nobody <nobody@example.com>"]).await;

    let (table, stream) = (aws.scan().await, json!(aws.stream_records().await).to_string());
    // The log of the last redemption above has arrived, so those before it have.
    let logs = eventually("the log", || async {
        Some(aws.logs().await).filter(|logs| lines_of(logs, "\"status\":410") > gone_before)
    })
    .await;
    // Each place was really read.
    for (place, text) in [("table", &table), ("stream", &stream)] {
        assert!(text.contains(&recipient), "nothing of this test in the {place}");
    }
    for route in ["GET /s/{token}", "POST /modules/{module}/items/{item}/shares", "an email was handled"] {
        assert!(logs.contains(route), "{route} is not in the logs");
    }
    // The tail is enough to look for: where a part of a link is, there is a leak.
    let tail = &token[token.len() - 20..];
    let places = [
        ("table", &table),
        ("stream", &stream),
        ("logs", &logs),
        ("resent share", &sent_again.text),
        ("changed share", &changed.text),
        ("create", &again.text),
        ("list", &list),
        ("share", &read),
        ("revoked share", &revoked),
        ("page", &gone.text),
    ];
    for (place, text) in places {
        assert!(!text.contains(tail), "the link is in the {place}");
        assert!(!text.contains("X-Amz-Signature"), "a signed URL is in the {place}");
    }
    // Of this test and of all that have run so far, metrics included.
    assert!(logs.contains("CloudWatchMetrics"), "no metrics are in the logs");
    for line in logs.lines() {
        assert_eq!(leak(line), None, "{line}");
    }
    assert!(!logs.contains("nobody") && !logs.contains(&item.token), "a caller's secret is in the logs");
}

fn lines_of(logs: &str, part: &str) -> usize {
    logs.lines().filter(|line| line.contains(part)).count()
}

/// The emulator writes no access log, so the template itself is what can be checked: it may name nothing that
/// holds a path, a query or a header.
#[test]
fn the_access_log_names_no_path() {
    let template = include_str!("../../infra/template.yaml");
    let named: BTreeSet<&str> = template
        .split("$context.")
        .skip(1)
        .map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').next().unwrap())
        .collect();
    assert_eq!(
        named,
        BTreeSet::from(["error.message", "requestId", "responseLatency", "routeKey", "status"])
    );
}
