use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use sharelink_domain::KeyLayout;
use sharelink_domain::key_layout::{KeyLayoutError, NotPerItemError};
use sharelink_runtime::{Clock, SettingError, optional, required, required_or_empty};
use thiserror::Error;

use crate::connections::Network;

/// The reason the adapters could not be configured. With this error, the function does not start.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error(transparent)]
    Setting(#[from] SettingError),
    #[error("FILES_PREFIX {0}")]
    KeyLayout(#[from] KeyLayoutError),
    #[error("FILES_PREFIX {0}")]
    NotPerItem(#[from] NotPerItemError),
    #[error("the file named by AWS_CA_BUNDLE cannot be read: {0}")]
    Certificates(#[from] std::io::Error),
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    #[error("a root certificate is not valid PEM")]
    Pem(#[from] rustls::pki_types::pem::Error),
}

/// The five root certificates that Amazon Trust Services requires in custom trust stores
/// (<https://www.amazontrust.com/repository/>). Loading the system's certificates takes longer than the rest
/// of a function's startup.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon-roots.pem");

/// The region prefixes of other AWS partitions, whose certificates may have different roots.
const OTHER_PARTITIONS: [&str; 5] = ["cn-", "eusc-", "us-gov-", "us-iso", "eu-iso"];

/// The SDK's configuration, and the network that adapters with special connections create their own HTTP
/// clients from.
#[derive(Clone, Debug)]
pub struct AwsConfig {
    pub(crate) sdk: SdkConfig,
    pub(crate) network: Network,
}

impl Deref for AwsConfig {
    type Target = SdkConfig;

    fn deref(&self) -> &SdkConfig {
        &self.sdk
    }
}

/// Loads the configuration from the environment variables that Lambda sets.
///
/// Timeouts are well below the function's timeout, so that the caller gets a clear response instead of a
/// gateway timeout.
///
/// The SDK's standard variables are honored: `AWS_ENDPOINT_URL` and its per-service variants, `AWS_CA_BUNDLE`
/// (a file of trusted certificates), `AWS_USE_FIPS_ENDPOINT` and `AWS_USE_DUALSTACK_ENDPOINT` (`true` or
/// `false`).
pub fn load_config() -> Result<AwsConfig, ConfigError> {
    let region = required("AWS_REGION")?;
    let credentials = Credentials::new(
        required("AWS_ACCESS_KEY_ID")?,
        required("AWS_SECRET_ACCESS_KEY")?,
        optional("AWS_SESSION_TOKEN"),
        // No expiry: Lambda replaces an instance before its credentials expire.
        None,
        "environment",
    );
    // Responses rarely take a tenth of the attempt's timeout. An attempt without one has probably lost its
    // connection, and a retry on another connection helps.
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(3))
        .operation_timeout(Duration::from_secs(10))
        .build();
    // A caller is waiting, so the first retry comes early.
    let retries =
        RetryConfig::standard().with_max_attempts(4).with_initial_backoff(Duration::from_millis(100));
    let tls = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(root_certificates(&region)?)
        .with_no_client_auth();
    let network = Network::new(tls, Clock::from_env());
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .timeout_config(timeouts)
        .retry_config(retries)
        .http_client(network.pooled())
        // No response is streamed, so timeouts are enough.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .service_config(ServiceVariables);
    config.set_use_fips(optional_bool("AWS_USE_FIPS_ENDPOINT"));
    config.set_use_dual_stack(optional_bool("AWS_USE_DUALSTACK_ENDPOINT"));
    config.set_endpoint_url(optional("AWS_ENDPOINT_URL"));
    Ok(AwsConfig { sdk: config.build(), network })
}

/// Reads the layout of the keys in the files bucket.
pub fn load_key_layout() -> Result<KeyLayout, ConfigError> {
    Ok(required_or_empty("FILES_PREFIX")?.parse()?)
}

/// Returns the configuration with this timeout for each call.
#[must_use]
pub fn with_timeout(config: &AwsConfig, timeout: Duration) -> AwsConfig {
    let sdk = config.sdk.to_builder().timeout_config(call_timeout(timeout)).build();
    AwsConfig { sdk, network: config.network.clone() }
}

/// Limits a call to this time. An attempt may take at most half of it, which leaves time for a retry.
pub(crate) fn call_timeout(timeout: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(timeout / 2).operation_timeout(timeout).build()
}

fn optional_bool(name: &str) -> Option<bool> {
    optional(name)?.parse().ok()
}

fn root_certificates(region: &str) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    let pem = match optional("AWS_CA_BUNDLE") {
        Some(file) => std::fs::read(file)?,
        None if OTHER_PARTITIONS.iter().any(|prefix| region.starts_with(prefix)) => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            return Ok(roots);
        }
        None => AMAZON_ROOTS.to_vec(),
    };
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate?)?;
    }
    Ok(roots)
}

/// Per-service environment variables, such as `AWS_ENDPOINT_URL_DYNAMODB`.
#[derive(Debug)]
struct ServiceVariables;

impl LoadServiceConfig for ServiceVariables {
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

    /// The fingerprints are from <https://www.amazontrust.com/repository/>.
    #[test]
    fn root_certificates_match_amazons_fingerprints() {
        let pem = std::str::from_utf8(AMAZON_ROOTS).unwrap();
        let certificates = pem.split("-----BEGIN CERTIFICATE-----").skip(1);
        let fingerprint = |certificate: &str| {
            let base64 = certificate.split("-----END").next().unwrap().split_whitespace().collect::<String>();
            let hash = digest(&SHA256, &STANDARD.decode(base64).unwrap());
            hash.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
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
