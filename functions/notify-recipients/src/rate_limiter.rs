//! How fast emails may leave, and when it is time to stop.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use sharelink_domain::mail::{Fault, SendOutcome};
use tokio::sync::Mutex;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

/// Lets one email leave after the other, at most so many a second.
#[derive(Debug)]
pub(crate) struct RateLimiter(Mutex<Interval>);

impl RateLimiter {
    pub(crate) fn new(per_second: u16) -> Self {
        let mut interval = interval(Duration::from_secs(1) / u32::from(per_second));
        // What was not sent in quiet times may not be made up for.
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self(Mutex::new(interval))
    }

    /// Waits until the next email may leave.
    pub(crate) async fn acquire(&self) {
        self.0.lock().await.tick().await;
    }
}

/// How long one email may take: its claim (10 s), the ring and the base URL of its link (20 s), SES's answer (20 s)
/// and its record (20 s), each with all its retries.
const LONGEST: Duration = Duration::from_secs(75);

/// So many failures of SES in a row are an outage.
const OUTAGE: u32 = 5;

/// One invocation's sending: it ends before its time is up, and when SES takes nothing more. What it leaves stays
/// due, and untried, for the next one.
#[derive(Debug)]
pub(crate) struct Run {
    until: Instant,
    failures: AtomicU32,
}

impl Run {
    pub(crate) fn new(deadline: SystemTime) -> Self {
        let left = deadline.duration_since(SystemTime::now()).unwrap_or_default();
        Self { until: Instant::now() + left.saturating_sub(LONGEST), failures: AtomicU32::new(0) }
    }

    /// Whether another email may be begun.
    pub(crate) fn goes_on(&self) -> bool {
        Instant::now() < self.until && self.failures.load(Ordering::Relaxed) < OUTAGE
    }

    /// Takes note of what became of an email.
    pub(crate) fn note(&self, outcome: SendOutcome) {
        match outcome {
            SendOutcome::Deferred { fault, .. } if fault.is_account_wide() => {
                self.failures.store(OUTAGE, Ordering::Relaxed);
            }
            SendOutcome::Deferred { fault: Fault::Unavailable | Fault::NoLink, .. } => {
                self.failures.fetch_add(1, Ordering::Relaxed);
            }
            SendOutcome::Sent => self.failures.store(0, Ordering::Relaxed),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use sharelink_domain::Timestamp;

    use super::*;

    fn put_off(fault: Fault) -> SendOutcome {
        SendOutcome::Deferred { until: Timestamp::default(), fault }
    }

    fn run() -> Run {
        Run::new(SystemTime::now() + Duration::from_mins(10))
    }

    #[test]
    fn what_everybody_meets_ends_a_run_and_a_mere_failure_does_not() {
        for fault in [Fault::QuotaSpent, Fault::Paused] {
            let run = run();
            run.note(put_off(fault));
            assert!(!run.goes_on(), "{fault:?}");
        }
        let run = run();
        for outcome in
            [put_off(Fault::Throttled), put_off(Fault::Unverified), SendOutcome::Failed("x")].repeat(9)
        {
            run.note(outcome);
        }
        assert!(run.goes_on());
    }

    #[test]
    fn an_outage_ends_a_run() {
        let run = run();
        for _ in 0..4 {
            run.note(put_off(Fault::Unavailable));
        }
        run.note(SendOutcome::Sent);
        for _ in 0..4 {
            run.note(put_off(Fault::Unavailable));
        }
        assert!(run.goes_on());
        run.note(put_off(Fault::Unavailable));
        assert!(!run.goes_on());
    }

    #[test]
    fn a_run_ends_before_its_time_is_up() {
        assert!(!Run::new(SystemTime::now() + LONGEST).goes_on());
        assert!(!Run::new(SystemTime::UNIX_EPOCH).goes_on());
    }

    #[tokio::test(start_paused = true)]
    async fn emails_leave_one_after_the_other() {
        let pace = RateLimiter::new(4);
        let start = Instant::now();
        for _ in 0..9 {
            pace.acquire().await;
        }
        assert_eq!(start.elapsed(), Duration::from_secs(2));
    }
}
