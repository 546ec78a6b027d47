//! The share log has one entry per event, with the event's actor and time, even if stream records are
//! redelivered or reordered.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::{Value, json};
use sharelink_domain::log::LogEvent;

use crate::support::events::open_event;
use crate::support::{Aws, Stack, TestItem, World, address, next_week, rfc3339};

const PUT: &str = "DynamoDB_20120810.PutItem";

fn events(log: &[Value]) -> Vec<&str> {
    log.iter().map(|entry| entry["event"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_event_is_logged_with_actor_and_time() {
    let (stack, clock) = Stack::with_short_retention().await;
    let item = TestItem::new(&stack).await;
    let start = Utc::now();
    let recipient = address("ann");
    let shared = item.share_with(&recipient).await;
    item.wait_for_log(2).await;
    stack.open(&shared.link).await.assert_status(302);
    item.call(Method::POST, &format!("/{}/link", shared.id)).await;
    clock.stop_at(start + TimeDelta::minutes(6));
    item.call(Method::POST, &format!("/{}/resend", shared.id)).await.assert_status(202);
    item.wait_for_log(7).await;
    clock.stop_at(start + TimeDelta::minutes(6) + TimeDelta::seconds(30));
    item.revoke(&shared.id).await;
    clock.stop_at(start + TimeDelta::minutes(7));
    let expiry = rfc3339(start + TimeDelta::hours(1));
    let changed = item.patch(&shared.id, Some("*"), &json!({"expiresAt": expiry})).await;
    changed.assert_status(200);
    item.wait_for_log(10).await;
    // When the clock passes the expiry, the local stack's TTL deletes the expiry alarm. The deletion invokes
    // the sweeper.
    clock.stop_at(start + TimeDelta::hours(2));
    let log = item.wait_for_log(11).await;

    let expected = [
        "created",
        "emailed",
        "opened",
        "downloaded",
        "linkCopied",
        "resent",
        "emailed",
        "revoked",
        "expirationChanged",
        "reactivated",
        "expired",
    ];
    assert_eq!(events(&log), expected);
    let by_sharer = ["created", "linkCopied", "resent", "revoked", "expirationChanged", "reactivated"];
    for entry in &log {
        assert_eq!(entry["shareId"], shared.id);
        assert_eq!(entry["recipient"], recipient);
        let expects_sharer = by_sharer.contains(&entry["event"].as_str().unwrap());
        assert_eq!(entry["by"]["name"] == "Tess Tester", expects_sharer, "{entry}");
        assert_eq!(entry.get("by").is_some(), expects_sharer, "{entry}");
    }
    let changed_to: DateTime<Utc> = log[8]["to"].as_str().unwrap().parse().unwrap();
    assert_eq!(changed_to, expiry.parse::<DateTime<Utc>>().unwrap());
    assert_eq!(log[10]["at"], expiry);

    // When the retention period ends, the share is purged.
    clock.stop_at(start + TimeDelta::hours(26));
    assert_eq!(events(&item.wait_for_log(12).await)[11], "purged");
    stack.open(&shared.link).await.assert_status(404);

    // A new share for the same address gets the same id and a new link.
    let again = item.share_until(&recipient, &rfc3339(start + TimeDelta::days(9))).await;
    assert_eq!(again.id, shared.id);
    assert_ne!(again.link, shared.link);
    stack.open(&again.link).await.assert_status(302);
    stack.open(&shared.link).await.assert_status(404);
}

#[tokio::test]
async fn concurrent_uses_are_logged_separately() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.txt", "b.txt"]).await;
    let shared = item.share_with(&address("ann")).await;
    let file = format!("{}/files/2", shared.link);

    let opens = join_all((0..10).map(|_| stack.open(&shared.link)));
    let downloads = join_all((0..5).map(|_| stack.open(&file)));
    join(opens, downloads).await;

    let log = item.wait_for_log(17).await;
    let count = |event| events(&log).iter().filter(|logged| **logged == event).count();
    assert_eq!(log.len(), 17);
    assert_eq!(count("opened"), 10);
    assert_eq!(count("downloaded"), 5);
}

#[tokio::test]
async fn redelivered_and_reordered_changes_are_logged_once() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), TimeDelta::hours(1)).await;
    world.run_notify().await;
    world.advance(TimeDelta::hours(2));
    world.expire_in(&share, TimeDelta::days(3)).await;
    world.advance(TimeDelta::minutes(5));
    world.resend(&share).await;
    world.run_notify().await;
    world.revoke(&share).await;
    let records = world.records().await;
    assert!(records.len() >= 8, "{} records", records.len());

    world.sweep_forwards_and_backwards(&records).await;
    world.run_sweep().await;
    let expected =
        ["created", "emailed", "expired", "expirationChanged", "reactivated", "revoked", "resent", "emailed"];
    assert_eq!(world.log_events(share.id).await, expected);

    // If an old record recreated an expiry alarm, the deletion of that alarm logs nothing.
    world.advance(TimeDelta::days(4));
    world.run_ttl();
    world.run_sweep().await;
    assert_eq!(world.log_events(share.id).await, expected);
}

#[tokio::test]
async fn dynamodb_throttling_loses_no_log_entry() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let shares = world.share_many(10, TimeDelta::days(1)).await;
    // The faults outlast the SDK's retries, so the stream redelivers the failed records.
    world.dynamodb.throttle(60, &[PUT]);
    world.dynamodb.lose_responses(5, &[PUT]);

    world.run_sweep().await;

    assert_eq!(world.dynamodb.pending_faults(), 0);
    assert_eq!(world.sweep.mapping.discarded, []);
    for share in &shares {
        assert_eq!(world.log_events(share.id).await, ["created"]);
    }
    world.advance(TimeDelta::days(1));
    assert_eq!(world.run_ttl(), 10, "every share has an expiry alarm");
}

/// Returns the numbers of a share's entries of this kind, oldest first.
async fn numbers(world: &World<'_>, number: impl Fn(&LogEvent) -> Option<u64>) -> Vec<u64> {
    let (mut numbers, mut cursor) = (Vec::new(), None);
    loop {
        let page = world.log.list(&world.item, 100, cursor.as_ref()).await.unwrap();
        numbers.extend(page.entries.iter().filter_map(|entry| number(&entry.event)));
        cursor = page.next;
        if cursor.is_none() {
            numbers.sort_unstable();
            return numbers;
        }
    }
}

/// The uses that are logged if a link is used 300 times.
fn logged_of_300() -> Vec<u64> {
    (1..=100).chain([128, 256]).collect()
}

#[tokio::test]
async fn recipient_cannot_fill_the_log_by_opening_a_link() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (share, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    for _ in 0..300 {
        assert_eq!(redeem.invoke(&open_event(&link)).await.unwrap()["statusCode"], 302);
    }

    let records = world.records().await;
    world.sweep_forwards_and_backwards(&records).await;
    world.run_sweep().await;

    assert_eq!(world.read(&share).await.unwrap().usage.opens, 300, "every use is counted");
    let opened = numbers(&world, |event| match event {
        LogEvent::Opened { number } => Some(*number),
        _ => None,
    });
    assert_eq!(opened.await, logged_of_300());
    let downloaded = numbers(&world, |event| match event {
        LogEvent::Downloaded { number } => Some(*number),
        _ => None,
    });
    assert_eq!(downloaded.await, logged_of_300());
}

/// The count of downloads never grows here, so it cannot decide which uses are logged.
#[tokio::test]
async fn recipient_cannot_fill_the_log_with_failed_downloads() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (share, link) = world.share_by_email(&address("ann")).await;
    Aws::new(&stack).upload_archived(&format!("{}/brief.pdf", world.item), b"abc").await;
    let redeem = world.new_function("RedeemLink").await;
    for _ in 0..130 {
        assert_eq!(redeem.invoke(&open_event(&link)).await.unwrap()["statusCode"], 409);
    }

    let records = world.records().await;
    world.sweep_forwards_and_backwards(&records).await;
    world.run_sweep().await;

    let usage = world.read(&share).await.unwrap().usage;
    assert_eq!((usage.opens, usage.downloads, usage.failed_downloads), (130, 0, 130));
    let events = world.log_events(share.id).await;
    let count = |name| events.iter().filter(|event| *event == name).count();
    assert_eq!((count("opened"), count("downloaded"), count("downloadFailed")), (101, 0, 101));
}

#[tokio::test]
async fn share_log_contains_no_link() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_until(&address("ann"), &next_week()).await;
    item.call(Method::POST, &format!("/{}/link", shared.id)).await;

    let log = Value::from(item.wait_for_log(3).await).to_string();

    let token = shared.link.rsplit('/').next().unwrap();
    assert!(!log.contains(&token[token.len() - 20..]));
}
