//! Fixtures shared by the tests of several modules.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

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

/// Creates a token with these claims, and a signature that is never verified.
pub(crate) fn token(claims: &Value) -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// Returns the claims as API Gateway's authorizer passes them.
pub(crate) fn flattened(claims: &Value) -> Value {
    let claims = claims.as_object().unwrap().iter().filter(|(_, claim)| !claim.is_null());
    claims.map(|(name, claim)| (name.clone(), flattened_text(claim).into())).collect::<Map<_, _>>().into()
}

/// Returns a claim as text in the format of Go's `fmt` package, which is the format of API Gateway's lists.
pub(crate) fn flattened_text(claim: &Value) -> String {
    let join = |texts: Vec<String>| texts.join(" ");
    match claim {
        Value::String(text) => text.clone(),
        Value::Array(list) => format!("[{}]", join(list.iter().map(flattened_text).collect())),
        Value::Object(object) => {
            let entries = object.iter().map(|(name, claim)| format!("{name}:{}", flattened_text(claim)));
            format!("map[{}]", join(entries.collect()))
        }
        other => other.to_string(),
    }
}
