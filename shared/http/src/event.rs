//! From API Gateway's event to a request, and from an answer to its response.

use std::collections::HashMap;
use std::future::Future;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::aws_lambda_events::apigw::{
    ApiGatewayRequestAuthorizer, ApiGatewayRequestAuthorizerJwtDescription, ApiGatewayV2httpRequest,
    ApiGatewayV2httpRequestContext,
};
use lambda_http::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use lambda_http::http::method::InvalidMethod;
use lambda_http::http::{self, StatusCode};
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::{Body, LambdaEvent, RequestExt};
use lambda_runtime::{Error, service_fn};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use sharelink_domain::Item;
use sharelink_domain::names::NameError;
use sharelink_runtime::Metrics;
use tokio::time::timeout;

use crate::{FieldError, Problem, ProblemType};

/// What a caller sent. Only the route key, the parameters, the body and the headers below are to be trusted:
/// the path, `Host` and `X-Forwarded-*` are gone.
pub type Request = lambda_http::Request;

/// What a caller gets.
pub type Response = http::Response<Body>;

/// The headers that a function may read.
const HEADERS: [&str; 10] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "idempotency-key",
    "if-match",
    "purpose",
    "sec-purpose",
    "x-moz",
    "x-purpose",
];

/// What is kept of a function's time to answer that the rest of it is up.
const RESERVE: Duration = Duration::from_secs(1);

/// Runs a function behind the API: one handler for all its routes, and a clear answer for each request, within the
/// time that the function has.
pub async fn run<H, F>(metrics: &Metrics, handler: H) -> Result<(), Error>
where
    H: Fn(Request) -> F,
    F: Future<Output = Result<Response, Problem>>,
{
    lambda_runtime::run(service_fn(|event: LambdaEvent<Event>| {
        let start = Instant::now();
        let request = Request::from(event.payload.0);
        let route = route(&request).to_owned();
        let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
        // On the heap: it holds whatever the handler holds across its calls to AWS.
        let answer = timeout(left.saturating_sub(RESERVE), Box::pin(handler(request)));
        async move {
            let answer = answer.await.unwrap_or_else(|_| {
                tracing::error!("a request has taken too long");
                Err(ProblemType::TemporarilyUnavailable.into())
            });
            let answer = answer.unwrap_or_else(|problem| {
                problem.kind().count();
                problem.into_response()
            });
            let duration_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(route, status = answer.status().as_u16(), duration_ms, "answered");
            metrics.flush();
            Ok::<_, Error>(to_gateway_response(answer))
        }
    }))
    .await
}

/// An HTTP API event (payload 2.0), without what its parsers choke on.
///
/// `lambda_http` panics on a `Host`, a path or a query that make no URL, and fails at a header that is not
/// ASCII; a caller could reach all of these. None of them is needed, so only what is gets that far.
struct Event(LambdaRequest);

/// What is read of an event.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventFields {
    body: Option<String>,
    headers: Option<HashMap<String, Value>>,
    #[serde(default)]
    is_base64_encoded: bool,
    path_parameters: Option<HashMap<String, String>>,
    query_string_parameters: Option<HashMap<String, String>>,
    request_context: ContextFields,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContextFields {
    authorizer: Option<AuthorizerFields>,
    http: HttpFields,
    route_key: Option<String>,
}

#[derive(Deserialize)]
struct AuthorizerFields {
    jwt: Option<JwtFields>,
}

#[derive(Deserialize)]
struct JwtFields {
    claims: Option<HashMap<String, Value>>,
}

#[derive(Deserialize)]
struct HttpFields {
    method: String,
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The message of a parser may quote the event.
        let no_event = || D::Error::custom("not an HTTP API event");
        let fields = EventFields::deserialize(deserializer).map_err(|_| no_event())?;
        // `lambda_http` takes base64 for granted.
        let body = fields.body.as_ref().filter(|_| fields.is_base64_encoded);
        if body.is_some_and(|body| STANDARD.decode(body).is_err()) {
            return Err(no_event());
        }
        fields.try_into().map(Self).map_err(|_: InvalidMethod| no_event())
    }
}

impl TryFrom<EventFields> for LambdaRequest {
    type Error = InvalidMethod;

    fn try_from(event: EventFields) -> Result<Self, InvalidMethod> {
        let mut context = ApiGatewayV2httpRequestContext::default();
        context.http.method = event.request_context.http.method.parse()?;
        context.route_key = event.request_context.route_key;
        context.stage = Some("$default".to_owned());
        context.authorizer = event.request_context.authorizer.map(|authorizer| {
            let mut verified = ApiGatewayRequestAuthorizer::default();
            verified.jwt = authorizer.jwt.map(|jwt| {
                let mut description = ApiGatewayRequestAuthorizerJwtDescription::default();
                let text =
                    |(name, claim)| if let Value::String(claim) = claim { Some((name, claim)) } else { None };
                description.claims = jwt.claims.into_iter().flatten().filter_map(text).collect();
                description
            });
            verified
        });
        let mut request = ApiGatewayV2httpRequest::default();
        request.raw_path = Some("/".to_owned());
        request.path_parameters = event.path_parameters.unwrap_or_default();
        // Without `rawQueryString`, `lambda_http` takes the parameters that the gateway has parsed.
        request.query_string_parameters = event.query_string_parameters.unwrap_or_default().into();
        request.headers = event.headers.unwrap_or_default().into_iter().filter_map(known_header).collect();
        request.body = event.body;
        request.is_base64_encoded = event.is_base64_encoded;
        request.request_context = context;
        Ok(Self::ApiGatewayV2(request))
    }
}

/// A header that a function may read. One that is no text stays, empty: a wrong header must not pass for a missing one.
fn known_header((name, value): (String, Value)) -> Option<(HeaderName, HeaderValue)> {
    let name = HEADERS.into_iter().find(|known| known.eq_ignore_ascii_case(&name))?;
    let value = value.as_str().filter(|value| is_header_text(value)).unwrap_or_default();
    Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?))
}

/// The request of an HTTP API event.
pub fn read_event(json: &[u8]) -> Result<Request, serde_json::Error> {
    serde_json::from_slice::<Event>(json).map(|Event(request)| request.into())
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

/// A text larger than this goes to the gateway in base64, which adds a third. As it is it would be escaped a
/// second time, and quotes alone could take it past the 6 MB that a function may answer.
const TEXT_LIMIT: usize = 1024 * 1024;

fn to_gateway_response(answer: Response) -> GatewayResponse {
    let (parts, body) = answer.into_parts();
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.as_str().to_owned(), Value::from(value.to_str().ok()?)))
    };
    let (is_base64_encoded, body) = match body {
        Body::Text(text) if text.len() <= TEXT_LIMIT => (false, text),
        body => (!body.is_empty(), STANDARD.encode(body)),
    };
    GatewayResponse {
        status_code: parts.status.as_u16(),
        headers: parts.headers.iter().filter_map(header).collect(),
        body,
        is_base64_encoded,
    }
}

/// An answer in JSON. Not to be stored: it is about people, and true only now.
pub fn json_response(status: StatusCode, content_type: &'static str, body: &impl Serialize) -> Response {
    let (status, body) = match serde_json::to_string(body) {
        Ok(body) => (status, body),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "{}".to_owned()),
    };
    let mut answer = Response::new(body.into());
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
pub fn parse_item(request: &Request) -> Result<Item, Problem> {
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

    pub(crate) fn request(event: &Value) -> Request {
        read_event(event.to_string().as_bytes()).unwrap()
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
        let request = request(&event(&json!({"Accept": "text/html"}), &json!({})));
        assert_eq!(route(&request), "POST /modules/{module}/items/{item}/shares");
        assert_eq!(parse_item(&request).unwrap().to_string(), "jobs/1042");
        assert_eq!(query_parameter(&request, "limit").as_deref(), Some("2"));
        assert_eq!(header(&request, "accept"), Some("text/html"));
    }

    #[test]
    fn a_body_that_is_no_base64_is_no_event() {
        let mut event = event(&json!({}), &json!({}));
        event["isBase64Encoded"] = true.into();
        for (body, is_read) in [("e30=", true), ("e30", false), ("{}", false)] {
            event["body"] = body.into();
            assert_eq!(read_event(event.to_string().as_bytes()).is_ok(), is_read, "{body}");
        }
    }

    #[test]
    fn a_wrong_header_does_not_pass_for_a_missing_one() {
        for wrong in [json!("é"), json!("\u{0}"), json!(7)] {
            let request = request(&event(&json!({"Idempotency-Key": wrong, "host": "a"}), &json!({})));
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
                assert_eq!(super::header(&request(&event), "host"), None);
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
            let _ = parse_item(&request(&event));
        }
    }
}
