//! Who may share and manage.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::contract::item_routes;
use crate::support::{Aws, Stack, TestItem, address, emails_to, next_week, send};

/// The statuses that the routes answer which need the Share permission.
async fn statuses(item: &TestItem<'_>, module: &str, token: Option<&str>, recipient: &str) -> BTreeSet<u16> {
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
            request = request.json(&json!({"recipients": [recipient], "expiresAt": next_week()}));
        }
        statuses.insert(send(request).await.status);
    }
    statuses
}

#[tokio::test]
async fn without_the_share_permission_nothing_is_done() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let recipient = address("nobody");

    assert_eq!(statuses(&item, "jobs", None, &recipient).await, BTreeSet::from([401]));
    assert_eq!(statuses(&item, "jobs", Some("not.a.token"), &recipient).await, BTreeSet::from([401]));
    for rights in
        [&["viewer"][..], &[], &["external producer"], &["producers"], &["Producer"], &["[producer]"]]
    {
        let token = stack.token(rights).await;
        assert_eq!(
            statuses(&item, "jobs", Some(&token), &recipient).await,
            BTreeSet::from([403]),
            "{rights:?}"
        );
    }
    // Share in the module jobs alone.
    assert_eq!(statuses(&item, "assets", Some(&item.token), &recipient).await, BTreeSet::from([403]));

    assert!(Aws::new(&stack).rows(&format!("jobs/{}", item.name)).await.is_empty());
    assert!(emails_to(&stack, &recipient).await.is_empty());
}

#[tokio::test]
async fn a_forged_token_is_refused_even_with_every_claim_right() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let (head, signature) = item.token.rsplit_once('.').unwrap();
    let mut signature = signature.to_owned();
    let first = if signature.starts_with('A') { "B" } else { "A" };
    signature.replace_range(..1, first);
    let forged = format!("{head}.{signature}");
    assert_eq!(statuses(&item, "jobs", Some(&forged), &address("nobody")).await, BTreeSet::from([401]));
}

#[tokio::test]
async fn a_right_that_holds_share_everywhere_shares_in_any_module() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let admin = stack.token(&["viewer", "admin"]).await;
    Aws::new(&stack).upload(&format!("assets/{}/a.txt", item.name), b"a").await;
    assert_eq!(
        statuses(&item, "assets", Some(&admin), &address("ann")).await,
        BTreeSet::from([200, 201, 404, 428])
    );
}

#[tokio::test]
async fn a_frontend_can_ask_whether_to_show_the_share_button() {
    let stack = Stack::get().await;
    let can_share = async |token: Option<&str>, module: &str| {
        let url = format!("{}/modules/{module}/items/1042/share-permission", stack.info.api_url);
        let request = stack.client.get(url);
        send(if let Some(token) = token { request.bearer_auth(token) } else { request }).await
    };
    let (producer, viewer) = (stack.token(&["producer"]).await, stack.token(&["viewer"]).await);
    for (token, module, expected) in
        [(&producer, "jobs", true), (&producer, "assets", false), (&viewer, "jobs", false)]
    {
        let response = can_share(Some(token), module).await;
        assert_eq!((response.status, response.json()), (200, json!({"canShare": expected})), "{module}");
    }
    assert_eq!(can_share(None, "jobs").await.status, 401);
    assert_eq!(can_share(Some(&producer), "a%20b").await.status, 422);
}

#[tokio::test]
async fn a_frontend_can_ask_for_several_items_at_once() {
    let stack = Stack::get().await;
    let token = stack.token(&["producer"]).await;
    let ask = async |body: &Value| {
        let url = format!("{}/share-permissions", stack.info.api_url);
        send(stack.client.post(url).bearer_auth(&token).json(body)).await
    };
    let response =
        ask(&json!({"items": [{"module": "assets", "item": "7"}, {"module": "jobs", "item": "1042"}]})).await;
    let expected = json!({"permissions": [
        {"module": "assets", "item": "7", "canShare": false}, {"module": "jobs", "item": "1042", "canShare": true},
    ]});
    assert_eq!((response.status, response.json()), (200, expected));

    let many = vec![json!({"module": "jobs", "item": "1"}); 101];
    for (body, places) in [
        (json!({}), vec!["/items"]),
        (json!({"items": []}), vec!["/items"]),
        (json!({ "items": many }), vec!["/items"]),
        (json!({"items": [{"module": "a b", "item": ".."}]}), vec!["/items/0/item", "/items/0/module"]),
        (json!({"items": [{"module": "jobs", "item": 7}]}), vec!["/items/0/item"]),
    ] {
        let response = ask(&body).await;
        assert_eq!(
            (response.status, response.error_locations()),
            (422, places.into_iter().map(String::from).collect())
        );
    }
    let nobody =
        stack.client.post(format!("{}/share-permissions", stack.info.api_url)).json(&json!({"items": []}));
    assert_eq!(send(nobody).await.status, 401);
}
