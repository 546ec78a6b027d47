//! Saving an expiration that is the same as before, and undoing a revocation with it.

use chrono::{DateTime, FixedOffset, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::{Stack, TestItem, address, emails_to, rfc3339};

fn events(log: &[Value]) -> Vec<&str> {
    log.iter().map(|entry| entry["event"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn unchanged_expiration_is_neither_written_nor_logged() {
    let (stack, proxy, _clock) = Stack::with_dynamodb_proxy().await;
    let item = TestItem::new(&stack).await;
    let expiry = Utc::now() + TimeDelta::days(1);
    let id = item.share_until(&address("ann"), &rfc3339(expiry)).await.id;
    item.wait_for_log(2).await;
    let before = item.get_share(&id).await;
    let at_offset = |hours: i32| {
        let offset = FixedOffset::east_opt(hours * 3_600).unwrap();
        expiry.with_timezone(&offset).to_rfc3339_opts(SecondsFormat::Millis, false)
    };
    let same_moments =
        [before["expiresAt"].as_str().unwrap().to_owned(), at_offset(2), at_offset(-8), rfc3339(expiry)];

    for expires_at in &same_moments {
        for if_match in ["\"1\"", "*"] {
            proxy.take_call_count(&[""]);
            let response = item.patch(&id, Some(if_match), &json!({"expiresAt": expires_at})).await;
            // One strongly consistent read, and no write.
            assert_eq!(proxy.take_call_count(&["DynamoDB_20120810."]), 1, "{expires_at} {if_match}");
            response.assert_status(200);
            assert_eq!(response.header("etag"), "\"1\"", "{expires_at} {if_match}");
            assert_eq!(response.json(), before, "{expires_at} {if_match}");
        }
        item.patch(&id, None, &json!({"expiresAt": expires_at}))
            .await
            .assert_problem(428, "if-match-missing");
        item.change_expiration(&id, 2, expires_at).await.assert_problem(412, "stale-version");
    }
    // A millisecond is a change.
    let changed = item.change_expiration(&id, 1, &rfc3339(expiry + TimeDelta::milliseconds(1))).await;
    changed.assert_status(200);
    assert_eq!(changed.header("etag"), "\"2\"");
    assert_eq!(events(&item.wait_for_log(3).await), ["created", "emailed", "expirationChanged"]);
}

#[tokio::test]
async fn revocation_is_undone_by_its_old_expiration() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let recipient = address("ann");
    let expires_at = rfc3339(Utc::now() + TimeDelta::days(3));
    let shared = item.share_until(&recipient, &expires_at).await;
    let revoked = item.revoke(&shared.id).await.json();
    assert_eq!(revoked["expiresAt"], expires_at, "a revocation keeps the expiration");

    item.patch(&shared.id, None, &json!({"expiresAt": expires_at})).await.assert_status(428);
    item.change_expiration(&shared.id, 1, &expires_at).await.assert_status(412);
    stack.open(&shared.link).await.assert_status(410);
    let undone = item.change_expiration(&shared.id, 2, &expires_at).await;
    undone.assert_status(200);
    assert_eq!(undone.json()["status"], "active");
    assert_eq!(undone.json()["expiresAt"], expires_at);
    stack.open(&shared.link).await.assert_status(302);
    let retry = item.change_expiration(&shared.id, 2, &expires_at).await;
    retry.assert_status(200);
    assert_eq!(retry.header("etag"), "\"3\"");

    let log = item.wait_for_log(6).await;
    let expected = ["created", "emailed", "revoked", "reactivated", "opened", "downloaded"];
    assert_eq!(events(&log), expected);
    assert_eq!(emails_to(&stack, &recipient).await.len(), 1, "an undo must not send an email");
}

#[tokio::test]
async fn unchanged_past_expiration_changes_nothing() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    clock.stop_at(at("2030-06-15T08:00:00Z"));
    let expires_at = "2030-06-15T10:00:00Z";
    let expired = item.share_until(&address("expired"), expires_at).await.id;
    let revoked = item.share_until(&address("revoked"), expires_at).await.id;
    item.revoke(&revoked).await;

    clock.stop_at(at("2030-06-15T12:00:00Z"));
    for (id, version, reason) in [(&expired, 1, "expired"), (&revoked, 2, "revoked")] {
        let before = item.get_share(id).await;
        let same = item.change_expiration(id, version, expires_at).await;
        same.assert_status(200);
        assert_eq!(same.json(), before);
        assert_eq!(same.json()["reason"], reason);
    }
    clock.stop_at(at("2030-06-16T00:00:00Z"));
    item.change_expiration(&expired, 1, expires_at).await.assert_invalid(&["/expiresAt"]);
}
