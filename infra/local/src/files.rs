//! Uploads files to the files bucket, as the platform would.

use anyhow::Result;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;

use crate::stack::StackInfo;

/// What the sample item resolver reads: everyone with the Share permission may use the item.
const DOCUMENT: &str = r#"{"share": ["*"], "manage": ["*"]}"#;

/// Uploads an item's PDF, and the item's document if the platform has an item resolver.
pub(crate) async fn upload(
    stack: &StackInfo,
    module: &str,
    item: &str,
    file: &str,
    bytes: Vec<u8>,
) -> Result<()> {
    if let Some(key) = stack.document_key(module, item) {
        put(stack, &key, DOCUMENT.into()).await?;
    }
    put(stack, &stack.file_key(module, item, file), bytes).await
}

async fn put(stack: &StackInfo, key: &str, bytes: Vec<u8>) -> Result<()> {
    let client = Client::new();
    let request =
        client.put(object_url(stack, key)).header(CONTENT_TYPE, "application/pdf").body(bytes).build()?;
    client.execute(stack.credentials.sign(request, "s3", &stack.region)?).await?.error_for_status()?;
    Ok(())
}

fn object_url(stack: &StackInfo, key: &str) -> String {
    let segments = key.split('/').map(|segment| utf8_percent_encode(segment, NON_ALPHANUMERIC).to_string());
    let path = segments.collect::<Vec<_>>().join("/");
    format!("{}/{}/{path}", stack.aws_endpoint_url, stack.files_bucket)
}
