//! Dates and times of day.

use chrono::{DateTime, Datelike, FixedOffset, Timelike};

use super::Language;

impl Language {
    /// Formats a time with its UTC offset, such as `10 March 2026 at 14:00 (UTC+01:00)`.
    #[must_use]
    pub fn date(self, at: DateTime<FixedOffset>) -> String {
        let (day, month, time) = (self.day(at), self.month(at), self.time_of_day(at));
        let (year, offset) = (at.year(), offset(at));
        match self {
            Self::English => format!("{day} {month} {year} at {time} ({offset})"),
            Self::German => format!("{day} {month} {year} um {time} Uhr ({offset})"),
            Self::French => format!("{day} {month} {year} à {time} ({offset})"),
            Self::Spanish => format!("{day} de {month} de {year} {time} ({offset})"),
            Self::Danish | Self::Swedish => format!("{day} {month} {year} kl. {time} ({offset})"),
            Self::Dutch => format!("{day} {month} {year} om {time} uur ({offset})"),
        }
    }

    /// Formats a time with its weekday and UTC offset, such as `Tuesday, 10 March 2026 at 14:00 (UTC+01:00)`.
    /// It is in the grammatical form that follows the language's word for *on*.
    #[must_use]
    pub fn date_with_weekday(self, at: DateTime<FixedOffset>) -> String {
        let (weekday, date) = (self.weekday(at), self.date(at));
        match self {
            Self::English => format!("{weekday}, {date}"),
            Self::German => {
                let (day, month, time) = (self.day(at), self.month(at), self.time_of_day(at));
                format!("{weekday}, dem {day} {month} {}, um {time} Uhr ({})", at.year(), offset(at))
            }
            Self::French | Self::Spanish | Self::Dutch => format!("{weekday} {date}"),
            Self::Danish => format!("{weekday} den {date}"),
            Self::Swedish => format!("{weekday}en den {date}"),
        }
    }

    fn day(self, at: DateTime<FixedOffset>) -> String {
        match (self, at.day()) {
            (Self::German | Self::Danish, day) => format!("{day}."),
            (Self::French, 1) => "1er".to_owned(),
            (_, day) => day.to_string(),
        }
    }

    fn time_of_day(self, at: DateTime<FixedOffset>) -> String {
        let format = match self {
            Self::Danish => "%H.%M",
            Self::Spanish if at.hour() == 1 => "a la %-H:%M",
            Self::Spanish => "a las %-H:%M",
            _ => "%H:%M",
        };
        at.format(format).to_string()
    }

    fn month(self, at: DateTime<FixedOffset>) -> &'static str {
        let months = match self {
            Self::English => ENGLISH_MONTHS,
            Self::German => GERMAN_MONTHS,
            Self::French => FRENCH_MONTHS,
            Self::Spanish => SPANISH_MONTHS,
            Self::Danish => DANISH_MONTHS,
            Self::Dutch => DUTCH_MONTHS,
            Self::Swedish => SWEDISH_MONTHS,
        };
        months[at.month0() as usize]
    }

    fn weekday(self, at: DateTime<FixedOffset>) -> &'static str {
        let weekdays = match self {
            Self::English => ENGLISH_WEEKDAYS,
            Self::German => GERMAN_WEEKDAYS,
            Self::French => FRENCH_WEEKDAYS,
            Self::Spanish => SPANISH_WEEKDAYS,
            Self::Danish => DANISH_WEEKDAYS,
            Self::Dutch => DUTCH_WEEKDAYS,
            Self::Swedish => SWEDISH_WEEKDAYS,
        };
        weekdays[at.weekday().num_days_from_monday() as usize]
    }
}

/// Returns the UTC offset, such as `UTC+01:00`.
fn offset(at: DateTime<FixedOffset>) -> String {
    let is_utc = at.offset().local_minus_utc() == 0;
    at.format(if is_utc { "UTC" } else { "UTC%:z" }).to_string()
}

const ENGLISH_MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const GERMAN_MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

const FRENCH_MONTHS: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];

const SPANISH_MONTHS: [&str; 12] = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
];

const DANISH_MONTHS: [&str; 12] = [
    "januar",
    "februar",
    "marts",
    "april",
    "maj",
    "juni",
    "juli",
    "august",
    "september",
    "oktober",
    "november",
    "december",
];

const DUTCH_MONTHS: [&str; 12] = [
    "januari",
    "februari",
    "maart",
    "april",
    "mei",
    "juni",
    "juli",
    "augustus",
    "september",
    "oktober",
    "november",
    "december",
];

const SWEDISH_MONTHS: [&str; 12] = [
    "januari",
    "februari",
    "mars",
    "april",
    "maj",
    "juni",
    "juli",
    "augusti",
    "september",
    "oktober",
    "november",
    "december",
];

const ENGLISH_WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

const GERMAN_WEEKDAYS: [&str; 7] =
    ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"];

const FRENCH_WEEKDAYS: [&str; 7] = ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"];

const SPANISH_WEEKDAYS: [&str; 7] =
    ["lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"];

const DANISH_WEEKDAYS: [&str; 7] = ["mandag", "tirsdag", "onsdag", "torsdag", "fredag", "lørdag", "søndag"];

const DUTCH_WEEKDAYS: [&str; 7] =
    ["maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag"];

const SWEDISH_WEEKDAYS: [&str; 7] = ["måndag", "tisdag", "onsdag", "torsdag", "fredag", "lördag", "söndag"];

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> DateTime<FixedOffset> {
        time.parse().unwrap()
    }

    #[test]
    fn date_text_includes_a_nonzero_offset() {
        for (time, text) in [
            ("2026-03-10T13:00:00Z", "10 March 2026 at 13:00 (UTC)"),
            ("2026-03-10T07:30:00-05:30", "10 March 2026 at 07:30 (UTC-05:30)"),
        ] {
            assert_eq!(Language::English.date(at(time)), text);
        }
    }

    #[test]
    fn dates_are_written_as_in_running_text() {
        for (language, date, with_weekday) in [
            (
                Language::English,
                "3 December 2026 at 23:59 (UTC+01:00)",
                "Thursday, 3 December 2026 at 23:59 (UTC+01:00)",
            ),
            (
                Language::German,
                "3. Dezember 2026 um 23:59 Uhr (UTC+01:00)",
                "Donnerstag, dem 3. Dezember 2026, um 23:59 Uhr (UTC+01:00)",
            ),
            (
                Language::French,
                "3 décembre 2026 à 23:59 (UTC+01:00)",
                "jeudi 3 décembre 2026 à 23:59 (UTC+01:00)",
            ),
            (
                Language::Spanish,
                "3 de diciembre de 2026 a las 23:59 (UTC+01:00)",
                "jueves 3 de diciembre de 2026 a las 23:59 (UTC+01:00)",
            ),
            (
                Language::Danish,
                "3. december 2026 kl. 23.59 (UTC+01:00)",
                "torsdag den 3. december 2026 kl. 23.59 (UTC+01:00)",
            ),
            (
                Language::Dutch,
                "3 december 2026 om 23:59 uur (UTC+01:00)",
                "donderdag 3 december 2026 om 23:59 uur (UTC+01:00)",
            ),
            (
                Language::Swedish,
                "3 december 2026 kl. 23:59 (UTC+01:00)",
                "torsdagen den 3 december 2026 kl. 23:59 (UTC+01:00)",
            ),
        ] {
            let time = at("2026-12-03T23:59:00+01:00");
            assert_eq!(language.date(time), date);
            assert_eq!(language.date_with_weekday(time), with_weekday);
        }
    }

    #[test]
    fn first_day_and_first_hour_have_their_own_forms() {
        let time = at("2026-03-01T01:05:00Z");
        assert_eq!(Language::French.date(time), "1er mars 2026 à 01:05 (UTC)");
        assert_eq!(Language::Spanish.date(time), "1 de marzo de 2026 a la 1:05 (UTC)");
        assert_eq!(Language::French.date(at("2026-03-21T13:00:00Z")), "21 mars 2026 à 13:00 (UTC)");
        let afternoon = Language::Spanish.date(at("2026-03-21T13:00:00Z"));
        assert_eq!(afternoon, "21 de marzo de 2026 a las 13:00 (UTC)");
    }
}
