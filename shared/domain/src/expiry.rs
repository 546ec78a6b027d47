//! The access expiration date.

use std::str::FromStr;

use chrono::{DateTime, FixedOffset, Months, NaiveDateTime};
use thiserror::Error;

use crate::{Timestamp, truncate_to_millis};

/// The reason an expiry was rejected.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ExpiryError {
    #[error("must be a date and time in RFC 3339 format, such as 2030-01-31T17:00:00+01:00")]
    Format,
    #[error("must end with its offset from UTC, such as +01:00 or Z")]
    NoOffset,
    #[error("must not be on a day before today")]
    BeforeToday,
    #[error("must be at most ten years from now")]
    TooLate,
    #[error("must be in the future")]
    NotInFuture,
}

/// The maximum lifetime of a share: ten years.
const MAX_LIFETIME: Months = Months::new(120);

/// An access expiration date that was requested, but not yet accepted for a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestedExpiry(DateTime<FixedOffset>);

impl FromStr for RequestedExpiry {
    type Err = ExpiryError;

    fn from_str(text: &str) -> Result<Self, ExpiryError> {
        DateTime::parse_from_rfc3339(text).map(Self).map_err(|_| format_error(text))
    }
}

impl RequestedExpiry {
    /// Returns the requested time.
    #[must_use]
    pub fn at(self) -> Timestamp {
        truncate_to_millis(self.0.to_utc())
    }

    /// Returns the requested UTC offset.
    #[must_use]
    pub fn offset(self) -> FixedOffset {
        *self.0.offset()
    }

    /// Accepts the expiry for a share.
    ///
    /// The offset determines which day is today for the user, and the date must not be before that day. A
    /// time earlier today is accepted, because users rely on this behavior.
    pub fn accept(self, now: Timestamp) -> Result<Expiry, ExpiryError> {
        if self.0.date_naive() < now.with_timezone(&self.offset()).date_naive() {
            return Err(ExpiryError::BeforeToday);
        }
        if now.checked_add_months(MAX_LIFETIME).is_none_or(|latest| self.at() > latest) {
            return Err(ExpiryError::TooLate);
        }
        Ok(Expiry { at: self.at(), offset: self.offset(), is_past: self.at() <= now })
    }
}

/// An access expiration date that was accepted for a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    at: Timestamp,
    offset: FixedOffset,
    is_past: bool,
}

impl Expiry {
    /// Parses an RFC 3339 time and [accepts](RequestedExpiry::accept) it.
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, ExpiryError> {
        text.parse::<RequestedExpiry>()?.accept(now)
    }

    /// Returns the time at which the share expires.
    #[must_use]
    pub fn at(self) -> Timestamp {
        self.at
    }

    /// Returns the requested UTC offset, for formatting the expiry.
    #[must_use]
    pub fn offset(self) -> FixedOffset {
        self.offset
    }

    /// Returns whether the expiry was already in the past when it was accepted. If so, the share is inactive
    /// immediately.
    #[must_use]
    pub fn is_past(self) -> bool {
        self.is_past
    }
}

/// Returns the reason the text is not an RFC 3339 time.
fn format_error(text: &str) -> ExpiryError {
    let lacks_offset = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
        .iter()
        .any(|format| NaiveDateTime::parse_from_str(text, format).is_ok());
    if lacks_offset { ExpiryError::NoOffset } else { ExpiryError::Format }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{NOW, time};

    fn parse(text: &str) -> Result<Expiry, ExpiryError> {
        Expiry::parse(text, time(NOW))
    }

    #[test]
    fn future_time_is_accepted_with_its_offset() {
        let expiry = parse("2026-03-11T09:30:00.1239+05:30").unwrap();
        assert_eq!(expiry.at(), time("2026-03-11T04:00:00.123Z"));
        assert_eq!(expiry.offset().local_minus_utc(), (5 * 60 + 30) * 60);
        assert!(!expiry.is_past());
    }

    #[test]
    fn time_earlier_today_is_accepted_as_past() {
        assert!(parse("2026-03-10T00:00:00Z").unwrap().is_past());
        assert!(parse("2026-03-10T12:00:00Z").unwrap().is_past());
        assert!(!parse("2026-03-10T12:00:00.001Z").unwrap().is_past());
    }

    #[test]
    fn today_depends_on_the_requested_offset() {
        // Noon UTC on the 10th is already the 11th at +14:00 and still the 10th at -11:00.
        assert_eq!(parse("2026-03-10T23:59:59+14:00"), Err(ExpiryError::BeforeToday));
        assert!(parse("2026-03-11T00:00:00+14:00").unwrap().is_past());
        assert!(parse("2026-03-10T00:00:00-11:00").unwrap().is_past());
        assert_eq!(parse("2026-03-09T23:59:59Z"), Err(ExpiryError::BeforeToday));
    }

    #[test]
    fn expiry_is_limited_to_ten_years() {
        assert!(parse("2036-03-10T12:00:00Z").is_ok());
        assert_eq!(parse("2036-03-10T12:00:00.001Z"), Err(ExpiryError::TooLate));
        assert_eq!(parse("9999-12-31T23:59:59Z"), Err(ExpiryError::TooLate));
    }

    #[test]
    fn missing_offset_is_reported_as_such() {
        for text in ["2026-03-11T09:30:00", "2026-03-11 09:30:00", "2026-03-11T09:30"] {
            assert_eq!(parse(text), Err(ExpiryError::NoOffset), "{text:?}");
        }
    }

    #[test]
    fn malformed_expiry_is_rejected() {
        for text in
            ["", "tomorrow", "2026-03-11", "2026-02-30T00:00:00Z", "1773230400", "2026-03-11T25:00:00Z"]
        {
            assert_eq!(parse(text), Err(ExpiryError::Format), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in any::<String>()) {
            let _ = parse(&text);
        }

        #[test]
        fn accepted_expiry_is_today_or_later_at_its_offset(
            seconds in -400_000_i64..400_000, minutes in -1439_i32..1440, now in 1_000_000_000_i64..4_000_000_000,
        ) {
            let now = Timestamp::from_timestamp(now, 0).unwrap();
            let offset = FixedOffset::east_opt(minutes * 60).unwrap();
            let requested = (now + TimeDelta::seconds(seconds)).with_timezone(&offset);
            let is_accepted = Expiry::parse(&requested.to_rfc3339(), now).is_ok();
            prop_assert_eq!(is_accepted, requested.date_naive() >= now.with_timezone(&offset).date_naive());
        }
    }
}
