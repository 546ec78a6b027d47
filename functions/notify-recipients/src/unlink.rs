//! Prevents mail programs from turning text into links.

use sharelink_domain::EmailAddress;

/// An invisible character that no address may contain. Browsers ignore it in a host's name.
const WORD_JOINER: char = '\u{2060}';

/// Extensions and words in file names that are not top-level domains.
const UNLINKED_LABELS: [&str; 45] = [
    "avi", "bak", "bin", "bmp", "copy", "css", "csv", "doc", "docx", "draft", "dwg", "eml", "entwurf", "eps",
    "exe", "final", "gif", "heic", "htm", "html", "jpeg", "jpg", "json", "kopie", "log", "odp", "ods", "odt",
    "old", "pdf", "png", "ppt", "pptx", "psd", "rtf", "signed", "svg", "tif", "tiff", "txt", "wav", "webp",
    "xls", "xlsx", "xml",
];

/// Prevents mail programs from turning a name such as `budget.zip` into a link to a website, where no link of
/// ours can surround it. The inserted character is invisible, and no address may contain it (source:
/// <https://blog.teknkl.com/stop-email-client-hyperlinking-text-without-consent/>). Names that no
/// mail program links stay unchanged, so that they can be copied: `brief.pdf`, `Q3.final.pdf`, `v1.5`,
/// `2026.11.26`, `Dr. No`.
pub(crate) fn unlink(text: &str) -> String {
    let mut unlinked = String::with_capacity(text.len());
    for (i, c) in text.char_indices() {
        let rest = &text[i + c.len_utf8()..];
        let is_within_word = rest.starts_with(|next: char| !next.is_whitespace());
        let is_linked = match c {
            '.' => is_within_word && may_join_host(&text[..i], rest),
            '/' | '\\' | '@' | '。' | '．' | '｡' => is_within_word,
            ':' => rest.starts_with(['/', '\\']),
            _ => false,
        };
        if is_linked {
            unlinked.push(WORD_JOINER);
        }
        unlinked.push(c);
    }
    unlinked
}

/// Returns whether a dot between these texts may be part of a host's name or IPv4 address.
fn may_join_host(before: &str, after: &str) -> bool {
    let label = after.split(|c: char| !c.is_alphanumeric() && c != '-').next().unwrap_or_default();
    let label = label.to_ascii_lowercase();
    // Mail programs link everything after `www.`.
    if before.to_ascii_lowercase().ends_with("www") || label.starts_with("xn--") {
        return true;
    }
    if !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit()) {
        return is_in_ipv4_address(before, after);
    }
    // A top-level domain has at least two characters, and no digits.
    let may_be_top_level = label.len() != 1 && !label.contains(|c: char| c.is_ascii_digit());
    may_be_top_level && !UNLINKED_LABELS.contains(&label.as_str())
}

fn is_in_ipv4_address(before: &str, after: &str) -> bool {
    let is_other = |c: char| !c.is_ascii_digit() && c != '.';
    let start = before.rsplit(is_other).next().unwrap_or_default();
    let end = after.split(is_other).next().unwrap_or_default();
    let numbers: Vec<Option<u8>> = start.split('.').chain(end.split('.')).map(|n| n.parse().ok()).collect();
    numbers.windows(4).any(|four| four.iter().all(Option::is_some))
}

/// Returns a name as the text of a link to the share, in which mail programs add no other link. A text that
/// is a URL is broken there, too: filters take a link for phishing if its text and its target differ.
pub(crate) fn link_text(name: &str) -> String {
    let lowercase = name.to_ascii_lowercase();
    if lowercase.contains("://") || lowercase.contains("www.") { unlink(name) } else { name.to_owned() }
}

/// Prevents mail programs from turning the addresses of websites in a sharer's message into links, which
/// could pass for the link to the share. A URL can still be read, and copied without its scheme.
///
/// Email addresses stay unchanged. A link to one opens no website.
pub(crate) fn unlink_line(line: &str) -> String {
    line.split_inclusive(char::is_whitespace)
        .map(|word| if is_email_address(word) { word.to_owned() } else { unlink_word(word) })
        .collect()
}

fn unlink_word(word: &str) -> String {
    let is_slash = |c: char| matches!(c, '/' | '\\');
    let mut unlinked = String::with_capacity(word.len());
    for (i, c) in word.char_indices() {
        let (before, rest) = (&word[..i], &word[i + c.len_utf8()..]);
        let is_last_slash = is_slash(c) && !rest.starts_with(is_slash) && before.ends_with(is_slash);
        let is_linked = match c {
            '.' => !rest.starts_with(|next: char| next.is_ascii_punctuation()) && may_join_host(before, rest),
            '\\' | '@' | '。' | '．' | '｡' => true,
            _ => false,
        };
        let is_within_word = rest.starts_with(|next: char| !next.is_whitespace());
        if is_linked && is_within_word {
            unlinked.push(WORD_JOINER);
        }
        unlinked.push(c);
        if is_last_slash && is_within_word {
            // Many mail programs link everything that follows two slashes. A visible space also tells the
            // reader why the URL cannot be copied as a whole.
            unlinked.push(' ');
        }
    }
    unlinked
}

/// Returns whether a word is an email address in which mail programs find no website.
fn is_email_address(word: &str) -> bool {
    let is_bracket = |c: char| c.is_ascii_punctuation() && !matches!(c, '/' | '\\');
    let address = word.trim().trim_matches(is_bracket);
    address.bytes().all(|b| b.is_ascii_alphanumeric() || b".+-_@".contains(&b))
        && !address.to_ascii_lowercase().contains("www.")
        && address.parse::<EmailAddress>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_not_linked_stay_unchanged() {
        for name in [
            "brief.pdf",
            "Q3 v1.5.XLSX",
            "Report v1.5.pdf",
            "Report 1.2.3.pdf",
            "2026.11.26 notes.pdf",
            "26.11.2026.pdf",
            "Q3.final.pdf",
            "Q3.v2.draft.docx",
            "A.B.pdf",
            "song.mp3",
            "Dr. No",
            "https: no",
        ] {
            assert_eq!(unlink(name), name);
            assert_eq!(unlink_line(name), name);
        }
    }

    #[test]
    fn websites_in_a_message_are_not_links() {
        for (line, shown) in [
            ("Open https://evil.example/a/b?c=d now", "Open https:// evil|.example/a/b?c=d now"),
            ("HTTPS://EVIL.EXAMPLE", "HTTPS:// EVIL|.EXAMPLE"),
            ("(http://evil/)", "(http:// evil/)"),
            ("http://[::1]/ http://2130706433", "http:// [::1]/ http:// 2130706433"),
            ("https:////evil.example", "https://// evil|.example"),
            ("//evil.example", "// evil|.example"),
            ("http[:]//evil.example", "http[:]// evil|.example"),
            ("https：//evil.example", "https：// evil|.example"),
            ("ann@www.evil.com", "ann|@www|.evil|.com"),
            ("a.www.evil.com@x.com", "a|.www|.evil|.com|@x|.com"),
            ("//ann@evil.example", "// ann|@evil|.example"),
            (r"\\evil.example@x.com", r"|\|\ evil|.example|@x|.com"),
            ("www.evil.example", "www|.evil|.example"),
            ("evil.zip/login, bit.ly/x.", "evil|.zip/login, bit|.ly/x."),
            ("10.0.0.1:8080", "10|.0|.0|.1:8080"),
            ("evil.xn--p1ai", "evil|.xn--p1ai"),
            ("例え。テスト", "例え|。テスト"),
            (r"\\evil\share", r"|\|\ evil|\share"),
            (
                "https://good.example/?to=https://evil.example",
                "https:// good|.example/?to=https:// evil|.example",
            ),
            ("<a href=\"https://evil.example\">", "<a href=\"https:// evil|.example\">"),
            ("[Download](https://evil.example)", "[Download](https:// evil|.example)"),
            ("http://ann@evil.example", "http:// ann|@evil|.example"),
            ("ann@evil.example/login", "ann|@evil|.example/login"),
            ("www.evil.example@example.com", "www|.evil|.example|@example|.com"),
        ] {
            assert_eq!(unlink_line(line), shown.replace('|', "\u{2060}"), "{line}");
        }
    }

    #[test]
    fn other_text_in_a_message_stays_unchanged() {
        for line in [
            "Thanks. See you at 10:30, and/or in Q3/Q4 (e.g. Monday)...",
            "Write to ann.example+files@example.com, <bob@example.com>.",
            "see brief.pdf and https://",
            "\tcount: 1.5 // 2",
        ] {
            assert_eq!(unlink_line(line), line);
        }
    }
}
