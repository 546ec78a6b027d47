//! Changing the expiration, and reactivating.

use chrono::{TimeDelta, Utc};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Response, Stack, TestItem, address, emails_to, next_week, rfc3339, send};

impl TestItem<'_> {
    async fn patch(&self, id: &str, if_match: Option<&str>, body: &Value) -> Response {
        let mut request =
            self.stack.client.request(Method::PATCH, self.url(&format!("/{id}"))).bearer_auth(&self.token);
        if let Some(tag) = if_match {
            request = request.header("If-Match", tag);
        }
        send(request.json(body)).await
    }

    async fn expire_at(&self, id: &str, version: u64, expires_at: &str) -> Response {
        self.patch(id, Some(&format!("\"{version}\"")), &json!({"expiresAt": expires_at})).await
    }
}

#[tokio::test]
async fn an_active_share_may_expire_later_or_at_once() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let recipient = address("ann");
    // Noon, so that earlier today is still today.
    clock.stop_at("2030-06-15T12:00:00Z".parse().unwrap());
    let shared = item.share_until(&recipient, "2030-06-20T00:00:00Z").await;

    let later = item.expire_at(&shared.id, 1, "2030-07-01T00:00:00+02:00").await;
    assert_eq!((later.status, later.header("etag")), (200, "\"2\""), "{later:?}");
    assert_eq!(
        (&later.json()["expiresAt"], &later.json()["status"]),
        (&json!("2030-06-30T22:00:00Z"), &json!("active"))
    );
    assert_eq!(stack.open(&shared.link).await.status, 302);

    let yesterday = item.expire_at(&shared.id, 2, "2030-06-14T23:59:59Z").await;
    assert_eq!((yesterday.status, yesterday.error_locations()), (422, vec!["/expiresAt".to_owned()]));
    assert_eq!(item.get_share(&shared.id).await["version"], 2);

    let today = item.expire_at(&shared.id, 2, "2030-06-15T11:00:00Z").await;
    assert_eq!((today.status, &today.json()["reason"]), (200, &json!("expired")));
    assert_eq!(stack.open(&shared.link).await.status, 410);
    assert_eq!(
        (item.list_recipients("active").await.len(), item.list_recipients("inactive").await.len()),
        (0, 1)
    );
    assert_eq!(emails_to(&stack, &recipient).await.len(), 1);
}

#[tokio::test]
async fn a_future_expiration_reactivates_the_same_link_without_an_email() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let (expired, revoked) = (address("expired"), address("revoked"));
    let expiry = Utc::now() + TimeDelta::days(1);
    let one = item.share_until(&expired, &rfc3339(expiry)).await;
    let other = item.share_with(&revoked).await;
    item.revoke(&other.id).await;
    clock.stop_at(expiry);
    let future = rfc3339(expiry + TimeDelta::days(1));

    for (shared, version) in [(&one, 1), (&other, 2)] {
        assert_eq!(stack.open(&shared.link).await.status, 410);
        let response = item.expire_at(&shared.id, version, &future).await;
        assert_eq!((response.status, &response.json()["status"]), (200, &json!("active")), "{response:?}");
        assert_eq!(response.json().get("revokedAt"), None);
        assert_eq!(stack.open(&shared.link).await.status, 302);
    }
    // A later share's email has left, so one of these would have, too.
    item.share_with(&address("later")).await;
    for recipient in [&expired, &revoked] {
        assert_eq!(emails_to(&stack, recipient).await.len(), 1);
    }
}

#[tokio::test]
async fn a_change_says_which_version_it_is_meant_for() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let id = item.share(&[&address("ann")]).await.share_id();
    let body = json!({"expiresAt": next_week()});

    let missing = item.patch(&id, None, &body).await;
    assert_eq!((missing.status, missing.problem_type().as_str()), (428, "if-match-missing"));
    for stale in
        ["\"2\"", "\"0\"", "\"01\"", "\"+1\"", "\"1", "W/\"1\"", "1", "", "\"x\"", "\"99999999999999999999\""]
    {
        let response = item.patch(&id, Some(stale), &body).await;
        assert_eq!((response.status, response.problem_type().as_str()), (412, "stale-version"), "{stale}");
    }
    for (body, places) in [
        (json!({}), "/expiresAt"),
        (json!({"expiresAt": 7}), "/expiresAt"),
        (json!({"expires": 1}), "/expires"),
    ] {
        let response = item.patch(&id, Some("\"1\""), &body).await;
        assert_eq!((response.status, response.error_locations()), (422, vec![places.to_owned()]));
    }
    assert_eq!(item.get_share(&id).await["version"], 1);
    assert_eq!(item.patch(&id, Some("*"), &body).await.status, 200);
    let nobody = item.patch("00000000000000000000000000000000", Some("*"), &body).await;
    assert_eq!((nobody.status, nobody.problem_type().as_str()), (404, "share-not-found"));
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_may_be_repeated() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    // Its email has left, so nothing but the change moves.
    let id = item.share_with(&address("ann")).await.id;
    let expires_at = next_week();
    let first = item.expire_at(&id, 1, &expires_at).await;
    let again = item.expire_at(&id, 1, &expires_at).await;
    assert_eq!((first.status, again.status, again.header("etag")), (200, 200, "\"2\""));
    assert_eq!(first.json(), again.json());
    let other = item.expire_at(&id, 1, "2031-01-01T00:00:00Z").await;
    assert_eq!(other.status, 412);
}

#[tokio::test]
async fn a_repeated_change_is_known_where_it_left_the_share_revoked_and_after_midnight() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    clock.stop_at("2030-06-15T23:59:59Z".parse().unwrap());
    let id = item.share_until(&address("ann"), "2030-06-20T00:00:00Z").await.id;
    item.revoke(&id).await;
    let past = "2030-06-15T08:00:00Z";
    let first = item.expire_at(&id, 2, past).await;
    assert_eq!((first.status, &first.json()["reason"]), (200, &json!("revoked")), "{first:?}");
    clock.stop_at("2030-06-16T00:00:01Z".parse().unwrap());
    let again = item.expire_at(&id, 2, past).await;
    assert_eq!((again.status, again.header("etag")), (200, "\"3\""), "{again:?}");
    // Not so a new one.
    assert_eq!(item.expire_at(&id, 3, past).await.status, 422);
}

#[tokio::test]
async fn the_day_of_a_change_is_that_of_its_own_offset() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    clock.stop_at("2030-06-15T12:00:00Z".parse().unwrap());
    let id = item.share_until(&address("ann"), "2030-06-20T00:00:00Z").await.id;
    // At noon in UTC it is the 16th at +14:00 already, and still the 15th at -11:00.
    let refused = item.expire_at(&id, 1, "2030-06-15T23:59:59+14:00").await;
    assert_eq!((refused.status, refused.error_locations()), (422, vec!["/expiresAt".to_owned()]));
    assert_eq!(item.expire_at(&id, 1, "2030-06-16T00:00:00+14:00").await.json()["reason"], "expired");
    assert_eq!(item.expire_at(&id, 2, "2030-06-15T02:00:00-11:00").await.json()["status"], "active");
    assert_eq!(item.expire_at(&id, 3, "2030-06-14T23:00:00-11:00").await.status, 422);
}

#[tokio::test]
async fn of_racing_changes_one_wins() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let id = item.share(&[&address("ann")]).await.share_id();
    let times: Vec<String> = (1..=20).map(|day| rfc3339(Utc::now() + TimeDelta::days(day))).collect();
    let responses = join_all(times.iter().map(|time| item.expire_at(&id, 1, time))).await;
    let count = |status| responses.iter().filter(|response| response.status == status).count();
    assert_eq!((count(200), count(412)), (1, 19), "{responses:?}");
    let won = responses.iter().find(|response| response.status == 200).unwrap().json();
    assert_eq!(item.get_share(&id).await["expiresAt"], won["expiresAt"]);
}
