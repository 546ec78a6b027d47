//! `infra/openapi.yaml`, which every answer of the API is held to.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use reqwest::{Method, Url};
use serde_json::Value;

use super::Answer;

/// The document.
pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_saphyr::from_str(include_str!("../../../infra/openapi.yaml")).expect("a YAML document")
});

/// Holds an answer to what the document says of its route; an address outside it is none of the document's.
pub(crate) fn check(method: &Method, url: &Url, answer: &Answer) {
    let path = url.path().rsplit_once("/$default").map_or(url.path(), |(_, path)| path);
    let Some(route) = route(path) else { return };
    let place = format!("{method} {route}");
    let operation = format!("/paths/{}/{}", escape(route), method.as_str().to_lowercase());
    if DOCUMENT.pointer(&operation).is_none() {
        // API Gateway knows no such route; or it is a preflight, which it answers by itself.
        assert!([204, 403, 404].contains(&answer.status), "{place}: {answer:?}");
        return;
    }
    let response = resolve(&format!("{operation}/responses/{}", answer.status));
    let described = DOCUMENT.pointer(&response);
    let described = described.unwrap_or_else(|| panic!("{place}: {} is not documented", answer.status));

    for (name, _) in described["headers"].as_object().into_iter().flatten() {
        let header = DOCUMENT.pointer(&resolve(&format!("{response}/headers/{}", escape(name)))).unwrap();
        let missing = header["required"] == true && !answer.headers.contains_key(name.as_str());
        assert!(!missing || is_gateways(answer), "{place}: {name} is missing: {answer:?}");
    }
    let Some(content) = described["content"].as_object() else {
        assert!(answer.text.is_empty() || answer.status == 302, "{place}: a body: {answer:?}");
        return;
    };
    let media_type = answer.header("content-type").split(';').next().unwrap_or_default();
    assert!(content.contains_key(media_type), "{place}: {media_type:?} is not documented: {answer:?}");
    if media_type.ends_with("json") {
        let schema = format!("{response}/content/{}/schema", escape(media_type));
        let errors: Vec<String> =
            validator(&schema).iter_errors(&answer.json()).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{place}: {errors:?} in {answer:?}");
    }
}

/// Every route of an item, with these names in its path.
pub(crate) fn item_routes(module: &str, item: &str, share: &str) -> Vec<(Method, String)> {
    let mut routes = Vec::new();
    for (path, operations) in DOCUMENT["paths"].as_object().unwrap() {
        let methods = [Method::GET, Method::POST, Method::PATCH].into_iter();
        for method in methods.filter(|method| operations.get(method.as_str().to_lowercase()).is_some()) {
            if path.contains("{item}") {
                let path = path.replace("{module}", module).replace("{item}", item);
                routes.push((method, path.replace("{shareId}", share)));
            }
        }
    }
    assert!(routes.len() >= 9, "{routes:?}");
    routes
}

/// Whether it is API Gateway that answered, whose headers are its own.
fn is_gateways(answer: &Answer) -> bool {
    answer.header("content-type") == "application/json" && answer.status >= 400
}

/// The document's route that a path is on.
fn route(path: &str) -> Option<&'static str> {
    let segments: Vec<&str> = path.split('/').collect();
    let matches = |route: &&String| {
        let names = route.split('/');
        let same = |(name, segment): (&str, &&str)| {
            name == *segment || (name.starts_with('{') && !segment.is_empty())
        };
        names.clone().count() == segments.len() && names.zip(&segments).all(same)
    };
    DOCUMENT["paths"].as_object().unwrap().keys().find(matches).map(String::as_str)
}

/// A validator of the schema at this place, made once.
pub(crate) fn validator(pointer: &str) -> Arc<Validator> {
    static MADE: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);
    let mut made = MADE.lock().unwrap();
    Arc::clone(made.entry(pointer.to_owned()).or_insert_with(|| Arc::new(make_validator(pointer))))
}

fn make_validator(pointer: &str) -> Validator {
    let mut schema = DOCUMENT.pointer(pointer).unwrap().clone();
    // What it refers to.
    schema["components"] = DOCUMENT["components"].clone();
    jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap()
}

/// The place that a place refers to, or itself.
fn resolve(pointer: &str) -> String {
    let reference = DOCUMENT.pointer(pointer).and_then(|there| there.get("$ref")?.as_str());
    reference.map_or(pointer.to_owned(), |reference| reference.trim_start_matches('#').to_owned())
}

/// A name as a part of a JSON pointer.
pub(crate) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
