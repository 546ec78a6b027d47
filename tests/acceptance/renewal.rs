//! Renewing links: only the newest link ever works, whatever happens at the same time.

use chrono::{TimeDelta, Utc};
use futures_util::future::{join, join_all, join4};
use futures_util::stream::{StreamExt, iter};
use reqwest::Method;
use serde_json::{Value, json};
use sharelink_aws::new_write_id;
use sharelink_domain::mail::{LEASE, OVERDUE_AFTER};
use sharelink_domain::sending::SendOutcome;
use sharelink_domain::{MailReason, MailState};
use tokio::sync::oneshot;

use crate::api::{UNKNOWN_SHARE_ID, create_body_with};
use crate::support::proxy::Fault;
use crate::support::{
    Stack, TestItem, World, address, emails_to, next_week, rfc3339, send, unique, within_minutes,
};

const WEEK: TimeDelta = TimeDelta::days(7);

/// The URL path of SES's `SendEmail`.
const SEND: &str = "/v2/email/outbound-emails";

#[tokio::test]
async fn renewal_replaces_the_link_and_keeps_the_rest() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let shared = item.share_with(&ann).await;
    stack.open(&shared.link).await.assert_status(302);
    let before = item.get_share(&shared.id).await;
    clock.stop_at(Utc::now() + TimeDelta::minutes(6));

    let renewed = item.renew(&shared.id, "\"1\"", &json!({"notify": true})).await;

    renewed.assert_status(200);
    assert_eq!(renewed.header("etag"), "\"2\"");
    let after = renewed.json();
    assert!(after["renewedAt"].is_string(), "{after}");
    assert_eq!(after["mail"]["state"], "queued", "{after}");
    for kept in ["createdAt", "createdBy", "expiresAt", "files", "opens", "downloads", "lastOpenedAt"] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    stack.open(&shared.link).await.assert_status(404);
    let new_link = item.wait_for_email(&ann).await.link();
    assert_ne!(new_link, shared.link);
    assert_eq!(item.copy_link(&shared.id).await, new_link);
    assert_eq!(stack.download(&new_link).await.0, b"brief.pdf");
    assert_eq!(emails_to(&stack, &ann).await.len(), 2);

    // No later change brings the old link back.
    item.revoke(&shared.id).await.assert_status(200);
    stack.open(&shared.link).await.assert_status(404);
    stack.open(&new_link).await.assert_status(410);
    item.patch(&shared.id, Some("*"), &json!({"expiresAt": next_week()})).await.assert_status(200);
    stack.open(&shared.link).await.assert_status(404);
    stack.open(&new_link).await.assert_status(302);
}

#[tokio::test]
async fn new_link_is_not_emailed_without_notify() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let shared = item.share_with(&ann).await;

    item.renew(&shared.id, "*", &json!({"notify": false})).await.assert_status(200);

    let new_link = item.copy_link(&shared.id).await;
    stack.open(&shared.link).await.assert_status(404);
    stack.open(&new_link).await.assert_status(302);
    // Wait for the email of a later share. An email for the renewal would have been sent before it.
    item.share_with(&address("later")).await;
    assert_eq!(emails_to(&stack, &ann).await.len(), 1);
}

#[tokio::test]
async fn inactive_share_is_renewed_with_a_future_expiration() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let expiry = Utc::now() + TimeDelta::days(1);
    let expired = item.share_until(&address("ann"), &rfc3339(expiry)).await;
    let revoked = item.share_with(&address("bob")).await;
    item.revoke(&revoked.id).await;
    clock.stop_at(expiry);

    for (shared, version) in [(&expired, "\"1\""), (&revoked, "\"2\"")] {
        let renew = async |body: Value| item.renew(&shared.id, version, &body).await;
        renew(json!({"notify": false})).await.assert_problem(409, "share-inactive");
        for expires_at in
            [rfc3339(expiry), rfc3339(expiry - TimeDelta::days(1)), "2200-01-01T00:00:00Z".into()]
        {
            renew(json!({"notify": false, "expiresAt": expires_at})).await.assert_invalid(&["/expiresAt"]);
        }
        let renewed = renew(json!({"notify": false, "expiresAt": rfc3339(expiry + WEEK)})).await;
        renewed.assert_status(200);
        assert_eq!(renewed.json()["status"], "active");
        assert_eq!(renewed.json().get("revokedAt"), None);
        stack.open(&shared.link).await.assert_status(404);
        stack.open(&item.copy_link(&shared.id).await).await.assert_status(302);
    }
}

#[tokio::test]
async fn invalid_renewal_changes_nothing() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;
    let path = format!("/{}/renew", shared.id);
    let body = json!({"notify": false});

    let without_version = send(item.request(Method::POST, &path).json(&body)).await;
    without_version.assert_problem(428, "if-match-missing");
    for stale in ["\"2\"", "\"0\"", "W/\"1\"", "1"] {
        item.renew(&shared.id, stale, &body).await.assert_problem(412, "stale-version");
    }
    for (invalid, location) in [
        (json!({"notify": "yes"}), "/notify"),
        (json!({"notify": false, "expiresAt": "tomorrow"}), "/expiresAt"),
        (json!({"notify": false, "expiresAt": "2031-01-01T00:00:00"}), "/expiresAt"),
        (json!({"notify": false, "expiresAt": rfc3339(Utc::now())}), "/expiresAt"),
        (json!({"notify": false, "link": "x"}), "/link"),
    ] {
        item.renew(&shared.id, "\"1\"", &invalid).await.assert_invalid(&[location]);
    }
    let empty = send(item.request(Method::POST, &path).header("If-Match", "*")).await;
    empty.assert_problem(400, "malformed-body");
    item.renew(UNKNOWN_SHARE_ID, "*", &body).await.assert_problem(404, "share-not-found");
    item.renew("x", "*", &body).await.assert_problem(404, "share-not-found");

    assert_eq!(item.get_share(&shared.id).await["version"], 1);
    stack.open(&shared.link).await.assert_status(302);
}

#[tokio::test]
async fn retried_renewal_keeps_the_new_link() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let id = item.share_with(&address("ann")).await.id;
    let body = json!({"notify": false});

    // The expected version recognizes a retry.
    item.renew(&id, "\"1\"", &body).await.assert_status(200);
    let link = item.copy_link(&id).await;
    let retry = item.renew(&id, "\"1\"", &body).await;
    retry.assert_status(200);
    assert_eq!(retry.header("etag"), "\"2\"");
    assert_eq!(item.copy_link(&id).await, link);
    item.renew(&id, "\"1\"", &json!({"notify": true})).await.assert_problem(412, "stale-version");

    // With `If-Match: *`, only the key does.
    let key = unique("key");
    let with_key = async |key: &str, if_match: &str, body: &Value| {
        let request = item.request(Method::POST, &format!("/{id}/renew")).header("If-Match", if_match);
        send(request.header("Idempotency-Key", key).json(body)).await
    };
    let responses = join_all((0..5).map(|_| with_key(&key, "*", &body))).await;
    for response in &responses {
        response.assert_status(200);
        assert_eq!(response.header("etag"), "\"3\"");
    }
    let link = item.copy_link(&id).await;
    with_key(&key, "*", &json!({"notify": true})).await.assert_problem(422, "idempotency-key-reused");
    with_key(&key, "\"3\"", &body).await.assert_problem(422, "idempotency-key-reused");

    // So many changes later that the share no longer stores the write's id, a retry replaces nothing.
    for days in 1..=6 {
        let expires_at = rfc3339(Utc::now() + TimeDelta::days(days));
        item.patch(&id, Some("*"), &json!({"expiresAt": expires_at})).await.assert_status(200);
    }
    with_key(&key, "*", &body).await.assert_problem(412, "stale-version");
    assert_eq!(item.copy_link(&id).await, link);
}

#[tokio::test]
async fn renewals_are_logged() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let id = item.share_with(&address("ann")).await.id;
    item.wait_for_log(2).await;
    item.renew(&id, "\"1\"", &json!({"notify": false})).await.assert_status(200);
    item.wait_for_log(3).await;
    item.revoke(&id).await;
    let body = json!({"notify": false, "expiresAt": next_week()});
    item.renew(&id, "\"3\"", &body).await.assert_status(200);

    let log = item.wait_for_log(7).await;

    let events: Vec<&str> = log.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    let expected =
        ["created", "emailed", "linkRenewed", "revoked", "expirationChanged", "reactivated", "linkRenewed"];
    assert_eq!(events, expected);
    for entry in log.iter().filter(|entry| entry["event"] == "linkRenewed") {
        assert_eq!(entry["by"]["name"], "Tess Tester");
        assert_eq!(entry.get("generation"), None);
    }
}

/// One link opens, and every other link is dead.
async fn assert_only_newest_works(item: &TestItem<'_>, id: &str, links: &[String]) {
    let newest = item.copy_link(id).await;
    item.stack.open(&newest).await.assert_status(302);
    for link in links.iter().filter(|link| **link != newest) {
        item.stack.open(link).await.assert_status(404);
    }
}

async fn run_racing_round(item: &TestItem<'_>) {
    let body = create_body_with(&[address("racer")], &json!({"notify": false}));
    let id = item.post(&body).await.share_id();
    let mut links = vec![item.copy_link(&id).await];
    let renewal = json!({"notify": false});
    let expires_at = next_week();

    // Two renewals race each other, a change, a use and copies of the link.
    let renewals = join(item.renew(&id, "\"1\"", &renewal), item.renew(&id, "\"1\"", &renewal));
    let copies = join(item.copy_link(&id), item.copy_link(&id));
    let change = item.change_expiration(&id, 1, &expires_at);
    let (renewals, copies, opened, changed) =
        join4(renewals, copies, item.stack.open(&links[0]), change).await;
    assert!(matches!(opened.status, 302 | 404), "{opened:?}");
    links.extend([copies.0, copies.1]);
    // The same caller's second renewal is taken for a retry of the first.
    for response in [&renewals.0, &renewals.1, &changed] {
        assert!(matches!(response.status, 200 | 412), "{response:?}");
    }
    assert_eq!(item.get_share(&id).await["version"], 2, "one change wins");
    if changed.status != 200 {
        assert_ne!(item.copy_link(&id).await, links[0], "a successful renewal left the old link");
    }
    assert_only_newest_works(item, &id, &links).await;

    // Renewals of any version race a revocation, and then bring access back with yet another link.
    let race = join(item.renew(&id, "*", &renewal), item.renew(&id, "*", &renewal));
    let ((one, other), revoked) = join(race, item.revoke(&id)).await;
    revoked.assert_status(200);
    for response in [&one, &other] {
        assert!(matches!(response.status, 200 | 409), "{response:?}");
    }
    links.push(item.copy_link(&id).await);
    assert_eq!(item.get_share(&id).await["reason"], "revoked", "a renewal undid the revocation");
    let reactivation = json!({"notify": false, "expiresAt": expires_at});
    let (one, other) = join(item.renew(&id, "*", &reactivation), item.renew(&id, "*", &reactivation)).await;
    one.assert_status(200);
    other.assert_status(200);
    for link in &links {
        item.stack.open(link).await.assert_status(404);
    }
    assert_only_newest_works(item, &id, &links).await;
}

#[tokio::test]
async fn only_the_newest_link_works_after_races() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    iter(0..20).map(|_| run_racing_round(&item)).buffer_unordered(4).collect::<Vec<()>>().await;
}

#[tokio::test]
async fn email_in_flight_is_followed_by_one_with_the_new_link() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let ann = address("ann");
    let share = world.share(&ann, WEEK).await;
    // SES holds the email with the old link.
    let (notice, reached) = oneshot::channel();
    let (release, released) = oneshot::channel();
    world.ses.inject_once(&[SEND], Fault::Pause(notice, released));
    let function = std::sync::Arc::clone(&world.notify.function);
    let records = world.records().await;
    let event = json!({"Records": records});
    let (now, table) = (world.now(), world.table.clone());
    let renew_while_sending = async {
        reached.await.unwrap();
        world.renew(&share, true).await;
        let renewed = table.get(&share.item, share.id).await.unwrap().unwrap();
        assert!(renewed.mail.pending().unwrap().due >= now + LEASE, "the old email could come last");
        release.send(()).unwrap();
    };
    let (sent, ()) = within_minutes(1, join(function.invoke(&event), renew_while_sending)).await;
    sent.unwrap();

    // The sender of the old link could not record that the email was sent.
    let renewed = world.read(&share).await.unwrap();
    assert!(renewed.mail.pending().is_some());
    let [old_link] = world.links_to(&ann).await.try_into().unwrap();
    world.run_notify().await;
    assert_eq!(world.email_count(&share).await, 1, "the lease has not ended");
    world.run_minutes(7).await;
    let links = world.links_to(&ann).await;
    assert_eq!(links.len(), 2);
    assert_ne!(links[1], old_link);
    assert_eq!(world.read(&share).await.unwrap().mail.state, MailState::Sent);
}

#[tokio::test]
async fn stale_stream_record_sends_only_the_new_link() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (ann, bob) = (address("ann"), address("bob"));
    let emailed = world.share(&ann, WEEK).await;
    let withdrawn = world.share(&bob, WEEK).await;
    // The stream still contains the shares with their old links.
    world.renew(&emailed, true).await;
    world.renew(&withdrawn, false).await;

    world.run_notify().await;
    world.run_minutes(10).await;

    assert_eq!(world.email_count(&emailed).await, 1);
    let sent = world.read(&emailed).await.unwrap();
    assert_eq!((sent.mail.state, sent.mail.attempt), (MailState::Sent, 1));
    assert_eq!(world.email_count(&withdrawn).await, 0);
    let mail = world.read(&withdrawn).await.unwrap().mail;
    assert_eq!(mail.state, MailState::None);
    assert_eq!(mail.reason, Some(MailReason::LinkReplaced));
    world.run_sweep().await;
    assert_eq!(world.log_events(withdrawn.id).await, ["created", "linkRenewed"]);
}

#[tokio::test]
async fn crashed_sender_of_the_old_link_sends_it_no_more() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let ann = address("ann");
    let share = world.share(&ann, WEEK).await;
    let claim = new_write_id().unwrap();
    let key = "k1".parse().unwrap();
    let claimed = world.table.claim_email(&share.item, share.id, Some(&key), claim, world.now()).await;
    let (claimed, _) = claimed.unwrap().unwrap();
    assert_eq!(claimed.generation, share.generation);

    world.renew(&share, true).await;
    // The sender wakes up late, and records an outcome for the email with the old link.
    world.table.record_send_outcome(&claimed, claim, SendOutcome::Sent, world.now()).await.unwrap();

    let renewed = world.read(&share).await.unwrap();
    assert_eq!(renewed.mail.state.name(), "queued");
    assert_eq!(renewed.link_key, None, "the new link is sealed with the key that is current then");
    world.advance(LEASE + OVERDUE_AFTER + TimeDelta::minutes(5));
    world.run_schedule().await.unwrap();
    assert_eq!(world.email_count(&share).await, 1);
    assert_eq!(world.read(&share).await.unwrap().mail.state, MailState::Sent);
}

#[tokio::test]
async fn repeated_renewals_do_not_flood_the_mailbox() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let ann = address("ann");
    let share = world.share(&ann, WEEK).await;
    world.run_notify().await;
    for _ in 0..20 {
        world.renew(&share, true).await;
        world.run_notify().await;
    }
    assert_eq!(world.email_count(&share).await, 1, "the wait for another email has not ended");
    world.run_minutes(7).await;
    assert_eq!(world.email_count(&share).await, 2);
}
