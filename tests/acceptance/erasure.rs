//! Erasing people with the operator's program: nothing that names them remains in any store, nothing else is
//! lost, and neither a late stream record nor a restored backup brings them back.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join;
use serde_json::{Deserializer, Value, json};
use sharelink_aws::new_write_id;
use sharelink_aws::share_table::ShareTable;
use sharelink_domain::delivery::EmailId;
use sharelink_domain::notices::NoticeKinds;
use sharelink_domain::share::ExpectedVersion;
use sharelink_domain::{Action, Share, ShareId, Sharer};
use tokio::sync::oneshot;

use crate::notices::{bounce, new_sharer};
use crate::support::events::{create_event, open_event, ses_event, with_caller};
use crate::support::fixtures::{new_item, share_builder, sharer};
use crate::support::operator::Operator;
use crate::support::proxy::Fault;
use crate::support::table::{change_expiration, resend, revoke};
use crate::support::{Stack, World, address, emails_to, unique, within_minutes};

const WEEK: TimeDelta = TimeDelta::days(7);

/// Returns a share of the world's item that expires in a week. Its email is pending.
fn share_with(world: &World<'_>, recipient: &str, by: Sharer) -> Share {
    share_builder(&world.item, WEEK, world.now()).notify(true).recipient(recipient).sharer(by).build()
}

/// Returns an SES report about a share's email, as Lambda sends it to the queue of failures.
fn failed_report(share: &Share, recipient: &str, world: &World<'_>) -> Value {
    let email = EmailId {
        item: share.item.clone(),
        share: share.id,
        created_at: share.created_at,
        attempt: 1,
        is_reminder: false,
    };
    let event = ses_event(&email, "Delivery", world.now(), &json!({"recipients": [recipient]}));
    let text = event.to_string().replace("secret-recipient@example.com", recipient);
    let event: Value = serde_json::from_str(&text).unwrap();
    json!({"version": "1.0", "requestContext": {"condition": "RetriesExhausted"}, "requestPayload": event})
}

/// Returns the rows of both tables, which compare regardless of the order of their attributes.
async fn all_rows(world: &World<'_>) -> Vec<Value> {
    let tables = world.aws().scan_tables().await;
    Deserializer::from_str(&tables).into_iter().map(Result::unwrap).collect()
}

/// Returns everything that both tables and the queue of failed reports contain.
async fn all_stores(world: &World<'_>, operator: &Operator) -> String {
    world.aws().scan_tables().await + &operator.take_reports(world).await.concat()
}

/// Asserts that nothing names a recipient, in any spelling. Only the record of the erasure has the hash.
fn assert_no_trace(stores: &str, recipient: &str, ids: &[ShareId], operator: &Operator) {
    let stores = stores.to_lowercase();
    let local = recipient.split('@').next().unwrap().to_lowercase();
    assert!(!stores.contains(&local), "an address remains: {}", context(&stores, &local));
    for id in ids {
        assert!(
            !stores.contains(&id.to_string()),
            "the id of a share remains: {}",
            context(&stores, &id.to_string())
        );
    }
    let hash = operator.index_key.recipient(&recipient.parse().unwrap()).to_string();
    let hashes = stores.matches(&hash).count();
    assert_eq!((hashes, stores.matches(&format!("erased#{hash}")).count()), (1, 1));
}

fn context<'a>(text: &'a str, part: &str) -> &'a str {
    let at = text.find(part).unwrap_or_default();
    &text[at.saturating_sub(300)..(at + 300).min(text.len())]
}

async fn status(world: &World<'_>, link: &str) -> Value {
    let redeem = world.new_function("RedeemLink").await;
    redeem.invoke(&open_event(link)).await.unwrap()["statusCode"].clone()
}

/// A recipient with shares in every state, and another recipient, whose data must stay.
struct Scene {
    recipient: String,
    other: String,
    link: String,
    other_link: String,
    ids: Vec<ShareId>,
}

impl Scene {
    /// Shares with both recipients, sends the emails, uses and changes the shares, and logs everything but
    /// the last changes.
    async fn set(world: &mut World<'_>, operator: &Operator) -> Self {
        let (recipient, other) = (address("Erik.Erased"), address("bob"));
        world.upload().await;
        let create = world.new_function("CreateShares").await;
        let mut event = create_event(&world.item, &[recipient.clone(), other.clone()], world.now());
        event["headers"]["idempotency-key"] = unique("key").into();
        assert_eq!(create.invoke(&event).await.unwrap()["statusCode"], 201);
        world.run_notify().await;
        let [link] = world.links_to(&recipient).await.try_into().unwrap();
        let [other_link] = world.links_to(&other).await.try_into().unwrap();
        assert_eq!(status(world, &link).await, 302);
        // A share in another spelling, which was revoked and then purged: only its log entries remain.
        let spelling = recipient.to_uppercase();
        let purged = Share { item: new_item(), ..share_with(world, &spelling, sharer()) };
        let purged = Share { id: ShareId::new(&purged.item, &purged.recipient), ..purged };
        operator.store(world, &purged).await;
        world.revoke(&purged).await;
        world.run_sweep().await;
        world.lose(&purged).await;
        world.run_sweep().await;
        // Shares whose emails are pending, and whose creation is not logged yet.
        let pending = Share { item: new_item(), ..share_with(world, &spelling, sharer()) };
        let pending = Share { id: ShareId::new(&pending.item, &pending.recipient), ..pending };
        operator.store(world, &pending).await;
        let id = ShareId::new(&world.item, &recipient.parse().unwrap());
        operator.send_report(world, &failed_report(&pending, &spelling, world)).await;
        let others = share_with(world, &other, sharer());
        operator.send_report(world, &failed_report(&others, &other, world)).await;
        Self { recipient, other, link, other_link, ids: vec![id, purged.id, pending.id] }
    }
}

#[tokio::test]
async fn erased_recipient_leaves_no_trace_in_any_store() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let scene = Scene::set(&mut world, &operator).await;
    let emails = world.links_to(&scene.recipient).await.len();
    world.advance(TimeDelta::minutes(1));

    let report = operator.run_on_people("erase", &["--recipient", &scene.recipient.to_lowercase()]).await;

    assert!(report.is_success, "{report:?}");
    assert_eq!(status(&world, &scene.link).await, 404, "the link still works");
    assert_eq!(report.number("shares deleted"), 2);
    assert!(report.number("log entries deleted") >= 6, "{report:?}");
    assert_eq!(report.number("counters of emails deleted"), 1);
    assert_eq!(report.number("failed SES reports deleted"), 1);
    let printed = [report.output, report.errors].concat().to_lowercase();
    assert!(!printed.contains("erik") && !printed.contains('@'), "the report names someone: {printed}");
    // The sweeper gets the changes before the erasure, and the deletions.
    world.run_sweep().await;
    world.run_notify().await;
    world.run_minutes(5).await;
    let stores = all_stores(&world, &operator).await;
    assert_no_trace(&stores, &scene.recipient, &scene.ids, &operator);
    assert_eq!(world.links_to(&scene.recipient).await.len(), emails, "a pending email was sent");
    // Nothing else is lost.
    assert_eq!(status(&world, &scene.other_link).await, 302);
    world.run_sweep().await;
    let other = ShareId::new(&world.item, &scene.other.parse().unwrap());
    // The use and the download have the same time, so their ids decide the order.
    let mut events = world.log_events(other).await;
    events.sort_unstable();
    assert_eq!(events, ["created", "downloaded", "emailed", "opened"]);
    assert!(stores.contains(&scene.other), "the report about another recipient is lost");
}

#[tokio::test]
async fn repeated_erasure_finds_nothing() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let scene = Scene::set(&mut world, &operator).await;
    world.advance(TimeDelta::minutes(1));
    let erase = ["--recipient", &scene.recipient];
    assert!(operator.run_on_people("erase", &erase).await.is_success);
    world.run_sweep().await;
    let before = all_rows(&world).await;

    let report = operator.run_on_people("erase", &erase).await;

    assert!(report.is_success, "{report:?}");
    assert!(report.numbers().iter().all(|count| *count == 0), "{report:?}");
    assert_eq!(all_rows(&world).await, before);
}

#[tokio::test]
async fn dry_run_counts_the_same_and_writes_nothing() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let scene = Scene::set(&mut world, &operator).await;
    world.advance(TimeDelta::minutes(1));
    let before = all_rows(&world).await;
    let erase = ["--recipient", &scene.recipient, "--sharer", "tess", "--deep"];

    let dry_run = operator.run_on_people("erase", &[erase.as_slice(), &["--dry-run"]].concat()).await;

    assert!(dry_run.is_success, "{dry_run:?}");
    assert_eq!(all_rows(&world).await, before);
    assert_eq!(status(&world, &scene.link).await, 302, "a dry run ended access");
    let real = operator.run_on_people("erase", &erase).await;
    assert!(real.is_success, "{real:?}");
    for label in ["shares deleted", "counters of emails", "failed SES reports deleted", "remembered requests"]
    {
        assert_eq!(real.number(label), dry_run.number(label), "{label}");
    }
    assert_eq!(real.number("log entries deleted"), dry_run.number("log entries deleted"));
}

#[tokio::test]
async fn interrupted_erasure_can_be_repeated() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let scene = Scene::set(&mut world, &operator).await;
    world.advance(TimeDelta::minutes(1));
    let mut interruptions = 0;
    loop {
        // The next run may write once more than the run before.
        let mut writes_left = interruptions;
        world.dynamodb.set_fault_policy(move |call| {
            let is_write = ["DeleteItem", "UpdateItem", "PutItem"].iter().any(|write| call.contains(write));
            if is_write && writes_left == 0 {
                return Some(Fault::Respond(400, "AccessDeniedException", "the credentials have expired"));
            }
            writes_left -= usize::from(is_write);
            None
        });
        let report = operator.run_on_people("erase", &["--recipient", &scene.recipient]).await;
        world.dynamodb.clear_faults();
        if report.is_success {
            break;
        }
        assert!(report.errors.contains("run the command again"), "{report:?}");
        assert!(!report.errors.contains('@'), "{report:?}");
        interruptions += 1;
        assert!(interruptions < 50, "{report:?}");
    }
    assert!(interruptions >= 2, "the erasure was never interrupted");
    world.run_sweep().await;
    let stores = all_stores(&world, &operator).await;
    assert_no_trace(&stores, &scene.recipient, &scene.ids, &operator);
}

/// The sweeper appends an entry after the erasure has searched the log.
#[tokio::test]
async fn entry_appended_after_the_search_is_removed() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let recipient = address("erik");
    let share = share_with(&world, &recipient, sharer());
    operator.store(&world, &share).await;
    world.advance(TimeDelta::minutes(1));
    let (notice, requested) = oneshot::channel();
    let (resume, resumed) = oneshot::channel();
    world.dynamodb.inject_once(&["PutItem", &stack.info.log_table_name], Fault::Pause(notice, resumed));
    let sweep = world.new_function("SweepShares").await;
    let records = json!({"Records": world.records().await});

    let erase = async {
        requested.await.unwrap();
        let report = operator.run_on_people("erase", &["--recipient", &recipient]).await;
        resume.send(()).unwrap();
        report
    };
    let (swept, report) = within_minutes(2, join(sweep.invoke(&records), erase)).await;

    assert_eq!(swept.unwrap(), json!({"batchItemFailures": []}));
    assert!(report.is_success, "{report:?}");
    world.run_sweep().await;
    assert_no_trace(&all_stores(&world, &operator).await, &recipient, &[share.id], &operator);
}

#[tokio::test]
async fn share_created_after_the_erasure_is_logged() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let recipient = address("erik");
    let share = share_with(&world, &recipient, sharer());
    operator.store(&world, &share).await;
    world.advance(TimeDelta::minutes(1));
    assert!(operator.run_on_people("erase", &["--recipient", &recipient]).await.is_success);
    world.advance(TimeDelta::minutes(1));
    let again = share_with(&world, &recipient, sharer());
    operator.store(&world, &again).await;
    world.run_notify().await;
    world.run_sweep().await;

    assert_eq!(world.log_events(again.id).await, ["created", "emailed"]);
    assert_eq!(world.links_to(&recipient).await.len(), 1);
}

/// The erasure finds the share in the index, or only in the scan.
#[tokio::test]
async fn share_created_during_the_erasure_is_purged_without_a_trace() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    for is_indexed in [true, false] {
        let recipient = address("erik");
        let later = world.now() + TimeDelta::minutes(1);
        let share = share_builder(&world.item, WEEK, later).recipient(&recipient).build();
        operator.store(&world, &share).await;
        if !is_indexed {
            let hash = operator.index_key.recipient(&share.recipient);
            let update = json!({
                "TableName": stack.info.table_name,
                "Key": {"item": {"S": share.item.to_string()}, "entry": {"S": format!("SHARE#{}", share.id)}},
                "UpdateExpression": "SET recipientKey = :key",
                "ExpressionAttributeValues": {":key": {"S": format!("{hash}#9")}},
            });
            world.aws().call("dynamodb", "DynamoDB_20120810.UpdateItem", &update).await;
        }

        let report = operator.run_on_people("erase", &["--recipient", &recipient]).await;

        assert!(report.is_success, "{report:?}");
        assert_eq!(report.number("shares deleted"), 1, "indexed: {is_indexed}");
        world.run_sweep().await;
        let stores = all_stores(&world, &operator).await;
        assert_no_trace(&stores, &recipient, &[share.id], &operator);
    }
}

#[tokio::test]
async fn share_created_by_a_retry_after_the_erasure_is_logged() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let recipient = address("erik");
    world.upload().await;
    let create = world.new_function("CreateShares").await;
    let mut event = create_event(&world.item, std::slice::from_ref(&recipient), world.now());
    event["headers"]["idempotency-key"] = unique("key").into();
    let create = async || -> Value {
        let response = create.invoke(&event).await.unwrap();
        assert_eq!(response["statusCode"], 201, "{response}");
        let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
        body["results"][0]["share"].clone()
    };
    let first = create().await;
    world.advance(TimeDelta::minutes(1));
    assert!(operator.run_on_people("erase", &["--recipient", &recipient]).await.is_success);
    world.advance(TimeDelta::minutes(1));

    let retried = create().await;

    let created_at = |share: &Value| share["createdAt"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert_eq!(created_at(&retried), world.now());
    assert_eq!(created_at(&first), world.now() - TimeDelta::minutes(2));
    world.advance(TimeDelta::minutes(1));
    assert_eq!(create().await, retried, "a later retry returns another share");
    world.run_sweep().await;
    let id = ShareId::new(&world.item, &recipient.parse().unwrap());
    assert_eq!(world.log_events(id).await, ["created"]);
}

/// Only the restored tables know of the erasure, and one item is restored.
#[tokio::test]
async fn erasure_in_the_backup_is_obeyed_before_anything_is_restored() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let recipient = address("erik");
    let share = share_with(&world, &recipient, sharer());
    operator.store(&world, &share).await;
    world.run_sweep().await;
    let item = world.item.to_string();
    let backup = world.aws().back_up(&item).await;
    world.lose(&share).await;
    world.run_sweep().await;
    for row in world.aws().log_rows(&item).await {
        world.aws().delete_log_row(&item, row["entry"].as_s().unwrap()).await;
    }
    world.advance(TimeDelta::minutes(1));
    let hash = operator.index_key.recipient(&share.recipient);
    let backup_table = ShareTable::new(world.aws().config(), &backup[0]);
    backup_table.record_erasure(&hash, world.now()).await.unwrap();
    let before = all_rows(&world).await;

    let dry_run = operator.restore(&backup, &["--item", &item, "--dry-run"]).await;

    assert_eq!(dry_run.number("their recipient was erased"), 2, "the share and its log entry: {dry_run:?}");
    assert_eq!(all_rows(&world).await, before);
    let restored = operator.restore(&backup, &["--item", &item]).await;
    assert!(restored.is_success, "{restored:?}");
    assert_eq!(restored.number("their recipient was erased"), 2, "{restored:?}");
    let stores = world.aws().scan_tables().await;
    assert_no_trace(&stores, &recipient, &[share.id], &operator);
}

#[tokio::test]
async fn restored_backup_does_not_bring_erased_people_back() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let (recipient, other) = (address("erik"), address("bob"));
    let by = Sharer { name: Some("Sharon Sharer".into()), ..sharer() };
    let erased = share_with(&world, &recipient, sharer());
    let lost = share_with(&world, &other, by);
    operator.store(&world, &erased).await;
    operator.store(&world, &lost).await;
    world.run_notify().await;
    world.run_sweep().await;
    let backup = world.aws().back_up(&world.item.to_string()).await;
    world.advance(TimeDelta::minutes(1));
    let report = operator.run_on_people("erase", &["--recipient", &recipient, "--sharer", "tess"]).await;
    assert!(report.is_success, "{report:?}");
    world.lose(&lost).await;
    world.run_sweep().await;
    world.advance(TimeDelta::minutes(1));
    for row in world.aws().log_rows(&world.item.to_string()).await {
        let [item, entry] = ["item", "entry"].map(|name| row[name].as_s().unwrap().clone());
        if entry.contains(&lost.id.to_string()) && !entry.contains(".90.") {
            world.aws().delete_log_row(&item, &entry).await;
        }
    }

    let restored = operator.restore(&backup, &["--log-retention-days", "365"]).await;

    assert!(restored.is_success, "{restored:?}");
    assert_eq!(restored.number("shares restored in their last known state"), 1);
    assert_eq!(restored.number("their recipient was erased"), 3, "the share and its two log entries");
    world.run_sweep().await;
    let stores = world.aws().scan_tables().await;
    assert_no_trace(&stores, &recipient, &[erased.id], &operator);
    assert!(!stores.contains("Sharon") && !stores.contains("tess"), "{}", context(&stores, "Sharon"));
    let share = world.read(&lost).await.unwrap();
    assert_eq!(share.created_by, Sharer::erased());
    assert_eq!(share.generation, lost.generation, "the link must still work");
    let found = operator.run_on_shares("list", &["--sharer", "erased"]).await;
    assert!(found.output.contains(&lost.id.to_string()), "{found:?}");
    // A backup from before the loss of the whole table has the erasure, too.
    let again = operator.restore(&backup, &[]).await;
    assert_eq!(again.number("their recipient was erased"), 3, "{again:?}");
}

#[tokio::test]
async fn erased_sharer_becomes_anonymous_and_the_links_still_work() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let (one, other) = (address("ann"), address("bob"));
    let sub = unique("mallory");
    let mallory = Sharer {
        sub: sub.clone(),
        name: Some("Mallory Memorable".into()),
        email: Some(format!("{sub}@example.com").parse().unwrap()),
    };
    world.upload().await;
    let by_mallory = share_with(&world, &one, mallory.clone());
    let by_tess = share_with(&world, &other, sharer());
    operator.store(&world, &by_mallory).await;
    operator.store(&world, &by_tess).await;
    world.run_notify().await;
    let [link] = world.links_to(&one).await.try_into().unwrap();
    world.advance(TimeDelta::minutes(10));
    let action = Action { by: mallory.clone(), at: world.now() };
    let write = || new_write_id().unwrap();
    let later = (crate::support::rfc3339(world.now() + WEEK * 2).parse().unwrap(), ExpectedVersion::Any);
    let (item, id) = (&by_tess.item, by_tess.id);
    change_expiration(&world.table, item, id, later, &action, write()).await.unwrap();
    resend(&world.table, item, id, &action, write()).await.unwrap();
    let (item, id) = (&by_mallory.item, by_mallory.id);
    resend(&world.table, item, id, &action, write()).await.unwrap();
    world.run_notify().await;
    let create = world.new_function("CreateShares").await;
    let mut event = create_event(&world.item, &[address("carl")], world.now());
    event["headers"]["idempotency-key"] = unique("key").into();
    let event = with_caller(event, &sub, "Mallory Memorable", &["producer"]);
    assert_eq!(create.invoke(&event).await.unwrap()["statusCode"], 201);
    world.run_sweep().await;
    operator.send_report(&world, &failed_report(&by_mallory, &format!("{sub}@example.com"), &world)).await;
    let before = all_stores(&world, &operator).await;
    assert!(before.matches("Mallory").count() >= 8, "{before}");
    operator.send_report(&world, &failed_report(&by_mallory, &format!("{sub}@example.com"), &world)).await;

    let report = operator.run_on_people("erase", &["--sharer", &sub]).await;

    world.run_sweep().await;
    assert_eq!(report.number("remembered requests deleted"), 1);
    assert_eq!(report.number("other shares without"), 3);
    assert_eq!(report.number("failed SES reports deleted"), 1);
    let tables = world.aws().scan_tables().await;
    assert!(!tables.contains("Mallory") && !tables.contains(&sub), "{}", context(&tables, &sub));
    assert_eq!(status(&world, &link).await, 302);
    assert_eq!(world.read(&by_mallory).await.unwrap().created_by, Sharer::erased());
    assert_eq!(world.read(&by_tess).await.unwrap().created_by, sharer());
    let mine = operator.run_on_shares("list", &["--sharer", &sub]).await;
    assert!(mine.is_success && !mine.output.contains(&by_mallory.id.to_string()), "{mine:?}");
    let erased = operator.run_on_shares("list", &["--sharer", "erased"]).await;
    assert!(erased.output.contains(&by_mallory.id.to_string()), "{erased:?}");
}

#[tokio::test]
async fn sharers_shares_are_revoked_on_request() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let (one, other) = (address("ann"), address("bob"));
    let mallory = Sharer { sub: unique("mallory"), name: Some("Mallory".into()), email: None };
    let by_mallory = share_with(&world, &one, mallory.clone());
    let by_tess = share_with(&world, &other, sharer());
    operator.store(&world, &by_mallory).await;
    operator.store(&world, &by_tess).await;
    world.advance(TimeDelta::minutes(1));

    let erase = ["--sharer", &mallory.sub, "--revoke", "--by", "opal"];
    let report = operator.run_on_people("erase", &erase).await;

    assert!(report.is_success, "{report:?}");
    let revoked = world.read(&by_mallory).await.unwrap();
    assert_eq!((revoked.revoked_at, revoked.created_by), (Some(world.now()), Sharer::erased()));
    assert_eq!(revoked.changed.unwrap().action.by, Sharer::operator("opal"));
    assert_eq!(world.read(&by_tess).await.unwrap().revoked_at, None);
    world.run_sweep().await;
    assert_eq!(world.log_events(by_mallory.id).await, ["created", "revoked"]);
}

#[tokio::test]
async fn erasure_does_not_end_the_pause_of_a_sharer() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let recipient = address("ann");
    let mallory = Sharer { sub: unique("mallory"), name: Some("Mallory".into()), email: None };
    world.upload().await;
    let share = share_with(&world, &recipient, mallory.clone());
    operator.store(&world, &share).await;
    world.run_notify().await;
    let [link] = world.links_to(&recipient).await.try_into().unwrap();
    assert!(operator.switch_sharer("off", &mallory.sub).await.is_success);
    world.advance(TimeDelta::minutes(1));
    let before = all_rows(&world).await;

    let erase = ["--sharer", &mallory.sub];
    let refused = operator.run_on_people("erase", &erase).await;

    assert!(!refused.is_success, "{refused:?}");
    assert!(refused.errors.contains("switched off: erase with --revoke"), "{refused:?}");
    assert_eq!(all_rows(&world).await, before);
    assert_eq!(status(&world, &link).await, 503);
    let revoked = operator.run_on_people("erase", &[erase.as_slice(), &["--revoke"]].concat()).await;
    assert!(revoked.is_success, "{revoked:?}");
    assert_eq!(status(&world, &link).await, 410);
}

#[tokio::test]
async fn second_erasure_finds_what_was_logged_late() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let mallory = Sharer { sub: unique("mallory"), name: Some("Mallory".into()), email: None };
    operator.store(&world, &share_with(&world, &address("ann"), mallory.clone())).await;
    world.advance(TimeDelta::minutes(1));
    let erase = ["--sharer", &mallory.sub];
    let first = operator.run_on_people("erase", &erase).await;
    assert!(first.output.contains("run the command again after 90 minutes"), "{first:?}");
    world.run_sweep().await;
    assert!(world.aws().scan_tables().await.contains(&mallory.sub), "nothing was logged late");
    world.advance(TimeDelta::minutes(90));

    let second = operator.run_on_people("erase", &erase).await;

    assert!(second.is_success, "{second:?}");
    let stores = world.aws().scan_tables().await;
    assert!(!stores.contains(&mallory.sub), "{}", context(&stores, &mallory.sub));
}

#[tokio::test]
async fn recipient_who_also_shares_loses_only_the_address() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let (email, other) = (address("Erik"), address("bob"));
    let erik = Sharer { sub: "erik-sub".into(), name: Some("E".into()), email: Some(email.parse().unwrap()) };
    let share = share_with(&world, &other, erik.clone());
    operator.store(&world, &share).await;
    world.run_sweep().await;
    world.advance(TimeDelta::minutes(1));

    let report = operator.run_on_people("erase", &["--recipient", &email]).await;

    assert!(report.is_success, "{report:?}");
    assert_eq!(report.number("shares deleted"), 0);
    world.run_sweep().await;
    assert_no_trace(&all_stores(&world, &operator).await, &email, &[], &operator);
    let kept = world.read(&share).await.unwrap();
    assert_eq!(kept.created_by, Sharer { email: None, ..erik });
    assert_eq!(world.log_events(share.id).await, ["created"]);
}

#[tokio::test]
async fn other_shares_texts_are_removed_only_by_a_deep_erasure() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let (recipient, other) = (address("erik"), address("bob"));
    let message = format!("I also gave it to {}.", recipient.to_uppercase());
    let share = share_builder(&world.item, WEEK, world.now()).recipient(&other).message(&message);
    let share = share.title(&format!("For {recipient}")).build();
    operator.store(&world, &share).await;
    world.advance(TimeDelta::minutes(1));

    let plain = operator.run_on_people("erase", &["--recipient", &recipient]).await;
    assert_eq!((plain.number("titles of other shares removed"), plain.number("and remain")), (0, 2));
    assert_eq!(world.read(&share).await.as_ref(), Some(&share));

    let deep = operator.run_on_people("erase", &["--recipient", &recipient, "--deep"]).await;
    assert_eq!((deep.number("titles of other shares removed"), deep.number("and remain")), (2, 0));
    assert_no_trace(&all_stores(&world, &operator).await, &recipient, &[], &operator);
    let kept = world.read(&share).await.unwrap();
    assert_eq!((kept.message, kept.title), (None, None));
    world.run_sweep().await;
}

/// A damaged row cannot be listed, but it is found by its hash, its address or its id.
#[tokio::test]
async fn damaged_share_of_an_erased_recipient_is_deleted() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let recipient = address("erik");
    let share = share_with(&world, &recipient, sharer());
    operator.store(&world, &share).await;
    let damage = json!({
        "TableName": stack.info.table_name,
        "Key": {"item": {"S": share.item.to_string()}, "entry": {"S": format!("SHARE#{}", share.id)}},
        "UpdateExpression": "REMOVE recipient, files, recipientKey",
    });
    world.aws().call("dynamodb", "DynamoDB_20120810.UpdateItem", &damage).await;

    let report = operator.run_on_people("erase", &["--recipient", &recipient]).await;

    assert!(report.is_success, "{report:?}");
    assert_eq!(report.number("shares deleted"), 1);
    assert_eq!(world.read(&share).await, None);
}

#[tokio::test]
async fn erasure_keeps_a_change_that_is_made_at_the_same_time() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let other = address("bob");
    let mallory = Sharer { sub: unique("mallory"), name: Some("Mallory".into()), email: None };
    let share = share_with(&world, &other, mallory.clone());
    operator.store(&world, &share).await;
    let action = Action { by: mallory.clone(), at: world.now() };
    let (notice, requested) = oneshot::channel();
    let (resume, resumed) = oneshot::channel();
    world.dynamodb.inject_once(&["UpdateItem", "createdBy"], Fault::Pause(notice, resumed));

    let change = async {
        requested.await.unwrap();
        revoke(&world.table, &share.item, share.id, &action, new_write_id().unwrap()).await.unwrap();
        resume.send(()).unwrap();
    };
    let erase = ["--sharer", &mallory.sub];
    let erasing = operator.run_on_people("erase", &erase);
    let (report, ()) = within_minutes(2, join(erasing, change)).await;

    assert!(report.is_success, "{report:?}");
    let revoked = world.read(&share).await.unwrap();
    assert!(revoked.revoked_at.is_some(), "the revocation is lost");
    assert_eq!(revoked.created_by, Sharer::erased());
    // The change itself is later than what the erasure has read. Another run finds it.
    assert!(operator.run_on_people("erase", &erase).await.is_success);
    assert!(!world.aws().scan_tables().await.contains(&mallory.sub));
}

#[tokio::test]
async fn erased_sharer_leaves_neither_notices_nor_settings() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let sharer = new_sharer();
    let builder = share_builder(&world.item, TimeDelta::days(7), world.now()).sharer(sharer.clone());
    let share = builder.notify(true).recipient(&address("bob")).build();
    operator.store(&world, &share).await;
    world.run_notify().await;
    bounce(&world, &share).await;
    world.run_sweep().await;
    let key = operator.index_key.sharer(&sharer.sub);
    world.table.save_notice_settings(key, NoticeKinds::ALL).await.unwrap();
    let rows = async || {
        let (aws, notices, settings) = (world.aws(), format!("NOTICES#{key}"), format!("SETTINGS#{key}"));
        aws.rows(&notices).await.len() + aws.rows(&settings).await.len()
    };
    assert_eq!(rows().await, 2);
    let report = operator.run_on_people("erase", &["--sharer", &sharer.sub]).await;
    assert_eq!(report.number("rows of notices and settings deleted"), 2, "{report:?}");
    assert_eq!(rows().await, 0);
    // The changed shares and late notices cause no digest.
    world.run_sweep().await;
    world.run_minutes(12).await;
    assert_eq!(emails_to(&stack, sharer.email.unwrap().as_str()).await.len(), 0);
}

/// Returns a share whose email has bounced, after the sharer's notice of it was stored.
async fn noticed_share(
    world: &mut World<'_>,
    operator: &Operator,
    recipient: &str,
    sharer: &Sharer,
) -> Share {
    let share = share_with(world, recipient, sharer.clone());
    operator.store(world, &share).await;
    world.run_notify().await;
    bounce(world, &share).await;
    world.run_sweep().await;
    share
}

#[tokio::test]
async fn erased_recipient_is_in_no_notice() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let (sharer, recipient, other) = (new_sharer(), address("erik"), address("bob"));
    let share = noticed_share(&mut world, &operator, &recipient, &sharer).await;
    noticed_share(&mut world, &operator, &other, &sharer).await;
    world.advance(TimeDelta::minutes(1));
    let erase = ["--recipient", &recipient];
    let label = "notices that no longer name their share";
    let dry_run = operator.run_on_people("erase", &[erase.as_slice(), &["--dry-run"]].concat()).await;
    assert_eq!(dry_run.number(label), 1);

    let report = operator.run_on_people("erase", &erase).await;

    assert!(report.is_success, "{report:?}");
    assert_eq!(report.number(label), 1);
    world.run_sweep().await;
    assert_no_trace(&all_stores(&world, &operator).await, &recipient, &[share.id], &operator);
    assert_eq!(operator.run_on_people("erase", &erase).await.number(label), 0);
    // The other notice is not lost.
    world.run_minutes(12).await;
    let [digest] = emails_to(&stack, sharer.email.unwrap().as_str()).await.try_into().unwrap();
    assert!(digest.text.contains(&other) && !digest.text.contains(&recipient), "{}", digest.text);
}

/// The sweeper appends a notice after the erasure has searched the table.
#[tokio::test]
async fn notice_appended_after_the_search_names_no_share() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let (sharer, recipient) = (new_sharer(), address("erik"));
    let share = share_with(&world, &recipient, sharer);
    operator.store(&world, &share).await;
    world.run_notify().await;
    bounce(&world, &share).await;
    world.advance(TimeDelta::minutes(1));
    let (notice, requested) = oneshot::channel();
    let (resume, resumed) = oneshot::channel();
    world.dynamodb.inject_once(&["TransactWriteItems"], Fault::Pause(notice, resumed));
    let sweep = world.new_function("SweepShares").await;
    let records = json!({"Records": world.records().await});

    let erase = async {
        requested.await.unwrap();
        let report = operator.run_on_people("erase", &["--recipient", &recipient]).await;
        resume.send(()).unwrap();
        report
    };
    let (swept, report) = within_minutes(2, join(sweep.invoke(&records), erase)).await;

    assert_eq!(swept.unwrap(), json!({"batchItemFailures": []}));
    assert!(report.is_success, "{report:?}");
    let tables = world.aws().scan_tables().await;
    assert!(tables.contains("noticeCount"), "the notice was not appended");
    world.run_sweep().await;
    assert_no_trace(&all_stores(&world, &operator).await, &recipient, &[share.id], &operator);
}
