//! Checks every API response against `infra/openapi.yaml`.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use reqwest::{Method, Url};
use serde_json::Value;

use super::Response;

/// The OpenAPI document.
pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_saphyr::from_str(include_str!("../../../infra/openapi.yaml"))
        .expect("`openapi.yaml` should be valid YAML")
});

/// Checks a response's status, required headers, media type and JSON body against the document.
///
/// Ignores URLs outside the API.
pub(crate) fn check_response(method: &Method, url: &Url, response: &Response) {
    let path = url.path().rsplit_once("/$default").map_or(url.path(), |(_, path)| path);
    let Some(route) = find_route(path) else { return };
    let name = format!("{method} {route}");
    let operation = format!("/paths/{}/{}", escape(route), method.as_str().to_lowercase());
    if DOCUMENT.pointer(&operation).is_none() {
        // The document has no such operation: API Gateway either rejects the request or handles it as a CORS
        // preflight.
        assert!([204, 403, 404].contains(&response.status), "{name}: {response:?}");
        return;
    }
    let documented_at = resolve(&format!("{operation}/responses/{}", response.status));
    let documented = DOCUMENT
        .pointer(&documented_at)
        .unwrap_or_else(|| panic!("{name}: status {} is not documented", response.status));

    for (header, _) in documented["headers"].as_object().into_iter().flatten() {
        let pointer = resolve(&format!("{documented_at}/headers/{}", escape(header)));
        let is_required = DOCUMENT.pointer(&pointer).unwrap()["required"] == true;
        let is_missing = is_required && !response.headers.contains_key(header.as_str());
        assert!(!is_missing || is_from_api_gateway(response), "{name}: {header} is missing: {response:?}");
    }
    let Some(content) = documented["content"].as_object() else {
        let has_no_body = response.text.is_empty() || response.status == 302;
        assert!(has_no_body, "{name}: undocumented body: {response:?}");
        return;
    };
    let media_type = response.header("content-type").split(';').next().unwrap_or_default();
    assert!(content.contains_key(media_type), "{name}: {media_type:?} is not documented: {response:?}");
    if media_type.ends_with("json") {
        let schema = format!("{documented_at}/content/{}/schema", escape(media_type));
        let errors: Vec<String> =
            validator(&schema).iter_errors(&response.json()).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?} in {response:?}");
    }
}

/// Returns the method and path of every route for an item, with these path parameters filled in.
pub(crate) fn item_routes(module: &str, item: &str, share: &str) -> Vec<(Method, String)> {
    let mut routes = Vec::new();
    for (path, operations) in DOCUMENT["paths"].as_object().unwrap() {
        let methods = [Method::GET, Method::POST, Method::PATCH].into_iter();
        for method in methods.filter(|method| operations.get(method.as_str().to_lowercase()).is_some()) {
            if path.contains("{item}") {
                let item_path = path.replace("{module}", module).replace("{item}", item);
                routes.push((method, item_path.replace("{shareId}", share)));
            }
        }
    }
    assert!(routes.len() >= 9, "{routes:?}");
    routes
}

/// Whether API Gateway generated the response. Such a response lacks the headers that the functions set.
fn is_from_api_gateway(response: &Response) -> bool {
    response.header("content-type") == "application/json" && response.status >= 400
}

/// Returns the documented route that matches a path. As in API Gateway, a route whose last parameter matches
/// several segments matches only paths that no other route matches.
fn find_route(path: &str) -> Option<&'static str> {
    let segments: Vec<&str> = path.split('/').collect();
    let is_greedy_match = |route: &&String| {
        let prefix = route.strip_suffix("{proxy+}");
        prefix.and_then(|prefix| path.strip_prefix(prefix)).is_some_and(|rest| !rest.is_empty())
    };
    let matches = |route: &&String| {
        let names = route.split('/');
        let same = |(name, segment): (&str, &&str)| {
            name == *segment || (name.starts_with('{') && !segment.is_empty())
        };
        names.clone().count() == segments.len() && names.zip(&segments).all(same)
    };
    let routes = || DOCUMENT["paths"].as_object().unwrap().keys();
    routes().find(matches).or_else(|| routes().find(is_greedy_match)).map(String::as_str)
}

/// Returns the validator for the schema at a JSON pointer. Validators are cached.
pub(crate) fn validator(pointer: &str) -> Arc<Validator> {
    static CACHE: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);
    let mut cache = CACHE.lock().unwrap();
    Arc::clone(cache.entry(pointer.to_owned()).or_insert_with(|| Arc::new(build_validator(pointer))))
}

fn build_validator(pointer: &str) -> Validator {
    let mut schema = DOCUMENT.pointer(pointer).unwrap().clone();
    // The schema's references point into `components`.
    schema["components"] = DOCUMENT["components"].clone();
    jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap()
}

/// Returns the target of the `$ref` at a JSON pointer, or the pointer itself if there is no `$ref`.
fn resolve(pointer: &str) -> String {
    let reference = DOCUMENT.pointer(pointer).and_then(|value| value.get("$ref")?.as_str());
    reference.map_or(pointer.to_owned(), |reference| reference.trim_start_matches('#').to_owned())
}

/// Escapes a name for use in a JSON pointer (RFC 6901, section 3).
pub(crate) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
