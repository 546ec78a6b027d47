//! Rotating the key ring, as the operations notes say: functions that run already go on, and every link that is in
//! somebody's mailbox goes on working.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::events::api_event;
use crate::support::function::Function;
use crate::support::{Aws, Mail, Stack, World, address, mails_to, unique};

const WEEK: TimeDelta = TimeDelta::days(7);

const FIRST: &str = r#"{"current": "k1", "k1": "the first secret, of 32 bytes or more"}"#;
const ADDED: &str = r#"{"current": "k1", "k1": "the first secret, of 32 bytes or more",
                        "k2": "the second secret, of 32 bytes or more"}"#;
const ROTATED: &str = r#"{"current": "k2", "k1": "the first secret, of 32 bytes or more",
                          "k2": "the second secret, of 32 bytes or more"}"#;

/// A secret of a test's own.
struct Secret<'a> {
    aws: Aws<'a>,
    name: String,
}

impl<'a> Secret<'a> {
    async fn new(stack: &'a Stack) -> Self {
        let secret = Self { aws: Aws::of(stack), name: unique("ring") };
        secret.call("CreateSecret", &json!({"Name": secret.name, "SecretString": FIRST})).await;
        secret
    }

    async fn put(&self, ring: &str) {
        self.call("PutSecretValue", &json!({"SecretId": self.name, "SecretString": ring})).await;
    }

    async fn call(&self, action: &str, body: &Value) {
        self.aws.call("secretsmanager", &format!("secretsmanager.{action}"), body).await;
    }
}

/// The links that a recipient has got.
async fn links(stack: &Stack, recipient: &str) -> Vec<String> {
    mails_to(stack, recipient).await.iter().map(Mail::link).collect()
}

/// The status of a recipient's request, to a function that runs.
async fn open(redeem: &Function, link: &str) -> u64 {
    let token = link.rsplit('/').next().unwrap();
    let event = api_event("GET /s/{token}", &json!({"token": token}), &Value::Null);
    redeem.invoke(&event).await.unwrap()["statusCode"].as_u64().unwrap()
}

#[tokio::test]
async fn both_steps_leave_every_link_working() {
    let stack = Stack::get().await;
    let secret = Secret::new(&stack).await;
    let mut world = World::with_key_ring(&stack, &secret.name).await;
    secret.aws.upload(&format!("{}/brief.pdf", world.item), b"abc").await;
    let redeem = world.another("RedeemLink").await;
    let (ann, bob) = (address("ann"), address("bob"));
    let anns = world.share(&ann, WEEK).await;
    world.run_notify().await;
    let [old] = links(&stack, &ann).await.try_into().unwrap();
    assert_eq!(open(&redeem, &old).await, 302);

    secret.put(ADDED).await;
    world.pass(TimeDelta::minutes(5));
    assert_eq!(open(&redeem, &old).await, 302);

    secret.put(ROTATED).await;
    world.pass(TimeDelta::minutes(5));
    world.share(&bob, WEEK).await;
    world.run_notify().await;
    let [new] = links(&stack, &bob).await.try_into().unwrap();
    assert_eq!((open(&redeem, &old).await, open(&redeem, &new).await), (302, 302));
    // Each says which key it is sealed with.
    let key = |link: &str| link.rsplit('/').next().unwrap()[..6].to_owned();
    assert_ne!(key(&old), key(&new));

    // Another email has the same link: a share keeps the key that sealed it first.
    world.resend(&anns).await;
    world.run_notify().await;
    assert_eq!(links(&stack, &ann).await, [old.clone(), old]);
}

#[tokio::test]
async fn a_function_that_runs_opens_a_link_whose_key_it_has_not_seen() {
    let stack = Stack::get().await;
    let secret = Secret::new(&stack).await;
    let mut world = World::with_key_ring(&stack, &secret.name).await;
    secret.aws.upload(&format!("{}/brief.pdf", world.item), b"abc").await;
    let redeem = world.another("RedeemLink").await;
    let ann = address("ann");
    world.share(&ann, WEEK).await;
    world.run_notify().await;
    let [old] = links(&stack, &ann).await.try_into().unwrap();
    assert_eq!(open(&redeem, &old).await, 302);

    // Both steps at once, which an operator should not do: the ring that it has will be good for minutes.
    secret.put(ROTATED).await;
    world.pass(TimeDelta::minutes(2));
    let bob = address("bob");
    world.share(&bob, WEEK).await;
    // An instance that starts now.
    world.notify.function = world.another("NotifyRecipients").await;
    world.run_notify().await;
    let [new] = links(&stack, &bob).await.try_into().unwrap();
    assert_eq!((open(&redeem, &new).await, open(&redeem, &old).await), (302, 302));
}
