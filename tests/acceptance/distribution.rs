//! The functions behind a distribution: only requests with its secret are handled. The headers that every
//! response has, with and without a distribution.

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::support::contract::item_routes;
use crate::support::{Response, Stack, TestItem, address, send};

const HEADER: &str = "X-Origin-Secret";
const SECRET: &str = "current-0123456789abcdef0123456789abcdef";
const NEXT: &str = "next-0123456789abcdef0123456789abcdef";
const ROTATED: &str = "previous-0123456789abcdef0123456789abcdef";

fn secrets() -> String {
    json!({"current": SECRET, "next": NEXT}).to_string()
}

/// Returns a request to every route, those that require a token with the caller's.
fn requests(item: &TestItem<'_>) -> Vec<(String, RequestBuilder)> {
    let unknown_share = "0".repeat(32);
    let with_token = item_routes("jobs", &item.name, &unknown_share).into_iter();
    let with_token = with_token
        .chain([(Method::POST, "/share-permissions".to_owned()), (Method::GET, "/share-rules".to_owned())]);
    let with_token = with_token.chain([(Method::GET, "/share-suggestions".to_owned())]);
    let with_token = with_token.map(|(method, path)| (method, path, Some(&item.token)));
    let public = [
        "/s/unknown",
        "/s/unknown/files/1",
        "/s/unknown/",
        "/s/unknown/emails",
        "/problems/internal",
        "/problems/none",
        "/ui/sharelink.js",
        "/ui/unknown.js",
        "/ui/0/sharelink.js",
    ];
    let forms = ["/s/unknown/more-time", "/s/unknown/emails/stop", "/s/unknown/emails/allow", "/s/unknown/x"];
    let forms = forms.iter().map(|path| (Method::POST, (*path).to_owned(), None));
    let heads = public[..4].iter().map(|path| (Method::HEAD, (*path).to_owned(), None));
    let public = public.iter().map(|path| (Method::GET, (*path).to_owned(), None));
    let request = |(method, path, token): (Method, String, Option<&String>)| {
        let url = format!("{}{path}", item.stack.info.api_url);
        let mut request = item.stack.client.request(method.clone(), url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if method == Method::POST {
            request = request.header("Content-Type", "application/json");
        }
        (format!("{method} {path}"), request)
    };
    with_token.chain(forms).chain(heads).chain(public).map(request).collect()
}

async fn statuses(item: &TestItem<'_>, secret: Option<&str>) -> Vec<(String, u16)> {
    let mut statuses = Vec::new();
    for (name, request) in requests(item) {
        let request = secret.map_or_else(|| request.try_clone().unwrap(), |secret| with(&request, secret));
        statuses.push((name, send(request).await.status));
    }
    statuses
}

fn with(request: &RequestBuilder, secret: &str) -> RequestBuilder {
    request.try_clone().unwrap().header(HEADER, secret)
}

#[tokio::test]
async fn request_without_the_origin_secret_is_refused() {
    let (stack, _clock) = Stack::with_function_variable("ORIGIN_SECRETS", &secrets()).await;
    let item = TestItem::new(&stack).await;
    for wrong in [None, Some(""), Some("current"), Some(ROTATED), Some(&SECRET[1..])] {
        for (name, status) in statuses(&item, wrong).await {
            assert_eq!(status, 421, "{name}: {wrong:?}");
        }
    }
    let refused = send(stack.client.get(format!("{}/s/unknown", stack.info.api_url))).await;
    refused.assert_problem(421, "wrong-address");
    assert_eq!(refused.header("cache-control"), "no-store");
}

/// While a secret is rotated, the distribution may send the old or the new one.
#[tokio::test]
async fn every_accepted_origin_secret_works_on_every_route() {
    let item_without;
    {
        let stack = Stack::get().await;
        item_without = statuses(&TestItem::new(&stack).await, None).await;
    }
    let (stack, _clock) = Stack::with_function_variable("ORIGIN_SECRETS", &secrets()).await;
    let item = TestItem::new(&stack).await;
    let only_statuses =
        |statuses: Vec<(String, u16)>| statuses.into_iter().map(|(_, s)| s).collect::<Vec<_>>();
    let expected = only_statuses(item_without);
    for secret in [SECRET, NEXT] {
        assert_eq!(only_statuses(statuses(&item, Some(secret)).await), expected);
    }
}

#[tokio::test]
async fn use_that_bypasses_the_distribution_is_not_counted() {
    let (stack, _clock) = Stack::with_function_variable("ORIGIN_SECRETS", &secrets()).await;
    let item = TestItem::new(&stack).await;
    let create = item.request(Method::POST, "").json(
        &json!({"recipients": [address("bob")], "expiresAt": crate::support::next_week(), "notify": false}),
    );
    let created = send(create.header(HEADER, SECRET)).await;
    created.assert_status(201);
    let id = created.share_id();
    let copy = item.request(Method::POST, &format!("/{id}/link")).header(HEADER, SECRET);
    let copied = send(copy).await;
    copied.assert_status(200);
    let link = copied.json()["link"].as_str().unwrap().to_owned();
    let downloads = async || {
        let read = send(item.request(Method::GET, &format!("/{id}")).header(HEADER, SECRET)).await;
        read.json()["downloads"].as_u64().unwrap()
    };

    let refused = send(stack.client.get(&link)).await;
    refused.assert_problem(421, "wrong-address");
    assert_eq!(refused.header("location"), "");
    assert_eq!(downloads().await, 0);

    let opened = send(stack.client.get(&link).header(HEADER, NEXT)).await;
    opened.assert_status(302);
    assert_eq!(downloads().await, 1);
}

#[tokio::test]
async fn every_response_is_https_only_and_not_sniffed() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let share = item.share_with(&address("ann")).await;
    let mut responses: Vec<(String, Response)> = Vec::new();
    for (name, request) in requests(&item) {
        responses.push((name, send(request).await));
    }
    responses.push(("redirect".to_owned(), stack.open(&share.link).await));
    item.revoke(&share.id).await.assert_status(200);
    responses.push(("ended".to_owned(), stack.open(&share.link).await));
    for (name, response) in responses {
        assert_eq!(response.header("strict-transport-security"), "max-age=31536000", "{name}: {response:?}");
        assert_eq!(response.header("x-content-type-options"), "nosniff", "{name}: {response:?}");
    }
}
