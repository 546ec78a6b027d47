//! Rotating the key ring, against the emulator's Secrets Manager.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sharelink_aws::key_rings::{KeyRings, LinkError};
use sharelink_domain::link::{KeyRing, Link, TokenError};
use sharelink_domain::{Generation, Item, ShareId};

use crate::support::{Aws, Stack, unique};

const BEFORE: &str = r#"{"current": "k1", "k1": "the first secret, of 32 bytes or more"}"#;
const AFTER: &str = r#"{"current": "k2", "k1": "the first secret, of 32 bytes or more",
                        "k2": "the second secret, of 32 bytes or more"}"#;

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

#[tokio::test]
async fn a_key_that_was_added_since_is_fetched_once_a_minute_at_most() {
    let stack = Stack::get().await;
    let aws = Aws::of(&stack);
    let name = unique("ring");
    let put = |action: &'static str, ring: &'static str| {
        let (aws, name) = (&aws, &name);
        let body = json!({"Name": name, "SecretId": name, "SecretString": ring});
        async move { aws.call("secretsmanager", &format!("secretsmanager.{action}"), &body).await }
    };
    put("CreateSecret", BEFORE).await;
    let rings = KeyRings::new(aws.config(), &name);
    let start: DateTime<Utc> = "2030-01-01T00:00:00Z".parse().unwrap();
    let at = |seconds| start + TimeDelta::seconds(seconds);
    let (old, new) = (token(BEFORE), token(AFTER));
    assert_eq!(rings.open(&old, at(0)).await.unwrap(), link());

    put("PutSecretValue", AFTER).await;
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
    let aws = Aws::of(&stack);
    let name = unique("ring");
    aws.call("secretsmanager", "secretsmanager.CreateSecret", &json!({"Name": name, "SecretString": BEFORE}))
        .await;
    let rings = KeyRings::new(aws.config(), &name);
    let start: DateTime<Utc> = "2030-01-01T00:00:00Z".parse().unwrap();
    let current = |minutes| {
        let rings = &rings;
        async move { rings.ring(start + TimeDelta::minutes(minutes)).await.unwrap().current().as_str().to_owned() }
    };
    assert_eq!(current(0).await, "k1");
    let put = json!({"SecretId": name, "SecretString": AFTER});
    aws.call("secretsmanager", "secretsmanager.PutSecretValue", &put).await;
    assert_eq!(current(4).await, "k1");
    assert_eq!(current(5).await, "k2");

    let put = json!({"SecretId": name, "SecretString": "no ring"});
    aws.call("secretsmanager", "secretsmanager.PutSecretValue", &put).await;
    assert_eq!(current(60).await, "k2");
}
