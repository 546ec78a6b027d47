//! Writes every kind of email in every language into files, to look at them in a browser.

use std::fs;
use std::path::Path;

use chrono::TimeDelta;
use sharelink_aws::mailer::Email;
use sharelink_domain::brand::{Brand, Imprint};
use sharelink_domain::notices::{Digest, Finding, Line};
use sharelink_domain::sending::{MailKind, SendOutcome};
use sharelink_domain::testing::{NOW, ShareBuilder, file, time};
use sharelink_domain::{Action, Language, MailReason, Message, Share, SharedFile, Sharer, Title, WriteId};

use crate::texts::DigestTexts;
use crate::{digest, email};

const LINK: &str = "https://files.studio.example/s/AbCdEfGhIjKlMnOpQrStUvWxYz-_0123456789AbCdEfGhIjKlMnOpQr";

fn files(names: &[&str]) -> Vec<SharedFile> {
    let sizes = [2_417_000, 348_200, 41_900, 18_000_000_000];
    names
        .iter()
        .zip(sizes.into_iter().cycle())
        .map(|(name, size)| SharedFile { size, ..file(name) })
        .collect()
}

fn share(language: Language, sharer: Option<&str>, names: &[&str]) -> Share {
    let sharer = Sharer {
        sub: "u1".into(),
        name: sharer.map(Into::into),
        email: sharer.map(|_| "ann@studio.example".parse().unwrap()),
    };
    let share = ShareBuilder::new()
        .files(files(names))
        .sharer(sharer)
        .expires_in(TimeDelta::days(7))
        .expiry_offset("+01:00")
        .recipient("erin@example.com")
        .build();
    Share { language, ..share }
}

/// Returns a share whose email is sent a second time, with a new link if it `is_renewed`.
fn resent(share: &Share, is_renewed: bool) -> Share {
    let at = share.created_at + TimeDelta::hours(5);
    let action = Action { by: share.created_by.clone(), at };
    let mail = share.mail.after_sending(SendOutcome::Sent, at).next_attempt(&action);
    Share { mail, renewed_at: is_renewed.then_some(at), ..share.clone() }
}

/// Returns each kind of share's name, the share, and whether its link shows a page.
fn shares(language: Language) -> Vec<(&'static str, Share, bool)> {
    let longest = format!("{}.pdf", "w".repeat(251));
    let many: Vec<String> = (1..=30).map(|n| format!("{n:02} photo of the harbor.jpg")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let message =
        "Second round of the packaging.\n\nComments by Friday, please: https://studio.example/notes";
    let with_message = |share: Share| Share { message: Message::parse(message).unwrap(), ..share };
    let one = share(language, Some("Ann Example"), &["brief.pdf"]);
    let hebrew = ["\u{5d7}\u{5e9}\u{5d1}\u{5d5}\u{5df} 2026.pdf", "\u{627}\u{644}\u{639}\u{642}\u{62f}.docx"];
    vec![
        ("one-file", with_message(one.clone()), false),
        ("one-file-page", one.clone(), true),
        ("unknown-sharer", share(language, None, &["budget.zip", "notes.md"]), true),
        (
            "several-files",
            with_message(Share {
                title: Title::parse("Spring packaging 2026"),
                ..share(language, Some("Ann Example"), &["artwork.pdf", "dieline.dwg", "notes.txt"])
            }),
            true,
        ),
        ("many-files", with_message(share(language, Some("Ann Example"), &many)), true),
        (
            "right-to-left",
            share(language, Some("\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{5db}\u{5d4}\u{5df}"), &hebrew),
            true,
        ),
        (
            "right-to-left-file",
            share(language, Some("\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{5db}\u{5d4}\u{5df}"), &hebrew[..1]),
            false,
        ),
        ("longest-names", share(language, Some(&"Wilhelmina ".repeat(8)), &[&longest]), false),
        ("sent-again", resent(&one, false), false),
        ("renewed", resent(&one, true), false),
    ]
}

/// Returns a brand. To see its logo, serve one at this address; without one, the emails show its name.
fn brand() -> Brand {
    let imprint = "Studio North Ltd, 1 Pier Road, Cork\nRegistered in Ireland, no. 123456";
    let url = "https://studio.example/imprint".parse().ok();
    let logo = "http://localhost:5173/logo.png".parse().ok();
    let imprint = Imprint::new(imprint, url).unwrap();
    Brand::new("Studio North".parse().ok(), "#00695c".parse().unwrap(), logo, imprint).unwrap()
}

/// Returns every finding that a digest may contain, about one share.
fn findings(share: &Share) -> Vec<Line<'_>> {
    let findings = [
        Finding::EmailBounced(MailReason::AddressUnknown),
        Finding::EmailFailed(MailReason::GivenUp),
        Finding::ReminderFailed(MailReason::Rejected),
        Finding::Downloaded,
        Finding::MoreTimeRequested,
    ];
    findings.map(|finding| Line { share, finding, at: time(NOW) }).into()
}

#[test]
#[ignore = "writes files into target/mail-previews"]
fn write_previews() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/mail-previews");
    fs::create_dir_all(&directory).unwrap();
    let write = |name: &str, email: &Email<'_>| {
        fs::write(directory.join(format!("{name}.html")), &email.html).unwrap();
        fs::write(directory.join(format!("{name}.txt")), &email.text).unwrap();
    };
    let now = time(NOW);
    let to = "ann@studio.example".parse().unwrap();
    let url = "https://app.studio.example/{module}/{item}?share={share}".parse().unwrap();
    for language in Language::ALL {
        for (look, brand) in [("plain", Brand::default()), ("branded", brand())] {
            let suffix = format!("{}-{look}", language.tag());
            for (kind, share, shows_page) in shares(language) {
                let email = email::compose(&share, MailKind::Email, LINK, &brand, shows_page, now).unwrap();
                write(&format!("{kind}-{suffix}"), &email);
            }
            let share = share(language, Some("Ann Example"), &["artwork.pdf", "dieline.dwg"]);
            let email = email::compose(&share, MailKind::Reminder, LINK, &brand, true, now).unwrap();
            write(&format!("reminder-{suffix}"), &email);
            let digest = Digest { to: &to, lines: findings(&share), more: 2 };
            let (claim, texts) = (WriteId::from_bytes([1; 16]), DigestTexts::of(language));
            let email = digest::compose(&digest, texts, claim, (&brand, Some(&url))).unwrap();
            write(&format!("digest-{suffix}"), &email);
        }
    }
}
