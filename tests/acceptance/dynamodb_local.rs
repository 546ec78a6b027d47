//! TTL as AWS's own DynamoDB Local does it, whose deletions reach the table's stream by themselves. Its time is the
//! real one, so what is to be deleted is made in the past.
//!
//! DynamoDB Local has a licence of its own, for those who have an AWS account: hence the feature that asks for it.

use std::process::Stdio;

use chrono::TimeDelta;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::{Stack, World, address, eventually, root, within_minutes};

const HOUR: TimeDelta = TimeDelta::hours(1);

/// Stops when it is dropped: its standard input closes.
struct DynamoDbLocal {
    endpoint: String,
    _process: Child,
}

impl DynamoDbLocal {
    async fn start() -> Self {
        let mut process = Command::new(env!("CARGO"))
            .current_dir(root())
            .args(["local", "dynamodb"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let endpoint = within_minutes(10, lines.next_line()).await.unwrap().expect("its endpoint");
        Self { endpoint, _process: process }
    }
}

#[tokio::test]
async fn a_deletion_by_ttl_wakes_the_sweeper() {
    let stack = Stack::get().await;
    let dynamodb = DynamoDbLocal::start().await;
    let mut world = World::on_endpoint(&stack, &dynamodb.endpoint).await;
    world.pass(-HOUR * 2);
    let expired = world.share(&address("expired"), HOUR).await;
    let moved = world.share(&address("moved"), HOUR).await;
    world.run_sweep().await;
    world.pass(TimeDelta::minutes(30));
    world.expire_in(&moved, TimeDelta::days(1)).await;
    world.pass(TimeDelta::minutes(90));
    let world = swept(world, |log| log.contains(&"expired".to_owned()), &expired).await;
    assert_eq!(world.log_of(expired.id).await, ["created", "expired"]);
    assert_eq!(world.log_of(moved.id).await, ["created", "expirationChanged"]);
    let by_ttl = world.records().await.iter().any(|record| {
        record["eventName"] == "REMOVE"
            && record["userIdentity"] == json!({"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"})
    });
    assert!(by_ttl);

    // A share whose retention is over, too.
    let mut world = world;
    world.pass(-TimeDelta::days(40));
    let recipient = address("purged");
    let purged = world.share(&recipient, HOUR).await;
    world.pass(TimeDelta::days(40));
    let world = swept(world, |log| log.contains(&"purged".to_owned()), &purged).await;
    let log = world.log_of(purged.id).await;
    assert_eq!(log.iter().filter(|event| *event == "expired").count(), 1, "{log:?}");
    assert_eq!((log.first().unwrap().as_str(), log.last().unwrap().as_str()), ("created", "purged"));
    assert_eq!(world.read(&purged).await, None);
    let again = world.share(&recipient, HOUR).await;
    assert_eq!(again.id, purged.id);
    assert_ne!(again.generation, purged.generation);
}

/// Sweeps until the log of a share is as it should be: TTL takes its time.
async fn swept<'a>(
    world: World<'a>,
    done: impl Fn(&[String]) -> bool,
    share: &sharelink_domain::Share,
) -> World<'a> {
    let world = tokio::sync::Mutex::new(world);
    eventually("TTL", || async {
        let mut world = world.lock().await;
        world.run_sweep().await;
        done(&world.log_of(share.id).await).then_some(())
    })
    .await;
    world.into_inner()
}
