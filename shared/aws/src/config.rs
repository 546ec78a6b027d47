use std::env;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use thiserror::Error;

/// The environment does not say what the SDK needs to know; the function does not start.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    #[error("the file that AWS_CA_BUNDLE names cannot be read: {0}")]
    Certificates(#[from] std::io::Error),
    #[error("TLS cannot be set up")]
    Tls,
}

/// Who vouches for AWS: the five roots that Amazon Trust Services asks custom trust stores to hold
/// (<https://www.amazontrust.com/repository/>). Reading all of the system's takes more of a start than the rest of it.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon-roots.pem");

/// The regions of other partitions, where others may vouch for AWS.
const OTHER_PARTITIONS: [&str; 5] = ["cn-", "eusc-", "us-gov-", "us-iso", "eu-iso"];

/// The SDK's configuration: from what Lambda puts in the environment and from nowhere else, with one HTTP client for
/// all services, and with bounds that end well inside a function's own time limit, so that a caller gets a clear
/// answer and not the gateway's timeout.
///
/// As in every SDK, `AWS_ENDPOINT_URL` and its variables for single services lead to other endpoints, and
/// `AWS_CA_BUNDLE` names a file with the certificates to trust; `AWS_USE_FIPS_ENDPOINT` and
/// `AWS_USE_DUALSTACK_ENDPOINT` are `true` or `false`.
pub fn load() -> Result<SdkConfig, ConfigError> {
    let region = variable("AWS_REGION")?;
    let credentials = Credentials::new(
        variable("AWS_ACCESS_KEY_ID")?,
        variable("AWS_SECRET_ACCESS_KEY")?,
        optional("AWS_SESSION_TOKEN"),
        // Lambda ends an instance before these expire.
        None,
        "environment",
    );
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_secs(5))
        .operation_timeout(Duration::from_secs(10))
        .build();
    // Somebody waits, so the first repetition comes soon.
    let retries =
        RetryConfig::standard().with_max_attempts(4).with_initial_backoff(Duration::from_millis(100));
    let tls = TlsContext::builder()
        .with_trust_store(trust_store(&region)?)
        .build()
        .map_err(|_| ConfigError::Tls)?;
    let http =
        Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(tls).build_https();
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .timeout_config(timeouts)
        .retry_config(retries)
        .http_client(http)
        // The time limits of calls are enough: no answer is a stream.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .service_config(Environment);
    config.set_use_fips(switch("AWS_USE_FIPS_ENDPOINT"));
    config.set_use_dual_stack(switch("AWS_USE_DUALSTACK_ENDPOINT"));
    config.set_endpoint_url(optional("AWS_ENDPOINT_URL"));
    Ok(config.build())
}

/// The same configuration, for calls that are to end within this time, with a second try if half of it is enough.
#[must_use]
pub fn within(config: &SdkConfig, limit: Duration) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(limit / 2)
        .operation_attempt_timeout(limit / 2)
        .operation_timeout(limit)
        .build();
    config.to_builder().timeout_config(timeouts).build()
}

fn variable(name: &'static str) -> Result<String, ConfigError> {
    optional(name).ok_or(ConfigError::Missing(name))
}

fn optional(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn switch(name: &str) -> Option<bool> {
    optional(name)?.parse().ok()
}

fn trust_store(region: &str) -> Result<TrustStore, ConfigError> {
    Ok(match optional("AWS_CA_BUNDLE") {
        Some(file) => TrustStore::empty().with_pem_certificate(std::fs::read(file)?),
        _ if OTHER_PARTITIONS.iter().any(|prefix| region.starts_with(prefix)) => TrustStore::default(),
        _ => TrustStore::empty().with_pem_certificate(AMAZON_ROOTS),
    })
}

/// What the environment says of single services, such as `AWS_ENDPOINT_URL_DYNAMODB`.
#[derive(Debug)]
struct Environment;

impl LoadServiceConfig for Environment {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace(' ', "_");
        optional(&format!("{}_{service}", key.env()))
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::{SHA256, digest};
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    /// As <https://www.amazontrust.com/repository/> lists them.
    #[test]
    fn the_roots_are_amazons() {
        let pem = std::str::from_utf8(AMAZON_ROOTS).unwrap();
        let certificates = pem.split("-----BEGIN CERTIFICATE-----").skip(1);
        let fingerprint = |certificate: &str| {
            let base64 = certificate.split("-----END").next().unwrap().split_whitespace().collect::<String>();
            let fingerprint = digest(&SHA256, &STANDARD.decode(base64).unwrap());
            fingerprint.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
        };
        assert_eq!(
            certificates.map(fingerprint).collect::<Vec<_>>(),
            [
                "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
                "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
                "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
                "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
                "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5",
            ]
        );
    }
}
