//! While AWS is unavailable, functions respond in time and ask clients to retry.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::support::events::{create_event, list_event, open_event};
use crate::support::function::Function;
use crate::support::proxy::Fault;
use crate::support::{Stack, World, address};

/// More requests than any test sends.
const ALL: usize = 1000;

/// Returns the fault of a service that accepts a request but never responds.
fn hold() -> Fault {
    Fault::HoldRequest(oneshot::channel().0)
}

async fn invoke(function: &Function, event: &Value) -> Value {
    function.invoke(event).await.unwrap()
}

/// Asserts that a response has status 503 and a `Retry-After` in seconds.
fn assert_requests_retry(response: &Value) {
    assert_eq!(response["statusCode"], 503, "{response}");
    let retry_after = response["headers"]["retry-after"].as_str().unwrap();
    assert!(retry_after.parse::<u32>().is_ok(), "{response}");
}

#[tokio::test]
async fn function_responds_before_its_time_limit() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let manage = world.new_function_with_time_limit("ManageShares", Duration::from_secs(5)).await;
    manage.start_instance().await;
    world.dynamodb.inject(ALL, &["Query"], || Some(hold()));
    let list = list_event(&world.item);

    assert_requests_retry(&invoke(&manage, &list).await);

    world.dynamodb.clear_faults();
    // The same instance handles the next request.
    assert_eq!(invoke(&manage, &list).await["statusCode"], 200);
}

#[tokio::test]
async fn recipient_gets_a_page_that_asks_for_a_retry() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (_, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    redeem.start_instance().await;
    world.dynamodb.inject(ALL, &["UpdateItem"], || Some(hold()));

    let response = invoke(&redeem, &open_event(&link)).await;

    assert_requests_retry(&response);
    assert!(response["headers"]["content-type"].as_str().unwrap().starts_with("text/html"), "{response}");
    assert!(response["headers"]["content-security-policy"].is_string(), "{response}");
    // A metric names the unavailable service.
    let output = redeem.output();
    let is_failure =
        |line: &str| line.contains("\"CallFailures\"") && line.contains("\"Service\":\"dynamodb\"");
    assert!(output.lines().any(is_failure), "{output}");
}

#[tokio::test]
async fn cached_key_ring_works_without_secrets_manager() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (_, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    redeem.start_instance().await;
    world.secrets.inject(ALL, &[], || Some(hold()));
    world.advance(TimeDelta::minutes(6));

    assert_eq!(invoke(&redeem, &open_event(&link)).await["statusCode"], 302);
}

#[tokio::test]
async fn large_batch_finishes_before_the_time_limit() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    world.share_many(60, TimeDelta::days(7)).await;
    let records = world.records().await;
    // The function starts no attempt in its last 45 seconds, so every attempt can finish in time.
    let time_limit = Duration::from_secs(50);
    let sweep = world.new_function_with_time_limit("SweepShares", time_limit).await;
    world.dynamodb.inject(ALL, &["PutItem"], || Some(hold()));

    let start = Instant::now();
    let response = invoke(&sweep, &json!({"Records": records})).await;
    let duration = start.elapsed();

    assert_eq!(response["batchItemFailures"].as_array().unwrap().len(), records.len());
    assert!(duration < time_limit, "{duration:?}");
}

#[tokio::test]
async fn api_functions_ask_for_a_retry_without_dynamodb() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (_, link) = world.share_by_email(&address("ann")).await;
    world.dynamodb.inject(ALL, &[], || Some(Fault::Disconnect));
    for (function, event) in [
        ("CreateShares", create_event(&world.item, &[address("bob")], world.now())),
        ("ManageShares", list_event(&world.item)),
        ("RedeemLink", open_event(&link)),
    ] {
        let response = world.new_function(function).await.invoke(&event).await.unwrap();
        assert_requests_retry(&response);
    }
}

#[tokio::test]
async fn creates_fail_and_links_work_without_s3() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (_, link) = world.share_by_email(&address("ann")).await;
    let create = world.new_function("CreateShares").await;
    let redeem = world.new_function("RedeemLink").await;

    world.s3.inject(ALL, &[], || Some(Fault::Disconnect));
    let event = create_event(&world.item, &[address("bob")], world.now());
    assert_requests_retry(&invoke(&create, &event).await);
    // The function cannot check whether the file exists, but redirects the recipient anyway.
    assert_eq!(invoke(&redeem, &open_event(&link)).await["statusCode"], 302);

    // The function does not wait for a slow check either.
    world.s3.clear_faults();
    world.s3.inject(ALL, &[], || Some(hold()));
    assert_eq!(invoke(&redeem, &open_event(&link)).await["statusCode"], 302);
}
