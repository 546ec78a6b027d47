//! Expiry and purge, driven by TTL, whenever that comes: what the log says, exactly once.

use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::join;
use serde_json::json;
use tokio::sync::oneshot;

use crate::support::proxy::Fault;
use crate::support::world::RETENTION;
use crate::support::{Stack, World, address, within_minutes};

const HOUR: TimeDelta = TimeDelta::hours(1);
const DAY: TimeDelta = TimeDelta::days(1);

/// TTL deletes what is due, and the sweeper sees it.
async fn ttl(world: &mut World<'_>) -> usize {
    let deleted = world.run_ttl();
    world.run_sweep().await;
    deleted
}

#[tokio::test]
async fn an_alarm_that_goes_off_after_the_expiry_is_one_entry() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), HOUR).await;
    world.run_sweep().await;
    assert_eq!((ttl(&mut world).await, world.log_of(share.id).await), (0, vec!["created".to_owned()]));
    world.pass(HOUR);
    assert_eq!(ttl(&mut world).await, 1);
    assert_eq!(world.log_of(share.id).await, ["created", "expired"]);
    let logged = world.table.log(&world.item, 1, None).await.unwrap().entries.remove(0);
    assert_eq!((logged.at, logged.by), (share.expires_at, None));
    // The record comes again, and nothing changes.
    let all = json!({"Records": world.records().await});
    world.sweep.function.invoke(&all).await.unwrap();
    assert_eq!(world.log_of(share.id).await, ["created", "expired"]);
    // It set the alarm anew, which goes off again.
    assert_eq!(ttl(&mut world).await, 1);
    assert_eq!(world.log_of(share.id).await, ["created", "expired"]);
}

#[tokio::test]
async fn ttl_that_is_a_day_late_tells_of_the_expiry_when_it_was() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), HOUR).await;
    world.run_sweep().await;
    world.pass(HOUR + DAY);
    ttl(&mut world).await;
    let logged = world.table.log(&world.item, 1, None).await.unwrap().entries.remove(0);
    assert_eq!(logged.at, share.expires_at);
    assert_eq!(world.log_of(share.id).await, ["created", "expired"]);
}

#[tokio::test]
async fn an_alarm_for_an_older_expiry_says_nothing_and_is_set_again() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), HOUR).await;
    world.run_sweep().await;
    world.pass(HOUR - TimeDelta::minutes(1));
    world.expire_in(&share, DAY).await;
    // The sweeper has not seen the change yet when TTL deletes the alarm.
    world.pass(TimeDelta::minutes(2));
    assert_eq!(ttl(&mut world).await, 1);
    assert_eq!(world.log_of(share.id).await, ["created", "expirationChanged"]);
    world.pass(DAY);
    assert_eq!(ttl(&mut world).await, 1);
    assert_eq!(world.log_of(share.id).await, ["created", "expirationChanged", "expired"]);
}

#[tokio::test]
async fn an_expiry_that_moves_takes_its_alarm_along_and_a_revocation_takes_it_away() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (moved, revoked) = (address("ann"), address("bob"));
    let (moved, revoked) = (world.share(&moved, HOUR).await, world.share(&revoked, HOUR).await);
    world.run_sweep().await;
    world.expire_in(&moved, DAY).await;
    world.revoke(&revoked).await;
    world.run_sweep().await;
    world.pass(HOUR * 2);
    assert_eq!(ttl(&mut world).await, 0);
    world.pass(DAY);
    assert_eq!(ttl(&mut world).await, 1);
    assert_eq!(world.log_of(moved.id).await, ["created", "expirationChanged", "expired"]);
    assert_eq!(world.log_of(revoked.id).await, ["created", "revoked"]);
}

#[tokio::test]
async fn a_share_that_is_reactivated_before_its_alarm_went_off_had_expired_all_the_same() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), HOUR).await;
    world.run_sweep().await;
    world.pass(HOUR * 2);
    world.expire_in(&share, DAY).await;
    // The alarm was for the first expiry, and TTL is late.
    world.pass(HOUR);
    ttl(&mut world).await;
    let log = ["created", "expired", "expirationChanged", "reactivated"];
    assert_eq!(world.log_of(share.id).await, log);
    assert_eq!(ttl(&mut world).await, 0);
    world.pass(DAY);
    ttl(&mut world).await;
    let log = ["created", "expired", "expirationChanged", "reactivated", "expired"];
    assert_eq!(world.log_of(share.id).await, log);
}

#[tokio::test]
async fn a_share_that_changes_between_the_alarm_and_the_look_is_told_of_as_it_is_then() {
    let stack = Stack::get().await;
    for revoke in [false, true] {
        let mut world = World::new(&stack).await;
        let share = world.share(&address("ann"), HOUR).await;
        world.run_sweep().await;
        world.pass(HOUR);
        world.run_ttl();
        let (notice, come) = oneshot::channel();
        let (go_on, wait) = oneshot::channel();
        world
            .dynamodb
            .once(&["DynamoDB_20120810.GetItem", &share.id.to_string()], Fault::Pause(notice, wait));
        // The sweeper looks; before it sees anything, the share is another.
        let alarm = json!({"Records": [world.records().await.pop().unwrap()]});
        let sweeper = Arc::clone(&world.sweep.function);
        let change = async {
            come.await.unwrap();
            if revoke {
                world.revoke(&share).await;
            } else {
                world.expire_in(&share, DAY).await;
            }
            go_on.send(()).unwrap();
        };
        let (swept, ()) = within_minutes(1, join(sweeper.invoke(&alarm), change)).await;
        assert_eq!(swept.unwrap(), json!({"batchItemFailures": []}));
        // The alarm itself found no expiry; the change did, under its old date.
        assert_eq!(world.log_of(share.id).await, ["created"]);
        world.run_sweep().await;
        let log: &[&str] = if revoke {
            &["created", "expired", "revoked"]
        } else {
            &["created", "expired", "expirationChanged", "reactivated"]
        };
        assert_eq!(world.log_of(share.id).await, log);
        // And the reactivated share has an alarm again.
        world.pass(DAY);
        ttl(&mut world).await;
        let expired = world.log_of(share.id).await.iter().filter(|event| *event == "expired").count();
        assert_eq!(expired, if revoke { 1 } else { 2 });
    }
}

#[tokio::test]
async fn a_share_that_was_born_expired_says_so_once() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), -HOUR).await;
    world.run_sweep().await;
    world.pass(DAY);
    assert_eq!(ttl(&mut world).await, 0);
    world.expire_in(&share, HOUR).await;
    ttl(&mut world).await;
    let log = ["created", "expired", "expirationChanged", "reactivated"];
    assert_eq!(world.log_of(share.id).await, log);
}

#[tokio::test]
async fn a_share_is_purged_after_its_retention_and_its_address_is_free_again() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let recipient = address("ann");
    let share = world.share(&recipient, HOUR).await;
    world.run_notify().await;
    world.run_sweep().await;
    world.pass(HOUR + RETENTION - TimeDelta::seconds(1));
    ttl(&mut world).await;
    assert!(world.read(&share).await.is_some());
    world.pass(TimeDelta::seconds(1));
    assert_eq!(ttl(&mut world).await, 1);
    assert_eq!(world.read(&share).await, None);
    let log = ["created", "emailed", "expired", "purged"];
    assert_eq!(world.log_of(share.id).await, log);
    let purged = world.table.log(&world.item, 1, None).await.unwrap().entries.remove(0);
    assert_eq!(purged.at, world.now());

    // A late word on the share that is gone brings nothing back.
    let records = world.records().await;
    let (all, first) = (json!({"Records": records}), json!({"Records": [records[0]]}));
    world.sweep.function.invoke(&all).await.unwrap();
    world.notify.function.invoke(&all).await.unwrap();
    assert_eq!((world.read(&share).await, world.log_of(share.id).await.len()), (None, 4));

    world.pass(TimeDelta::milliseconds(1));
    let again = world.share(&recipient, HOUR).await;
    assert_eq!(again.id, share.id);
    assert_ne!(again.generation, share.generation);
    world.run_notify().await;
    world.run_sweep().await;
    assert_eq!(world.mails_to(&again).await, 2);
    assert_eq!(world.log_of(again.id).await[4..], ["created", "emailed"]);
    // An old word on the first does not touch the alarm of the second.
    world.sweep.function.invoke(&first).await.unwrap();
    world.pass(HOUR + TimeDelta::seconds(1));
    ttl(&mut world).await;
    assert_eq!(world.log_of(again.id).await[4..], ["created", "emailed", "expired"]);
}

#[tokio::test]
async fn a_purge_that_is_faster_than_the_alarm_tells_of_the_expiry_too() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), HOUR).await;
    world.run_notify().await;
    world.run_sweep().await;
    // TTL deletes both at last, in whatever order.
    world.pass(HOUR + RETENTION + DAY);
    assert_eq!(ttl(&mut world).await, 2);
    assert_eq!(world.log_of(share.id).await, ["created", "emailed", "expired", "purged"]);
}

#[tokio::test]
async fn an_entry_of_the_log_has_a_retention_of_its_own() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), HOUR).await;
    world.run_notify().await;
    world.run_sweep().await;
    world.pass(TimeDelta::days(364));
    ttl(&mut world).await;
    assert_eq!(world.log_of(share.id).await, ["created", "emailed", "expired", "purged"]);
    world.pass(TimeDelta::days(1));
    assert_eq!(ttl(&mut world).await, 2);
    assert_eq!(world.log_of(share.id).await, ["expired", "purged"]);
    // What TTL does to the log and to alarms that nobody waits for is nobody's business.
    assert!(world.sweep.pump.set_aside.is_empty());
}
