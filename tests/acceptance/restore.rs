//! Restoring lost rows from a backup: no revoked link works again, no email is sent twice, and the log shows
//! each event once.

use std::num::NonZeroU32;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join;
use serde_json::{Value, json};
use sharelink_aws::share_table::{Restore, RestoreOptions, RestoreSummary, Selection, ShareLog, ShareTable};
use sharelink_domain::index_key::IndexKey;
use sharelink_domain::restore::{Policy, Unconfirmed};
use sharelink_domain::switches::{Switch, SwitchChange, SwitchedOff};
use sharelink_domain::{IndexHashes, Item, MailState, Share};
use tokio::sync::oneshot;

use crate::support::fixtures::{index_hashes, job};
use crate::support::proxy::Fault;
use crate::support::{Aws, Stack, TestItem, World, address, emails_to, within_minutes};

const WEEK: TimeDelta = TimeDelta::days(7);
const NOTHING: RestoreSummary = RestoreSummary {
    restored: 0,
    restored_as_revoked: 0,
    intact: 0,
    replaced: 0,
    retention_ended: 0,
    unreadable: 0,
    not_written: 0,
    log_entries: 0,
    erased: 0,
    switches: 0,
    switches_left: 0,
};

fn options(now: DateTime<Utc>) -> RestoreOptions {
    RestoreOptions {
        policy: Policy { unconfirmed: Unconfirmed::Revoke, now },
        log_retention: TimeDelta::days(365),
        max_writes_per_second: NonZeroU32::new(10_000).unwrap(),
        is_dry_run: false,
    }
}

/// A table of shares and a share log: a deployment's, or their backups.
#[derive(Clone)]
struct Tables {
    shares: ShareTable,
    log: ShareLog,
}

impl Tables {
    fn new(shares: ShareTable, log: &str) -> Self {
        Self { log: ShareLog::beside(&shares, log), shares }
    }
}

async fn restore(live: &Tables, backup: &Tables, items: &[Item], options: RestoreOptions) -> RestoreSummary {
    let key = IndexKey::new("the key of a deployment that erased no one").unwrap();
    let mut restore = Restore::new(&live.shares, &live.log, &backup.shares, &key, options);
    restore.log_from(&backup.log, items, |_| {}).await.unwrap();
    restore.shares(items, |_| {}).await.unwrap();
    restore.summary()
}

fn live_tables(world: &World<'_>) -> Tables {
    Tables { shares: world.table.clone(), log: world.log.clone() }
}

/// Copies the world's rows to backups.
async fn back_up(world: &World<'_>) -> Tables {
    let aws = world.aws();
    let [shares, log] = aws.back_up(&world.item.to_string()).await;
    Tables::new(ShareTable::new(aws.config(), shares), &log)
}

/// Restores the whole backup at the world's current time.
async fn restore_all(world: &World<'_>, backup: &Tables) -> RestoreSummary {
    restore(&live_tables(world), backup, &[], options(world.now())).await
}

/// Creates a share, sends its email and logs both.
async fn emailed_share(world: &mut World<'_>) -> Share {
    let share = world.share(&address("ann"), WEEK).await;
    world.run_notify().await;
    world.run_sweep().await;
    world.read(&share).await.unwrap()
}

/// Deletes a share's row and logs the deletion.
async fn lose_and_sweep(world: &mut World<'_>, share: &Share) {
    world.lose(share).await;
    world.run_sweep().await;
    assert_eq!(world.read(share).await, None);
}

#[tokio::test]
async fn lost_share_is_restored_and_not_emailed_again() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = emailed_share(&mut world).await;
    let backup = back_up(&world).await;
    lose_and_sweep(&mut world, &share).await;
    world.advance(TimeDelta::minutes(1));

    let restored = restore_all(&world, &backup).await;

    assert_eq!(restored, RestoreSummary { restored: 1, ..NOTHING });
    assert_eq!(world.read(&share).await, Some(share.clone()));
    world.run_notify().await;
    world.run_minutes(10).await;
    assert_eq!(world.email_count(&share).await, 1);
    world.run_sweep().await;
    assert_eq!(world.log_events(share.id).await, ["created", "emailed", "purged", "restored"]);

    // The sweeper has set the expiry alarm again.
    world.advance(WEEK);
    assert_eq!(world.run_ttl(), 1);
    world.run_sweep().await;
    let log = ["created", "emailed", "purged", "restored", "expired"];
    assert_eq!(world.log_events(share.id).await, log);
}

#[tokio::test]
async fn restored_share_is_in_the_indexes_again() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = emailed_share(&mut world).await;
    let backup = back_up(&world).await;
    lose_and_sweep(&mut world, &share).await;
    let IndexHashes { sharer, recipient } = index_hashes(&share);
    let (table, now) = (&world.table, world.now());
    let list = async || {
        let of_sharer = table.list_by_sharer(sharer, &Selection::ALL, 10, None, now).await.unwrap();
        let of_recipient = table.list_by_recipient(recipient, &Selection::ALL, 10, None, now).await.unwrap();
        [of_sharer.shares, of_recipient.shares].concat()
    };
    assert_eq!(list().await, []);

    restore_all(&world, &backup).await;

    assert_eq!(list().await, [share.clone(), share]);
}

#[tokio::test]
async fn share_that_expired_before_its_loss_logs_one_expiry() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = emailed_share(&mut world).await;
    let backup = back_up(&world).await;
    world.advance(WEEK + TimeDelta::days(1));
    lose_and_sweep(&mut world, &share).await;
    world.advance(TimeDelta::minutes(1));

    restore_all(&world, &backup).await;

    world.run_sweep().await;
    world.advance(TimeDelta::minutes(1));
    world.run_ttl();
    world.run_sweep().await;
    let log = ["created", "emailed", "expired", "purged", "restored"];
    assert_eq!(world.log_events(share.id).await, log);
}

#[tokio::test]
async fn revocation_after_the_backup_survives_the_restore() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = emailed_share(&mut world).await;
    let backup = back_up(&world).await;
    world.advance(TimeDelta::minutes(1));
    world.revoke(&share).await;
    let revoked = world.read(&share).await;
    world.advance(TimeDelta::minutes(1));
    lose_and_sweep(&mut world, &share).await;
    world.advance(TimeDelta::minutes(1));

    let restored = restore_all(&world, &backup).await;

    assert_eq!(restored, RestoreSummary { restored: 1, ..NOTHING });
    assert_eq!(world.read(&share).await, revoked);
}

#[tokio::test]
async fn restored_share_keeps_its_renewed_link() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = emailed_share(&mut world).await;
    let backup = back_up(&world).await;
    world.advance(TimeDelta::minutes(1));
    world.renew(&share, false).await;
    let renewed = world.read(&share).await.unwrap();
    assert_ne!(renewed.generation, share.generation);
    world.advance(TimeDelta::minutes(1));
    lose_and_sweep(&mut world, &share).await;

    let restored = restore_all(&world, &backup).await;

    assert_eq!(restored, RestoreSummary { restored: 1, ..NOTHING });
    let stored = world.read(&share).await.unwrap();
    assert_eq!((stored.generation, stored.renewed_at), (renewed.generation, renewed.renewed_at));
    assert_eq!(stored.version, renewed.version);
}

#[tokio::test]
async fn unlogged_renewal_never_brings_the_old_link_back() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = emailed_share(&mut world).await;
    let backup = back_up(&world).await;
    // The sweeper is behind: neither the renewal nor the deletion is logged.
    world.renew(&share, false).await;
    world.lose(&share).await;

    let restored = restore_all(&world, &backup).await;

    assert_eq!(restored, RestoreSummary { restored_as_revoked: 1, ..NOTHING });
    world.expire_in(&share, WEEK).await;
    let reactivated = world.read(&share).await.unwrap();
    assert_eq!(reactivated.revoked_at, None);
    assert_ne!(reactivated.generation, share.generation, "the replaced link works again");
}

#[tokio::test]
async fn share_with_an_unlogged_change_is_restored_as_revoked() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = emailed_share(&mut world).await;
    let backup = back_up(&world).await;
    // The sweeper is behind: neither the revocation nor the deletion is logged.
    world.revoke(&share).await;
    world.lose(&share).await;

    let restored = restore_all(&world, &backup).await;

    assert_eq!(restored, RestoreSummary { restored_as_revoked: 1, ..NOTHING });
    let stored = world.read(&share).await.unwrap();
    assert_eq!(stored.revoked_at, Some(world.now()));
    assert!(stored.version > 2);
    // Repeating it changes nothing, because the share now has a newer link than the backup.
    assert_eq!(restore_all(&world, &backup).await, RestoreSummary { replaced: 1, ..NOTHING });
    assert_eq!(world.read(&share).await, Some(stored));
}

#[tokio::test]
async fn trusted_backup_restores_access_without_a_log() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = emailed_share(&mut world).await;
    let backup = back_up(&world).await;
    world.lose(&share).await;
    let policy = Policy { unconfirmed: Unconfirmed::Trust, now: world.now() };
    let trusting = RestoreOptions { policy, ..options(world.now()) };

    let restored = restore(&live_tables(&world), &backup, &[], trusting).await;

    assert_eq!(restored, RestoreSummary { restored: 1, ..NOTHING });
    assert_eq!(world.read(&share).await, Some(share));
}

#[tokio::test]
async fn email_pending_in_the_backup_is_not_sent_again() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), WEEK).await;
    let unsent = world.share(&address("bob"), WEEK).await;
    let backup = back_up(&world).await;
    world.lose(&unsent).await;
    world.run_notify().await;
    lose_and_sweep(&mut world, &share).await;
    world.advance(TimeDelta::minutes(1));

    let restored = restore_all(&world, &backup).await;

    assert_eq!(restored, RestoreSummary { restored: 2, ..NOTHING });
    world.run_notify().await;
    world.run_minutes(10).await;
    assert_eq!(world.read(&share).await.unwrap().mail.state, MailState::Sent);
    assert_eq!(world.email_count(&share).await, 1);
    assert_eq!(world.read(&unsent).await.unwrap().mail.state, MailState::Failed);
    assert_eq!(world.email_count(&unsent).await, 0);
    world.resend(&unsent).await;
    world.run_notify().await;
    assert_eq!(world.email_count(&unsent).await, 1, "a sharer can resend it");
}

#[tokio::test]
async fn share_created_again_keeps_its_new_link() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = emailed_share(&mut world).await;
    let backup = back_up(&world).await;
    lose_and_sweep(&mut world, &share).await;
    world.advance(TimeDelta::minutes(1));
    let again = world.share(share.recipient.as_str(), WEEK).await;
    world.run_sweep().await;
    assert_eq!(restore_all(&world, &backup).await, RestoreSummary { replaced: 1, ..NOTHING });
    assert_eq!(world.read(&share).await, Some(again.clone()));

    // Even if the new share is lost too, the old link stays dead.
    lose_and_sweep(&mut world, &again).await;
    assert_eq!(restore_all(&world, &backup).await, RestoreSummary { replaced: 1, ..NOTHING });
    assert_eq!(world.read(&share).await, None);
}

#[tokio::test]
async fn share_created_during_the_restore_is_not_overwritten() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = emailed_share(&mut world).await;
    let backup = back_up(&world).await;
    lose_and_sweep(&mut world, &share).await;
    let live = Tables::new(world.table_under_faults(&stack.info.table_name), &stack.info.log_table_name);
    let (notice, requested) = oneshot::channel();
    let (resume, resumed) = oneshot::channel();
    world.dynamodb.inject_once(&["TransactWriteItems"], Fault::Pause(notice, resumed));

    let share_again = async {
        requested.await.unwrap();
        let again = world.share(share.recipient.as_str(), WEEK).await;
        resume.send(()).unwrap();
        again
    };
    let restoring = restore(&live, &backup, &[], options(world.now()));
    let (restored, again) = within_minutes(1, join(restoring, share_again)).await;

    assert_eq!(restored, RestoreSummary { not_written: 1, ..NOTHING });
    assert_eq!(world.read(&share).await, Some(again));
}

#[tokio::test]
async fn damaged_row_is_repaired() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = emailed_share(&mut world).await;
    let backup = back_up(&world).await;
    let damage = json!({
        "TableName": stack.info.table_name,
        "Key": {"item": {"S": share.item.to_string()}, "entry": {"S": format!("SHARE#{}", share.id)}},
        "UpdateExpression": "REMOVE recipient, files",
    });
    world.aws().call("dynamodb", "DynamoDB_20120810.UpdateItem", &damage).await;
    world.table.get(&share.item, share.id).await.unwrap_err();
    world.run_sweep().await;
    let discarded = world.sweep.mapping.discarded.len();

    let restored = restore_all(&world, &backup).await;

    assert_eq!(restored, RestoreSummary { restored: 1, ..NOTHING });
    assert_eq!(world.read(&share).await, Some(share.clone()));
    world.run_sweep().await;
    assert_eq!(world.log_events(share.id).await, ["created", "emailed", "restored"]);
    assert_eq!(world.sweep.mapping.discarded.len(), discarded, "the repair does not block the stream");
}

#[tokio::test]
async fn lost_log_entries_are_restored_until_their_ttl() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = emailed_share(&mut world).await;
    let backup = back_up(&world).await;
    let item = world.item.to_string();
    let rows = world.aws().log_rows(&item).await;
    for row in &rows {
        world.aws().delete_log_row(&item, row["entry"].as_s().unwrap()).await;
    }
    assert_eq!(world.log_events(share.id).await, Vec::<String>::new());

    let late = world.now() + TimeDelta::days(365);
    let restored = restore(&live_tables(&world), &backup, &[], options(late)).await;
    assert_eq!(restored.log_entries, 0, "their TTL has passed");
    let restored = restore_all(&world, &backup).await;
    assert_eq!(restored, RestoreSummary { intact: 1, log_entries: 2, ..NOTHING });
    let mut restored_rows = world.aws().log_rows(&item).await;
    for row in &mut restored_rows {
        assert!(row.remove("restoredAt").is_some(), "the event of {row:?} would be published again");
    }
    assert_eq!(restored_rows, rows);
    assert_eq!(restore_all(&world, &backup).await, RestoreSummary { intact: 1, ..NOTHING });
}

#[tokio::test]
async fn dry_run_counts_and_writes_nothing() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (lost, unlogged) = (emailed_share(&mut world).await, emailed_share(&mut world).await);
    let backup = back_up(&world).await;
    lose_and_sweep(&mut world, &lost).await;
    world.lose(&unlogged).await;
    let records = world.records().await.len();

    let dry_run = RestoreOptions { is_dry_run: true, ..options(world.now()) };
    let counted = restore(&live_tables(&world), &backup, &[], dry_run).await;

    assert_eq!(counted, RestoreSummary { restored: 1, restored_as_revoked: 1, ..NOTHING });
    assert_eq!(world.read(&lost).await, None);
    assert_eq!(world.records().await.len(), records);
}

#[tokio::test]
async fn paused_links_stay_paused_after_the_loss_of_the_table() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = emailed_share(&mut world).await;
    let backup = back_up(&world).await;
    let switch = Switch::Sharer(index_hashes(&share).sharer);
    let off = |switch: &Switch| {
        let (by, at) = ("olga".parse().unwrap(), world.now());
        SwitchChange::Off(SwitchedOff { switch: switch.clone(), by, at, reason: None })
    };
    let in_backup = backup.shares.change_switch(&off(&switch)).await.unwrap();
    world.lose(&share).await;
    let options = options(world.now());

    let dry_run = RestoreOptions { is_dry_run: true, ..options };
    let counted = restore(&live_tables(&world), &backup, &[job("other")], dry_run).await;
    assert_eq!(counted, RestoreSummary { switches: 1, ..NOTHING });
    assert_eq!(world.table.read_switches().await.unwrap().off(), []);

    let restored = restore(&live_tables(&world), &backup, &[job("other")], options).await;
    assert_eq!(restored, RestoreSummary { switches: 1, ..NOTHING });
    assert_eq!(world.table.read_switches().await.unwrap(), in_backup);

    // An operator's later decision stays, and the report shows the difference.
    world.table.change_switch(&SwitchChange::On(switch)).await.unwrap();
    let changed = world.table.change_switch(&off(&Switch::Everything)).await.unwrap();
    let again = restore(&live_tables(&world), &backup, &[job("other")], options).await;
    assert_eq!(again, RestoreSummary { switches_left: 1, ..NOTHING });
    assert_eq!(world.table.read_switches().await.unwrap(), changed);
}

#[tokio::test]
async fn only_the_selected_items_are_restored() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = emailed_share(&mut world).await;
    let backup = back_up(&world).await;
    lose_and_sweep(&mut world, &share).await;

    let other = restore(&live_tables(&world), &backup, &[job("other")], options(world.now())).await;
    assert_eq!(other, NOTHING);
    let selected =
        restore(&live_tables(&world), &backup, std::slice::from_ref(&share.item), options(world.now())).await;
    assert_eq!(selected, RestoreSummary { restored: 1, ..NOTHING });
}

#[tokio::test]
async fn share_past_its_retention_is_not_restored() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = emailed_share(&mut world).await;
    let backup = back_up(&world).await;
    world.advance(WEEK + crate::support::fixtures::RETENTION);
    world.run_ttl();
    world.run_sweep().await;

    let restored = restore_all(&world, &backup).await;

    assert_eq!(restored, RestoreSummary { retention_ended: 1, ..NOTHING });
    assert_eq!(world.read(&share).await, None);
}

fn events_of(log: &[Value], id: &str) -> Vec<String> {
    let of_share = log.iter().filter(|entry| entry["shareId"] == id);
    of_share.map(|entry| entry["event"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn restored_link_works_and_revoked_link_stays_dead() {
    let (stack, clock) = Stack::with_clock().await;
    let start = Utc::now() - TimeDelta::minutes(3);
    clock.stop_at(start);
    let aws = Aws::new(&stack);
    let item = TestItem::new(&stack).await;
    let (ann, bob) = (address("ann"), address("bob"));
    let lost = item.share_with(&ann).await;
    let revoked = item.share_with(&bob).await;
    item.wait_for_log(4).await;
    let [shares, log] = aws.back_up(&item.path()).await;
    let backup = Tables::new(ShareTable::new(aws.config(), shares), &log);
    clock.stop_at(start + TimeDelta::minutes(1));
    item.revoke(&revoked.id).await.assert_status(200);
    item.wait_for_log(5).await;
    clock.stop_at(start + TimeDelta::minutes(2));
    for share in [&lost, &revoked] {
        aws.delete_row(&item.path(), &format!("SHARE#{}", share.id)).await;
        stack.open(&share.link).await.assert_status(404);
    }
    item.wait_for_log(7).await;

    let now = Utc::now();
    clock.stop_at(now);
    let shares = ShareTable::new(aws.config(), &stack.info.table_name);
    let live = Tables::new(shares, &stack.info.log_table_name);
    let restored = restore(&live, &backup, &[job(&item.name)], options(now)).await;

    assert_eq!(restored, RestoreSummary { restored: 2, ..NOTHING });
    assert_eq!(stack.download(&lost.link).await.0, b"brief.pdf");
    stack.open(&revoked.link).await.assert_status(410);
    assert_eq!(item.get_share(&lost.id).await["mail"]["state"], "sent");
    let log = item.wait_for_log(11).await;
    let mut of_lost = events_of(&log, &lost.id);
    // The restoration and the use may have the same time.
    of_lost[3..].sort();
    assert_eq!(of_lost, ["created", "emailed", "purged", "downloaded", "opened", "restored"]);
    assert_eq!(events_of(&log, &revoked.id), ["created", "emailed", "revoked", "purged", "restored"]);
    assert_eq!(emails_to(&stack, &ann).await.len(), 1);
    assert_eq!(emails_to(&stack, &bob).await.len(), 1);
}
