//! Reminders to recipients who have downloaded nothing.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use sharelink_domain::Share;
use sharelink_domain::access::Target;
use sharelink_domain::delivery::EmailId;
use sharelink_domain::history::LinkUse;
use sharelink_domain::link::Link;
use sharelink_domain::reminder::ReminderState;

use crate::support::events::ses_event;
use crate::support::fixtures::share_builder;
use crate::support::{Email, Stack, TestItem, World, address, emails_to, rfc3339, send};

const DAYS: i64 = 10;

/// Creates a share for ten days with a reminder three days before its end, and sends its email.
async fn emailed_share(world: &mut World<'_>) -> Share {
    let builder = share_builder(&world.item, TimeDelta::days(DAYS), world.now()).notify(true).reminder(3);
    let share = world.store(builder.recipient(&address("ann")).build()).await;
    world.run_notify().await;
    assert_eq!(world.email_count(&share).await, 1);
    share
}

/// Lets the time pass until the reminder is overdue, and runs the schedule.
async fn run_when_due(world: &mut World<'_>) {
    world.advance(TimeDelta::days(DAYS - 3) + TimeDelta::minutes(1));
    world.run_schedule().await.unwrap();
}

async fn download(world: &World<'_>, share: &Share) {
    let link = Link { item: share.item.clone(), share: share.id, generation: share.generation };
    let id = sharelink_aws::new_write_id().unwrap();
    let link_use = LinkUse { id, at: world.now(), source: None };
    world.table.redeem(&link, Target::Link, &link_use).await.unwrap();
    assert!(world.read(share).await.unwrap().usage.downloads > 0);
}

async fn report(world: &World<'_>, share: &Share, event_type: &str, more: &Value) {
    let track = world.new_function("TrackDelivery").await;
    let event = ses_event(&EmailId::of(share), event_type, world.now(), more);
    track.invoke(&event).await.unwrap();
}

fn bounce() -> Value {
    json!({"bounceType": "Permanent", "bounceSubType": "NoEmail", "bouncedRecipients": []})
}

#[tokio::test]
async fn reminder_is_sent_once_at_its_time() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = emailed_share(&mut world).await;
    world.advance(TimeDelta::days(DAYS - 3) - TimeDelta::minutes(5));
    world.run_schedule().await.unwrap();
    assert_eq!(world.email_count(&share).await, 1, "not due yet");

    world.run_minutes(20).await;
    world.run_sweep().await;

    let emails = emails_to(&stack, share.recipient.as_str()).await;
    assert_eq!(emails.len(), 2);
    assert_eq!(emails[1].subject, format!("Reminder: {}", emails[0].subject));
    assert_eq!(emails.iter().map(Email::link).collect::<Vec<_>>(), vec![emails[0].link(); 2]);
    assert!(emails[1].text.starts_with("Reminder: nothing has been downloaded yet."), "{}", emails[1].text);
    assert_eq!(world.log_events(share.id).await, ["created", "emailed", "reminded"]);
    world.advance(TimeDelta::days(4));
    world.run_schedule().await.unwrap();
    assert_eq!(world.email_count(&share).await, 2);
}

/// Every use of a link changes its share. While a reminder waits, no use must invoke the sender.
#[tokio::test]
async fn uses_of_a_link_do_not_wake_the_sender() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = emailed_share(&mut world).await;
    world.run_notify().await;
    download(&world, &share).await;
    let records = world.records().await;
    assert_eq!(world.notify.mapping.select(&records).len(), 0);
}

#[tokio::test]
async fn recipient_who_needs_no_reminder_gets_none() {
    let stack = Stack::get().await;
    for case in ["downloaded", "revoked", "bounced", "complained"] {
        let mut world = World::new(&stack).await;
        let share = emailed_share(&mut world).await;
        match case {
            "downloaded" => download(&world, &share).await,
            "revoked" => world.revoke(&share).await,
            "bounced" => report(&world, &share, "Bounce", &bounce()).await,
            _ => report(&world, &share, "Complaint", &json!({"complainedRecipients": []})).await,
        }
        run_when_due(&mut world).await;
        world.run_minutes(3).await;
        assert_eq!(world.email_count(&share).await, 1, "{case}");
        let reminder = world.read(&share).await.unwrap().reminder.unwrap();
        assert_eq!(reminder.state, ReminderState::Idle, "{case}");
        assert_eq!(world.table.due_emails(world.now()).await.unwrap().len(), 0, "{case}");
    }
}

#[tokio::test]
async fn reminder_is_not_sent_after_the_end() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let expired = emailed_share(&mut world).await;
    // The sender was down until the share had expired.
    world.advance(TimeDelta::days(DAYS));
    world.run_schedule().await.unwrap();
    assert_eq!(world.email_count(&expired).await, 1);

    let purged = emailed_share(&mut world).await;
    world.advance(TimeDelta::days(60));
    assert!(world.run_ttl() > 0);
    world.run_schedule().await.unwrap();
    assert_eq!(world.email_count(&purged).await, 1);
    assert_eq!(world.read(&purged).await, None);
}

#[tokio::test]
async fn change_of_the_expiration_moves_the_reminder() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = emailed_share(&mut world).await;
    world.expire_in(&share, TimeDelta::days(20)).await;
    run_when_due(&mut world).await;
    assert_eq!(world.email_count(&share).await, 1, "extended");
    world.expire_in(&share, TimeDelta::days(4)).await;
    world.advance(TimeDelta::days(1) + TimeDelta::minutes(2));
    world.run_schedule().await.unwrap();
    assert_eq!(world.email_count(&share).await, 2, "shortened");
}

/// The reminder was due while SES was down, and the share was extended before the next try.
#[tokio::test]
async fn deferred_reminder_of_an_extended_share_waits() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = emailed_share(&mut world).await;
    world.ses.set_fault_policy(|_| Some(crate::support::proxy::Fault::Disconnect));
    run_when_due(&mut world).await;
    world.ses.clear_faults();
    world.expire_in(&share, TimeDelta::days(20)).await;
    world.run_minutes(10).await;
    assert_eq!(world.email_count(&share).await, 1);
    world.advance(TimeDelta::days(17));
    world.run_schedule().await.unwrap();
    assert_eq!(world.email_count(&share).await, 2);
}

#[tokio::test]
async fn reminder_after_a_renewal_has_the_new_link() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = emailed_share(&mut world).await;
    world.advance(TimeDelta::hours(1));
    world.renew(&share, true).await;
    world.run_notify().await;
    world.advance(TimeDelta::days(DAYS - 3));
    world.run_schedule().await.unwrap();
    let links = world.links_to(share.recipient.as_str()).await;
    assert_eq!(links.len(), 3);
    assert_ne!(links[0], links[1]);
    assert_eq!(links[1], links[2]);
}

/// The sharer wants to pass the new link on, so no reminder emails it.
#[tokio::test]
async fn renewal_without_an_email_drops_the_reminder_until_one_is_requested() {
    let stack = Stack::get().await;
    for is_resent in [false, true] {
        let mut world = World::new(&stack).await;
        let share = emailed_share(&mut world).await;
        world.advance(TimeDelta::hours(1));
        world.renew(&share, false).await;
        if is_resent {
            world.resend(&share).await;
            world.run_notify().await;
        }
        world.advance(TimeDelta::days(DAYS - 3));
        world.run_schedule().await.unwrap();
        assert_eq!(world.email_count(&share).await, if is_resent { 3 } else { 1 });
    }
}

#[tokio::test]
async fn bounced_reminder_is_a_bounced_email() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = emailed_share(&mut world).await;
    report(&world, &share, "Delivery", &json!({})).await;
    run_when_due(&mut world).await;
    assert_eq!(world.email_count(&share).await, 2);
    let track = world.new_function("TrackDelivery").await;
    let reminder = EmailId::of_reminder(&share);
    for (event_type, more, state) in [("Delivery", json!({}), "delivered"), ("Bounce", bounce(), "bounced")] {
        track.invoke(&ses_event(&reminder, event_type, world.now(), &more)).await.unwrap();
        assert_eq!(world.read(&share).await.unwrap().mail.state.name(), state);
    }
}

#[tokio::test]
async fn sharers_choose_and_change_the_reminder() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let expiry = chrono::Utc::now() + TimeDelta::days(20);
    let body = json!({
        "recipients": [address("ann")], "expiresAt": rfc3339(expiry), "remindDaysBefore": 3,
        "notifyOnFirstDownload": true,
    });
    let id = item.post(&body).await.share_id();
    let share = item.get_share(&id).await;
    let due = |days| rfc3339(expiry - TimeDelta::days(days));
    assert_eq!(share["reminder"], json!({"daysBefore": 3, "state": "planned", "at": due(3)}));
    assert_eq!(share["notifyOnFirstDownload"], true);

    let changed = item.patch(&id, Some("\"1\""), &json!({"remindDaysBefore": 5})).await;
    changed.assert_status(200);
    assert_eq!(changed.json()["reminder"], json!({"daysBefore": 5, "state": "planned", "at": due(5)}));
    assert_eq!(changed.json()["version"], 1, "the expiration did not change");
    let later = json!({"remindDaysBefore": 0, "expiresAt": rfc3339(expiry + TimeDelta::days(1))});
    let both = item.patch(&id, Some("\"1\""), &later).await;
    both.assert_status(200);
    assert_eq!((&both.json()["version"], &both.json()["reminder"]), (&json!(2), &Value::Null));
    item.patch(&id, Some("\"1\""), &json!({"remindDaysBefore": 5}))
        .await
        .assert_problem(412, "stale-version");
}

#[tokio::test]
async fn reminder_that_would_not_be_sent_is_rejected() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let expiry = rfc3339(chrono::Utc::now() + TimeDelta::days(20));
    let share = |notify: bool| {
        let recipients = [address("ann")];
        json!({"recipients": recipients, "expiresAt": expiry, "notify": notify, "remindDaysBefore": 3})
    };
    let id = item.post(&share(true)).await.share_id();
    let before = item.get_share(&id).await["reminder"].clone();
    let passed = item.patch(&id, Some("*"), &json!({"remindDaysBefore": 20})).await;
    passed.assert_invalid(&["/remindDaysBefore"]);
    assert_eq!(item.get_share(&id).await["reminder"], before);
    let request = json!({"remindDaysBefore": 2});
    let unsent = item.post(&share(false)).await.share_id();
    item.patch(&unsent, Some("*"), &request).await.assert_invalid(&["/remindDaysBefore"]);
    item.call(Method::POST, &format!("/{id}/revoke")).await.assert_status(200);
    item.patch(&id, Some("*"), &request).await.assert_invalid(&["/remindDaysBefore"]);
    item.patch(&id, Some("*"), &json!({"remindDaysBefore": 0})).await.assert_status(200);
}

#[tokio::test]
async fn invalid_days_are_rejected() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;
    for days in [json!(31), json!(-1), json!(1.5), json!("3")] {
        let body = json!({
            "recipients": [address("ann")], "expiresAt": crate::support::next_week(), "remindDaysBefore": days,
        });
        item.post(&body).await.assert_invalid(&["/remindDaysBefore"]);
        let change = json!({"remindDaysBefore": days});
        item.patch(&shared.id, Some("*"), &change).await.assert_invalid(&["/remindDaysBefore"]);
    }
    item.patch(&shared.id, Some("*"), &json!({})).await.assert_invalid(&["/expiresAt"]);
}

/// Reads or changes the notice settings of an item's user.
async fn notice_settings(item: &TestItem<'_>, body: Option<&Value>) -> crate::support::Response {
    let url = format!("{}/notice-settings", item.stack.info.api_url);
    let method = if body.is_some() { Method::PUT } else { Method::GET };
    let request = item.stack.client.request(method, url).bearer_auth(&item.token);
    send(match body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

#[tokio::test]
async fn sharers_choose_their_notices() {
    let stack = Stack::get().await;
    let claims = json!({"sub": crate::support::unique("sharer"), "accessRights": []});
    let token = stack.token_with_claims(&claims).await;
    let item = TestItem { token, ..TestItem::new(&stack).await };
    let all = json!({"emailProblem": true, "firstDownload": true, "moreTime": true});
    assert_eq!(notice_settings(&item, None).await.json(), all);
    let some = json!({"emailProblem": true, "firstDownload": false, "moreTime": false});
    assert_eq!(notice_settings(&item, Some(&some)).await.json(), some);
    assert_eq!(notice_settings(&item, None).await.json(), some);
    let missing = notice_settings(&item, Some(&json!({"emailProblem": false}))).await;
    missing.assert_invalid(&["/firstDownload", "/moreTime"]);
    let unknown = notice_settings(&item, Some(&json!({"digest": false}))).await;
    unknown.assert_invalid(&["/digest"]);
}
