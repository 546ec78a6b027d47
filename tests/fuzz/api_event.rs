//! Whatever a caller puts into a request, it is read or refused.

#![no_main]

mod edited;

use std::sync::LazyLock;

use edited::Json;
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
    /// Any JSON, or an event that somebody has meddled with.
    Json(Json<'a>),
    /// As API Gateway makes it of whatever somebody sends.
    Sent { headers: Vec<(Header<'a>, &'a str)>, path: [&'a str; 3], query: &'a str, body: Option<Json<'a>> },
}

#[derive(Arbitrary, Debug)]
enum Header<'a> {
    IdempotencyKey,
    IfMatch,
    Host,
    Other(&'a str),
}

static USUAL: LazyLock<Value> = LazyLock::new(|| {
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
        "body": BODY.to_string(), "isBase64Encoded": false,
    })
});

static BODY: LazyLock<Value> = LazyLock::new(|| json!({"recipients": ["ann@example.com"], "notify": true}));

/// As the functions' bodies are.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    recipients: Option<Vec<String>>,
    notify: Option<bool>,
}

/// What handlers do with a request.
fn handle(request: &Request) -> Result<(), Problem> {
    let sharer = Sharer { sub: "u1".into(), name: None, email: None };
    let _ = (route_key(request), path_parameter(request, "shareId"), query_parameter(request, "limit"));
    let _ = (header(request, "accept"), parse_if_match(request), require_empty_body(request));
    // `lambda_http` would make a URL of it.
    assert!(header(request, "host").is_none());
    let item = parse_item(request)?;
    assert_eq!(sharelink_domain::Item::parse(&item.to_string()), Ok(item));
    let body: Body = parse_json_body(request)?;
    idempotent_request(request, &sharer, &body).map(drop)
}

fuzz_target!(
    init: assert!(parse_event(USUAL.to_string().as_bytes()).is_ok_and(|request| handle(&request).is_ok())),
    |event: Event| {
        let json = match event {
            Event::Json(json) => json.text(&USUAL),
            Event::Sent { headers, path: [module, item, share], query, body } => {
                let name = |header: &Header| match *header {
                    Header::IdempotencyKey => "idempotency-key".to_owned(),
                    Header::IfMatch => "if-match".to_owned(),
                    Header::Host => "host".to_owned(),
                    Header::Other(name) => name.to_owned(),
                };
                let mut event = USUAL.clone();
                event["headers"] = headers.iter().map(|(k, v)| (name(k), json!(v))).collect::<Map<_, _>>().into();
                event["pathParameters"] = json!({"module": module, "item": item, "shareId": share});
                event["queryStringParameters"] = json!({"limit": query, "cursor": query});
                event["rawQueryString"] = query.into();
                event["body"] = body.map(|body| String::from_utf8_lossy(&body.text(&BODY)).into_owned()).into();
                event.to_string().into_bytes()
            }
        };
        let Ok(request) = parse_event(&json) else { return };
        let Err(problem) = handle(&request) else { return };
        let answer = problem.into_response();
        assert!(answer.status().is_client_error() && serde_json::from_slice::<Value>(answer.body()).is_ok());
    }
);
