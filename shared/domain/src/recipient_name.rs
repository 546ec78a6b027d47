//! A recipient's name, as a sharer typed or pasted it beside the address.

use std::fmt;

use crate::EmailAddress;
use crate::address::AddressError;
use crate::names::to_display_text;

/// The maximum length of a name, in characters. Longer names are truncated.
const LIMIT: usize = 100;

/// Characters that a name does not contain, because it would look like an address.
const RESERVED: [char; 4] = ['@', '＠', '<', '>'];

/// A recipient's name: one line of at most 100 characters. Only sharers see it: it is their word for a person,
/// so it never appears in an email or on a page for recipients.
#[derive(Clone, PartialEq, Eq)]
pub struct RecipientName(String);

impl RecipientName {
    /// Makes the text safe to display. Returns `None` if it names no one, or contains an address: mail programs
    /// repeat the address where a contact has no name, and another address would mislead.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_quote = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '“' | '”' | '„' | '‘' | '’');
        let shown = to_display_text(text.trim_matches(is_quote))?;
        let short: String = shown.chars().take(LIMIT).collect();
        // The first quote may have been behind a character that is removed, the last one behind the limit.
        let name = short.trim_matches(is_quote);
        let is_name = name.chars().any(char::is_alphanumeric) && !name.contains(RESERVED);
        is_name.then(|| Self(name.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Hides the name: debug output may reach a log.
impl fmt::Debug for RecipientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecipientName(..)")
    }
}

/// Reads a recipient that a person typed or pasted: an address, or a name and an address in angle brackets.
/// [`EmailAddress::read`] reads the address.
pub fn read_recipient(text: &str) -> Result<(EmailAddress, Option<RecipientName>), AddressError> {
    match split_name(text) {
        Some((name, address)) => Ok((EmailAddress::read(address)?, RecipientName::parse(name))),
        None => EmailAddress::read(text).map(|address| (address, None)),
    }
}

/// Splits `Ann Lee <ann@example.com>`, unless the name contains an address.
fn split_name(text: &str) -> Option<(&str, &str)> {
    let parts = text.trim().strip_suffix('>')?.rsplit_once('<')?;
    (!parts.0.contains(RESERVED)).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, Option<String>)> {
        let (address, name) = read_recipient(text).ok()?;
        Some((address.to_string(), name.map(|name| name.as_str().to_owned())))
    }

    #[test]
    fn name_in_front_of_an_address_is_read() {
        for (text, name) in [
            ("Ann Lee <ann@example.com>", Some("Ann Lee")),
            ("  \"Lee, Ann\" <mailto:ann@example.com> ", Some("Lee, Ann")),
            ("'Ann O'Neil'<ann@example.com>", Some("Ann O'Neil")),
            ("„Jörg Müßig“ <ann@example.com>", Some("Jörg Müßig")),
            ("李雷 <ann@example.com>", Some("李雷")),
            ("ann@example.com", None),
            ("<ann@example.com>", None),
            ("?? \u{200b} <ann@example.com>", None),
        ] {
            let expected = ("ann@example.com".to_owned(), name.map(ToOwned::to_owned));
            assert_eq!(read(text), Some(expected), "{text}");
        }
    }

    /// The sharer may have meant either address.
    #[test]
    fn name_with_another_address_is_refused() {
        for text in ["bob@example.com <ann@example.com>", "<bob@example.com> <ann@example.com>", "Ann <ann>"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn name_is_one_line_of_limited_length() {
        let name = |text: &str| RecipientName::parse(text).map(|name| name.as_str().to_owned());
        assert_eq!(name("Ann\r\n\u{202e}Lee").as_deref(), Some("Ann  Lee"));
        assert_eq!(name(&"ä".repeat(300)), Some("ä".repeat(100)));
        assert_eq!(name(" \u{200b}.- "), None);
    }

    #[test]
    fn parsed_name_parses_to_itself() {
        let [blank, quote] = [" ", "\""].map(|end| format!("{}{end}b", "a".repeat(99)));
        for text in ["\u{202e} Ann \u{2066}", "'Ann'", "\u{202e}'Ann'\u{2066}", &blank, &quote] {
            let name = RecipientName::parse(text).unwrap();
            assert_eq!(RecipientName::parse(name.as_str()), Some(name));
        }
    }

    #[test]
    fn debug_output_hides_the_name() {
        assert_eq!(format!("{:?}", RecipientName::parse("Ann Lee")), "Some(RecipientName(..))");
    }
}
