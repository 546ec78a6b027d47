//! Builds links for emails and for "copy link".

use std::sync::Arc;

use sharelink_domain::link::{KeyId, KeyRing, Link};
use sharelink_domain::{Share, Timestamp};

use crate::base_url::PublicBaseUrl;
use crate::key_ring_cache::{KeyRingCache, LinkError};
use crate::{AwsError, Error, InternalError};

/// Builds links to shares.
#[derive(Debug)]
pub struct LinkBuilder {
    key_ring_cache: KeyRingCache,
    base_url: PublicBaseUrl,
}

impl LinkBuilder {
    /// Creates a builder of links that begin with this URL and are sealed with this key ring.
    #[must_use]
    pub fn new(key_ring_cache: KeyRingCache, base_url: PublicBaseUrl) -> Self {
        Self { key_ring_cache, base_url }
    }

    /// Returns the ring of keys that seal links.
    pub async fn key_ring(&self, now: Timestamp) -> Result<Arc<KeyRing>, AwsError> {
        self.key_ring_cache.ring(now).await
    }

    /// Returns the id of the key that seals new links.
    pub async fn current_key(&self, now: Timestamp) -> Result<KeyId, AwsError> {
        Ok(self.key_ring(now).await?.current().clone())
    }

    /// Builds the link to a share whose [`link_key`](Share::link_key) is set. The token is deterministic.
    pub async fn build(&self, share: &Share, now: Timestamp) -> Result<String, Error> {
        let key = share.link_key.as_ref().ok_or(InternalError::NoLinkKey)?;
        let token =
            self.key_ring_cache.seal(key, &Link::of(share), now).await.map_err(|error| match error {
                LinkError::Aws(error) => error.into(),
                LinkError::Token(_) => Error::from(InternalError::UnknownLinkKey),
            })?;
        let base_url = self.base_url.get(now).await?;
        Ok(format!("{}/s/{}", base_url.as_str(), token.expose()))
    }
}
