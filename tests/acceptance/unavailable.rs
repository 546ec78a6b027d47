//! What callers get while AWS does not answer: soon, and clearly.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::support::events::api_event;
use crate::support::proxy::Fault;
use crate::support::{Aws, Stack, World, address, mails_to, rfc3339};

/// What is always refused.
const ALWAYS: usize = 1000;

fn list(world: &World<'_>) -> Value {
    let item = json!({"module": "jobs", "item": world.item.name.to_string()});
    api_event("GET /modules/{module}/items/{item}/shares", &item, &Value::Null)
}

fn create(world: &World<'_>) -> Value {
    let item = json!({"module": "jobs", "item": world.item.name.to_string()});
    let body =
        json!({"recipients": [address("ann")], "expiresAt": rfc3339(world.now() + TimeDelta::days(7))});
    api_event("POST /modules/{module}/items/{item}/shares", &item, &body)
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
    let (notice, _reached) = oneshot::channel();
    world.dynamodb.once(&["Query"], Fault::HoldBefore(notice));
    assert_try_again(&hurried.invoke(&list(&world)).await.unwrap());
    // The next one is answered by the same instance.
    assert_eq!(hurried.invoke(&list(&world)).await.unwrap()["statusCode"], 200);
}

#[tokio::test]
async fn without_dynamodb_everybody_is_told_to_try_again() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    Aws::of(&stack).upload(&format!("{}/brief.pdf", world.item), b"abc").await;
    let ann = address("ann");
    world.share(&ann, TimeDelta::days(7)).await;
    world.run_notify().await;
    let link = mails_to(&stack, &ann).await[0].link();
    let open = api_event("GET /s/{token}", &json!({"token": link.rsplit('/').next().unwrap()}), &Value::Null);

    world.dynamodb.plan(ALWAYS, &[], || Some(Fault::Refuse));
    for (function, event) in
        [("CreateShares", create(&world)), ("ManageShares", list(&world)), ("RedeemLink", open)]
    {
        assert_try_again(&world.another(function).await.invoke(&event).await.unwrap());
    }
}

#[tokio::test]
async fn without_s3_nothing_is_shared_and_links_still_work() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let ann = address("ann");
    world.share(&ann, TimeDelta::days(7)).await;
    world.run_notify().await;
    let link = mails_to(&stack, &ann).await[0].link();
    let open = api_event("GET /s/{token}", &json!({"token": link.rsplit('/').next().unwrap()}), &Value::Null);

    world.s3.plan(ALWAYS, &[], || Some(Fault::Refuse));
    assert_try_again(&world.another("CreateShares").await.invoke(&create(&world)).await.unwrap());
    // Whether the file is there cannot be asked; the recipient's browser will find out.
    assert_eq!(world.another("RedeemLink").await.invoke(&open).await.unwrap()["statusCode"], 302);
}
