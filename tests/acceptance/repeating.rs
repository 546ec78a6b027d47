//! Requests that are repeated under an `Idempotency-Key`, after their answers were lost.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::json;

use crate::support::{Aws, Stack, TestItem, address, emails_to, next_week, rfc3339, send, unique};

#[tokio::test]
async fn a_repeated_create_gets_the_first_answer_again() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let (ann, bob, key) = (address("ann"), address("bob"), unique("key"));
    item.share(&[&bob]).await;
    let body = json!({"recipients": [ann, bob, "nobody"], "expiresAt": next_week(), "message": "Hi"});
    let first = item.post_with_key(&key, &body).await;
    assert_eq!(first.status, 207, "{first:?}");

    // Neither what became of the share nor what became of the item's files makes a difference.
    let id = first.share_id();
    item.revoke(&id).await;
    item.upload("later.pdf").await;
    Aws::new(&stack).delete(&item.key("brief.pdf")).await;
    let again = item.post_with_key(&key, &body).await;
    assert_eq!((again.status, &again.json()["results"][0]), (207, &first.json()["results"][0]));
    assert_eq!(again.json()["results"][1]["outcome"], "alreadyActive");
    // However it is written.
    let text = serde_json::to_string_pretty(&body).unwrap();
    let written =
        item.stack.client.post(item.url("")).bearer_auth(&item.token).header("Idempotency-Key", &key);
    assert_eq!(send(written.body(text)).await.json(), again.json());

    assert_eq!(item.get_share(&id).await["version"], 2);
    item.wait_for_email(&bob).await;
    assert!(emails_to(&stack, &ann).await.len() <= 1);
    // Nor does another name in the sharer's next token.
    let claims = json!({"sub": "test-user", "name": "Renamed", "email": "x@sharelink.example", "accessRights": ["producer"]});
    let renamed = stack.client.post(item.url("")).bearer_auth(stack.token_with_claims(&claims).await);
    let renamed = send(renamed.header("Idempotency-Key", &key).json(&body)).await;
    assert_eq!(renamed.json()["results"][0], first.json()["results"][0]);
    // Under another key, it is what it looks like.
    let anew =
        item.post_with_key(&unique("key"), &json!({"recipients": [ann], "expiresAt": next_week()})).await;
    assert_eq!((anew.status, anew.problem_type().as_str()), (409, "already-inactive"));
}

#[tokio::test]
async fn identical_creates_at_once_under_one_key_all_succeed_and_make_one_share() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let (ann, key) = (address("ann"), unique("key"));
    let body = json!({"recipients": [ann], "expiresAt": next_week()});
    let responses = futures_util::future::join_all((0..20).map(|_| item.post_with_key(&key, &body))).await;
    for response in &responses {
        assert_eq!((response.status, response.json()), (201, responses[0].json()));
    }
    item.wait_for_email(&ann).await;
    assert_eq!(emails_to(&stack, &ann).await.len(), 1);
}

#[tokio::test]
async fn a_key_belongs_to_one_request() {
    let stack = Stack::get().await;
    let (item, other) = (TestItem::new(&stack).await, TestItem::new(&stack).await);
    let key = unique("key");
    let body = json!({"recipients": [address("ann")], "expiresAt": next_week()});
    assert_eq!(item.post_with_key(&key, &body).await.status, 201);
    let changed = json!({"recipients": [address("bob")], "expiresAt": next_week()});
    for response in [item.post_with_key(&key, &changed).await, other.post_with_key(&key, &body).await] {
        assert_eq!((response.status, response.problem_type().as_str()), (422, "idempotency-key-reused"));
    }
    assert_eq!(item.list_recipients("active").await.len(), 1);
    assert!(other.list_recipients("active").await.is_empty());
    // Somebody else's key is another key.
    let claims = json!({"sub": "another-user", "name": "Al", "email": "al@sharelink.example", "accessRights": ["producer"]});
    let token = stack.token_with_claims(&claims).await;
    let request = stack.client.post(other.url("")).bearer_auth(token).header("Idempotency-Key", &key);
    assert_eq!(send(request.json(&body)).await.status, 201);
}

#[tokio::test]
async fn a_key_that_is_none_is_pointed_at_and_what_was_refused_may_be_corrected_under_it() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let good = json!({"recipients": [address("ann")], "expiresAt": next_week()});
    for bad in ["a b", "é", &"x".repeat(256), ""] {
        let response = item.post_with_key(bad, &good).await;
        assert_eq!(
            (response.status, response.error_locations()),
            (422, vec!["Idempotency-Key".to_owned()]),
            "{bad}"
        );
    }
    let key = unique("key");
    assert_eq!(item.post_with_key(&key, &json!({"recipients": []})).await.status, 422);
    assert_eq!(item.post_with_key(&key, &good).await.status, 201);
}

#[tokio::test]
async fn a_repetition_is_as_old_as_the_first_request_for_a_day() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let (ann, key) = (address("ann"), unique("key"));
    let midnight: chrono::DateTime<chrono::Utc> = "2030-06-16T00:00:00Z".parse().unwrap();
    clock.stop_at(midnight - TimeDelta::minutes(1));
    let body = json!({"recipients": [ann], "expiresAt": rfc3339(midnight - TimeDelta::hours(1))});
    let first = item.post_with_key(&key, &body).await;
    assert_eq!((first.status, &first.json()["warnings"][0]["code"]), (201, &json!("alreadyExpired")));

    // On the next day the expiry is on a day before today, but not for the request of the day before.
    clock.stop_at(midnight + TimeDelta::hours(23));
    let again = item.post_with_key(&key, &body).await;
    assert_eq!((again.status, again.json()), (201, first.json()));
    clock.stop_at(midnight + TimeDelta::hours(24));
    let forgotten = item.post_with_key(&key, &body).await;
    assert_eq!((forgotten.status, forgotten.error_locations()), (422, vec!["/expiresAt".to_owned()]));
    let body = json!({"recipients": [ann], "expiresAt": "2030-07-01T00:00:00Z"});
    let new = item.post_with_key(&key, &body).await;
    assert_eq!((new.status, new.problem_type().as_str()), (409, "already-inactive"));
}

#[tokio::test]
async fn a_resend_sends_the_same_link_again_at_a_limited_rate() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let (ann, key) = (address("ann"), unique("key"));
    let shared = item.share_with(&ann).await;
    let start = chrono::Utc::now();
    let resend = |key: Option<&str>| {
        let request = stack.client.post(item.url(&format!("/{}/resend", shared.id))).bearer_auth(&item.token);
        send(match key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        })
    };

    let soon = resend(None).await;
    assert_eq!((soon.status, soon.problem_type().as_str()), (429, "resend-too-soon"));
    let wait: i64 = soon.header("retry-after").parse().unwrap();
    assert!((240..=301).contains(&wait), "{wait}");
    clock.stop_at(start + TimeDelta::seconds(wait + 1));
    let sent = resend(Some(&key)).await;
    assert_eq!((sent.status, sent.header("etag")), (202, "\"1\""), "{sent:?}");
    assert_eq!(sent.json()["mail"]["state"], "queued");
    item.wait_for_email(&ann).await;
    // Its answer was lost; whoever repeats it asks for no third email, however late.
    assert_eq!(resend(Some(&key)).await.status, 202);
    clock.stop_at(start + TimeDelta::hours(5));
    let late = resend(Some(&key)).await;
    assert_eq!((late.status, &late.json()["mail"]["state"]), (202, &json!("sent")), "{late:?}");
    let mails = emails_to(&stack, &ann).await;
    assert_eq!(mails.len(), 2);
    assert!(mails.iter().all(|mail| mail.link() == shared.link));
    assert_eq!(stack.open(&shared.link).await.status, 302);

    item.revoke(&shared.id).await;
    let inactive = resend(None).await;
    assert_eq!((inactive.status, inactive.problem_type().as_str()), (409, "share-inactive"));
    // The same key, for another share.
    let other = item.share_with(&address("bob")).await;
    let request = stack.client.post(item.url(&format!("/{}/resend", other.id))).bearer_auth(&item.token);
    let reused = send(request.header("Idempotency-Key", &key)).await;
    assert_eq!((reused.status, reused.problem_type().as_str()), (422, "idempotency-key-reused"));
    let nobody = item.call(Method::POST, "/00000000000000000000000000000000/resend").await;
    assert_eq!((nobody.status, nobody.problem_type().as_str()), (404, "share-not-found"));
}

#[tokio::test]
async fn of_racing_resends_one_is_done() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let shared = item.share_with(&ann).await;
    clock.stop_at(chrono::Utc::now() + TimeDelta::minutes(6));
    let url = item.url(&format!("/{}/resend", shared.id));
    // Half of them under keys of their own.
    let resend = |n: usize| {
        let request = stack.client.post(&url).bearer_auth(&item.token);
        send(if n.is_multiple_of(2) { request } else { request.header("Idempotency-Key", unique("key")) })
    };
    let responses = futures_util::future::join_all((0..20).map(resend)).await;
    let count = |status| responses.iter().filter(|response| response.status == status).count();
    assert_eq!((count(202), count(429)), (1, 19), "{responses:?}");
    item.wait_for_email(&ann).await;
    assert_eq!(emails_to(&stack, &ann).await.len(), 2);
}

#[tokio::test]
async fn a_share_made_without_an_email_can_be_sent_one() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let body = json!({"recipients": [ann], "expiresAt": next_week(), "notify": false});
    let id = item.post(&body).await.share_id();
    let link = item.call(Method::POST, &format!("/{id}/link")).await;
    assert_eq!(link.status, 200, "{link:?}");
    assert_eq!(item.call(Method::POST, &format!("/{id}/resend")).await.status, 202);
    assert_eq!(item.wait_for_email(&ann).await.link(), link.json()["link"].as_str().unwrap());
}
