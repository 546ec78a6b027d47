//! An item's title.

use std::fmt;

use crate::names::to_display_text;

/// An item's title, as recipients see it: one line of at most 200 characters.
#[derive(Clone, PartialEq, Eq)]
pub struct Title(String);

impl Title {
    /// Makes the text safe to display. Returns `None` if nothing is left.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        to_display_text(text).map(Self)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Hides the title: debug output may reach a log.
impl fmt::Debug for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Title(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn title_is_one_line_of_limited_length() {
        assert_eq!(Title::parse("Spring\r\ncampaign").unwrap().as_str(), "Spring  campaign");
        assert_eq!(Title::parse(&"ä".repeat(201)).unwrap().as_str(), "ä".repeat(200));
        assert_eq!(Title::parse(""), None);
        assert_eq!(Title::parse("\u{200b}\u{2028}"), None);
    }

    #[test]
    fn parsed_title_parses_to_itself() {
        for text in [" \u{202e} a \u{2066}", "a\u{0}", &format!("{} b", "a".repeat(199))] {
            let title = Title::parse(text).unwrap();
            assert_eq!(Title::parse(title.as_str()), Some(title));
        }
    }

    #[test]
    fn debug_output_hides_the_title() {
        assert_eq!(format!("{:?}", Title::parse("Layoffs").unwrap()), "Title(..)");
    }
}
