//! Every API request is either parsed or refused with a client error.

#![no_main]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a fuzz target fails by a panic")]

mod json_input;

use std::sync::LazyLock;

use json_input::JsonInput;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sharelink_domain::Sharer;
use sharelink_http::{
    Problem, Request, header, idempotent_request, parse_event, parse_if_match, parse_item, parse_json_body,
    path_parameter, query_parameter, require_empty_body, route_key,
};

#[derive(Arbitrary, Debug)]
enum Event<'a> {
    /// Raw bytes, or the sample event with values replaced.
    Raw(JsonInput<'a>),
    /// An event as API Gateway builds it from a caller's request.
    Gateway {
        headers: Vec<(Header<'a>, &'a str)>,
        path: [&'a str; 3],
        query: &'a str,
        body: Option<JsonInput<'a>>,
    },
}

#[derive(Arbitrary, Debug)]
enum Header<'a> {
    IdempotencyKey,
    IfMatch,
    Host,
    Other(&'a str),
}

static SAMPLE_EVENT: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "version": "2.0", "routeKey": "POST /", "rawPath": "/modules/jobs", "rawQueryString": "limit=2",
        "headers": {"Idempotency-Key": "k", "if-match": "\"1\"", "host": "example.com", "accept": "*/*"},
        "queryStringParameters": {"limit": "2"},
        "pathParameters": {"module": "jobs", "item": "1042", "shareId": "877fab806afa6fcb1a85617f9ffe0709"},
        "requestContext": {
            "routeKey": "POST /", "stage": "$default", "domainName": "example.com",
            "http": {"method": "POST", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
            "authorizer": {"jwt": {"claims": {"sub": "u1"}, "scopes": null}},
        },
        "body": SAMPLE_BODY.to_string(), "isBase64Encoded": false,
    })
});

static SAMPLE_BODY: LazyLock<Value> =
    LazyLock::new(|| json!({"recipients": ["ann@example.com"], "notify": true}));

/// A request body, declared like those in the functions.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    recipients: Option<Vec<String>>,
    notify: Option<bool>,
}

/// Makes the same calls as the handlers do to parse a request.
fn parse_request(request: &Request) -> Result<(), Problem> {
    let sharer = Sharer { sub: "u1".into(), name: None, email: None };
    let _ = route_key(request);
    let _ = path_parameter(request, "shareId");
    let _ = query_parameter(request, "limit");
    let _ = header(request, "accept");
    let _ = parse_if_match(request);
    let _ = require_empty_body(request);
    // The host must be removed: it is untrusted, and `lambda_http` would build a URL from it.
    assert_eq!(header(request, "host"), None);
    let item = parse_item(request)?;
    assert_eq!(sharelink_domain::Item::parse(&item.to_string()), Ok(item));
    let body: Body = parse_json_body(request)?;
    idempotent_request(request, &sharer, &body).map(drop)
}

fn gateway_event(
    headers: &[(Header, &str)],
    [module, item, share]: [&str; 3],
    query: &str,
    body: Option<JsonInput>,
) -> Value {
    let name = |header: &Header| match *header {
        Header::IdempotencyKey => "idempotency-key".to_owned(),
        Header::IfMatch => "if-match".to_owned(),
        Header::Host => "host".to_owned(),
        Header::Other(name) => name.to_owned(),
    };
    let body = body.map(|body| String::from_utf8_lossy(&body.into_bytes(&SAMPLE_BODY)).into_owned());
    let mut event = SAMPLE_EVENT.clone();
    event["headers"] = headers.iter().map(|(k, v)| (name(k), json!(v))).collect::<Map<_, _>>().into();
    event["pathParameters"] = json!({"module": module, "item": item, "shareId": share});
    event["queryStringParameters"] = json!({"limit": query, "cursor": query});
    event["rawQueryString"] = query.into();
    event["body"] = body.into();
    event
}

fuzz_target!(
    init: {
        let request = parse_event(SAMPLE_EVENT.to_string().as_bytes()).expect("the sample event is valid");
        assert!(parse_request(&request).is_ok(), "the sample request was refused");
    },
    |event: Event| {
        let json = match event {
            Event::Raw(json) => json.into_bytes(&SAMPLE_EVENT),
            Event::Gateway { headers, path, query, body } => {
                gateway_event(&headers, path, query, body).to_string().into_bytes()
            }
        };
        let Ok(request) = parse_event(&json) else { return };
        let Err(problem) = parse_request(&request) else { return };
        let response = problem.into_response();
        assert!(response.status().is_client_error(), "{}", response.status());
        assert!(serde_json::from_slice::<Value>(response.body()).is_ok(), "the body is not JSON");
    }
);
