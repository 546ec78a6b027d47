//! The names of modules, items and files.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

/// The reason a name was rejected.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NameError {
    #[error("must not be empty")]
    Empty,
    #[error("must be at most {0} characters")]
    TooLong(usize),
    #[error("must be at most {0} bytes in UTF-8")]
    TooManyBytes(usize),
    #[error("may contain only the letters A-Z and a-z, digits, and - . _ ~")]
    Alphabet,
    #[error("must not be \".\" or \"..\"")]
    Dots,
    #[error("must not contain \"/\" or a control character")]
    SlashOrControl,
}

const IDENTIFIER_LIMIT: usize = 128;

/// Checks a module or item name. The allowed characters need no escaping in a path or a key.
fn check_identifier(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)) {
        return Err(NameError::Alphabet);
    }
    if name.len() > IDENTIFIER_LIMIT {
        return Err(NameError::TooLong(IDENTIFIER_LIMIT));
    }
    if name == "." || name == ".." {
        return Err(NameError::Dots);
    }
    Ok(())
}

const FILE_NAME_LIMIT: usize = 255;

fn check_file_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name == "." || name == ".." {
        return Err(NameError::Dots);
    }
    if name.chars().any(|c| c == '/' || c.is_control()) {
        return Err(NameError::SlashOrControl);
    }
    if name.nfc().map(char::len_utf8).sum::<usize>() > FILE_NAME_LIMIT {
        return Err(NameError::TooManyBytes(FILE_NAME_LIMIT));
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// Returns the name as given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(name: &str) -> Result<Self, NameError> {
                $check(name)?;
                Ok(Self(name.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(name: String) -> Result<Self, NameError> {
                name.parse()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// The name of a platform module: 1 to 128 characters from `A-Z a-z 0-9 - . _ ~`, but not `.` or `..`.
    ModuleName, check_identifier
}
name! {
    /// The name of an item within a module. Follows the same rules as [`ModuleName`].
    ItemName, check_identifier
}
name! {
    /// The name of an item's file, in any script: 1 to 255 bytes of UTF-8 in NFC, without `/` or control
    /// characters, and not `.` or `..`. Stored exactly as given, because it is the last part of an object's
    /// key.
    FileName, check_file_name
}

/// The item whose files are shared. Displayed as `{module}/{item}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Item {
    /// The Share permission is granted per module.
    pub module: ModuleName,
    /// Unique within the module.
    pub name: ItemName,
}

impl Item {
    /// Parses the text that [`Display`](fmt::Display) produces.
    pub fn parse(path: &str) -> Result<Self, NameError> {
        let (module, name) = path.split_once('/').ok_or(NameError::Alphabet)?;
        Ok(Self { module: module.parse()?, name: name.parse()? })
    }
}

impl FileName {
    /// The text for a name that consists of invisible characters only.
    const INVISIBLE: &str = "file";

    /// Names a ZIP archive after a text.
    #[must_use]
    pub fn of_archive(text: &str) -> Self {
        const EXTENSION: &str = ".zip";
        let is_forbidden = |c: char| matches!(c, '/' | '\\') || c.is_control();
        let stem: String = text.chars().map(|c| if is_forbidden(c) { '_' } else { c }).collect();
        let stem = stem.trim_end_matches(['.', ' ']);
        let stem = if stem.chars().all(is_invisible) { Self::INVISIBLE } else { stem };
        let stem = shorten_file_name(stem, FILE_NAME_LIMIT - EXTENSION.len());
        Self(format!("{stem}{EXTENSION}"))
    }

    /// Returns the name without its extension: at most 11 ASCII letters and digits.
    #[must_use]
    pub fn stem(&self) -> &str {
        let is_extension =
            |text: &str| (1..=11).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        match self.0.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() && is_extension(extension) => stem,
            _ => &self.0,
        }
    }

    /// Returns the name as pages and emails show it and downloads save it: visible, on one line, and without
    /// bidirectional control characters.
    #[must_use]
    pub fn to_display_text(&self) -> String {
        let one_line = strip_bidi_controls(&self.0).replace(['\u{2028}', '\u{2029}'], " ");
        if one_line.chars().all(is_invisible) { Self::INVISIBLE.to_owned() } else { one_line }
    }
}

/// Removes bidirectional embeddings, overrides and isolates (UAX #9) from user-supplied text before it is
/// displayed. These characters reorder the surrounding text and can disguise a file's extension.
fn strip_bidi_controls(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')).collect()
}

/// The maximum length of displayed text, in characters. Longer text is truncated.
const DISPLAY_LIMIT: usize = 200;

/// Makes text from the platform safe to display on one line: removes bidirectional control characters and
/// placeholders, replaces other control characters and line separators with spaces, and truncates. Returns
/// `None` if nothing visible is left.
///
/// Invisible characters between visible ones are kept: some scripts and emoji need joiners and variation
/// selectors.
#[must_use]
pub fn to_display_text(text: &str) -> Option<String> {
    let breaks_line = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let one_line: String = strip_bidi_controls(text.trim())
        .chars()
        .filter(|c| !is_placeholder(*c) && *c != char::REPLACEMENT_CHARACTER)
        .map(|c| if breaks_line(c) { ' ' } else { c })
        .take(DISPLAY_LIMIT)
        .collect();
    let text = one_line.trim();
    (!text.chars().all(is_invisible)).then(|| text.to_owned())
}

/// Returns whether a character is displayed as nothing or as a blank: white space, a control character, a
/// `Default_Ignorable_Code_Point` (Unicode's `DerivedCoreProperties.txt`) or the blank Braille pattern.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Returns whether a character stands for something that is not part of a text.
#[must_use]
pub fn is_placeholder(c: char) -> bool {
    // U+FFFC stands for an image. Unicode reserves the noncharacters for programs.
    matches!(c, '\u{fffc}' | '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
}

/// Shortens text to a number of characters, not counting the ellipsis that then ends it.
#[must_use]
pub fn shorten(text: &str, limit: usize) -> Cow<'_, str> {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()).into(),
        None => text.into(),
    }
}

/// Shortens a file name to a number of bytes of UTF-8 in NFC, and keeps its extension.
#[must_use]
pub fn shorten_file_name(name: &str, limit: usize) -> Cow<'_, str> {
    const ELLIPSIS: &str = "…";
    /// A longer ending is not an extension.
    const EXTENSION_LIMIT: usize = 20;
    let composed: String = name.nfc().collect();
    if composed.len() <= limit {
        return name.into();
    }
    let dot = composed.rfind('.').filter(|dot| composed.len() - dot <= EXTENSION_LIMIT);
    let (stem, extension) = composed.split_at(dot.unwrap_or(composed.len()));
    let room = limit.saturating_sub(ELLIPSIS.len() + extension.len());
    let start = &stem[..stem.floor_char_boundary(room)];
    format!("{start}{ELLIPSIS}{extension}").into()
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.module, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_and_item_names_use_a_restricted_alphabet() {
        for name in ["jobs", "1042", "a.b_c~d-E", "...", &"x".repeat(128)] {
            assert!(name.parse::<ModuleName>().is_ok(), "{name}");
        }
        for (name, error) in [
            ("", NameError::Empty),
            (".", NameError::Dots),
            ("..", NameError::Dots),
            ("a/b", NameError::Alphabet),
            ("a b", NameError::Alphabet),
            ("jöbs", NameError::Alphabet),
            ("a%2Fb", NameError::Alphabet),
            ("a#b", NameError::Alphabet),
            ("a\0", NameError::Alphabet),
        ] {
            assert_eq!(name.parse::<ItemName>(), Err(error), "{name:?}");
        }
        assert_eq!("x".repeat(129).parse::<ItemName>(), Err(NameError::TooLong(128)));
    }

    #[test]
    fn file_names_in_any_script_are_kept_as_given() {
        for name in ["brief.pdf", "Ünï \"a\";b.pdf", "U\u{308}.txt", "見積書.pdf", "\u{202e}fdp.exe", "..."]
        {
            assert_eq!(name.parse::<FileName>().unwrap().as_str(), name);
        }
        for (name, error) in [
            ("", NameError::Empty),
            (".", NameError::Dots),
            ("..", NameError::Dots),
            ("a/b", NameError::SlashOrControl),
            ("a\r\nb", NameError::SlashOrControl),
            ("a\u{85}b", NameError::SlashOrControl),
        ] {
            assert_eq!(name.parse::<FileName>(), Err(error), "{name:?}");
        }
    }

    #[test]
    fn bidi_controls_are_removed_from_displayed_text() {
        assert_eq!(strip_bidi_controls("a\u{202e}fdp.exe"), "afdp.exe");
        assert_eq!(strip_bidi_controls("שלום \u{2067}x\u{2069}"), "שלום x");
    }

    #[test]
    fn displayed_file_name_is_visible_and_on_one_line() {
        for (name, displayed) in [
            ("brief.pdf", "brief.pdf"),
            (" a  b ", " a  b "),
            ("a\u{202e}fdp.exe", "afdp.exe"),
            ("a\u{2028}b\u{2029}c.pdf", "a b c.pdf"),
            ("\u{202e}.pdf", ".pdf"),
            ("\u{202e}", "file"),
            ("\u{2066}\u{2069}", "file"),
            ("\u{200b}\u{feff}\u{3164}", "file"),
            ("\u{2028}", "file"),
            (" ", "file"),
        ] {
            assert_eq!(name.parse::<FileName>().unwrap().to_display_text(), displayed, "{name:?}");
        }
    }

    #[test]
    fn archive_is_named_after_any_text() {
        for (text, name) in [
            ("Spring campaign", "Spring campaign.zip"),
            ("A/B \\ test", "A_B _ test.zip"),
            ("Budget v1.5.", "Budget v1.5.zip"),
            ("..", "file.zip"),
            ("\u{202e}", "file.zip"),
            ("見積書", "見積書.zip"),
        ] {
            assert_eq!(FileName::of_archive(text).as_str(), name);
        }
        for text in ["ä".repeat(200), "u\u{308}".repeat(200), format!("{}.abc", "x".repeat(255))] {
            let name = FileName::of_archive(&text);
            assert_eq!(name.as_str().parse(), Ok(name.clone()), "{text}");
            assert_eq!(&name.as_str()[name.as_str().len() - 4..], ".zip");
        }
    }

    #[test]
    fn stem_lacks_only_the_extension() {
        for (name, stem) in [
            ("art.pdf", "art"),
            ("x.tar.gz", "x.tar"),
            (".gitignore", ".gitignore"),
            ("Invoice No. 12", "Invoice No. 12"),
            ("README", "README"),
            ("a.", "a."),
        ] {
            assert_eq!(name.parse::<FileName>().unwrap().stem(), stem);
        }
    }

    #[test]
    fn displayed_text_is_one_visible_line() {
        assert_eq!(to_display_text("a\u{2028}b\u{2029}c\r\nd").as_deref(), Some("a b c  d"));
        assert_eq!(to_display_text("a\u{fffd}\u{fffc}\u{ffff}").as_deref(), Some("a"));
        for text in
            ["", " \t", "\u{200b}", "\u{2060} \u{feff}", "\u{3164}", "\u{2800}\u{2800}", "\u{ad}\u{e0020}"]
        {
            assert_eq!(to_display_text(text), None, "{text:?}");
        }
        for text in ["می\u{200c}خواهم", "👩\u{200d}🚀", "☂\u{fe0f}"] {
            assert_eq!(to_display_text(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn long_text_is_shortened_with_an_ellipsis() {
        assert_eq!(shorten("长长长", 3), "长长长");
        assert_eq!(shorten("ab cd", 3), "ab…");
    }

    #[test]
    fn long_file_name_is_shortened_before_its_extension() {
        for (name, shortened) in [
            ("12345.pdf", "12345.pdf"),
            ("123456789.pdf", "123….pdf"),
            ("éééééé.pdf", "é….pdf"),
            ("123456789012", "1234567…"),
            (&format!("1234567.{}", "x".repeat(20)), "1234567…"),
        ] {
            assert_eq!(shorten_file_name(name, 10), shortened);
        }
        let decomposed = "u\u{308}u\u{308}.txt";
        assert_eq!(shorten_file_name(decomposed, 8), decomposed);
    }

    #[test]
    fn file_name_length_is_measured_in_nfc() {
        // In decomposed form, as macOS stores it, this letter takes three bytes. Composed, it takes two.
        assert!("u\u{308}".repeat(127).parse::<FileName>().is_ok());
        assert_eq!("u\u{308}".repeat(128).parse::<FileName>(), Err(NameError::TooManyBytes(255)));
        assert!("x".repeat(255).parse::<FileName>().is_ok());
        assert_eq!("x".repeat(256).parse::<FileName>(), Err(NameError::TooManyBytes(255)));
    }

    #[test]
    fn item_round_trips_through_its_display_form() {
        let item = Item { module: "jobs".parse().unwrap(), name: "1042".parse().unwrap() };
        assert_eq!(item.to_string(), "jobs/1042");
        assert_eq!(Item::parse("jobs/1042"), Ok(item.clone()));
        assert!(Item::parse("jobs").is_err());
        assert!(Item::parse("jobs/1/2").is_err());
    }
}
