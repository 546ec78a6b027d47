//! Reads email addresses that people type or paste.
//!
//! Only requests are read this way. Stored addresses and addresses in tokens are parsed as they are
//! ([`EmailAddress::from_str`](std::str::FromStr)), so a change here never makes a stored share unreadable.

use idna::AsciiDenyList;
use idna::uts46::{Hyphens, Uts46};
use unicode_security::confusable_detection::skeleton;
use unicode_security::{RestrictionLevel, RestrictionLevelDetection};

use crate::EmailAddress;
use crate::address::AddressError;

/// The maximum length of the text around and including an address, in bytes.
const TEXT_LIMIT: usize = 1_000;

impl EmailAddress {
    /// Reads an address that a person typed or pasted. Removes what surrounds it, and refuses a domain that
    /// looks like another one.
    ///
    /// `readAddress` in the web components does the same. Both pass the cases in
    /// `tests/recipient_addresses.json`.
    pub fn read(text: &str) -> Result<Self, AddressError> {
        let mended = mend(text);
        let address: Self = mended.parse()?;
        let domain = mended.rsplit_once('@').map_or("", |(_, domain)| domain);
        check_domain(domain, address.domain())?;
        Ok(address)
    }
}

/// Removes what surrounds a single address: quotes, brackets, `mailto:`, punctuation.
fn mend(text: &str) -> String {
    let cleaned = clean(text);
    let mut mended = cleaned.trim_matches(is_blank);
    // Longer text is no address. The limit also bounds the time that hostile input takes.
    while mended.len() <= TEXT_LIMIT {
        let before = mended;
        mended = mended.trim_start_matches(is_opening).trim_end_matches(is_closing);
        mended = strip_mailto(mended).unwrap_or(mended);
        mended = strip_emphasis(mended).unwrap_or(mended);
        if mended == before {
            break;
        }
    }
    mended.to_owned()
}

fn is_opening(c: char) -> bool {
    is_blank(c) || "'\"`<([{|•·◦▪‣–—¡¿".contains(c)
}

fn is_closing(c: char) -> bool {
    is_blank(c) || "'\"`>)]}|.,;:!?…/\\".contains(c)
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

/// Removes `mailto:` and what follows the address. Percent-encoded characters stay, which makes the address
/// invalid.
fn strip_mailto(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_at_checked("mailto:".len())?;
    let (address, _) = rest.split_once('?').unwrap_or((rest, ""));
    (scheme.eq_ignore_ascii_case("mailto:") && !address.contains('%')).then_some(address)
}

/// Removes a pair of characters that mark emphasis in Markdown. A single one may belong to the address.
fn strip_emphasis(text: &str) -> Option<&str> {
    ['*', '_', '~'].into_iter().find_map(|mark| text.strip_prefix(mark)?.strip_suffix(mark))
}

/// Removes invisible characters, and replaces full-width forms, quotation marks and apostrophes by the ASCII
/// characters that they stand for.
fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    // Persian and Indic domains need joiners between letters.
    let mut joiners = String::new();
    for c in text.chars().filter(|c| !is_invisible(*c)).map(fold) {
        if is_joiner(c) {
            joiners.push(c);
            continue;
        }
        if !c.is_ascii() && cleaned.ends_with(|before: char| !before.is_ascii()) {
            cleaned.push_str(&joiners);
        }
        joiners.clear();
        cleaned.push(c);
    }
    cleaned
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}')
}

/// Whether a character is invisible: Unicode's `Default_Ignorable_Code_Point`, except the joiners, and the
/// interlinear annotation characters.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}' | '\u{200E}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E0FFF}')
}

fn fold(c: char) -> char {
    match c {
        // Full-width forms are in the order of ASCII.
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        '、' | '､' | '﹐' | '﹑' | '،' => ',',
        '。' | '｡' | '﹒' => '.',
        '﹔' | '؛' | '\u{37E}' => ';',
        '﹫' => '@',
        '“' | '”' | '„' | '‟' | '«' | '»' | '‹' | '›' | '「' | '」' | '『' | '』' | '【' | '】' | '《'
        | '》' | '〈' | '〉' | '″' => '"',
        '‘' | '’' | '‚' | '‛' | '′' | '´' => '\'',
        _ => c,
    }
}

/// Checks that a domain does not look like another one (UTS 39). `ascii` is the same domain in ASCII.
///
/// Accepts every domain in ASCII: people do not mistake `xn--gmal-nza.com` for `gmail.com`.
fn check_domain(domain: &str, ascii: &str) -> Result<(), AddressError> {
    if domain.is_ascii() {
        return Ok(());
    }
    let (unicode, _) = Uts46::new().to_unicode(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::Allow);
    let resembled = resemble(&unicode);
    let has_host_name =
        resembled.rsplit('.').next().is_some_and(|top| top.bytes().all(|b| b.is_ascii_alphabetic()));
    if resembled.is_ascii() && resembled != unicode && has_host_name {
        return Err(AddressError::Lookalike { resembled, ascii: ascii.to_owned() });
    }
    // `idna` has checked that the joiners are where a script needs them.
    let is_unambiguous = |label: &str| {
        label.replace(is_joiner, "").check_restriction_level(RestrictionLevel::HighlyRestrictive)
    };
    let has_odd_character =
        unicode.chars().any(|c| matches!(c, '\u{2010}'..='\u{2015}' | '\u{2019}' | '\u{30A0}'));
    if has_odd_character || !unicode.split('.').all(is_unambiguous) {
        return Err(AddressError::MixedScripts { ascii: ascii.to_owned() });
    }
    Ok(())
}

/// Replaces the letters that look like ASCII characters.
fn resemble(domain: &str) -> String {
    let mut resembled = String::with_capacity(domain.len());
    for c in domain.chars() {
        match c {
            // Readers of Danish, Norwegian and French distinguish these from two letters.
            'æ' | 'œ' => resembled.push(c),
            // The dot is invisible on a letter that has one.
            '\u{307}' if resembled.ends_with(['i', 'j']) => {}
            _ if c.is_ascii() => resembled.push(c),
            _ => resembled.extend(skeleton(c.encode_utf8(&mut [0; 4]))),
        }
    }
    resembled
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    /// The cases that the API and the web components have in common.
    #[derive(Deserialize)]
    struct Shared {
        invisible: Vec<(String, String)>,
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        input: String,
        address: Option<String>,
        lookalike: Option<String>,
    }

    fn shared() -> Shared {
        serde_json::from_str(include_str!("../tests/recipient_addresses.json")).unwrap()
    }

    #[test]
    fn shared_cases_are_read_as_in_the_components() {
        for Case { input, address, lookalike } in shared().cases {
            let read = EmailAddress::read(&input);
            match (address, lookalike) {
                (Some(address), _) => {
                    assert_eq!(read.as_ref().map(EmailAddress::as_str), Ok(&*address), "{input:?}");
                }
                (None, Some(domain)) => match read {
                    Err(AddressError::Lookalike { ascii, .. } | AddressError::MixedScripts { ascii }) => {
                        assert_eq!(ascii, domain, "{input:?}");
                    }
                    other => panic!("{input:?}: {other:?}"),
                },
                (None, None) => assert!(
                    matches!(read, Err(AddressError::Shape | AddressError::LocalPart | AddressError::Domain)),
                    "{input:?}: {read:?}"
                ),
            }
        }
    }

    #[test]
    fn same_characters_are_invisible_as_in_the_components() {
        let code = |hex: &str| u32::from_str_radix(hex, 16).unwrap();
        let ranges: Vec<_> =
            shared().invisible.iter().map(|(first, last)| code(first)..=code(last)).collect();
        for c in '\0'..=char::MAX {
            let expected = ranges.iter().any(|range| range.contains(&u32::from(c)));
            assert_eq!(is_invisible(c), expected, "{c:?}");
        }
    }

    #[test]
    fn lookalike_error_names_both_domains() {
        for (input, resembled, ascii) in [
            ("ahmet@gmaıl.com", "gmail.com", "xn--gmal-nza.com"),
            ("AHMET@GMAİL.COM", "gmail.com", "xn--gmail-bgd.com"),
            ("ann@exam\u{2010}ple.com", "exam-ple.com", "xn--example-806c.com"),
            ("ann@аррӏе.com", "apple.com", "xn--80ak6aa92e.com"),
        ] {
            let (resembled, ascii) = (resembled.to_owned(), ascii.to_owned());
            assert_eq!(
                EmailAddress::read(input),
                Err(AddressError::Lookalike { resembled, ascii }),
                "{input}"
            );
        }
    }

    #[test]
    fn stored_addresses_are_not_mended() {
        let stored: EmailAddress = serde_json::from_str("\"'ann@example.com\"").unwrap();
        assert_eq!(stored.as_str(), "'ann@example.com");
    }

    #[test]
    fn hostile_text_is_refused_in_bounded_time() {
        for part in ["mailto:", "*", "<", "'", "\u{200C}", "mailto:*", ">@"] {
            assert!(EmailAddress::read(&part.repeat(100_000)).is_err(), "{part}");
        }
    }

    proptest! {
        #[test]
        fn reading_is_idempotent(text in any::<String>()) {
            if let Ok(address) = EmailAddress::read(&text) {
                prop_assert_eq!(EmailAddress::read(address.as_str()), Ok(address));
            }
        }

        #[test]
        fn address_is_read_within_what_surrounds_it(
            local in "[a-zA-Z0-9][a-zA-Z0-9+_'-]{0,20}[a-z]",
            domain in "[a-z]{1,10}\\.[a-z]{2,5}",
            before in "[ '\"<(\\[\u{200B}\u{FEFF}\u{A0}]{0,6}",
            after in "[ '\">)\\].,;:!?\u{200B}\u{FEFF}\u{A0}]{0,6}",
        ) {
            let address = format!("{local}@{domain}");
            let read = EmailAddress::read(&format!("{before}{address}{after}"));
            prop_assert_eq!(read.map(|read| read.as_str().to_owned()), Ok(address));
        }

        #[test]
        fn address_has_no_leading_quote(text in "['`\"<]{0,3}[a-z']{1,3}@[a-z]{1,3}\\.com['`\">]{0,3}") {
            if let Ok(address) = EmailAddress::read(&text) {
                prop_assert!(!address.as_str().starts_with(['\'', '`', '"', '<']));
            }
        }
    }
}
