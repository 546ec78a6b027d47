//! The switches by which operators pause sharing: whom they stop, how soon, and that nothing is lost.

use std::process::Output;

use chrono::{TimeDelta, Utc};
use futures_util::future::join;
use reqwest::Method;
use serde_json::{Value, json};
use sharelink_aws::share_table::ShareTable;
use sharelink_domain::switches::{Switch, SwitchChange, SwitchedOff, Switches};
use sharelink_domain::{Share, SharerKey, testing};
use tokio::process::Command;

use crate::archive_routes::archive_event;
use crate::support::events::{api_event, create_event, link_event, list_event, open_event};
use crate::support::fixtures::{index_hashes, new_share, share_builder};
use crate::support::function::Function;
use crate::support::manager::{index_key, reference};
use crate::support::operator::program;
use crate::support::proxy::{Fault, StaleReaction};
use crate::support::{Aws, Stack, TestItem, World, address, rfc3339, unique, within_minutes};

const WEEK: TimeDelta = TimeDelta::days(7);

/// How long a function uses a reading of the switches.
const READING: TimeDelta = TimeDelta::seconds(15);

/// More requests than any test sends.
const ALL: usize = 1000;

fn domain(name: &str) -> Switch {
    Switch::RecipientDomain(name.parse().unwrap())
}

fn module(name: &str) -> Switch {
    Switch::Module(name.parse().unwrap())
}

/// Returns the switches that pause a share, one of each kind.
fn switches_of(share: &Share) -> [Switch; 4] {
    [
        Switch::Everything,
        Switch::Module(share.item.module.clone()),
        Switch::Sharer(index_hashes(share).sharer),
        domain(share.recipient.domain()),
    ]
}

/// Returns switches that pause other shares only.
fn switches_of_others() -> [Switch; 3] {
    [module("other"), Switch::Sharer(SharerKey::from_bytes([9; 16])), domain("other.example")]
}

async fn switch_off(world: &World<'_>, switch: &Switch) {
    let off =
        SwitchedOff { switch: switch.clone(), by: "olga".parse().unwrap(), at: world.now(), reason: None };
    world.table.change_switch(&SwitchChange::Off(off)).await.unwrap();
}

async fn switch_on(world: &World<'_>, switch: &Switch) {
    world.table.change_switch(&SwitchChange::On(switch.clone())).await.unwrap();
}

async fn invoke(function: &Function, event: &Value) -> Value {
    function.invoke(event).await.unwrap()
}

async fn open(redeem: &Function, link: &str) -> Value {
    invoke(redeem, &open_event(link)).await
}

/// Returns the lifetime of the signed URL in a redirect, in seconds.
#[track_caller]
fn url_lifetime(response: &Value) -> u64 {
    assert_eq!(response["statusCode"], 302, "{response}");
    let location = response["headers"]["location"].as_str().unwrap();
    location.split("X-Amz-Expires=").nth(1).unwrap().split('&').next().unwrap().parse().unwrap()
}

#[track_caller]
fn assert_paused(response: &Value) {
    assert_eq!(response["statusCode"], 503, "{response}");
    assert_eq!(response["headers"]["retry-after"], "300", "{response}");
    assert_eq!(response["headers"]["cache-control"], "no-store", "{response}");
    assert!(response["headers"].get("location").is_none(), "{response}");
}

fn problem_type(response: &Value) -> String {
    let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
    body["type"].as_str().unwrap_or_default().to_owned()
}

/// Returns the event for a sharer's request about a share.
fn share_event(method: &str, share: &Share, action: &str, body: &Value) -> Value {
    let route = format!("{method} /modules/{{module}}/items/{{item}}/shares/{{shareId}}{action}");
    let mut event = api_event(&route, &reference(share), body);
    event["headers"]["if-match"] = "*".into();
    event
}

/// Returns the index hash of the caller of [`api_event`].
async fn caller_key(stack: &Stack) -> SharerKey {
    index_key(stack).await.sharer("u1")
}

#[tokio::test]
async fn every_switch_shows_the_same_page_until_it_is_on_again() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (share, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    assert_eq!(open(&redeem, &link).await["statusCode"], 302);
    let mut pages = Vec::new();
    for switch in switches_of(&share) {
        switch_off(&world, &switch).await;
        world.advance(READING);

        let page = open(&redeem, &link).await;
        assert_paused(&page);
        pages.push(page["body"].as_str().unwrap().to_owned());
        let german = link_event("GET", &link, None, json!({"accept-language": "de"}));
        let german = invoke(&redeem, &german).await;
        assert!(german["body"].as_str().unwrap().contains("Dieser Link ist gerade pausiert"), "{german}");
        for (method, file) in [("HEAD", None), ("GET", Some(1)), ("HEAD", Some(1))] {
            let response = link_event(method, &link, file, json!({"accept": "application/json"}));
            let response = invoke(&redeem, &response).await;
            assert_paused(&response);
            if method == "GET" {
                assert_eq!(problem_type(&response), "/problems/link-paused");
            }
        }

        switch_on(&world, &switch).await;
        world.advance(READING);
        assert_eq!(open(&redeem, &link).await["statusCode"], 302, "{switch:?}: the same link works again");
    }
    pages.dedup();
    assert_eq!(pages.len(), 1, "{pages:?}");
    assert!(pages[0].contains("This link is paused at the moment"), "{}", pages[0]);
    assert_eq!(world.read(&share).await.unwrap().usage.opens, 5);
}

/// What a recipient does on the pages of a paused link is refused, whether or not the link has ended.
#[tokio::test]
async fn paused_link_records_no_choice() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (share, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    let parameters = json!({"token": link.rsplit('/').next().unwrap()});
    for switch in switches_of(&share) {
        switch_off(&world, &switch).await;
        world.advance(WEEK);
        for route in ["GET /s/{token}/emails", "POST /s/{token}/emails/stop", "POST /s/{token}/more-time"] {
            assert_paused(&invoke(&redeem, &api_event(route, &parameters, &Value::Null)).await);
        }
        switch_on(&world, &switch).await;
    }
    let unchanged = world.read(&share).await.unwrap();
    assert_eq!((unchanged.more_time, unchanged.email_choice), (None, None));
    world.advance(READING);
    let asked = invoke(&redeem, &api_event("POST /s/{token}/more-time", &parameters, &Value::Null)).await;
    assert_eq!(asked["statusCode"], 200, "{asked}");
    assert!(world.read(&share).await.unwrap().is_more_time_open());
}

#[tokio::test]
async fn other_switches_pause_nothing() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (share, link) = world.share_by_email(&address("ann")).await;
    for switch in switches_of_others() {
        switch_off(&world, &switch).await;
    }
    let redeem = world.new_function("RedeemLink").await;
    assert_eq!(open(&redeem, &link).await["statusCode"], 302);
    assert_eq!(world.read(&share).await.unwrap().usage.downloads, 1);
    let (create, manage) =
        (world.new_function("CreateShares").await, world.new_function("ManageShares").await);
    let created = invoke(&create, &create_event(&world.item, &[address("bob")], world.now())).await;
    assert_eq!(created["statusCode"], 201, "{created}");
    let copied = invoke(&manage, &share_event("POST", &share, "/link", &Value::Null)).await;
    assert_eq!(copied["statusCode"], 200, "{copied}");
}

#[tokio::test]
async fn no_url_outlives_a_switch_by_more_than_a_minute() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (share, link) = world.share_by_email(&address("ann")).await;
    for switch in switches_of(&share) {
        let redeem = world.new_function("RedeemLink").await;
        assert_eq!(url_lifetime(&open(&redeem, &link).await), 60);
        switch_off(&world, &switch).await;

        let mut age = 0;
        for step in [1, 6, 7] {
            world.advance(TimeDelta::seconds(step));
            age += step.unsigned_abs();
            let lifetime = url_lifetime(&open(&redeem, &link).await);
            assert_eq!(age + lifetime, 60, "counted from the reading, which was before the switch");
        }
        world.advance(TimeDelta::milliseconds(999));
        assert_eq!(url_lifetime(&open(&redeem, &link).await), 45);
        world.advance(TimeDelta::milliseconds(1));
        assert_paused(&open(&redeem, &link).await);

        switch_on(&world, &switch).await;
        world.advance(READING);
        assert_eq!(url_lifetime(&open(&redeem, &link).await), 60);
    }
}

#[tokio::test]
async fn redemption_makes_two_calls_between_readings() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (_, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    redeem.start_instance().await;
    let calls = async |world: &World<'_>| {
        for proxy in world.proxies() {
            proxy.take_call_count(&[]);
        }
        assert_eq!(open(&redeem, &link).await["statusCode"], 302);
        world.proxies().map(|proxy| proxy.take_call_count(&["HTTP/1.1"]))
    };
    assert_eq!(calls(&world).await, [1, 0, 1, 0, 0], "the instance read the switches when it started");
    world.advance(READING - TimeDelta::milliseconds(1));
    assert_eq!(calls(&world).await, [1, 0, 1, 0, 0]);
    world.advance(TimeDelta::milliseconds(1));
    assert_eq!(calls(&world).await, [2, 0, 1, 0, 0], "the switches are read every 15 seconds");
    assert_eq!(calls(&world).await, [1, 0, 1, 0, 0]);

    for (switch, dynamodb) in switches_of_others().iter().zip([1, 2, 2]) {
        switch_off(&world, switch).await;
        world.advance(READING);
        calls(&world).await;
        let expected = [dynamodb, 0, 1, 0, 0];
        assert_eq!(
            calls(&world).await,
            expected,
            "{switch:?}: only sharers and domains need the share first"
        );
        switch_on(&world, switch).await;
    }
}

#[tokio::test]
async fn everything_off_costs_no_call_per_link() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (_, link) = world.share_by_email(&address("ann")).await;
    switch_off(&world, &Switch::Everything).await;
    let redeem = world.new_function("RedeemLink").await;
    redeem.start_instance().await;
    for proxy in world.proxies() {
        proxy.take_call_count(&[]);
    }
    assert_paused(&open(&redeem, &link).await);
    assert_eq!(world.proxies().map(|proxy| proxy.take_call_count(&["HTTP/1.1"])), [0; 5]);
}

#[tokio::test]
async fn forged_link_does_not_read_the_switches() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (_, link) = world.share_by_email(&address("ann")).await;
    switch_off(&world, &Switch::Everything).await;
    let redeem = world.new_function("RedeemLink").await;
    redeem.start_instance().await;
    world.advance(TimeDelta::minutes(1));
    world.dynamodb.take_call_count(&[]);
    for forged in ["forged", &link[..link.len() - 1]] {
        let response = open(&redeem, forged).await;
        assert_eq!(response["statusCode"], 404, "{response}");
    }
    assert_eq!(world.dynamodb.take_call_count(&["HTTP/1.1"]), 0);
}

#[tokio::test]
async fn instance_that_cannot_read_the_switches_does_not_stay_open() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (share, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    redeem.start_instance().await;
    let new_instance = world.new_function("RedeemLink").await;
    switch_off(&world, &Switch::Everything).await;
    world.dynamodb.inject(ALL, &["GetItem", "SWITCHES"], || Some(Fault::Disconnect));

    world.advance(READING);
    assert_eq!(url_lifetime(&open(&redeem, &link).await), 45);
    world.dynamodb.take_call_count(&[]);
    world.advance(TimeDelta::seconds(4));
    assert_eq!(url_lifetime(&open(&redeem, &link).await), 41);
    assert_eq!(world.dynamodb.take_call_count(&["SWITCHES"]), 0, "the next attempt is five seconds later");
    world.advance(TimeDelta::seconds(31));
    assert_eq!(url_lifetime(&open(&redeem, &link).await), 10);
    for seconds in [1, 9, 600] {
        world.advance(TimeDelta::seconds(seconds));
        let response = open(&redeem, &link).await;
        assert_eq!(response["statusCode"], 503, "{response}");
        assert_eq!(response["headers"]["retry-after"], "2", "as for any unavailable table");
    }
    assert_eq!(open(&new_instance, &link).await["statusCode"], 503, "an instance without a reading");
    assert_eq!(world.read(&share).await.unwrap().usage.opens, 3);

    world.dynamodb.clear_faults();
    assert_paused(&open(&redeem, &link).await);
    assert_paused(&open(&new_instance, &link).await);
    switch_on(&world, &Switch::Everything).await;
    world.advance(READING);
    assert_eq!(url_lifetime(&open(&redeem, &link).await), 60);
}

#[tokio::test]
async fn clock_that_is_set_back_does_not_keep_a_link_open() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (_, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    redeem.start_instance().await;
    switch_off(&world, &Switch::Everything).await;
    world.advance(TimeDelta::minutes(-2));
    assert_paused(&open(&redeem, &link).await);
}

#[tokio::test]
async fn thawed_instance_reads_the_switches_first() {
    let stack = Stack::get().await;
    for reaction in [StaleReaction::Reset, StaleReaction::Silence] {
        let mut world = World::new(&stack).await;
        let (share, link) = world.share_by_email(&address("ann")).await;
        let redeem = world.new_function("RedeemLink").await;
        assert_eq!(open(&redeem, &link).await["statusCode"], 302);
        switch_off(&world, &domain(share.recipient.domain())).await;
        world.freeze(reaction);
        assert_paused(&open(&redeem, &link).await);
        assert_eq!(world.proxies().map(crate::support::Proxy::stale_use_count), [0; 5]);
    }
}

#[tokio::test]
async fn domain_is_paused_with_its_subdomains_in_every_spelling() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    world.upload().await;
    let redeem = world.new_function("RedeemLink").await;
    let mut links = Vec::new();
    for (host, is_paused) in [
        ("bücher.example", true),
        ("XN--BCHER-KVA.example", true),
        ("shop.BU\u{308}CHER.example", true),
        ("notbücher.example", false),
        ("bücher.example.com", false),
        // A Cyrillic letter.
        ("büchеr.example", false),
    ] {
        let recipient = format!("{}@{host}", unique("ann"));
        let share = share_builder(&world.item, WEEK, world.now()).recipient(&recipient).notify(true).build();
        links.push((host, is_paused, world.send_link(&share).await));
    }
    for typed in ["bücher.example", "BÜCHER.EXAMPLE", "xn--bcher-kva.example"] {
        switch_off(&world, &domain(typed)).await;
        world.advance(READING);
        for (host, is_paused, link) in &links {
            let status = if *is_paused { 503 } else { 302 };
            assert_eq!(open(&redeem, link).await["statusCode"], status, "{typed}: {host}");
        }
        switch_on(&world, &domain("bücher.example")).await;
        world.advance(READING);
        assert_eq!(open(&redeem, &links[0].2).await["statusCode"], 302, "{typed}");
    }
}

#[tokio::test]
async fn domain_is_paused_with_the_other_domains_of_its_mailboxes() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    world.upload().await;
    let redeem = world.new_function("RedeemLink").await;
    let mut links = Vec::new();
    for (host, status) in [("gmail.com", 503), ("googlemail.com", 503), ("google.com", 302)] {
        let recipient = format!("{}@{host}", unique("ann"));
        let share = share_builder(&world.item, WEEK, world.now()).recipient(&recipient).notify(true).build();
        links.push((host, status, world.send_link(&share).await));
    }
    switch_off(&world, &domain("gmail.com")).await;
    world.advance(READING);
    for (host, status, link) in &links {
        assert_eq!(open(&redeem, link).await["statusCode"], *status, "{host}");
    }
}

#[tokio::test]
async fn ended_link_keeps_its_page_if_its_share_is_read() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (revoked, revoked_link) = world.share_by_email(&address("ann")).await;
    let (renewed, old_link) = world.share_by_email(&address("bob")).await;
    let (purged, purged_link) = world.share_by_email(&address("kim")).await;
    let (expired, expired_link) = world.share_by_email(&address("eve")).await;
    world.revoke(&revoked).await;
    world.renew(&renewed, false).await;
    world.lose(&purged).await;
    world.expire_in(&expired, TimeDelta::seconds(1)).await;
    world.advance(READING);
    let redeem = world.new_function("RedeemLink").await;
    let statuses = async |redeem: &Function| {
        let mut statuses = Vec::new();
        for link in [&revoked_link, &expired_link, &old_link, &purged_link] {
            statuses.push(open(redeem, link).await["statusCode"].as_u64().unwrap());
        }
        statuses
    };
    let [everything, module, sharer, domain] = switches_of(&revoked);
    for (switch, expected) in [
        (sharer, [410, 410, 404, 404]),
        (domain, [410, 410, 404, 404]),
        (module, [503; 4]),
        (everything, [503; 4]),
    ] {
        switch_off(&world, &switch).await;
        world.advance(READING);
        assert_eq!(statuses(&redeem).await, expected, "{switch:?}");
        switch_on(&world, &switch).await;
    }
}

#[tokio::test]
async fn paused_use_is_neither_counted_nor_logged() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (share, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    open(&redeem, &link).await;
    world.run_sweep().await;
    let (before, log) = (world.read(&share).await, world.log_events(share.id).await);
    for switch in switches_of(&share) {
        switch_off(&world, &switch).await;
        world.advance(READING);
        assert_paused(&open(&redeem, &link).await);
        assert_paused(&invoke(&redeem, &link_event("GET", &link, Some(1), json!({}))).await);
        switch_on(&world, &switch).await;
    }
    world.run_sweep().await;
    assert_eq!(world.read(&share).await, before);
    assert_eq!(world.log_events(share.id).await, log);
    let output = redeem.output();
    assert!(output.contains("link-paused"), "the refusals are counted: {output}");
    assert!(!output.contains("temporarily-unavailable") && !output.contains("\"ERROR\""), "{output}");
}

#[tokio::test]
async fn paused_previews_and_archives_reveal_nothing() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let files = ["a.pdf", "b.pdf"].map(testing::file).to_vec();
    let share = share_builder(&world.item, WEEK, world.now())
        .recipient(&address("ann"))
        .files(files)
        .title("Spring campaign")
        .notify(true)
        .build();
    let link = world.send_link(&share).await;
    let redeem = world.new_function("RedeemLink").await;
    for switch in switches_of(&share) {
        switch_off(&world, &switch).await;
        world.advance(READING);
        let list = open(&redeem, &link).await;
        let preview = link_event("GET", &link, None, json!({"user-agent": "Twitterbot/1.0"}));
        let preview = invoke(&redeem, &preview).await;
        let archive = invoke(&redeem, &archive_event("GET", &link, json!({}))).await;
        let probe = invoke(&redeem, &archive_event("HEAD", &link, json!({}))).await;
        for response in [&list, &preview, &archive, &probe] {
            assert_paused(response);
            assert!(!response.to_string().contains("Spring"), "{response}");
            assert!(response["headers"].get("refresh").is_none(), "{response}");
        }
        let prefetch =
            link_event("GET", &link, None, json!({"sec-purpose": "prefetch", "accept": "application/json"}));
        let prefetch = invoke(&redeem, &prefetch).await;
        assert_eq!(problem_type(&prefetch), "/problems/prefetch-refused", "{prefetch}");
        switch_on(&world, &switch).await;
    }
    assert!(!world.aws().scan_tables().await.contains("ARCHIVE#"), "no archive was requested");
    assert_eq!(world.read(&share).await.unwrap().usage.opens, 0);
}

#[tokio::test]
async fn email_of_a_paused_share_waits_and_is_sent_once() {
    let stack = Stack::get().await;
    for kind in 0..4 {
        let mut world = World::new(&stack).await;
        let recipient = format!("{}@paused.example", unique("ann"));
        let switch =
            switches_of(&new_share(&world.item, &recipient, TimeDelta::days(30), world.now()))[kind].clone();
        switch_off(&world, &switch).await;
        let share = world.share(&recipient, TimeDelta::days(30)).await;
        let revoked = world.share(&format!("{}@paused.example", unique("bob")), WEEK).await;
        world.run_notify().await;
        world.run_minutes(10).await;
        world.revoke(&revoked).await;
        // Longer than an email is tried.
        for _ in 0..6 {
            world.advance(TimeDelta::days(1));
            world.run_schedule().await.unwrap();
        }
        assert_eq!(world.email_count(&share).await, 0, "{switch:?}");
        assert!(world.read(&share).await.unwrap().mail.pending().is_some(), "{switch:?}: still queued");

        switch_on(&world, &switch).await;
        for _ in 0..70 {
            world.advance(TimeDelta::minutes(1));
            world.run_schedule().await.unwrap();
        }
        assert_eq!(world.email_count(&share).await, 1, "{switch:?}");
        assert_eq!(world.email_count(&revoked).await, 0, "{switch:?}");
        let output = world.notify.function.output();
        assert!(output.contains("\"held\"") && !output.contains("EmailsPutOff"), "{output}");
    }
}

#[tokio::test]
async fn paused_email_does_not_delay_the_others() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    switch_off(&world, &domain("paused.example")).await;
    let paused = world.share(&format!("{}@mail.paused.example", unique("ann")), WEEK).await;
    let other = world.share(&address("bob"), WEEK).await;
    world.run_notify().await;
    assert_eq!(world.email_count(&paused).await, 0);
    assert_eq!(world.email_count(&other).await, 1);
}

#[tokio::test]
async fn no_email_is_sent_while_the_switches_cannot_be_read() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    world.dynamodb.inject(ALL, &["GetItem", "SWITCHES"], || Some(Fault::throttled()));
    let share = world.share(&address("ann"), WEEK).await;
    world.run_schedule().await.unwrap();
    world.run_minutes(2).await;
    assert_eq!(world.email_count(&share).await, 0);
    world.dynamodb.clear_faults();
    world.run_minutes(2).await;
    assert_eq!(world.email_count(&share).await, 1);
}

#[tokio::test]
async fn routes_that_give_access_are_refused_and_the_others_work() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let caller = Switch::Sharer(caller_key(&stack).await);
    let (share, link) = world.share_by_email(&address("ann")).await;
    let (create, manage) =
        (world.new_function("CreateShares").await, world.new_function("ManageShares").await);
    let create_for_bob = create_event(&world.item, &[format!("{}@bob.example", unique("bob"))], world.now());
    for switch in switches_of(&share).into_iter().chain([caller.clone()]) {
        switch_off(&world, &switch).await;
        world.advance(READING);
        for action in ["/renew", "/resend", "/link"] {
            let body = if action == "/renew" { json!({}) } else { Value::Null };
            let refused = invoke(&manage, &share_event("POST", &share, action, &body)).await;
            assert_eq!(refused["statusCode"], 403, "{switch:?} {action}: {refused}");
            assert_eq!(problem_type(&refused), "/problems/sharing-off", "{switch:?} {action}");
        }
        // The share's sharer and its recipient's domain do not concern another recipient of the caller.
        let is_refused = matches!(switch, Switch::Everything | Switch::Module(_)) || switch == caller;
        if is_refused {
            let refused = invoke(&create, &create_for_bob).await;
            assert_eq!(refused["statusCode"], 403, "{switch:?}: {refused}");
            assert_eq!(problem_type(&refused), "/problems/sharing-off", "{switch:?}");
        }

        assert_eq!(invoke(&manage, &list_event(&world.item)).await["statusCode"], 200, "{switch:?}");
        let revoked = invoke(&manage, &share_event("POST", &share, "/revoke", &Value::Null)).await;
        assert_eq!(revoked["statusCode"], 200, "{switch:?}: {revoked}");
        // The share's own switches keep it paused. A caller who is off could open a colleague's share.
        let body = json!({"expiresAt": rfc3339(world.now() + WEEK)});
        let changed = invoke(&manage, &share_event("PATCH", &share, "", &body)).await;
        let status = if switch == caller { 403 } else { 200 };
        assert_eq!(changed["statusCode"], status, "{switch:?}: {changed}");
        switch_on(&world, &switch).await;
        world.advance(READING);
    }
    let body = json!({"expiresAt": rfc3339(world.now() + WEEK)});
    let undone = invoke(&manage, &share_event("PATCH", &share, "", &body)).await;
    assert_eq!(undone["statusCode"], 200, "{undone}");
    let after = world.read(&share).await.unwrap();
    assert_eq!((after.generation, after.mail.attempt), (share.generation, 1));
    assert_eq!(world.aws().json_rows(&world.item.to_string()).await.len(), 1, "nothing was created");
    let copied = invoke(&manage, &share_event("POST", &share, "/link", &Value::Null)).await;
    let body: Value = serde_json::from_str(copied["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["link"], link, "the same link as before");
    assert_eq!(invoke(&create, &create_for_bob).await["statusCode"], 201);
}

#[tokio::test]
async fn caller_who_is_off_can_only_shorten_access() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (active, _) = world.share_by_email(&address("ann")).await;
    let (revoked, _) = world.share_by_email(&address("bob")).await;
    let manage = world.new_function("ManageShares").await;
    let revocation = share_event("POST", &revoked, "/revoke", &Value::Null);
    assert_eq!(invoke(&manage, &revocation).await["statusCode"], 200);
    let caller = Switch::Sharer(caller_key(&stack).await);
    switch_off(&world, &caller).await;
    world.advance(READING);
    let [later, earlier, past] =
        [TimeDelta::days(30), TimeDelta::days(1), TimeDelta::zero()].map(|in_| rfc3339(world.now() + in_));
    let change = async |share: &Share, expires_at: &str| {
        let body = json!({"expiresAt": expires_at});
        invoke(&manage, &share_event("PATCH", share, "", &body)).await
    };
    let change_all = async |world: &World<'_>, expires_at: &str| {
        let mut entries = Vec::new();
        for share in [&active, &revoked] {
            let mut entry = reference(share);
            entry["version"] = world.read(share).await.unwrap().version.into();
            entries.push(entry);
        }
        let body = json!({"shares": entries, "expiresAt": expires_at});
        let response = invoke(&manage, &api_event("POST /shares/expiration", &json!({}), &body)).await;
        assert_eq!(response["statusCode"], 200, "{response}");
        let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
        [0, 1].map(|i| {
            let result = &body["results"][i];
            let found = result["problem"]["type"].as_str().or(result["outcome"].as_str());
            found.unwrap().to_owned()
        })
    };

    for share in [&active, &revoked] {
        let refused = change(share, &later).await;
        assert_eq!(refused["statusCode"], 403, "{refused}");
        assert_eq!(problem_type(&refused), "/problems/sharing-off");
    }
    assert_eq!(change_all(&world, &later).await, ["/problems/sharing-off"; 2]);
    assert_eq!(change_all(&world, &earlier).await, ["changed", "/problems/sharing-off"]);
    assert_eq!(change(&active, &past).await["statusCode"], 200);
    assert_eq!(change(&active, &earlier).await["statusCode"], 403, "ended, so it would be reactivated");

    switch_on(&world, &caller).await;
    world.advance(READING);
    assert_eq!(change_all(&world, &later).await, ["changed"; 2]);
}

#[tokio::test]
async fn only_recipients_at_the_domain_get_no_share() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    world.upload().await;
    switch_off(&world, &domain("bücher.example")).await;
    let create = world.new_function("CreateShares").await;
    let off = format!("{}@mail.BÜCHER.example", unique("ann"));
    let mixed = create_event(&world.item, &[off.clone(), address("bob")], world.now());
    let response = invoke(&create, &mixed).await;
    assert_eq!(response["statusCode"], 207, "{response}");
    let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["results"][0]["problem"]["type"], "/problems/sharing-off");
    assert_eq!(body["results"][1]["outcome"], "created");
    let response = invoke(&create, &create_event(&world.item, &[off], world.now())).await;
    assert_eq!(response["statusCode"], 403, "{response}");
    assert_eq!(problem_type(&response), "/problems/sharing-off");
    // The refused email does not count toward the sharer's daily limit.
    let counters = world.aws().scan_tables().await;
    assert_eq!(counters.matches("QUOTA#").count(), 2, "one sharer and one mailbox: {counters}");
}

#[tokio::test]
async fn concurrent_changes_both_take_effect() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    for n in 0..10 {
        let [first, second] = ["a", "b"].map(|name| domain(&format!("{name}{n}.example")));
        join(switch_off(&world, &first), switch_off(&world, &second)).await;
        let switches = world.table.read_switches().await.unwrap();
        assert_eq!(switches.off().len(), 2, "{switches:?}");
        join(switch_on(&world, &first), switch_on(&world, &second)).await;
        assert_eq!(world.table.read_switches().await.unwrap(), Switches::default());
    }
}

#[tokio::test]
async fn change_survives_a_lost_response() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let table = world.table_under_faults(&stack.info.table_name);
    let off = SwitchedOff {
        switch: Switch::Everything,
        by: "olga".parse().unwrap(),
        at: world.now(),
        reason: Some("incident 7".parse().unwrap()),
    };
    world.dynamodb.lose_responses(1, &["PutItem"]);
    let switches = table.change_switch(&SwitchChange::Off(off.clone())).await.unwrap();
    assert_eq!(world.dynamodb.pending_faults(), 0);
    assert_eq!(switches.off(), std::slice::from_ref(&off));
    assert_eq!(world.table.read_switches().await.unwrap(), switches);
}

/// Runs `cargo operator switch` on the deployed stack.
async fn operator(stack: &Stack, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(program());
    command
        .arg("switch")
        .args(arguments)
        .args(["--table", &stack.info.table_name])
        .env("AWS_ENDPOINT_URL", &stack.info.aws_endpoint_url)
        .env("AWS_REGION", &stack.info.region)
        .env("AWS_ACCESS_KEY_ID", &stack.info.credentials.aws_access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &stack.info.credentials.aws_secret_access_key)
        .env("USER", "olga")
        .kill_on_drop(true);
    let Output { status, stdout, stderr } = within_minutes(5, command.output()).await.unwrap();
    let output = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (status.success(), output)
}

async fn run_operator(stack: &Stack, arguments: &[&str]) -> String {
    let (is_success, output) = operator(stack, arguments).await;
    assert!(is_success, "{arguments:?}: {output}");
    output
}

#[tokio::test]
async fn operator_switches_a_domain_and_a_sharer_off_and_on() {
    let (stack, clock) = Stack::with_clock().await;
    let start = Utc::now();
    clock.stop_at(start);
    let index_key = Aws::new(&stack).function_environment("ManageShares").await["INDEX_KEY_SECRET"].clone();
    let item = TestItem::new(&stack).await;
    let host = format!("{}.example", unique("switch"));
    let shared = item.share_with(&format!("ann@mail.{host}")).await;
    stack.open(&shared.link).await.assert_status(302);

    let by_sharer = ["sharer", "test-user", "--index-key", &index_key];
    let targets: [&[&str]; 2] = [&["domain", &host.to_uppercase()], &by_sharer];
    let mut now = start;
    let mut let_readings_expire = || {
        now += READING;
        clock.stop_at(now);
    };
    for (opens, target) in (1..).zip(targets) {
        let off = run_operator(&stack, &[&["off"], target, &["--reason", "incident 7"]].concat()).await;
        assert!(off.contains("by olga: incident 7") && off.contains("in force within"), "{off}");
        let_readings_expire();

        stack.open(&shared.link).await.assert_status(503);
        item.call(Method::POST, &format!("/{}/link", shared.id)).await.assert_problem(403, "sharing-off");
        item.share(&[&format!("bob@{host}")]).await.assert_problem(403, "sharing-off");
        assert_eq!(item.get_share(&shared.id).await["opens"], opens, "{target:?}");

        let list = run_operator(&stack, &["list"]).await;
        assert!(list.contains("by olga: incident 7") && !list.contains("test-user"), "{list}");
        run_operator(&stack, &[&["on"], target].concat()).await;
        let_readings_expire();
        stack.open(&shared.link).await.assert_status(302);
    }
    let list = run_operator(&stack, &["list"]).await;
    assert!(!list.contains(&host), "{list}");
}

#[tokio::test]
async fn operator_gets_a_clear_error_for_a_wrong_argument() {
    let stack = Stack::get().await;
    for (arguments, expected) in [
        (&["off", "module"][..], "<NAME>"),
        (&["off", "module", "a/b"], "may contain only the letters"),
        (&["off", "domain", "@example.com"], "invalid domain"),
        (&["off", "domain", "ann@example.com"], "invalid domain"),
        (&["off", "sharer", "u1"], "--index-key"),
        (&["off", "everything", "jobs"], "needs no name"),
        (&["off", "anything"], "possible values: everything, module, sharer, domain"),
        (&["off", "everything", "--reason", ""], "must not be empty"),
        (&["off", "everything", "--by", "a\nb"], "control characters"),
    ] {
        let (is_success, output) = operator(&stack, arguments).await;
        assert!(!is_success && output.contains(expected), "{arguments:?}: {output}");
    }
    let table = ShareTable::new(Aws::new(&stack).config(), &stack.info.table_name);
    let switches = table.read_switches().await.unwrap();
    assert!(switches.off().iter().all(|off| off.switch != Switch::Everything), "{switches:?}");
}
