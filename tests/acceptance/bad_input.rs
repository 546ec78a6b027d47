//! Invalid input gets a clear error that points to the field, never a 5xx.

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde_json::{Value, json};

use crate::api::{create_body, create_body_with};
use crate::support::contract::item_routes;
use crate::support::{Stack, TestItem, address, next_week, send};

#[tokio::test]
async fn invalid_create_field_is_named_in_the_error() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let valid = create_body(&[address("ann")]);
    let with = |name: &str, value: Value| {
        let mut body = valid.clone();
        body[name] = value;
        body
    };
    let without = |name: &str| {
        let mut body = valid.clone();
        body.as_object_mut().unwrap().remove(name);
        body
    };
    for (body, pointer) in [
        (json!([]), ""),
        (json!("text"), ""),
        (without("recipients"), "/recipients"),
        (without("expiresAt"), "/expiresAt"),
        (with("recipients", json!("ann@example.com")), "/recipients"),
        (with("recipients", json!([])), "/recipients"),
        (with("recipients", json!(["ann@example.com", 7])), "/recipients/1"),
        (with("recipients", json!(vec!["ann@example.com"; 101])), "/recipients"),
        (with("expiresAt", json!(1_900_000_000)), "/expiresAt"),
        (with("expiresAt", json!("2031-01-01T00:00:00")), "/expiresAt"),
        (with("expiresAt", json!("2020-01-01T00:00:00Z")), "/expiresAt"),
        (with("expiresAt", json!("2999-01-01T00:00:00Z")), "/expiresAt"),
        (with("message", json!("x".repeat(2_001))), "/message"),
        (with("message", json!(["x"])), "/message"),
        (with("files", json!([])), "/files"),
        (with("files", json!(["brief.pdf", "other.pdf"])), "/files/1"),
        (with("files", json!(["../1042/brief.pdf"])), "/files/0"),
        (with("files", json!([".."])), "/files/0"),
        (with("files", json!(["brief.pdf", "brief.pdf"])), "/files/1"),
        (with("notify", json!("yes")), "/notify"),
        (with("expires", json!("2031-01-01T00:00:00Z")), "/expires"),
    ] {
        let response = item.post(&body).await;
        assert_eq!(response.status, 422, "{body}: {response:?}");
        assert_eq!(response.problem_type(), "invalid-request", "{body}: {response:?}");
        assert_eq!(response.error_locations(), [pointer], "{body}: {response:?}");
    }
    assert!(item.list_recipients("active").await.is_empty(), "an invalid request created a share");
}

#[tokio::test]
async fn item_without_files_cannot_be_shared() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &[]).await;
    // A file in a subfolder does not belong to the item.
    item.upload("folder/file.txt").await;

    let response = item.share(&[&address("ann")]).await;

    response.assert_invalid(&["/files"]);
    assert!(response.text.contains("nothing to share"), "{response:?}");
}

#[tokio::test]
async fn malformed_or_oversized_body_is_rejected() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    for body in [&b""[..], b"{", b"\xff\xfe", b"{\"recipients\": [}", b"recipients=ann", &[b'['; 5000]] {
        let response = send(item.request(Method::POST, "").body(body.to_vec())).await;
        assert_eq!(response.status, 400, "{body:?}: {response:?}");
        assert_eq!(response.problem_type(), "malformed-body", "{body:?}: {response:?}");
    }
    let oversized = item.request(Method::POST, "").body(" ".repeat(300 * 1024));
    send(oversized).await.assert_problem(413, "body-too-large");
}

#[tokio::test]
async fn invalid_module_or_item_name_is_rejected_on_every_route() {
    let stack = Stack::get().await;
    let admin = stack.token(&["admin"]).await;
    let body = create_body(&[address("ann")]);
    let too_long = "x".repeat(129);
    for name in ["a%20b", "%C3%9C", "a%23b", "a%00", "a%0d%0ab", "a:b", "a%25", "a@b", "%7B%7D", &too_long] {
        for (module, item, parameter) in [("jobs", name, "item"), (name, "1042", "module")] {
            for (method, path) in item_routes(module, item, "x") {
                let url = Url::parse(&format!("{}{path}", stack.info.api_url)).unwrap();
                let request = stack.client.request(method, url.clone()).bearer_auth(&admin).json(&body);
                let response = send(request).await;
                assert_eq!(response.status, 422, "{url}: {response:?}");
                assert_eq!(response.error_locations(), [parameter], "{url}: {response:?}");
            }
        }
    }
}

#[tokio::test]
async fn unexpected_body_is_rejected_rather_than_ignored() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let id = item.share(&[&address("ann")]).await.share_id();
    for route in ["revoke", "resend", "link"] {
        let request = || item.request(Method::POST, &format!("/{id}/{route}"));

        let with_field = send(request().json(&json!({"expiresAt": next_week()}))).await;
        assert_eq!(with_field.status, 422, "{route}: {with_field:?}");
        assert_eq!(with_field.error_locations(), ["/expiresAt"], "{route}: {with_field:?}");

        let malformed = send(request().body("x")).await;
        assert_eq!(malformed.status, 400, "{route}: {malformed:?}");

        for value in ["[1]", "0", "false", "\"x\"", "{\"a\": null}"] {
            let response = send(request().body(value)).await;
            assert_eq!(response.status, 422, "{route}: {value}: {response:?}");
        }
    }
    assert_eq!(item.get_share(&id).await["status"], "active");
}

#[tokio::test]
async fn invalid_list_parameter_is_named_in_the_error() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    for (query, parameter) in [
        ("?status=expired", "status"),
        ("?status=", "status"),
        ("?status=active,inactive", "status"),
        ("?status=active&status=active", "status"),
        ("?limit=5,junk", "limit"),
        ("?limit=0", "limit"),
        ("?limit=101", "limit"),
        ("?limit=-1", "limit"),
        ("?limit=ten", "limit"),
        ("?limit=99999999999999999999", "limit"),
        ("?cursor=x", "cursor"),
        ("?cursor=", "cursor"),
        ("?cursor=%F0%9F%8E%89", "cursor"),
        ("?cursor=MjAyNi0wMS0wMVQwMDowMDowMFojMDA", "cursor"),
    ] {
        let response = item.get(query).await;
        assert_eq!(response.status, 422, "{query}: {response:?}");
        assert_eq!(response.error_locations(), [parameter], "{query}: {response:?}");
    }
}

#[tokio::test]
async fn unknown_share_id_is_not_found() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    for id in ["0123456789abcdef0123456789abcdef", "x", "0123456789ABCDEF0123456789ABCDEF", "%00"] {
        for (method, path) in [(Method::GET, ""), (Method::POST, "/revoke")] {
            let response = item.call(method, &format!("/{id}{path}")).await;
            assert_eq!(response.status, 404, "{id}: {response:?}");
            assert_eq!(response.problem_type(), "share-not-found", "{id}: {response:?}");
        }
    }
}

#[tokio::test]
async fn share_has_at_most_100_files() {
    let stack = Stack::get().await;
    let files: Vec<String> = (0..101).map(|n| format!("{n}.txt")).collect();
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    let item = TestItem::with_files(&stack, &names).await;

    let all_files = item.share(&[&address("ann")]).await;
    all_files.assert_invalid(&["/files"]);
    assert!(all_files.text.contains("name those to share"), "{all_files:?}");

    let share_files = async |files: &[&str]| {
        item.post(&create_body_with(&[address("ann")], &json!({"files": files}))).await
    };
    share_files(&names).await.assert_status(422);
    share_files(&names[..100]).await.assert_status(201);
}

#[tokio::test]
async fn file_with_unshareable_name_is_left_out_with_a_warning() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["good.txt", "bad\u{7f}.txt"]).await;

    let response = item.share(&[&address("ann")]).await;

    response.assert_status(201);
    assert_eq!(response.json()["warnings"][0]["code"], "filesLeftOut");
    assert_eq!(response.json()["results"][0]["share"]["files"], json!([{"name": "good.txt", "size": 8}]));
}

#[tokio::test]
async fn largest_response_fits_within_lambdas_payload_limit() {
    const PAYLOAD_LIMIT: usize = 6 * 1024 * 1024;

    let stack = Stack::get().await;
    // JSON escapes each quote. Embedding the body as a string in Lambda's response would escape it again.
    let files: Vec<String> = (0..100).map(|n| format!("{}{n:03}", "\"".repeat(160))).collect();
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    let item = TestItem::with_files(&stack, &names).await;
    let recipients: Vec<String> = (0..100).map(|_| address(&"r".repeat(30))).collect();
    let body = create_body_with(&recipients, &json!({"message": "🎉".repeat(2_000), "notify": false}));

    let created = item.post(&body).await;
    let listed = item.get("?limit=100").await;

    for (response, status, field) in [(created, 201, "results"), (listed, 200, "shares")] {
        assert_eq!(response.status, status, "{field}");
        let size = response.text.len();
        assert!(size > 4_000_000, "{field}: only {size} bytes");
        let base64_size = size.div_ceil(3) * 4;
        assert!(base64_size + 1_000 < PAYLOAD_LIMIT, "{field}: {base64_size} bytes in Base64");
        assert_eq!(response.json()[field].as_array().unwrap().len(), 100, "{field}");
    }
}

#[tokio::test]
async fn malformed_header_is_ignored_or_gets_401() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;
    for header in
        ["x-forwarded-proto", "x-forwarded-host", "accept", "if-match", "purpose", "cookie", "x-odd"]
    {
        for bytes in [&b"\xc3\xa9"[..], b"\xff", b"[", b"a b:c", b"http://[", b"%%%", b","] {
            let name = HeaderName::from_static(header);
            let value = HeaderValue::from_bytes(bytes).unwrap();
            let list = item.request(Method::GET, "").header(name.clone(), value.clone());
            let listed = send(list).await;
            assert_eq!(listed.status, 200, "{name}: {value:?}: {listed:?}");
            let open = stack.client.get(&shared.link).header(name.clone(), value.clone());
            let opened = send(open).await;
            assert_eq!(opened.status, 302, "{name}: {value:?}: {opened:?}");
        }
    }
    for bytes in [&b""[..], b"Bearer", b"Bearer a.b.c", b"Basic YTpi", b"Bearer \xff", b"Bearer a b", b"."] {
        let value = HeaderValue::from_bytes(bytes).unwrap();
        let list = stack.client.get(item.url("")).header("authorization", value.clone());
        let listed = send(list).await;
        assert_eq!(listed.status, 401, "{value:?}: {listed:?}");
    }
}
