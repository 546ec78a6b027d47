//! The claims that describe a caller, in tokens that API Gateway verifies.

use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::api::create_body;
use crate::support::{Aws, Stack, TestItem, address, send};

/// Returns whether a caller with this token may share items of the module `jobs`.
async fn can_share(stack: &Stack, token: &str) -> Value {
    let url = format!("{}/modules/jobs/items/1042/share-permission", stack.info.api_url);
    let response = send(stack.client.get(url).bearer_auth(token)).await;
    response.assert_status(200);
    response.json()["canShare"].clone()
}

#[tokio::test]
async fn access_rights_may_be_in_a_nested_claim() {
    let (stack, _clock) =
        Stack::with_function_variable("ACCESS_RIGHTS_CLAIM", "/resource_access/files~1api/roles").await;
    for (roles, expected) in [
        (json!(["viewer", "producer"]), true),
        (json!(["Prüfer \"A\"", "producer"]), true),
        (json!(["co-producer"]), false),
        (json!([]), false),
    ] {
        let claims = json!({"sub": "kim", "resource_access": {"files/api": {"roles": roles}, "a": {}}});
        let token = stack.token_with_claims(&claims).await;
        assert_eq!(can_share(&stack, &token).await, expected, "{claims}");
    }
    let elsewhere = json!({"sub": "kim", "accessRights": ["producer"], "resource_access": {"a": {}}});
    assert_eq!(can_share(&stack, &stack.token_with_claims(&elsewhere).await).await, false);
}

#[tokio::test]
async fn access_rights_may_be_in_a_claim_named_by_a_url() {
    let claim = "https://platform.example/roles";
    let (stack, _clock) = Stack::with_function_variable("ACCESS_RIGHTS_CLAIM", claim).await;
    let token = stack.token_with_claims(&json!({"sub": "kim", claim: ["producer"]})).await;
    assert_eq!(can_share(&stack, &token).await, true);
}

#[tokio::test]
async fn address_that_is_not_verified_appears_nowhere() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let (recipient, sharer) = (address("ann"), address("unverified"));
    let claims = json!({"sub": "kim", "name": "Kim", "email": sharer, "email_verified": "false",
                        "accessRights": ["producer"]});
    let token = stack.token_with_claims(&claims).await;

    let request = stack.client.post(item.url("")).bearer_auth(token).json(&create_body(&[&recipient]));
    let response = send(request).await;

    response.assert_status(201);
    assert_eq!(response.json()["results"][0]["share"]["createdBy"]["name"], "Kim");
    let email = item.wait_for_email(&recipient).await;
    let table = Aws::new(&stack).scan_tables().await;
    for text in [&response.text, &email.text, &email.html, &table] {
        assert!(!text.contains(&sharer), "{text}");
    }
}

#[tokio::test]
async fn second_authorization_header_grants_nothing() {
    let stack = Stack::get().await;
    let verified = stack.token(&["viewer"]).await;
    let granted = stack.token(&["producer"]).await;
    let (signed_part, _) = granted.rsplit_once('.').unwrap();
    let forged = format!("{signed_part}.c2ln");
    let url = format!("{}/modules/jobs/items/1042/shares", stack.info.api_url);
    for [first, second] in [[&verified, &forged], [&forged, &verified]] {
        let bearer = |token: &str| format!("Bearer {token}");
        let request = stack.client.get(&url).header(AUTHORIZATION, bearer(first));
        let response = send(request.header(AUTHORIZATION, bearer(second))).await;
        assert!([401, 403].contains(&response.status), "{response:?}");
        let joined = format!("{},{}", bearer(first), bearer(second));
        let response = send(stack.client.get(&url).header(AUTHORIZATION, joined)).await;
        assert!([401, 403].contains(&response.status), "{response:?}");
    }
}
