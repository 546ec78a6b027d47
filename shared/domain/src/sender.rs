//! The names in an email: the sharer's and the platform's.

use std::str::FromStr;

use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

use crate::names::{is_invisible, shorten, to_display_text};

/// The reason a platform name was rejected.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PlatformNameError {
    #[error("must not be empty")]
    Empty,
    #[error("must be at most {PLATFORM_NAME_LIMIT} characters")]
    TooLong,
    #[error("must not contain a control character")]
    Control,
}

/// The maximum length of a platform's name, in characters.
const PLATFORM_NAME_LIMIT: usize = 40;

/// The maximum length of a sharer's name in a From header, in characters. It leaves room for the platform's
/// name, because mail programs cut off long names at the end.
const FROM_NAME_LIMIT: usize = 30;

/// The maximum length of a sharer's name in the rest of an email, in characters.
const SHARER_NAME_LIMIT: usize = 80;

/// A sharer's name, as an email shows it: one line of at most 80 characters.
///
/// Sharers may be able to choose their names. A name that could pass for an address or for the platform is
/// not shown at all. Letters of another script that look alike are not detected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharerName(String);

impl SharerName {
    /// Makes a name safe to show in an email from this platform. Returns `None` if the name contains the
    /// platform's name, contains `@` or `://`, or has no visible letter or digit.
    #[must_use]
    pub fn parse(name: &str, platform: Option<&PlatformName>) -> Option<Self> {
        let name = join_words(&to_display_text(name)?);
        let looks = to_appearance(&name);
        let is_misleading = looks.contains('@')
            || looks.contains("://")
            || platform.is_some_and(|platform| looks.contains(&to_appearance(&platform.0)));
        let is_readable = looks.chars().any(char::is_alphanumeric);
        (is_readable && !is_misleading).then(|| Self(shorten(&name, SHARER_NAME_LIMIT).into_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns what a reader sees of a text, to compare it: without invisible characters, in lowercase, and with
/// wide and other compatibility forms of a character replaced (NFKC).
fn to_appearance(text: &str) -> String {
    let visible = text.nfkc().filter(|c| c.is_whitespace() || !is_invisible(*c));
    join_words(&visible.flat_map(char::to_lowercase).collect::<String>())
}

fn join_words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The platform's name, as recipients see it in the From header: 1 to 40 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformName(String);

impl PlatformName {
    /// Returns the From header's display name for a share's email: `Ann Example via Platform`, or `Platform`
    /// if there is no sharer's name to show.
    ///
    /// Many mail programs show only the display name. The platform's name therefore always ends it, and a
    /// long name is shortened.
    #[must_use]
    pub fn display_name(&self, sharer: Option<&SharerName>) -> String {
        match sharer {
            Some(sharer) => format!("{} via {}", shorten(&sharer.0, FROM_NAME_LIMIT), self.0),
            None => self.0.clone(),
        }
    }
}

impl FromStr for PlatformName {
    type Err = PlatformNameError;

    fn from_str(name: &str) -> Result<Self, PlatformNameError> {
        let name = name.trim();
        if name.chars().all(is_invisible) {
            return Err(PlatformNameError::Empty);
        }
        if name.chars().count() > PLATFORM_NAME_LIMIT {
            return Err(PlatformNameError::TooLong);
        }
        if name.chars().any(char::is_control) {
            return Err(PlatformNameError::Control);
        }
        Ok(Self(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn display_name(sharer: &str) -> String {
        let platform: PlatformName = "Platform".parse().unwrap();
        platform.display_name(SharerName::parse(sharer, Some(&platform)).as_ref())
    }

    #[test]
    fn display_name_names_the_sharer_and_the_platform() {
        assert_eq!(display_name("Ann Example"), "Ann Example via Platform");
        assert_eq!(display_name("Zoë 長"), "Zoë 長 via Platform");
        assert_eq!("Platform".parse::<PlatformName>().unwrap().display_name(None), "Platform");
    }

    #[test]
    fn name_that_looks_like_an_address_is_left_out() {
        for name in [
            "ceo@bank.example",
            "Ann <ann@example.com>",
            "ceo\u{ff20}bank.example",
            "ceo \u{fe6b} bank",
            "Open https://evil.example",
        ] {
            assert_eq!(display_name(name), "Platform", "{name}");
            assert_eq!(SharerName::parse(name, None), None, "{name}");
        }
    }

    #[test]
    fn name_that_contains_the_platform_is_left_out() {
        for name in
            ["Platform", "pLATFORM Security", "Ann via Platform", "Plat\u{200b}form", "Ｐｌａｔｆｏｒｍ IT"]
        {
            assert_eq!(display_name(name), "Platform", "{name}");
        }
        let platform: PlatformName = "My  Platform".parse().unwrap();
        assert_eq!(SharerName::parse("my\u{a0} platform", Some(&platform)), None);
        assert!(SharerName::parse("Platform", None).is_some());
    }

    #[test]
    fn name_without_a_visible_letter_or_digit_is_left_out() {
        for name in ["\u{200b}", "\u{2060}\u{feff}", "\u{3164}", "\u{115f}\u{ffa0}", "\u{2800}", "—", "🎉"]
        {
            assert_eq!(display_name(name), "Platform", "{name:?}");
        }
    }

    #[test]
    fn longer_name_is_shown_outside_the_from_header() {
        let show = |name: &str| SharerName::parse(name, None).unwrap().as_str().to_owned();
        assert_eq!(show(&"n".repeat(80)), "n".repeat(80));
        assert_eq!(show(&"n".repeat(81)), format!("{}…", "n".repeat(80)));
    }

    #[test]
    fn unprintable_characters_are_removed_from_the_display_name() {
        for (name, displayed) in [
            ("Ann\r\nBcc: Eve", "Ann Bcc: Eve via Platform"),
            ("Ann\u{202e} mroftalP aiv", "Ann mroftalP aiv via Platform"),
            ("  Ann \t\u{2028}\u{3000} B  ", "Ann B via Platform"),
            (" \u{0}\u{2066} ", "Platform"),
            ("", "Platform"),
        ] {
            assert_eq!(display_name(name), displayed, "{name:?}");
        }
    }

    #[test]
    fn long_name_leaves_the_platform_visible() {
        assert_eq!(display_name(&"n".repeat(30)), format!("{} via Platform", "n".repeat(30)));
        assert_eq!(display_name(&"長".repeat(31)), format!("{}… via Platform", "長".repeat(30)));
        let spaced = format!("{} Support", "n".repeat(29));
        assert_eq!(display_name(&spaced), format!("{}… via Platform", "n".repeat(29)));
    }

    #[test]
    fn platform_name_is_checked() {
        assert_eq!(" Ünï Platform ".parse(), Ok(PlatformName("Ünï Platform".into())));
        assert!("x".repeat(40).parse::<PlatformName>().is_ok());
        for (name, error) in [
            (" ", PlatformNameError::Empty),
            ("\u{200b}", PlatformNameError::Empty),
            (&"x".repeat(41), PlatformNameError::TooLong),
            ("a\nb", PlatformNameError::Control),
        ] {
            assert_eq!(name.parse::<PlatformName>(), Err(error), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn every_display_name_ends_with_the_platform(sharer in any::<String>()) {
            let name = display_name(&sharer);
            prop_assert!(name == "Platform" || name.ends_with(" via Platform"), "{}", name);
            prop_assert!(name.chars().count() <= 30 + "… via Platform".chars().count());
            prop_assert!(!name.chars().any(char::is_control));
        }
    }
}
