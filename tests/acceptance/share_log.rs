//! The share log: one entry for each thing that happened, with who and when, however often and in whatever order
//! the stream tells of it.

use chrono::TimeDelta;
use futures_util::future::join;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Stack, TestItem, World, address, next_week, rfc3339};

fn events(log: &[Value]) -> Vec<&str> {
    log.iter().map(|entry| entry["event"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn everything_that_happens_to_a_share_is_logged_with_who_and_when() {
    let (stack, clock) = Stack::with_short_retention().await;
    let item = TestItem::new(&stack).await;
    let start = chrono::Utc::now();
    let recipient = address("ann");
    let shared = item.shared_with(&recipient).await;
    item.log_of(2).await;
    assert_eq!(stack.open(&shared.link).await.status, 302);
    item.call(Method::POST, &format!("/{}/link", shared.id)).await;
    clock.stop_at(start + TimeDelta::minutes(6));
    assert_eq!(item.call(Method::POST, &format!("/{}/resend", shared.id)).await.status, 202);
    item.log_of(7).await;
    clock.stop_at(start + TimeDelta::minutes(6) + TimeDelta::seconds(30));
    item.revoke(&shared.id).await;
    clock.stop_at(start + TimeDelta::minutes(7));
    let expiry = rfc3339(start + TimeDelta::hours(1));
    let change = stack.client.patch(item.url(&format!("/{}", shared.id))).bearer_auth(&item.token);
    let changed = Answer::to(change.header("If-Match", "*").json(&json!({"expiresAt": expiry}))).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    item.log_of(10).await;
    // The clock passes the expiry: TTL, which the ticker plays, wakes the sweeper.
    clock.stop_at(start + TimeDelta::hours(2));
    let log = item.log_of(11).await;
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
    for entry in &log {
        assert_eq!((&entry["shareId"], &entry["recipient"]), (&json!(shared.id), &json!(recipient)));
        let by_sharer = ["created", "linkCopied", "resent", "revoked", "expirationChanged", "reactivated"]
            .contains(&entry["event"].as_str().unwrap());
        assert_eq!(entry["by"]["name"] == "Tess Tester", by_sharer, "{entry}");
        assert_eq!(entry.get("by").is_some(), by_sharer, "{entry}");
    }
    assert_eq!(
        log[8]["to"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap(),
        expiry.parse::<chrono::DateTime<chrono::Utc>>().unwrap()
    );
    assert_eq!(log[10]["at"], expiry);

    // Retention passes: the share is purged, and its address may be shared afresh, with a new link.
    clock.stop_at(start + TimeDelta::hours(26));
    let log = item.log_of(12).await;
    assert_eq!(events(&log)[11], "purged");
    let gone = stack.open(&shared.link).await;
    assert_eq!(gone.status, 404);
    let again = item.share_until(&recipient, &rfc3339(start + TimeDelta::days(9))).await;
    assert_eq!(again.id, shared.id);
    assert_ne!(again.link, shared.link);
    assert_eq!((stack.open(&again.link).await.status, stack.open(&shared.link).await.status), (302, 404));
}

#[tokio::test]
async fn uses_at_once_are_each_an_entry() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.txt", "b.txt"]).await;
    let shared = item.shared_with(&address("ann")).await;
    let opens = (0..10).map(|_| stack.open(&shared.link));
    let file = format!("{}/files/2", shared.link);
    let downloads = (0..5).map(|_| stack.open(&file));
    join(futures_util::future::join_all(opens), futures_util::future::join_all(downloads)).await;
    let log = item.log_of(17).await;
    let count = |event| events(&log).iter().filter(|logged| **logged == event).count();
    assert_eq!((count("opened"), count("downloaded"), log.len()), (10, 5, 17));
}

#[tokio::test]
async fn changes_are_logged_once_under_redelivery_concurrency_and_reordering() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), TimeDelta::hours(1)).await;
    world.run_notify().await;
    world.pass(TimeDelta::hours(2));
    world.expire_in(&share, TimeDelta::days(3)).await;
    world.pass(TimeDelta::minutes(5));
    world.resend(&share).await;
    world.run_notify().await;
    world.revoke(&share).await;
    let records = world.records().await;
    assert!(records.len() >= 8, "{}", records.len());

    // Two sweepers at once, one of which gets everything backwards and record by record.
    let another = world.another("SweepShares").await;
    let forwards = json!({"Records": records});
    let backwards = async {
        for record in records.iter().rev() {
            another.invoke(&json!({"Records": [record]})).await.unwrap();
        }
    };
    let (swept, ()) = join(world.sweep.function.invoke(&forwards), backwards).await;
    assert_eq!(swept.unwrap(), json!({"batchItemFailures": []}));
    world.run_sweep().await;
    let expected =
        ["created", "emailed", "expired", "expirationChanged", "reactivated", "revoked", "resent", "emailed"];
    assert_eq!(world.log_of(share.id).await, expected);
    // An alarm that an old record set again goes off for nothing.
    world.pass(TimeDelta::days(4));
    world.run_ttl();
    world.run_sweep().await;
    assert_eq!(world.log_of(share.id).await, expected);
}

#[tokio::test]
async fn throttling_of_dynamodb_loses_no_entry() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let mut shares = Vec::new();
    for _ in 0..10 {
        shares.push(world.share(&address("ann"), TimeDelta::days(1)).await);
    }
    // More than the SDK waits out: records fail, and come again.
    world.dynamodb.throttle(60, &["DynamoDB_20120810.PutItem"]);
    world.dynamodb.lose(5, &["DynamoDB_20120810.PutItem"]);
    world.run_sweep().await;
    assert_eq!(world.dynamodb.left(), 0);
    assert!(world.sweep.pump.set_aside.is_empty());
    for share in &shares {
        assert_eq!(world.log_of(share.id).await, ["created"]);
    }
    world.pass(TimeDelta::days(1));
    assert_eq!(world.run_ttl(), 10);
}

#[tokio::test]
async fn the_log_is_no_place_for_links() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_until(&address("ann"), &next_week()).await;
    item.call(Method::POST, &format!("/{}/link", shared.id)).await;
    let log = Value::from(item.log_of(3).await).to_string();
    let token = shared.link.rsplit('/').next().unwrap();
    assert!(!log.contains(&token[token.len() - 20..]));
}
