//! Each address has at most one share of an item.

use chrono::{TimeDelta, Utc};
use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::api::{count_with_status, create_body};
use crate::support::{Aws, Response, Stack, TestItem, address, emails_to, eventually, rfc3339, unique};

fn first_result(response: &Response) -> Value {
    response.json()["results"][0].clone()
}

#[tokio::test]
async fn only_one_of_200_identical_creates_succeeds() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let recipient = address("ann");
    let body = create_body(&[&recipient]);
    // On a busy machine, some requests get a 503. Retry each of them with its original idempotency key.
    let create = |_| async {
        let key = unique("key");
        eventually("a response other than 503", async || {
            let response = item.post_with_key(&key, &body).await;
            (response.status != 503).then_some(response)
        })
        .await
    };

    // At 200 requests at a time, the last one waits longer than the client's timeout on a busy machine.
    let responses: Vec<Response> = stream::iter(0..200).map(create).buffer_unordered(50).collect().await;

    let unexpected: Vec<&Response> = responses.iter().filter(|r| !matches!(r.status, 201 | 409)).collect();
    assert_eq!(count_with_status(&responses, 201), 1, "{unexpected:?}");
    assert_eq!(count_with_status(&responses, 409), 199, "{unexpected:?}");
    let created = responses.iter().find(|response| response.status == 201).unwrap();
    for refused in responses.iter().filter(|response| response.status == 409) {
        assert_eq!(refused.share_id(), created.share_id());
        assert_eq!(refused.problem_type(), "already-active");
    }
    assert_eq!(Aws::new(&stack).rows(&item.path()).await.len(), 1);
    item.wait_for_email(&recipient).await;
    assert_eq!(emails_to(&stack, &recipient).await.len(), 1);
}

#[tokio::test]
async fn two_items_can_be_shared_with_the_same_address() {
    let stack = Stack::get().await;
    let recipient = address("ann");
    for item in [TestItem::new(&stack).await, TestItem::new(&stack).await] {
        item.share(&[&recipient]).await.assert_status(201);
    }
}

#[tokio::test]
async fn conflict_identifies_existing_share_and_its_status() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let (active, expired, revoked) = (address("active"), address("expired"), address("revoked"));
    let expiry = Utc::now() + TimeDelta::days(1);
    let active_id = item.share_with(&active).await.id;
    let expired_id = item.share_until(&expired, &rfc3339(expiry)).await.id;
    let revoked_id = item.share_with(&revoked).await.id;
    item.revoke(&revoked_id).await.assert_status(200);
    clock.stop_at(expiry);

    for (recipient, id, outcome, problem_type) in [
        (&active, &active_id, "alreadyActive", "already-active"),
        (&expired, &expired_id, "alreadyInactive", "already-inactive"),
        (&revoked, &revoked_id, "alreadyInactive", "already-inactive"),
    ] {
        let response = item.share(&[&recipient.to_uppercase()]).await;
        response.assert_problem(409, problem_type);
        let result = first_result(&response);
        assert_eq!(result["shareId"], *id, "{recipient}");
        assert_eq!(result["outcome"], outcome, "{recipient}");
        assert!(result["problem"]["type"].as_str().unwrap().ends_with(problem_type), "{result}");
    }

    // The new recipient's share is created despite the other recipients' conflicts.
    let mixed = item.share(&[&active, &expired, &address("new")]).await;
    mixed.assert_status(207);
    let different_problems = item.share(&[&active, &expired, "no-address"]).await;
    different_problems.assert_problem(409, "nothing-created");
    for recipient in [&active, &expired, &revoked] {
        assert_eq!(emails_to(&stack, recipient).await.len(), 1, "{recipient}");
    }
}
