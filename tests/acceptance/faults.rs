//! What the adapters make of AWS's errors.

use aws_smithy_types::retry::RetryConfig;
use sharelink_aws::AwsError;
use sharelink_aws::share_table::ShareTable;
use sharelink_domain::{Item, ShareId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::aws_config;

/// What a read makes of a DynamoDB that gives this answer, or none, to everything.
async fn read_from(answer: Option<(u16, &'static str)>) -> AwsError {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = connection.read(&mut request).await;
            if let Some((status, code)) = answer {
                let body = format!(
                    "{{\"__type\":\"com.amazonaws.dynamodb.v20120810#{code}\",\"message\":\"ann@example.com\"}}"
                );
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                let _ = connection.write_all((head + &body).as_bytes()).await;
            }
        }
    });
    let config =
        aws_config(&endpoint, "us-east-1").to_builder().retry_config(RetryConfig::disabled()).build();
    let item = Item { module: "jobs".parse().unwrap(), name: "1042".parse().unwrap() };
    ShareTable::new(&config, "shares").get(&item, ShareId::from_bytes([0; 16])).await.unwrap_err()
}

#[tokio::test]
async fn what_may_pass_is_unavailable() {
    for answer in [
        None,
        Some((400, "ProvisionedThroughputExceededException")),
        Some((400, "ThrottlingException")),
        Some((500, "InternalServerError")),
        Some((503, "ServiceUnavailable")),
    ] {
        let error = read_from(answer).await;
        assert!(matches!(error, AwsError::Unavailable { .. }), "{answer:?}: {error:?}");
    }
}

#[tokio::test]
async fn what_will_not_pass_is_unexpected() {
    for code in ["ResourceNotFoundException", "AccessDeniedException", "ValidationException"] {
        let error = read_from(Some((400, code))).await;
        assert!(matches!(error, AwsError::Rejected { .. }), "{code}: {error:?}");
    }
}

#[tokio::test]
async fn an_error_tells_nothing_but_its_code() {
    let error = read_from(Some((400, "ValidationException"))).await;
    assert_eq!(error.to_string(), "dynamodb refused: ValidationException");
    assert!(!format!("{error:?}").contains("ann@"));
}
