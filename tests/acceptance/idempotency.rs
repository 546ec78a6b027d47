//! Retrying requests with an `Idempotency-Key` after a lost response, and resending emails.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{UNKNOWN_SHARE_ID, count_with_status, create_body, create_body_with};
use crate::support::{Aws, Response, Stack, TestItem, address, emails_to, rfc3339, send, unique};

/// Resends a share's email, with an idempotency key if one is given.
async fn resend(item: &TestItem<'_>, id: &str, key: Option<&str>) -> Response {
    let request = item.request(Method::POST, &format!("/{id}/resend"));
    send(match key {
        Some(key) => request.header("Idempotency-Key", key),
        None => request,
    })
    .await
}

/// Sends a create request as the user with these claims.
async fn post_as(item: &TestItem<'_>, claims: &Value, key: &str, body: &Value) -> Response {
    let token = item.stack.token_with_claims(claims).await;
    let request = item.stack.client.post(item.url("")).bearer_auth(token);
    send(request.header("Idempotency-Key", key).json(body)).await
}

#[tokio::test]
async fn retried_create_returns_the_first_results() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let (ann, bob, key) = (address("ann"), address("bob"), unique("key"));
    item.share(&[&bob]).await;
    let body = create_body_with(&[ann.as_str(), &bob, "no-address"], &json!({"message": "Hi"}));
    let first = item.post_with_key(&key, &body).await;
    first.assert_status(207);

    // Later changes to the share or to the item's files make no difference.
    let id = first.share_id();
    item.revoke(&id).await;
    item.upload("later.pdf").await;
    Aws::new(&stack).delete(&item.key("brief.pdf")).await;
    let retry = item.post_with_key(&key, &body).await;
    retry.assert_status(207);
    assert_eq!(retry.json()["results"][0], first.json()["results"][0]);
    assert_eq!(retry.json()["results"][1]["outcome"], "alreadyActive");

    // Formatting the same JSON differently makes no difference.
    let pretty = serde_json::to_string_pretty(&body).unwrap();
    let reformatted = item.request(Method::POST, "").header("Idempotency-Key", &key).body(pretty);
    assert_eq!(send(reformatted).await.json(), retry.json());

    assert_eq!(item.get_share(&id).await["version"], 2, "a retry changed the share");
    item.wait_for_email(&bob).await;
    assert!(emails_to(&stack, &ann).await.len() <= 1, "a retry sent another email");

    // Different claims about the same user make no difference.
    let new_claims = json!({
        "sub": "test-user", "name": "Renamed", "email": "x@sharelink.example", "accessRights": ["producer"],
    });
    let renamed = post_as(&item, &new_claims, &key, &body).await;
    assert_eq!(renamed.json()["results"][0], first.json()["results"][0]);

    // With another key, the request is a new one.
    let new_request = item.post_with_key(&unique("key"), &create_body(&[&ann])).await;
    new_request.assert_problem(409, "already-inactive");
}

#[tokio::test]
async fn concurrent_creates_with_the_same_key_all_succeed() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let (recipient, key) = (address("ann"), unique("key"));
    let body = create_body(&[&recipient]);

    let responses = join_all((0..20).map(|_| item.post_with_key(&key, &body))).await;

    for response in &responses {
        response.assert_status(201);
        assert_eq!(response.json(), responses[0].json());
    }
    item.wait_for_email(&recipient).await;
    assert_eq!(emails_to(&stack, &recipient).await.len(), 1);
}

#[tokio::test]
async fn key_identifies_one_request_per_user() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let other_item = TestItem::new(&stack).await;
    let key = unique("key");
    let body = create_body(&[address("ann")]);
    item.post_with_key(&key, &body).await.assert_status(201);

    let other_body = item.post_with_key(&key, &create_body(&[address("bob")])).await;
    other_body.assert_problem(422, "idempotency-key-reused");
    let other_path = other_item.post_with_key(&key, &body).await;
    other_path.assert_problem(422, "idempotency-key-reused");
    assert_eq!(item.list_recipients("active").await.len(), 1);
    assert!(other_item.list_recipients("active").await.is_empty());

    let other_user = json!({
        "sub": "another-user", "name": "Al", "email": "al@sharelink.example", "accessRights": ["producer"],
    });
    post_as(&other_item, &other_user, &key, &body).await.assert_status(201);
}

#[tokio::test]
async fn invalid_key_is_rejected() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let body = create_body(&[address("ann")]);
    for key in ["a b", "é", &"x".repeat(256), ""] {
        let response = item.post_with_key(key, &body).await;
        assert_eq!(response.status, 422, "{key}: {response:?}");
        assert_eq!(response.error_locations(), ["Idempotency-Key"], "{key}: {response:?}");
    }
}

#[tokio::test]
async fn key_can_be_reused_after_a_rejected_request() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let key = unique("key");
    item.post_with_key(&key, &json!({"recipients": []})).await.assert_status(422);
    item.post_with_key(&key, &create_body(&[address("ann")])).await.assert_status(201);
}

#[tokio::test]
async fn retry_uses_the_first_requests_time_for_24_hours() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let (recipient, key) = (address("ann"), unique("key"));
    let midnight: DateTime<Utc> = "2030-06-16T00:00:00Z".parse().unwrap();
    clock.stop_at(midnight - TimeDelta::minutes(1));
    let expiry = rfc3339(midnight - TimeDelta::hours(1));
    let body = create_body_with(&[&recipient], &json!({"expiresAt": expiry}));
    let first = item.post_with_key(&key, &body).await;
    first.assert_status(201);
    assert_eq!(first.json()["warnings"][0]["code"], "alreadyExpired");

    // The expiry is now before today, but it was on the same day as the first request.
    clock.stop_at(midnight + TimeDelta::hours(23));
    let retry = item.post_with_key(&key, &body).await;
    retry.assert_status(201);
    assert_eq!(retry.json(), first.json());

    // After 24 hours, the key has expired, and the same request is treated as a new one.
    clock.stop_at(midnight + TimeDelta::hours(24));
    let too_late = item.post_with_key(&key, &body).await;
    too_late.assert_invalid(&["/expiresAt"]);
    let later_expiry = create_body_with(&[&recipient], &json!({"expiresAt": "2030-07-01T00:00:00Z"}));
    let new_request = item.post_with_key(&key, &later_expiry).await;
    new_request.assert_problem(409, "already-inactive");
}

#[tokio::test]
async fn resend_is_rate_limited_and_sends_the_same_link() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let (recipient, key) = (address("ann"), unique("key"));
    let shared = item.share_with(&recipient).await;
    let start = Utc::now();

    let too_soon = resend(&item, &shared.id, None).await;
    too_soon.assert_problem(429, "resend-too-soon");
    let retry_after: i64 = too_soon.header("retry-after").parse().unwrap();
    assert!((240..=301).contains(&retry_after), "{retry_after} s");

    clock.stop_at(start + TimeDelta::seconds(retry_after + 1));
    let resent = resend(&item, &shared.id, Some(&key)).await;
    resent.assert_status(202);
    assert_eq!(resent.header("etag"), "\"1\"");
    assert_eq!(resent.json()["mail"]["state"], "queued");
    item.wait_for_email(&recipient).await;

    // A retry after a lost response sends no third email, even hours later.
    resend(&item, &shared.id, Some(&key)).await.assert_status(202);
    clock.stop_at(start + TimeDelta::hours(5));
    let late_retry = resend(&item, &shared.id, Some(&key)).await;
    late_retry.assert_status(202);
    assert_eq!(late_retry.json()["mail"]["state"], "sent");
    let emails = emails_to(&stack, &recipient).await;
    assert_eq!(emails.len(), 2);
    for email in emails {
        assert_eq!(email.link(), shared.link);
    }
    stack.open(&shared.link).await.assert_status(302);

    let other_share = item.share_with(&address("bob")).await;
    let reused_key = resend(&item, &other_share.id, Some(&key)).await;
    reused_key.assert_problem(422, "idempotency-key-reused");
    item.revoke(&shared.id).await;
    resend(&item, &shared.id, None).await.assert_problem(409, "share-inactive");
    resend(&item, UNKNOWN_SHARE_ID, None).await.assert_problem(404, "share-not-found");
}

#[tokio::test]
async fn only_one_of_concurrent_resends_succeeds() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let recipient = address("ann");
    let shared = item.share_with(&recipient).await;
    clock.stop_at(Utc::now() + TimeDelta::minutes(6));
    // Half of the requests have an idempotency key, and no two have the same one.
    let keys: Vec<Option<String>> = (0..20).map(|n| (n % 2 == 1).then(|| unique("key"))).collect();

    let responses = join_all(keys.iter().map(|key| resend(&item, &shared.id, key.as_deref()))).await;

    assert_eq!(count_with_status(&responses, 202), 1, "{responses:?}");
    assert_eq!(count_with_status(&responses, 429), 19, "{responses:?}");
    item.wait_for_email(&recipient).await;
    assert_eq!(emails_to(&stack, &recipient).await.len(), 2);
}

#[tokio::test]
async fn resend_works_for_a_share_created_without_an_email() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let recipient = address("ann");
    let id = item.post(&create_body_with(&[&recipient], &json!({"notify": false}))).await.share_id();
    let copied = item.call(Method::POST, &format!("/{id}/link")).await;
    copied.assert_status(200);

    resend(&item, &id, None).await.assert_status(202);

    let email = item.wait_for_email(&recipient).await;
    assert_eq!(copied.json()["link"], email.link());
}
