//! Numbers, sizes and durations.

use super::Language;
use crate::TimeLeft;

/// Decimal units of size, and their symbols in French and in all other languages.
const SIZE_UNITS: [(u64, &str, &str); 6] = [
    (1_000_000_000_000_000_000, "Eo", "EB"),
    (1_000_000_000_000_000, "Po", "PB"),
    (1_000_000_000_000, "To", "TB"),
    (1_000_000_000, "Go", "GB"),
    (1_000_000, "Mo", "MB"),
    (1_000, "ko", "kB"),
];

impl Language {
    /// Formats a whole number, such as `1,000`.
    #[must_use]
    pub fn number(self, n: u64) -> String {
        let digits = n.to_string();
        let (separator, least) = match self {
            Self::English => (",", 4),
            Self::German | Self::Danish | Self::Dutch => (".", 4),
            Self::French => ("\u{202f}", 4),
            Self::Spanish => (".", 5),
            Self::Swedish => ("\u{a0}", 4),
        };
        if digits.len() < least {
            return digits;
        }
        let mut grouped = String::new();
        for (i, digit) in digits.char_indices() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                grouped.push_str(separator);
            }
            grouped.push(digit);
        }
        grouped
    }

    /// Formats a percentage, such as `25%`.
    #[must_use]
    pub fn percent(self, percent: u64) -> String {
        let space = match self {
            Self::English | Self::Dutch => "",
            _ => "\u{a0}",
        };
        format!("{percent}{space}%")
    }

    /// Formats a size, such as `41.9 kB`, with at most two decimals, which are not rounded.
    #[must_use]
    pub fn size(self, bytes: u64) -> String {
        let is_french = self == Self::French;
        let unit = SIZE_UNITS.into_iter().find(|(unit, ..)| bytes >= *unit);
        let Some((unit, french, symbol)) = unit else {
            return format!("{bytes} {}", if is_french { "o" } else { "B" });
        };
        let symbol = if is_french { french } else { symbol };
        let point = if self == Self::English { '.' } else { ',' };
        let hundredths = u128::from(bytes % unit) * 100 / u128::from(unit);
        let decimals = match (hundredths / 10, hundredths % 10) {
            (0, 0) => String::new(),
            (tenths, 0) => format!("{point}{tenths}"),
            (tenths, hundredths) => format!("{point}{tenths}{hundredths}"),
        };
        format!("{}{decimals} {symbol}", bytes / unit)
    }

    /// Returns the time left in words, such as `in 7 days`.
    #[must_use]
    pub fn time_left(self, left: TimeLeft) -> String {
        let before = match self {
            Self::English | Self::German => "in",
            Self::French => "dans",
            Self::Spanish => "dentro de",
            Self::Danish | Self::Swedish => "om",
            Self::Dutch => "over",
        };
        let words = if self == Self::German { &GERMAN_DATIVE } else { self.duration_words() };
        format!("{before} {}", words.text(left))
    }

    /// Returns the time left as a duration in words, such as `7 days`.
    #[must_use]
    pub fn duration(self, left: TimeLeft) -> String {
        self.duration_words().text(left)
    }

    fn duration_words(self) -> &'static DurationWords {
        match self {
            Self::English => &DurationWords {
                less_than_a_minute: "less than a minute",
                minutes: ("minute", "minutes"),
                hours: "hours",
                days: "days",
                more_than_a_year: "more than a year",
                more_than: "more than",
                years: "years",
            },
            Self::German => &DurationWords {
                less_than_a_minute: "weniger als eine Minute",
                minutes: ("Minute", "Minuten"),
                hours: "Stunden",
                days: "Tage",
                more_than_a_year: "mehr als ein Jahr",
                more_than: "mehr als",
                years: "Jahre",
            },
            Self::French => &DurationWords {
                less_than_a_minute: "moins d’une minute",
                minutes: ("minute", "minutes"),
                hours: "heures",
                days: "jours",
                more_than_a_year: "plus d’un an",
                more_than: "plus de",
                years: "ans",
            },
            Self::Spanish => &DurationWords {
                less_than_a_minute: "menos de un minuto",
                minutes: ("minuto", "minutos"),
                hours: "horas",
                days: "días",
                more_than_a_year: "más de un año",
                more_than: "más de",
                years: "años",
            },
            Self::Danish => &DurationWords {
                less_than_a_minute: "mindre end et minut",
                minutes: ("minut", "minutter"),
                hours: "timer",
                days: "dage",
                more_than_a_year: "mere end et år",
                more_than: "mere end",
                years: "år",
            },
            Self::Dutch => &DurationWords {
                less_than_a_minute: "minder dan een minuut",
                minutes: ("minuut", "minuten"),
                hours: "uur",
                days: "dagen",
                more_than_a_year: "meer dan een jaar",
                more_than: "meer dan",
                years: "jaar",
            },
            Self::Swedish => &DurationWords {
                less_than_a_minute: "mindre än en minut",
                minutes: ("minut", "minuter"),
                hours: "timmar",
                days: "dagar",
                more_than_a_year: "mer än ett år",
                more_than: "mer än",
                years: "år",
            },
        }
    }
}

/// The German words after *in*.
const GERMAN_DATIVE: DurationWords = DurationWords {
    less_than_a_minute: "weniger als einer Minute",
    minutes: ("Minute", "Minuten"),
    hours: "Stunden",
    days: "Tagen",
    more_than_a_year: "mehr als einem Jahr",
    more_than: "mehr als",
    years: "Jahren",
};

/// A language's words for [`TimeLeft`]. Hours and days are at least 2.
struct DurationWords {
    less_than_a_minute: &'static str,
    /// The words for one minute and for more.
    minutes: (&'static str, &'static str),
    hours: &'static str,
    days: &'static str,
    more_than_a_year: &'static str,
    /// The words before a number of years.
    more_than: &'static str,
    years: &'static str,
}

impl DurationWords {
    fn text(&self, left: TimeLeft) -> String {
        match left {
            TimeLeft::LessThanAMinute => self.less_than_a_minute.to_owned(),
            TimeLeft::Minutes(1) => format!("1 {}", self.minutes.0),
            TimeLeft::Minutes(n) => format!("{n} {}", self.minutes.1),
            TimeLeft::Hours(n) => format!("{n} {}", self.hours),
            TimeLeft::Days(n) => format!("{n} {}", self.days),
            TimeLeft::MoreThanYears(1) => self.more_than_a_year.to_owned(),
            TimeLeft::MoreThanYears(n) => format!("{} {n} {}", self.more_than, self.years),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_at_most_two_decimals() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1 kB"),
            (1_009, "1 kB"),
            (1_010, "1.01 kB"),
            (41_900, "41.9 kB"),
            (999_999, "999.99 kB"),
            (2_417_000, "2.41 MB"),
            (4_800_000_000, "4.8 GB"),
            (u64::MAX, "18.44 EB"),
        ] {
            assert_eq!(Language::English.size(bytes), text);
        }
        assert_eq!(Language::German.size(41_900), "41,9 kB");
        assert_eq!(Language::French.size(41_900), "41,9 ko");
        assert_eq!(Language::French.size(7), "7 o");
    }

    #[test]
    fn time_left_is_in_words() {
        for (language, left, text) in [
            (Language::English, TimeLeft::Minutes(1), "in 1 minute"),
            (Language::English, TimeLeft::Hours(5), "in 5 hours"),
            (Language::German, TimeLeft::Days(7), "in 7 Tagen"),
            (Language::German, TimeLeft::MoreThanYears(2), "in mehr als 2 Jahren"),
            (Language::French, TimeLeft::MoreThanYears(1), "dans plus d’un an"),
            (Language::Spanish, TimeLeft::Minutes(1), "dentro de 1 minuto"),
            (Language::Danish, TimeLeft::Days(2), "om 2 dage"),
            (Language::Dutch, TimeLeft::Hours(47), "over 47 uur"),
            (Language::Swedish, TimeLeft::LessThanAMinute, "om mindre än en minut"),
        ] {
            assert_eq!(language.time_left(left), text);
        }
    }

    #[test]
    fn duration_is_in_words() {
        for (language, left, text) in [
            (Language::English, TimeLeft::Minutes(1), "1 minute"),
            (Language::English, TimeLeft::Days(7), "7 days"),
            (Language::German, TimeLeft::Days(7), "7 Tage"),
            (Language::German, TimeLeft::LessThanAMinute, "weniger als eine Minute"),
            (Language::German, TimeLeft::MoreThanYears(1), "mehr als ein Jahr"),
            (Language::French, TimeLeft::MoreThanYears(3), "plus de 3 ans"),
            (Language::Spanish, TimeLeft::Days(2), "2 días"),
            (Language::Danish, TimeLeft::MoreThanYears(1), "mere end et år"),
            (Language::Dutch, TimeLeft::Hours(5), "5 uur"),
            (Language::Swedish, TimeLeft::Minutes(90), "90 minuter"),
        ] {
            assert_eq!(language.duration(left), text);
        }
    }

    #[test]
    fn numbers_are_grouped() {
        for (language, thousand, million) in [
            (Language::English, "1,000", "1,234,567"),
            (Language::German, "1.000", "1.234.567"),
            (Language::French, "1\u{202f}000", "1\u{202f}234\u{202f}567"),
            (Language::Spanish, "1000", "1.234.567"),
            (Language::Danish, "1.000", "1.234.567"),
            (Language::Dutch, "1.000", "1.234.567"),
            (Language::Swedish, "1\u{a0}000", "1\u{a0}234\u{a0}567"),
        ] {
            let numbers = [0, 999, 1_000, 1_234_567].map(|n| language.number(n));
            assert_eq!(numbers, ["0", "999", thousand, million], "{language:?}");
        }
    }
}
