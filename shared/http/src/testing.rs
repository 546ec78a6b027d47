//! Fixtures shared by the tests of several modules.

use serde_json::{Value, json};

use crate::{Request, parse_event};

/// Parses an event into a request.
pub(crate) fn request(event: &Value) -> Request {
    parse_event(event.to_string().as_bytes()).unwrap()
}

/// Creates an HTTP API event with these request headers and these authorizer claims.
pub(crate) fn event(headers: &Value, claims: &Value) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "POST /modules/{module}/items/{item}/shares",
        "rawPath": "/modules/jobs/items/1042/shares",
        "rawQueryString": "limit=2",
        "headers": headers,
        "queryStringParameters": {"limit": "2"},
        "pathParameters": {"module": "jobs", "item": "1042"},
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "example.com", "requestId": "r",
            "routeKey": "POST /modules/{module}/items/{item}/shares", "stage": "$default",
            "authorizer": {"jwt": {"claims": claims, "scopes": null}},
            "http": {"method": "POST", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
                     "userAgent": "u"},
            "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": 0,
        },
        "body": "{}",
        "isBase64Encoded": false,
    })
}
