//! Bad input gets a clear error that points at the field, and never a 5xx.

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde_json::{Value, json};

use crate::support::contract::item_routes;
use crate::support::{Stack, TestItem, address, next_week, send};

#[tokio::test]
async fn a_wrong_field_of_a_share_is_pointed_at() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let good = json!({"recipients": [address("ann")], "expiresAt": next_week()});
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    let without = |name: &str| {
        let mut body = good.clone();
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
        (with("message", json!("a\u{0}b")), "/message"),
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
        assert_eq!(
            (response.status, response.problem_type().as_str()),
            (422, "invalid-request"),
            "{body}: {response:?}"
        );
        assert_eq!(response.error_locations(), [pointer], "{body}: {response:?}");
    }
    assert!(item.list_recipients("active").await.is_empty());
}

#[tokio::test]
async fn an_item_without_files_has_nothing_to_share() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &[]).await;
    // What is below a folder of the item is not the item's.
    item.upload("folder/file.txt").await;
    let response = item.share(&[&address("ann")]).await;
    assert_eq!((response.status, response.error_locations()), (422, vec!["/files".to_owned()]));
    assert!(response.text.contains("nothing to share"), "{response:?}");
}

#[tokio::test]
async fn a_body_that_is_not_json_is_malformed() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    for body in [&b""[..], b"{", b"\xff\xfe", b"{\"recipients\": [}", b"recipients=ann", &[b'['; 5000]] {
        let post = stack.client.post(item.url("")).bearer_auth(&item.token).body(body.to_vec());
        let response = send(post).await;
        assert_eq!(
            (response.status, response.problem_type().as_str()),
            (400, "malformed-body"),
            "{body:?}: {response:?}"
        );
    }
    let large = stack.client.post(item.url("")).bearer_auth(&item.token).body(" ".repeat(300 * 1024));
    let response = send(large).await;
    assert_eq!((response.status, response.problem_type().as_str()), (413, "body-too-large"));
}

#[tokio::test]
async fn names_outside_the_alphabet_are_refused_on_every_route() {
    let stack = Stack::get().await;
    let admin = stack.token(&["admin"]).await;
    let body = json!({"recipients": [address("ann")], "expiresAt": next_week()});
    let long = "x".repeat(129);
    for name in ["a%20b", "%C3%9C", "a%23b", "a%00", "a%0d%0ab", "a:b", "a%25", "a@b", "%7B%7D", &long] {
        for (module, item, parameter) in [("jobs", name, "item"), (name, "1042", "module")] {
            for (method, path) in item_routes(module, item, "x") {
                let url = format!("{}{path}", stack.info.api_url);
                let request =
                    stack.client.request(method, Url::parse(&url).unwrap()).bearer_auth(&admin).json(&body);
                let response = send(request).await;
                assert_eq!(response.status, 422, "{url}: {response:?}");
                assert_eq!(response.error_locations(), [parameter], "{url}: {response:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_would_be_ignored_is_refused() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let id = item.share(&[&address("ann")]).await.share_id();
    for route in ["revoke", "resend", "link"] {
        let request = || stack.client.post(item.url(&format!("/{id}/{route}"))).bearer_auth(&item.token);
        let response = send(request().json(&json!({"expiresAt": next_week()}))).await;
        assert_eq!(
            (response.status, response.error_locations()),
            (422, vec!["/expiresAt".to_owned()]),
            "{route}"
        );
        assert_eq!(send(request().body("x")).await.status, 400, "{route}");
        assert_eq!(send(request().body("[]")).await.status, 422, "{route}");
    }
    assert_eq!(item.get_share(&id).await["status"], "active");
}

#[tokio::test]
async fn a_wrong_parameter_of_a_list_is_named() {
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
        assert_eq!(response.error_locations(), [parameter], "{query}");
    }
}

#[tokio::test]
async fn a_share_that_does_not_exist_is_not_found() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    for id in ["0123456789abcdef0123456789abcdef", "x", "0123456789ABCDEF0123456789ABCDEF", "%00"] {
        for (method, rest) in [(Method::GET, ""), (Method::POST, "/revoke")] {
            let response = item.call(method, &format!("/{id}{rest}")).await;
            assert_eq!((response.status, response.problem_type().as_str()), (404, "share-not-found"), "{id}");
        }
    }
}

#[tokio::test]
async fn more_files_than_a_share_holds_must_be_named() {
    let stack = Stack::get().await;
    let names: Vec<String> = (0..101).map(|n| format!("{n}.txt")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let item = TestItem::with_files(&stack, &names).await;
    let response = item.share(&[&address("ann")]).await;
    assert_eq!((response.status, response.error_locations()), (422, vec!["/files".to_owned()]));
    assert!(response.text.contains("name those to share"), "{response:?}");
    let with =
        |files: &[&str]| json!({"recipients": [address("ann")], "expiresAt": next_week(), "files": files});
    assert_eq!(item.post(&with(&names)).await.status, 422);
    assert_eq!(item.post(&with(&names[..100])).await.status, 201);
}

#[tokio::test]
async fn a_file_whose_name_cannot_be_shared_is_left_out_with_a_warning() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["good.txt", "bad\u{7f}.txt"]).await;
    let response = item.share(&[&address("ann")]).await;
    assert_eq!(
        (response.status, response.json()["warnings"][0]["code"].as_str()),
        (201, Some("filesLeftOut"))
    );
    assert_eq!(response.json()["results"][0]["share"]["files"], json!([{"name": "good.txt", "size": 8}]));
}

#[tokio::test]
async fn the_largest_answer_fits_into_what_a_function_may_answer() {
    let stack = Stack::get().await;
    // Quotes: each is escaped in JSON, and would be once more on its way through the gateway.
    let names: Vec<String> = (0..100).map(|n| format!("{}{n:03}", "\"".repeat(160))).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let item = TestItem::with_files(&stack, &names).await;
    let recipients: Vec<String> = (0..100).map(|_| address(&"r".repeat(30))).collect();
    let body = json!({
        "recipients": recipients, "expiresAt": next_week(), "message": "🎉".repeat(2_000), "notify": false,
    });
    let limit = 6 * 1024 * 1024;
    for response in [item.post(&body).await, item.get("?limit=100").await] {
        assert!(matches!(response.status, 200 | 201), "{}", response.status);
        let in_base64 = response.text.len().div_ceil(3) * 4;
        assert!(response.text.len() > 4_000_000 && in_base64 + 1_000 < limit, "{}", response.text.len());
        assert_eq!(
            response.json()["results"].as_array().or(response.json()["shares"].as_array()).unwrap().len(),
            100
        );
    }
}

#[tokio::test]
async fn a_malformed_header_does_no_harm() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;
    for name in ["x-forwarded-proto", "x-forwarded-host", "accept", "if-match", "purpose", "cookie", "x-odd"]
    {
        for value in [&b"\xc3\xa9"[..], b"\xff", b"[", b"a b:c", b"http://[", b"%%%", b","] {
            let name = HeaderName::from_static(name);
            let value = HeaderValue::from_bytes(value).unwrap();
            let list =
                stack.client.get(item.url("")).bearer_auth(&item.token).header(name.clone(), value.clone());
            let list = send(list).await;
            assert_eq!(list.status, 200, "{name}: {value:?}: {list:?}");
            let open = send(stack.client.get(&shared.link).header(name.clone(), value.clone())).await;
            assert_eq!(open.status, 302, "{name}: {value:?}: {open:?}");
        }
    }
    for value in [&b""[..], b"Bearer", b"Bearer a.b.c", b"Basic YTpi", b"Bearer \xff", b"Bearer a b", b"."] {
        let value = HeaderValue::from_bytes(value).unwrap();
        let list = send(stack.client.get(item.url("")).header("authorization", value.clone())).await;
        assert_eq!(list.status, 401, "{value:?}: {list:?}");
    }
}
