//! Putting files where the platform would.

use anyhow::Result;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::primitives::ByteStream;

use crate::emulator::REGION;
use crate::stack::StackInfo;

/// Uploads an item's file.
pub(crate) async fn upload(stack: &StackInfo, key: &str, bytes: Vec<u8>) -> Result<()> {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(&stack.aws_endpoint_url)
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new("test", "test", None, None, "local"))
        .force_path_style(true)
        .build();
    let put = Client::from_conf(config).put_object().bucket(&stack.files_bucket).key(key);
    put.content_type("application/pdf").body(ByteStream::from(bytes)).send().await?;
    Ok(())
}
