//! API Gateway events, reduced to the fields that are safe to parse.

use std::collections::HashMap;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::aws_lambda_events::apigw::{
    ApiGatewayRequestAuthorizer, ApiGatewayRequestAuthorizerJwtDescription, ApiGatewayV2httpRequest,
    ApiGatewayV2httpRequestContext,
};
use lambda_http::http::header::{HeaderName, HeaderValue};
use lambda_http::http::method::InvalidMethod;
use lambda_http::request::LambdaRequest;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::Request;
use crate::origin::{OriginHeaders, SECRET_HEADER, VIEWER_ADDRESS_HEADER};

/// The headers that the functions may read.
pub const ALLOWED_HEADERS: [&str; 11] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "idempotency-key",
    "if-match",
    "purpose",
    "sec-purpose",
    "user-agent",
    "x-moz",
    "x-purpose",
];

/// Parses an HTTP API event into a request, without checking that it came through the distribution.
pub fn parse_event(json: &[u8]) -> Result<Request, serde_json::Error> {
    serde_json::from_slice::<HttpApiEvent>(json).map(HttpApiEvent::into_request)
}

/// An HTTP API event (payload format 2.0) that `lambda_http` can convert to a request without failing.
///
/// For an unfiltered event, `lambda_http` panics if the host, path and query do not form a URL, and fails if
/// a header is not ASCII. The caller controls all of these. Only the fields in [`EventFields`] and the
/// headers in [`ALLOWED_HEADERS`] are passed on, and a header that is not ASCII becomes empty.
pub(crate) struct HttpApiEvent {
    request: ApiGatewayV2httpRequest,
    pub(crate) origin_headers: OriginHeaders,
}

impl HttpApiEvent {
    /// Returns the route that API Gateway matched.
    pub(crate) fn route_key(&self) -> &str {
        self.request.request_context.route_key.as_deref().unwrap_or_default()
    }

    /// Replaces the source address that API Gateway saw.
    pub(crate) fn set_source_ip(&mut self, address: Option<IpAddr>) {
        self.request.request_context.http.source_ip = address.map(|address| address.to_string());
    }

    pub(crate) fn into_request(self) -> Request {
        LambdaRequest::ApiGatewayV2(self.request).into()
    }
}

/// The fields of an event that the functions use.
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
#[serde(rename_all = "camelCase")]
struct HttpFields {
    method: String,
    source_ip: Option<String>,
}

impl<'de> Deserialize<'de> for HttpApiEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Hide the parser's message, because it may quote the event.
        let invalid = || D::Error::custom("not an HTTP API event");
        let fields = EventFields::deserialize(deserializer).map_err(|_| invalid())?;
        // Check the base64 here, because `lambda_http` assumes that it is valid.
        let base64_body = fields.body.as_ref().filter(|_| fields.is_base64_encoded);
        if base64_body.is_some_and(|body| STANDARD.decode(body).is_err()) {
            return Err(invalid());
        }
        fields.try_into().map_err(|_: InvalidMethod| invalid())
    }
}

impl TryFrom<EventFields> for HttpApiEvent {
    type Error = InvalidMethod;

    fn try_from(event: EventFields) -> Result<Self, InvalidMethod> {
        let mut context = ApiGatewayV2httpRequestContext::default();
        context.http.method = event.request_context.http.method.parse()?;
        context.http.source_ip = event.request_context.http.source_ip;
        context.route_key = event.request_context.route_key;
        context.stage = Some("$default".to_owned());
        context.authorizer = event.request_context.authorizer.map(|authorizer| {
            let mut verified = ApiGatewayRequestAuthorizer::default();
            verified.jwt = authorizer.jwt.map(|jwt| {
                let mut description = ApiGatewayRequestAuthorizerJwtDescription::default();
                let to_text = |(name, claim)| claim_text(claim).map(|text| (name, text));
                description.claims = jwt.claims.into_iter().flatten().filter_map(to_text).collect();
                description
            });
            verified
        });
        let mut request = ApiGatewayV2httpRequest::default();
        request.raw_path = Some("/".to_owned());
        request.path_parameters = event.path_parameters.unwrap_or_default();
        // Without `rawQueryString`, `lambda_http` uses the query parameters that API Gateway parsed.
        request.query_string_parameters = event.query_string_parameters.unwrap_or_default().into();
        let mut headers = event.headers.unwrap_or_default();
        let origin_headers = OriginHeaders {
            secret: take_header(&mut headers, SECRET_HEADER),
            viewer_address: take_header(&mut headers, VIEWER_ADDRESS_HEADER),
        };
        request.headers = headers.into_iter().filter_map(allowed_header).collect();
        request.body = event.body;
        request.is_base64_encoded = event.is_base64_encoded;
        request.request_context = context;
        Ok(Self { request, origin_headers })
    }
}

/// Removes a header and returns its text.
fn take_header(headers: &mut HashMap<String, Value>, name: &str) -> Option<String> {
    let name = headers.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone();
    headers.remove(&name)?.as_str().map(str::to_owned)
}

/// Returns a claim as text, which is how API Gateway usually passes it. It has also passed numbers, such as
/// `exp`, with their JSON type. Any other value becomes JSON.
fn claim_text(claim: Value) -> Option<String> {
    match claim {
        Value::Null => None,
        Value::String(text) => Some(text),
        claim => Some(claim.to_string()),
    }
}

/// Returns the header if the functions may read it. Replaces an invalid value with an empty string, so that
/// the header is not mistaken for a missing one.
fn allowed_header((name, value): (String, Value)) -> Option<(HeaderName, HeaderValue)> {
    let allowed = ALLOWED_HEADERS.into_iter().find(|allowed| allowed.eq_ignore_ascii_case(&name))?;
    let text = value.as_str().filter(|text| is_header_text(text)).unwrap_or_default();
    Some((HeaderName::from_static(allowed), HeaderValue::from_str(text).ok()?))
}

/// Returns whether a header value contains only visible ASCII characters, spaces and tabs.
fn is_header_text(text: &str) -> bool {
    HeaderValue::from_str(text).is_ok_and(|value| value.to_str().is_ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::testing::{event, request};
    use crate::{header, parse_item};

    #[test]
    fn event_with_invalid_base64_body_is_rejected() {
        let mut event = event(&json!({}), &json!({}));
        event["isBase64Encoded"] = true.into();
        for (body, is_valid) in [("e30=", true), ("e30", false), ("{}", false)] {
            event["body"] = body.into();
            assert_eq!(parse_event(event.to_string().as_bytes()).is_ok(), is_valid, "{body}");
        }
    }

    #[test]
    fn invalid_header_is_present_but_empty() {
        for invalid in [json!("é"), json!("\u{0}"), json!(7)] {
            let request = request(&event(&json!({"Idempotency-Key": invalid}), &json!({})));
            assert_eq!(header(&request, "idempotency-key"), Some(""), "{invalid}");
        }
    }

    #[test]
    fn header_not_in_the_allowlist_is_removed() {
        let request = request(&event(&json!({"host": "a"}), &json!({})));
        assert_eq!(header(&request, "host"), None);
    }

    #[test]
    fn malformed_hosts_paths_and_queries_are_ignored() {
        for name in ["host", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "accept"] {
            for value in ["", " ", "a b", "é", "[", "http://[", "\u{0}", "a:b:c", "%", "<>"] {
                let mut event = event(&json!({name: value}), &json!({"sub": "u", "odd": [1, {}]}));
                event["rawPath"] = value.into();
                event["rawQueryString"] = value.into();
                event["requestContext"]["domainName"] = value.into();
                event["requestContext"]["stage"] = value.into();
                assert_eq!(header(&request(&event), "host"), None, "{name}: {value}");
            }
        }
    }

    proptest! {
        #[test]
        fn parser_does_not_panic_on_arbitrary_caller_input(
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
