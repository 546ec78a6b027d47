//! A cache that keeps serving its last value while a new value cannot be fetched.

use std::fmt::Display;

use chrono::TimeDelta;
use sharelink_domain::Timestamp;
use tokio::sync::Mutex;

/// Caches one value. After a failed fetch, the old value is served for another `max_age`, so that an outage
/// costs one call per period instead of one call per request.
#[derive(Debug)]
pub(crate) struct StaleIfErrorCache<T> {
    name: &'static str,
    cached: Mutex<Option<Cached<T>>>,
}

#[derive(Debug)]
struct Cached<T> {
    value: T,
    fetched_at: Timestamp,
}

impl<T> Cached<T> {
    /// Compares the absolute age: a value fetched before the clock was set back must not stay fresh until the
    /// clock catches up.
    fn is_fresh(&self, max_age: TimeDelta, now: Timestamp) -> bool {
        (now - self.fetched_at).abs() < max_age
    }
}

impl<T: Clone> StaleIfErrorCache<T> {
    /// Creates an empty cache. `name` identifies the cache in logs.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, cached: Mutex::new(None) }
    }

    /// Returns whether the cached value is younger than `max_age`, so that `get` fetches nothing.
    #[cfg(feature = "secrets")]
    pub(crate) async fn is_fresh(&self, max_age: TimeDelta, now: Timestamp) -> bool {
        self.cached.lock().await.as_ref().is_some_and(|cached| cached.is_fresh(max_age, now))
    }

    /// Returns the cached value if it is younger than `max_age`. Otherwise, fetches a new value. Concurrent
    /// callers share one fetch.
    pub(crate) async fn get<E: Display>(
        &self,
        max_age: TimeDelta,
        now: Timestamp,
        fetch: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let mut cached = self.cached.lock().await;
        if let Some(fresh) = cached.as_ref().filter(|cached| cached.is_fresh(max_age, now)) {
            return Ok(fresh.value.clone());
        }
        let value = match (fetch().await, cached.take()) {
            (Ok(value), _) => value,
            (Err(error), Some(stale)) => {
                tracing::warn!(%error, "could not fetch the {}; using the old value", self.name);
                stale.value
            }
            (Err(error), None) => return Err(error),
        };
        *cached = Some(Cached { value: value.clone(), fetched_at: now });
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use sharelink_domain::testing::{NOW, time};

    use super::*;

    const MAX_AGE: TimeDelta = TimeDelta::minutes(5);

    async fn get(
        cache: &StaleIfErrorCache<u8>,
        minutes: i64,
        fetched: Result<u8, &'static str>,
    ) -> Result<u8, &'static str> {
        cache.get(MAX_AGE, time(NOW) + TimeDelta::minutes(minutes), async || fetched).await
    }

    #[tokio::test]
    async fn value_is_fetched_again_at_its_maximum_age() {
        let cache = StaleIfErrorCache::new("value");
        assert_eq!(get(&cache, 0, Ok(1)).await, Ok(1));
        assert_eq!(get(&cache, 4, Ok(2)).await, Ok(1), "still fresh");
        assert_eq!(get(&cache, 5, Ok(3)).await, Ok(3));
    }

    #[tokio::test]
    async fn stale_value_is_served_for_another_period_after_an_error() {
        let cache = StaleIfErrorCache::new("value");
        assert_eq!(get(&cache, 0, Ok(1)).await, Ok(1));
        assert_eq!(get(&cache, 5, Err("down")).await, Ok(1));
        assert_eq!(get(&cache, 9, Ok(2)).await, Ok(1), "no fetch within the period");
        assert_eq!(get(&cache, 10, Ok(3)).await, Ok(3));
    }

    #[tokio::test]
    async fn error_without_a_cached_value_is_returned() {
        let cache = StaleIfErrorCache::new("value");
        assert_eq!(get(&cache, 0, Err("down")).await, Err("down"));
        assert_eq!(get(&cache, 0, Ok(1)).await, Ok(1));
    }

    #[tokio::test]
    async fn value_from_the_future_is_fetched_again() {
        let cache = StaleIfErrorCache::new("value");
        assert_eq!(get(&cache, 60, Ok(1)).await, Ok(1));
        assert_eq!(get(&cache, 0, Ok(2)).await, Ok(2), "the clock was set back");
    }
}
