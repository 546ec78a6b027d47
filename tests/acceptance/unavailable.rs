//! What callers get while AWS does not answer: soon, and clearly.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::support::events::{create_event, list_event, open_event};
use crate::support::proxy::Fault;
use crate::support::{Stack, World, address};

/// For as long as the test takes.
const ALWAYS: usize = 1000;

/// AWS has taken a request, and never answers.
fn held() -> Fault {
    Fault::HoldBefore(oneshot::channel().0)
}

/// The answer says that it may work later, and when.
fn assert_try_again(answer: &Value) {
    assert_eq!(answer["statusCode"], 503, "{answer}");
    assert!(answer["headers"]["retry-after"].as_str().unwrap().parse::<u32>().is_ok(), "{answer}");
}

#[tokio::test]
async fn a_request_ends_before_its_function_does() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let hurried = world.hurried("ManageShares", Duration::from_secs(5)).await;
    hurried.ready().await;
    world.dynamodb.once(&["Query"], held());
    let list = list_event(&world.item);
    assert_try_again(&hurried.invoke(&list).await.unwrap());
    // The next one is answered by the same instance.
    assert_eq!(hurried.invoke(&list).await.unwrap()["statusCode"], 200);
}

/// Their page, and not the problem of an API.
#[tokio::test]
async fn a_recipient_who_waits_is_told_to_try_again() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (_, link) = world.emailed(&address("ann")).await;
    let redeem = world.another("RedeemLink").await;
    redeem.ready().await;
    world.dynamodb.plan(ALWAYS, &["UpdateItem"], || Some(held()));
    let answer = redeem.invoke(&open_event(&link)).await.unwrap();
    assert_try_again(&answer);
    assert!(answer["headers"]["content-type"].as_str().unwrap().starts_with("text/html"), "{answer}");
    assert!(answer["headers"]["content-security-policy"].is_string(), "{answer}");
    // Operators are told which service it was.
    let told = redeem.output();
    let failed = |line: &str| line.contains("\"CallFailures\"") && line.contains("\"Service\":\"dynamodb\"");
    assert!(told.lines().any(failed), "{told}");
}

#[tokio::test]
async fn a_key_ring_that_cannot_be_fetched_anew_goes_on() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (_, link) = world.emailed(&address("ann")).await;
    let redeem = world.another("RedeemLink").await;
    redeem.ready().await;
    world.secrets.plan(ALWAYS, &[], || Some(held()));
    world.pass(TimeDelta::minutes(6));
    assert_eq!(redeem.invoke(&open_event(&link)).await.unwrap()["statusCode"], 302);
}

/// Whatever the size of a batch.
#[tokio::test]
async fn a_batch_ends_before_its_function_does() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    for _ in 0..60 {
        world.share(&address("ann"), TimeDelta::days(7)).await;
    }
    let records = world.records().await;
    // All of its time but five seconds is kept for a last try.
    let hurried = world.hurried("SweepShares", Duration::from_secs(50)).await;
    world.dynamodb.plan(ALWAYS, &["PutItem"], || Some(held()));
    let start = Instant::now();
    let answer = hurried.invoke(&json!({"Records": records})).await.unwrap();
    assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), records.len());
    assert!(start.elapsed() < Duration::from_secs(50), "{:?}", start.elapsed());
}

#[tokio::test]
async fn without_dynamodb_everybody_is_told_to_try_again() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (_, link) = world.emailed(&address("ann")).await;
    world.dynamodb.plan(ALWAYS, &[], || Some(Fault::Refuse));
    for (function, event) in [
        ("CreateShares", create_event(&world.item, &[address("bob")], world.now())),
        ("ManageShares", list_event(&world.item)),
        ("RedeemLink", open_event(&link)),
    ] {
        assert_try_again(&world.another(function).await.invoke(&event).await.unwrap());
    }
}

#[tokio::test]
async fn without_s3_nothing_is_shared_and_links_still_work() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (_, link) = world.emailed(&address("ann")).await;
    let create = create_event(&world.item, &[address("bob")], world.now());
    let redeem = world.another("RedeemLink").await;
    world.s3.plan(ALWAYS, &[], || Some(Fault::Refuse));
    assert_try_again(&world.another("CreateShares").await.invoke(&create).await.unwrap());
    // Whether the file is there cannot be asked; the recipient's browser will find out.
    assert_eq!(redeem.invoke(&open_event(&link)).await.unwrap()["statusCode"], 302);
    // Nor is it waited for.
    world.s3.calm();
    world.s3.plan(ALWAYS, &[], || Some(held()));
    assert_eq!(redeem.invoke(&open_event(&link)).await.unwrap()["statusCode"], 302);
}
