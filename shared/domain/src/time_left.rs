//! The time left until an expiry, in the unit that a person would use.

use chrono::{DateTime, FixedOffset, TimeDelta};

use crate::Timestamp;

/// The time left until an expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeLeft {
    LessThanAMinute,
    /// 1 to 119 minutes.
    Minutes(i64),
    /// 2 to 47 full hours.
    Hours(i64),
    /// 2 to 366 days on the calendar.
    Days(i64),
    /// More than this number of years, at least 1.
    MoreThanYears(u32),
}

impl TimeLeft {
    /// Returns the time left at `now`. Hours are rounded down, because a promise that is too long costs the
    /// recipient the files. Days are counted on the calendar at the expiry's offset: the time is shown beside
    /// the date, and from one Thursday to the next are 7 days, at any time of day.
    #[must_use]
    pub fn until(expiry: DateTime<FixedOffset>, now: Timestamp) -> Self {
        let left = expiry.to_utc() - now;
        if left < TimeDelta::minutes(1) {
            return Self::LessThanAMinute;
        }
        // An hour's share is opened a moment later than it is created, and is still an hour's share.
        let minutes = (left + TimeDelta::seconds(30)).num_minutes();
        let start = now.with_timezone(expiry.offset());
        let days = (expiry.date_naive() - start.date_naive()).num_days();
        match minutes {
            ..120 => Self::Minutes(minutes),
            120..2880 => Self::Hours(minutes / 60),
            _ if days <= 366 => Self::Days(days.max(2)),
            _ => Self::MoreThanYears(expiry.years_since(start).unwrap_or_default().max(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time_left(now: &str, expiry: &str) -> TimeLeft {
        TimeLeft::until(DateTime::parse_from_rfc3339(expiry).unwrap(), now.parse().unwrap())
    }

    #[test]
    fn unit_depends_on_the_time_left() {
        let now = "2026-11-26T09:00:00Z";
        for (expiry, expected) in [
            ("2026-11-26T09:00:01Z", TimeLeft::LessThanAMinute),
            ("2026-11-26T09:00:59.999Z", TimeLeft::LessThanAMinute),
            ("2026-11-26T09:01:00Z", TimeLeft::Minutes(1)),
            ("2026-11-26T10:30:00Z", TimeLeft::Minutes(90)),
            ("2026-11-26T10:59:00Z", TimeLeft::Minutes(119)),
            ("2026-11-26T11:00:00Z", TimeLeft::Hours(2)),
            ("2026-11-26T11:59:00Z", TimeLeft::Hours(2)),
            ("2026-11-28T08:59:00Z", TimeLeft::Hours(47)),
            ("2026-11-28T09:00:00Z", TimeLeft::Days(2)),
            ("2026-12-03T00:00:00Z", TimeLeft::Days(7)),
            ("2026-12-03T23:59:00Z", TimeLeft::Days(7)),
            ("2027-11-27T23:59:00Z", TimeLeft::Days(366)),
            ("2027-11-28T00:00:00Z", TimeLeft::MoreThanYears(1)),
            ("2028-11-26T08:59:59Z", TimeLeft::MoreThanYears(1)),
            ("2031-01-01T00:00:00Z", TimeLeft::MoreThanYears(4)),
        ] {
            assert_eq!(time_left(now, expiry), expected, "{expiry}");
        }
    }

    #[test]
    fn a_moment_after_its_creation_a_share_has_its_full_time() {
        let expiry = "2026-11-26T09:00:00Z";
        assert_eq!(time_left("2026-11-26T08:00:20Z", expiry), TimeLeft::Minutes(60));
        assert_eq!(time_left("2026-11-25T09:00:20Z", expiry), TimeLeft::Hours(24));
        assert_eq!(time_left("2026-11-19T09:00:20Z", expiry), TimeLeft::Days(7));
        assert_eq!(time_left("2026-11-24T09:00:20Z", expiry), TimeLeft::Days(2));
    }

    #[test]
    fn days_are_counted_at_the_expiry_s_offset() {
        let now = "2026-11-26T23:30:00Z";
        assert_eq!(time_left(now, "2026-12-03T23:59:00Z"), TimeLeft::Days(7));
        assert_eq!(time_left(now, "2026-12-03T23:59:00+01:00"), TimeLeft::Days(6), "already 27 November");
        assert_eq!(time_left(now, "2026-12-03T23:59:00-05:00"), TimeLeft::Days(7));
    }

    proptest! {
        #[test]
        fn time_left_is_less_than_a_unit_off(seconds in 1_i64..400 * 86_400, hours in -12_i32..=14) {
            let now: Timestamp = "2026-11-26T09:13:57Z".parse().unwrap();
            let offset = FixedOffset::east_opt(hours * 3600).unwrap();
            let expiry = (now + TimeDelta::seconds(seconds)).with_timezone(&offset);
            match TimeLeft::until(expiry, now) {
                TimeLeft::LessThanAMinute => prop_assert!(seconds < 60),
                TimeLeft::Minutes(n) => prop_assert!((n * 60 - seconds).abs() <= 30),
                TimeLeft::Hours(n) => prop_assert!((-30..3600).contains(&(seconds - n * 3600))),
                TimeLeft::Days(n) => prop_assert!((n * 86_400 - seconds).abs() < 86_400),
                TimeLeft::MoreThanYears(n) => prop_assert!(i64::from(n) * 365 * 86_400 < seconds),
            }
        }
    }
}
