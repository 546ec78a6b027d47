use chrono::{DateTime, Utc};

/// The one source of the current time: read once a request, and handed on.
///
/// In a build with debug assertions, as the local stack runs, the file that `SHARELINK_CLOCK_FILE` names
/// moves it (`cargo local clock`). A release build has no such code: it always tells the system's time.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    #[cfg(debug_assertions)]
    file: Option<std::path::PathBuf>,
}

impl Clock {
    /// The clock of this deployment.
    #[must_use]
    pub fn from_env() -> Self {
        Self {
            #[cfg(debug_assertions)]
            file: movable::file_from_env(),
        }
    }

    /// The current time, to the millisecond.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.at(Utc::now())
    }

    /// What this clock shows when the system's, or AWS's, shows this.
    #[must_use]
    pub fn at(&self, time: DateTime<Utc>) -> DateTime<Utc> {
        #[cfg(debug_assertions)]
        let time = self.file.as_deref().map_or(time, |file| movable::read(file, time));
        DateTime::from_timestamp_millis(time.timestamp_millis()).unwrap_or(time)
    }
}

#[cfg(debug_assertions)]
mod movable {
    use std::path::{Path, PathBuf};

    use chrono::{DateTime, TimeDelta, Utc};

    pub(super) fn file_from_env() -> Option<PathBuf> {
        std::env::var_os("SHARELINK_CLOCK_FILE").map(PathBuf::from)
    }

    /// The file holds an offset from the real time in milliseconds, such as `+60000`, or a moment at which
    /// time stands still, in RFC 3339. No file, or anything else in it, is the real time.
    pub(super) fn read(file: &Path, now: DateTime<Utc>) -> DateTime<Utc> {
        let Ok(text) = std::fs::read_to_string(file) else { return now };
        let text = text.trim();
        let moved =
            text.parse().ok().and_then(TimeDelta::try_milliseconds).and_then(|d| now.checked_add_signed(d));
        moved.or_else(|| text.parse().ok()).unwrap_or(now)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_file_moves_or_stops_the_clock() {
            let file = std::env::temp_dir().join(format!("sharelink-clock-{}", std::process::id()));
            let now: DateTime<Utc> = "2026-03-10T12:00:00Z".parse().unwrap();
            assert_eq!(read(&file, now), now);
            for (text, expected) in [
                ("+60000\n", "2026-03-10T12:01:00Z"),
                ("-60000", "2026-03-10T11:59:00Z"),
                ("2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z"),
                ("nonsense", "2026-03-10T12:00:00Z"),
                ("9223372036854775807", "2026-03-10T12:00:00Z"),
            ] {
                std::fs::write(&file, text).unwrap();
                assert_eq!(read(&file, now), expected.parse::<DateTime<Utc>>().unwrap(), "{text}");
            }
            std::fs::remove_file(&file).unwrap();
        }
    }
}
