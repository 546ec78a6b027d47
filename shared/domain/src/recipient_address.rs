//! Reads email addresses that people type or paste.
//!
//! Only requests are read this way. Stored addresses and addresses in tokens are parsed as they are
//! ([`EmailAddress::from_str`](std::str::FromStr)), so a change here never makes a stored share unreadable.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup};
use icu_properties::{CodePointMapData, CodePointSetData};
use idna::AsciiDenyList;
use idna::uts46::{Hyphens, Uts46};
use unicode_normalization::UnicodeNormalization;
use unicode_security::confusable_detection::skeleton;
use unicode_security::{RestrictionLevel, RestrictionLevelDetection};

use crate::EmailAddress;
use crate::address::AddressError;

/// The maximum length of an address as typed, in characters. Bounds the time that hostile input takes.
const TEXT_LIMIT: usize = 1_000;

impl EmailAddress {
    /// Reads an address that a person typed or pasted. Removes what surrounds it. Refuses a local part that
    /// was probably cut from other text, and a domain that looks like another one.
    ///
    /// `readAddress` in the web components does the same. Both pass the cases in
    /// `tests/recipient_addresses.json`.
    pub fn read(text: &str) -> Result<Self, AddressError> {
        let extracted = extract(text);
        if extracted.chars().nth(TEXT_LIMIT).is_some() {
            return Err(AddressError::TooLong);
        }
        let address: Self = extracted.parse()?;
        let (local, domain) = extracted.rsplit_once('@').unwrap_or_default();
        check_local_part(local)?;
        check_domain(domain, address.domain())?;
        Ok(address)
    }
}

/// Extracts a single address from what surrounds it: quotes, brackets, `mailto:`, punctuation, symbols.
fn extract(text: &str) -> String {
    let cleaned = clean(text);
    let mut extracted = cleaned.as_str();
    let mut is_link = false;
    loop {
        let shorter = extracted
            .strip_prefix(is_opening)
            .or_else(|| strip_emphasis(extracted))
            .or_else(|| extracted.strip_suffix(is_closing))
            .or_else(|| extracted.strip_suffix("'s"));
        extracted = match shorter {
            Some(shorter) => shorter,
            None if is_link => break,
            None => {
                is_link = true;
                strip_mailto(extracted).unwrap_or(extracted)
            }
        };
    }
    extracted.to_owned()
}

fn is_opening(c: char) -> bool {
    is_blank(c) || "'\"`<([{|".contains(c) || is_decoration(c)
}

/// Whether a character cannot end an address. A `=` or `%` at the end may be part of an encoding.
fn is_closing(c: char) -> bool {
    is_blank(c) || (c.is_ascii_punctuation() && !"@=%".contains(c)) || is_decoration(c)
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

/// Whether a character is a symbol or punctuation outside ASCII. U+FFFD and letters in circles may stand for
/// part of an address.
fn is_decoration(c: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    let is_symbol = GeneralCategoryGroup::Punctuation
        .union(GeneralCategoryGroup::Symbol)
        .union(GeneralCategoryGroup::OtherNumber)
        .contains(category)
        && category != GeneralCategory::ModifierSymbol;
    let is_emoji_modifier = matches!(c, '\u{1F3FB}'..='\u{1F3FF}');
    !c.is_ascii()
        && c != char::REPLACEMENT_CHARACTER
        && !c.is_alphabetic()
        && (is_symbol || is_emoji_modifier || is_joiner(c))
}

/// Removes `mailto:` and what follows the address. Percent-encoded characters stay, which makes the address
/// invalid.
fn strip_mailto(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_at_checked("mailto:".len())?;
    let (address, _) = rest.split_once('?').unwrap_or((rest, ""));
    let is_plain = scheme.eq_ignore_ascii_case("mailto:") && !address.contains('%');
    is_plain.then(|| address.trim_start_matches('/'))
}

/// Removes a pair of characters that mark emphasis in Markdown. A single one may belong to the address.
fn strip_emphasis(text: &str) -> Option<&str> {
    ['*', '_', '~'].into_iter().find_map(|mark| text.strip_prefix(mark)?.strip_suffix(mark))
}

/// Removes invisible characters, and replaces full-width forms, ligatures, quotation marks and apostrophes by
/// the ASCII characters that they stand for.
fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    // Persian and Indic domains need joiners between letters.
    let mut joiners = String::new();
    for c in text.chars().filter(|c| !is_invisible(*c)).flat_map(normalize).map(fold) {
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

/// Whether a character is invisible: a default ignorable one, except the joiners, or an interlinear
/// annotation character.
fn is_invisible(c: char) -> bool {
    let is_ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c);
    (is_ignorable && !is_joiner(c)) || matches!(c, '\u{FFF9}'..='\u{FFFB}')
}

/// Normalizes Latin ligatures, small forms and full-width forms.
fn normalize(c: char) -> impl Iterator<Item = char> {
    let is_form = matches!(c, '\u{FB00}'..='\u{FB06}' | '\u{FE50}'..='\u{FE6B}' | '\u{FF01}'..='\u{FF5E}');
    is_form.then(|| std::iter::once(c).nfkc()).into_iter().flatten().chain((!is_form).then_some(c))
}

fn fold(c: char) -> char {
    match c {
        '、' | '､' | '،' => ',',
        '。' | '｡' => '.',
        '؛' | '\u{37E}' => ';',
        '“' | '”' | '„' | '‟' | '«' | '»' | '‹' | '›' | '「' | '」' | '『' | '』' | '【' | '】' | '《'
        | '》' | '〈' | '〉' | '″' => '"',
        '‘' | '’' | '‚' | '‛' | '′' | '´' => '\'',
        // Braille's blank, the object replacement character, and private use: the bullets of old fonts.
        '\u{2800}' | '\u{FFFC}' => ' ',
        _ if CodePointMapData::<GeneralCategory>::new().get(c) == GeneralCategory::PrivateUse => ' ',
        _ => c,
    }
}

/// Checks that a local part was not cut from other text: a list, code, a path, a masked address.
fn check_local_part(local: &str) -> Result<(), AddressError> {
    let starts_well = local.starts_with(|c: char| c.is_ascii_alphanumeric() || "_$".contains(c));
    let is_cut = local.ends_with('\'')
        || local.contains(['{', '}', '`'])
        || ["='", "**", "//"].iter().any(|part| local.contains(part))
        || splits(local, '=').any(|(before, _)| is_key(before))
        || splits(local, '/').any(|(before, _)| is_host_name(before))
        || splits(local, '%').any(|(_, after)| is_percent_encoded(after));
    if starts_well && !is_cut { Ok(()) } else { Err(AddressError::LocalPart) }
}

/// Returns the text before and after each occurrence of a character.
fn splits(text: &str, separator: char) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices(separator).map(|(i, _)| (&text[..i], &text[i + 1..]))
}

/// Whether text ends with a key whose value is an address, as in `email=ann@example.com`.
fn is_key(text: &str) -> bool {
    const ENDS: [&str; 9] =
        ["mail", "address", "recipient", "recipients", "name", "user", "login", "contact", "account"];
    const WORDS: [&str; 9] = ["e", "to", "cc", "bcc", "from", "cn", "href", "uid", "id"];
    let text = text.to_ascii_lowercase();
    let word = text.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    WORDS.contains(&word) || ENDS.iter().any(|end| word.ends_with(end))
}

/// Whether text ends like a host name, as in `example.com/ann@example.com`.
fn is_host_name(text: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    text.rsplit_once('.').is_some_and(|(_, word)| is_word(word))
}

fn is_percent_encoded(text: &str) -> bool {
    text.get(..2).is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Checks that a domain does not look like another one (UTS 39). `ascii` is the same domain in ASCII.
///
/// Accepts every domain in ASCII: people do not mistake `xn--gmal-nza.com` for `gmail.com`.
fn check_domain(domain: &str, ascii: &str) -> Result<(), AddressError> {
    if domain.is_ascii() {
        return Ok(());
    }
    // A symbol such as ™ or ¹ stands for letters or digits that a reader does not see.
    let is_symbol = |c: char| !c.is_ascii() && std::iter::once(c).nfkc().any(|c| c.is_ascii());
    if domain.chars().any(is_symbol) {
        return Err(AddressError::Domain);
    }
    let (unicode, _) = Uts46::new().to_unicode(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::Allow);
    let labels: Vec<_> = unicode.split('.').map(|label| (label, resemble(label))).collect();
    // In a domain of another script, people expect a label of that script.
    let has_ascii_top = labels.last().is_some_and(|(_, top)| top.bytes().all(|b| b.is_ascii_alphabetic()));
    let is_lookalike = |(label, resembled): &(&str, String)| {
        let is_expected = has_ascii_top || label.contains(|c: char| c.is_ascii_alphabetic());
        *label != resembled && resembled.is_ascii() && is_expected
    };
    let seen = |pair: &(&str, String)| if is_lookalike(pair) { pair.1.clone() } else { pair.0.to_owned() };
    let resembled = labels.iter().map(seen).collect::<Vec<_>>().join(".");
    let is_host_name = !resembled.contains(|c: char| c.is_ascii_punctuation() && !"-.".contains(c));
    let has_lookalike = labels.iter().any(is_lookalike);
    let ascii = ascii.to_owned();
    if has_lookalike && is_host_name {
        return Err(AddressError::Lookalike { resembled, ascii });
    }
    // `idna` has checked that the joiners are where a script needs them.
    let is_ambiguous = |label: &str| {
        !label.replace(is_joiner, "").check_restriction_level(RestrictionLevel::HighlyRestrictive)
    };
    if has_lookalike || labels.iter().any(|(label, _)| has_odd_hyphen(label) || is_ambiguous(label)) {
        return Err(AddressError::MixedScripts { ascii });
    }
    Ok(())
}

/// Whether a label has a hyphen or dot that is not the ASCII one, or a letter that looks like one in Latin
/// text.
fn has_odd_hyphen(label: &str) -> bool {
    let chars: Vec<_> = label.chars().collect();
    chars.iter().enumerate().any(|(i, c)| {
        let neighbors = [i.checked_sub(1).and_then(|i| chars.get(i)), chars.get(i + 1)];
        match c {
            '-' => false,
            '\u{2019}' => true,
            // Catalan has a dot between two letters l.
            '·' => neighbors != [Some(&'l'); 2],
            'ー' | '一' | 'ノ' | '丶' | '丿' | '\u{1173}' | '\u{1175}' | '・' | 'ヽ' | 'ゝ' | '丨' => {
                neighbors.into_iter().flatten().any(|c| *c < '\u{1100}')
            }
            _ => CodePointMapData::<GeneralCategory>::new().get(*c) == GeneralCategory::DashPunctuation,
        }
    })
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
                    matches!(
                        read,
                        Err(AddressError::Shape
                            | AddressError::LocalPart
                            | AddressError::Domain
                            | AddressError::TooLong)
                    ),
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
            ("ann@büro.аррӏе.com", "büro.apple.com", "xn--bro-hoa.xn--80ak6aa92e.com"),
        ] {
            let (resembled, ascii) = (resembled.to_owned(), ascii.to_owned());
            assert_eq!(
                EmailAddress::read(input),
                Err(AddressError::Lookalike { resembled, ascii }),
                "{input}"
            );
        }
    }

    /// An error names a domain that the address resembles only if it could be one.
    #[test]
    fn lookalike_error_names_no_domain_that_cannot_exist() {
        for input in ["ann@hawai\u{2BB}i.example", "ann@exam丶ple.com", "ann@paypal.comノlogin.example"] {
            assert!(matches!(EmailAddress::read(input), Err(AddressError::MixedScripts { .. })), "{input}");
        }
    }

    #[test]
    fn stored_addresses_are_parsed_unchanged() {
        for address in ["'ann@example.com", "*ann@example.com", "email=ann@example.com", "a***@example.com"] {
            let stored: EmailAddress = serde_json::from_str(&format!("\"{address}\"")).unwrap();
            assert_eq!(stored.as_str(), address);
        }
    }

    #[test]
    fn hostile_text_is_refused_in_bounded_time() {
        for part in ["mailto:", "*", "<", "'", "\u{200C}", "mailto:*", ">@", "*.@", "•", "/.a", "e="] {
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
            before in "[ '\"<(\\[●→\u{200B}\u{FEFF}\u{A0}\u{2800}\u{F0B7}]{0,6}",
            after in "[ '\">)\\].,;:!?*™¹–\u{200B}\u{FEFF}\u{A0}\u{2800}]{0,6}",
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
