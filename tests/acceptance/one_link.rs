//! Only one link can exist for an address and an item.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Aws, Response, Stack, TestItem, address, emails_to, next_week, unique};

fn first(response: &Response) -> Value {
    response.json()["results"][0].clone()
}

#[tokio::test]
async fn of_200_identical_creates_at_once_exactly_one_succeeds() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let recipient = address("ann");
    let body = json!({"recipients": [recipient], "expiresAt": next_week()});
    // On a busy machine some of so many time out; who is told to try again does.
    let create = |_| async {
        let key = unique("key");
        for _ in 0..20 {
            let response = item.post_with_key(&key, &body).await;
            if response.status != 503 {
                return response;
            }
        }
        panic!("never answered");
    };
    let responses = join_all((0..200).map(create)).await;

    let count = |status| responses.iter().filter(|response| response.status == status).count();
    let others: Vec<&Response> = responses.iter().filter(|a| !matches!(a.status, 201 | 409)).collect();
    assert_eq!((count(201), count(409)), (1, 199), "{others:?}");
    let created = responses.iter().find(|response| response.status == 201).map(first).unwrap();
    for refused in responses.iter().filter(|response| response.status == 409) {
        assert_eq!(first(refused)["shareId"], created["shareId"]);
        assert_eq!(refused.problem_type(), "already-active");
    }
    assert_eq!(Aws::new(&stack).rows(&format!("jobs/{}", item.name)).await.len(), 1);
    item.wait_for_email(&recipient).await;
    assert_eq!(emails_to(&stack, &recipient).await.len(), 1);
}

#[tokio::test]
async fn the_same_address_may_have_another_item() {
    let stack = Stack::get().await;
    let (one, other) = (TestItem::new(&stack).await, TestItem::new(&stack).await);
    let recipient = address("ann");
    assert_eq!(one.share(&[&recipient]).await.status, 201);
    assert_eq!(other.share(&[&recipient]).await.status, 201);
}

#[tokio::test]
async fn sharing_again_points_at_the_share_and_its_tab() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let (active, expired, revoked) = (address("active"), address("expired"), address("revoked"));
    let soon = chrono::Utc::now() + chrono::TimeDelta::days(1);
    let active_id = item.share_with(&active).await.id;
    let expired_id = item.share_until(&expired, &crate::support::rfc3339(soon)).await.id;
    let revoked_id = item.share_with(&revoked).await.id;
    assert_eq!(item.revoke(&revoked_id).await.status, 200);
    clock.stop_at(soon);

    for (recipient, id, outcome, problem) in [
        (&active, &active_id, "alreadyActive", "already-active"),
        (&expired, &expired_id, "alreadyInactive", "already-inactive"),
        (&revoked, &revoked_id, "alreadyInactive", "already-inactive"),
    ] {
        let again = item.share(&[&recipient.to_uppercase()]).await;
        assert_eq!((again.status, again.problem_type().as_str()), (409, problem), "{again:?}");
        let result = first(&again);
        assert_eq!((&result["shareId"], &result["outcome"]), (&json!(id), &json!(outcome)));
        assert!(result["problem"]["type"].as_str().unwrap().ends_with(problem));
    }
    // One of them beside a new one: the new one goes ahead.
    let mixed = item.share(&[&active, &expired, &address("new")]).await;
    assert_eq!(mixed.status, 207, "{mixed:?}");
    // Nothing but conflicts, of two kinds.
    let conflicts = item.share(&[&active, &expired, "nobody"]).await;
    assert_eq!((conflicts.status, conflicts.problem_type().as_str()), (409, "nothing-created"));
    for recipient in [&active, &expired, &revoked] {
        assert_eq!(emails_to(&stack, recipient).await.len(), 1);
    }
}
