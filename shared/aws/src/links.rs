//! Making links, for emails and for those who may copy one.

use sharelink_domain::link::{KeyId, Link};
use sharelink_domain::{Share, Timestamp};

use crate::AwsError;
use crate::key_ring_cache::{KeyRingCache, LinkError};
use crate::parameters::PublicBaseUrl;

/// Makes the links of shares.
#[derive(Debug)]
pub struct LinkBuilder {
    key_ring_cache: KeyRingCache,
    base_url: PublicBaseUrl,
}

impl LinkBuilder {
    /// LinkBuilder that begin with this address and are sealed with this ring.
    #[must_use]
    pub fn new(key_ring_cache: KeyRingCache, base_url: PublicBaseUrl) -> Self {
        Self { key_ring_cache, base_url }
    }

    /// The key that seals the link of a share for which none has been settled yet.
    pub async fn current_key(&self, now: Timestamp) -> Result<KeyId, AwsError> {
        Ok(self.key_ring_cache.ring(now).await?.current().clone())
    }

    /// The link of a share whose key has been settled, the same each time.
    pub async fn link(&self, share: &Share, now: Timestamp) -> Result<String, AwsError> {
        let unreadable = |what| AwsError::InvalidData { service: "link", what };
        let key = share.link_key.as_ref().ok_or_else(|| unreadable("no key has been settled"))?;
        let token =
            self.key_ring_cache.seal(key, &Link::of(share), now).await.map_err(|error| match error {
                LinkError::Aws(error) => error,
                LinkError::Token(_) => unreadable("its key is not in the ring"),
            })?;
        let base_url = self.base_url.get(now).await?;
        Ok(format!("{base_url}/s/{}", token.expose()))
    }
}
