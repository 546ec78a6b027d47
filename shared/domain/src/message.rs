//! The sharer's message to the recipients.

use std::fmt;

use thiserror::Error;

/// The maximum length of a message, in characters.
pub const MESSAGE_LIMIT: usize = 2_000;

/// The reason a message was rejected.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum MessageError {
    #[error("must be at most {MESSAGE_LIMIT} characters")]
    TooLong,
    #[error("must not contain control characters other than line breaks and tabs")]
    Control,
}

/// The sharer's message: 1 to 2,000 characters, stored exactly as typed.
#[derive(Clone, PartialEq, Eq)]
pub struct Message(String);

impl Message {
    /// Parses a message. Returns `None` if the text is empty or blank.
    pub fn parse(text: &str) -> Result<Option<Self>, MessageError> {
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return Err(MessageError::Control);
        }
        if text.chars().count() > MESSAGE_LIMIT {
            return Err(MessageError::TooLong);
        }
        Ok((!text.trim().is_empty()).then(|| Self(text.to_owned())))
    }

    /// Returns the text as typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Hides the message: debug output may reach a log.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Message(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_keeps_the_text_as_typed() {
        for text in ["<b>hi</b>\r\nBcc: x", "🎉 שלום", "\ttabbed"] {
            assert_eq!(Message::parse(text).unwrap().unwrap().as_str(), text);
        }
    }

    #[test]
    fn blank_message_is_none() {
        assert_eq!(Message::parse(""), Ok(None));
        assert_eq!(Message::parse(" \n"), Ok(None));
    }

    #[test]
    fn message_length_is_limited_in_characters() {
        assert!(Message::parse(&"🎉".repeat(2_000)).unwrap().is_some());
        assert_eq!(Message::parse(&"a".repeat(2_001)), Err(MessageError::TooLong));
    }

    #[test]
    fn control_characters_are_rejected() {
        assert_eq!(Message::parse("a\0b"), Err(MessageError::Control));
        assert_eq!(Message::parse("\u{1b}[31m"), Err(MessageError::Control));
    }

    #[test]
    fn debug_output_hides_the_message() {
        let message = Message::parse("ann@example.com asked for it").unwrap();
        assert_eq!(format!("{message:?}"), "Some(Message(..))");
    }
}
