//! AWS's DynamoDB Local: deletions by TTL, which appear in the table's stream, and the counters of emails.
//! DynamoDB Local runs in real time, so the TTL test creates its shares in the past.
//!
//! DynamoDB Local's license requires an AWS account, so the tests are behind the Cargo feature
//! `dynamodb-local`.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sharelink_aws::share_table::ShareTable;
use sharelink_domain::Share;
use tokio::sync::Mutex;

use crate::email_limits::check_retries;
use crate::support::dynamodb_local::DynamoDbLocal;
use crate::support::{Aws, Proxy, Stack, World, address, eventually};

const HOUR: TimeDelta = TimeDelta::hours(1);

/// Runs the sweeper until TTL has run and the share's log contains this event.
async fn sweep_until_logged<'a>(world: World<'a>, share: &Share, event: &str) -> World<'a> {
    let shared_world = Mutex::new(world);
    eventually("TTL", || async {
        let mut world = shared_world.lock().await;
        world.run_sweep().await;
        world.log_events(share.id).await.iter().any(|logged| logged == event).then_some(())
    })
    .await;
    shared_world.into_inner()
}

fn is_deletion_by_ttl(record: &Value) -> bool {
    record["eventName"] == "REMOVE"
        && record["userIdentity"] == json!({"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"})
}

#[tokio::test]
async fn emails_are_counted_once() {
    let stack = Stack::get().await;
    let dynamodb = DynamoDbLocal::start().await;
    let proxy = Proxy::start(&dynamodb.endpoint).await;
    let config = Aws::new(&stack).copy_tables(&proxy.url, true).await;
    check_retries(&proxy, &ShareTable::new(&config, &stack.info.table_name)).await;
}

#[tokio::test]
async fn deletion_by_ttl_invokes_the_sweeper() {
    let stack = Stack::get().await;
    let dynamodb = DynamoDbLocal::start().await;
    let mut world = World::on_endpoint(&stack, &dynamodb.endpoint).await;

    // TTL deletes an expiry alarm.
    world.advance(-HOUR * 2);
    let expired = world.share(&address("expired"), HOUR).await;
    let moved = world.share(&address("moved"), HOUR).await;
    world.run_sweep().await;
    world.advance(TimeDelta::minutes(30));
    world.expire_in(&moved, TimeDelta::days(1)).await;
    world.advance(TimeDelta::minutes(90));
    world = sweep_until_logged(world, &expired, "expired").await;
    assert_eq!(world.log_events(expired.id).await, ["created", "expired"]);
    assert_eq!(world.log_events(moved.id).await, ["created", "expirationChanged"]);
    assert!(world.records().await.iter().any(is_deletion_by_ttl));

    // TTL deletes a share after its retention.
    world.advance(-TimeDelta::days(40));
    let recipient = address("purged");
    let purged = world.share(&recipient, HOUR).await;
    world.advance(TimeDelta::days(40));
    world = sweep_until_logged(world, &purged, "purged").await;
    let log = world.log_events(purged.id).await;
    assert_eq!(log.first().unwrap(), "created");
    assert_eq!(log.last().unwrap(), "purged");
    assert_eq!(log.iter().filter(|event| *event == "expired").count(), 1, "{log:?}");
    assert_eq!(world.read(&purged).await, None);

    // A new share for the same address gets the same id and a new link.
    let again = world.share(&recipient, HOUR).await;
    assert_eq!(again.id, purged.id);
    assert_ne!(again.generation, purged.generation);
}
