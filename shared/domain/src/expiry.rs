//! When access ends.

use std::str::FromStr;

use chrono::{DateTime, FixedOffset, Months, NaiveDateTime};
use thiserror::Error;

use crate::{Timestamp, to_millis};

/// Why an expiry was refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ExpiryError {
    #[error("must be a date and time as in RFC 3339, such as 2030-01-31T17:00:00+01:00")]
    Format,
    #[error("must end with its offset from UTC, such as +01:00 or Z")]
    NoOffset,
    #[error("must not be on a day before today")]
    BeforeToday,
    #[error("must be within ten years from now")]
    TooLate,
}

/// Shares live ten years at most.
const LATEST: Months = Months::new(120);

/// An access expiration date as somebody typed it, whether or not a share may be given it today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestedExpiry(DateTime<FixedOffset>);

impl FromStr for RequestedExpiry {
    type Err = ExpiryError;

    fn from_str(text: &str) -> Result<Self, ExpiryError> {
        DateTime::parse_from_rfc3339(text).map(Self).map_err(|_| without_offset(text))
    }
}

impl RequestedExpiry {
    /// The moment that it names.
    #[must_use]
    pub fn at(self) -> Timestamp {
        to_millis(self.0.to_utc())
    }

    /// The offset that it was typed with.
    #[must_use]
    pub fn offset(self) -> FixedOffset {
        *self.0.offset()
    }

    /// Accepts it for a share. Its offset is the user's calendar: the expiry's date, in its own offset, must
    /// not be before today in that offset. Earlier today is accepted: a known behaviour that users rely on.
    pub fn accept(self, now: Timestamp) -> Result<Expiry, ExpiryError> {
        if self.0.date_naive() < now.with_timezone(&self.offset()).date_naive() {
            return Err(ExpiryError::BeforeToday);
        }
        if now.checked_add_months(LATEST).is_none_or(|latest| self.at() > latest) {
            return Err(ExpiryError::TooLate);
        }
        Ok(Expiry { at: self.at(), offset: self.offset(), already_past: self.at() <= now })
    }
}

/// An access expiration date that a share may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    at: Timestamp,
    offset: FixedOffset,
    already_past: bool,
}

impl Expiry {
    /// Reads an RFC 3339 time, and [accepts](RequestedExpiry::accept) it.
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, ExpiryError> {
        text.parse::<RequestedExpiry>()?.accept(now)
    }

    /// The moment from which the share is expired.
    #[must_use]
    pub fn at(self) -> Timestamp {
        self.at
    }

    /// The offset that it was typed with: the calendar to spell it out in.
    #[must_use]
    pub fn offset(self) -> FixedOffset {
        self.offset
    }

    /// Whether a share that is given this expiry is inactive at once.
    #[must_use]
    pub fn already_past(self) -> bool {
        self.already_past
    }
}

fn without_offset(text: &str) -> ExpiryError {
    let naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
        .iter()
        .any(|format| NaiveDateTime::parse_from_str(text, format).is_ok());
    if naive { ExpiryError::NoOffset } else { ExpiryError::Format }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn parse(text: &str) -> Result<Expiry, ExpiryError> {
        Expiry::parse(text, time("2026-03-10T12:00:00Z"))
    }

    #[test]
    fn a_future_time_is_taken_at_its_offset() {
        let expiry = parse("2026-03-11T09:30:00.1239+05:30").unwrap();
        assert_eq!(expiry.at(), time("2026-03-11T04:00:00.123Z"));
        assert!(!expiry.already_past());
    }

    #[test]
    fn earlier_today_is_accepted_and_already_past() {
        assert!(parse("2026-03-10T00:00:00Z").unwrap().already_past());
        assert!(parse("2026-03-10T12:00:00Z").unwrap().already_past());
        assert!(!parse("2026-03-10T12:00:00.001Z").unwrap().already_past());
    }

    #[test]
    fn today_is_the_day_at_the_expirys_own_offset() {
        // Noon in UTC is already the 11th at +14:00, and still the 10th at -11:00.
        assert_eq!(parse("2026-03-10T23:59:59+14:00"), Err(ExpiryError::BeforeToday));
        assert!(parse("2026-03-11T00:00:00+14:00").unwrap().already_past());
        assert!(parse("2026-03-10T00:00:00-11:00").unwrap().already_past());
        assert_eq!(parse("2026-03-09T23:59:59Z"), Err(ExpiryError::BeforeToday));
    }

    #[test]
    fn ten_years_is_the_latest() {
        assert!(parse("2036-03-10T12:00:00Z").is_ok());
        assert_eq!(parse("2036-03-10T12:00:00.001Z"), Err(ExpiryError::TooLate));
        assert_eq!(parse("9999-12-31T23:59:59Z"), Err(ExpiryError::TooLate));
    }

    #[test]
    fn what_lacks_an_offset_or_a_time_says_so() {
        assert_eq!(parse("2026-03-11T09:30:00"), Err(ExpiryError::NoOffset));
        for text in
            ["", "tomorrow", "2026-03-11", "2026-02-30T00:00:00Z", "1773230400", "2026-03-11T25:00:00Z"]
        {
            assert_eq!(parse(text), Err(ExpiryError::Format), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in any::<String>()) {
            let _ = parse(&text);
        }

        #[test]
        fn any_accepted_expiry_is_today_or_later_in_its_offset(
            seconds in -400_000_i64..400_000, minutes in -1439_i32..1440, now in 1_000_000_000_i64..4_000_000_000,
        ) {
            let now = Timestamp::from_timestamp(now, 0).unwrap();
            let offset = FixedOffset::east_opt(minutes * 60).unwrap();
            let typed = (now + chrono::TimeDelta::seconds(seconds)).with_timezone(&offset);
            let accepted = Expiry::parse(&typed.to_rfc3339(), now).is_ok();
            prop_assert_eq!(accepted, typed.date_naive() >= now.with_timezone(&offset).date_naive());
        }
    }
}
