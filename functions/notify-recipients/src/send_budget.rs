//! Limits how much one invocation sends, with a deadline and with a circuit breaker for outages.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use sharelink_domain::sending::{Fault, SendOutcome};
use tokio::time::Instant;

/// The longest time that one email can take, including all retries: claiming it (10 s), getting the key ring
/// and the base URL for its link (20 s), calling SES (20 s), and recording the outcome (20 s), plus a margin.
const MAX_EMAIL_DURATION: Duration = Duration::from_secs(75);

/// The number of consecutive failures that are treated as an outage.
const OUTAGE_THRESHOLD: u32 = 5;

/// The sending budget of one invocation. It is exhausted near the deadline or during an outage. Emails that
/// were not tried stay due for the next invocation, and their try counts do not change.
#[derive(Debug)]
pub(crate) struct SendBudget {
    last_start: Instant,
    consecutive_failures: AtomicU32,
}

impl SendBudget {
    /// Creates the budget for an invocation that times out at `deadline`.
    pub(crate) fn new(deadline: SystemTime) -> Self {
        let time_left = deadline.duration_since(SystemTime::now()).unwrap_or_default();
        Self {
            last_start: Instant::now() + time_left.saturating_sub(MAX_EMAIL_DURATION),
            consecutive_failures: AtomicU32::new(0),
        }
    }

    /// Returns whether the invocation may try to send another email.
    pub(crate) fn may_continue(&self) -> bool {
        Instant::now() < self.last_start
            && self.consecutive_failures.load(Ordering::Relaxed) < OUTAGE_THRESHOLD
    }

    /// Records the outcome of one email. An account-wide fault exhausts the budget immediately. Failures that
    /// suggest an outage exhaust it only after several in a row. A fault that affects a single email never
    /// exhausts it.
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
    use sharelink_domain::{MailReason, Timestamp};

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
    fn faults_that_affect_one_email_do_not_exhaust_budget() {
        let budget = budget();
        let outcomes = [
            deferred(Fault::Throttled),
            deferred(Fault::Unverified),
            SendOutcome::Failed(MailReason::Rejected),
        ];
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
