//! Recipients who stop emails about a share, and allow them again.

use chrono::{TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use sharelink_domain::link::Link;
use sharelink_domain::{MailReason, MailState, Share};

use crate::redemption::assert_protected;
use crate::support::events::api_event;
use crate::support::function::Function;
use crate::support::{Stack, TestItem, World, address, emails_to, send};

const WEEK: TimeDelta = TimeDelta::days(7);

fn token(link: &str) -> &str {
    link.rsplit('/').next().unwrap()
}

/// Returns the status, and the body without the link's token.
async fn choose(redeem: &Function, route: &str, link: &str) -> (u64, String) {
    let event = api_event(route, &json!({"token": token(link)}), &Value::Null);
    let response = redeem.invoke(&event).await.unwrap();
    let body = response["body"].as_str().unwrap().replace(token(link), "TOKEN");
    (response["statusCode"].as_u64().unwrap(), body)
}

const SHOW: &str = "GET /s/{token}/emails";
const STOP: &str = "POST /s/{token}/emails/stop";
const ALLOW: &str = "POST /s/{token}/emails/allow";

async fn choices(world: &mut World<'_>, share: &Share) -> Vec<String> {
    world.run_sweep().await;
    let mut events = world.log_events(share.id).await;
    events.retain(|event| ["emailsStopped", "emailsAllowed"].contains(&event.as_str()));
    events
}

#[tokio::test]
async fn recipient_stops_emails_and_allows_them_again() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::with_files(&stack, &["a.txt", "b.txt"]).await;
    let recipient = address("ann");
    let shared = item.share_with(&recipient).await;
    let url = format!("{}/emails", shared.link);
    let email = emails_to(&stack, &recipient).await.pop().unwrap();
    assert!(email.text.lines().any(|line| line == url), "{}", email.text);
    assert!(email.html.contains(&format!("href=\"{url}\"")), "{}", email.html);
    let page = stack.open(&shared.link).await;
    assert!(page.text.contains(&format!("href=\"{}/emails\"", token(&shared.link))), "{page:?}");

    let shown = stack.open(&url).await;
    shown.assert_status(200);
    assert_protected(&shown);
    assert!(shown.header("content-security-policy").contains("form-action 'self'"), "{shown:?}");
    assert!(shown.text.contains(&format!("action=\"../{}/emails/stop\"", token(&shared.link))), "{shown:?}");
    assert_eq!(item.get_share(&shared.id).await.get("emailsStoppedAt"), None, "a GET changes nothing");
    for url in [format!("{url}/stop"), format!("{url}/stop/")] {
        let stopped = send(stack.client.post(url)).await;
        stopped.assert_status(200);
        assert_protected(&stopped);
        assert!(stopped.text.contains("/emails/allow\""), "{stopped:?}");
    }
    let json = send(stack.client.get(&url).header("Accept", "application/json")).await;
    assert_eq!(json.json(), json!({"emailsStopped": true}));

    let share = item.get_share(&shared.id).await;
    let stopped_at = share["emailsStoppedAt"].as_str().unwrap().to_owned();
    assert_eq!((&share["version"], &share["opens"]), (&json!(1), &json!(1)));
    clock.stop_at(Utc::now() + TimeDelta::minutes(6));
    let resent = item.call(Method::POST, &format!("/{}/resend", shared.id)).await;
    resent.assert_problem(409, "emails-stopped");
    let reminded = item.patch(&shared.id, Some("*"), &json!({"remindDaysBefore": 1})).await;
    reminded.assert_problem(409, "emails-stopped");
    let renewed = item.renew(&shared.id, "*", &json!({"notify": true})).await;
    renewed.assert_problem(409, "emails-stopped");
    let renewed = item.renew(&shared.id, "*", &json!({"notify": false})).await;
    renewed.assert_status(200);
    assert_eq!(renewed.json()["emailsStoppedAt"], stopped_at);
    stack.open(&url).await.assert_status(404);

    let link = item.copy_link(&shared.id).await;
    send(stack.client.post(format!("{link}/emails/allow"))).await.assert_status(200);
    assert_eq!(item.get_share(&shared.id).await.get("emailsStoppedAt"), None);
    item.call(Method::POST, &format!("/{}/resend", shared.id)).await.assert_status(202);
    let log = item.wait_for_log(8).await;
    let events: Vec<&str> = log.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    let choices = events.iter().filter(|event| event.starts_with("emails")).collect::<Vec<_>>();
    assert_eq!(choices, [&"emailsStopped", &"emailsAllowed"], "{events:?}");
}

#[tokio::test]
async fn pending_email_is_withdrawn() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), WEEK).await;
    world.table.choose_emails(&Link::of(&share), false, world.now()).await.unwrap().unwrap();
    world.run_notify().await;
    world.run_minutes(2).await;
    assert_eq!(world.email_count(&share).await, 0);
    let mail = world.read(&share).await.unwrap().mail;
    assert_eq!((mail.state, mail.reason), (MailState::None, Some(MailReason::StoppedByRecipient)));
    assert_eq!(choices(&mut world, &share).await, ["emailsStopped"]);
}

#[tokio::test]
async fn repeated_choice_is_logged_once() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (share, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    for (route, expected) in [(ALLOW, None), (STOP, Some(1)), (ALLOW, Some(2)), (STOP, Some(3))] {
        // The first attempt succeeds, but its response is lost.
        world.dynamodb.lose_responses(1, &["emailChoices"]);
        for _ in 0..3 {
            assert_eq!(choose(&redeem, route, &link).await.0, 200);
        }
        assert_eq!(world.dynamodb.pending_faults(), 0);
        let number = world.read(&share).await.unwrap().email_choice.map(|choice| choice.number);
        assert_eq!(number, expected, "{route}");
        world.advance(TimeDelta::seconds(1));
    }
    let records = world.records().await;
    world.sweep_forwards_and_backwards(&records).await;
    assert_eq!(choices(&mut world, &share).await, ["emailsStopped", "emailsAllowed", "emailsStopped"]);
}

#[tokio::test]
async fn only_a_sent_form_stops_emails() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (share, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    for path in ["emails", "emails/stop", "emails/allow"] {
        for method in ["GET", "HEAD"] {
            let parameters = json!({"proxy": format!("{}/{path}", token(&link))});
            let event = api_event(&format!("{method} /s/{{proxy+}}"), &parameters, &Value::Null);
            assert_eq!(redeem.invoke(&event).await.unwrap()["statusCode"], 200, "{method} {path}");
        }
    }
    for (name, value) in [("user-agent", "Slackbot-LinkExpanding 1.0"), ("sec-purpose", "prefetch")] {
        let mut event = api_event(STOP, &json!({"token": token(&link)}), &Value::Null);
        event["headers"][name] = value.into();
        redeem.invoke(&event).await.unwrap();
    }
    let unchanged = world.read(&share).await.unwrap();
    assert_eq!((unchanged.email_choice, unchanged.usage.opens), (None, 0));
}

/// The pages do not show why a link has ended.
#[tokio::test]
async fn expired_and_revoked_links_get_the_same_pages() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (expired, expired_link) = world.share_by_email(&address("ann")).await;
    let (revoked, revoked_link) = world.share_by_email(&address("bob")).await;
    world.revoke(&revoked).await;
    world.advance(WEEK);
    let redeem = world.new_function("RedeemLink").await;
    for route in [SHOW, STOP, SHOW, ALLOW] {
        let page = choose(&redeem, route, &expired_link).await;
        assert_eq!(page.0, 200, "{route}");
        assert_eq!(choose(&redeem, route, &revoked_link).await, page, "{route}");
    }
    let mut versions = Vec::new();
    for share in [&expired, &revoked] {
        versions.push(world.read(share).await.unwrap().version);
    }
    assert_eq!(versions, [1, 2], "the choice does not change the share otherwise");
}

#[tokio::test]
async fn link_that_leads_nowhere_has_no_choice() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (renewed, old_link) = world.share_by_email(&address("ann")).await;
    let (purged, purged_link) = world.share_by_email(&address("bob")).await;
    world.renew(&renewed, false).await;
    world.lose(&purged).await;
    let redeem = world.new_function("RedeemLink").await;
    let forged = &old_link[..old_link.len() - 1];
    for link in [&old_link, &purged_link, forged] {
        for route in [SHOW, STOP, ALLOW] {
            assert_eq!(choose(&redeem, route, link).await.0, 404, "{route}");
        }
    }
    assert_eq!(world.read(&renewed).await.unwrap().email_choice, None);
    assert_eq!(world.read(&purged).await, None);
}
