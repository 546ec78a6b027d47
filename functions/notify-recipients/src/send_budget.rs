//! Limits on the sending of one invocation: its deadline, and a circuit breaker for outages.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use sharelink_domain::sending::{Fault, SendOutcome};
use tokio::time::Instant;

/// The longest time that one email can take, including all retries: its claim (10 s), the key ring and the
/// base URL for its link (20 s), the call to SES (20 s), and the recording of its outcome (20 s).
const MAX_EMAIL_DURATION: Duration = Duration::from_secs(75);

/// The number of consecutive failures that count as an outage.
const OUTAGE_THRESHOLD: u32 = 5;

/// The sending budget of one invocation. It is exhausted when the deadline is near or during an outage.
/// Emails that are not attempted stay due for the next invocation, with their number of tries unchanged.
#[derive(Debug)]
pub(crate) struct SendBudget {
    last_start: Instant,
    consecutive_failures: AtomicU32,
}

impl SendBudget {
    /// Creates the budget of an invocation that Lambda ends at the deadline.
    pub(crate) fn new(deadline: SystemTime) -> Self {
        let time_left = deadline.duration_since(SystemTime::now()).unwrap_or_default();
        Self {
            last_start: Instant::now() + time_left.saturating_sub(MAX_EMAIL_DURATION),
            consecutive_failures: AtomicU32::new(0),
        }
    }

    /// Returns whether another email may be attempted.
    pub(crate) fn may_continue(&self) -> bool {
        Instant::now() < self.last_start
            && self.consecutive_failures.load(Ordering::Relaxed) < OUTAGE_THRESHOLD
    }

    /// Records the outcome of an attempt. An account-wide fault exhausts the budget at once. Outages exhaust
    /// it after several failures in a row, and faults of a single email never do.
    pub(crate) fn record(&self, outcome: SendOutcome) {
        match outcome {
            SendOutcome::Deferred { fault, .. } if fault.is_account_wide() => {
                self.consecutive_failures.store(OUTAGE_THRESHOLD, Ordering::Relaxed);
            }
            SendOutcome::Deferred { fault: Fault::Unavailable | Fault::NoLink, .. } => {
                self.consecutive_failures.fetch_add(1, Ordering::Relaxed);
            }
            SendOutcome::Sent => self.consecutive_failures.store(0, Ordering::Relaxed),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use sharelink_domain::Timestamp;

    use super::*;

    fn deferred(fault: Fault) -> SendOutcome {
        SendOutcome::Deferred { until: Timestamp::default(), fault }
    }

    fn budget() -> SendBudget {
        SendBudget::new(SystemTime::now() + Duration::from_mins(10))
    }

    #[test]
    fn account_wide_fault_exhausts_budget() {
        for fault in [Fault::QuotaSpent, Fault::Paused] {
            let budget = budget();
            budget.record(deferred(fault));
            assert!(!budget.may_continue(), "{fault:?}");
        }
    }

    #[test]
    fn faults_of_single_emails_do_not_exhaust_budget() {
        let budget = budget();
        let outcomes = [deferred(Fault::Throttled), deferred(Fault::Unverified), SendOutcome::Failed("x")];
        for outcome in outcomes.repeat(9) {
            budget.record(outcome);
        }
        assert!(budget.may_continue());
    }

    #[test]
    fn consecutive_failures_exhaust_budget() {
        let budget = budget();
        for _ in 0..4 {
            budget.record(deferred(Fault::Unavailable));
        }
        budget.record(SendOutcome::Sent);
        for _ in 0..4 {
            budget.record(deferred(Fault::Unavailable));
        }
        assert!(budget.may_continue(), "a sent email resets the count");
        budget.record(deferred(Fault::Unavailable));
        assert!(!budget.may_continue());
    }

    #[test]
    fn budget_is_exhausted_before_deadline() {
        assert!(!SendBudget::new(SystemTime::now() + MAX_EMAIL_DURATION).may_continue());
        assert!(!SendBudget::new(SystemTime::UNIX_EPOCH).may_continue());
    }
}
