//! The rate limit for sending emails.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Spaces emails evenly, at no more than a given number per second.
#[derive(Debug)]
pub(crate) struct RateLimiter(Mutex<Interval>);

impl RateLimiter {
    pub(crate) fn new(emails_per_second: u16) -> Self {
        let mut interval = interval(Duration::from_secs(1) / u32::from(emails_per_second));
        // Never burst to catch up after idle time.
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self(Mutex::new(interval))
    }

    /// Waits until the next email may be sent.
    pub(crate) async fn acquire(&self) {
        self.0.lock().await.tick().await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn emails_are_evenly_spaced() {
        let rate_limiter = RateLimiter::new(4);
        let start = Instant::now();
        for _ in 0..9 {
            rate_limiter.acquire().await;
        }
        assert_eq!(start.elapsed(), Duration::from_secs(2));
    }
}
