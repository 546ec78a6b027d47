//! Dates as English text.

use chrono::{DateTime, FixedOffset};

/// Formats a time in English with its UTC offset, such as `10 March 2026 at 14:00 (UTC+01:00)`.
#[must_use]
pub fn format_in_english(at: DateTime<FixedOffset>) -> String {
    let offset = if at.offset().local_minus_utc() == 0 { "" } else { "%:z" };
    at.format(&format!("%-d %B %Y at %H:%M (UTC{offset})")).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_text_includes_a_nonzero_offset() {
        for (time, text) in [
            ("2026-03-10T13:00:00Z", "10 March 2026 at 13:00 (UTC)"),
            ("2026-03-10T07:30:00-05:30", "10 March 2026 at 07:30 (UTC-05:30)"),
        ] {
            assert_eq!(format_in_english(time.parse().unwrap()), text);
        }
    }
}
