//! Runs rounds of concurrent creates, changes and revocations through the API.
//!
//! The environment variable `SHARELINK_ROUNDS` sets the number of rounds.

use chrono::{TimeDelta, Utc};
use futures_util::future::{join, join3};
use futures_util::stream::{StreamExt, iter};
use serde_json::json;

use crate::api::create_body_with;
use crate::support::{Response, Stack, TestItem, address, rfc3339};

const DEFAULT_ROUNDS: usize = 50;

/// The number of rounds that run concurrently.
const CONCURRENCY: usize = 8;

fn days_from_now(days: i64) -> String {
    rfc3339(Utc::now() + TimeDelta::days(days))
}

/// Returns the successful response, if any. Panics if both succeeded, or if one failed with a status other
/// than 412.
fn winner(responses: [&Response; 2]) -> Option<&Response> {
    let statuses = responses.map(|response| response.status);
    assert!(statuses.iter().all(|status| matches!(status, 200 | 412)), "{responses:?}");
    assert_ne!(statuses, [200, 200], "two winners: {responses:?}");
    responses.into_iter().find(|response| response.status == 200)
}

async fn run_round(item: &TestItem<'_>) {
    let body = create_body_with(&[address("racer")], &json!({"notify": false}));
    let two_days = days_from_now(2);
    let three_days = days_from_now(3);

    // Two creates race.
    let (one, other) = join(item.post(&body), item.post(&body)).await;
    let (created, refused) = if one.status == 201 { (one, other) } else { (other, one) };
    created.assert_status(201);
    refused.assert_status(409);
    assert_eq!(refused.share_id(), created.share_id());
    let share = &created.json()["results"][0]["share"];
    let id = share["shareId"].as_str().unwrap();

    // Two expiration changes race each other and a revocation.
    let changes = join(item.change_expiration(id, 1, &two_days), item.change_expiration(id, 1, &three_days));
    let ((one, other), revoked) = join(changes, item.revoke(id)).await;
    revoked.assert_status(200);
    assert_eq!(revoked.json()["reason"], "revoked", "{revoked:?}");
    // If the revocation comes first, the changes' expected version is stale, and both fail.
    let (version, expires_at) = match winner([&one, &other]) {
        Some(response) => (3, response.json()["expiresAt"].clone()),
        None => (2, share["expiresAt"].clone()),
    };
    let after_revocation = item.get_share(id).await;
    assert_eq!(after_revocation["version"], version, "{after_revocation}");
    assert_eq!(after_revocation["expiresAt"], expires_at, "{after_revocation}");
    assert_eq!(after_revocation["status"], "inactive", "{after_revocation}");
    assert_eq!(after_revocation["reason"], "revoked", "{after_revocation}");

    // Two reactivations race each other and another create.
    let (one, other, refused) = join3(
        item.change_expiration(id, version, &two_days),
        item.change_expiration(id, version, &three_days),
        item.post(&body),
    )
    .await;
    refused.assert_status(409);
    let reactivated = winner([&one, &other]).expect("one reactivation should succeed").json();
    let after_reactivation = item.get_share(id).await;
    assert_eq!(after_reactivation, reactivated);
    assert_eq!(after_reactivation["version"], version + 1, "{after_reactivation}");
    assert_eq!(after_reactivation["status"], "active", "{after_reactivation}");
    assert!(after_reactivation.get("revokedAt").is_none(), "only partly reactivated: {after_reactivation}");
}

#[tokio::test]
async fn concurrent_conflicting_requests_have_one_winner() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let rounds = std::env::var("SHARELINK_ROUNDS").map_or(DEFAULT_ROUNDS, |rounds| rounds.parse().unwrap());
    iter(0..rounds).map(|_| run_round(&item)).buffer_unordered(CONCURRENCY).collect::<Vec<()>>().await;
}
