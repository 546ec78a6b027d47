//! Answers that are lost after the work was done: on the way from DynamoDB to a function, whose SDK tries again,
//! and on the way from the API to a client, who does.

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::support::{Answer, Aws, Proxy, Stack, TestItem, address, mails_to, next_week, unique};

const PUT: &str = "DynamoDB_20120810.PutItem";
const UPDATE: &str = "DynamoDB_20120810.UpdateItem";

#[tokio::test]
async fn what_the_sdk_does_again_was_done_once() {
    let (stack, proxy, _clock) = Stack::with_lossy_dynamodb().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let row = format!("jobs/{}", item.name);
    let lost = |count, operation, more| proxy.lose(count, &[operation, &row, more]);
    let all_lost = || assert_eq!(proxy.left(), 0, "an answer was to be lost, and was not");

    // A create, without an idempotency key: it meets its own first attempts.
    lost(2, PUT, "SHARE#");
    let created = item.share(&[&ann]).await;
    assert_eq!(created.status, 201, "{created:?}");
    let id = created.share_id();
    let link = item.mail_to(&ann).await.link();
    all_lost();

    // An open and a download are one.
    lost(2, UPDATE, "lastOpenedAt");
    assert_eq!(stack.open(&link).await.status, 302);
    all_lost();
    let used = item.share_with_id(&id).await;
    assert_eq!((&used["opens"], &used["downloads"]), (&json!(1), &json!(1)));

    // A change is one change.
    lost(2, UPDATE, "expiresOffset");
    let change = json!({"expiresAt": next_week()});
    let change = |tag: &str| {
        let request = stack.client.patch(item.url(&format!("/{id}"))).bearer_auth(&item.token);
        Answer::to(request.header("If-Match", tag).json(&change))
    };
    let changed = change("\"1\"").await;
    assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""), "{changed:?}");
    all_lost();

    // Where nothing else would tell it from another one.
    lost(2, UPDATE, "expiresOffset");
    let changed = change("*").await;
    assert_eq!((changed.status, changed.header("etag")), (200, "\"3\""), "{changed:?}");
    all_lost();

    lost(1, UPDATE, "linkCopied");
    let copied = item.call(Method::POST, &format!("/{id}/link")).await;
    assert_eq!((copied.status, &copied.json()["link"]), (200, &json!(link)));
    all_lost();

    lost(2, UPDATE, "revokedAt = :revoked");
    let revoked = item.revoke(&id).await;
    assert_eq!((revoked.status, revoked.header("etag")), (200, "\"4\""), "{revoked:?}");
    all_lost();

    assert_eq!(Aws::of(&stack).rows(&row).await.len(), 1);
    assert_eq!(mails_to(&stack, &ann).await.len(), 1);
}

#[tokio::test]
async fn a_resend_whose_answers_the_sdk_loses_is_one() {
    let (stack, proxy, clock) = Stack::with_lossy_dynamodb().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let shared = item.shared_with(&ann).await;
    clock.stop_at(chrono::Utc::now() + chrono::TimeDelta::minutes(6));
    proxy.lose(2, &[UPDATE, &item.name, "mailRequested"]);
    let resent = item.call(Method::POST, &format!("/{}/resend", shared.id)).await;
    assert_eq!((resent.status, proxy.left()), (202, 0), "{resent:?}");
    item.mail_to(&ann).await;
    assert_eq!(mails_to(&stack, &ann).await.len(), 2);
}

#[tokio::test]
async fn a_create_that_dynamodb_never_seems_to_answer_is_finished_under_its_key() {
    let (stack, proxy, _clock) = Stack::with_lossy_dynamodb().await;
    let item = TestItem::new(&stack).await;
    let (ann, bob, key) = (address("ann"), address("bob"), unique("key"));
    let body = json!({"recipients": [ann, bob], "expiresAt": next_week()});
    let create = || {
        let request = stack.client.post(item.url("")).bearer_auth(&item.token);
        Answer::to(request.header("Idempotency-Key", &key).json(&body))
    };
    // The answer to remembering the request, once; and every answer about one of the two shares.
    proxy.lose(1, &[PUT, "REQUEST#"]);
    proxy.lose(4, &[PUT, "createId", &ann]);
    let first = create().await;
    assert_eq!((first.status, proxy.left()), (207, 0), "{first:?}");
    let results = first.json()["results"].clone();
    assert_eq!((&results[0]["outcome"], &results[1]["outcome"]), (&json!("failed"), &json!("created")));
    let again = create().await;
    assert_eq!(again.status, 201, "{again:?}");
    assert_eq!(again.json()["results"][1], results[1]);
    for recipient in [&ann, &bob] {
        item.mail_to(recipient).await;
        assert_eq!(mails_to(&stack, recipient).await.len(), 1);
    }
}

#[tokio::test]
async fn throttling_is_waited_out_and_no_recipient_is_lost() {
    let (stack, proxy, _clock) = Stack::with_lossy_dynamodb().await;
    let item = TestItem::new(&stack).await;
    let recipients: Vec<String> = (0..30).map(|_| address("r")).collect();
    proxy.throttle(25, &[PUT, &item.name]);
    let body = json!({"recipients": recipients, "expiresAt": next_week(), "notify": false});
    let created = item.post(&body).await;
    assert_eq!((created.status, proxy.left()), (201, 0), "{created:?}");
    // More of it than the SDK waits out: the others go ahead, and this one is told to try again.
    let (unlucky, lucky) = (address("unlucky"), address("lucky"));
    proxy.throttle(4, &[PUT, &unlucky]);
    let body = json!({"recipients": [unlucky, lucky], "expiresAt": next_week(), "notify": false});
    let mixed = item.post(&body).await;
    assert_eq!((mixed.status, proxy.left()), (207, 0), "{mixed:?}");
    assert_eq!(mixed.json()["results"][0]["problem"]["type"], "/problems/temporarily-unavailable");
    assert_eq!(mixed.json()["results"][1]["outcome"], "created");
    proxy.throttle(4, &[PUT, &unlucky]);
    let alone = item.share(&[&unlucky]).await;
    assert_eq!((alone.status, alone.problem().as_str()), (503, "temporarily-unavailable"));
    assert_ne!(alone.header("retry-after"), "");
}

/// The first answer is lost; the client sends the very same request again.
async fn lost_and_repeated(proxy: &Proxy, request: RequestBuilder) -> Answer {
    proxy.lose(1, &["HTTP/1.1"]);
    let again = request.try_clone().unwrap();
    assert!(request.send().await.is_err() && proxy.left() == 0, "the answer was to be lost");
    Answer::to(again).await
}

#[tokio::test]
async fn a_client_that_lost_the_answer_gets_it_by_asking_again() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let proxy = Proxy::before(&stack.info.api_url).await;
    let url = |rest: &str| item.url(rest).replace(&stack.info.api_url, &proxy.url);
    let request = |method, rest: &str| stack.client.request(method, url(rest)).bearer_auth(&item.token);
    let ann = address("ann");

    let create = request(Method::POST, "").header("Idempotency-Key", unique("key"));
    let create = create.json(&json!({"recipients": [ann], "expiresAt": next_week()}));
    let created = lost_and_repeated(&proxy, create).await;
    assert_eq!(created.status, 201, "{created:?}");
    let id = created.share_id();
    item.mail_to(&ann).await;

    let change = request(Method::PATCH, &format!("/{id}")).header("If-Match", "\"1\"");
    let changed = lost_and_repeated(&proxy, change.json(&json!({"expiresAt": next_week()}))).await;
    assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""), "{changed:?}");

    clock.stop_at(chrono::Utc::now() + chrono::TimeDelta::minutes(6));
    let again = request(Method::POST, &format!("/{id}/resend")).header("Idempotency-Key", unique("key"));
    let resent = lost_and_repeated(&proxy, again).await;
    assert_eq!(resent.status, 202, "{resent:?}");
    item.mail_to(&ann).await;

    let revoked = lost_and_repeated(&proxy, request(Method::POST, &format!("/{id}/revoke"))).await;
    assert_eq!((revoked.status, revoked.header("etag")), (200, "\"3\""), "{revoked:?}");
    assert_eq!(mails_to(&stack, &ann).await.len(), 2);
}
