//! Answering with a module.

use lambda_http::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, VARY, X_CONTENT_TYPE_OPTIONS,
};
use sharelink_http::{Problem, ProblemType, Request, Response, header, path_parameter, route_key};

use crate::components::{Components, ENTRY};

pub(crate) struct ServeUi {
    /// None where the deployment serves none.
    pub(crate) components: Option<Components>,
}

/// A version never changes.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// How long after a deployment a frontend may still get the version before.
const SOON: &str = "public, max-age=300";

impl ServeUi {
    pub(crate) fn handle(&self, request: &Request) -> Result<Response, Problem> {
        let components = self.components.as_ref().ok_or(ProblemType::RouteNotFound)?;
        let file = path_parameter(request, "file");
        if route_key(request) == "GET /ui/{file}" {
            let present = format!("export * from \"./{}/{ENTRY}\";\n", components.version());
            return if file == ENTRY {
                Ok(script(present, SOON))
            } else {
                Err(ProblemType::RouteNotFound.into())
            };
        }
        let module = components.find(&file).ok_or(ProblemType::RouteNotFound)?;
        // A page that has the entry of a version before gets a whole one all the same.
        let is_present = path_parameter(request, "version") == components.version();
        let cache_control = if is_present { FOREVER } else { "no-store" };
        if !accepts_gzip(header(request, "accept-encoding")) {
            return Ok(script(module.source.to_owned(), cache_control));
        }
        let mut answer = script(module.compressed.clone(), cache_control);
        answer.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        Ok(answer)
    }
}

/// RFC 9110, 12.5.3, as far as it is about gzip.
fn accepts_gzip(accept_encoding: Option<&str>) -> bool {
    accept_encoding.unwrap_or_default().split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*");
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>);
        is_gzip && weight.is_ok_and(|weight| weight > 0.0)
    })
}

/// A script. Which origins may run it, API Gateway says, as for the rest of the API.
fn script(body: impl Into<lambda_http::Body>, cache_control: &'static str) -> Response {
    let mut answer = Response::new(body.into());
    for (name, value) in [
        (CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (CACHE_CONTROL, cache_control),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (VARY, "Accept-Encoding, Origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sharelink_http::parse_event;

    use super::*;

    #[test]
    fn a_deployment_may_serve_none() {
        let event = json!({
            "routeKey": "GET /ui/{file}", "pathParameters": {"file": ENTRY},
            "requestContext": {"routeKey": "GET /ui/{file}", "http": {"method": "GET"}},
        });
        let request = parse_event(event.to_string().as_bytes()).unwrap();
        let answer = ServeUi { components: Some(Components::embedded().unwrap()) }.handle(&request);
        assert_eq!(answer.unwrap().status(), 200);
        let problem = ServeUi { components: None }.handle(&request).unwrap_err();
        assert_eq!(problem.problem_type(), ProblemType::RouteNotFound);
    }

    #[test]
    fn gzip_is_for_those_who_take_it() {
        for (value, takes) in [
            (None, false),
            (Some("gzip, deflate, br"), true),
            (Some("br;q=1.0, GZIP;q=0.5"), true),
            (Some("*"), true),
            (Some("gzip;q=0"), false),
            (Some("gzip; q=0.000"), false),
            (Some("br"), false),
        ] {
            assert_eq!(accepts_gzip(value), takes, "{value:?}");
        }
    }
}
