//! Serves the components' modules.

use lambda_http::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, VARY,
};
use sharelink_http::{Problem, ProblemType, Request, Response, header, path_parameter, route_key};

use crate::components::{Components, Document, ENTRY};

pub(crate) struct ServeUi {
    /// `None` if the deployment does not serve the components.
    pub(crate) components: Option<Components>,
}

/// `Cache-Control` for the current version: one year, because a version never changes.
const CACHE_VERSIONED: &str = "public, max-age=31536000, immutable";

/// `Cache-Control` for the entry module and the documents: five minutes. After a deployment, frontends may
/// use the previous version for that long.
const CACHE_ENTRY: &str = "public, max-age=300";

impl ServeUi {
    pub(crate) fn handle(&self, request: &Request) -> Result<Response, Problem> {
        let components = self.components.as_ref().ok_or(ProblemType::RouteNotFound)?;
        let file = path_parameter(request, "file");
        match route_key(request) {
            "GET /ui/{file}" if file == ENTRY => Ok(script_response(components.entry_source(), CACHE_ENTRY)),
            "GET /ui/{file}" => {
                let document = Document::find(&file).ok_or(ProblemType::RouteNotFound)?;
                Ok(file_response(document.content_type, document.text, CACHE_ENTRY))
            }
            "GET /ui/{version}/{file}" if file == ENTRY => Ok(module_response(components, request)),
            _ => Err(ProblemType::RouteNotFound.into()),
        }
    }
}

/// Returns the components. A request for a different version gets the current one, so that a page that cached
/// an old entry module still works. Such a response must not be cached, because its URL names a different
/// version.
fn module_response(components: &Components, request: &Request) -> Response {
    let is_current = path_parameter(request, "version") == components.version;
    let cache_control = if is_current { CACHE_VERSIONED } else { "no-store" };
    if !accepts_gzip(header(request, "accept-encoding")) {
        return script_response(components.source, cache_control);
    }
    let mut response = script_response(components.compressed.to_vec(), cache_control);
    response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response
}

/// Returns whether an `Accept-Encoding` header accepts gzip (RFC 9110, section 12.5.3).
fn accepts_gzip(accept_encoding: Option<&str>) -> bool {
    accept_encoding.unwrap_or_default().split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*");
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>);
        is_gzip && weight.is_ok_and(|weight| weight > 0.0)
    })
}

fn script_response(body: impl Into<lambda_http::Body>, cache_control: &'static str) -> Response {
    file_response("text/javascript; charset=utf-8", body, cache_control)
}

/// Creates a response with a file. API Gateway adds the CORS headers, as it does for every route.
fn file_response(
    content_type: &'static str,
    body: impl Into<lambda_http::Body>,
    cache_control: &'static str,
) -> Response {
    let mut response = Response::new(body.into());
    for (name, value) in [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, cache_control),
        (VARY, "Accept-Encoding, Origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sharelink_http::parse_event;

    use super::*;

    fn request(route_key: &str, file: &str) -> Request {
        let event = json!({
            "pathParameters": {"version": "any", "file": file},
            "requestContext": {"routeKey": route_key, "http": {"method": "GET"}},
        });
        parse_event(event.to_string().as_bytes()).unwrap()
    }

    fn serve_ui() -> ServeUi {
        ServeUi { components: Some(Components::embedded()) }
    }

    fn problem_type(serve_ui: &ServeUi, route_key: &str, file: &str) -> ProblemType {
        serve_ui.handle(&request(route_key, file)).unwrap_err().problem_type()
    }

    #[test]
    fn both_routes_serve_the_entry_module() {
        for route_key in ["GET /ui/{file}", "GET /ui/{version}/{file}"] {
            let response = serve_ui().handle(&request(route_key, ENTRY)).unwrap();
            assert_eq!(response.status(), 200, "{route_key}");
        }
    }

    #[test]
    fn unknown_route_is_not_found() {
        for route_key in ["POST /ui/{file}", "GET /s/{token}", "$default", ""] {
            let refused = problem_type(&serve_ui(), route_key, ENTRY);
            assert_eq!(refused, ProblemType::RouteNotFound, "{route_key}");
        }
    }

    #[test]
    fn only_the_entry_module_has_an_unversioned_url() {
        let refused = problem_type(&serve_ui(), "GET /ui/{file}", "dom.js");
        assert_eq!(refused, ProblemType::RouteNotFound);
    }

    #[test]
    fn documents_have_only_unversioned_urls() {
        for (file, content_type) in
            [("types.d.ts", "text/plain; charset=utf-8"), ("custom-elements.json", "application/json")]
        {
            let response = serve_ui().handle(&request("GET /ui/{file}", file)).unwrap();
            assert_eq!(response.headers()[CONTENT_TYPE], content_type);
            let refused = problem_type(&serve_ui(), "GET /ui/{version}/{file}", file);
            assert_eq!(refused, ProblemType::RouteNotFound, "{file}");
        }
    }

    #[test]
    fn deployment_without_components_serves_nothing() {
        let refused = problem_type(&ServeUi { components: None }, "GET /ui/{file}", ENTRY);
        assert_eq!(refused, ProblemType::RouteNotFound);
    }

    #[test]
    fn gzip_is_used_only_if_accepted() {
        for (accept_encoding, is_accepted) in [
            (None, false),
            (Some("gzip, deflate, br"), true),
            (Some("br;q=1.0, GZIP;q=0.5"), true),
            (Some("*"), true),
            (Some("gzip;q=0"), false),
            (Some("gzip; q=0.000"), false),
            (Some("br"), false),
        ] {
            assert_eq!(accepts_gzip(accept_encoding), is_accepted, "{accept_encoding:?}");
        }
    }
}
