//! What links begin with, as the deployment says.

use aws_sdk_ssm::Client;
use aws_sdk_ssm::config::Builder;
use aws_types::SdkConfig;
use chrono::TimeDelta;
use sharelink_domain::Timestamp;
use tokio::sync::Mutex;

use crate::AwsError;
use crate::calls::CallTimer;

const SERVICE: &str = "ssm";

/// How long a parameter that was read is used.
const LIFE: TimeDelta = TimeDelta::minutes(5);

/// What links begin with, up to `/s/`: what the deployment wrote to a parameter, once the API existed. Never taken from
/// a request's `Host`.
#[derive(Debug)]
pub struct PublicBaseUrl {
    client: Client,
    parameter: String,
    cached: Mutex<Option<(String, Timestamp)>>,
}

impl PublicBaseUrl {
    /// The one in the parameter of this name.
    #[must_use]
    pub fn new(config: &SdkConfig, parameter: impl Into<String>) -> Self {
        let settings = Builder::from(config).interceptor(CallTimer(SERVICE)).build();
        Self { client: Client::from_conf(settings), parameter: parameter.into(), cached: Mutex::default() }
    }

    /// The base, without a slash at its end: as it was at most five minutes ago; older only while the parameter cannot
    /// be read.
    pub async fn get(&self, now: Timestamp) -> Result<String, AwsError> {
        let mut cached = self.cached.lock().await;
        let old = match &*cached {
            Some((url, read)) if (now - *read).abs() < LIFE => return Ok(url.clone()),
            old => old.as_ref().map(|(url, _)| url.clone()),
        };
        let url = match (read(&self.client, &self.parameter).await, old) {
            (Ok(url), _) => url,
            (Err(error), Some(old)) => {
                tracing::warn!(%error, "could not read the base URL, the old one goes on");
                old
            }
            (Err(error), None) => return Err(error),
        };
        *cached = Some((url.clone(), now));
        Ok(url)
    }
}

async fn read(client: &Client, name: &str) -> Result<String, AwsError> {
    let answer = client.get_parameter().name(name).send().await.map_err(|e| AwsError::new(SERVICE, &e))?;
    answer
        .parameter
        .and_then(|parameter| parameter.value)
        .map(|url| url.trim_end_matches('/').to_owned())
        .ok_or(AwsError::InvalidData { service: SERVICE, what: "parameter" })
}
