//! Rotating the key ring, against the emulator's Secrets Manager: the cache by itself, and the functions that run
//! meanwhile.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sharelink_aws::key_ring_cache::{KeyRingCache, LinkError};
use sharelink_domain::link::{KeyRing, Link, TokenError};
use sharelink_domain::{Generation, Item, ShareId};

use crate::support::events::open_event;
use crate::support::function::Function;
use crate::support::{Aws, Stack, World, address, unique};

const BEFORE: &str = r#"{"current": "k1", "k1": "the first secret, of 32 bytes or more"}"#;
/// After the first step of a rotation.
const ADDED: &str = r#"{"current": "k1", "k1": "the first secret, of 32 bytes or more",
                        "k2": "the second secret, of 32 bytes or more"}"#;
const AFTER: &str = r#"{"current": "k2", "k1": "the first secret, of 32 bytes or more",
                        "k2": "the second secret, of 32 bytes or more"}"#;

/// A secret of a test's own.
struct Secret<'a> {
    aws: Aws<'a>,
    name: String,
}

impl<'a> Secret<'a> {
    async fn new(stack: &'a Stack) -> Self {
        let secret = Self { aws: Aws::of(stack), name: unique("ring") };
        secret.call("CreateSecret", &json!({"Name": secret.name, "SecretString": BEFORE})).await;
        secret
    }

    async fn put(&self, ring: &str) {
        self.call("PutSecretValue", &json!({"SecretId": self.name, "SecretString": ring})).await;
    }

    async fn call(&self, action: &str, body: &Value) {
        self.aws.call("secretsmanager", &format!("secretsmanager.{action}"), body).await;
    }

    fn rings(&self) -> KeyRingCache {
        KeyRingCache::new(self.aws.config(), &self.name)
    }
}

fn link() -> Link {
    Link {
        item: Item { module: "jobs".parse().unwrap(), name: "1042".parse().unwrap() },
        share: ShareId::from_bytes([1; 16]),
        generation: Generation::from_bytes([2; 16]),
    }
}

fn token(ring: &str) -> String {
    let ring = KeyRing::parse(ring).unwrap();
    ring.seal(ring.current(), &link()).unwrap().expose().to_owned()
}

/// The status of a recipient's request, to a function that runs.
async fn open(redeem: &Function, link: &str) -> u64 {
    redeem.invoke(&open_event(link)).await.unwrap()["statusCode"].as_u64().unwrap()
}

#[tokio::test]
async fn a_key_that_was_added_since_is_fetched_once_a_minute_at_most() {
    let stack = Stack::get().await;
    let secret = Secret::new(&stack).await;
    let rings = secret.rings();
    let start: DateTime<Utc> = "2030-01-01T00:00:00Z".parse().unwrap();
    let at = |seconds| start + TimeDelta::seconds(seconds);
    let (old, new) = (token(BEFORE), token(AFTER));
    assert_eq!(rings.open(&old, at(0)).await.unwrap(), link());

    secret.put(AFTER).await;
    // Fetched less than a minute ago: anyone can write an unknown key's name, so not again.
    let unknown = rings.open(&new, at(59)).await.unwrap_err();
    assert!(matches!(unknown, LinkError::Token(TokenError::UnknownKey(_))));
    assert_eq!(rings.open(&new, at(60)).await.unwrap(), link());
    // Old links live on, and are sealed again to the same token.
    assert_eq!(rings.open(&old, at(60)).await.unwrap(), link());
    let again = rings.seal(&"k1".parse().unwrap(), &link(), at(60)).await.unwrap();
    assert_eq!(again.expose(), old);
}

#[tokio::test]
async fn a_ring_is_used_for_five_minutes_and_longer_only_while_there_is_no_other() {
    let stack = Stack::get().await;
    let secret = Secret::new(&stack).await;
    let rings = secret.rings();
    let start: DateTime<Utc> = "2030-01-01T00:00:00Z".parse().unwrap();
    let current = |minutes| {
        let rings = &rings;
        async move { rings.ring(start + TimeDelta::minutes(minutes)).await.unwrap().current().as_str().to_owned() }
    };
    assert_eq!(current(0).await, "k1");
    secret.put(AFTER).await;
    assert_eq!(current(4).await, "k1");
    assert_eq!(current(5).await, "k2");

    secret.put("no ring").await;
    assert_eq!(current(60).await, "k2");
}

#[tokio::test]
async fn both_steps_of_a_rotation_leave_every_link_working() {
    let stack = Stack::get().await;
    let secret = Secret::new(&stack).await;
    let mut world = World::with_key_ring(&stack, &secret.name).await;
    let redeem = world.another("RedeemLink").await;
    let ann = address("ann");
    let (share, old) = world.emailed(&ann).await;
    assert_eq!(open(&redeem, &old).await, 302);

    secret.put(ADDED).await;
    world.pass(TimeDelta::minutes(5));
    assert_eq!(open(&redeem, &old).await, 302);

    secret.put(AFTER).await;
    world.pass(TimeDelta::minutes(5));
    let (_, new) = world.emailed(&address("bob")).await;
    assert_eq!((open(&redeem, &old).await, open(&redeem, &new).await), (302, 302));
    // Each says which key it is sealed with.
    let key = |link: &str| link.rsplit('/').next().unwrap()[..6].to_owned();
    assert_ne!(key(&old), key(&new));

    // Another email has the same link: a share keeps the key that sealed it first.
    world.resend(&share).await;
    world.run_notify().await;
    assert_eq!(world.links_to(&ann).await, [old.clone(), old]);
}

#[tokio::test]
async fn a_function_that_runs_opens_a_link_whose_key_it_has_not_seen() {
    let stack = Stack::get().await;
    let secret = Secret::new(&stack).await;
    let mut world = World::with_key_ring(&stack, &secret.name).await;
    let redeem = world.another("RedeemLink").await;
    let (_, old) = world.emailed(&address("ann")).await;
    assert_eq!(open(&redeem, &old).await, 302);

    // Both steps at once, which an operator should not do: the ring that it has will be good for minutes.
    secret.put(AFTER).await;
    world.pass(TimeDelta::minutes(2));
    // An instance that starts now.
    world.notify.function = world.another("NotifyRecipients").await;
    let (_, new) = world.emailed(&address("bob")).await;
    assert_eq!((open(&redeem, &new).await, open(&redeem, &old).await), (302, 302));
}
