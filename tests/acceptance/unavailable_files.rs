//! Files that S3 cannot serve, although their links work: the recipient gets a page, nothing is counted as
//! downloaded, and the share log shows the reason.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sharelink_domain::Share;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::support::events::{create_event, open_event};
use crate::support::function::Function;
use crate::support::proxy::Fault;
use crate::support::{Aws, Stack, TestItem, World, address, eventually, send, unique};

/// More requests than any test sends.
const ALL: usize = 1000;

const HEAD: &str = "method: HEAD";
const UPDATE: &str = "UpdateItem";

async fn invoke(redeem: &Function, link: &str) -> Value {
    redeem.invoke(&open_event(link)).await.unwrap()
}

#[track_caller]
fn assert_page(response: &Value, status: u16, text: &str) {
    assert_eq!(response["statusCode"], status, "{response}");
    assert!(response["headers"]["content-type"].as_str().unwrap().starts_with("text/html"), "{response}");
    assert!(response["body"].as_str().unwrap().contains(text), "{response}");
}

async fn assert_uses(world: &World<'_>, share: &Share, opens: u64, downloads: u64) {
    let usage = world.read(share).await.unwrap().usage;
    assert_eq!((usage.opens, usage.downloads), (opens, downloads));
}

/// Moves the file of the world's shares to an archive.
async fn archive(stack: &Stack, world: &World<'_>) {
    Aws::new(stack).upload_archived(&format!("{}/brief.pdf", world.item), b"abc").await;
}

/// Waits until the item's share log contains this many events and these reasons for failed downloads.
async fn wait_for_failures(item: &TestItem<'_>, events: usize, reasons: &[&str]) -> Vec<Value> {
    eventually("the failed downloads", || async {
        let log = item.wait_for_log(events).await;
        let found: Vec<&str> = log.iter().filter_map(|entry| entry["reason"].as_str()).collect();
        (found == reasons).then_some(log)
    })
    .await
}

#[tokio::test]
async fn archived_file_is_downloadable_only_once_restored() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;
    item.wait_for_log(2).await;
    Aws::new(&stack).upload_archived(&item.key("brief.pdf"), b"brief.pdf").await;

    let page = stack.open(&shared.link).await;
    page.assert_status(409);
    assert!(page.text.contains("<h1>The file is archived</h1>"), "{page:?}");
    let german = send(stack.client.get(&shared.link).header("Accept-Language", "de")).await;
    assert!(german.text.contains("<h1>Die Datei ist archiviert</h1>"), "{german:?}");
    let file = format!("{}/files/1", shared.link);
    let problem = send(stack.client.get(&file).header("Accept", "application/json")).await;
    problem.assert_problem(409, "file-archived");
    send(stack.client.head(&shared.link)).await.assert_status(409);
    let share = item.get_share(&shared.id).await;
    assert_eq!((&share["opens"], &share["downloads"]), (&json!(2), &json!(0)));
    assert!(share["lastOpenedAt"].is_string(), "{share}");

    item.upload("brief.pdf").await;
    stack.download(&shared.link).await;
    let share = item.get_share(&shared.id).await;
    assert_eq!((&share["opens"], &share["downloads"]), (&json!(3), &json!(1)));
    let log = wait_for_failures(&item, 9, &["archived"; 3]).await;
    let events: Vec<&str> = log.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    let failed_open = ["opened", "downloadFailed"];
    let expected = [["created", "emailed"], failed_open, failed_open, ["downloadFailed", "opened"]].concat();
    assert_eq!(events, [expected, vec!["downloaded"]].concat());
}

#[tokio::test]
async fn missing_file_is_not_counted_as_downloaded() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;
    Aws::new(&stack).delete(&item.key("brief.pdf")).await;

    stack.open(&shared.link).await.assert_status(404);

    let share = item.get_share(&shared.id).await;
    assert_eq!((&share["opens"], &share["downloads"]), (&json!(1), &json!(0)));
    wait_for_failures(&item, 4, &["missing"]).await;
}

#[tokio::test]
async fn concurrent_failed_downloads_are_not_counted() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;
    Aws::new(&stack).upload_archived(&item.key("brief.pdf"), b"brief.pdf").await;

    join_all((0..10).map(|_| stack.open(&shared.link))).await;

    let share = item.get_share(&shared.id).await;
    assert_eq!((&share["opens"], &share["downloads"]), (&json!(10), &json!(0)));
    wait_for_failures(&item, 22, &["archived"; 10]).await;
}

#[tokio::test]
async fn forbidden_file_gets_a_page_and_is_not_counted() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (share, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;

    // S3 responds with 403 if a permission is missing, and with 400 if its KMS key is disabled or the client
    // must send the key.
    for (status, opens) in [(403, 1), (400, 2)] {
        let refuse = move || Some(Fault::RespondEmpty(status));
        world.advance(TimeDelta::minutes(1));
        world.s3.inject(1, &[HEAD, "brief.pdf", "x-amz-checksum-mode"], refuse);
        assert_page(&invoke(&redeem, &link).await, 403, "The file cannot be opened right now");
        assert_eq!(world.s3.pending_faults(), 0);
        assert_uses(&world, &share, opens, 0).await;
    }

    world.run_sweep().await;
    let failed_open = ["opened", "downloadFailed"];
    assert_eq!(world.log_events(share.id).await, [["created", "emailed"], failed_open, failed_open].concat());
    let output = redeem.output();
    assert!(output.contains("\"Reason\":\"file-forbidden\""), "{output}");
    assert!(!output.contains("\"Downloads\""), "{output}");
}

#[tokio::test]
async fn forbidden_file_cannot_be_shared() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    world.upload().await;
    let create = world.new_function("CreateShares").await;
    let mut event = create_event(&world.item, &[address("ann")], world.now());
    let mut body: Value = serde_json::from_str(event["body"].as_str().unwrap()).unwrap();
    body["files"] = json!(["brief.pdf"]);
    event["body"] = body.to_string().into();

    for status in [403, 400] {
        world.s3.inject(1, &[HEAD, "brief.pdf"], move || Some(Fault::RespondEmpty(status)));
        let response = create.invoke(&event).await.unwrap();
        assert_eq!(response["statusCode"], 422, "{response}");
        let problem: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
        let error = json!({"pointer": "/files/0", "detail": "cannot be read by this deployment", "reason": "forbidden"});
        assert_eq!(problem["errors"], json!([error]));
        assert_eq!(world.s3.pending_faults(), 0);
    }
    assert!(create.output().contains("a file to share may not be read"), "{}", create.output());
    assert_eq!(create.invoke(&event).await.unwrap()["statusCode"], 201);
}

#[tokio::test]
async fn deleted_bucket_is_logged_at_startup() {
    let stack = Stack::get().await;
    let bucket = unique("no-bucket");
    let world = World::with_variables(&stack, &[("FILES_BUCKET", &bucket)]).await;
    let redeem = world.new_function("RedeemLink").await;
    redeem.start_instance().await;
    assert!(redeem.output().contains("the files bucket does not exist"), "{}", redeem.output());
}

#[tokio::test]
async fn failing_s3_does_not_prevent_a_download() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (share, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    world.advance(TimeDelta::minutes(1));
    world.s3.inject(ALL, &[HEAD, "brief.pdf"], || Some(Fault::Respond(503, "SlowDown", "slow down")));

    let response = invoke(&redeem, &link).await;

    assert_eq!(response["statusCode"], 302);
    // The object may have an encoding.
    let url = response["headers"]["location"].as_str().unwrap();
    assert!(url.contains("response-content-encoding=identity"), "{url}");
    assert_uses(&world, &share, 1, 1).await;
    world.run_sweep().await;
    assert_eq!(world.log_events(share.id).await, ["created", "emailed", "opened", "downloaded"]);
}

#[tokio::test]
async fn only_a_failed_download_makes_a_third_call() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (_, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    redeem.start_instance().await;
    let count_calls = async || {
        world.dynamodb.take_call_count(&[]);
        world.s3.take_call_count(&[]);
        let status = invoke(&redeem, &link).await["statusCode"].clone();
        (status, world.dynamodb.take_call_count(&[""]), world.s3.take_call_count(&[""]))
    };
    assert_eq!(count_calls().await, (json!(302), 1, 1));

    archive(&stack, &world).await;
    assert_eq!(count_calls().await, (json!(409), 2, 1));
}

#[tokio::test]
async fn retried_correction_is_applied_once() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (share, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    assert_eq!(invoke(&redeem, &link).await["statusCode"], 302);
    archive(&stack, &world).await;

    world.dynamodb.lose_responses(2, &[UPDATE, "downloadFailed"]);
    assert_page(&invoke(&redeem, &link).await, 409, "The file is archived");

    assert_eq!(world.dynamodb.pending_faults(), 0);
    assert_uses(&world, &share, 2, 1).await;
}

#[tokio::test]
async fn page_does_not_depend_on_the_correction() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (share, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    archive(&stack, &world).await;
    world.dynamodb.inject(ALL, &[UPDATE, "downloadFailed"], || Some(Fault::Disconnect));

    assert_page(&invoke(&redeem, &link).await, 409, "The file is archived");

    // The count is an upper bound.
    assert_uses(&world, &share, 1, 1).await;
}

#[tokio::test]
async fn page_does_not_wait_for_a_slow_correction() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (_, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    redeem.start_instance().await;
    archive(&stack, &world).await;
    let hold = || Some(Fault::HoldResponse(oneshot::channel().0));
    world.dynamodb.inject(ALL, &[UPDATE, "downloadFailed"], hold);

    // The limits of the other calls add up to more.
    let page = timeout(Duration::from_secs(3), invoke(&redeem, &link)).await.unwrap();

    assert_page(&page, 409, "The file is archived");
    assert!(redeem.output().contains("a failed download may still be counted"), "{}", redeem.output());
}

#[tokio::test]
async fn failed_download_stays_in_the_log_after_redelivery() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (share, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    // The clock stands still, so all uses have the same time.
    archive(&stack, &world).await;
    invoke(&redeem, &link).await;
    world.upload().await;
    invoke(&redeem, &link).await;
    archive(&stack, &world).await;
    invoke(&redeem, &link).await;

    let records = world.records().await;
    world.sweep_forwards_and_backwards(&records).await;
    world.run_sweep().await;

    let mut events = world.log_events(share.id).await;
    events.sort_unstable();
    let failed = ["downloadFailed", "downloadFailed", "downloaded"];
    assert_eq!(events, [&["created"][..], &failed, &["emailed", "opened", "opened", "opened"]].concat());
    assert_uses(&world, &share, 3, 1).await;
}
