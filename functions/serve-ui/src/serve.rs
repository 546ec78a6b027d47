//! Serves the components' modules.

use lambda_http::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, VARY,
};
use sharelink_http::{Problem, ProblemType, Request, Response, header, path_parameter, route_key};

use crate::components::{ComponentFile, Components, Document};

pub(crate) struct ServeUi {
    /// `None` if the deployment does not serve the components.
    pub(crate) components: Option<Components>,
}

/// `Cache-Control` for the current version: one year, because a version never changes.
const CACHE_VERSIONED: &str = "public, max-age=31536000, immutable";

/// `Cache-Control` for the unversioned modules and the documents: five minutes. After a deployment, frontends may
/// use the previous version for that long.
const CACHE_ENTRY: &str = "public, max-age=300";

impl ServeUi {
    pub(crate) fn handle(&self, request: &Request) -> Result<Response, Problem> {
        let components = self.components.as_ref().ok_or(ProblemType::RouteNotFound)?;
        let file = path_parameter(request, "file");
        match route_key(request) {
            "GET /ui/{file}" => {
                if let Some(module) = ComponentFile::find(&file).filter(|file| file.is_module()) {
                    return Ok(file_response(
                        module.content_type,
                        components.entry_source(module),
                        CACHE_ENTRY,
                    ));
                }
                let document = Document::find(&file).ok_or(ProblemType::RouteNotFound)?;
                Ok(file_response(document.content_type, document.text, CACHE_ENTRY))
            }
            "GET /ui/{version}/{file}" => {
                let file = ComponentFile::find(&file).ok_or(ProblemType::RouteNotFound)?;
                Ok(versioned_response(components, file, request))
            }
            _ => Err(ProblemType::RouteNotFound.into()),
        }
    }
}

/// Returns a file of the components. A request for a different version gets the current one, so that a page that cached
/// an old entry module still works. Such a response must not be cached, because its URL names a different
/// version.
fn versioned_response(components: &Components, file: &ComponentFile, request: &Request) -> Response {
    let is_current = path_parameter(request, "version") == components.version;
    let cache_control = if is_current { CACHE_VERSIONED } else { "no-store" };
    if !accepts_gzip(header(request, "accept-encoding")) {
        return file_response(file.content_type, file.source, cache_control);
    }
    let mut response = file_response(file.content_type, file.compressed.to_vec(), cache_control);
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

    const ENTRY: &str = "sharelink.js";

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
    fn both_routes_serve_the_modules() {
        for route_key in ["GET /ui/{file}", "GET /ui/{version}/{file}"] {
            for module in [ENTRY, "my-shares.js"] {
                let response = serve_ui().handle(&request(route_key, module)).unwrap();
                assert_eq!(response.status(), 200, "{route_key} {module}");
            }
        }
    }

    #[test]
    fn texts_have_only_versioned_urls() {
        let response = serve_ui().handle(&request("GET /ui/{version}/{file}", "de.json")).unwrap();
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        let refused = problem_type(&serve_ui(), "GET /ui/{file}", "de.json");
        assert_eq!(refused, ProblemType::RouteNotFound);
    }

    #[test]
    fn unknown_route_is_not_found() {
        for route_key in ["POST /ui/{file}", "GET /s/{token}", "$default", ""] {
            let refused = problem_type(&serve_ui(), route_key, ENTRY);
            assert_eq!(refused, ProblemType::RouteNotFound, "{route_key}");
        }
    }

    #[test]
    fn parts_of_a_module_have_no_url() {
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
