use std::sync::LazyLock;

use chrono::TimeDelta;
use sharelink_aws::mailer::Email;
use sharelink_domain::notices::{Digest, Finding, Line};
use sharelink_domain::sending::{MailKind, SendOutcome};
use sharelink_domain::testing::{NOW, ShareBuilder, file, time};
use sharelink_domain::{Action, Brand, PlatformUrl, Share, Sharer, Title, WriteId};

use super::*;
use crate::{digest, email};

const LINK: &str = "https://x.example/s/abc";

static NO_BRAND: LazyLock<Brand> = LazyLock::new(Brand::default);

fn compose(share: &Share, shows_page: bool) -> Email<'_> {
    compose_kind(share, MailKind::Email, shows_page)
}

fn compose_kind(share: &Share, kind: MailKind, shows_page: bool) -> Email<'_> {
    email::compose(share, kind, LINK, &NO_BRAND, shows_page, time(NOW)).unwrap()
}

/// Returns the text and the visible HTML of a digest with every kind of line, and its subject.
fn digest_texts(language: Language, url: Option<&PlatformUrl>) -> [String; 3] {
    let share = share(language, &["a.pdf", "b.pdf"], Some("Zoë"));
    let reasons = MailReason::ALL.into_iter().map(Finding::EmailFailed);
    let others = [
        Finding::EmailBounced(MailReason::AddressUnknown),
        Finding::ReminderFailed(MailReason::GivenUp),
        Finding::Downloaded,
        Finding::MoreTimeRequested,
    ];
    let lines = reasons.chain(others).map(|finding| Line { share: &share, finding, at: share.created_at });
    let digest = Digest { to: &share.recipient, lines: lines.collect(), more: 7 };
    let claim = WriteId::from_bytes([1; 16]);
    let email = digest::compose(&digest, DigestTexts::of(language), claim, (&NO_BRAND, url)).unwrap();
    let tag = format!("lang=\"{}\" dir=\"ltr\"", language.tag());
    assert_eq!(email.html.matches(&tag).count(), 2, "{}", email.html);
    [email.subject, email.text, visible_text(&email.html)]
}

fn share(language: Language, files: &[&str], sharer: Option<&str>) -> Share {
    ShareBuilder::new()
        .language(language)
        .files(files.iter().map(|name| file(name)).collect())
        .sharer(Sharer {
            sub: "u1".into(),
            name: sharer.map(Into::into),
            email: sharer.map(|_| "zoe@x.example".parse().unwrap()),
        })
        .message("Zzz https://zzz.example")
        .expires_in(TimeDelta::days(1))
        .expiry_offset("+01:00")
        .build()
}

/// Returns the share with an email that was requested again, by a renewal of its link or without one.
fn resent(share: Share, renews: bool) -> Share {
    let at = share.created_at + TimeDelta::minutes(5);
    let sent = share.mail.after_sending(SendOutcome::Sent, at);
    let mail = sent.next_attempt(&Action { by: share.created_by.clone(), at });
    Share { mail, renewed_at: renews.then_some(at), title: Title::parse("Zzz"), ..share }
}

/// Returns the text and the visible HTML of every variant of an email, and its subject.
fn all_texts(language: Language) -> Vec<String> {
    let mut texts = Vec::new();
    for files in [&["a.pdf"][..], &["a.pdf", "b.pdf"], &["a"; 9]] {
        for sharer in [Some("Zoë"), Some("Zoë & Ann"), None] {
            let first = share(language, files, sharer);
            let (again, renewed) = (resent(first.clone(), false), resent(first.clone(), true));
            for share in [&first, &again, &renewed] {
                for shows_page in [false, true] {
                    let email = compose(share, shows_page);
                    let tag = format!("lang=\"{}\" dir=\"ltr\"", language.tag());
                    assert_eq!(email.html.matches(&tag).count(), 2, "{}", email.html);
                    texts.extend([email.subject, email.text, visible_text(&email.html)]);
                    let reminder = compose_kind(share, MailKind::Reminder, shows_page);
                    texts.extend([reminder.subject, reminder.text, visible_text(&reminder.html)]);
                }
            }
        }
    }
    let url: PlatformUrl = "https://x.example/{module}/{item}".parse().unwrap();
    texts.extend([None, Some(&url)].into_iter().flat_map(|url| digest_texts(language, url)));
    texts
}

fn visible_text(html: &str) -> String {
    let (_, body) = html.split_once("<body").unwrap();
    let pieces = body.split('>').skip(1).filter_map(|piece| piece.split('<').next());
    let entities = [("&#847;", ""), ("&#38;", "&"), ("&#60;", "<"), ("&#62;", ">")];
    entities.iter().fold(pieces.collect::<Vec<_>>().join(" "), |text, (from, to)| text.replace(from, to))
}

/// Returns the words of a text without addresses.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_address = |word: &&str| word.contains(".example") || word.contains("https:");
    text.split_whitespace()
        .filter(move |word| !is_address(word))
        .flat_map(|word| word.split(|c: char| !c.is_alphanumeric() && !"’-".contains(c)))
        .filter(|word| word.contains(char::is_alphanumeric))
}

#[test]
fn each_file_has_its_own_language() {
    for language in Language::ALL {
        assert_eq!(Texts::of(language).language, language);
        assert_eq!(DigestTexts::of(language).language, language);
    }
}

#[test]
fn every_email_is_complete_in_every_language() {
    let english = ["the", "you", "your", "with", "this", "file", "files", "until", "again", "from", "shared"];
    for language in Language::ALL {
        for text in all_texts(language) {
            assert!(!text.contains(['{', '}', '\'']) && !text.contains("&#39;"), "{text}");
            let leftover = words(&text).find(|word| english.contains(&&*word.to_lowercase()));
            assert!(language == Language::English || leftover.is_none(), "{leftover:?} in {text}");
        }
    }
}

#[test]
fn no_word_is_too_long_for_a_phone() {
    for language in Language::ALL {
        for text in all_texts(language) {
            let long = words(&text).find(|word| word.chars().count() > 20);
            assert_eq!(long, None, "{language:?}");
        }
    }
}

#[test]
fn lines_of_the_text_body_are_short() {
    for language in Language::ALL {
        let email = compose(&resent(share(language, &["a"], Some("Zoë")), true), false).text;
        let [_, digest, _] = digest_texts(language, None);
        for text in [email, digest] {
            let long = text.lines().find(|line| line.chars().count() > 120);
            assert_eq!(long, None, "{language:?}");
        }
    }
}

/// `:` within a time or an address has no space.
#[test]
fn french_punctuation_follows_a_narrow_space() {
    for text in all_texts(Language::French) {
        let text = text.replace("Zzz https:", "");
        for (i, c) in text.char_indices() {
            let is_mark = ";!?".contains(c) || (c == ':' && text[i + 1..].starts_with(char::is_whitespace));
            assert!(!is_mark || text[..i].ends_with('\u{202f}'), "{} in {text}", &text[i..]);
        }
    }
}

#[test]
fn subject_is_in_the_share_s_language() {
    for (language, named, anonymous, several) in [
        (
            Language::English,
            "Zoë shared a.pdf with you: Zzz – sent again on 10 March 2026 at 13:05 (UTC+01:00)",
            "a.pdf is shared with you",
            "2 files are shared with you",
        ),
        (
            Language::German,
            "Zoë hat a.pdf mit Ihnen geteilt: Zzz – erneut gesendet am 10. März 2026 um 13:05 Uhr (UTC+01:00)",
            "a.pdf wurde mit Ihnen geteilt",
            "2 Dateien wurden mit Ihnen geteilt",
        ),
        (
            Language::French,
            "Zoë a partagé a.pdf avec vous\u{202f}: Zzz – envoyé de nouveau le 10 mars 2026 à 13:05 (UTC+01:00)",
            "a.pdf est partagé avec vous",
            "2 fichiers sont partagés avec vous",
        ),
        (
            Language::Spanish,
            "Zoë ha compartido a.pdf con usted: Zzz – enviado de nuevo el 10 de marzo de 2026 a las 13:05 (UTC+01:00)",
            "Se ha compartido a.pdf con usted",
            "Se han compartido 2 archivos con usted",
        ),
        (
            Language::Danish,
            "Zoë har delt a.pdf med dig: Zzz – sendt igen den 10. marts 2026 kl. 13.05 (UTC+01:00)",
            "a.pdf er delt med dig",
            "2 filer er delt med dig",
        ),
        (
            Language::Dutch,
            "Zoë heeft a.pdf met u gedeeld: Zzz – opnieuw verstuurd op 10 maart 2026 om 13:05 uur (UTC+01:00)",
            "a.pdf is met u gedeeld",
            "2 bestanden zijn met u gedeeld",
        ),
        (
            Language::Swedish,
            "Zoë har delat a.pdf med dig: Zzz – skickat igen den 10 mars 2026 kl. 13:05 (UTC+01:00)",
            "a.pdf har delats med dig",
            "2 filer har delats med dig",
        ),
    ] {
        let subject = |share: &Share| compose(share, false).subject;
        assert_eq!(subject(&resent(share(language, &["a.pdf"], Some("Zoë")), false)), named);
        assert_eq!(subject(&share(language, &["a.pdf"], None)), anonymous);
        assert_eq!(subject(&share(language, &["a.pdf", "b.pdf"], None)), several);
    }
}

#[test]
fn both_bodies_state_the_end_in_the_share_s_language() {
    for (language, html, text) in [
        (
            Language::English,
            ["The link works for 24 hours, until ", "11 March 2026 at 13:00 (UTC+01:00)", "."],
            "It works for 24 hours, until 11 March 2026 at 13:00 (UTC+01:00).",
        ),
        (
            Language::German,
            [
                "Der Link funktioniert 24 Stunden lang, bis zum ",
                "11. März 2026 um 13:00 Uhr (UTC+01:00)",
                ".",
            ],
            "Er funktioniert 24 Stunden lang, bis zum 11. März 2026 um 13:00 Uhr (UTC+01:00).",
        ),
        (
            Language::French,
            ["Le lien fonctionne pendant 24 heures, jusqu’au ", "11 mars 2026 à 13:00 (UTC+01:00)", "."],
            "Il fonctionne pendant 24 heures, jusqu’au 11 mars 2026 à 13:00 (UTC+01:00).",
        ),
        (
            Language::Spanish,
            [
                "El enlace funciona durante 24 horas, hasta el ",
                "11 de marzo de 2026 a las 13:00 (UTC+01:00)",
                ".",
            ],
            "Funciona durante 24 horas, hasta el 11 de marzo de 2026 a las 13:00 (UTC+01:00).",
        ),
        (
            Language::Danish,
            ["Linket virker i 24 timer, indtil den ", "11. marts 2026 kl. 13.00 (UTC+01:00)", "."],
            "Det virker i 24 timer, indtil den 11. marts 2026 kl. 13.00 (UTC+01:00).",
        ),
        (
            Language::Dutch,
            ["De link werkt 24 uur, tot ", "11 maart 2026 om 13:00 uur (UTC+01:00)", "."],
            "De link werkt 24 uur, tot 11 maart 2026 om 13:00 uur (UTC+01:00).",
        ),
        (
            Language::Swedish,
            ["Länken fungerar i 24 timmar, till den ", "11 mars 2026 kl. 13:00 (UTC+01:00)", "."],
            "Den fungerar i 24 timmar, till den 11 mars 2026 kl. 13:00 (UTC+01:00).",
        ),
    ] {
        let share = share(language, &["a"], Some("Zoë"));
        let email = compose(&share, false);
        let [before, date, after] = html;
        assert!(email.html.contains(&format!("{before}<strong")), "{}", email.html);
        assert!(email.html.contains(&format!(">{date}</strong>{after}")), "{}", email.html);
        assert!(email.text.contains(text), "{}", email.text);
    }
}

/// A name that is written from right to left does not turn the rest of a line around.
#[test]
fn names_are_isolated_in_every_language() {
    for language in Language::ALL {
        let html = compose(&share(language, &["a", "b"], Some("שלום")), false).html;
        let texts = Texts::of(language);
        let isolated = |before: &str, after: &str| {
            let name = format!("{before}<bdi class=\"notranslate\" translate=\"no\">שלום</bdi>{after}");
            assert!(html.contains(&name), "{name}: {html}");
        };
        isolated("", &format!(" {}</h1>", (texts.heading_after_sharer)(2)));
        isolated(texts.reply_to.0, texts.reply_to.1);
    }
}

#[test]
fn paragraphs_are_broken_at_spaces() {
    assert_eq!(wrap(""), "");
    assert_eq!(wrap("a b"), "a b");
    let (short, long) = ("x".repeat(34), "x".repeat(80));
    assert_eq!(wrap(&format!("{short} {short} a b")), format!("{short} {short}\na b"));
    assert_eq!(wrap(&format!("a {long} b")), format!("a\n{long}\nb"));
    assert_eq!(wrap(&format!("{long}\u{a0}: b")), format!("{long}\u{a0}:\nb"));
}
