//! Responses, and their conversion to API Gateway's format.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::Body;
use lambda_http::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use lambda_http::http::{self, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};

/// A response to a caller.
pub type Response = http::Response<Body>;

/// Creates a JSON response that caches must not store, because it may contain personal data and can become
/// outdated at any time.
pub fn json_response(status: StatusCode, content_type: &'static str, body: &impl Serialize) -> Response {
    let (status, body) = match serde_json::to_string(body) {
        Ok(body) => (status, body),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "{}".to_owned()),
    };
    text_response(status, content_type, body)
}

/// Creates a text response that caches must not store, as in [`json_response`].
pub fn text_response(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Adds the security headers that every response of every function has: browsers use only HTTPS for this host
/// for a year, and do not guess content types.
pub(crate) fn with_security_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// A response in API Gateway's format (payload format 2.0).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GatewayResponse {
    status_code: u16,
    headers: Map<String, Value>,
    body: String,
    is_base64_encoded: bool,
}

/// The maximum size, in bytes, of a body that is sent to API Gateway as plain text. A larger body is sent in
/// base64, which adds a third to its size. As plain text, it would be JSON-escaped a second time, and the
/// escaped quotes alone could push it past Lambda's 6 MB response limit.
const PLAIN_TEXT_LIMIT: usize = 1024 * 1024;

impl From<Response> for GatewayResponse {
    fn from(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let header = |(name, value): (&HeaderName, &HeaderValue)| {
            Some((name.as_str().to_owned(), Value::from(value.to_str().ok()?)))
        };
        let (is_base64_encoded, body) = match body {
            Body::Text(text) if text.len() <= PLAIN_TEXT_LIMIT => (false, text),
            body => (!body.is_empty(), STANDARD.encode(body)),
        };
        Self {
            status_code: parts.status.as_u16(),
            headers: parts.headers.iter().filter_map(header).collect(),
            body,
            is_base64_encoded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_response_is_https_only_and_not_sniffed() {
        let mut sniffed = Response::new(Body::Empty);
        sniffed.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("no"));
        for response in [json_response(StatusCode::OK, "application/json", &1), sniffed] {
            let response = with_security_headers(response);
            assert_eq!(response.headers()[STRICT_TRANSPORT_SECURITY], "max-age=31536000");
            assert_eq!(response.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
        }
    }
}
