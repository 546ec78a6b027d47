//! The API document (`infra/openapi.yaml`), the template and the API's responses agree.
//!
//! The other tests validate every API response against the document, too: see `support/contract.rs`.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;
use sharelink_http::ProblemType;

use crate::support::contract::{DOCUMENT, escape, validator};
use crate::support::{Aws, Response, Stack, TestItem, send};

/// A route key such as `GET /s/{token}`, and whether the route requires a JWT.
type Route = (String, bool);

fn documented_routes() -> BTreeSet<Route> {
    let methods = ["get", "head", "post", "put", "patch", "delete", "options"];
    let mut routes = BTreeSet::new();
    for (path, operations) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if methods.contains(&method.as_str()) {
                let is_public = operation.get("security").is_some_and(|s| s.as_array().unwrap().is_empty());
                routes.insert((format!("{} {path}", method.to_uppercase()), !is_public));
            }
        }
    }
    routes
}

#[tokio::test]
async fn deployed_routes_equal_documented_routes() {
    let stack = Stack::get().await;
    let api_id = stack.info.api_url.rsplit('/').nth(1).unwrap();
    let url = format!("{}/v2/apis/{api_id}/routes", stack.info.aws_endpoint_url);

    let response = Aws::new(&stack).send("apigateway", stack.client.get(url)).await;
    let response: Value = response.json().await.unwrap();

    let deployed: BTreeSet<Route> = response["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|route| (route["routeKey"].as_str().unwrap().to_owned(), route["authorizationType"] != "NONE"))
        .collect();
    assert_eq!(deployed, documented_routes());
}

#[tokio::test]
async fn every_problem_type_is_documented_and_has_a_page() {
    let stack = Stack::get().await;
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let documented: BTreeSet<(String, String, String)> =
        DOCUMENT["components"]["schemas"]["ProblemType"]["oneOf"]
            .as_array()
            .unwrap()
            .iter()
            .map(|problem| {
                let text = |name: &str| one_line(problem[name].as_str().unwrap());
                (text("const"), text("title"), text("description"))
            })
            .collect();
    let implemented: BTreeSet<(String, String, String)> = ProblemType::ALL
        .iter()
        .map(|problem| {
            let help = format!("Status {}. {}", problem.status().as_u16(), one_line(problem.help()));
            (format!("/problems/{}", problem.name()), problem.title().to_owned(), help)
        })
        .collect();
    assert_eq!(implemented, documented);

    for problem in ProblemType::ALL {
        let page = stack.open(&format!("{}/problems/{}", stack.info.api_url, problem.name())).await;
        page.assert_status(200);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8", "{}", problem.name());
        assert!(page.text.contains(problem.title()), "{page:?}");
    }
    let unknown = stack.open(&format!("{}/problems/none", stack.info.api_url)).await;
    unknown.assert_problem(404, "route-not-found");
}

/// Collects the document's examples at or below a JSON pointer, each with the pointer to its schema.
fn collect_examples(pointer: &str, found: &mut Vec<(String, Value)>) {
    let node = DOCUMENT.pointer(pointer).unwrap();
    if node.get("schema").is_some() {
        for (name, example) in node["examples"].as_object().into_iter().flatten() {
            let reference = example.get("$ref").map(|r| r.as_str().unwrap().trim_start_matches('#'));
            let resolved = reference.map_or(example, |reference| DOCUMENT.pointer(reference).unwrap());
            assert!(resolved.get("value").is_some(), "{pointer}: {name} has no value");
            found.push((format!("{pointer}/schema"), resolved["value"].clone()));
        }
    }
    let children: Vec<String> = match node {
        Value::Object(fields) => fields.keys().map(|name| escape(name)).collect(),
        Value::Array(elements) => (0..elements.len()).map(|i| i.to_string()).collect(),
        _ => Vec::new(),
    };
    for child in children {
        collect_examples(&format!("{pointer}/{child}"), found);
    }
}

#[test]
fn every_example_matches_its_schema() {
    let mut examples = Vec::new();
    collect_examples("", &mut examples);
    assert!(examples.len() > 50, "{}", examples.len());
    for (schema, example) in examples {
        let errors: Vec<String> =
            validator(&schema).iter_errors(&example).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{schema}: {errors:?}");
    }
}

#[tokio::test]
async fn cors_allows_only_configured_origins() {
    const ALLOWED_ORIGIN: &str = "http://localhost:5173";
    const OTHER_ORIGIN: &str = "https://evil.example";

    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let preflight = |origin: &'static str| {
        let request = stack.client.request(Method::OPTIONS, item.url("")).header("Origin", origin);
        send(request.header("Access-Control-Request-Method", "PATCH"))
    };
    let get = |origin: &'static str| send(item.request(Method::GET, "").header("Origin", origin));
    let lists = |response: &Response, header: &str, name: &str| {
        response.header(header).split(',').any(|value| value.trim().eq_ignore_ascii_case(name))
    };

    let allowed = preflight(ALLOWED_ORIGIN).await;
    allowed.assert_status(204);
    assert_eq!(allowed.header("access-control-allow-origin"), ALLOWED_ORIGIN);
    for name in ["Authorization", "Content-Type", "If-Match", "Idempotency-Key"] {
        assert!(lists(&allowed, "access-control-allow-headers", name), "{name}: {allowed:?}");
    }
    for name in ["GET", "POST", "PATCH", "PUT"] {
        assert!(lists(&allowed, "access-control-allow-methods", name), "{name}: {allowed:?}");
    }
    assert_eq!(allowed.header("access-control-allow-credentials"), "");

    let response = get(ALLOWED_ORIGIN).await;
    for name in ["ETag", "Link", "Location", "Retry-After"] {
        assert!(lists(&response, "access-control-expose-headers", name), "{name}: {response:?}");
    }

    for response in [preflight(OTHER_ORIGIN).await, get(OTHER_ORIGIN).await] {
        assert_eq!(response.header("access-control-allow-origin"), "", "{response:?}");
    }
}
