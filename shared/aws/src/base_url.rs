//! The base URL of links, from Parameter Store.

use aws_sdk_ssm::Client;
use aws_sdk_ssm::config::Builder;
use aws_types::SdkConfig;
use chrono::TimeDelta;
use sharelink_domain::{BaseUrl, Timestamp};

use crate::AwsError;
use crate::call_timer::CallTimer;
use crate::stale_if_error::StaleIfErrorCache;

const SERVICE: &str = "ssm";

const MAX_AGE: TimeDelta = TimeDelta::minutes(5);

/// The part of every link before `/s/`. The deployment stores this URL in a parameter after creating the API.
/// The URL is never taken from a request's `Host` header.
#[derive(Debug)]
pub struct PublicBaseUrl {
    client: Client,
    parameter: String,
    cache: StaleIfErrorCache<BaseUrl>,
}

impl PublicBaseUrl {
    /// Creates the base URL, to be read from the parameter with this name.
    #[must_use]
    pub fn new(config: &SdkConfig, parameter: impl Into<String>) -> Self {
        let settings = Builder::from(config).interceptor(CallTimer(SERVICE)).build();
        Self {
            client: Client::from_conf(settings),
            parameter: parameter.into(),
            cache: StaleIfErrorCache::new("base URL"),
        }
    }

    /// Returns the base URL. The value is at most five minutes old, or older while Parameter Store is failing
    /// or contains something else.
    pub async fn get(&self, now: Timestamp) -> Result<BaseUrl, AwsError> {
        self.cache.get(MAX_AGE, now, || self.fetch()).await
    }

    async fn fetch(&self) -> Result<BaseUrl, AwsError> {
        let response = self
            .client
            .get_parameter()
            .name(&self.parameter)
            .send()
            .await
            .map_err(|e| AwsError::new(SERVICE, &e))?;
        response
            .parameter
            .and_then(|parameter| parameter.value)
            .and_then(|url| url.trim_end_matches('/').parse().ok())
            .ok_or(AwsError::InvalidData { service: SERVICE, what: "parameter" })
    }
}
