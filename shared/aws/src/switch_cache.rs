//! The switches by which operators pause sharing, cached for a few seconds.

use std::time::Duration;

use chrono::TimeDelta;
use sharelink_domain::Timestamp;
use sharelink_domain::switches::SwitchReading;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::AwsError;
use crate::share_table::{SERVICE, ShareTable};
use crate::warm_up::warm_up;

/// Time allowed for reading the switches.
const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// The interval between attempts to read the switches while they cannot be read.
const RETRY_INTERVAL: TimeDelta = TimeDelta::seconds(5);

/// The latest reading of the switches.
///
/// Unlike other caches, it fails once its reading is too old: an instance that cannot read the switches must
/// not keep sharing on.
#[derive(Debug)]
pub struct SwitchCache {
    table: ShareTable,
    cached: Mutex<Cached>,
}

#[derive(Debug, Default)]
struct Cached {
    reading: Option<SwitchReading>,
    /// When the last attempt to read failed, if it did.
    failed_at: Option<Timestamp>,
}

impl Cached {
    /// Returns the reading if it may be used without another attempt.
    fn fresh(&self, now: Timestamp) -> Option<&SwitchReading> {
        let has_just_failed = self.failed_at.is_some_and(|at| (now - at).abs() < RETRY_INTERVAL);
        let is_fresh = |reading: &&SwitchReading| {
            reading.is_fresh(now) || (has_just_failed && reading.url_lifetime(now).is_some())
        };
        self.reading.as_ref().filter(is_fresh)
    }
}

impl SwitchCache {
    /// Creates an empty cache of the switches in this table.
    #[must_use]
    pub fn new(table: &ShareTable) -> Self {
        Self { table: table.clone(), cached: Mutex::default() }
    }

    /// Creates a cache and reads the switches, so that the first request finds them, and an open connection.
    pub async fn fetched(table: &ShareTable, now: Timestamp) -> Self {
        let cache = Self::new(table);
        warm_up(SERVICE, cache.read(now)).await;
        cache
    }

    /// Returns whether [`read`](Self::read) calls DynamoDB.
    pub async fn is_due(&self, now: Timestamp) -> bool {
        self.cached.lock().await.fresh(now).is_none()
    }

    /// Returns the switches as they were read at most 15 seconds ago, or at most 50 seconds ago while they
    /// cannot be read.
    pub async fn read(&self, now: Timestamp) -> Result<SwitchReading, AwsError> {
        let mut cached = self.cached.lock().await;
        if let Some(fresh) = cached.fresh(now) {
            return Ok(fresh.clone());
        }
        let timed_out = |_| AwsError::Unavailable { service: SERVICE, code: "timeout".into() };
        let read = timeout(READ_TIMEOUT, self.table.read_switches()).await.map_err(timed_out).flatten();
        match (read, &cached.reading) {
            (Ok(switches), _) => {
                let reading = SwitchReading { switches, read_at: now };
                *cached = Cached { reading: Some(reading.clone()), failed_at: None };
                Ok(reading)
            }
            (Err(error), Some(stale)) if stale.url_lifetime(now).is_some() => {
                tracing::warn!(%error, "could not read the switches; using the last reading");
                let stale = stale.clone();
                cached.failed_at = Some(now);
                Ok(stale)
            }
            (Err(error), _) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use sharelink_domain::switches::Switches;
    use sharelink_domain::testing::{NOW, time};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        time(NOW) + TimeDelta::seconds(seconds)
    }

    #[test]
    fn failed_attempt_is_repeated_every_five_seconds() {
        let reading = SwitchReading { switches: Switches::default(), read_at: at(0) };
        let mut cached = Cached { reading: Some(reading), failed_at: None };
        let is_fresh = |cached: &Cached, seconds| cached.fresh(at(seconds)).is_some();
        assert!(is_fresh(&cached, 14));
        assert!(!is_fresh(&cached, 15));
        cached.failed_at = Some(at(15));
        assert!(is_fresh(&cached, 19));
        assert!(!is_fresh(&cached, 20));
        cached.failed_at = Some(at(48));
        assert!(is_fresh(&cached, 50));
        assert!(!is_fresh(&cached, 51), "too old, however recently an attempt failed");
    }
}
