//! The languages of everything that people read, and the formats of dates, sizes and numbers in them.

mod dates;
mod quantities;

use thiserror::Error;

/// A supported language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// Also the language of shares that were created before shares had one.
    #[default]
    English,
    German,
    French,
    Spanish,
    Danish,
    Dutch,
    Swedish,
}

/// The error for a tag that names no supported language.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must be one of en, de, fr, es, da, nl and sv")]
pub struct UnknownLanguage;

/// The form of the words that follow a whole number, as CLDR names it. CLDR's form `many`, which French and
/// Spanish have for whole millions, is [`Other`](Self::Other): nothing here is counted in millions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PluralCategory {
    One,
    Other,
}

impl Language {
    pub const ALL: [Self; 7] =
        [Self::English, Self::German, Self::French, Self::Spanish, Self::Danish, Self::Dutch, Self::Swedish];

    /// Returns the language's tag (RFC 5646), for requests, rows and the attribute `lang`.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
            Self::Spanish => "es",
            Self::Danish => "da",
            Self::Dutch => "nl",
            Self::Swedish => "sv",
        }
    }

    /// Parses a tag in any case, such as `de`, `de-AT` or `DE_de`. Only its language counts.
    pub fn parse(tag: &str) -> Result<Self, UnknownLanguage> {
        let is_subtag =
            |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
        let mut subtags = tag.split(['-', '_']);
        let language = subtags.next().filter(|_| subtags.all(is_subtag)).ok_or(UnknownLanguage)?;
        let is_named = |known: &Self| known.tag().eq_ignore_ascii_case(language);
        Self::ALL.into_iter().find(is_named).ok_or(UnknownLanguage)
    }

    /// Returns the supported language that a browser asks for in `Accept-Language` (RFC 9110, section
    /// 12.5.4), if it asks for one.
    #[must_use]
    pub fn requested(accept_language: Option<&str>) -> Option<Self> {
        let mut best = (0.0, None);
        for range in accept_language.unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(str::trim);
            let language = match parts.next() {
                Some("*") => None,
                Some(tag) => match Self::parse(tag) {
                    Ok(language) => Some(language),
                    Err(UnknownLanguage) => continue,
                },
                None => continue,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }

    /// Returns the supported language that a browser asks for, or else the default.
    #[must_use]
    pub fn preferred(accept_language: Option<&str>, default: Self) -> Self {
        Self::requested(accept_language).unwrap_or(default)
    }

    /// Returns the form of the words that follow a whole number.
    #[must_use]
    pub fn plural_category(self, n: u64) -> PluralCategory {
        match (self, n) {
            (_, 1) | (Self::French, 0) => PluralCategory::One,
            _ => PluralCategory::Other,
        }
    }

    /// Returns a number and the words that follow it, such as `3 files`.
    #[must_use]
    pub fn counted(self, n: u64, one: &str, other: &str) -> String {
        let words = match self.plural_category(n) {
            PluralCategory::One => one,
            PluralCategory::Other => other,
        };
        format!("{} {words}", self.number(n))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use chrono::{DateTime, FixedOffset};
    use serde::Deserialize;

    use super::*;
    use crate::TimeLeft;

    #[test]
    fn tags_are_parsed_in_any_form() {
        for language in Language::ALL {
            assert_eq!(Language::parse(language.tag()), Ok(language));
            assert_eq!(Language::parse(&language.tag().to_ascii_uppercase()), Ok(language));
        }
        for (tag, language) in [
            ("de-AT", Language::German),
            ("DE_de", Language::German),
            ("fr-CA", Language::French),
            ("es-419", Language::Spanish),
            ("sv-Latn-SE-x-a", Language::Swedish),
        ] {
            assert_eq!(Language::parse(tag), Ok(language), "{tag}");
        }
        for tag in ["", "-", "de-", "de--AT", "den", "d", "it", "*", " de", "de ", "de AT", "de-<b>", "ＤＥ"]
        {
            assert_eq!(Language::parse(tag), Err(UnknownLanguage), "{tag:?}");
        }
    }

    #[test]
    fn error_lists_every_language() {
        let error = UnknownLanguage.to_string().replace(" and ", ", ");
        let listed = error.strip_prefix("must be one of ").unwrap().split(", ");
        assert!(listed.eq(Language::ALL.map(Language::tag)), "{error}");
    }

    #[test]
    fn page_language_follows_accept_language() {
        for (accept_language, expected) in [
            (None, None),
            (Some("de"), Some(Language::German)),
            (Some("de-AT,de;q=0.9,en;q=0.8"), Some(Language::German)),
            (Some("en-GB,en;q=0.9,de;q=0.8"), Some(Language::English)),
            (Some("pt, de;q=0.5, en;q=0.3"), Some(Language::German)),
            (Some("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5"), Some(Language::French)),
            (Some("en;q=0.1, DE;q=0.2"), Some(Language::German)),
            (Some("pt, nb;q=0.9"), None),
            (Some("*"), None),
            (Some("*, de;q=0.5"), None),
            (Some("pt, da;q=0.5, *;q=0.1"), Some(Language::Danish)),
            (Some("de;q=0"), None),
            (Some("de;q=x, ;;,=,"), Some(Language::German)),
        ] {
            assert_eq!(Language::requested(accept_language), expected, "{accept_language:?}");
            let default = Language::Dutch;
            let preferred = Language::preferred(accept_language, default);
            assert_eq!(preferred, expected.unwrap_or(default), "{accept_language:?}");
        }
    }

    /// What CLDR knows about a language, for the inputs in the same file.
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct CldrFormats {
        dates: Vec<String>,
        weekdays: Vec<String>,
        numbers: Vec<String>,
        plural_categories: Vec<String>,
        percent: String,
        sizes: Vec<String>,
        times_left: Vec<String>,
    }

    #[derive(Deserialize)]
    struct Cldr {
        times: Vec<DateTime<FixedOffset>>,
        numbers: Vec<u64>,
        languages: HashMap<String, CldrFormats>,
    }

    /// `tests/components/languages.test.js` compares the file with CLDR.
    #[test]
    fn formats_are_those_of_cldr() {
        let cldr: Cldr = serde_json::from_str(include_str!("../../tests/formats.json")).unwrap();
        for language in Language::ALL {
            let expected = &cldr.languages[language.tag()];
            // Running text needs words that CLDR lacks.
            let date = |at| {
                language.date(at).replace(" (UTC)", "").replace("1er ", "1 ").replace(" a la ", " a las ")
            };
            let hour = match language {
                Language::German => " Uhr",
                Language::Dutch => " uur",
                _ => "",
            };
            let dates = cldr.times.iter().map(|at| date(*at).strip_suffix(hour).unwrap().to_owned());
            assert_eq!(dates.collect::<Vec<_>>(), expected.dates);
            for (at, weekday) in cldr.times.iter().zip(&expected.weekdays) {
                let date = language.date_with_weekday(*at);
                assert!(date.starts_with(weekday), "{date}: {weekday}");
            }
            let numbers: Vec<_> = cldr.numbers.iter().map(|n| language.number(*n)).collect();
            assert_eq!(numbers, expected.numbers);
            let plural = |n: &u64| format!("{:?}", language.plural_category(*n)).to_lowercase();
            assert_eq!(cldr.numbers.iter().map(plural).collect::<Vec<_>>(), expected.plural_categories);
            assert_eq!(language.percent(25), expected.percent);
            let sizes: Vec<_> = (1..=5).map(|unit| language.size(419 * 1000_u64.pow(unit) / 10)).collect();
            assert_eq!(sizes, expected.sizes);
            let left = [TimeLeft::Minutes(1), TimeLeft::Minutes(7), TimeLeft::Hours(7), TimeLeft::Days(7)];
            assert_eq!(left.map(|left| language.time_left(left))[..], expected.times_left);
        }
    }

    #[test]
    fn words_agree_with_their_number() {
        for (language, n, text) in [
            (Language::English, 0, "0 files"),
            (Language::English, 1, "1 file"),
            (Language::English, 1000, "1,000 files"),
            (Language::French, 0, "0 file"),
            (Language::French, 2, "2 files"),
        ] {
            assert_eq!(language.counted(n, "file", "files"), text, "{language:?}");
        }
    }
}
