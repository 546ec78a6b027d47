//! How the adapters classify AWS errors.

use aws_smithy_types::retry::RetryConfig;
use sharelink_aws::AwsError;
use sharelink_aws::share_table::ShareTable;
use sharelink_domain::ShareId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::aws_config;
use crate::support::fixtures::job;

/// Reads from a fake DynamoDB that returns this status and error code, or closes the connection if given
/// `None`. Returns the adapter's error.
async fn read_error(status_and_code: Option<(u16, &'static str)>) -> AwsError {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = connection.read(&mut request).await;
            if let Some((status, code)) = status_and_code {
                let body = format!(
                    "{{\"__type\":\"com.amazonaws.dynamodb.v20120810#{code}\",\"message\":\"ann@example.com\"}}"
                );
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                let _ = connection.write_all([head, body].concat().as_bytes()).await;
            }
        }
    });
    let config =
        aws_config(&endpoint, "us-east-1").to_builder().retry_config(RetryConfig::disabled()).build();
    ShareTable::new(&config, "shares").get(&job("1042"), ShareId::from_bytes([0; 16])).await.unwrap_err()
}

#[tokio::test]
async fn transient_error_is_classified_as_unavailable() {
    for response in [
        None,
        Some((400, "ProvisionedThroughputExceededException")),
        Some((400, "ThrottlingException")),
        Some((500, "InternalServerError")),
        Some((503, "ServiceUnavailable")),
    ] {
        let error = read_error(response).await;
        assert!(matches!(error, AwsError::Unavailable { .. }), "{response:?}: {error:?}");
    }
}

#[tokio::test]
async fn permanent_error_is_classified_as_rejected() {
    for code in ["ResourceNotFoundException", "AccessDeniedException", "ValidationException"] {
        let error = read_error(Some((400, code))).await;
        assert!(matches!(error, AwsError::Rejected { .. }), "{code}: {error:?}");
    }
}

#[tokio::test]
async fn error_contains_the_aws_code_but_not_the_message() {
    let error = read_error(Some((400, "ValidationException"))).await;
    assert_eq!(error.to_string(), "dynamodb rejected the request: ValidationException");
    assert!(!format!("{error:?}").contains("ann@"), "the error contains AWS's message");
}
