//! Responses, and their conversion to the format of API Gateway.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::Body;
use lambda_http::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use lambda_http::http::{self, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};

/// A response to a caller.
pub type Response = http::Response<Body>;

/// Creates a JSON response. Caches must not store it, because it holds personal data that may change at any
/// time.
pub fn json_response(status: StatusCode, content_type: &'static str, body: &impl Serialize) -> Response {
    let (status, body) = match serde_json::to_string(body) {
        Ok(body) => (status, body),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "{}".to_owned()),
    };
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A response in the format of API Gateway (payload 2.0).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GatewayResponse {
    status_code: u16,
    headers: Map<String, Value>,
    body: String,
    is_base64_encoded: bool,
}

/// The size in bytes above which a text body is sent to API Gateway in base64, which adds a third. As plain
/// text it would be escaped a second time, and escaped quotes alone could push it past Lambda's response
/// limit of 6 MB.
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
