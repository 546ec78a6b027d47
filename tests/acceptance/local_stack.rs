//! The local stack: web pages in this machine's browsers can send requests to it, but not control it.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN};
use reqwest::{Method, RequestBuilder, StatusCode};

use crate::support::{Aws, Stack, TestItem, unique};

const FOREIGN_ORIGIN: &str = "https://evil.example";

/// Returns a request that a browser sends to the emulator for any web page, without a preflight.
fn from_web_page(stack: &Stack, method: Method, path: &str) -> RequestBuilder {
    let url = format!("{}{path}", stack.info.aws_endpoint_url);
    stack.client.request(method, url).header(ORIGIN, FOREIGN_ORIGIN).header(CONTENT_TYPE, "text/plain")
}

#[tokio::test]
async fn web_page_cannot_create_a_function() {
    let stack = Stack::get().await;
    let name = unique("evil");
    let body = format!(
        r#"{{"FunctionName":"{name}","Runtime":"provided.al2023","Handler":"bootstrap","Role":"arn:aws:iam::000000000000:role/r","Code":{{"ZipFile":"UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA=="}}}}"#
    );

    let forged = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, \
                  SignedHeaders=host, Signature=0000";
    for authorization in [None, Some(forged)] {
        let mut request = from_web_page(&stack, Method::POST, "/2015-03-31/functions").body(body.clone());
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{}", response.text().await.unwrap());
    }

    assert!(!Aws::new(&stack).function_names().await.contains(&name));
}

#[tokio::test]
async fn web_page_cannot_call_any_service() {
    let stack = Stack::get().await;
    let table = &stack.info.table_name;
    let bucket = &stack.info.files_bucket;
    for (method, path, target, body) in [
        (Method::POST, "/".to_owned(), "DynamoDB_20120810.Scan", format!(r#"{{"TableName":"{table}"}}"#)),
        (Method::POST, "/".to_owned(), "secretsmanager.ListSecrets", "{}".to_owned()),
        (Method::GET, format!("/{bucket}?list-type=2"), "", String::new()),
        (Method::PUT, format!("/{bucket}/jobs/1042/x"), "", "x".to_owned()),
        (Method::GET, "/2015-03-31/functions/".to_owned(), "", String::new()),
        (Method::POST, "/?Action=CreateUser&UserName=eve&Version=2010-05-08".to_owned(), "", String::new()),
    ] {
        let mut request = from_web_page(&stack, method, &path).body(body);
        if !target.is_empty() {
            request = request.header("X-Amz-Target", target);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path} {target}");
    }
}

#[tokio::test]
async fn web_page_cannot_administer_the_emulator() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;

    for (method, path) in [
        (Method::POST, "/_ministack/reset"),
        (Method::POST, "/_ministack/config"),
        (Method::GET, "/_ministack/ses/messages"),
        (Method::GET, "/_ministack/sqs/messages"),
    ] {
        let response = from_web_page(&stack, method, path).body("{}").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
    }

    // The state is still there.
    item.share(&["someone@example.com"]).await.assert_status(201);
}

#[tokio::test]
async fn foreign_host_name_reaches_neither_tokens_nor_emails() {
    let stack = Stack::get().await;
    assert!(stack.client.get(&stack.info.mail_url).send().await.unwrap().status().is_success());
    let token = format!("{}/token?e30", stack.info.issuer);
    for url in [&stack.info.mail_url, &token, &stack.info.issuer] {
        let request = stack.client.get(url).header(HOST, "evil.example");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::MISDIRECTED_REQUEST, "{url}");
        // Another origin cannot read the response under the right name, either.
        let response = stack.client.get(url).header(ORIGIN, FOREIGN_ORIGIN).send().await.unwrap();
        assert!(!response.headers().contains_key("access-control-allow-origin"), "{url}");
    }
}
