//! The name in an email's From header.

use std::str::FromStr;

use thiserror::Error;

use crate::names::strip_bidi_controls;

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
const SHARER_NAME_LIMIT: usize = 30;

/// The platform's name, as recipients see it in the From header: 1 to 40 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformName(String);

impl PlatformName {
    /// Returns the From header's display name for a share's email: `Ann Example via Platform`, or `Platform`
    /// if the sharer's name is unknown or could pass for an address.
    ///
    /// Sharers may be able to choose their names. The platform's name therefore always follows, and a long
    /// name is truncated. A name that contains an `@` is left out, because many mail programs show only the
    /// display name, and the name would look like the sender's address.
    #[must_use]
    pub fn display_name(&self, sharer: Option<&str>) -> String {
        match sharer.and_then(to_sharer_part) {
            Some(sharer) => format!("{sharer} via {}", self.0),
            None => self.0.clone(),
        }
    }
}

impl FromStr for PlatformName {
    type Err = PlatformNameError;

    fn from_str(name: &str) -> Result<Self, PlatformNameError> {
        let name = name.trim();
        if name.is_empty() {
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

/// Returns the sharer's part of a display name: one line without bidirectional controls, or `None` if it is
/// empty or could pass for an address.
fn to_sharer_part(name: &str) -> Option<String> {
    let is_at_sign = |c| matches!(c, '@' | '\u{ff20}' | '\u{fe6b}');
    if name.contains(is_at_sign) {
        return None;
    }
    let one_line = strip_bidi_controls(name).replace(char::is_control, " ");
    let words = one_line.split_whitespace().collect::<Vec<_>>().join(" ");
    let shortened = match words.char_indices().nth(SHARER_NAME_LIMIT) {
        Some((end, _)) => format!("{}…", words[..end].trim_end()),
        None => words,
    };
    (!shortened.is_empty()).then_some(shortened)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn display_name(sharer: &str) -> String {
        "Platform".parse::<PlatformName>().unwrap().display_name(Some(sharer))
    }

    #[test]
    fn display_name_names_the_sharer_and_the_platform() {
        assert_eq!(display_name("Ann Example"), "Ann Example via Platform");
        assert_eq!(display_name("Zoë 長"), "Zoë 長 via Platform");
        assert_eq!("Platform".parse::<PlatformName>().unwrap().display_name(None), "Platform");
    }

    #[test]
    fn name_that_looks_like_an_address_is_left_out() {
        for name in
            ["ceo@bank.example", "Ann <ann@example.com>", "ceo\u{ff20}bank.example", "ceo \u{fe6b} bank"]
        {
            assert_eq!(display_name(name), "Platform", "{name}");
        }
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
