//! The parts of a request that handlers may read.

use std::net::IpAddr;

use lambda_http::RequestExt;
use lambda_http::request::RequestContext;
use sharelink_domain::Item;
use sharelink_domain::names::NameError;

use crate::{FieldError, Problem};

/// A request to the API. It contains only the route key, the method, the path and query parameters, the
/// verified claims, the source address, the body, and the allowed headers. The raw path, `Host` and
/// `X-Forwarded-*` are removed, because they are untrusted.
pub type Request = lambda_http::Request;

/// Returns the route that API Gateway matched, such as `GET /s/{token}`.
#[must_use]
pub fn route_key(request: &Request) -> &str {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.route_key.as_deref().unwrap_or_default(),
        _ => "",
    }
}

/// Returns the address that the request came from: behind the distribution, the viewer's.
#[must_use]
pub fn source_ip(request: &Request) -> Option<IpAddr> {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.as_deref()?.parse().ok(),
        _ => None,
    }
}

/// Returns the value of the verified claim `sub`, if the route requires a login.
#[must_use]
pub(crate) fn verified_subject(request: &Request) -> Option<String> {
    let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else { return None };
    context.authorizer.as_ref()?.jwt.as_ref()?.claims.get("sub").cloned()
}

/// Returns the value of a request header.
#[must_use]
pub fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

/// Returns a decoded path parameter, or an empty string if the route has no parameter with this name.
#[must_use]
pub fn path_parameter(request: &Request, name: &str) -> String {
    request.path_parameters_ref().and_then(|parameters| parameters.first(name)).unwrap_or_default().to_owned()
}

/// Returns a decoded query parameter.
///
/// API Gateway joins the values of a repeated parameter with commas, and the result keeps the commas. Only free
/// text may contain a comma, so any other repeated parameter is rejected as invalid.
#[must_use]
pub fn query_parameter(request: &Request, name: &str) -> Option<String> {
    Some(request.query_string_parameters_ref()?.all(name)?.join(","))
}

/// Parses the item from the path parameters `module` and `item`.
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
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing;

    #[test]
    fn request_has_route_parameters_and_headers() {
        let request = testing::request(&testing::event(&json!({"Accept": "text/html"}), &json!({})));
        assert_eq!(route_key(&request), "POST /modules/{module}/items/{item}/shares");
        assert_eq!(parse_item(&request).unwrap().to_string(), "jobs/1042");
        assert_eq!(query_parameter(&request, "limit").as_deref(), Some("2"));
        assert_eq!(header(&request, "accept"), Some("text/html"));
    }

    #[test]
    fn source_ip_comes_only_from_api_gateway() {
        let mut event = testing::event(&json!({"X-Forwarded-For": "192.0.2.1"}), &json!({}));
        event["requestContext"]["http"].as_object_mut().unwrap().remove("sourceIp");
        assert_eq!(source_ip(&testing::request(&event)), None);
        for (address, expected) in [
            ("203.0.113.7", Some("203.0.113.7")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("x", None),
            ("", None),
        ] {
            event["requestContext"]["http"]["sourceIp"] = address.into();
            let expected = expected.map(|address| address.parse().unwrap());
            assert_eq!(source_ip(&testing::request(&event)), expected, "{address}");
        }
    }
}
