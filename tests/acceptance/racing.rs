//! Everybody at once, through the API: rounds of racing creates, changes and revocations. `SHARELINK_ROUNDS` says
//! how many.

use chrono::{TimeDelta, Utc};
use futures_util::future::{join, join3};
use futures_util::stream::{StreamExt, iter};
use serde_json::json;

use crate::support::{Response, Stack, TestItem, address, next_week, rfc3339, send};

const ROUNDS: usize = 50;

/// How many rounds are under way at the same time.
const CONCURRENCY: usize = 8;

fn in_days(days: i64) -> String {
    rfc3339(Utc::now() + TimeDelta::days(days))
}

async fn change(item: &TestItem<'_>, id: &str, version: u64, expires_at: &str) -> Response {
    let request = item.stack.client.patch(item.url(&format!("/{id}"))).bearer_auth(&item.token);
    let request = request.header("If-Match", format!("\"{version}\""));
    send(request.json(&json!({"expiresAt": expires_at}))).await
}

/// Of two changes that race, the answer of the one that won, if one did; both never do.
fn winner(changes: [&Response; 2]) -> Option<&Response> {
    let mut won = changes.into_iter().filter(|response| response.status == 200);
    let winner = won.next();
    assert!(won.next().is_none(), "two winners: {changes:?}");
    assert!(changes.iter().all(|response| [200, 412].contains(&response.status)), "{changes:?}");
    winner
}

async fn round(item: &TestItem<'_>) {
    let recipient = address("racer");
    let body = json!({"recipients": [recipient], "expiresAt": next_week(), "notify": false});
    let (one, other) = join(item.post(&body), item.post(&body)).await;
    let (created, refused) = if one.status == 201 { (one, other) } else { (other, one) };
    assert_eq!((created.status, refused.status), (201, 409), "{created:?} {refused:?}");
    let share = &created.json()["results"][0]["share"];
    assert_eq!(refused.json()["results"][0]["shareId"], share["shareId"]);
    let id = share["shareId"].as_str().unwrap();

    let (two_days, three_days) = (in_days(2), in_days(3));
    let changes = join(change(item, id, 1, &two_days), change(item, id, 1, &three_days));
    let ((one, other), revoked) = join(changes, item.revoke(id)).await;
    assert_eq!((revoked.status, &revoked.json()["reason"]), (200, &json!("revoked")), "{revoked:?}");
    let after = item.get_share(id).await;
    let (version, expires_at) = match winner([&one, &other]) {
        Some(won) => (3, won.json()["expiresAt"].clone()),
        None => (2, share["expiresAt"].clone()),
    };
    assert_eq!((&after["version"], &after["expiresAt"]), (&json!(version), &expires_at), "{after}");
    assert_eq!((&after["status"], &after["reason"]), (&json!("inactive"), &json!("revoked")));

    // Two reactivations, and somebody who shares again.
    let (one, other, again) =
        join3(change(item, id, version, &two_days), change(item, id, version, &three_days), item.post(&body))
            .await;
    let won = winner([&one, &other]).expect("one of the two").json();
    assert_eq!(again.status, 409, "{again:?}");
    let after = item.get_share(id).await;
    assert_eq!(after, won);
    assert_eq!((&after["version"], &after["status"]), (&json!(version + 1), &json!("active")));
    assert!(after.get("revokedAt").is_none(), "half of a state: {after}");
}

#[tokio::test]
async fn no_round_has_two_winners_or_a_half_state() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let rounds = std::env::var("SHARELINK_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    iter(0..rounds).map(|_| round(&item)).buffer_unordered(CONCURRENCY).collect::<Vec<()>>().await;
}
