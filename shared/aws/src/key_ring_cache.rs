//! The key ring that seals links, from Secrets Manager.

use std::sync::Arc;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::Builder;
use aws_types::SdkConfig;
use chrono::TimeDelta;
use sharelink_domain::Timestamp;
use sharelink_domain::link::{KeyId, KeyRing, Link, LinkToken, TokenError};
use thiserror::Error;

use crate::AwsError;
use crate::call_timer::CallTimer;
use crate::stale_if_error::StaleIfErrorCache;
use crate::warm_up::warm_up;

const SERVICE: &str = "secretsmanager";

/// How long a fetched ring is used. If a key becomes current sooner than this after being added, other
/// functions may not have it yet. They fetch the ring again when they see a link sealed with that key.
const MAX_AGE: TimeDelta = TimeDelta::minutes(5);

/// The minimum interval between fetches caused by unknown keys. Without it, forged tokens that name unknown
/// keys would cause a fetch for every request.
const REFETCH_INTERVAL: TimeDelta = TimeDelta::minutes(1);

/// The reason a link could not be opened or sealed.
#[derive(Debug, Error)]
pub enum LinkError {
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// The key ring, cached for five minutes.
#[derive(Debug)]
pub struct KeyRingCache {
    client: Client,
    secret: String,
    cache: StaleIfErrorCache<Arc<KeyRing>>,
}

impl KeyRingCache {
    /// Creates a cache of the key ring in the secret with this name or ARN.
    #[must_use]
    pub fn new(config: &SdkConfig, secret: impl Into<String>) -> Self {
        let settings = Builder::from(config).interceptor(CallTimer(SERVICE)).build();
        Self {
            client: Client::from_conf(settings),
            secret: secret.into(),
            cache: StaleIfErrorCache::new("key ring"),
        }
    }

    /// Creates a cache and fetches the ring, so that the first request does not wait for it.
    pub async fn fetched(config: &SdkConfig, secret: impl Into<String>, now: Timestamp) -> Self {
        let cache = Self::new(config, secret);
        warm_up(SERVICE, cache.ring(now)).await;
        cache
    }

    /// Returns the ring, which is at most five minutes old, or older while Secrets Manager is failing.
    pub async fn ring(&self, now: Timestamp) -> Result<Arc<KeyRing>, AwsError> {
        self.ring_younger_than(MAX_AGE, now).await
    }

    /// Returns whether the ring is young enough to be used without fetching it again.
    pub async fn is_fresh(&self, now: Timestamp) -> bool {
        self.cache.is_fresh(MAX_AGE, now).await
    }

    /// Opens a token. Fetches the ring again if the token names an unknown key.
    pub async fn open(&self, token: &str, now: Timestamp) -> Result<Link, LinkError> {
        match self.ring(now).await?.open(token) {
            Err(TokenError::UnknownKey(_)) => {
                Ok(self.ring_younger_than(REFETCH_INTERVAL, now).await?.open(token)?)
            }
            opened => Ok(opened?),
        }
    }

    /// Seals a link with this key. Fetches the ring again if the key is unknown.
    pub async fn seal(&self, key: &KeyId, link: &Link, now: Timestamp) -> Result<LinkToken, LinkError> {
        match self.ring(now).await?.seal(key, link) {
            Err(TokenError::UnknownKey(_)) => {
                Ok(self.ring_younger_than(REFETCH_INTERVAL, now).await?.seal(key, link)?)
            }
            sealed => Ok(sealed?),
        }
    }

    async fn ring_younger_than(&self, max_age: TimeDelta, now: Timestamp) -> Result<Arc<KeyRing>, AwsError> {
        self.cache.get(max_age, now, || self.fetch()).await
    }

    async fn fetch(&self) -> Result<Arc<KeyRing>, AwsError> {
        let response = self
            .client
            .get_secret_value()
            .secret_id(&self.secret)
            .send()
            .await
            .map_err(|e| AwsError::new(SERVICE, &e))?;
        KeyRing::parse(response.secret_string().unwrap_or_default()).map(Arc::new).map_err(|error| {
            tracing::error!(%error, "the key ring is invalid");
            AwsError::InvalidData { service: SERVICE, what: "key ring" }
        })
    }
}
