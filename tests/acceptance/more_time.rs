//! Requests for more time: what the holder of an ended link sees, and which requests count.

use chrono::{TimeDelta, Utc};
use futures_util::future::join_all;
use futures_util::stream::{StreamExt, iter};
use serde_json::{Value, json};
use sharelink_aws::new_write_id;
use sharelink_domain::link::Link;
use sharelink_domain::more_time::{MAX_REQUESTS, MoreTime};
use sharelink_domain::testing::{action_by, permitted};
use sharelink_domain::{Generation, Share};

use crate::redemption::assert_protected;
use crate::support::events::{api_event, open_event};
use crate::support::fixtures::{RETENTION, index_hashes, share_builder};
use crate::support::function::Function;
use crate::support::{Stack, TestItem, World, address, eventually, rfc3339, send};

const WEEK: TimeDelta = TimeDelta::days(7);
const HOUR: TimeDelta = TimeDelta::hours(1);

fn token(link: &str) -> &str {
    link.rsplit('/').next().unwrap()
}

/// Returns the event for the holder of a link asking for more time.
fn ask_event(link: &str) -> Value {
    api_event("POST /s/{token}/more-time", &json!({"token": token(link)}), &Value::Null)
}

/// Returns the status, and the body without the link's token, by which alone two pages may differ.
async fn request(redeem: &Function, event: &Value, link: &str) -> (u64, String) {
    let response = redeem.invoke(event).await.unwrap();
    let body = response["body"].as_str().unwrap().replace(token(link), "TOKEN");
    (response["statusCode"].as_u64().unwrap(), body)
}

async fn ask(redeem: &Function, link: &str) -> (u64, String) {
    request(redeem, &ask_event(link), link).await
}

async fn requests(world: &World<'_>, share: &Share) -> Option<u32> {
    world.read(share).await.unwrap().more_time.map(|request| request.requests)
}

async fn logged_requests(world: &mut World<'_>, share: &Share) -> usize {
    world.run_sweep().await;
    let events = world.log_events(share.id).await;
    events.iter().filter(|event| *event == "moreTimeRequested").count()
}

#[tokio::test]
async fn one_of_a_hundred_simultaneous_requests_counts() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), HOUR).await;
    world.advance(WEEK);
    let link = Link::of(&share);
    let asked = join_all((0..100).map(|_| world.table.request_more_time(&link, world.now()))).await;
    for share in asked {
        let expected = MoreTime { requests: 1, requested_at: world.now(), version: 1 };
        assert_eq!(share.unwrap().unwrap().more_time, Some(expected));
    }
    let records = world.records().await;
    for _ in 0..2 {
        world.sweep_forwards_and_backwards(&records).await;
    }
    let events = world.log_events(share.id).await;
    assert_eq!(events.iter().filter(|event| *event == "moreTimeRequested").count(), 1, "{events:?}");
}

#[tokio::test]
async fn sharer_sees_the_request_and_grants_it() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let expiry = Utc::now() + TimeDelta::days(2);
    let shared = item.share_until(&address("ann"), &rfc3339(expiry)).await;
    assert_eq!(item.get_share(&shared.id).await.get("moreTime"), None);
    clock.stop_at(expiry + HOUR);
    let ended = stack.open(&shared.link).await;
    ended.assert_status(410);
    assert_protected(&ended);
    let url = format!("{}/more-time", shared.link);
    assert!(ended.text.contains(&format!("action=\"{}/more-time\"", token(&shared.link))), "{ended:?}");
    assert!(ended.header("content-security-policy").contains("form-action 'self'"), "{ended:?}");

    let ask = || send(stack.client.post(&url));
    let pages: Vec<_> = iter(0..100).map(|_| ask()).buffer_unordered(10).collect().await;
    for page in pages {
        page.assert_status(200);
        assert_protected(&page);
    }
    let json = send(stack.client.post(&url).header("Accept", "application/json")).await;
    assert_eq!((json.status, json.json()), (200, json!({})));
    for altered in [format!("{url}/"), format!("{}//more-time", shared.link), format!("{url}.")] {
        send(stack.client.post(altered)).await.assert_status(200);
    }

    let share = item.get_share(&shared.id).await;
    let requested_at = rfc3339(expiry + HOUR);
    assert_eq!(share["moreTime"], json!({"requests": 1, "requestedAt": requested_at, "isOpen": true}));
    assert_eq!((&share["version"], &share["opens"]), (&json!(1), &json!(0)));
    let asked = eventually("the log entry", async || {
        let log = item.wait_for_log(3).await;
        let asked = log.into_iter().filter(|entry| entry["event"] == "moreTimeRequested");
        Some(asked.collect::<Vec<_>>()).filter(|asked| !asked.is_empty())
    })
    .await;
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!((&asked[0]["number"], &asked[0]["at"]), (&json!(1), &json!(requested_at)));

    let later = rfc3339(expiry + TimeDelta::days(3));
    item.change_expiration(&shared.id, 1, &later).await.assert_status(200);
    assert_eq!(item.get_share(&shared.id).await["moreTime"]["isOpen"], false);
    stack.open(&shared.link).await.assert_status(302);
    let active = send(stack.client.post(&url)).await;
    active.assert_status(200);
    assert!(active.text.contains(&format!("href=\"../{}\"", token(&shared.link))), "{}", active.text);
}

#[tokio::test]
async fn requests_count_once_a_day_and_three_times_a_share() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (share, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    world.advance(WEEK);
    let mut pages = Vec::new();
    for day in 1..=5 {
        for _ in 0..2 {
            pages.push(ask(&redeem, &link).await);
            world.advance(TimeDelta::hours(12));
        }
        assert_eq!(requests(&world, &share).await, Some(day.min(MAX_REQUESTS)), "day {day}");
    }
    pages.dedup();
    assert_eq!(pages.len(), 1, "the page does not show whether the request counts: {pages:?}");
    assert_eq!(pages[0].0, 200);
    assert_eq!(logged_requests(&mut world, &share).await, 3);
}

#[tokio::test]
async fn clock_that_is_set_back_allows_no_further_request() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (share, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    world.advance(WEEK + HOUR);
    ask(&redeem, &link).await;
    for back in [HOUR, TimeDelta::days(2)] {
        world.advance(-back);
        ask(&redeem, &link).await;
        assert_eq!(requests(&world, &share).await, Some(1));
    }
}

#[tokio::test]
async fn revoked_link_gets_the_same_responses_and_records_nothing() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (expired, expired_link) = world.share_by_email(&address("ann")).await;
    let (revoked, revoked_link) = world.share_by_email(&address("bob")).await;
    world.revoke(&revoked).await;
    let redeem = world.new_function("RedeemLink").await;
    world.advance(WEEK);
    for _ in 0..5 {
        let ended = request(&redeem, &open_event(&expired_link), &expired_link).await;
        assert_eq!(ended.0, 410);
        assert_eq!(request(&redeem, &open_event(&revoked_link), &revoked_link).await, ended);
        let calls = |world: &World<'_>| world.dynamodb.take_call_count(&["DynamoDB_20120810"]);
        calls(&world);
        let asked = ask(&redeem, &expired_link).await;
        let expected_calls = calls(&world);
        assert_eq!(ask(&redeem, &revoked_link).await, asked);
        assert_eq!(calls(&world), expected_calls, "the calls, and so the time, are the same");
        world.advance(TimeDelta::days(1));
    }
    assert_eq!(requests(&world, &expired).await, Some(3));
    assert_eq!(requests(&world, &revoked).await, None);
    assert_eq!(logged_requests(&mut world, &revoked).await, 0);
}

#[tokio::test]
async fn link_that_leads_nowhere_cannot_ask() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (renewed, old_link) = world.share_by_email(&address("ann")).await;
    let (purged, purged_link) = world.share_by_email(&address("bob")).await;
    world.renew(&renewed, false).await;
    world.lose(&purged).await;
    world.advance(WEEK);
    let redeem = world.new_function("RedeemLink").await;
    let forged = &old_link[..old_link.len() - 1];
    let mut pages = Vec::new();
    for link in [&old_link, &purged_link, forged] {
        pages.push(request(&redeem, &open_event(link), link).await);
        pages.push(ask(&redeem, link).await);
    }
    pages.dedup();
    assert_eq!((pages.len(), pages[0].0), (1, 404), "{pages:?}");
    assert_eq!(requests(&world, &renewed).await, None);
    assert_eq!(world.read(&purged).await, None);
}

#[tokio::test]
async fn granted_link_that_ends_again_can_ask_again() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (share, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    world.advance(WEEK);
    ask(&redeem, &link).await;
    assert!(world.read(&share).await.unwrap().is_more_time_open());
    world.expire_in(&share, TimeDelta::days(2)).await;
    assert!(!world.read(&share).await.unwrap().is_more_time_open());
    assert_eq!(ask(&redeem, &link).await.0, 200, "active");
    world.advance(TimeDelta::days(2));
    ask(&redeem, &link).await;
    let asked = world.read(&share).await.unwrap();
    assert!(asked.is_more_time_open());
    assert_eq!(asked.more_time.unwrap().requests, 2);
    assert_eq!(logged_requests(&mut world, &share).await, 2);
}

#[tokio::test]
async fn only_a_sent_form_asks() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (share, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    world.advance(WEEK);
    let parameters = json!({"proxy": format!("{}/more-time", token(&link))});
    for method in ["GET", "HEAD"] {
        let event = api_event(&format!("{method} /s/{{proxy+}}"), &parameters, &Value::Null);
        assert_eq!(redeem.invoke(&event).await.unwrap()["statusCode"], 410, "{method}: the link's page");
    }
    for (name, value) in [("user-agent", "Slackbot-LinkExpanding 1.0"), ("sec-purpose", "prefetch")] {
        let mut event = ask_event(&link);
        event["headers"][name] = value.into();
        redeem.invoke(&event).await.unwrap();
    }
    assert_eq!(requests(&world, &share).await, None);
}

#[tokio::test]
async fn lost_response_does_not_count_a_request_twice() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (share, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    world.advance(WEEK);
    world.dynamodb.lose_responses(1, &["moreTimeRequests"]);
    assert_eq!(ask(&redeem, &link).await.0, 200);
    assert_eq!(world.dynamodb.pending_faults(), 0);
    assert_eq!(requests(&world, &share).await, Some(1));
    assert_eq!(logged_requests(&mut world, &share).await, 1);
}

/// The condition of the update repeats the domain's rule.
#[tokio::test]
async fn table_decides_like_the_domain() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let now = world.now();
    let asked = |requests, hours| {
        Some(MoreTime { requests, requested_at: now - TimeDelta::hours(hours), version: 1 })
    };
    let mut counted = 0;
    for millis in [-HOUR.num_milliseconds(), 0, 999, 1000, HOUR.num_milliseconds()] {
        for more_time in [None, asked(1, 23), asked(1, 24), asked(2, 99), asked(3, 99), asked(1, -1)] {
            for (is_revoked, is_old_link) in [(false, false), (true, false), (false, true)] {
                let share = share_builder(&world.item, HOUR, now).recipient(&address("ann")).build();
                let expires_at = now + TimeDelta::milliseconds(millis);
                let mut share = Share { expires_at, more_time, ..share };
                if is_revoked {
                    share = share.revoked(&action_by("u1")).unwrap();
                }
                let write = new_write_id().unwrap();
                world.table.create(permitted(&share), index_hashes(&share), RETENTION, write).await.unwrap();
                let mut link = Link::of(&share);
                if is_old_link {
                    link.generation = Generation::from_bytes([0; 16]);
                }
                let stored = world.table.request_more_time(&link, now).await.unwrap().unwrap();
                let decided = share.with_more_time_requested(link.generation, now);
                counted += usize::from(decided.is_some());
                assert_eq!(stored, decided.unwrap_or_else(|| share.clone()), "{share:?}");
            }
        }
    }
    assert_eq!(counted, 3 * 3, "three ended expiries, and three earlier requests that allow another");
}
