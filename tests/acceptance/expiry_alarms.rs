//! Expiry and purge are driven by TTL. The log has each event exactly once, however late TTL runs.
//!
//! An expiry alarm is a row whose TTL is a share's expiry. When TTL deletes the row, the stream's record of
//! the deletion invokes the sweeper, which logs the expiry.

use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::join;
use serde_json::json;
use sharelink_domain::Share;
use sharelink_domain::log::LogEntry;
use tokio::sync::oneshot;

use crate::support::fixtures::RETENTION;
use crate::support::proxy::Fault;
use crate::support::{Stack, World, address, within_minutes};

const HOUR: TimeDelta = TimeDelta::hours(1);
const DAY: TimeDelta = TimeDelta::days(1);

/// Runs TTL and delivers its deletions to the sweeper. Returns the number of deleted rows.
async fn run_ttl_and_sweep(world: &mut World<'_>) -> usize {
    let deleted = world.run_ttl();
    world.run_sweep().await;
    deleted
}

/// Returns the newest entry of the item's log.
async fn latest_entry(world: &World<'_>) -> LogEntry {
    world.log.list(&world.item, 1, None).await.unwrap().entries.remove(0)
}

#[tokio::test]
async fn alarm_logs_the_expiry_once() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), HOUR).await;
    world.run_sweep().await;
    assert_eq!(run_ttl_and_sweep(&mut world).await, 0, "the alarm is not due yet");
    assert_eq!(world.log_events(share.id).await, ["created"]);

    world.advance(HOUR);
    assert_eq!(run_ttl_and_sweep(&mut world).await, 1, "the alarm is due");
    assert_eq!(world.log_events(share.id).await, ["created", "expired"]);
    let logged = latest_entry(&world).await;
    assert_eq!(logged.at, share.expires_at);
    assert_eq!(logged.by, None);

    // Redelivered records change nothing.
    let all = json!({"Records": world.records().await});
    world.sweep.function.invoke(&all).await.unwrap();
    assert_eq!(world.log_events(share.id).await, ["created", "expired"]);
    // The redelivered records set a second alarm, which is already due.
    assert_eq!(run_ttl_and_sweep(&mut world).await, 1, "the second alarm is due");
    assert_eq!(world.log_events(share.id).await, ["created", "expired"]);
}

#[tokio::test]
async fn late_ttl_does_not_change_the_logged_expiry_time() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), HOUR).await;
    world.run_sweep().await;

    world.advance(HOUR + DAY);
    run_ttl_and_sweep(&mut world).await;

    assert_eq!(latest_entry(&world).await.at, share.expires_at);
    assert_eq!(world.log_events(share.id).await, ["created", "expired"]);
}

#[tokio::test]
async fn outdated_alarm_is_replaced_without_logging_an_expiry() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), HOUR).await;
    world.run_sweep().await;
    world.advance(HOUR - TimeDelta::minutes(1));
    world.expire_in(&share, DAY).await;

    // TTL deletes the alarm before the sweeper has received the change.
    world.advance(TimeDelta::minutes(2));
    assert_eq!(run_ttl_and_sweep(&mut world).await, 1, "the alarm for the first expiry is due");
    assert_eq!(world.log_events(share.id).await, ["created", "expirationChanged"]);

    world.advance(DAY);
    assert_eq!(run_ttl_and_sweep(&mut world).await, 1, "the alarm for the second expiry is due");
    assert_eq!(world.log_events(share.id).await, ["created", "expirationChanged", "expired"]);
}

#[tokio::test]
async fn change_moves_the_alarm_and_revocation_removes_it() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let moved = world.share(&address("ann"), HOUR).await;
    let revoked = world.share(&address("bob"), HOUR).await;
    world.run_sweep().await;
    world.expire_in(&moved, DAY).await;
    world.revoke(&revoked).await;
    world.run_sweep().await;

    world.advance(HOUR * 2);
    assert_eq!(run_ttl_and_sweep(&mut world).await, 0, "no alarm at the first expiry");
    world.advance(DAY);
    assert_eq!(run_ttl_and_sweep(&mut world).await, 1, "one alarm at the second expiry");

    assert_eq!(world.log_events(moved.id).await, ["created", "expirationChanged", "expired"]);
    assert_eq!(world.log_events(revoked.id).await, ["created", "revoked"]);
}

#[tokio::test]
async fn reactivation_before_a_late_ttl_run_logs_the_expiry() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), HOUR).await;
    world.run_sweep().await;
    world.advance(HOUR * 2);
    world.expire_in(&share, DAY).await;

    // TTL is late: the only alarm is still the one for the first expiry.
    world.advance(HOUR);
    run_ttl_and_sweep(&mut world).await;
    let log_of_change = ["created", "expired", "expirationChanged", "reactivated"];
    assert_eq!(world.log_events(share.id).await, log_of_change);

    assert_eq!(run_ttl_and_sweep(&mut world).await, 0, "the new alarm is not due yet");
    world.advance(DAY);
    run_ttl_and_sweep(&mut world).await;
    let log = ["created", "expired", "expirationChanged", "reactivated", "expired"];
    assert_eq!(world.log_events(share.id).await, log);
}

#[tokio::test]
async fn reactivation_during_a_sweep_logs_the_expiry_once() {
    let log_of_change = ["created", "expired", "expirationChanged", "reactivated"];
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), HOUR).await;
    sweep_alarm_while(&mut world, &share, async |world, share| world.expire_in(share, DAY).await).await;
    // The sweep for the alarm found an active share. The sweep for the change logs the expiry before the
    // change.
    assert_eq!(world.log_events(share.id).await, ["created"]);
    world.run_sweep().await;
    assert_eq!(world.log_events(share.id).await, log_of_change);

    // The reactivated share has a new alarm.
    world.advance(DAY);
    run_ttl_and_sweep(&mut world).await;
    assert_eq!(world.log_events(share.id).await[..4], log_of_change);
    assert_eq!(count_expiries(&world, &share).await, 2);
}

#[tokio::test]
async fn revocation_during_a_sweep_logs_the_expiry_once() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), HOUR).await;
    sweep_alarm_while(&mut world, &share, async |world, share| world.revoke(share).await).await;
    // The sweep for the alarm found a revoked share. The sweep for the revocation logs the expiry before the
    // revocation.
    assert_eq!(world.log_events(share.id).await, ["created"]);
    world.run_sweep().await;
    assert_eq!(world.log_events(share.id).await, ["created", "expired", "revoked"]);

    world.advance(DAY);
    run_ttl_and_sweep(&mut world).await;
    assert_eq!(count_expiries(&world, &share).await, 1);
}

/// Lets a share expire and sweeps its alarm. Runs `change` after the sweeper has sent its request to read the
/// share, but before DynamoDB receives that request.
async fn sweep_alarm_while(world: &mut World<'_>, share: &Share, change: impl AsyncFn(&World<'_>, &Share)) {
    world.run_sweep().await;
    world.advance(HOUR);
    world.run_ttl();
    let (notice, requested) = oneshot::channel();
    let (resume, resumed) = oneshot::channel();
    let read = ["DynamoDB_20120810.GetItem", &share.id.to_string()];
    world.dynamodb.inject_once(&read, Fault::Pause(notice, resumed));
    let alarm = json!({"Records": [world.records().await.pop().unwrap()]});
    let sweeper = Arc::clone(&world.sweep.function);
    let change_during_read = async {
        requested.await.unwrap();
        change(world, share).await;
        resume.send(()).unwrap();
    };
    let (swept, ()) = within_minutes(1, join(sweeper.invoke(&alarm), change_during_read)).await;
    assert_eq!(swept.unwrap(), json!({"batchItemFailures": []}));
}

async fn count_expiries(world: &World<'_>, share: &Share) -> usize {
    world.log_events(share.id).await.iter().filter(|event| *event == "expired").count()
}

#[tokio::test]
async fn share_that_is_expired_when_created_logs_one_expiry() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), -HOUR).await;
    world.run_sweep().await;
    world.advance(DAY);
    assert_eq!(run_ttl_and_sweep(&mut world).await, 0, "an expired share has no alarm");

    world.expire_in(&share, HOUR).await;
    run_ttl_and_sweep(&mut world).await;
    let log = ["created", "expired", "expirationChanged", "reactivated"];
    assert_eq!(world.log_events(share.id).await, log);
}

#[tokio::test]
async fn share_is_purged_after_its_retention() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let recipient = address("ann");
    let share = world.share(&recipient, HOUR).await;
    world.run_notify().await;
    world.run_sweep().await;

    world.advance(HOUR + RETENTION - TimeDelta::seconds(1));
    run_ttl_and_sweep(&mut world).await;
    assert!(world.read(&share).await.is_some(), "its retention has not ended yet");
    world.advance(TimeDelta::seconds(1));
    assert_eq!(run_ttl_and_sweep(&mut world).await, 1, "its retention has ended");

    assert_eq!(world.read(&share).await, None);
    assert_eq!(world.log_events(share.id).await, ["created", "emailed", "expired", "purged"]);
    assert_eq!(latest_entry(&world).await.at, world.now());

    // Redelivered records do not restore the share.
    let records = world.records().await;
    let all = json!({"Records": records});
    world.sweep.function.invoke(&all).await.unwrap();
    world.notify.function.invoke(&all).await.unwrap();
    assert_eq!(world.read(&share).await, None);
    assert_eq!(world.log_events(share.id).await.len(), 4);

    // A new share for the same address gets the same id and a new link.
    world.advance(TimeDelta::milliseconds(1));
    let again = world.share(&recipient, HOUR).await;
    assert_eq!(again.id, share.id);
    assert_ne!(again.generation, share.generation);
    world.run_notify().await;
    world.run_sweep().await;
    assert_eq!(world.email_count(&again).await, 2);
    assert_eq!(world.log_events(again.id).await[4..], ["created", "emailed"]);

    // A redelivered record of the purged share does not move the new share's alarm.
    let first = json!({"Records": [records[0]]});
    world.sweep.function.invoke(&first).await.unwrap();
    world.advance(HOUR + TimeDelta::seconds(1));
    run_ttl_and_sweep(&mut world).await;
    assert_eq!(world.log_events(again.id).await[4..], ["created", "emailed", "expired"]);
}

#[tokio::test]
async fn share_purged_together_with_its_alarm_logs_its_expiry() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), HOUR).await;
    world.run_notify().await;
    world.run_sweep().await;

    // TTL deletes the share and its alarm in one run, in either order.
    world.advance(HOUR + RETENTION + DAY);
    assert_eq!(run_ttl_and_sweep(&mut world).await, 2, "the share and its alarm are due");

    assert_eq!(world.log_events(share.id).await, ["created", "emailed", "expired", "purged"]);
}

#[tokio::test]
async fn log_entries_are_kept_longer_than_the_share() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), HOUR).await;
    world.run_notify().await;
    world.run_sweep().await;
    world.advance(TimeDelta::days(364));
    run_ttl_and_sweep(&mut world).await;
    assert_eq!(world.log_events(share.id).await, ["created", "emailed", "expired", "purged"]);

    world.advance(TimeDelta::days(1));
    assert_eq!(run_ttl_and_sweep(&mut world).await, 2, "the log entries from the first day are due");

    assert_eq!(world.log_events(share.id).await, ["expired", "purged"]);
    // The sweeper ignores the deletion of alarms whose share no longer exists.
    assert_eq!(world.sweep.mapping.discarded, []);
}
