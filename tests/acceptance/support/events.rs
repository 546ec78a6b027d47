//! The events that AWS invokes the functions with.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sharelink_domain::delivery::EmailId;
use sharelink_domain::{Item, ShareId};

use super::{rfc3339, unique};

/// Returns API Gateway's event for a browser's request. The caller has the Share permission in the `jobs`
/// module.
pub(crate) fn api_event(route: &str, parameters: &Value, body: &Value) -> Value {
    let method = route.split(' ').next().unwrap();
    let claims = json!({"sub": "u1", "iss": "https://login.example.com", "exp": 1_900_000_000, "name": "Ann Example",
                        "accessRights": ["producer"]});
    let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
    json!({
        "version": "2.0", "routeKey": route, "rawPath": "/", "rawQueryString": "",
        "headers": {
            "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
            "accept-encoding": "gzip, deflate, br", "accept-language": "en-GB,en;q=0.9",
            "authorization": format!("Bearer {token}"), "host": "files.example.com",
            "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0",
            "x-amzn-trace-id": "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e", "x-forwarded-for": "203.0.113.7",
            "x-forwarded-port": "443", "x-forwarded-proto": "https",
        },
        "pathParameters": parameters,
        "requestContext": {
            "accountId": "123456789012", "apiId": "a", "domainName": "files.example.com", "requestId": unique("request"),
            "routeKey": route, "stage": "$default", "time": "10/Mar/2030:12:00:00 +0000", "timeEpoch": 0,
            "authorizer": {"jwt": {"claims": {"sub": "u1", "iss": "https://login.example.com", "exp": "1900000000",
                                              "name": "Ann Example", "accessRights": "[producer]"},
                                   "scopes": null}},
            "http": {"method": method, "path": "/", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7",
                     "userAgent": "Mozilla/5.0"},
        },
        "body": if body.is_null() { Value::Null } else { body.to_string().into() },
        "isBase64Encoded": false,
    })
}

/// Replaces the caller of an event by the user with this subject, name and access rights.
pub(crate) fn with_caller(mut event: Value, sub: &str, name: &str, rights: &[&str]) -> Value {
    let claims = json!({"sub": sub, "iss": "https://login.example.com", "exp": 1_900_000_000, "name": name,
                        "accessRights": rights});
    let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
    event["headers"]["authorization"] = format!("Bearer {token}").into();
    let verified = &mut event["requestContext"]["authorizer"]["jwt"]["claims"];
    verified["sub"] = sub.into();
    verified["accessRights"] = format!("[{}]", rights.join(" ")).into();
    event
}

/// Returns the event for a recipient opening a link.
pub(crate) fn open_event(link: &str) -> Value {
    let token = link.rsplit('/').next().unwrap();
    api_event("GET /s/{token}", &json!({"token": token}), &Value::Null)
}

/// Returns the event for a request for the link or one of its files, with these request headers.
pub(crate) fn link_event(method: &str, link: &str, file: Option<usize>, headers: Value) -> Value {
    let token = link.rsplit('/').next().unwrap();
    let (path, parameters) = match file {
        None => ("/s/{token}", json!({"token": token})),
        Some(n) => ("/s/{token}/files/{n}", json!({"token": token, "n": n.to_string()})),
    };
    let mut event = api_event(&format!("{method} {path}"), &parameters, &Value::Null);
    event["headers"] = headers;
    event
}

/// Returns the event for a sharer sharing an item's files with these recipients for a week.
pub(crate) fn create_event(item: &Item, recipients: &[String], now: DateTime<Utc>) -> Value {
    let body = json!({"recipients": recipients, "expiresAt": rfc3339(now + TimeDelta::days(7))});
    api_event("POST /modules/{module}/items/{item}/shares", &path_parameters(item), &body)
}

/// Returns the event for a sharer listing an item's shares.
pub(crate) fn list_event(item: &Item) -> Value {
    api_event("GET /modules/{module}/items/{item}/shares", &path_parameters(item), &Value::Null)
}

/// Returns the event for a sharer changing a share's expiration. `version` is the value of the `If-Match`
/// header.
pub(crate) fn change_event(item: &Item, share: ShareId, version: &str, now: DateTime<Utc>) -> Value {
    let mut parameters = path_parameters(item);
    parameters["shareId"] = share.to_string().into();
    let body = json!({"expiresAt": rfc3339(now + TimeDelta::days(8))});
    let mut event = api_event("PATCH /modules/{module}/items/{item}/shares/{shareId}", &parameters, &body);
    event["headers"]["if-match"] = version.into();
    event
}

fn path_parameters(item: &Item) -> Value {
    json!({"module": item.module.to_string(), "item": item.name.to_string()})
}

/// The SES configuration set that the events name. Tests against the stack replace it with the deployed one.
pub(crate) const CONFIGURATION_SET: &str = "Emails";

/// Returns an SES event about an email, as `EventBridge` delivers it. `more` has the fields that are specific
/// to the event type.
pub(crate) fn ses_event(email: &EmailId, event_type: &str, at: DateTime<Utc>, more: &Value) -> Value {
    let mut tags =
        json!({"ses:configuration-set": [CONFIGURATION_SET], "ses:from-domain": ["sharelink.example"]});
    for (name, value) in email.to_tags() {
        tags[name] = json!([value]);
    }
    let detail_type = match event_type {
        "Delivery" => "Email Delivered",
        "Bounce" => "Email Bounced",
        "Complaint" => "Email Complaint Received",
        _ => "Email Delivery Delayed",
    };
    let mut event = json!({"timestamp": rfc3339(at)});
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({
        "version": "0", "id": "12a18625-3cf2-fd85-c1cb-0ed6e1b3f8ac", "detail-type": detail_type,
        "source": "aws.ses", "account": "123456789012", "time": rfc3339(at), "region": "us-east-1",
        "resources": ["arn:aws:ses:us-east-1:123456789012:configuration-set/Emails"],
        "detail": {
            "eventType": event_type,
            event_type.to_lowercase(): event,
            "mail": {
                "timestamp": rfc3339(at - TimeDelta::seconds(3)), "source": "no-reply@sharelink.example",
                "sendingAccountId": "123456789012", "messageId": "EXAMPLE7c191be45",
                "destination": ["secret-recipient@example.com"], "headersTruncated": false, "tags": tags,
            },
        },
    })
}
