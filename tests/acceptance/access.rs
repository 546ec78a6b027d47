//! Which callers may share an item and manage its shares.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::api::create_body;
use crate::support::contract::item_routes;
use crate::support::{Aws, Stack, TestItem, address, emails_to, send};

/// Calls every route that requires the Share permission. Returns the set of response statuses.
async fn call_every_route(
    item: &TestItem<'_>,
    module: &str,
    token: Option<&str>,
    recipient: &str,
) -> BTreeSet<u16> {
    let mut statuses = BTreeSet::new();
    for (method, path) in item_routes(module, &item.name, &"0".repeat(32)) {
        if path.ends_with("/share-permission") {
            continue;
        }
        let url = format!("{}{path}", item.stack.info.api_url);
        let mut request = item.stack.client.request(method.clone(), url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if method == Method::POST && path.ends_with("/shares") {
            request = request.json(&create_body(&[recipient]));
        }
        statuses.insert(send(request).await.status);
    }
    statuses
}

#[tokio::test]
async fn caller_without_share_permission_is_refused_everywhere() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let recipient = address("ann");

    let without_token = call_every_route(&item, "jobs", None, &recipient).await;
    assert_eq!(without_token, BTreeSet::from([401]));

    let malformed_token = call_every_route(&item, "jobs", Some("not.a.token"), &recipient).await;
    assert_eq!(malformed_token, BTreeSet::from([401]));

    for rights in
        [&["viewer"][..], &[], &["external producer"], &["producers"], &["Producer"], &["[producer]"]]
    {
        let token = stack.token(rights).await;
        let without_permission = call_every_route(&item, "jobs", Some(&token), &recipient).await;
        assert_eq!(without_permission, BTreeSet::from([403]), "{rights:?}");
    }

    // The item's user has the Share permission only in the `jobs` module.
    let other_module = call_every_route(&item, "assets", Some(&item.token), &recipient).await;
    assert_eq!(other_module, BTreeSet::from([403]));

    assert!(Aws::new(&stack).rows(&item.path()).await.is_empty());
    assert!(emails_to(&stack, &recipient).await.is_empty());
}

#[tokio::test]
async fn token_with_invalid_signature_is_unauthorized() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let (signed_part, signature) = item.token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { "B" } else { "A" };
    let forged = format!("{signed_part}.{first}{}", &signature[1..]);

    assert_eq!(call_every_route(&item, "jobs", Some(&forged), &address("ann")).await, BTreeSet::from([401]));
}

#[tokio::test]
async fn access_right_for_all_modules_applies_in_every_module() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let admin = stack.token(&["viewer", "admin"]).await;
    let key = stack.info.file_key(&format!("assets/{}", item.name), "a.txt");
    Aws::new(&stack).open_item(&format!("assets/{}", item.name)).await;
    Aws::new(&stack).upload(&key, b"a").await;

    let statuses = call_every_route(&item, "assets", Some(&admin), &address("ann")).await;

    assert_eq!(statuses, BTreeSet::from([200, 201, 404, 428]));
}

#[tokio::test]
async fn share_permission_reports_whether_caller_may_share() {
    let stack = Stack::get().await;
    let get_permission = async |token: Option<&str>, module: &str| {
        let url = format!("{}/modules/{module}/items/1042/share-permission", stack.info.api_url);
        let request = stack.client.get(url);
        send(match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
        .await
    };
    let producer = stack.token(&["producer"]).await;
    let viewer = stack.token(&["viewer"]).await;

    for (token, module, can_share) in
        [(&producer, "jobs", true), (&producer, "assets", false), (&viewer, "jobs", false)]
    {
        let response = get_permission(Some(token), module).await;
        response.assert_status(200);
        assert_eq!(response.json(), json!({"canShare": can_share}), "{module}");
    }
    get_permission(None, "jobs").await.assert_status(401);
    get_permission(Some(&producer), "a%20b").await.assert_status(422);
}

#[tokio::test]
async fn share_permissions_returns_items_in_request_order() {
    let stack = Stack::get().await;
    let token = stack.token(&["producer"]).await;
    let url = format!("{}/share-permissions", stack.info.api_url);
    let get_permissions =
        async |body: &Value| send(stack.client.post(&url).bearer_auth(&token).json(body)).await;

    let request = json!({"items": [{"module": "assets", "item": "7"}, {"module": "jobs", "item": "1042"}]});
    let response = get_permissions(&request).await;
    response.assert_status(200);
    let expected = json!({"permissions": [
        {"module": "assets", "item": "7", "canShare": false},
        {"module": "jobs", "item": "1042", "canShare": true},
    ]});
    assert_eq!(response.json(), expected);

    let too_many = vec![json!({"module": "jobs", "item": "1"}); 101];
    for (body, locations) in [
        (json!({}), &["/items"][..]),
        (json!({"items": []}), &["/items"]),
        (json!({"items": too_many}), &["/items"]),
        (json!({"items": [{"module": "a b", "item": ".."}]}), &["/items/0/item", "/items/0/module"]),
        (json!({"items": [{"module": "jobs", "item": 7}]}), &["/items/0/item"]),
    ] {
        get_permissions(&body).await.assert_invalid(locations);
    }

    let without_token = send(stack.client.post(&url).json(&json!({"items": []}))).await;
    without_token.assert_status(401);
}
