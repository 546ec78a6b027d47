//! Key ring rotation with the emulator's Secrets Manager, for the cache alone and for running functions.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sharelink_aws::key_ring_cache::{KeyRingCache, LinkError};
use sharelink_domain::link::{KeyRing, Link, TokenError};
use sharelink_domain::{Generation, ShareId};

use crate::support::events::open_event;
use crate::support::fixtures::job;
use crate::support::function::Function;
use crate::support::{Aws, Stack, World, address, unique};

/// The key ring before a rotation.
const BEFORE: &str = r#"{"current": "k1", "k1": "the first secret, of 32 bytes or more"}"#;
/// The key ring after the first step of a rotation.
const ADDED: &str = r#"{"current": "k1", "k1": "the first secret, of 32 bytes or more",
                        "k2": "the second secret, of 32 bytes or more"}"#;
/// The key ring after the second step of a rotation.
const AFTER: &str = r#"{"current": "k2", "k1": "the first secret, of 32 bytes or more",
                        "k2": "the second secret, of 32 bytes or more"}"#;

/// A secret for one test. Its initial value is `BEFORE`.
struct Secret<'a> {
    aws: Aws<'a>,
    name: String,
}

impl<'a> Secret<'a> {
    async fn new(stack: &'a Stack) -> Self {
        let secret = Self { aws: Aws::new(stack), name: unique("ring") };
        secret.call("CreateSecret", &json!({"Name": secret.name, "SecretString": BEFORE})).await;
        secret
    }

    async fn put(&self, ring: &str) {
        self.call("PutSecretValue", &json!({"SecretId": self.name, "SecretString": ring})).await;
    }

    async fn call(&self, action: &str, body: &Value) {
        self.aws.call("secretsmanager", &format!("secretsmanager.{action}"), body).await;
    }

    fn cache(&self) -> KeyRingCache {
        KeyRingCache::new(self.aws.config(), &self.name)
    }
}

fn start() -> DateTime<Utc> {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

fn link() -> Link {
    Link {
        item: job("1042"),
        share: ShareId::from_bytes([1; 16]),
        generation: Generation::from_bytes([2; 16]),
    }
}

/// Returns the link's token, sealed with the ring's current key.
fn token(ring_json: &str) -> String {
    let ring = KeyRing::parse(ring_json).unwrap();
    ring.seal(ring.current(), &link()).unwrap().expose().to_owned()
}

/// Opens a link through `redeem-link`. Returns the response's status.
async fn open(redeem: &Function, link: &str) -> u64 {
    redeem.invoke(&open_event(link)).await.unwrap()["statusCode"].as_u64().unwrap()
}

#[tokio::test]
async fn unknown_key_refreshes_the_ring_at_most_once_a_minute() {
    let stack = Stack::get().await;
    let secret = Secret::new(&stack).await;
    let cache = secret.cache();
    let at = |seconds| start() + TimeDelta::seconds(seconds);
    let (old, new) = (token(BEFORE), token(AFTER));
    assert_eq!(cache.open(&old, at(0)).await.unwrap(), link());

    secret.put(AFTER).await;
    // A forged token can name any key, so an unknown key must not trigger a request to Secrets Manager every
    // time.
    let unknown = cache.open(&new, at(59)).await.unwrap_err();
    assert!(matches!(unknown, LinkError::Token(TokenError::UnknownKey(_))), "{unknown:?}");
    assert_eq!(cache.open(&new, at(60)).await.unwrap(), link());

    // The old key still opens its links, and still seals a link to the same token.
    assert_eq!(cache.open(&old, at(60)).await.unwrap(), link());
    let sealed = cache.seal(&"k1".parse().unwrap(), &link(), at(60)).await.unwrap();
    assert_eq!(sealed.expose(), old);
}

#[tokio::test]
async fn ring_is_cached_for_five_minutes_and_kept_on_errors() {
    let stack = Stack::get().await;
    let secret = Secret::new(&stack).await;
    let cache = secret.cache();
    let current_key = async |minutes| {
        let ring = cache.ring(start() + TimeDelta::minutes(minutes)).await.unwrap();
        ring.current().as_str().to_owned()
    };
    assert_eq!(current_key(0).await, "k1");
    secret.put(AFTER).await;
    assert_eq!(current_key(4).await, "k1");
    assert_eq!(current_key(5).await, "k2");

    secret.put("not a key ring").await;
    assert_eq!(current_key(60).await, "k2");
}

#[tokio::test]
async fn links_work_after_each_step_of_a_rotation() {
    let stack = Stack::get().await;
    let secret = Secret::new(&stack).await;
    let mut world = World::with_key_ring(&stack, &secret.name).await;
    let redeem = world.new_function("RedeemLink").await;
    let ann = address("ann");
    let (share, old) = world.share_by_email(&ann).await;
    assert_eq!(open(&redeem, &old).await, 302);

    secret.put(ADDED).await;
    world.advance(TimeDelta::minutes(5));
    assert_eq!(open(&redeem, &old).await, 302);

    secret.put(AFTER).await;
    world.advance(TimeDelta::minutes(5));
    let (_, new) = world.share_by_email(&address("bob")).await;
    assert_eq!(open(&redeem, &old).await, 302);
    assert_eq!(open(&redeem, &new).await, 302);
    // A token starts with the name of the key that sealed it.
    let key = |link: &str| link.rsplit('/').next().unwrap()[..6].to_owned();
    assert_ne!(key(&old), key(&new));

    // A second email contains the same link: a share keeps the key that first sealed its link.
    world.resend(&share).await;
    world.run_notify().await;
    assert_eq!(world.links_to(&ann).await, [old.clone(), old]);
}

#[tokio::test]
async fn running_function_opens_links_sealed_with_a_new_key() {
    let stack = Stack::get().await;
    let secret = Secret::new(&stack).await;
    let mut world = World::with_key_ring(&stack, &secret.name).await;
    let redeem = world.new_function("RedeemLink").await;
    let (_, old) = world.share_by_email(&address("ann")).await;
    assert_eq!(open(&redeem, &old).await, 302);

    // Take both steps of the rotation together, contrary to the instructions. The instance still caches the
    // old ring.
    secret.put(AFTER).await;
    world.advance(TimeDelta::minutes(2));
    // A new instance of the sender reads the new ring.
    world.notify.function = world.new_function("NotifyRecipients").await;
    let (_, new) = world.share_by_email(&address("bob")).await;

    assert_eq!(open(&redeem, &new).await, 302);
    assert_eq!(open(&redeem, &old).await, 302);
}
