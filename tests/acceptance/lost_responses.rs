//! Responses that are lost after the operation succeeded. The AWS SDK retries a function's DynamoDB calls,
//! and clients retry their API requests.

use chrono::{TimeDelta, Utc};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::api::{create_body, create_body_with};
use crate::support::{Aws, Proxy, Response, Stack, TestItem, address, emails_to, next_week, send, unique};

const PUT: &str = "DynamoDB_20120810.PutItem";
const UPDATE: &str = "DynamoDB_20120810.UpdateItem";

fn assert_faults_applied(proxy: &Proxy) {
    assert_eq!(proxy.pending_faults(), 0, "a planned fault was not applied");
}

async fn change_expiration(item: &TestItem<'_>, id: &str, if_match: &str) -> Response {
    item.patch(id, Some(if_match), &json!({"expiresAt": next_week()})).await
}

#[tokio::test]
async fn sdk_retries_apply_each_write_once() {
    let (stack, proxy, _clock) = Stack::with_dynamodb_proxy().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let row = item.path();
    let lose = |count, operation, attribute| proxy.lose_responses(count, &[operation, &row, attribute]);

    // Even without an idempotency key, a create recognizes its earlier attempts.
    lose(2, PUT, "SHARE#");
    let created = item.share(&[&ann]).await;
    created.assert_status(201);
    let id = created.share_id();
    let link = item.wait_for_email(&ann).await.link();
    assert_faults_applied(&proxy);

    // The open and its download are each counted once.
    lose(2, UPDATE, "lastOpenedAt");
    stack.open(&link).await.assert_status(302);
    assert_faults_applied(&proxy);
    let used = item.get_share(&id).await;
    assert_eq!(used["opens"], 1);
    assert_eq!(used["downloads"], 1);

    // The change is applied once.
    lose(2, UPDATE, "expiresOffset");
    let changed = change_expiration(&item, &id, "\"1\"").await;
    changed.assert_status(200);
    assert_eq!(changed.header("etag"), "\"2\"");
    assert_faults_applied(&proxy);

    // With `If-Match: *`, only the write id distinguishes a retry from a second change.
    lose(2, UPDATE, "expiresOffset");
    let changed_any = change_expiration(&item, &id, "*").await;
    changed_any.assert_status(200);
    assert_eq!(changed_any.header("etag"), "\"3\"");
    assert_faults_applied(&proxy);

    lose(1, UPDATE, "linkCopied");
    let copied = item.call(Method::POST, &format!("/{id}/link")).await;
    copied.assert_status(200);
    assert_eq!(copied.json()["link"], link);
    assert_faults_applied(&proxy);

    // Without a write id, the second attempt would replace the link that the first one has made.
    lose(2, UPDATE, "renewedAt");
    let renewed = item.renew(&id, "*", &json!({"notify": false})).await;
    renewed.assert_status(200);
    assert_eq!(renewed.header("etag"), "\"4\"");
    assert_faults_applied(&proxy);

    lose(2, UPDATE, "revokedAt = :revoked");
    let revoked = item.revoke(&id).await;
    revoked.assert_status(200);
    assert_eq!(revoked.header("etag"), "\"5\"");
    assert_faults_applied(&proxy);

    assert_eq!(Aws::new(&stack).rows(&row).await.len(), 1);
    assert_eq!(emails_to(&stack, &ann).await.len(), 1);
}

#[tokio::test]
async fn retried_resend_sends_one_email() {
    let (stack, proxy, clock) = Stack::with_dynamodb_proxy().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let shared = item.share_with(&ann).await;
    clock.stop_at(Utc::now() + TimeDelta::minutes(6));

    proxy.lose_responses(2, &[UPDATE, &item.name, "mailRequested"]);
    let resent = item.call(Method::POST, &format!("/{}/resend", shared.id)).await;

    resent.assert_status(202);
    assert_faults_applied(&proxy);
    item.wait_for_email(&ann).await;
    assert_eq!(emails_to(&stack, &ann).await.len(), 2);
}

#[tokio::test]
async fn retry_with_the_same_key_completes_a_create() {
    let (stack, proxy, _clock) = Stack::with_dynamodb_proxy().await;
    let item = TestItem::new(&stack).await;
    let (ann, bob, key) = (address("ann"), address("bob"), unique("key"));
    let body = create_body(&[&ann, &bob]);

    // Lose one response when the idempotency record is stored, and every response when Ann's share is stored.
    proxy.lose_responses(1, &[PUT, "REQUEST#"]);
    proxy.lose_responses(4, &[PUT, "createId", &ann]);
    let first = item.post_with_key(&key, &body).await;
    first.assert_status(207);
    assert_faults_applied(&proxy);
    let results = first.json()["results"].clone();
    assert_eq!(results[0]["outcome"], "failed");
    assert_eq!(results[1]["outcome"], "created");

    let retried = item.post_with_key(&key, &body).await;
    retried.assert_status(201);
    assert_eq!(retried.json()["results"][1], results[1]);
    for recipient in [&ann, &bob] {
        item.wait_for_email(recipient).await;
        assert_eq!(emails_to(&stack, recipient).await.len(), 1);
    }
}

#[tokio::test]
async fn throttled_create_fails_only_affected_recipients() {
    let (stack, proxy, _clock) = Stack::with_dynamodb_proxy().await;
    let item = TestItem::new(&stack).await;
    let without_email = json!({"notify": false});
    let recipients: Vec<String> = (0..30).map(|_| address("r")).collect();
    // Each fault is for one recipient, whose fourth attempt succeeds. A fault for any recipient could hit all
    // of one recipient's attempts.
    for recipient in &recipients[..10] {
        proxy.throttle(3, &[PUT, recipient]);
    }
    let created = item.post(&create_body_with(&recipients, &without_email)).await;
    created.assert_status(201);
    assert_faults_applied(&proxy);

    // If throttling outlasts the SDK's retries, only the affected recipient fails.
    let (throttled, other) = (address("throttled"), address("other"));
    proxy.throttle(4, &[PUT, &throttled]);
    let mixed = item.post(&create_body_with(&[&throttled, &other], &without_email)).await;
    mixed.assert_status(207);
    assert_faults_applied(&proxy);
    assert_eq!(mixed.json()["results"][0]["problem"]["type"], "/problems/temporarily-unavailable");
    assert_eq!(mixed.json()["results"][1]["outcome"], "created");

    proxy.throttle(4, &[PUT, &throttled]);
    let failed = item.share(&[&throttled]).await;
    failed.assert_problem(503, "temporarily-unavailable");
    assert_ne!(failed.header("retry-after"), "");
}

/// Sends a request, loses the response, resends the request and returns the second response.
async fn lose_and_retry(proxy: &Proxy, request: RequestBuilder) -> Response {
    proxy.lose_responses(1, &["HTTP/1.1"]);
    let retry = request.try_clone().unwrap();
    assert!(request.send().await.is_err(), "the first response was not lost");
    assert_faults_applied(proxy);
    send(retry).await
}

#[tokio::test]
async fn client_retry_returns_the_lost_response() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let proxy = Proxy::start(&stack.info.api_url).await;
    let url = |rest: &str| item.url(rest).replace(&stack.info.api_url, &proxy.url);
    let request = |method, rest: &str| stack.client.request(method, url(rest)).bearer_auth(&item.token);
    let ann = address("ann");

    let create =
        request(Method::POST, "").header("Idempotency-Key", unique("key")).json(&create_body(&[&ann]));
    let created = lose_and_retry(&proxy, create).await;
    created.assert_status(201);
    let id = created.share_id();
    item.wait_for_email(&ann).await;

    let change = request(Method::PATCH, &format!("/{id}"))
        .header("If-Match", "\"1\"")
        .json(&json!({"expiresAt": next_week()}));
    let changed = lose_and_retry(&proxy, change).await;
    changed.assert_status(200);
    assert_eq!(changed.header("etag"), "\"2\"");

    clock.stop_at(Utc::now() + TimeDelta::minutes(6));
    let another_email =
        request(Method::POST, &format!("/{id}/resend")).header("Idempotency-Key", unique("key"));
    let resent = lose_and_retry(&proxy, another_email).await;
    resent.assert_status(202);
    item.wait_for_email(&ann).await;

    let renew = request(Method::POST, &format!("/{id}/renew"))
        .header("If-Match", "\"2\"")
        .json(&json!({"notify": false}));
    let renewed = lose_and_retry(&proxy, renew).await;
    renewed.assert_status(200);
    assert_eq!(renewed.header("etag"), "\"3\"");

    let revoked = lose_and_retry(&proxy, request(Method::POST, &format!("/{id}/revoke"))).await;
    revoked.assert_status(200);
    assert_eq!(revoked.header("etag"), "\"4\"");
    assert_eq!(emails_to(&stack, &ann).await.len(), 2);
}
