//! From API Gateway's event to a request, and from an answer to its response.

use std::future::Future;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use lambda_http::http::{Response, StatusCode};
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::{LambdaEvent, RequestExt};
use lambda_runtime::{Error, service_fn};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use sharelink_domain::Item;
use sharelink_domain::names::NameError;

use crate::{FieldError, Problem};

/// What a caller sent. Only the route key, the parameters, the body and the headers below are to be trusted:
/// the path, `Host` and `X-Forwarded-*` are gone.
pub type Request = lambda_http::Request;

/// What a caller gets.
pub type Answer = Response<String>;

/// The headers that a function may read.
const HEADERS: [&str; 8] = [
    "accept",
    "authorization",
    "idempotency-key",
    "if-match",
    "purpose",
    "sec-purpose",
    "x-moz",
    "x-purpose",
];

/// Runs a function behind the API: one handler for all its routes.
pub async fn run<H, F>(handler: H) -> Result<(), Error>
where
    H: Fn(Request) -> F,
    F: Future<Output = Result<Answer, Problem>>,
{
    lambda_runtime::run(service_fn(|event: LambdaEvent<Event>| {
        let start = Instant::now();
        let request_id = event.context.request_id.clone();
        let request = Request::from(event.payload.0);
        let route = route(&request).to_owned();
        // On the heap: it holds whatever the handler holds across its calls to AWS.
        let answer = Box::pin(handler(request));
        async move {
            let answer = answer.await.unwrap_or_else(Problem::into_answer);
            let duration_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(request_id, route, status = answer.status().as_u16(), duration_ms, "answered");
            Ok::<_, Error>(into_response(answer))
        }
    }))
    .await
}

/// An HTTP API event, cleaned of what its parsers choke on.
///
/// `lambda_http` panics on a `Host`, a path or a query that make no URL, and fails at a header that is not
/// ASCII; a caller could reach all of these. None of them is needed, so they go before it sees the event.
struct Event(LambdaRequest);

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut event = Value::deserialize(deserializer)?;
        clean(&mut event);
        // The message of a parser may quote the event.
        LambdaRequest::deserialize(event)
            .map(Self)
            .map_err(|_| serde::de::Error::custom("not an HTTP API event"))
    }
}

fn clean(event: &mut Value) {
    let Some(event) = event.as_object_mut() else { return };
    event.insert("rawPath".into(), "/".into());
    // Without it, `lambda_http` takes the parameters that the gateway has parsed.
    event.remove("rawQueryString");
    event.remove("cookies");
    if let Some(headers) = event.get_mut("headers").and_then(Value::as_object_mut) {
        headers.retain(|name, _| HEADERS.contains(&name.to_ascii_lowercase().as_str()));
        for value in headers.values_mut() {
            // Not away with it: a wrong header must not pass for a missing one.
            if value.as_str().is_none_or(|value| !is_header_text(value)) {
                *value = "".into();
            }
        }
    }
    if let Some(context) = event.get_mut("requestContext").and_then(Value::as_object_mut) {
        context.remove("domainName");
        context.remove("domainPrefix");
        context.insert("stage".into(), "$default".into());
        if let Some(claims) = context
            .get_mut("authorizer")
            .and_then(|authorizer| authorizer.get_mut("jwt"))
            .and_then(|jwt| jwt.get_mut("claims"))
            .and_then(Value::as_object_mut)
        {
            claims.retain(|_, claim| claim.is_string());
        }
    }
}

/// Visible ASCII, spaces and tabs.
fn is_header_text(value: &str) -> bool {
    HeaderValue::from_str(value).is_ok_and(|value| value.to_str().is_ok())
}

/// The response as API Gateway takes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GatewayResponse {
    status_code: u16,
    headers: serde_json::Map<String, Value>,
    body: String,
    is_base64_encoded: bool,
}

/// A body larger than this goes to the gateway in base64, which adds a third. As text it would be escaped a
/// second time, and quotes alone could take it past the 6 MB that a function may answer.
const TEXT_LIMIT: usize = 1024 * 1024;

fn into_response(answer: Answer) -> GatewayResponse {
    let (parts, body) = answer.into_parts();
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.as_str().to_owned(), Value::from(value.to_str().ok()?)))
    };
    GatewayResponse {
        status_code: parts.status.as_u16(),
        headers: parts.headers.iter().filter_map(header).collect(),
        is_base64_encoded: body.len() > TEXT_LIMIT,
        body: if body.len() > TEXT_LIMIT { STANDARD.encode(body) } else { body },
    }
}

/// An answer in JSON. Not to be stored: it is about people, and true only now.
pub fn answer(status: StatusCode, content_type: &'static str, body: &impl Serialize) -> Answer {
    let (status, body) = match serde_json::to_string(body) {
        Ok(body) => (status, body),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "{}".to_owned()),
    };
    let mut answer = Answer::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The route that API Gateway matched, such as `GET /s/{token}`.
#[must_use]
pub fn route(request: &Request) -> &str {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.route_key.as_deref().unwrap_or_default(),
        _ => "",
    }
}

/// A header of the request.
#[must_use]
pub fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

/// A parameter of the route's path, decoded.
#[must_use]
pub fn path_parameter(request: &Request, name: &str) -> String {
    request.path_parameters_ref().and_then(|parameters| parameters.first(name)).unwrap_or_default().to_owned()
}

/// A parameter of the query, decoded. The gateway joins those that are there several times with commas, and
/// nothing that we take has one: they come back as they came, to be refused.
#[must_use]
pub fn query_parameter(request: &Request, name: &str) -> Option<String> {
    Some(request.query_string_parameters_ref()?.all(name)?.join(","))
}

/// The item that the path names.
pub fn item(request: &Request) -> Result<Item, Problem> {
    let invalid = |name: &'static str| {
        move |error: NameError| Problem::Invalid(vec![FieldError::parameter(name, error)])
    };
    Ok(Item {
        module: path_parameter(request, "module").parse().map_err(invalid("module"))?,
        name: path_parameter(request, "item").parse().map_err(invalid("item"))?,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    pub(crate) fn request(event: Value) -> Request {
        serde_json::from_value::<Event>(event).unwrap().0.into()
    }

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

    #[test]
    fn a_request_has_its_route_and_parameters() {
        let request = request(event(&json!({"Accept": "text/html"}), &json!({})));
        assert_eq!(route(&request), "POST /modules/{module}/items/{item}/shares");
        assert_eq!(item(&request).unwrap().to_string(), "jobs/1042");
        assert_eq!(query_parameter(&request, "limit").as_deref(), Some("2"));
        assert_eq!(header(&request, "accept"), Some("text/html"));
    }

    #[test]
    fn a_wrong_header_does_not_pass_for_a_missing_one() {
        for wrong in [json!("é"), json!("\u{0}"), json!(7)] {
            let request = request(event(&json!({"Idempotency-Key": wrong, "host": "a"}), &json!({})));
            assert_eq!((header(&request, "idempotency-key"), header(&request, "host")), (Some(""), None));
        }
    }

    #[test]
    fn what_the_parsers_choke_on_does_no_harm() {
        for header in ["host", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "accept"] {
            for value in ["", " ", "a b", "é", "[", "http://[", "\u{0}", "a:b:c", "%", "<>"] {
                let mut event = event(&json!({header: value}), &json!({"sub": "u", "odd": [1, {}]}));
                event["rawPath"] = value.into();
                event["rawQueryString"] = value.into();
                event["requestContext"]["domainName"] = value.into();
                event["requestContext"]["stage"] = value.into();
                assert_eq!(super::header(&request(event), "host"), None);
            }
        }
    }

    proptest! {
        #[test]
        fn no_text_in_a_callers_hand_stops_the_parser(
            name in "[a-z-]{1,20}", value in any::<String>(), path in any::<String>(), body in any::<String>(),
        ) {
            let mut event = event(&json!({name: value}), &json!({"sub": value}));
            event["rawPath"] = path.clone().into();
            event["rawQueryString"] = path.clone().into();
            event["pathParameters"]["item"] = path.clone().into();
            event["queryStringParameters"]["limit"] = path.into();
            event["body"] = body.into();
            let _ = item(&request(event));
        }
    }
}
