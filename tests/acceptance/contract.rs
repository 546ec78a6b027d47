//! The document, the template and the answers say the same. Every other test's answers are held to the document,
//! too: see `support/contract.rs`.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;
use sharelink_http::ProblemType;

use crate::support::contract::{DOCUMENT, escape, validator};
use crate::support::{Response, Stack, TestItem, send};

/// A route, and whether it needs a token.
type Route = (String, bool);

fn documented() -> BTreeSet<Route> {
    let methods = ["get", "head", "post", "put", "patch", "delete", "options"];
    let mut routes = BTreeSet::new();
    for (path, operations) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if methods.contains(&method.as_str()) {
                let open = operation.get("security").is_some_and(|s| s.as_array().unwrap().is_empty());
                routes.insert((format!("{} {path}", method.to_uppercase()), !open));
            }
        }
    }
    routes
}

#[tokio::test]
async fn the_template_has_the_routes_that_the_document_has() {
    let stack = Stack::get().await;
    // As they were deployed from the template.
    let api = stack.info.api_url.rsplit('/').nth(1).unwrap();
    let routes = format!("{}/v2/apis/{api}/routes", stack.info.aws_endpoint_url);
    let routes: Value = stack.client.get(routes).send().await.unwrap().json().await.unwrap();
    let deployed =
        routes["items"].as_array().unwrap().iter().map(|route| {
            (route["routeKey"].as_str().unwrap().to_owned(), route["authorizationType"] != "NONE")
        });
    assert_eq!(deployed.collect::<BTreeSet<Route>>(), documented());
}

#[tokio::test]
async fn every_problem_is_documented_and_has_its_page() {
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
    let known = ProblemType::ALL.iter().map(|problem| {
        let help = format!("Status {}. {}", problem.status().as_u16(), one_line(problem.help()));
        (format!("/problems/{}", problem.name()), problem.title().to_owned(), help)
    });
    assert_eq!(known.collect::<BTreeSet<_>>(), documented);
    for problem in ProblemType::ALL {
        let page = stack.open(&format!("{}/problems/{}", stack.info.api_url, problem.name())).await;
        assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
        assert!(page.text.contains(problem.title()), "{page:?}");
    }
    let none = stack.open(&format!("{}/problems/none", stack.info.api_url)).await;
    assert_eq!((none.status, none.problem_type().as_str()), (404, "route-not-found"));
}

/// Every example beside a schema, with both of their places.
fn examples(pointer: &str, found: &mut Vec<(String, Value)>) {
    let here = DOCUMENT.pointer(pointer).unwrap();
    if here.get("schema").is_some() {
        for (name, example) in here["examples"].as_object().into_iter().flatten() {
            let reference = example.get("$ref").map(|r| r.as_str().unwrap().trim_start_matches('#'));
            let example = reference.map_or(example, |place| DOCUMENT.pointer(place).unwrap());
            assert!(example.get("value").is_some(), "{pointer}: {name} has no value");
            found.push((format!("{pointer}/schema"), example["value"].clone()));
        }
    }
    let parts: Vec<String> = match here {
        Value::Object(parts) => parts.keys().map(|name| escape(name)).collect(),
        Value::Array(parts) => (0..parts.len()).map(|i| i.to_string()).collect(),
        _ => Vec::new(),
    };
    for part in parts {
        examples(&format!("{pointer}/{part}"), found);
    }
}

#[test]
fn every_example_is_what_its_schema_says() {
    let mut found = Vec::new();
    examples("", &mut found);
    assert!(found.len() > 50, "{}", found.len());
    for (schema, example) in found {
        let errors: Vec<String> =
            validator(&schema).iter_errors(&example).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{schema}: {errors:?}");
    }
}

#[tokio::test]
async fn pages_of_the_listed_origins_may_call_the_api() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let preflight = |origin: &'static str| {
        let request = stack.client.request(Method::OPTIONS, item.url("")).header("Origin", origin);
        send(request.header("Access-Control-Request-Method", "PATCH"))
    };
    let get = |origin: &'static str| {
        send(stack.client.get(item.url("")).bearer_auth(&item.token).header("Origin", origin))
    };
    let has = |response: &Response, header: &str, name: &str| {
        response.header(header).split(',').any(|value| value.trim().eq_ignore_ascii_case(name))
    };

    let allowed = preflight("http://localhost:5173").await;
    assert_eq!(allowed.status, 204, "{allowed:?}");
    assert_eq!(allowed.header("access-control-allow-origin"), "http://localhost:5173");
    for name in ["Authorization", "Content-Type", "If-Match", "Idempotency-Key"] {
        assert!(has(&allowed, "access-control-allow-headers", name), "{allowed:?}");
    }
    for name in ["GET", "POST", "PATCH"] {
        assert!(has(&allowed, "access-control-allow-methods", name), "{allowed:?}");
    }
    assert_eq!(allowed.header("access-control-allow-credentials"), "");
    let response = get("http://localhost:5173").await;
    for name in ["ETag", "Location", "Retry-After"] {
        assert!(has(&response, "access-control-expose-headers", name), "{response:?}");
    }
    for response in [preflight("https://evil.example").await, get("https://evil.example").await] {
        assert_eq!(response.header("access-control-allow-origin"), "", "{response:?}");
    }
}
