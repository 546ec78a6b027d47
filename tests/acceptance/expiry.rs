//! Share expiry, with a clock that the tests control.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::api::create_body_with;
use crate::support::{Stack, TestItem, address, rfc3339};

#[tokio::test]
async fn expiry_earlier_today_creates_an_expired_share() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    clock.stop_at("2030-06-15T12:00:00Z".parse().unwrap());
    let recipient = address("ann");

    let response =
        item.post(&create_body_with(&[&recipient], &json!({"expiresAt": "2030-06-15T11:59:00Z"}))).await;

    response.assert_status(201);
    assert_eq!(response.json()["warnings"][0]["code"], "alreadyExpired");
    let share = &response.json()["results"][0]["share"];
    assert_eq!(share["status"], "inactive");
    assert_eq!(share["reason"], "expired");
    let email = item.wait_for_email(&recipient).await;
    stack.open(&email.link()).await.assert_status(410);
}

#[tokio::test]
async fn create_checks_the_date_at_the_expirys_offset() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    // At this time, it is already the 16th at +14:00 and still the 15th at -10:00.
    clock.stop_at("2030-06-15T23:30:00Z".parse().unwrap());
    for (expires_at, status) in [
        ("2030-06-15T23:59:00+14:00", 422),
        ("2030-06-16T00:00:00+14:00", 201),
        ("2030-06-15T00:00:00-10:00", 201),
        ("2030-06-14T23:59:59Z", 422),
    ] {
        let body = create_body_with(&[address("ann")], &json!({"expiresAt": expires_at}));
        let response = item.post(&body).await;
        assert_eq!(response.status, status, "{expires_at}: {response:?}");
    }
}

#[tokio::test]
async fn share_expires_exactly_at_its_expiry() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let expiry = Utc::now() + TimeDelta::days(2);
    let recipient = address("ann");
    let shared = item.share_until(&recipient, &rfc3339(expiry)).await;
    assert_eq!(item.list_recipients("active").await.len(), 1);
    assert_eq!(item.list_recipients("inactive").await.len(), 0);

    clock.stop_at(expiry);

    assert_eq!(item.list_recipients("active").await, [""; 0]);
    assert_eq!(item.list_recipients("inactive").await, [recipient]);
    let share = item.get_share(&shared.id).await;
    assert_eq!(share["status"], "inactive");
    assert_eq!(share["reason"], "expired");
    stack.open(&shared.link).await.assert_status(410);
}

#[tokio::test]
async fn signed_url_never_outlives_the_share() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let whole_seconds = (Utc::now() + TimeDelta::days(2)).timestamp();
    let expiry = DateTime::from_timestamp(whole_seconds, 0).unwrap();
    let shared = item.share_until(&address("ann"), &rfc3339(expiry)).await;

    for (seconds_left, url_lifetime) in [(3600, 60), (60, 60), (10, 10), (1, 1)] {
        clock.stop_at(expiry - TimeDelta::seconds(seconds_left));
        let redirect = stack.open(&shared.link).await;
        assert_eq!(redirect.status, 302, "{seconds_left} s left: {redirect:?}");
        let location = redirect.header("location");
        assert!(
            location.contains(&format!("X-Amz-Expires={url_lifetime}&")),
            "{seconds_left} s left: {location}"
        );
    }
    clock.stop_at(expiry);
    stack.open(&shared.link).await.assert_status(410);
}
