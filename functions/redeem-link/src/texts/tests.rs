use std::collections::HashSet;

use chrono::TimeDelta;
use sharelink_domain::archive::LeftOut;
use sharelink_domain::testing::{NOW, ShareBuilder, file, time};
use sharelink_domain::{Share, SharerName};
use sharelink_http::Response;

use super::*;
use crate::look::tests::plain;
use crate::pages::{self, ResponseFormat, Waiting};

const PROBLEMS: [ProblemType; 9] = [
    ProblemType::AccessEnded,
    ProblemType::FileMissing,
    ProblemType::FileArchived,
    ProblemType::FileForbidden,
    ProblemType::ArchiveTooLarge,
    ProblemType::UnknownLink,
    ProblemType::LinkPaused,
    ProblemType::PrefetchRefused,
    ProblemType::Internal,
];

/// One file of each kind.
const FILES: [&str; 14] = [
    "a.zip", "a.mp3", "a.doc", "a.eml", "a.png", "a.pdf", "a.ppt", "a.exe", "a.xlsx", "a.txt", "a.mp4",
    "a.htm", "a.dwg", "a",
];

fn share(files: &[&str]) -> Share {
    let files = files.iter().map(|name| file(name)).collect();
    ShareBuilder::new()
        .files(files)
        .message("Zzz ".repeat(300).as_str())
        .expires_in(TimeDelta::days(7))
        .build()
}

fn page(response: &Response) -> String {
    String::from_utf8_lossy(response.body()).into_owned()
}

fn format(language: Language) -> ResponseFormat {
    ResponseFormat::Page { language, is_requested: true }
}

fn list(share: &Share, sharer: Option<&str>, has_archive: bool, language: Language) -> String {
    let sharer = sharer.and_then(|name| SharerName::parse(name, None));
    page(&pages::files(&plain(), share, sharer.as_ref(), has_archive, "token", time(NOW), format(language)))
}

fn with_email_choice(share: &Share, wants_emails: bool) -> Share {
    share.with_email_choice(share.generation, wants_emails, time(NOW)).unwrap().unwrap()
}

fn emails_page(share: &Share, has_chosen: bool, format: ResponseFormat) -> String {
    page(&pages::emails(&plain(), share, has_chosen, "../token", time(NOW), format))
}

/// Returns every page in a language, with and without each part that depends on the share.
fn all_pages(language: Language) -> Vec<String> {
    let format = format(language);
    let zoe = SharerName::parse("Zoë", None);
    let reasons = [LeftOutReason::Missing, LeftOutReason::Archived, LeftOutReason::Unreadable];
    let left_out = reasons.map(|reason| LeftOut { name: "a".parse().unwrap(), reason });
    let waiting =
        Waiting { bytes_done: 1_234_567, bytes: 4_800_000_000, left_out: &left_out, token: "token" };
    let mut all = vec![
        list(&share(&["a"]), Some("Zoë"), false, language),
        list(&share(&["a"]), None, false, language),
        list(&share(&FILES), Some("Zoë"), true, language),
        list(&share(&FILES), None, true, language),
        page(&pages::waiting(&plain(), &waiting, format)),
        page(&pages::preview(&plain(), None, format)),
        page(&pages::access_ended(&plain(), zoe.as_ref(), Some("token"), format)),
        page(&pages::access_ended(&plain(), None, Some("token"), format)),
        page(&pages::more_time_requested(&plain(), None, format)),
        page(&pages::more_time_requested(&plain(), Some("abc"), format)),
        list(&with_email_choice(&share(&FILES), false), None, true, language),
        emails_page(&share(&["a"]), false, format),
        emails_page(&with_email_choice(&share(&["a"]), false), true, format),
        emails_page(&with_email_choice(&with_email_choice(&share(&["a"]), false), true), true, format),
    ];
    all.extend(
        PROBLEMS.map(|problem| page(&pages::problem(&plain(), problem, Some("../token".to_owned()), format))),
    );
    all
}

/// Returns the words that people see on a page.
fn words(page: &str) -> Vec<String> {
    let (before, rest) = page.split_once("<style>").unwrap();
    let (_, after) = rest.split_once("</style>").unwrap();
    let html = format!("{before}{after}");
    let text: String = html
        .split('<')
        .filter_map(|piece| piece.split_once('>'))
        .map(|(_, text)| text.to_owned() + " ")
        .collect();
    text.split(|c: char| !c.is_alphanumeric() && !"’-".contains(c)).map(str::to_owned).collect()
}

#[test]
fn each_file_has_its_own_language() {
    for language in Language::ALL {
        assert_eq!(Texts::of(language).language, language);
    }
}

#[test]
fn every_page_is_complete_in_every_language() {
    let english = ["the", "you", "your", "with", "this", "file", "files", "until", "again", "from", "shared"];
    for language in Language::ALL {
        for page in all_pages(language) {
            assert!(page.contains(&format!("<html lang=\"{}\">", language.tag())), "{page}");
            let (_, shown) = page.split_once("</style>").unwrap();
            assert!(!shown.contains(['{', '}']), "{page}");
            assert!(!shown.contains("&#39;") && !shown.contains("  "), "{page}");
            let leftover = words(&page).into_iter().find(|word| english.contains(&&*word.to_lowercase()));
            assert!(language == Language::English || leftover.is_none(), "{leftover:?} in {page}");
        }
    }
}

/// A word that is too long for a phone breaks anywhere.
#[test]
fn no_word_is_too_long_for_a_phone() {
    for language in Language::ALL {
        for page in all_pages(language) {
            let long = words(&page).into_iter().find(|word| word.chars().count() > 20);
            assert_eq!(long, None, "{language:?}");
        }
    }
}

#[test]
fn texts_of_different_pages_differ() {
    for language in Language::ALL {
        let titles: HashSet<_> = PROBLEMS.map(|problem| Texts::of(language).problem(problem).1).into();
        assert_eq!(titles.len(), PROBLEMS.len(), "{language:?}");
        let kinds: HashSet<_> = FILES.map(|name| Texts::of(language).kind(FileKind::of(name))).into();
        assert_eq!(kinds.len(), FILES.len(), "{language:?}");
    }
}

/// `:` within a number or an attribute has no space.
#[test]
fn french_punctuation_follows_a_narrow_space() {
    for page in all_pages(Language::French) {
        let (_, shown) = page.split_once("</style>").unwrap();
        for (i, c) in shown.char_indices() {
            let is_mark = "!?".contains(c) || (c == ':' && shown[i + 1..].starts_with(['<', ' ']));
            assert!(!is_mark || shown[..i].ends_with('\u{202f}'), "{}", &shown[i.saturating_sub(40)..]);
        }
    }
}

#[test]
fn heading_counts_files_after_the_sharer_s_name() {
    let (one, two) = (share(&["a"]), share(&["a", "b"]));
    for (language, with_one, with_two) in [
        (Language::English, "shared a file with you", "shared 2 files with you"),
        (Language::German, "hat eine Datei mit Ihnen geteilt", "hat 2 Dateien mit Ihnen geteilt"),
        (Language::French, "a partagé un fichier avec vous", "a partagé 2 fichiers avec vous"),
        (Language::Spanish, "ha compartido un archivo con usted", "ha compartido 2 archivos con usted"),
        (Language::Danish, "har delt en fil med dig", "har delt 2 filer med dig"),
        (Language::Dutch, "heeft een bestand met u gedeeld", "heeft 2 bestanden met u gedeeld"),
        (Language::Swedish, "har delat en fil med dig", "har delat 2 filer med dig"),
    ] {
        // A name that is written from right to left does not turn the rest around.
        for (share, rest) in [(&one, with_one), (&two, with_two)] {
            let page = list(share, Some("שלום"), false, language);
            assert!(page.contains(&format!("<h1><bdi translate=\"no\">שלום</bdi> {rest}</h1>")), "{page}");
        }
    }
}

#[test]
fn list_states_when_access_ends() {
    let two = share(&["a", "b"]);
    for (language, left, on, date) in [
        (Language::English, "Access ends <strong>in 7 days", "on ", "Tuesday, 17 March 2026 at 12:00 (UTC)"),
        (
            Language::German,
            "Der Zugriff endet <strong>in 7 Tagen",
            "am ",
            "Dienstag, dem 17. März 2026, um 12:00 Uhr (UTC)",
        ),
        (
            Language::French,
            "L’accès prend fin <strong>dans 7 jours",
            "le ",
            "mardi 17 mars 2026 à 12:00 (UTC)",
        ),
        (
            Language::Spanish,
            "El acceso termina <strong>dentro de 7 días",
            "el ",
            "martes 17 de marzo de 2026 a las 12:00 (UTC)",
        ),
        (
            Language::Danish,
            "Adgangen udløber <strong>om 7 dage",
            "",
            "tirsdag den 17. marts 2026 kl. 12.00 (UTC)",
        ),
        (
            Language::Dutch,
            "De toegang eindigt <strong>over 7 dagen",
            "op ",
            "dinsdag 17 maart 2026 om 12:00 uur (UTC)",
        ),
        (
            Language::Swedish,
            "Åtkomsten upphör <strong>om 7 dagar",
            "",
            "tisdagen den 17 mars 2026 kl. 12:00 (UTC)",
        ),
    ] {
        let page = list(&two, None, false, language);
        let text =
            format!("<p>{left}</strong>, {on}<time datetime=\"2026-03-17T12:00:00Z\">{date}</time>.</p>");
        assert!(page.contains(&text), "{text}: {page}");
    }
}

#[test]
fn unknown_kind_shows_the_extension() {
    let kind = |language, name| Texts::of(language).kind(FileKind::of(name));
    assert_eq!(kind(Language::English, "a.dwg"), "DWG file");
    assert_eq!(kind(Language::German, "a.dwg"), "DWG-Datei");
    assert_eq!(kind(Language::French, "a.dwg"), "Fichier DWG");
    assert_eq!(kind(Language::German, "LIESMICH"), "Datei");
    assert_eq!(kind(Language::German, "a.pdf"), "PDF-Dokument");
}

#[test]
fn page_uses_the_share_s_language_if_the_browser_asks_for_none() {
    let share = ShareBuilder::new().language(Language::Danish).build();
    let other = sharelink_domain::Generation::from_bytes([9; 16]);
    for (is_requested, generation, language) in [
        (false, share.generation, Language::Danish),
        (true, share.generation, Language::Dutch),
        (false, other, Language::Dutch),
    ] {
        let mut format = ResponseFormat::Page { language: Language::Dutch, is_requested };
        format.use_language_of(&share, generation);
        assert_eq!(format, ResponseFormat::Page { language, is_requested });
    }
}
