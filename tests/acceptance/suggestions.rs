//! Suggestions of recipients: addresses of the caller's own shares, and nobody else's.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::events::api_event;
use crate::support::manager::{Manager, shared_by};
use crate::support::{Aws, Response, Stack, TestItem, World, address, emails_to, next_week, send, unique};

const ROUTE: &str = "GET /share-suggestions";

/// Returns a token for a sharer with this id and these rights.
async fn token(stack: &Stack, sub: &str, rights: &[&str]) -> String {
    stack.token_with_claims(&json!({"sub": sub, "name": "Tess Tester", "accessRights": rights})).await
}

/// Creates an item of a new sharer.
async fn new_sharers_item(stack: &Stack) -> TestItem<'_> {
    item_of(stack, &unique("sharer")).await
}

async fn item_of<'a>(stack: &'a Stack, sub: &str) -> TestItem<'a> {
    TestItem { token: token(stack, sub, &["producer"]).await, ..TestItem::new(stack).await }
}

async fn request(stack: &Stack, token: &str, prefix: &str) -> Response {
    let url = reqwest::Url::parse_with_params(
        &format!("{}/share-suggestions", stack.info.api_url),
        [("prefix", prefix)],
    );
    send(stack.client.get(url.unwrap()).bearer_auth(token)).await
}

/// Returns the suggestions.
async fn suggest(stack: &Stack, token: &str, prefix: &str) -> Vec<Value> {
    let response = request(stack, token, prefix).await;
    response.assert_status(200);
    assert_eq!(response.header("cache-control"), "no-store");
    response.json()["suggestions"].as_array().unwrap().clone()
}

/// Returns the suggested addresses.
async fn suggested(stack: &Stack, token: &str, prefix: &str) -> Vec<String> {
    let suggestions = suggest(stack, token, prefix).await;
    suggestions.iter().map(|suggestion| suggestion["address"].as_str().unwrap().to_owned()).collect()
}

/// Shares the item without an email.
async fn share(item: &TestItem<'_>, recipients: &[&str]) -> Response {
    let body = json!({"recipients": recipients, "expiresAt": next_week(), "notify": false});
    let response = item.post(&body).await;
    response.assert_status(201);
    response
}

#[tokio::test]
async fn own_recipients_are_suggested_newest_first() {
    let stack = Stack::get().await;
    let item = new_sharers_item(&stack).await;
    let (ann, zoe) = (address("ann.lee"), address("zoe"));
    let shared = share(&item, &[&format!("\"Lee, Ann\" <{ann}>")]).await;
    share(&item, &[&format!("Zoë Müller <{zoe}>"), "ann@bücher.example"]).await;

    assert_eq!(suggested(&stack, &item.token, "").await.len(), 3);
    assert_eq!(suggested(&stack, &item.token, "").await[2], ann, "the first recipient is the oldest");
    for (prefix, expected) in [
        ("ann.le", &ann),
        ("LEE", &ann),
        ("lee, a", &ann),
        ("mull", &zoe),
        ("Zoë M", &zoe),
        ("büch", &"ann@xn--bcher-kva.example".to_owned()),
    ] {
        assert_eq!(suggested(&stack, &item.token, prefix).await, [expected.as_str()], "{prefix}");
    }
    let [suggestion] = suggest(&stack, &item.token, "ann.lee").await.try_into().unwrap();
    let created_at = &shared.json()["results"][0]["share"]["createdAt"];
    assert_eq!(suggestion, json!({"address": ann, "name": "Lee, Ann", "lastSharedAt": created_at}));
}

#[tokio::test]
async fn recipient_of_an_ended_share_is_suggested_once() {
    let stack = Stack::get().await;
    let item = new_sharers_item(&stack).await;
    let ann = address("ann");
    let shared = share(&item, &[&ann]).await;
    item.revoke(&shared.share_id()).await.assert_status(200);
    let other = TestItem { token: item.token.clone(), ..TestItem::new(&stack).await };
    share(&other, &[&ann.to_uppercase()]).await;
    let suggestions = suggested(&stack, &item.token, "a").await;
    assert_eq!(suggestions.len(), 1, "{suggestions:?}");
}

#[tokio::test]
async fn other_sharers_recipients_are_never_suggested() {
    let stack = Stack::get().await;
    let ours = unique("sharer");
    // Ids that a careless key could confuse with ours.
    let others = ["#0", "/x", "%", "*", " ", "\u{e4}", "|x"].map(|end| format!("{ours}{end}"));
    let item = item_of(&stack, &ours).await;
    let ann = address("ann");
    share(&item, &[&ann]).await;
    for other in others.into_iter().chain([ours.to_uppercase()]) {
        let theirs = item_of(&stack, &other).await;
        let bob = address("bob");
        share(&theirs, &[&format!("Ann Other <{bob}>")]).await;
        assert_eq!(suggested(&stack, &theirs.token, "").await, [bob], "{other}");
    }
    assert_eq!(suggested(&stack, &item.token, "").await, [ann]);
}

#[tokio::test]
async fn recipients_of_lost_modules_are_not_suggested() {
    let stack = Stack::get().await;
    let sub = unique("sharer");
    let admin = token(&stack, &sub, &["admin"]).await;
    let (ann, bob) = (address("ann"), address("bob"));
    let item = TestItem { token: admin.clone(), ..TestItem::new(&stack).await };
    share(&item, &[&ann]).await;
    let asset = format!("assets/{}", item.name);
    let aws = Aws::new(&stack);
    aws.open_item(&asset).await;
    aws.upload(&stack.info.file_key(&asset, "brief.pdf"), b"abc").await;
    let url = format!("{}/modules/assets/items/{}/shares", stack.info.api_url, item.name);
    let body = json!({"recipients": [bob], "expiresAt": next_week(), "notify": false});
    send(stack.client.post(url).bearer_auth(&admin).json(&body)).await.assert_status(201);

    assert_eq!(suggested(&stack, &admin, "").await, [bob, ann.clone()]);
    let producer = token(&stack, &sub, &["producer"]).await;
    assert_eq!(suggested(&stack, &producer, "").await, [ann]);
    let viewer = token(&stack, &sub, &["viewer"]).await;
    request(&stack, &viewer, "").await.assert_problem(403, "share-permission-missing");
    let url = format!("{}/share-suggestions?prefix=a", stack.info.api_url);
    send(stack.client.get(url).bearer_auth("")).await.assert_status(401);
}

#[tokio::test]
async fn any_prefix_gets_a_valid_response() {
    let stack = Stack::get().await;
    let item = new_sharers_item(&stack).await;
    share(&item, &[&address("ann")]).await;
    for prefix in ["\0", "%", "\u{202e}", "[a-z]*", "' OR 1=1", "\u{10ffff}", "<", &"a".repeat(2_000)] {
        assert!(suggested(&stack, &item.token, prefix).await.is_empty(), "{prefix:?}");
    }
    let url = format!("{}/share-suggestions", stack.info.api_url);
    let without_prefix = send(stack.client.get(url).bearer_auth(&item.token)).await;
    without_prefix.assert_status(200);
    assert_eq!(without_prefix.json()["suggestions"].as_array().unwrap().len(), 1);
}

/// Invokes `manage-shares` in the role of the sharer `u1`.
async fn invoke(world: &World<'_>, prefix: &str) -> Value {
    let mut event = api_event(ROUTE, &Value::Null, &Value::Null);
    event["queryStringParameters"] = json!({"prefix": prefix});
    let response = world.new_function("ManageShares").await.invoke(&event).await.unwrap();
    assert_eq!(response["statusCode"], 200, "{response}");
    serde_json::from_str(response["body"].as_str().unwrap()).unwrap()
}

/// Creates this many shares of the sharer `u1`, one a minute.
async fn create_shares(world: &mut World<'_>, count: usize) {
    let manager = Manager::new(world).await;
    for i in 0..count {
        world.advance(TimeDelta::minutes(1));
        let share = shared_by("u1", &world.item, world.now()).recipient(&format!("r{i}@example.com"));
        manager.store(&share.build()).await;
    }
}

#[tokio::test]
async fn only_the_newest_two_hundred_shares_are_read() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    create_shares(&mut world, 205).await;
    world.dynamodb.take_call_count(&[]);
    assert_eq!(invoke(&world, "r204@").await["suggestions"].as_array().unwrap().len(), 1);
    assert_eq!(invoke(&world, "r5@").await["suggestions"].as_array().unwrap().len(), 1);
    assert_eq!(invoke(&world, "r4@").await, json!({"suggestions": []}));
    assert_eq!(world.dynamodb.take_call_count(&["BatchGetItem"]), 6);
    let newest = invoke(&world, "r").await;
    let addresses = newest["suggestions"].as_array().unwrap().iter().map(|s| s["address"].as_str().unwrap());
    let expected: Vec<String> = (185..205).rev().map(|i| format!("r{i}@example.com")).collect();
    assert_eq!(addresses.collect::<Vec<_>>(), expected);
    assert_eq!(world.dynamodb.take_call_count(&["BatchGetItem"]), 1, "a full list needs no second page");
}

#[tokio::test]
async fn switched_off_route_reads_nothing() {
    let stack = Stack::get().await;
    let mut world = World::with_variables(&stack, &[("SUGGEST_RECIPIENTS", "false")]).await;
    create_shares(&mut world, 1).await;
    world.dynamodb.take_call_count(&[]);
    assert_eq!(invoke(&world, "r").await, json!({"suggestions": []}));
    assert_eq!(world.dynamodb.take_call_count(&["Query", "BatchGetItem"]), 0);
}

#[tokio::test]
async fn name_is_kept_for_sharers_only() {
    let stack = Stack::get().await;
    let item = new_sharers_item(&stack).await;
    let ann = address("ann");
    let body = json!({"recipients": [format!("Quentina <{ann}>")], "expiresAt": next_week()});
    let created = item.post_with_key("1", &body).await;
    created.assert_status(201);
    let result = &created.json()["results"][0];
    assert_eq!(result["share"]["recipient"], ann.as_str());
    assert_eq!(result["share"]["recipientName"], "Quentina");
    assert_eq!(item.post_with_key("1", &body).await.json()["results"][0]["share"], result["share"]);
    // A revocation would withdraw the email.
    let email = item.wait_for_email(&ann).await;
    // A change keeps the name.
    let id = created.share_id();
    item.revoke(&id).await.assert_status(200);
    item.change_expiration(&id, 2, &next_week()).await.assert_status(200);
    assert_eq!(item.get_share(&id).await["recipientName"], "Quentina");
    assert_eq!(email.to, [ann.as_str()]);
    for text in [&email.from, &email.subject, &email.text, &email.html] {
        assert!(!text.contains("Quentina"), "{text}");
    }
    let page = stack.client.get(email.link()).header("Accept", "text/html");
    assert!(!send(page).await.text.contains("Quentina"));
    assert_eq!(emails_to(&stack, &ann).await.len(), 1);
}

#[tokio::test]
async fn name_is_cleaned_and_shortened() {
    let stack = Stack::get().await;
    let item = new_sharers_item(&stack).await;
    let long = "ä".repeat(300);
    for (name, expected) in [
        ("Ann\u{202e}\r\nLee", json!("Ann  Lee")),
        (long.as_str(), json!("ä".repeat(100))),
        ("<b>", Value::Null),
        ("?!", Value::Null),
    ] {
        let entry = format!("{name} <{}>", address("ann"));
        let body = json!({"recipients": [entry], "expiresAt": next_week(), "notify": false});
        let result = item.post(&body).await.json()["results"][0].clone();
        assert_eq!(result["share"]["recipientName"], expected, "{name}: {result}");
        // A name with brackets may hide another address.
        let outcome = if name == "<b>" { "invalidRecipient" } else { "created" };
        assert_eq!(result["outcome"], outcome, "{name}");
    }
}
