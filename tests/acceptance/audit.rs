//! What an investigation finds: who was refused or read a log, and where a link was used from. The logs
//! contain nothing else about a person.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sharelink_domain::Item;
use sharelink_domain::hash_key::HashKey;
use sharelink_domain::log::LogEntry;

use crate::support::events::{api_event, open_event};
use crate::support::leaks::find_leak;
use crate::support::proxy::Fault;
use crate::support::{Aws, Stack, World, address, rfc3339};

const FILES: &str = "GET /modules/{module}/items/{item}/files";
const LIST: &str = "GET /modules/{module}/items/{item}/shares";
const SHARE_LOG: &str = "GET /modules/{module}/items/{item}/share-log";

/// The setting with which the share log keeps where uses came from.
const WITH_SOURCES: &[(&str, &str)] = &[("LOG_USE_SOURCES", "true")];

/// Returns the key of the hashes in the functions' logs.
async fn hash_key(stack: &Stack) -> HashKey {
    let aws = Aws::new(stack);
    let secret = aws.function_environment("ManageShares").await["HASH_KEY_SECRET"].clone();
    let read = json!({"SecretId": secret});
    let response = aws.call("secretsmanager", "secretsmanager.GetSecretValue", &read).await;
    HashKey::new(response["SecretString"].as_str().unwrap()).unwrap()
}

/// Returns a request of the caller `u1` for the item.
fn event(route: &str, item: &Item) -> Value {
    let path = json!({"module": item.module.to_string(), "item": item.name.to_string()});
    api_event(route, &path, &Value::Null)
}

/// Returns the same request with a token that the function cannot match to the verified claims.
fn forged(mut event: Value) -> Value {
    event["requestContext"]["authorizer"]["jwt"]["claims"]["exp"] = "1900000001".into();
    event
}

/// Returns the line that a function logged about each request.
fn request_lines(output: &str) -> Vec<Value> {
    let lines = output.lines().filter(|line| line.contains("request handled"));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn field<'a>(line: &'a Value, name: &str) -> Option<&'a str> {
    line.get(name)?.as_str()
}

#[tokio::test]
async fn refusals_and_reads_are_logged_with_caller_and_item() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    world.upload().await;
    let key = hash_key(&stack).await;
    let other_module: Item = Item::parse("casting/1042").unwrap();
    let cases = [
        ("CreateShares", event(FILES, &world.item), &world.item, 200, true),
        ("CreateShares", event(FILES, &other_module), &other_module, 403, true),
        ("ManageShares", event(SHARE_LOG, &world.item), &world.item, 200, true),
        ("ManageShares", event(SHARE_LOG, &other_module), &other_module, 403, true),
        ("ManageShares", event(LIST, &other_module), &other_module, 403, true),
        ("ManageShares", forged(event(LIST, &world.item)), &world.item, 401, true),
        ("ManageShares", event(LIST, &world.item), &world.item, 200, false),
    ];
    for (name, event, item, status, is_logged) in cases {
        let function = world.new_function(name).await;
        let response = function.invoke(&event).await.unwrap();
        assert_eq!(response["statusCode"], status, "{response}");
        let output = function.output();
        let [line] = request_lines(&output).try_into().unwrap();
        let expected = |hash: String| is_logged.then_some(hash);
        let route = &event["routeKey"];
        assert_eq!(field(&line, "caller"), expected(key.hash_caller("u1")).as_deref(), "{status} {route}");
        assert_eq!(field(&line, "item"), expected(key.hash_item(item)).as_deref(), "{status} {route}");
        for part in [r#""u1""#, "Ann Example", "203.0.113", "Mozilla", item.name.as_str()] {
            assert!(!output.contains(part), "{part} is in the log: {output}");
        }
        assert_eq!(find_leak(&output), None, "{output}");
    }
}

#[tokio::test]
async fn list_of_all_shares_is_logged_with_its_caller() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let function = world.new_function("ManageShares").await;
    let mut event = api_event("GET /shares", &json!({}), &Value::Null);
    event["queryStringParameters"] = json!({"q": "ann@hidden.example"});

    assert_eq!(function.invoke(&event).await.unwrap()["statusCode"], 200);

    let output = function.output();
    let [line] = request_lines(&output).try_into().unwrap();
    let caller = hash_key(&stack).await.hash_caller("u1");
    assert_eq!((field(&line, "caller"), field(&line, "item")), (Some(caller.as_str()), None));
    assert!(!output.contains("hidden"), "{output}");
}

#[tokio::test]
async fn bulk_changes_are_logged_with_their_caller() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (share, _) = world.share_by_email(&address("ann")).await;
    let caller = hash_key(&stack).await.hash_caller("u1");
    let expires_at = rfc3339(world.now() + TimeDelta::days(1));
    for (module, outcome) in [("casting", "failed"), ("jobs", "changed")] {
        for route in ["expiration", "revoke"] {
            let id = share.id.to_string();
            let mut entry = json!({"module": module, "item": share.item.name.as_str(), "shareId": id});
            let mut body = json!({});
            if route == "expiration" {
                entry["version"] = 1.into();
                body["expiresAt"] = expires_at.clone().into();
            }
            body["shares"] = json!([entry]);
            let function = world.new_function("ManageShares").await;
            let event = api_event(&format!("POST /shares/{route}"), &json!({}), &body);

            let response = function.invoke(&event).await.unwrap();

            assert_eq!(response["statusCode"], 200, "{response}");
            let results: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
            assert_eq!(results["results"][0]["outcome"], outcome, "{results}");
            let output = function.output();
            let [line] = request_lines(&output).try_into().unwrap();
            assert_eq!((field(&line, "caller"), field(&line, "item")), (Some(caller.as_str()), None));
            assert!(!output.contains(share.item.name.as_str()), "{output}");
            assert_eq!(find_leak(&output), None, "{output}");
        }
    }
}

#[tokio::test]
async fn request_succeeds_without_the_hash_key() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    world.upload().await;
    world.secrets.inject(1_000, &["GetSecretValue"], || Some(Fault::Disconnect));
    let function = world.new_function("CreateShares").await;

    let response = function.invoke(&event(FILES, &world.item)).await.unwrap();

    assert_eq!(response["statusCode"], 200, "{response}");
    let output = function.output();
    assert!(output.contains("a request is logged without the caller"), "{output}");
    let [line] = request_lines(&output).try_into().unwrap();
    assert_eq!((field(&line, "caller"), field(&line, "item")), (None, None));
}

/// Returns the event for a recipient opening a link from an address and with a program.
fn open_from(link: &str, address: &str, user_agent: &str) -> Value {
    let mut event = open_event(link);
    event["requestContext"]["http"]["sourceIp"] = address.into();
    event["headers"]["user-agent"] = user_agent.into();
    event
}

async fn log_entries(world: &World<'_>) -> Vec<LogEntry> {
    let mut entries = world.log.list(&world.item, 100, None).await.unwrap().entries;
    entries.reverse();
    entries
}

#[tokio::test]
async fn use_is_logged_with_its_network_and_kind_of_client() {
    let stack = Stack::get().await;
    let mut world = World::with_variables(&stack, WITH_SOURCES).await;
    let (_, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let uses = [
        ("203.0.113.77", firefox, json!({"network": "203.0.113.0/24", "client": "firefox"})),
        ("2001:db8:85a3:8d3::7348", "curl/8.5.0", json!({"network": "2001:db8:85a3::/48", "client": "tool"})),
        ("::ffff:198.51.100.42", "", json!({"network": "198.51.100.0/24", "client": "unknown"})),
        ("not an address", "é", json!({"client": "unknown"})),
    ];
    for (address, user_agent, _) in &uses {
        world.advance(TimeDelta::seconds(1));
        let response = redeem.invoke(&open_from(&link, address, user_agent)).await.unwrap();
        assert_eq!(response["statusCode"], 302, "{response}");
    }
    let stored = json!([world.aws().json_rows(&world.item.to_string()).await, world.records().await]);
    world.run_sweep().await;

    let manage = world.new_function("ManageShares").await;
    let response = manage.invoke(&event(SHARE_LOG, &world.item)).await.unwrap();
    let log: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
    let entries = log["entries"].as_array().unwrap();
    let sources: Vec<&Value> = entries.iter().filter_map(|entry| entry.get("source")).rev().collect();
    let expected: Vec<&Value> = uses.iter().flat_map(|(.., source)| [source, source]).collect();
    assert_eq!(sources, expected, "an open and a download for each use");

    let output = redeem.output();
    for text in [stored.to_string(), log.to_string(), output] {
        for part in ["203.0.113.77", "85a3:8d3", ":7348", "51.100.42", "Gecko", "Firefox/", "curl/"] {
            assert!(!text.contains(part), "{part} is in {text}");
        }
    }
}

#[tokio::test]
async fn failed_download_keeps_the_source_of_its_use() {
    let stack = Stack::get().await;
    let mut world = World::with_variables(&stack, WITH_SOURCES).await;
    let (_, link) = world.share_by_email(&address("ann")).await;
    Aws::new(&stack).upload_archived(&format!("{}/brief.pdf", world.item), b"abc").await;
    let redeem = world.new_function("RedeemLink").await;

    redeem.invoke(&open_from(&link, "203.0.113.77", "Wget/1.21")).await.unwrap();
    let records = world.records().await;
    world.sweep_forwards_and_backwards(&records).await;
    world.run_sweep().await;

    let entries = log_entries(&world).await;
    let sources = entries.iter().filter_map(|entry| entry.source.map(|source| (entry, source)));
    let networks: Vec<_> =
        sources.map(|(entry, source)| (entry.is_correction(), source.network.unwrap().to_string())).collect();
    assert_eq!(networks, [false, true].map(|is_correction| (is_correction, "203.0.113.0/24".to_owned())));
}

#[tokio::test]
async fn source_is_not_kept_unless_the_deployment_asks_for_it() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (share, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;

    redeem.invoke(&open_from(&link, "203.0.113.77", "curl/8.5.0")).await.unwrap();

    assert_eq!(world.read(&share).await.unwrap().usage.last_source, None);
    let rows = json!(world.aws().json_rows(&world.item.to_string()).await).to_string();
    assert!(!rows.contains("203.0.113") && !rows.contains("Source"), "{rows}");
    world.run_sweep().await;
    assert!(log_entries(&world).await.iter().all(|entry| entry.source.is_none()));
}
