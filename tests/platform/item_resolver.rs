//! The platform's item resolver: access lists, files, titles, and what happens when it fails.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::support::events::{api_event, create_event, list_event};
use crate::support::fixtures::new_item;
use crate::support::function::Function;
use crate::support::proxy::Fault;
use crate::support::{Aws, Response, Stack, TestItem, World, address, eventually, send, unique};

/// More requests than any test sends.
const ALL: usize = 1000;

/// The part of an `Invoke` request that identifies it.
const INVOKE: &str = "/invocations";

async fn describe(stack: &Stack, item: &str, document: &str) {
    Aws::new(stack).describe_item(item, document).await;
}

async fn get(item: &TestItem<'_>, rest: &str) -> Response {
    send(item.stack.client.get(item.item_url(rest)).bearer_auth(&item.token)).await
}

async fn invoke(function: &Function, event: &Value) -> Value {
    function.invoke(event).await.unwrap()
}

fn problem_type(response: &Value) -> String {
    let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
    body["type"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn caller_who_may_share_but_not_manage_is_refused_on_management_routes() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    describe(&stack, &item.path(), r#"{"share": ["test-user"], "manage": ["another-user"]}"#).await;

    let created = item.share(&[&address("ann")]).await;

    created.assert_status(201);
    let id = created.share_id();
    for (method, rest) in [
        (Method::GET, String::new()),
        (Method::GET, format!("/{id}")),
        (Method::POST, format!("/{id}/revoke")),
        (Method::POST, format!("/{id}/renew")),
        (Method::POST, format!("/{id}/resend")),
        (Method::POST, format!("/{id}/link")),
    ] {
        item.call(method, &rest).await.assert_problem(403, "item-access-denied");
    }
    item.change_expiration(&id, 1, "2031-01-01T00:00:00Z").await.assert_problem(403, "item-access-denied");
    get(&item, "/share-log").await.assert_problem(403, "item-access-denied");
    get(&item, "/files").await.assert_status(200);
    assert_eq!(get(&item, "/share-permission").await.json(), json!({"canShare": true}));
}

#[tokio::test]
async fn caller_who_may_manage_but_not_share_cannot_share() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    describe(&stack, &item.path(), r#"{"share": [], "manage": ["test-user"]}"#).await;

    item.share(&[&address("ann")]).await.assert_problem(403, "item-access-denied");

    get(&item, "/files").await.assert_problem(403, "item-access-denied");
    assert_eq!(get(&item, "/share-permission").await.json(), json!({"canShare": false}));
    item.get("").await.assert_status(200);
    assert!(Aws::new(&stack).rows(&item.path()).await.is_empty());
}

#[tokio::test]
async fn link_works_while_the_resolver_fails() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf"]).await;
    let shared = item.share_with(&address("ann")).await;
    describe(&stack, &item.path(), "{").await;

    let (bytes, _) = stack.download(&shared.link).await;

    assert_eq!(bytes, b"a.pdf");
}

#[tokio::test]
async fn keys_appear_in_no_response() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    assert!(item.key("brief.pdf").ends_with("/current/brief.pdf"), "the key must not follow from the name");

    let created = item.share(&[&address("ann")]).await;

    for response in [created, item.get("").await, get(&item, "/files").await] {
        assert!(response.text.contains("brief.pdf"), "{response:?}");
        assert!(!response.text.contains("current/"), "{response:?}");
    }
}

#[tokio::test]
async fn title_is_in_every_response_the_email_and_on_the_page() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf"]).await;
    describe(
        &stack,
        &item.path(),
        "{\"title\": \"Spring <2026>\\ncampaign\u{202e}\", \"share\": [\"*\"], \"manage\": [\"*\"]}",
    )
    .await;
    let recipient = address("ann");

    let shared = item.share_with(&recipient).await;

    let title = "Spring <2026> campaign";
    assert_eq!(get(&item, "/files").await.json()["title"], title);
    assert_eq!(item.get_share(&shared.id).await["title"], title);
    let email = item.wait_for_email(&recipient).await;
    assert_eq!(email.subject, format!("Tess Tester shared 2 files with you: {title}"));
    assert!(email.text.contains(title), "{}", email.text);
    let page = stack.open(&shared.link).await;
    assert!(
        page.text.contains("<bdi translate=\"no\">Spring &#60;2026&#62; campaign</bdi>"),
        "{}",
        page.text
    );
    let list = send(stack.client.get(&shared.link).header("Accept", "application/json")).await;
    assert_eq!(list.json()["title"], title);
}

#[tokio::test]
async fn failing_resolver_is_reported_as_temporarily_unavailable() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    describe(&stack, &item.path(), "{").await;

    for response in [
        item.share(&[&address("ann")]).await,
        item.get("").await,
        get(&item, "/files").await,
        get(&item, "/share-permission").await,
    ] {
        response.assert_problem(503, "temporarily-unavailable");
        assert!(!response.header("retry-after").is_empty(), "{response:?}");
    }
}

#[tokio::test]
async fn unshareable_and_archived_files_are_reported() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["bad\u{7f}.txt", "folder/c.pdf"]).await;
    // Some tools create such a placeholder for a folder.
    item.upload("").await;
    Aws::new(&stack).upload_archived(&item.key("old.pdf"), b"old").await;

    let created = item.share(&[&address("ann")]).await;

    created.assert_status(201);
    let codes = created.json()["warnings"].as_array().unwrap().iter().map(|w| w["code"].clone()).collect();
    assert_eq!(Value::Array(codes), json!(["filesLeftOut", "filesArchived"]));
    let files = json!([{"name": "old.pdf", "size": 3, "archived": true}]);
    let title = format!("Item {}", item.name);
    let expected = json!({"title": title, "files": files, "leftOut": true});
    assert_eq!(get(&item, "/files").await.json(), expected);
}

#[tokio::test]
async fn item_without_a_document_is_denied() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let unknown = TestItem { name: format!("{}-unknown", item.name), ..item };

    unknown.share(&[&address("ann")]).await.assert_problem(403, "item-access-denied");
    unknown.get("").await.assert_problem(403, "item-access-denied");
}

#[tokio::test]
async fn share_can_be_revoked_while_the_resolver_fails() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let created = item.share(&[&address("ann")]).await;
    describe(&stack, &item.path(), "{").await;

    item.get("").await.assert_problem(503, "temporarily-unavailable");
    let revoked = item.revoke(&created.share_id()).await;

    revoked.assert_status(200);
    assert_eq!(revoked.json()["status"], "inactive");
}

#[tokio::test]
async fn keys_and_titles_appear_in_no_log() {
    let (stack, _clock) = Stack::with_clock().await;
    let aws = Aws::new(&stack);
    let count = |logs: &str| logs.matches("item-resolver is unavailable").count();
    let failed_before = count(&aws.logs().await);
    let item = TestItem::new(&stack).await;
    let title = unique("title");
    let document = json!({"title": title, "share": ["*"], "manage": ["*"]});
    describe(&stack, &item.path(), &document.to_string()).await;

    item.share(&[&address("ann")]).await.assert_status(201);
    // Log lines of one function arrive in order, so this request's line is the last.
    let failing = TestItem::new(&stack).await;
    describe(&stack, &failing.path(), &format!("{title}{{")).await;
    get(&failing, "/files").await.assert_status(503);

    let logs = eventually("the logs", || async {
        Some(aws.logs().await).filter(|logs| count(logs) > failed_before)
    })
    .await;
    assert!(!logs.contains(&title), "a title is in the logs");
    assert!(!logs.contains("/current/"), "a key is in the logs");
}

#[tokio::test]
async fn resolver_that_does_not_decide_is_never_a_yes() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    world.upload().await;
    let requests = [
        ("CreateShares", create_event(&world.item, &[address("ann")], world.now()), 201),
        ("ManageShares", list_event(&world.item), 200),
    ];
    for (name, event, expected) in requests {
        let function = world.new_function(name).await;
        let faults: [fn() -> Fault; 6] = [
            || Fault::Disconnect,
            || Fault::Respond(429, "TooManyRequestsException", "slow down"),
            || Fault::Respond(500, "ServiceException", "failure"),
            || Fault::Respond(403, "AccessDeniedException", "not allowed"),
            || Fault::Respond(200, "Malformed", "no decision"),
            || Fault::HoldRequest(oneshot::channel().0),
        ];
        for fault in faults {
            world.lambda.inject(ALL, &[INVOKE], move || Some(fault()));
            let response = invoke(&function, &event).await;
            assert_eq!(response["statusCode"], 503, "{name} {:?}: {response}", fault());
            assert!(response["headers"]["retry-after"].is_string(), "{response}");
            world.lambda.clear_faults();
        }
        // The same instance has not cached a failure.
        assert_eq!(invoke(&function, &event).await["statusCode"], expected, "{name}");
    }
}

/// Returns the event for another caller, with these access rights, sending the same request.
fn event_of(event: &Value, sub: &str, rights: &[&str]) -> Value {
    let claims =
        json!({"sub": sub, "iss": "https://login.example.com", "exp": 1_900_000_000, "accessRights": rights});
    let mut event = event.clone();
    let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
    event["headers"]["authorization"] = format!("Bearer {token}").into();
    let verified = &mut event["requestContext"]["authorizer"]["jwt"]["claims"];
    verified["sub"] = sub.into();
    verified["accessRights"] = format!("[{}]", rights.join(" ")).into();
    event
}

#[tokio::test]
async fn decision_is_cached_for_a_minute_for_the_same_question() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let manage = world.new_function("ManageShares").await;
    let other_item = new_item();
    for item in [&world.item, &other_item] {
        Aws::new(&stack).open_item(&item.to_string()).await;
    }
    let permission = api_event(
        "GET /modules/{module}/items/{item}/share-permission",
        &json!({"module": "jobs", "item": world.item.name.to_string()}),
        &Value::Null,
    );
    let calls = async |world: &World<'_>, manage: &Arc<Function>, event: &Value| {
        assert_eq!(invoke(manage, event).await["statusCode"], 200);
        world.lambda.take_call_count(&[INVOKE])
    };
    let list = list_event(&world.item);

    assert_eq!(calls(&world, &manage, &list).await, 1);
    for (other, what) in [
        (permission, "purpose"),
        (list_event(&other_item), "item"),
        (event_of(&list, "u2", &["producer"]), "caller"),
        (event_of(&list, "u1", &["producer", "viewer"]), "access rights"),
    ] {
        assert_eq!(calls(&world, &manage, &other).await, 1, "another {what}");
        assert_eq!(calls(&world, &manage, &other).await, 0, "the same {what}");
    }
    world.advance(TimeDelta::seconds(59));
    assert_eq!(calls(&world, &manage, &list).await, 0, "still fresh");
    world.advance(TimeDelta::seconds(1));
    assert_eq!(calls(&world, &manage, &list).await, 1, "expired");
}

#[tokio::test]
async fn denial_is_cached_for_a_minute() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let manage = world.new_function("ManageShares").await;
    let list = list_event(&world.item);

    assert_eq!(invoke(&manage, &list).await["statusCode"], 403);
    Aws::new(&stack).open_item(&world.item.to_string()).await;
    world.advance(TimeDelta::seconds(59));
    assert_eq!(invoke(&manage, &list).await["statusCode"], 403);
    assert_eq!(world.lambda.take_call_count(&[INVOKE]), 1);
    world.advance(TimeDelta::seconds(1));
    assert_eq!(invoke(&manage, &list).await["statusCode"], 200);
}

#[tokio::test]
async fn retried_create_reuses_the_files_and_title_of_the_first_request() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let item = world.item.to_string();
    world.upload().await;
    describe(&stack, &item, r#"{"title": "First title", "share": ["*"]}"#).await;
    let create = world.new_function("CreateShares").await;
    let mut event = create_event(&world.item, &[address("ann")], world.now());
    event["headers"]["idempotency-key"] = unique("key").into();
    world.dynamodb.inject(ALL, &["PutItem", "SHARE#"], || Some(Fault::Disconnect));
    assert_eq!(invoke(&create, &event).await["statusCode"], 503, "the share could not be stored");
    world.dynamodb.clear_faults();

    Aws::new(&stack).upload(&stack.info.file_key(&item, "later.pdf"), b"abc").await;
    describe(&stack, &item, r#"{"title": "Second title", "share": ["*"]}"#).await;
    world.advance(TimeDelta::minutes(2));
    let retry = invoke(&create, &event).await;

    assert_eq!(retry["statusCode"], 201, "{retry}");
    let body: Value = serde_json::from_str(retry["body"].as_str().unwrap()).unwrap();
    let id = body["results"][0]["shareId"].as_str().unwrap().parse().unwrap();
    let share = world.table.get(&world.item, id).await.unwrap().unwrap();
    assert_eq!(share.title.unwrap().as_str(), "First title");
    let [file] = share.files.as_slice() else { panic!("a later file is shared") };
    assert_eq!(file.key.as_ref().unwrap().as_str(), stack.info.file_key(&item, "brief.pdf"));
}

#[tokio::test]
async fn share_permission_is_checked_before_the_resolver_is_asked() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let parameters = json!({"module": "assets", "item": "7"});
    for (function, route) in [
        ("CreateShares", "GET /modules/{module}/items/{item}/files"),
        ("ManageShares", "GET /modules/{module}/items/{item}/shares"),
    ] {
        let event = api_event(route, &parameters, &Value::Null);
        let response = invoke(&*world.new_function(function).await, &event).await;
        assert_eq!(response["statusCode"], 403, "{response}");
        assert_eq!(problem_type(&response), "/problems/share-permission-missing");
    }
    assert_eq!(world.lambda.take_call_count(&[INVOKE]), 0);
}

#[tokio::test]
async fn permissions_of_many_items_are_decided_one_by_one() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    describe(&stack, &world.item.to_string(), r#"{"share": ["another-user"]}"#).await;
    let name = world.item.name.to_string();
    for n in 0..4 {
        Aws::new(&stack).open_item(&format!("{}-{n}", world.item)).await;
    }
    let mut items: Vec<Value> =
        (0..4).map(|n| json!({"module": "jobs", "item": format!("{name}-{n}")})).collect();
    items.push(json!({"module": "jobs", "item": name}));
    items.push(json!({"module": "assets", "item": "7"}));
    let event = api_event("POST /share-permissions", &json!({}), &json!({"items": items}));
    let manage = world.new_function("ManageShares").await;

    let response = invoke(&manage, &event).await;

    let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
    let allowed = body["permissions"].as_array().unwrap().iter().map(|item| item["canShare"] == true);
    let expected = [vec![true; 4], vec![false; 2]].concat();
    assert_eq!(allowed.collect::<Vec<_>>(), expected);
    // The SDK may have retried some.
    let calls = world.lambda.take_calls(&[INVOKE]);
    assert!(calls.iter().filter(|call| call.contains("\"jobs\"")).count() >= 5, "{calls:?}");
    assert!(
        !calls.iter().any(|call| call.contains("\"assets\"")),
        "the module without permission is asked for"
    );
}

#[tokio::test]
async fn bulk_change_asks_for_each_item() {
    let stack = Stack::get().await;
    let (allowed, denied) = (TestItem::new(&stack).await, TestItem::new(&stack).await);
    let mut entries = Vec::new();
    for item in [&allowed, &denied, &denied] {
        let id = item.share(&[&address("ann")]).await.share_id();
        entries.push(json!({"module": "jobs", "item": item.name, "shareId": id}));
    }
    describe(&stack, &denied.path(), r#"{"share": ["*"], "manage": ["another-user"]}"#).await;
    let revoke = async |token: &str| {
        let request = stack.client.post(format!("{}/shares/revoke", stack.info.api_url));
        let response = send(request.bearer_auth(token).json(&json!({"shares": entries}))).await;
        response.assert_status(200);
        let results = response.json()["results"].as_array().unwrap().clone();
        let outcome = |result: &Value| result["problem"].get("type").unwrap_or(&result["outcome"]).clone();
        results.iter().map(outcome).collect::<Vec<_>>()
    };

    let denial = "/problems/item-access-denied";
    assert_eq!(revoke(&allowed.token).await, ["changed", denial, denial]);
    let auditor = stack.token(&["auditor"]).await;
    assert_eq!(revoke(&auditor).await, ["unchanged", "changed", "changed"], "asks no resolver");
}

#[tokio::test]
async fn right_to_manage_all_shares_opens_items_that_the_resolver_denies() {
    let stack = Stack::get().await;
    let mut item = TestItem::new(&stack).await;
    let id = item.share(&[&address("ann")]).await.share_id();
    describe(&stack, &item.path(), r#"{"share": [], "manage": []}"#).await;
    item.get("").await.assert_problem(403, "item-access-denied");
    item.token = stack.token(&["jobs-lead"]).await;
    item.get("").await.assert_status(200);
    item.revoke(&id).await.assert_status(200);
    item.share(&[&address("bob")]).await.assert_problem(403, "share-permission-missing");
}
