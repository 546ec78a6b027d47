//! Functions that were frozen while all of their connections became stale.
//!
//! Lambda freezes an instance between invocations. When it is thawed, its connections look open, but the
//! servers have closed them.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use sharelink_domain::delivery::EmailId;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::support::events::{create_event, list_event, open_event, ses_event};
use crate::support::function::Function;
use crate::support::proxy::{Fault, StaleReaction};
use crate::support::{Proxy, Stack, World, address, eventually};

const REACTIONS: [StaleReaction; 2] = [StaleReaction::Reset, StaleReaction::Silence];

async fn open_link(redeem: &Function, link: &str) -> Value {
    redeem.invoke(&open_event(link)).await.unwrap()
}

/// Asserts that no function sent a request on a stale connection, which would cost a retry: 0.1 seconds after
/// a reset, and seconds if the connection is silent.
fn assert_no_stale_use(world: &World<'_>) {
    assert_eq!(world.proxies().map(Proxy::stale_use_count), [0; 5]);
}

#[tokio::test]
async fn thawed_redemption_needs_no_retry() {
    let stack = Stack::get().await;
    for reaction in REACTIONS {
        let mut world = World::new(&stack).await;
        let (share, link) = world.share_by_email(&address("ann")).await;
        let redeem = world.new_function("RedeemLink").await;
        assert_eq!(open_link(&redeem, &link).await["statusCode"], 302);

        world.freeze(reaction);
        assert_eq!(open_link(&redeem, &link).await["statusCode"], 302);

        assert_no_stale_use(&world);
        assert_eq!(world.read(&share).await.unwrap().usage.opens, 2);
    }
}

#[tokio::test]
async fn thawed_redemption_connects_to_s3_while_dynamodb_decides() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (_, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    open_link(&redeem, &link).await;
    world.freeze(StaleReaction::Silence);
    let (notice, paused) = oneshot::channel();
    let (resume, resumed) = oneshot::channel();
    world.dynamodb.inject_once(&["UpdateItem"], Fault::Pause(notice, resumed));
    let connections = world.s3.connection_count();
    world.s3.take_call_count(&[]);

    let opening = tokio::spawn({
        let (redeem, link) = (Arc::clone(&redeem), link.clone());
        async move { open_link(&redeem, &link).await }
    });
    paused.await.unwrap();
    eventually("a connection to S3", async || (world.s3.connection_count() > connections).then_some(()))
        .await;
    resume.send(()).unwrap();

    assert_eq!(opening.await.unwrap()["statusCode"], 302);
    assert_eq!(world.s3.connection_count(), connections + 1, "the check uses the new connection");
    assert_eq!(world.s3.take_call_count(&["HTTP/1.1"]), 1, "connecting early sends no request");
}

#[tokio::test]
async fn thawed_redemption_connects_while_the_key_ring_is_fetched() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (_, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    open_link(&redeem, &link).await;
    // The key ring is fetched again after five minutes.
    world.advance(TimeDelta::minutes(5));
    world.freeze(StaleReaction::Silence);
    let (notice, paused) = oneshot::channel();
    let (resume, resumed) = oneshot::channel();
    world.secrets.inject_once(&["GetSecretValue"], Fault::Pause(notice, resumed));
    let hosts = |world: &World<'_>| [&world.dynamodb, &world.s3].map(Proxy::connection_count);
    let connections = hosts(&world);
    let expected = connections.map(|count| count + 1);
    for proxy in [&world.dynamodb, &world.s3] {
        proxy.take_call_count(&[]);
    }

    let opening = tokio::spawn({
        let (redeem, link) = (Arc::clone(&redeem), link.clone());
        async move { open_link(&redeem, &link).await }
    });
    paused.await.unwrap();
    eventually("a connection to each host", async || (hosts(&world) == expected).then_some(())).await;
    resume.send(()).unwrap();

    assert_eq!(opening.await.unwrap()["statusCode"], 302);
    assert_eq!(hosts(&world), expected, "the calls use the new connections");
    let calls = [&world.dynamodb, &world.s3].map(|proxy| proxy.take_call_count(&["HTTP/1.1"]));
    assert_eq!(calls, [2, 1], "DynamoDB is also asked for the switches; connecting early sends no request");
    assert_no_stale_use(&world);
}

#[tokio::test]
async fn warm_redemption_makes_two_calls_on_open_connections() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (_, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    open_link(&redeem, &link).await;
    world.advance(TimeDelta::seconds(14));
    let calls = |world: &World<'_>| world.proxies().map(|proxy| proxy.take_call_count(&["HTTP/1.1"]));
    let connections = world.proxies().map(Proxy::connection_count);
    calls(&world);

    assert_eq!(open_link(&redeem, &link).await["statusCode"], 302);

    assert_eq!(calls(&world), [1, 0, 1, 0, 0], "DynamoDB decides, S3 has the file");
    assert_eq!(world.proxies().map(Proxy::connection_count), connections);
}

#[tokio::test]
async fn early_connection_is_not_used_after_a_freeze() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (_, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    redeem.start_instance().await;
    world.freeze(StaleReaction::Reset);
    // An unavailable DynamoDB ends the redemption before S3 is needed.
    let connections = world.s3.connection_count();
    world.dynamodb.inject(100, &["UpdateItem"], || Some(Fault::throttled()));
    assert_eq!(open_link(&redeem, &link).await["statusCode"], 503);
    eventually("a connection to S3", async || (world.s3.connection_count() > connections).then_some(()))
        .await;
    world.dynamodb.clear_faults();

    world.freeze(StaleReaction::Silence);
    assert_eq!(open_link(&redeem, &link).await["statusCode"], 302);

    assert_no_stale_use(&world);
}

#[tokio::test]
async fn thawed_mailer_sends_one_email_at_once() {
    let stack = Stack::get().await;
    for reaction in REACTIONS {
        let mut world = World::new(&stack).await;
        world.share_by_email(&address("ann")).await;
        // The clock does not move, so only the lack of a pool helps.
        world.ses.make_connections_stale(reaction);

        let share = world.share(&address("bob"), TimeDelta::days(7)).await;
        timeout(Duration::from_secs(5), world.run_notify()).await.expect("the email is sent within seconds");

        assert_eq!(world.email_count(&share).await, 1);
        assert!(world.read(&share).await.unwrap().mail.pending().is_none(), "the email is sent");
        let output = world.notify.function.output();
        assert!(!output.contains("EmailsPutOff") && !output.contains("CallFailures"), "{output}");
        assert_no_stale_use(&world);
    }
}

#[tokio::test]
async fn thawed_notify_recipients_needs_no_retry() {
    let stack = Stack::get().await;
    for reaction in REACTIONS {
        let mut world = World::new(&stack).await;
        world.share_by_email(&address("ann")).await;
        // The key ring and the base URL are fetched again after five minutes.
        world.advance(TimeDelta::minutes(5));
        world.freeze(reaction);

        let share = world.share(&address("bob"), TimeDelta::days(7)).await;
        world.run_notify().await;

        assert_eq!(world.email_count(&share).await, 1);
        assert_no_stale_use(&world);
    }
}

#[tokio::test]
async fn other_thawed_functions_need_no_retry() {
    let stack = Stack::get().await;
    for reaction in REACTIONS {
        let mut world = World::new(&stack).await;
        let (share, _) = world.share_by_email(&address("ann")).await;
        let records = json!({"Records": world.records().await});
        let email = EmailId {
            item: share.item.clone(),
            share: share.id,
            created_at: share.created_at,
            attempt: share.mail.attempt,
            is_reminder: false,
        };
        let report = ses_event(&email, "Delivery", world.now(), &json!({"smtpResponse": "250 ok"}));
        for (name, event) in [
            ("CreateShares", create_event(&world.item, &[address("bob")], world.now())),
            ("ManageShares", list_event(&world.item)),
            ("SweepShares", records),
            ("TrackDelivery", report),
        ] {
            let function = world.new_function(name).await;
            function.invoke(&event).await.unwrap();
            let connections = world.dynamodb.connection_count();
            world.freeze(reaction);
            function.invoke(&event).await.unwrap();

            assert!(world.dynamodb.connection_count() > connections, "{name} opens new connections");
            assert_no_stale_use(&world);
        }
    }
}
