use chrono::{DateTime, Utc};

/// The only source of the current time. A request handler reads it once and passes the time along.
///
/// In builds with debug assertions, such as those for the local stack, the file named by
/// `SHARELINK_CLOCK_FILE` shifts or stops the clock (see `cargo local clock`). Release builds omit that code
/// and always use the system time.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    #[cfg(debug_assertions)]
    file: Option<std::path::PathBuf>,
}

impl Clock {
    /// Creates the clock as configured in the environment.
    #[must_use]
    pub fn from_env() -> Self {
        Self {
            #[cfg(debug_assertions)]
            file: clock_file::from_env(),
        }
    }

    /// Returns the current time, truncated to the millisecond.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.adjust(Utc::now())
    }

    /// Converts a time from the system clock or from AWS to this clock's time, truncated to the millisecond.
    #[must_use]
    pub fn adjust(&self, time: DateTime<Utc>) -> DateTime<Utc> {
        #[cfg(debug_assertions)]
        let time = self.file.as_deref().map_or(time, |file| clock_file::adjust(file, time));
        DateTime::from_timestamp_millis(time.timestamp_millis()).unwrap_or(time)
    }
}

/// The file that shifts or stops the clock of a debug build.
#[cfg(debug_assertions)]
mod clock_file {
    use std::path::{Path, PathBuf};

    use chrono::{DateTime, TimeDelta, Utc};

    pub(super) fn from_env() -> Option<PathBuf> {
        std::env::var_os("SHARELINK_CLOCK_FILE").map(PathBuf::from)
    }

    /// Adjusts a time as the file specifies. The file contains either an offset in milliseconds, such as
    /// `+60000`, or an RFC 3339 time at which the clock is stopped. If the file is missing or has other
    /// content, the time is unchanged.
    pub(super) fn adjust(file: &Path, time: DateTime<Utc>) -> DateTime<Utc> {
        let Ok(content) = std::fs::read_to_string(file) else { return time };
        let text = content.trim();
        let shifted = text
            .parse()
            .ok()
            .and_then(TimeDelta::try_milliseconds)
            .and_then(|offset| time.checked_add_signed(offset));
        shifted.or_else(|| text.parse().ok()).unwrap_or(time)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn file_shifts_or_stops_clock() {
            let file = std::env::temp_dir().join(format!("sharelink-clock-{}", std::process::id()));
            let now: DateTime<Utc> = "2026-03-10T12:00:00Z".parse().unwrap();
            assert_eq!(adjust(&file, now), now, "without a file");
            for (content, expected) in [
                ("+60000\n", "2026-03-10T12:01:00Z"),
                ("-60000", "2026-03-10T11:59:00Z"),
                ("2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z"),
                ("nonsense", "2026-03-10T12:00:00Z"),
                ("9223372036854775807", "2026-03-10T12:00:00Z"),
            ] {
                std::fs::write(&file, content).unwrap();
                assert_eq!(adjust(&file, now), expected.parse::<DateTime<Utc>>().unwrap(), "{content}");
            }
            std::fs::remove_file(&file).unwrap();
        }
    }
}
