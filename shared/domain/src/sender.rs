//! The names in an email: the sharer's and the platform's.

use std::str::FromStr;

use icu_properties::CodePointMapData;
use icu_properties::props::GeneralCategory;
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_security::MixedScript;
use unicode_security::confusable_detection::skeleton;

use crate::names::{is_invisible, shorten, to_display_text};

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
const FROM_NAME_LIMIT: usize = 30;

/// The maximum length of a sharer's name in the rest of an email, in characters.
const SHARER_NAME_LIMIT: usize = 80;

/// A sharer's name, as an email shows it: one line of at most 80 characters.
///
/// Sharers may be able to choose their names. A name that could pass for an address, for the platform or for
/// the operator of a service is not shown at all. A name that is another person's cannot be detected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharerName(String);

impl SharerName {
    /// Makes a name safe to show in an email from this platform. Returns `None` if the name is misleading or
    /// has no visible letter or digit.
    #[must_use]
    pub fn parse(name: &str, platform: Option<&PlatformName>) -> Option<Self> {
        let name = join_words(&to_display_text(name)?);
        let appearance = Appearance::of(&name);
        let is_misleading = appearance.is_statement()
            || appearance.has_address()
            || appearance.is_role()
            || appearance.has_lookalike_letters()
            || platform.is_some_and(|platform| appearance.contains(&Appearance::of(&platform.0)));
        let is_readable = appearance.visible.chars().any(char::is_alphanumeric);
        (is_readable && !is_misleading).then(|| Self(shorten(&name, SHARER_NAME_LIMIT).into_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name as a reader may see it, to compare it with other text.
struct Appearance {
    /// Without invisible characters, and with wide and other compatibility forms replaced (NFKC).
    visible: String,
    /// In lowercase, without accents, and with ASCII characters for those of other scripts that look alike.
    plain: String,
    /// Only letters and digits, those that look alike with the same code (UTS 39). A letter may resemble
    /// another one in only one case, such as `I` and `l`, so this is derived from the name as typed and in
    /// lowercase.
    skeletons: [String; 2],
}

/// The minimum length of a platform's name that is also found across spaces and punctuation. A shorter one
/// appears within many names.
const DISTINCTIVE_LENGTH: usize = 6;

/// The top-level domains with more than two letters that are most used, and the one of examples.
const TOP_LEVEL_DOMAINS: [&str; 24] = [
    "app", "biz", "blog", "cloud", "com", "dev", "edu", "email", "example", "gov", "help", "info", "link",
    "live", "mil", "net", "online", "org", "page", "shop", "site", "store", "top", "xyz",
];

/// The most digits that a name may have.
const DIGITS_LIMIT: usize = 4;

/// The words that make a name that of a service, in every language of the emails. Without accents.
const ROLE_WORDS: [&str; 61] = [
    "abrechnung",
    "abteilung",
    "admin",
    "administrador",
    "administrateur",
    "administrator",
    "alert",
    "alertas",
    "alerts",
    "antwoorden",
    "antworten",
    "assistance",
    "atencion",
    "beantwoorden",
    "beheerder",
    "besvar",
    "beveiliging",
    "billing",
    "comptabilite",
    "daemon",
    "department",
    "desk",
    "donotreply",
    "facturacion",
    "facturatie",
    "facturation",
    "fakturering",
    "helpdesk",
    "helpline",
    "hotline",
    "klantendienst",
    "klantenservice",
    "kundendienst",
    "kundenservice",
    "kundeservice",
    "kundesupport",
    "kundservice",
    "kundtjanst",
    "mailer",
    "noreply",
    "notificaciones",
    "notification",
    "notifications",
    "postmaster",
    "reply",
    "repondre",
    "responder",
    "root",
    "sakerhet",
    "securite",
    "security",
    "seguridad",
    "sicherheit",
    "sikkerhed",
    "soporte",
    "subsystem",
    "support",
    "svara",
    "system",
    "verified",
    "webmaster",
];

/// The other words in names of services.
const ROLE_ADDITIONS: [&str; 44] = [
    "account", "al", "bitte", "center", "client", "cliente", "clientes", "clients", "customer", "de",
    "delivery", "der", "des", "dienst", "do", "du", "email", "equipe", "equipo", "favor", "help", "ikke",
    "inte", "it", "keine", "la", "le", "mail", "merci", "my", "ne", "nicht", "niet", "no", "not", "our",
    "pas", "por", "service", "servicio", "team", "teamet", "the", "your",
];

impl Appearance {
    fn of(name: &str) -> Self {
        // A circled letter becomes a plain one, but this one is read as an `@`.
        let name = name.replace(['ⓐ', 'Ⓐ'], "@");
        let visible = name.nfkc().filter(|c| c.is_whitespace() || !is_invisible(*c)).collect::<String>();
        let visible = join_words(&visible);
        let plain = visible.nfd().filter(|c| !is_combining_mark(*c)).flat_map(to_ascii_lookalike);
        let plain: String = plain.filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect();
        let skeletons = [&visible, &visible.to_lowercase()].map(|text| to_skeleton(text));
        Self { visible, plain, skeletons }
    }

    /// Returns whether the name is not a name, but what a subject line says, or has a symbol that vouches for it,
    /// such as `Invoice 47110: pay now` or `✅ Verified`.
    fn is_statement(&self) -> bool {
        let is_symbol = |c: char| {
            let category = CodePointMapData::<GeneralCategory>::new().get(c);
            category == GeneralCategory::OtherSymbol
        };
        self.plain.contains([':', '!', '?'])
            || self.visible.contains(is_symbol)
            || self.plain.chars().filter(|c| c.is_numeric()).count() > DIGITS_LIMIT
    }

    /// Returns whether the name contains an email address, a URL or a host's name.
    fn has_address(&self) -> bool {
        let plain = &self.plain;
        let words: Vec<&str> = self.words().collect();
        plain.contains('@')
            || ["://", "www.", "xn--", "(at)", "[at]", "{at}"].iter().any(|part| plain.contains(part))
            || (words.contains(&"at") && words.contains(&"dot"))
            || plain.match_indices('.').any(|(i, _)| ends_host_name(&plain[..i], &plain[i + 1..]))
    }

    /// Returns whether the name is that of a service, such as `IT Support` or `no-reply`.
    fn is_role(&self) -> bool {
        // A letter may resemble another one in only one case.
        let resembles = |role: &str, skeleton: &str| {
            to_skeleton(role) == skeleton || to_skeleton(&role.to_uppercase()) == skeleton
        };
        let is_any = |roles: &[&str], word: &str| {
            let skeleton = to_skeleton(word);
            roles.iter().any(|role| resembles(role, &skeleton))
        };
        let may_be_role = |word| is_any(&ROLE_WORDS, word) || is_any(&ROLE_ADDITIONS, word);
        let is_spaced_role = |skeleton: &String| ROLE_WORDS.iter().any(|role| resembles(role, skeleton));
        (self.words().all(may_be_role) && self.words().any(|word| is_any(&ROLE_WORDS, word)))
            || self.skeletons.iter().any(is_spaced_role)
    }

    /// Returns whether a word contains ASCII letters and others that look like them, but belong to another
    /// script. No language mixes them.
    fn has_lookalike_letters(&self) -> bool {
        let is_lookalike = |c: char| !c.is_ascii() && to_ascii_lookalike(c).all(|seen| seen.is_ascii());
        let has_lookalike = |word: &str| {
            let letters: String = word.chars().filter(|c| c.is_alphabetic()).collect();
            letters.contains(|c: char| c.is_ascii())
                && letters.contains(is_lookalike)
                && !letters.as_str().is_single_script()
        };
        self.visible.split_whitespace().any(has_lookalike)
    }

    /// Returns whether another name can be read in this one.
    fn contains(&self, other: &Self) -> bool {
        let may_read = |skeleton: &String, other: &String| {
            let is_distinctive = other.chars().count() >= DISTINCTIVE_LENGTH;
            !other.is_empty() && (skeleton == other || (is_distinctive && skeleton.contains(other)))
        };
        let is_within = |other: &String| self.skeletons.iter().any(|skeleton| may_read(skeleton, other));
        self.visible.to_lowercase().contains(&other.visible.to_lowercase())
            || self.plain.contains(&other.plain)
            || other.skeletons.iter().any(is_within)
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        self.plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
    }
}

/// Returns the ASCII characters that a character looks like, or the character itself.
fn to_ascii_lookalike(c: char) -> impl Iterator<Item = char> {
    let mut buffer = [0; 4];
    let seen: Vec<char> = match c {
        '。' => vec!['.'],
        _ if c.is_ascii() => vec![c],
        _ => skeleton(c.encode_utf8(&mut buffer)).collect(),
    };
    seen.into_iter()
}

fn to_skeleton(text: &str) -> String {
    skeleton(text).filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Returns whether a dot between these texts ends a host's name, as in `bank.com` and `bank.co.uk`, but not
/// in `Dr.Smith` and `J.R. Hartley`.
fn ends_host_name(before: &str, after: &str) -> bool {
    let is_separator = |c: char| !c.is_alphanumeric() && c != '-';
    let label = before.rsplit(is_separator).next().unwrap_or_default();
    let top_level = after.split(is_separator).next().unwrap_or_default();
    let is_country = top_level.len() == 2 && top_level.bytes().all(|b| b.is_ascii_lowercase());
    (!label.is_empty() && TOP_LEVEL_DOMAINS.contains(&top_level)) || (label.chars().count() > 1 && is_country)
}

/// Replaces each run of white space, and of other characters that are as wide as letters but blank, by a space.
fn join_words(text: &str) -> String {
    let is_blank = |c: char| {
        c.is_whitespace() || matches!(c, '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}')
    };
    text.split(is_blank).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The platform's name, as recipients see it in the From header, in emails and on pages: 1 to 40 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformName(String);

impl PlatformName {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the From header's display name for a share's email: `Ann Example via Platform`, or `Platform`
    /// if there is no sharer's name to show.
    ///
    /// Many mail programs show only the display name. The platform's name therefore always ends it, and a
    /// long name is shortened.
    #[must_use]
    pub fn display_name(&self, sharer: Option<&SharerName>) -> String {
        match sharer {
            Some(sharer) => format!("{} via {}", shorten(&sharer.0, FROM_NAME_LIMIT), self.0),
            None => self.0.clone(),
        }
    }
}

impl FromStr for PlatformName {
    type Err = PlatformNameError;

    fn from_str(name: &str) -> Result<Self, PlatformNameError> {
        let name = name.trim();
        if name.chars().all(is_invisible) {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn display_name(sharer: &str) -> String {
        let platform: PlatformName = "Platform".parse().unwrap();
        platform.display_name(SharerName::parse(sharer, Some(&platform)).as_ref())
    }

    #[test]
    fn display_name_names_the_sharer_and_the_platform() {
        assert_eq!(display_name("Ann Example"), "Ann Example via Platform");
        assert_eq!(display_name("Zoë 長"), "Zoë 長 via Platform");
        assert_eq!("Platform".parse::<PlatformName>().unwrap().display_name(None), "Platform");
    }

    #[test]
    fn name_that_looks_like_an_address_is_left_out() {
        for name in [
            "ceo@bank.example",
            "Ann <ann@example.com>",
            "ceo\u{ff20}bank.example",
            "ceo \u{fe6b} bank",
            "Open https://evil.example",
        ] {
            assert_eq!(display_name(name), "Platform", "{name}");
            assert_eq!(SharerName::parse(name, None), None, "{name}");
        }
    }

    #[test]
    fn name_that_contains_the_platform_is_left_out() {
        for name in
            ["Platform", "pLATFORM Security", "Ann via Platform", "Plat\u{200b}form", "Ｐｌａｔｆｏｒｍ IT"]
        {
            assert_eq!(display_name(name), "Platform", "{name}");
        }
        let platform: PlatformName = "My  Platform".parse().unwrap();
        assert_eq!(SharerName::parse("my\u{a0} platform", Some(&platform)), None);
        assert!(SharerName::parse("Platform", None).is_some());
    }

    #[test]
    fn name_that_resembles_the_platform_is_left_out() {
        for name in [
            "P l a t f o r m",
            "Plat-form",
            "Plat form Support",
            "P.l.a.t.f.o.r.m",
            "PIatform",
            "P1atform",
            "P|atform",
            "PLATF0RM",
            "Рlаtfоrm",
            "РLАТFОRМ",
            "Plátform",
            "P\u{336}latform",
            "𝐏𝐥𝐚𝐭𝐟𝐨𝐫𝐦",
            "Ⓟⓛⓐⓣⓕⓞⓡⓜ",
            "Platforrn",
        ] {
            assert_eq!(display_name(name), "Platform", "{name}");
        }
        let short: PlatformName = "Art".parse().unwrap();
        for name in ["Art", "A r t", "A-R-T", "Аrt Team"] {
            assert_eq!(SharerName::parse(name, Some(&short)), None, "{name}");
        }
        assert!(
            SharerName::parse("Omar Tan", Some(&short)).is_some(),
            "a short name is not found across words"
        );
        let symbol: PlatformName = "🎉".parse().unwrap();
        assert!(SharerName::parse("Ann", Some(&symbol)).is_some());
    }

    #[test]
    fn name_that_contains_a_host_is_left_out() {
        for name in [
            "bank.com",
            "Ann from bank.example",
            "BANK.COM Security",
            "bank.co.uk",
            "bank.de/login",
            "www.bank",
            "bank․com",
            "bank。com",
            "bаnk.com",
            "bank.cоm",
            "xn--bnk-5cd.com",
            "x.com",
            "https:∕∕bank",
            "ceo (at) bank",
            "ceo[at]bank",
            "ceo at bank dot test",
            "ceoⓐbank",
        ] {
            assert_eq!(SharerName::parse(name, None), None, "{name}");
        }
    }

    #[test]
    fn name_of_a_service_is_left_out() {
        for name in [
            "Support",
            "IT Support",
            "The Security Team",
            "no-reply",
            "No Reply",
            "noreply",
            "Do not reply",
            "MAILER-DAEMON",
            "Help Desk",
            "Supp0rt",
            "Ѕupport",
            "S u p p o r t",
            "Ａｄｍｉｎ",
            "Ádmin",
            "Kundendienst",
            "Bitte nicht antworten",
            "IT Department",
            "Billing Department",
            "Mail Delivery Subsystem",
            "ADMlN",
            "Assistance clients",
            "Ne pas répondre",
            "Servicio de atención al cliente",
            "No responder",
            "Kundeservice",
            "Klantenservice",
            "Niet beantwoorden",
            "Kundtjänst",
            "Svara inte",
        ] {
            assert_eq!(SharerName::parse(name, None), None, "{name}");
        }
    }

    #[test]
    fn name_that_is_a_statement_is_left_out() {
        for name in [
            "Invoice 4711 is overdue: call +1 555 0100",
            "Call 0800 123456",
            "Your account is locked!",
            "Is this you?",
            "✅ Verified",
            "🔒 Secure",
            "🅿latform",
            "Verified",
        ] {
            assert_eq!(SharerName::parse(name, None), None, "{name}");
        }
    }

    #[test]
    fn blanks_in_a_name_do_not_push_the_rest_out_of_sight() {
        for blank in ['\u{3164}', '\u{2800}', '\u{115f}', '\u{ffa0}', '\u{a0}'] {
            let name = format!("Ann{}x", blank.to_string().repeat(35));
            assert_eq!(SharerName::parse(&name, None).unwrap().as_str(), "Ann x");
        }
    }

    #[test]
    fn name_that_mixes_lookalike_letters_is_left_out() {
        for name in ["Аnn Example", "Ann Ехample", "Jοhn"] {
            assert_eq!(SharerName::parse(name, None), None, "{name}");
        }
    }

    #[test]
    fn ordinary_names_are_shown() {
        for name in [
            "Dr.Smith",
            "J.R. Hartley",
            "J.Li",
            "St.John Smith",
            "John.Doe",
            "Doe, John (IT Security)",
            "Ann Support-Smith",
            "No Do",
            "Zoë O’Neil",
            "Yıldız Şahin",
            "Łukasz Đorđević",
            "Анна Иванова",
            "Νίκος Παπαδόπουλος",
            "Ann 李",
            "李Ann",
            "山田 太郎",
            "राम",
            "محمد",
            "M. de Vries",
            "Mª José",
            "Sean 3rd",
            "Studio 54",
            "Team Blue",
            "De la Cruz",
            "Anne Le Clerc",
        ] {
            let platform: PlatformName = "Platform".parse().unwrap();
            assert!(SharerName::parse(name, Some(&platform)).is_some(), "{name}");
        }
    }

    #[test]
    fn name_without_a_visible_letter_or_digit_is_left_out() {
        for name in ["\u{200b}", "\u{2060}\u{feff}", "\u{3164}", "\u{115f}\u{ffa0}", "\u{2800}", "—", "🎉"]
        {
            assert_eq!(display_name(name), "Platform", "{name:?}");
        }
    }

    #[test]
    fn longer_name_is_shown_outside_the_from_header() {
        let show = |name: &str| SharerName::parse(name, None).unwrap().as_str().to_owned();
        assert_eq!(show(&"n".repeat(80)), "n".repeat(80));
        assert_eq!(show(&"n".repeat(81)), format!("{}…", "n".repeat(80)));
    }

    #[test]
    fn unprintable_characters_are_removed_from_the_display_name() {
        for (name, displayed) in [
            ("Ann\r\nBcc Eve", "Ann Bcc Eve via Platform"),
            ("Ann\r\nBcc: Eve", "Platform"),
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
            ("\u{200b}", PlatformNameError::Empty),
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
