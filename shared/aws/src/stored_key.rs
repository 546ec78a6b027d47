//! Keys of keyed hashes, from Secrets Manager.

use std::str::FromStr;
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::Builder;
use aws_types::SdkConfig;
use sharelink_domain::hash_key::HashKey;
use sharelink_domain::index_key::IndexKey;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::AwsError;
use crate::call_timer::CallTimer;
use crate::warm_up::warm_up;

const SERVICE: &str = "secretsmanager";

/// The longest time that a response waits for the key, if it could not be fetched before. Shorter than the time
/// that is reserved for sending the response.
const FETCH_TIMEOUT: Duration = Duration::from_millis(500);

/// The key of the hashes that stand for people and items in logs and counters.
pub type StoredHashKey = StoredKey<HashKey>;

/// The key of the hashes in the table's indexes.
pub type StoredIndexKey = StoredKey<IndexKey>;

/// A key, fetched once per instance.
#[derive(Debug)]
pub struct StoredKey<K> {
    client: Client,
    secret: String,
    key: OnceCell<K>,
}

impl<K: FromStr> StoredKey<K> {
    /// Fetches the key from the secret with this name or ARN, so that no request waits for it.
    pub async fn fetched(config: &SdkConfig, secret: impl Into<String>) -> Self {
        let settings = Builder::from(config).interceptor(CallTimer(SERVICE)).build();
        let key = Self { client: Client::from_conf(settings), secret: secret.into(), key: OnceCell::new() };
        warm_up(SERVICE, key.get_or_fetch()).await;
        key
    }

    /// Returns the key.
    pub async fn get_or_fetch(&self) -> Result<&K, AwsError> {
        self.key.get_or_try_init(|| self.fetch()).await
    }

    async fn fetch(&self) -> Result<K, AwsError> {
        let secret = self.client.get_secret_value().secret_id(&self.secret);
        let response = secret.send().await.map_err(|e| AwsError::new(SERVICE, &e))?;
        let key = response.secret_string().unwrap_or_default().parse();
        key.map_err(|_| AwsError::InvalidData { service: SERVICE, what: "key of hashes" })
    }
}

impl StoredHashKey {
    /// Returns the key for a log line, or `None` if it cannot be fetched now. A missing hash must not fail a
    /// request.
    pub async fn get_for_log(&self) -> Option<&HashKey> {
        let fetched = timeout(FETCH_TIMEOUT, self.get_or_fetch()).await;
        let error = match fetched {
            Ok(Ok(key)) => return Some(key),
            Ok(Err(error)) => error.to_string(),
            Err(elapsed) => elapsed.to_string(),
        };
        tracing::warn!(%error, "a request is logged without the caller");
        None
    }
}
