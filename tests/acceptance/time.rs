//! Expiry, by a clock that the tests move.

use chrono::{TimeDelta, Utc};
use serde_json::json;

use crate::support::{Stack, TestItem, address, rfc3339};

#[tokio::test]
async fn an_expiry_earlier_today_is_accepted_and_inactive_from_birth() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    clock.stop_at("2030-06-15T12:00:00Z".parse().unwrap());
    let recipient = address("ann");
    let response = item.post(&json!({"recipients": [recipient], "expiresAt": "2030-06-15T11:59:00Z"})).await;

    assert_eq!(response.status, 201, "{response:?}");
    assert_eq!(response.json()["warnings"][0]["code"], "alreadyExpired");
    let share = &response.json()["results"][0]["share"];
    assert_eq!((&share["status"], &share["reason"]), (&json!("inactive"), &json!("expired")));
    let mail = item.wait_for_email(&recipient).await;
    assert_eq!(stack.open(&mail.link()).await.status, 410);
}

#[tokio::test]
async fn today_is_the_day_at_the_expirys_own_offset() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    // Already the 16th at +14:00, and still the 15th at -10:00.
    clock.stop_at("2030-06-15T23:30:00Z".parse().unwrap());
    for (expires_at, status) in [
        ("2030-06-15T23:59:00+14:00", 422),
        ("2030-06-16T00:00:00+14:00", 201),
        ("2030-06-15T00:00:00-10:00", 201),
        ("2030-06-14T23:59:59Z", 422),
    ] {
        let response = item.post(&json!({"recipients": [address("ann")], "expiresAt": expires_at})).await;
        assert_eq!(response.status, status, "{expires_at}: {response:?}");
    }
}

#[tokio::test]
async fn a_share_expires_by_the_clock_alone() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let expiry = Utc::now() + TimeDelta::days(2);
    let recipient = address("ann");
    let shared = item.share_until(&recipient, &rfc3339(expiry)).await;
    assert_eq!(
        (item.list_recipients("active").await.len(), item.list_recipients("inactive").await.len()),
        (1, 0)
    );

    clock.stop_at(expiry);
    assert_eq!(item.list_recipients("active").await, [""; 0]);
    assert_eq!(item.list_recipients("inactive").await, [recipient]);
    let share = item.get_share(&shared.id).await;
    assert_eq!((&share["status"], &share["reason"]), (&json!("inactive"), &json!("expired")));
    assert_eq!(stack.open(&shared.link).await.status, 410);
}

#[tokio::test]
async fn a_signed_url_does_not_outlive_access() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let expiry = chrono::DateTime::from_timestamp((Utc::now() + TimeDelta::days(2)).timestamp(), 0).unwrap();
    let shared = item.share_until(&address("ann"), &rfc3339(expiry)).await;

    for (before, life) in [(3600, 60), (60, 60), (10, 10), (1, 1)] {
        clock.stop_at(expiry - TimeDelta::seconds(before));
        let redirect = stack.open(&shared.link).await;
        assert_eq!(redirect.status, 302, "{before} s before: {redirect:?}");
        assert!(redirect.header("location").contains(&format!("X-Amz-Expires={life}&")), "{before} s before");
    }
    clock.stop_at(expiry);
    assert_eq!(stack.open(&shared.link).await.status, 410);
}
