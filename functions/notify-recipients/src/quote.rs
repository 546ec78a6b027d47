//! Quotes a sharer's message, so that it cannot pass for a part of the email.

use sharelink_domain::Message;
use sharelink_domain::names::is_invisible;

use crate::unlink::unlink_line;

/// The maximum length of a blank within a line, in characters. A longer one could look like a line break,
/// after which a line of text has no mark of a quotation.
const BLANK_LIMIT: usize = 8;

/// A sharer's message, as an email shows it.
pub(crate) struct Quote {
    pub(crate) lines: Vec<String>,
    /// Whether the message contains the address of a website, which is not a link.
    pub(crate) has_websites: bool,
}

impl Quote {
    pub(crate) fn of(message: &Message) -> Self {
        let mut lines: Vec<String> = Vec::new();
        let mut has_websites = false;
        for line in message.as_str().lines() {
            let line = limit_blanks(line);
            // Keep one blank line between paragraphs. More could push the rest out of sight.
            if line.is_empty() && lines.last().is_none_or(String::is_empty) {
                continue;
            }
            let unlinked = unlink_line(&line);
            has_websites |= unlinked != line && may_have_website(&line);
            lines.push(unlinked);
        }
        lines.pop_if(|last| last.is_empty());
        Self { lines, has_websites }
    }
}

/// Returns whether a line that was changed has more than a missing space after a full stop.
fn may_have_website(line: &str) -> bool {
    line.contains(['/', '\\']) || line.to_ascii_lowercase().contains("www.")
}

/// Shortens blanks within a line, and removes the one that ends it.
fn limit_blanks(line: &str) -> String {
    let mut blank = 0;
    let mut limited = String::with_capacity(line.len());
    for c in line.trim_end_matches(is_invisible).chars() {
        blank = if is_invisible(c) { blank + 1 } else { 0 };
        if blank <= BLANK_LIMIT {
            limited.push(c);
        }
    }
    limited
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote(message: &str) -> Quote {
        Quote::of(&Message::parse(message).unwrap().unwrap())
    }

    #[test]
    fn message_keeps_its_lines_and_paragraphs() {
        let quote = quote("Hi Bob,\r\n\r\n  here it is.\tEnjoy 👩\u{200d}🚀\nAnn");
        assert_eq!(quote.lines, ["Hi Bob,", "", "  here it is.\tEnjoy 👩\u{200d}🚀", "Ann"]);
        assert!(!quote.has_websites);
    }

    #[test]
    fn blank_lines_do_not_push_text_out_of_sight() {
        for blank in ["\n", "\r\n", " \n", "\u{3164}\n", "\u{2800}\u{a0}\n"] {
            let many = blank.repeat(200);
            assert_eq!(quote(&format!("{many}a\n{many}b\n{many}")).lines, ["a", "", "b"], "{blank:?}");
        }
    }

    #[test]
    fn long_blank_does_not_look_like_a_line_break() {
        for blank in [" ", "\t", "\u{2003}", "\u{3164}", "\u{2800}", "\u{200b}\u{a0}"] {
            let [line] = &*quote(&format!("a{}b", blank.repeat(200))).lines else { panic!("{blank:?}") };
            assert_eq!(line.chars().count(), 10, "{blank:?}");
        }
    }

    #[test]
    fn message_with_a_website_is_marked() {
        assert!(quote("See https://evil.example").has_websites);
        assert!(quote("See\n\nWWW.evil.example").has_websites);
        assert!(quote("See bit.ly/x").has_websites);
        assert!(!quote("Thanks.It is budget.zip").has_websites);
    }
}
