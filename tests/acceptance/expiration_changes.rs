//! Changing a share's expiration, and reactivating a share.

use chrono::{TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::json;

use crate::api::{UNKNOWN_SHARE_ID, count_with_status};
use crate::support::{Stack, TestItem, address, emails_to, next_week, rfc3339};

#[tokio::test]
async fn expiration_can_be_moved_later_or_to_earlier_today() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let recipient = address("ann");
    // It is noon, so an hour ago is still today.
    clock.stop_at("2030-06-15T12:00:00Z".parse().unwrap());
    let shared = item.share_until(&recipient, "2030-06-20T00:00:00Z").await;

    let extended = item.change_expiration(&shared.id, 1, "2030-07-01T00:00:00+02:00").await;
    extended.assert_status(200);
    assert_eq!(extended.header("etag"), "\"2\"");
    assert_eq!(extended.json()["expiresAt"], "2030-06-30T22:00:00Z");
    assert_eq!(extended.json()["status"], "active");
    stack.open(&shared.link).await.assert_status(302);

    let yesterday = item.change_expiration(&shared.id, 2, "2030-06-14T23:59:59Z").await;
    yesterday.assert_invalid(&["/expiresAt"]);
    assert_eq!(item.get_share(&shared.id).await["version"], 2);

    let earlier_today = item.change_expiration(&shared.id, 2, "2030-06-15T11:00:00Z").await;
    earlier_today.assert_status(200);
    assert_eq!(earlier_today.json()["reason"], "expired");
    stack.open(&shared.link).await.assert_status(410);
    assert_eq!(item.list_recipients("active").await.len(), 0);
    assert_eq!(item.list_recipients("inactive").await.len(), 1);
    assert_eq!(emails_to(&stack, &recipient).await.len(), 1, "a change must not send an email");
}

#[tokio::test]
async fn future_expiration_reactivates_same_link_without_email() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let (ann, bob) = (address("ann"), address("bob"));
    let expiry = Utc::now() + TimeDelta::days(1);
    let expired = item.share_until(&ann, &rfc3339(expiry)).await;
    let revoked = item.share_with(&bob).await;
    item.revoke(&revoked.id).await;
    clock.stop_at(expiry);
    let future = rfc3339(expiry + TimeDelta::days(1));

    for (shared, version) in [(&expired, 1), (&revoked, 2)] {
        stack.open(&shared.link).await.assert_status(410);
        let reactivated = item.change_expiration(&shared.id, version, &future).await;
        reactivated.assert_status(200);
        assert_eq!(reactivated.json()["status"], "active");
        assert_eq!(reactivated.json().get("revokedAt"), None);
        stack.open(&shared.link).await.assert_status(302);
    }
    // Wait for the email of a later share. An email for a reactivation would have been sent before it.
    item.share_with(&address("later")).await;
    for recipient in [&ann, &bob] {
        assert_eq!(emails_to(&stack, recipient).await.len(), 1, "{recipient}");
    }
}

#[tokio::test]
async fn change_requires_current_version_in_if_match() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let id = item.share(&[&address("ann")]).await.share_id();
    let body = json!({"expiresAt": next_week()});

    item.patch(&id, None, &body).await.assert_problem(428, "if-match-missing");
    for stale in
        ["\"2\"", "\"0\"", "\"01\"", "\"+1\"", "\"1", "W/\"1\"", "1", "", "\"x\"", "\"99999999999999999999\""]
    {
        let response = item.patch(&id, Some(stale), &body).await;
        assert_eq!(response.status, 412, "{stale}: {response:?}");
        assert_eq!(response.problem_type(), "stale-version", "{stale}: {response:?}");
    }
    for (invalid_body, location) in [
        (json!({}), "/expiresAt"),
        (json!({"expiresAt": 7}), "/expiresAt"),
        (json!({"expires": 1}), "/expires"),
    ] {
        item.patch(&id, Some("\"1\""), &invalid_body).await.assert_invalid(&[location]);
    }
    assert_eq!(item.get_share(&id).await["version"], 1, "a refused request changed the share");

    item.patch(&id, Some("*"), &body).await.assert_status(200);
    item.patch(UNKNOWN_SHARE_ID, Some("*"), &body).await.assert_problem(404, "share-not-found");
}

#[tokio::test]
async fn change_can_be_retried_after_a_lost_response() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    // Wait for the email. Otherwise, its state could differ between the two responses.
    let id = item.share_with(&address("ann")).await.id;
    let expires_at = next_week();

    let first = item.change_expiration(&id, 1, &expires_at).await;
    let retry = item.change_expiration(&id, 1, &expires_at).await;

    first.assert_status(200);
    retry.assert_status(200);
    assert_eq!(retry.header("etag"), "\"2\"");
    assert_eq!(retry.json(), first.json());
    let other_change = item.change_expiration(&id, 1, "2031-01-01T00:00:00Z").await;
    other_change.assert_status(412);
}

#[tokio::test]
async fn retried_change_of_revoked_share_succeeds_after_midnight() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    clock.stop_at("2030-06-15T23:59:59Z".parse().unwrap());
    let id = item.share_until(&address("ann"), "2030-06-20T00:00:00Z").await.id;
    item.revoke(&id).await;
    let earlier_today = "2030-06-15T08:00:00Z";

    let first = item.change_expiration(&id, 2, earlier_today).await;
    first.assert_status(200);
    assert_eq!(first.json()["reason"], "revoked");

    clock.stop_at("2030-06-16T00:00:01Z".parse().unwrap());
    let retry = item.change_expiration(&id, 2, earlier_today).await;
    retry.assert_status(200);
    assert_eq!(retry.header("etag"), "\"3\"");

    let new_change = item.change_expiration(&id, 3, earlier_today).await;
    new_change.assert_status(422);
}

#[tokio::test]
async fn change_checks_the_date_at_the_expirys_offset() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    clock.stop_at("2030-06-15T12:00:00Z".parse().unwrap());
    let id = item.share_until(&address("ann"), "2030-06-20T00:00:00Z").await.id;

    // At noon UTC, it is already the 16th at +14:00 and still the 15th at -11:00.
    let yesterday = item.change_expiration(&id, 1, "2030-06-15T23:59:59+14:00").await;
    yesterday.assert_invalid(&["/expiresAt"]);
    let earlier_today = item.change_expiration(&id, 1, "2030-06-16T00:00:00+14:00").await;
    assert_eq!(earlier_today.json()["reason"], "expired");
    let later_today = item.change_expiration(&id, 2, "2030-06-15T02:00:00-11:00").await;
    assert_eq!(later_today.json()["status"], "active");
    let yesterday_in_the_west = item.change_expiration(&id, 3, "2030-06-14T23:00:00-11:00").await;
    yesterday_in_the_west.assert_status(422);
}

#[tokio::test]
async fn only_one_of_concurrent_changes_succeeds() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let id = item.share(&[&address("ann")]).await.share_id();
    let expiries: Vec<String> = (1..=20).map(|days| rfc3339(Utc::now() + TimeDelta::days(days))).collect();

    let responses = join_all(expiries.iter().map(|expiry| item.change_expiration(&id, 1, expiry))).await;

    assert_eq!(count_with_status(&responses, 200), 1, "{responses:?}");
    assert_eq!(count_with_status(&responses, 412), 19, "{responses:?}");
    let winner = responses.iter().find(|response| response.status == 200).unwrap();
    assert_eq!(item.get_share(&id).await["expiresAt"], winner.json()["expiresAt"]);
}
