//! What links begin with, as the deployment says.

use aws_config::SdkConfig;
use aws_sdk_ssm::Client;
use chrono::TimeDelta;
use sharelink_domain::Timestamp;
use tokio::sync::Mutex;

use crate::AwsError;

const SERVICE: &str = "ssm";

/// How long a parameter that was read is used.
const LIFE: TimeDelta = TimeDelta::minutes(5);

/// What links begin with, up to `/s/`. Never taken from a request's `Host`.
#[derive(Debug)]
pub struct PublicBaseUrl(Source);

#[derive(Debug)]
enum Source {
    /// The operator gave it.
    Given(String),
    /// The deployment wrote the API's own address to this parameter, once the API existed.
    Parameter { client: Client, name: String, cached: Mutex<Option<(String, Timestamp)>> },
}

impl PublicBaseUrl {
    /// The given one, else the one in the parameter of this name.
    #[must_use]
    pub fn new(config: &SdkConfig, given: Option<String>, parameter: impl Into<String>) -> Self {
        Self(match given {
            Some(url) => Source::Given(url),
            None => Source::Parameter {
                client: Client::new(config),
                name: parameter.into(),
                cached: Mutex::default(),
            },
        })
    }

    /// The base, without a slash at its end.
    pub async fn get(&self, now: Timestamp) -> Result<String, AwsError> {
        let url = match &self.0 {
            Source::Given(url) => url.clone(),
            Source::Parameter { client, name, cached } => {
                let mut cached = cached.lock().await;
                match &*cached {
                    Some((url, read)) if (now - *read).abs() < LIFE => url.clone(),
                    _ => {
                        let url = read(client, name).await?;
                        *cached = Some((url.clone(), now));
                        url
                    }
                }
            }
        };
        Ok(url.trim_end_matches('/').to_owned())
    }
}

async fn read(client: &Client, name: &str) -> Result<String, AwsError> {
    let answer = client.get_parameter().name(name).send().await.map_err(|e| AwsError::new(SERVICE, &e))?;
    answer
        .parameter
        .and_then(|parameter| parameter.value)
        .ok_or(AwsError::Unreadable { service: SERVICE, what: "parameter" })
}
