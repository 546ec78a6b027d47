//! Parameters that a deployment writes, from Parameter Store.

use aws_config::SdkConfig;
use aws_sdk_ssm::Client;

use crate::AwsError;

const SERVICE: &str = "ssm";

/// Reads a parameter.
pub async fn read(config: &SdkConfig, name: &str) -> Result<String, AwsError> {
    let answer = Client::new(config)
        .get_parameter()
        .name(name)
        .send()
        .await
        .map_err(|e| AwsError::new(SERVICE, &e))?;
    answer
        .parameter
        .and_then(|parameter| parameter.value)
        .ok_or(AwsError::Unreadable { service: SERVICE, what: "parameter" })
}
