//! The key ring that seals links, from Secrets Manager.

use std::sync::Arc;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::Builder;
use aws_types::SdkConfig;
use chrono::TimeDelta;
use sharelink_domain::Timestamp;
use sharelink_domain::link::{KeyId, KeyRing, Link, LinkToken, TokenError};
use thiserror::Error;
use tokio::sync::Mutex;

use crate::AwsError;
use crate::calls::CallTimer;
use crate::warm_up::warm_up;

const SERVICE: &str = "secretsmanager";

/// How long a fetched ring is used. A key that is made current sooner than this after it was added may seal
/// links that other functions cannot open yet; they fetch the ring again when they meet one.
const LIFE: TimeDelta = TimeDelta::minutes(5);

/// A token with an unknown key makes us fetch the ring again at most this often: anyone can write one.
const REFETCH: TimeDelta = TimeDelta::minutes(1);

/// Why a link could not be opened or sealed.
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
    cached: Mutex<Option<Cached>>,
}

#[derive(Clone, Debug)]
struct Cached {
    ring: Arc<KeyRing>,
    fetched: Timestamp,
}

impl Cached {
    fn is_older_than(&self, life: TimeDelta, now: Timestamp) -> bool {
        // Either way: a clock that was set back must not keep a ring for ever.
        (now - self.fetched).abs() >= life
    }
}

impl KeyRingCache {
    /// The ring in the secret of this name or ARN.
    #[must_use]
    pub fn new(config: &SdkConfig, secret: impl Into<String>) -> Self {
        let settings = Builder::from(config).interceptor(CallTimer(SERVICE)).build();
        Self { client: Client::from_conf(settings), secret: secret.into(), cached: Mutex::new(None) }
    }

    /// The same, fetched, so that the first request need not wait for it.
    pub async fn fetched(config: &SdkConfig, secret: impl Into<String>, now: Timestamp) -> Self {
        let rings = Self::new(config, secret);
        warm_up(SERVICE, rings.ring(now)).await;
        rings
    }

    /// The ring as it was at most five minutes ago; older only while Secrets Manager is unavailable.
    pub async fn ring(&self, now: Timestamp) -> Result<Arc<KeyRing>, AwsError> {
        self.ring_within(LIFE, now).await
    }

    /// Opens a link's token, with a fresh ring where it names a key that the cached one does not hold.
    pub async fn open(&self, token: &str, now: Timestamp) -> Result<Link, LinkError> {
        match self.ring(now).await?.open(token) {
            Err(TokenError::UnknownKey(_)) => Ok(self.ring_within(REFETCH, now).await?.open(token)?),
            opened => Ok(opened?),
        }
    }

    /// Seals a link with one of the ring's keys, from a fresh ring where the cached one does not hold it.
    pub async fn seal(&self, key: &KeyId, link: &Link, now: Timestamp) -> Result<LinkToken, LinkError> {
        match self.ring(now).await?.seal(key, link) {
            Err(TokenError::UnknownKey(_)) => Ok(self.ring_within(REFETCH, now).await?.seal(key, link)?),
            sealed => Ok(sealed?),
        }
    }

    async fn ring_within(&self, life: TimeDelta, now: Timestamp) -> Result<Arc<KeyRing>, AwsError> {
        let mut cached = self.cached.lock().await;
        let old = match &*cached {
            Some(fresh) if !fresh.is_older_than(life, now) => return Ok(Arc::clone(&fresh.ring)),
            old => old.as_ref().map(|old| Arc::clone(&old.ring)),
        };
        match (self.fetch().await, old) {
            (Ok(ring), _) => {
                let ring = Arc::new(ring);
                *cached = Some(Cached { ring: Arc::clone(&ring), fetched: now });
                Ok(ring)
            }
            (Err(error), Some(old)) => {
                tracing::warn!(%error, "could not fetch the key ring, the old one goes on");
                *cached = Some(Cached { ring: Arc::clone(&old), fetched: now });
                Ok(old)
            }
            (Err(error), None) => Err(error),
        }
    }

    async fn fetch(&self) -> Result<KeyRing, AwsError> {
        let answer = self
            .client
            .get_secret_value()
            .secret_id(&self.secret)
            .send()
            .await
            .map_err(|e| AwsError::new(SERVICE, &e))?;
        KeyRing::parse(answer.secret_string().unwrap_or_default()).map_err(|error| {
            tracing::error!(%error, "the key ring cannot be read");
            AwsError::InvalidData { service: SERVICE, what: "key ring" }
        })
    }
}
