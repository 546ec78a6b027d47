//! The local stack: web pages in this machine's browsers can send requests to it, but not control it.

use chrono::Utc;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN};
use reqwest::{Method, RequestBuilder, StatusCode};

use crate::support::{Aws, Stack, TestItem, unique};

const FOREIGN_ORIGIN: &str = "https://evil.example";

/// Returns a request that a browser sends to the emulator for any web page, without a preflight.
fn from_web_page(stack: &Stack, method: Method, path: &str) -> RequestBuilder {
    let url = format!("{}{path}", stack.info.aws_endpoint_url);
    stack.client.request(method, url).header(ORIGIN, FOREIGN_ORIGIN).header(CONTENT_TYPE, "text/plain")
}

/// Returns the query string of a request that is signed with a guessed secret.
fn forged_query(stack: &Stack, service: &str, access_key_id: &str) -> String {
    let now = Utc::now();
    format!(
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={access_key_id}/{}/{}/{service}/aws4_request&\
         X-Amz-Date={}&X-Amz-Expires=300&X-Amz-SignedHeaders=host&X-Amz-Signature={:064}",
        now.format("%Y%m%d"),
        stack.info.region,
        now.format("%Y%m%dT%H%M%SZ"),
        0,
    )
}

/// An operation, as a web page would send it: service, method, path with a query string, target and body.
type Operation = (&'static str, Method, String, &'static str, String);

fn operations(stack: &Stack) -> Vec<Operation> {
    let (table, bucket) = (&stack.info.table_name, &stack.info.files_bucket);
    let create_function = r#"{"FunctionName":"evil","Runtime":"provided.al2023","Handler":"bootstrap",
        "Role":"arn:aws:iam::000000000000:role/r","Code":{"ZipFile":"UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA=="}}"#;
    let create_user = "/?Action=CreateUser&UserName=eve&Version=2010-05-08";
    vec![
        ("lambda", Method::POST, "/2015-03-31/functions?".to_owned(), "", create_function.to_owned()),
        ("lambda", Method::GET, "/2015-03-31/functions/?".to_owned(), "", String::new()),
        ("iam", Method::POST, format!("{create_user}&"), "", String::new()),
        ("iam", Method::GET, format!("{create_user}&"), "", String::new()),
        (
            "dynamodb",
            Method::POST,
            "/?".to_owned(),
            "DynamoDB_20120810.Scan",
            format!(r#"{{"TableName":"{table}"}}"#),
        ),
        ("secretsmanager", Method::POST, "/?".to_owned(), "secretsmanager.ListSecrets", "{}".to_owned()),
        ("s3", Method::GET, format!("/{bucket}?list-type=2&"), "", String::new()),
        ("s3", Method::PUT, format!("/{bucket}/jobs/1042/evil?"), "", "x".to_owned()),
    ]
}

#[tokio::test]
async fn web_page_cannot_send_unsigned_requests() {
    let stack = Stack::get().await;
    for (_, method, path, target, body) in operations(&stack) {
        let request = from_web_page(&stack, method, &path).header("X-Amz-Target", target).body(body);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path} {target}");
    }
}

/// ministack finds some services by the host, and decodes paths twice.
#[tokio::test]
async fn path_of_the_api_leads_to_no_other_service() {
    let stack = Stack::get().await;
    let function = Aws::new(&stack).function_names().await.swap_remove(0);
    let port = stack.info.aws_endpoint_url.rsplit(':').next().unwrap();
    for host in [format!("lambda.us-east-1.localhost:{port}"), format!("127.0.0.1:{port}")] {
        for path in [
            format!("x%252Ffunctions%252F{function}%252Furl"),
            format!("x%2Ffunctions%2F{function}%2Furl"),
            format!("x/functions/{function}/url"),
            format!("../../2015-03-31/functions/{function}/url"),
            "x%252Faccount-settings".to_owned(),
        ] {
            let path = format!("/_aws/execute-api/{path}");
            for method in [Method::POST, Method::PUT, Method::GET, Method::OPTIONS] {
                let request = from_web_page(&stack, method.clone(), &path).header(HOST, &host);
                let response = request.body(r#"{"AuthType":"NONE"}"#).send().await.unwrap();
                assert_eq!(response.status(), StatusCode::FORBIDDEN, "{method} {host} {path}");
            }
        }
    }
}

#[tokio::test]
async fn web_page_cannot_forge_signatures() {
    let stack = Stack::get().await;
    for (service, method, path, target, body) in operations(&stack) {
        for access_key_id in ["test", "000000000000", stack.info.credentials.aws_access_key_id.as_str()] {
            let signed = format!("{path}{}", forged_query(&stack, service, access_key_id));
            let request = from_web_page(&stack, method.clone(), &signed).header("X-Amz-Target", target);
            let response = request.body(body.clone()).send().await.unwrap();
            assert!(response.status().is_client_error(), "{path} {target}: {}", response.status());
            let text = response.text().await.unwrap();
            assert!(text.contains("ignature"), "{path} {target} {access_key_id}: {text}");
        }
    }
}

#[tokio::test]
async fn malformed_signature_is_not_taken_for_an_anonymous_request() {
    let stack = Stack::get().await;
    let path = format!("/{}?list-type=2", stack.info.files_bucket);
    for authorization in [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0",
        "AWS4-ECDSA-P256-SHA256 Credential=test/20260101/s3/aws4_request, SignedHeaders=host, Signature=0",
        "AWS test:c2lnbmF0dXJl",
        "Bearer x",
        "",
    ] {
        let request = from_web_page(&stack, Method::GET, &path).header(AUTHORIZATION, authorization);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::FORBIDDEN, "{authorization}");
    }
    for query in [
        "AWSAccessKeyId=test&Signature=x&Expires=9999999999".to_owned(),
        forged_query(&stack, "s3", "test").replace("X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Algorithm=x"),
        forged_query(&stack, "s3", ""),
    ] {
        let response = from_web_page(&stack, Method::GET, &format!("{path}&{query}")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{query}");
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
        (Method::GET, "/_aws/ses"),
    ] {
        let response = from_web_page(&stack, method, path).body("{}").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
    }

    // The state is still there.
    item.share(&[&format!("{}@example.com", unique("someone"))]).await.assert_status(201);
    assert!(!Aws::new(&stack).function_names().await.contains(&"evil".to_owned()));
}

#[tokio::test]
async fn foreign_host_name_reaches_neither_tokens_nor_emails() {
    let stack = Stack::get().await;
    assert!(stack.client.get(&stack.info.mail_url).send().await.unwrap().status().is_success());
    let token = format!("{}/token?e30", stack.info.issuer);
    for url in [&stack.info.mail_url, &token, &stack.info.issuer] {
        let response = stack.client.get(url).header(HOST, "evil.example").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::MISDIRECTED_REQUEST, "{url}");
        // Another origin cannot read the response under the right name, either.
        let response = stack.client.get(url).header(ORIGIN, FOREIGN_ORIGIN).send().await.unwrap();
        assert!(!response.headers().contains_key("access-control-allow-origin"), "{url}");
    }
}
