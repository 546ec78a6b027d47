//! Uploads files to the files bucket, as the platform would.

use anyhow::Result;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Client;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};

use crate::authorization::authorization_header;
use crate::stack::StackInfo;

/// Uploads a PDF to the files bucket.
pub(crate) async fn upload(stack: &StackInfo, key: &str, bytes: Vec<u8>) -> Result<()> {
    let request = Client::new()
        .put(object_url(stack, key))
        .header(AUTHORIZATION, authorization_header("s3"))
        .header(CONTENT_TYPE, "application/pdf")
        .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    request.body(bytes).send().await?.error_for_status()?;
    Ok(())
}

fn object_url(stack: &StackInfo, key: &str) -> String {
    let segments = key.split('/').map(|segment| utf8_percent_encode(segment, NON_ALPHANUMERIC).to_string());
    let path = segments.collect::<Vec<_>>().join("/");
    format!("{}/{}/{path}", stack.aws_endpoint_url, stack.files_bucket)
}
