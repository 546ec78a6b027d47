//! Requests for more time: the holder of an ended link asks the sharer to prolong the access.
//!
//! Only an expired share records a request. The holder of a revoked link, and one who has asked too often,
//! gets the same response, because recipients cannot distinguish an expired share from a revoked one.

use chrono::TimeDelta;

use crate::access::{RedeemError, Target};
use crate::{Generation, Share, Timestamp};

/// The maximum number of requests in a share's life. Each causes a log entry and a notice to the sharer.
pub const MAX_REQUESTS: u32 = 3;

/// The minimum time between two requests.
pub const REQUEST_INTERVAL: TimeDelta = TimeDelta::days(1);

/// The requests for more time for one share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MoreTime {
    /// How often the recipient has asked: 1 to [`MAX_REQUESTS`].
    pub requests: u32,
    /// When the recipient last asked.
    pub requested_at: Timestamp,
    /// The share's version at that time. Unlike a time, it shows exactly whether the sharer has changed the
    /// share since.
    pub version: u64,
}

impl MoreTime {
    /// Returns whether another request counts at `now`.
    fn may_be_requested_again(&self, now: Timestamp) -> bool {
        self.requests < MAX_REQUESTS && self.requested_at + REQUEST_INTERVAL <= now
    }
}

impl Share {
    /// Returns the share after the holder of a link with this generation has asked for more time, or `None`
    /// if the request changes nothing.
    #[must_use]
    pub fn with_more_time_requested(&self, generation: Generation, now: Timestamp) -> Option<Self> {
        let has_ended = self.redeem(generation, Target::List, now) == Err(RedeemError::AccessEnded);
        let is_allowed = self.more_time.is_none_or(|last| last.may_be_requested_again(now));
        if !has_ended || self.revoked_at.is_some() || !is_allowed {
            return None;
        }
        let requests = self.more_time.map_or(0, |last| last.requests) + 1;
        let more_time = MoreTime { requests, requested_at: now, version: self.version };
        Some(Self { more_time: Some(more_time), ..self.clone() })
    }

    /// Returns whether the sharer has changed neither the expiration nor the revocation nor the link since
    /// the last request for more time.
    #[must_use]
    pub fn is_more_time_open(&self) -> bool {
        self.more_time.is_some_and(|request| request.version == self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::MIN_URL_LIFETIME;
    use crate::share::{ExpectedVersion, Renewal};
    use crate::testing::{NOW, ann, requested_expiry, share, time};
    use crate::{Action, ShareRules};

    /// Returns the share after a request this long after its expiry.
    fn ask(share: &Share, after: TimeDelta) -> Option<Share> {
        share.with_more_time_requested(share.generation, share.expires_at + after)
    }

    #[test]
    fn expired_share_records_the_request() {
        let share = share(&["a"]);
        assert_eq!(share.more_time, None);
        let asked = ask(&share, TimeDelta::zero()).unwrap();
        let expected = MoreTime { requests: 1, requested_at: share.expires_at, version: 1 };
        assert_eq!(asked.more_time, Some(expected));
        assert_eq!(asked.version, share.version);
        assert!(asked.is_more_time_open());
        assert!(!share.is_more_time_open());
    }

    #[test]
    fn only_an_ended_link_may_ask() {
        let share = share(&["a"]);
        assert_eq!(ask(&share, -MIN_URL_LIFETIME), None, "active");
        assert!(ask(&share, TimeDelta::milliseconds(1) - MIN_URL_LIFETIME).is_some(), "no longer redeemable");
        assert_eq!(ask(&share.revoked(&ann()).unwrap(), TimeDelta::hours(1)), None, "revoked");
        let other = Generation::from_bytes([9; 16]);
        assert_eq!(share.with_more_time_requested(other, share.expires_at), None, "another link");
    }

    #[test]
    fn requests_count_once_a_day_and_three_times_a_share() {
        let first = ask(&share(&["a"]), TimeDelta::zero()).unwrap();
        assert_eq!(ask(&first, REQUEST_INTERVAL - TimeDelta::milliseconds(1)), None);
        assert_eq!(ask(&first, TimeDelta::days(-1)), None, "a clock that was set back");
        let second = ask(&first, REQUEST_INTERVAL).unwrap();
        let third = ask(&second, REQUEST_INTERVAL * 3).unwrap();
        assert_eq!(third.more_time.unwrap().requests, MAX_REQUESTS);
        assert_eq!(ask(&third, TimeDelta::days(99)), None);
    }

    #[test]
    fn every_change_by_a_sharer_closes_the_request() {
        let asked = ask(&share(&["a"]), TimeDelta::zero()).unwrap();
        let action = Action { at: asked.expires_at, ..ann() };
        let rules = ShareRules::default();
        let expiry = requested_expiry("2026-03-10T14:00:00Z");
        let granted = asked.with_expiration(expiry, &action, ExpectedVersion::Any, &rules).unwrap().unwrap();
        let generation = Generation::from_bytes([9; 16]);
        let renewal = Renewal { generation, expiry: Some(expiry), notify: false };
        let renewed = asked.renewed(&renewal, &action, ExpectedVersion::Any, &rules).unwrap().unwrap();
        for (name, changed) in
            [("granted", granted), ("renewed", renewed), ("revoked", asked.revoked(&action).unwrap())]
        {
            assert!(!changed.is_more_time_open(), "{name}");
            assert_eq!(changed.more_time, asked.more_time, "{name}: requests count for the share's life");
        }
    }

    #[test]
    fn granted_share_that_ends_again_may_ask_again() {
        let asked = ask(&share(&["a"]), TimeDelta::zero()).unwrap();
        let expiry = requested_expiry("2026-03-12T12:00:00Z");
        let action = Action { at: time(NOW) + TimeDelta::hours(2), ..ann() };
        let granted = asked.with_expiration(expiry, &action, ExpectedVersion::Any, &ShareRules::default());
        let granted = granted.unwrap().unwrap();
        assert_eq!(granted.with_more_time_requested(granted.generation, action.at), None, "active again");
        let again = ask(&granted, TimeDelta::zero()).unwrap();
        assert_eq!(again.more_time.unwrap().requests, 2);
        assert!(again.is_more_time_open());
    }
}
