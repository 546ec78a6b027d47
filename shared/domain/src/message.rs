//! The sharer's message to the recipients.

use std::fmt;

use thiserror::Error;

use crate::names::{is_invisible, is_placeholder};

/// The maximum length of a message, in characters.
pub const MESSAGE_LIMIT: usize = 2_000;

/// The message is longer than [`MESSAGE_LIMIT`].
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must be at most {MESSAGE_LIMIT} characters")]
pub struct MessageTooLong;

/// The sharer's message: 1 to 2,000 characters, at least one of them visible, without control characters,
/// direction overrides and placeholders.
#[derive(Clone, PartialEq, Eq)]
pub struct Message(String);

impl Message {
    /// Parses a message, and removes control characters, direction overrides and placeholders. Returns `None`
    /// if nothing visible is left.
    ///
    /// Programs such as Word and `PowerPoint` paste control characters. A sharer cannot find and delete them,
    /// so they are not an error. Those that stand for a line break, a tab or a hyphen become one.
    /// `cleanMessage` in the web components does the same.
    pub fn parse(text: &str) -> Result<Option<Self>, MessageTooLong> {
        let text = clean(text);
        if text.chars().count() > MESSAGE_LIMIT {
            return Err(MessageTooLong);
        }
        Ok((!text.chars().all(is_invisible)).then_some(Self(text)))
    }

    /// Returns the text. Its lines end with `\n` or `\r\n`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn clean(text: &str) -> String {
    let mut chars = text.chars().peekable();
    let mut cleaned = String::with_capacity(text.len());
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => cleaned.push(c),
            // UAX #14 breaks the line after each of these. `PowerPoint` pastes U+000B.
            '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => cleaned.push('\n'),
            '\n' | '\t' => cleaned.push(c),
            // Word pastes U+0007 at the end of a table's cell, and U+001E for a non-breaking hyphen.
            '\u{7}' => cleaned.push('\t'),
            '\u{1e}' => cleaned.push('-'),
            c if c.is_control() || is_bidi_override(c) || is_placeholder(c) => {}
            c => cleaned.push(c),
        }
    }
    cleaned
}

/// Returns whether a character overrides the direction of those that follow, and so can make a URL look like
/// another one. Text in any script can be written without these, but not without the other direction
/// characters.
fn is_bidi_override(c: char) -> bool {
    matches!(c, '\u{202d}' | '\u{202e}')
}

/// Hides the message: debug output may reach a log.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Message(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Option<String> {
        Message::parse(text).unwrap().map(|message| message.as_str().to_owned())
    }

    #[test]
    fn visible_text_is_kept_as_typed() {
        for text in [
            "<b>hi</b>\r\nBcc: x",
            "🎉 שלום",
            "\ttabbed",
            " indented \n",
            "\u{2067}שלום\u{2069} \u{200f}x\u{200e}",
            "Caf\u{fffd}",
            "می\u{200c}خواهم 👩\u{200d}🚀 ☂\u{fe0f} 🏴\u{e0067}\u{e0062}\u{e007f} a\u{ad}b",
        ] {
            assert_eq!(parse(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn blank_message_is_none() {
        for text in [
            "",
            " \n",
            "\u{b}\u{2028}",
            "\0\u{3}",
            "\u{7}\u{1f}",
            "\u{fffc}",
            "\u{200b}\u{feff}",
            "\u{2060}\n\u{ad}",
            "\u{3164}",
            "\u{2800}",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn message_length_is_limited_in_characters() {
        assert!(parse(&"🎉".repeat(2_000)).is_some());
        assert_eq!(Message::parse(&"a".repeat(2_001)), Err(MessageTooLong));
        assert!(parse(&format!("{}\0", "a".repeat(2_000))).is_some(), "what is removed does not count");
    }

    #[test]
    fn every_kind_of_line_break_becomes_a_line_break() {
        for separator in ["\r", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}"] {
            assert_eq!(parse(&format!("a{separator}b")).as_deref(), Some("a\nb"), "{separator:?}");
        }
        assert_eq!(parse("a\r\r\nb\r").as_deref(), Some("a\n\r\nb\n"));
    }

    #[test]
    fn control_characters_of_word_become_what_they_stand_for() {
        assert_eq!(parse("Name\u{7}Amount\u{7}").as_deref(), Some("Name\tAmount\t"));
        assert_eq!(parse("A4\u{1e}size, hy\u{1f}phen").as_deref(), Some("A4-size, hyphen"));
    }

    #[test]
    fn control_characters_and_placeholders_are_removed() {
        for unseen in [
            "\0",
            "\u{1}",
            "\u{3}",
            "\u{8}",
            "\u{e}",
            "\u{1b}",
            "\u{1d}",
            "\u{1f}",
            "\u{7f}",
            "\u{80}",
            "\u{9f}",
            "\u{fdd0}",
            "\u{fffe}",
            "\u{ffff}",
            "\u{10ffff}",
            "\u{fffc}",
            "\u{202d}",
            "\u{202e}",
        ] {
            assert_eq!(parse(&format!("a{unseen}b")).as_deref(), Some("ab"), "{unseen:?}");
        }
    }

    #[test]
    fn debug_output_hides_the_message() {
        let message = Message::parse("ann@example.com asked for it").unwrap();
        assert_eq!(format!("{message:?}"), "Some(Message(..))");
    }

    proptest! {
        #[test]
        fn parsed_message_parses_to_itself(text in r"[\PC\pC]{0,50}") {
            if let Some(message) = Message::parse(&text).unwrap() {
                prop_assert!(!message.as_str().chars().any(|c| c.is_control() && !"\r\n\t".contains(c)));
                prop_assert_eq!(Message::parse(message.as_str()).unwrap(), Some(message));
            }
        }
    }
}
