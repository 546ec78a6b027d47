//! Events: every entry of the share log reaches the platform's event bus at least once, in the documented form,
//! and says nothing about the recipient.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::LazyLock;
use std::time::Duration;

use chrono::TimeDelta;
use jsonschema::Validator;
use serde_json::{Value, json};
use sharelink_aws::event_bus::ShareEvent;
use sharelink_aws::share_table::{Restore, RestoreOptions, ShareLog, ShareTable};
use sharelink_domain::access::DownloadError;
use sharelink_domain::index_key::IndexKey;
use sharelink_domain::log::{LogEntry, LogEvent};
use sharelink_domain::restore::{Policy, Unconfirmed};
use sharelink_domain::use_source::ClientKind;
use sharelink_domain::{EmailAddress, Generation, MailReason, Sharer, UseSource};

use crate::support::fixtures::{job, now};
use crate::support::proxy::Fault;
use crate::support::{Aws, Stack, TestItem, World, address, eventually, unique};

const WEEK: TimeDelta = TimeDelta::days(7);
const RETENTION: TimeDelta = TimeDelta::days(365);
const PUT: &str = "AWSEvents.PutEvents";

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(include_str!("../../infra/events/share-event.json")).unwrap();
    jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap()
});

#[track_caller]
fn assert_matches_schema(event: &Value) {
    let errors: Vec<String> = SCHEMA.iter_errors(event).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?} in {event}");
}

/// Returns the event as a rule's target receives it, without the fields that `EventBridge` adds.
fn received(event: &ShareEvent) -> Value {
    let detail: Value = serde_json::from_str(&event.detail).unwrap();
    json!({"source": "sharelink", "detail-type": event.detail_type, "detail": detail})
}

/// Returns an event of each kind.
fn each_kind() -> Vec<LogEvent> {
    let (from, to) = (now(), now() + WEEK);
    let all = vec![
        LogEvent::Created,
        LogEvent::Emailed,
        LogEvent::MailFailed { reason: MailReason::GivenUp },
        LogEvent::Delivered,
        LogEvent::Bounced { reason: MailReason::MailboxFull },
        LogEvent::Complained,
        LogEvent::Reminded,
        LogEvent::ReminderFailed { reason: MailReason::GivenUp },
        LogEvent::Opened { number: 1 },
        LogEvent::Downloaded { number: 128 },
        LogEvent::DownloadedAll { number: 2 },
        LogEvent::DownloadFailed { reason: DownloadError::Archived },
        LogEvent::ExpirationChanged { from, to },
        LogEvent::Revoked,
        LogEvent::Reactivated,
        LogEvent::LinkCopied,
        LogEvent::LinkRenewed { generation: Generation::from_bytes([7; 16]) },
        LogEvent::Resent,
        LogEvent::MoreTimeRequested { number: 3 },
        LogEvent::EmailsStopped,
        LogEvent::EmailsAllowed,
        LogEvent::Expired,
        LogEvent::Purged { created_at: Some(from) },
        LogEvent::Restored,
    ];
    // A new kind does not compile until it is in this list and in the list above.
    for event in &all {
        match event {
            LogEvent::Created
            | LogEvent::Emailed
            | LogEvent::MailFailed { .. }
            | LogEvent::Delivered
            | LogEvent::Bounced { .. }
            | LogEvent::Complained
            | LogEvent::Reminded
            | LogEvent::ReminderFailed { .. }
            | LogEvent::Opened { .. }
            | LogEvent::Downloaded { .. }
            | LogEvent::DownloadedAll { .. }
            | LogEvent::DownloadFailed { .. }
            | LogEvent::ExpirationChanged { .. }
            | LogEvent::Revoked
            | LogEvent::Reactivated
            | LogEvent::LinkCopied
            | LogEvent::LinkRenewed { .. }
            | LogEvent::Resent
            | LogEvent::MoreTimeRequested { .. }
            | LogEvent::EmailsStopped
            | LogEvent::EmailsAllowed
            | LogEvent::Expired
            | LogEvent::Purged { .. }
            | LogEvent::Restored => {}
        }
    }
    all
}

/// Creates an entry with everything that an entry can contain.
fn entry(event: LogEvent) -> LogEntry {
    let share = "877fab806afa6fcb1a85617f9ffe0709";
    let is_use = matches!(
        event,
        LogEvent::Opened { .. }
            | LogEvent::Downloaded { .. }
            | LogEvent::DownloadedAll { .. }
            | LogEvent::DownloadFailed { .. }
    );
    let is_by_sharer = matches!(
        event,
        LogEvent::Created
            | LogEvent::ExpirationChanged { .. }
            | LogEvent::Revoked
            | LogEvent::Reactivated
            | LogEvent::LinkCopied
            | LogEvent::LinkRenewed { .. }
            | LogEvent::Resent
    );
    let recipient: EmailAddress = "ann@example.com".parse().unwrap();
    let sharer =
        Sharer { sub: "u1".into(), name: Some("Tess Tester".into()), email: Some(recipient.clone()) };
    let source = UseSource { network: "203.0.113.0/24".parse().ok(), client: ClientKind::Firefox };
    LogEntry {
        at: "2030-03-10T12:00:00Z".parse().unwrap(),
        sequence: format!("{share}.10.1"),
        share: share.parse().unwrap(),
        recipient,
        event,
        by: is_by_sharer.then_some(sharer),
        source: is_use.then_some(source),
    }
}

fn event_of(event: LogEvent) -> ShareEvent {
    ShareEvent::new(&job("1042"), &entry(event)).unwrap().unwrap()
}

#[test]
fn every_kind_of_event_has_its_own_schema() {
    let mut names = BTreeSet::new();
    for event in each_kind() {
        let event = event_of(event);
        assert_matches_schema(&received(&event));
        assert!(names.insert(event.detail_type), "{} is used twice", event.detail_type);
    }
    let schema: Value = serde_json::from_str(include_str!("../../infra/events/share-event.json")).unwrap();
    let kinds = schema["oneOf"].as_array().unwrap().iter();
    let documented: BTreeSet<&str> = kinds.map(|kind| kind["title"].as_str().unwrap()).collect();
    assert_eq!(names, documented);
    let page = include_str!("../../infra/events/README.md");
    for name in names {
        assert!(page.contains(&format!("| `{name}` |")), "{name} is not in README.md");
    }
}

/// The schema would not notice an address if it allowed other fields.
#[test]
fn schema_allows_no_other_field() {
    for event in each_kind() {
        let mut event = received(&event_of(event));
        event["detail"]["recipient"] = "ann@example.com".into();
        assert!(!SCHEMA.is_valid(&event), "{event}");
    }
}

#[test]
fn event_contains_nothing_about_people_but_the_sub() {
    for event in each_kind() {
        let event = event_of(event);
        for secret in ["ann", "@", "Tess", "203.0.113", &"07".repeat(16)] {
            assert!(!event.detail.contains(secret), "{secret}: {}", event.detail);
        }
    }
}

#[test]
fn correction_has_another_id_than_its_download() {
    let download = received(&event_of(LogEvent::Downloaded { number: 1 }));
    let failed = received(&event_of(LogEvent::DownloadFailed { reason: DownloadError::Missing }));
    assert_ne!(download["detail"]["id"], failed["detail"]["id"]);
    assert_eq!(download["detail"]["id"], failed["detail"]["corrects"]);
}

#[test]
fn unchanged_expiration_is_no_event() {
    let expiry = now();
    let entry = entry(LogEvent::ExpirationChanged { from: expiry, to: expiry });
    assert_eq!(ShareEvent::new(&job("1042"), &entry).unwrap(), None);
}

/// A queue of the platform that receives the events of one item.
struct Queue<'a> {
    aws: Aws<'a>,
    url: String,
}

impl<'a> Queue<'a> {
    async fn new(stack: &'a Stack, bus: &str, item: &str) -> Self {
        let (aws, name) = (Aws::new(stack), unique("events"));
        let created = aws.call("sqs", "AmazonSQS.CreateQueue", &json!({"QueueName": name})).await;
        let url = created["QueueUrl"].as_str().unwrap().to_owned();
        let attributes = json!({"QueueUrl": url, "AttributeNames": ["QueueArn"]});
        let attributes = aws.call("sqs", "AmazonSQS.GetQueueAttributes", &attributes).await;
        let pattern = json!({"source": ["sharelink"], "detail": {"item": [item]}}).to_string();
        let rule = json!({"Name": name, "EventBusName": bus, "EventPattern": pattern, "State": "ENABLED"});
        aws.call("events", "AWSEvents.PutRule", &rule).await;
        let target = json!({"Id": "queue", "Arn": attributes["Attributes"]["QueueArn"]});
        let targets = json!({"Rule": name, "EventBusName": bus, "Targets": [target]});
        aws.call("events", "AWSEvents.PutTargets", &targets).await;
        Self { aws, url }
    }

    /// Returns the events that have arrived since the last call. Checks each against the schema.
    async fn take(&self) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let receive = json!({"QueueUrl": self.url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 0});
            let received = self.aws.call("sqs", "AmazonSQS.ReceiveMessage", &receive).await;
            let Some(messages) = received["Messages"].as_array().filter(|found| !found.is_empty()) else {
                return events;
            };
            for message in messages {
                let event: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
                assert_matches_schema(&event);
                events.push(event);
                let delete = json!({"QueueUrl": self.url, "ReceiptHandle": message["ReceiptHandle"]});
                self.aws.call("sqs", "AmazonSQS.DeleteMessage", &delete).await;
            }
        }
    }

    /// Returns how often each id has arrived since the last call.
    async fn take_ids(&self) -> BTreeMap<String, usize> {
        let mut ids = BTreeMap::new();
        for event in self.take().await {
            *ids.entry(event["detail"]["id"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        ids
    }
}

/// Returns the keys of the item's log entries.
async fn log_keys(world: &World<'_>) -> BTreeSet<String> {
    let rows = world.aws().log_rows(&world.item.to_string()).await;
    rows.iter().map(|row| row["entry"].as_s().unwrap().clone()).collect()
}

async fn queue_of<'a>(stack: &'a Stack, world: &World<'_>) -> Queue<'a> {
    Queue::new(stack, "default", world.item.name.as_str()).await
}

/// Appends this many entries to the world's log.
async fn append(world: &World<'_>, count: usize) {
    for number in 0..count {
        let mut entry = entry(LogEvent::Created);
        entry.sequence = format!("{}.10.{number:x}", entry.share);
        world.log.append(&world.item, entry, RETENTION).await.unwrap();
    }
}

/// Returns the number of events in each `PutEvents` call since the last count.
fn batch_sizes(world: &World<'_>) -> Vec<usize> {
    let calls = world.event_bus.take_calls(&[PUT]);
    calls.iter().map(|call| call.matches("\"DetailType\"").count()).collect()
}

#[tokio::test]
async fn deployed_stack_publishes_what_happens_to_a_share() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let queue = Queue::new(&stack, "default", &item.name).await;
    let shared = item.share_with(&address("ann")).await;
    item.revoke(&shared.id).await.assert_status(200);

    let mut names = BTreeSet::new();
    let expected = ["Share Created", "Share Emailed", "Share Revoked"];
    while !expected.iter().all(|name| names.contains(*name)) {
        let arrived =
            eventually("an event", || async { Some(queue.take().await).filter(|events| !events.is_empty()) });
        for event in arrived.await {
            assert_eq!(event["detail"]["shareId"], shared.id.as_str());
            assert_eq!(event["detail"]["module"], "jobs");
            if event["detail-type"] == "Share Revoked" {
                assert_eq!(event["detail"]["sub"], "test-user");
            }
            names.insert(event["detail-type"].as_str().unwrap().to_owned());
        }
    }
}

#[tokio::test]
async fn each_log_entry_is_published_once() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let queue = queue_of(&stack, &world).await;
    let mut publisher = world.event_publisher().await;
    let share = world.share(&address("ann"), WEEK).await;
    world.run_notify().await;
    world.advance(TimeDelta::minutes(1));
    world.revoke(&share).await;
    world.run_sweep().await;
    // The sweeper appends the same entries again.
    let records = world.records().await;
    world.sweep_forwards_and_backwards(&records).await;
    world.publish(&mut publisher).await;

    let keys = log_keys(&world).await;
    assert_eq!(keys.len(), 3, "{keys:?}");
    assert_eq!(queue.take_ids().await, keys.into_iter().map(|key| (key, 1)).collect());
}

#[tokio::test]
async fn full_batch_is_published_in_calls_of_ten() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let queue = queue_of(&stack, &world).await;
    let mut publisher = world.event_publisher().await;
    append(&world, 25).await;
    world.publish(&mut publisher).await;
    assert_eq!(queue.take_ids().await.len(), 25);
    let mut sizes = batch_sizes(&world);
    sizes.sort_unstable();
    assert_eq!(sizes, [5, 10, 10]);
}

#[tokio::test]
async fn only_events_that_were_not_accepted_are_sent_again() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let mut publisher = world.event_publisher().await;
    append(&world, 3).await;
    let partial = json!({
        "FailedEntryCount": 1,
        "Entries": [{"EventId": "1"}, {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow"}, {"EventId": "3"}],
    });
    world.event_bus.inject_once(&[PUT], Fault::RespondJson(partial));
    world.publish(&mut publisher).await;
    let calls = world.event_bus.take_calls(&[PUT]);
    let [first, second] = calls.try_into().unwrap();
    assert_eq!(first.matches("\"DetailType\"").count(), 3);
    assert_eq!(second.matches("\"DetailType\"").count(), 1);
    assert!(second.contains(".10.1\\"), "not the event that failed: {second}");
    assert_eq!(publisher.mapping.discarded, []);
}

#[tokio::test]
async fn throttled_calls_are_repeated_until_accepted() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let queue = queue_of(&stack, &world).await;
    let mut publisher = world.event_publisher().await;
    append(&world, 1).await;
    // More than the SDK's own attempts.
    world.event_bus.throttle(6, &[PUT]);
    world.publish(&mut publisher).await;
    assert_eq!(world.event_bus.pending_faults(), 0);
    assert_eq!(queue.take_ids().await.len(), 1);
}

#[tokio::test]
async fn lost_response_publishes_a_copy_with_the_same_id() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let queue = queue_of(&stack, &world).await;
    let mut publisher = world.event_publisher().await;
    append(&world, 1).await;
    world.event_bus.lose_responses(1, &[PUT]);
    world.publish(&mut publisher).await;
    let ids = queue.take_ids().await;
    assert_eq!(ids.into_values().collect::<Vec<_>>(), [2]);
}

/// `EventBridge` itself accepts the events of a missing bus, and drops them.
#[tokio::test]
async fn missing_bus_loses_no_event_and_delays_no_entry() {
    let stack = Stack::get().await;
    let bus = unique("bus");
    let mut world = World::with_variables(&stack, &[("EVENT_BUS", &bus)]).await;
    let share = world.share(&address("ann"), WEEK).await;
    world.run_sweep().await;
    assert_eq!(world.log_events(share.id).await, ["created"]);
    // The function starts no attempt in its last 45 seconds.
    let time_limit = Duration::from_secs(47);
    let publisher = world.new_function_with_time_limit("SweepShares", time_limit).await;
    let entries = json!({"Records": world.aws().log_records().await});

    let response = publisher.invoke(&entries).await.unwrap();
    let number = &entries["Records"][0]["dynamodb"]["SequenceNumber"];
    assert_eq!(response, json!({"batchItemFailures": [{"itemIdentifier": number}]}));
    assert_eq!(batch_sizes(&world).len(), 0, "an event was sent to the missing bus");

    Aws::new(&stack).call("events", "AWSEvents.CreateEventBus", &json!({"Name": bus})).await;
    let queue = Queue::new(&stack, &bus, world.item.name.as_str()).await;
    assert_eq!(publisher.invoke(&entries).await.unwrap(), json!({"batchItemFailures": []}));
    assert_eq!(queue.take_ids().await.len(), 1);
}

#[tokio::test]
async fn unavailable_bus_does_not_stop_the_log() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    world.event_bus.inject(usize::MAX, &[], || Some(Fault::Disconnect));
    let share = world.share(&address("ann"), WEEK).await;
    world.run_sweep().await;
    assert_eq!(world.log_events(share.id).await, ["created"]);
    assert_eq!(world.event_bus.take_call_count(&[""]), 0, "the log's writer called the bus");
}

#[tokio::test]
async fn without_a_bus_nothing_is_published() {
    let stack = Stack::get().await;
    let world = World::with_variables(&stack, &[("EVENT_BUS", "")]).await;
    append(&world, 1).await;
    let mut publisher = world.event_publisher().await;
    world.publish(&mut publisher).await;
    assert_eq!(world.event_bus.take_call_count(&[""]), 0);
    assert_eq!(publisher.mapping.discarded, []);
}

#[tokio::test]
async fn unreadable_entry_does_not_block_the_others() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let queue = queue_of(&stack, &world).await;
    let mut publisher = world.event_publisher().await;
    let row = json!({
        "item": {"S": world.item.to_string()}, "entry": {"S": "2030-03-10T12:00:00.000Z#877f.10.1"},
        "event": {"S": "invented"},
    });
    let put = json!({"TableName": stack.info.log_table_name, "Item": row});
    world.aws().call("dynamodb", "DynamoDB_20120810.PutItem", &put).await;
    append(&world, 2).await;
    world.publish(&mut publisher).await;
    assert_eq!(queue.take_ids().await.len(), 2);
    assert_eq!(publisher.mapping.discarded, []);
    assert!(publisher.function.output().contains("an entry was not published"));
}

#[tokio::test]
async fn correction_of_a_download_is_published() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let queue = queue_of(&stack, &world).await;
    let mut publisher = world.event_publisher().await;
    for event in
        [LogEvent::Downloaded { number: 1 }, LogEvent::DownloadFailed { reason: DownloadError::Missing }]
    {
        world.log.append(&world.item, entry(event), RETENTION).await.unwrap();
        world.publish(&mut publisher).await;
    }
    let names = queue.take().await.iter().map(|event| event["detail-type"].clone()).collect::<Vec<_>>();
    assert_eq!(names, ["Share File Downloaded", "Share Download Failed"]);
    // A redelivered change writes the same correction again, and a download that it replaces.
    for event in
        [LogEvent::DownloadFailed { reason: DownloadError::Missing }, LogEvent::Downloaded { number: 1 }]
    {
        world.log.append(&world.item, entry(event), RETENTION).await.unwrap();
    }
    // An operator changes the row, for example to make it anonymous.
    let key = log_keys(&world).await.pop_first().unwrap();
    let update = json!({
        "TableName": stack.info.log_table_name,
        "Key": {"item": {"S": world.item.to_string()}, "entry": {"S": key}},
        "UpdateExpression": "SET recipient = :nobody",
        "ExpressionAttributeValues": {":nobody": {"S": "nobody@example.com"}},
    });
    world.aws().call("dynamodb", "DynamoDB_20120810.UpdateItem", &update).await;
    world.publish(&mut publisher).await;
    assert_eq!(queue.take().await, Vec::<Value>::new());
}

#[tokio::test]
async fn restoration_publishes_its_own_entries_only() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let queue = queue_of(&stack, &world).await;
    let mut publisher = world.event_publisher().await;
    let share = world.share(&address("ann"), WEEK).await;
    world.run_sweep().await;
    world.publish(&mut publisher).await;
    let [shares, log] = world.aws().back_up(&world.item.to_string()).await;
    world.lose(&share).await;
    world.run_sweep().await;
    world.publish(&mut publisher).await;
    // The log loses an entry, too.
    let created = log_keys(&world).await.pop_first().unwrap();
    world.aws().delete_log_row(&world.item.to_string(), &created).await;
    queue.take().await;
    world.advance(TimeDelta::minutes(1));

    let aws = world.aws();
    let backup = ShareTable::new(aws.config(), shares);
    let options = RestoreOptions {
        policy: Policy { unconfirmed: Unconfirmed::Revoke, now: world.now() },
        log_retention: RETENTION,
        max_writes_per_second: NonZeroU32::new(10_000).unwrap(),
        is_dry_run: false,
    };
    let key = IndexKey::new("the key of a deployment that erased no one").unwrap();
    let mut restore = Restore::new(&world.table, &world.log, &backup, &key, options);
    restore.log_from(&ShareLog::beside(&backup, log), &[], |_| {}).await.unwrap();
    restore.shares(&[], |_| {}).await.unwrap();
    world.run_sweep().await;
    world.publish(&mut publisher).await;

    assert!(log_keys(&world).await.contains(&created), "the lost entry is restored");
    let names: Vec<Value> = queue.take().await.iter().map(|event| event["detail-type"].clone()).collect();
    assert!(names.contains(&json!("Share Restored")), "{names:?}");
    assert!(!names.contains(&json!("Share Created")), "{names:?}");
}
