//! Composes a share's email.

use askama::Template;
use sharelink_aws::mailer::Email;
use sharelink_domain::delivery::EmailId;
use sharelink_domain::names::{shorten, shorten_file_name};
use sharelink_domain::sending::MailKind;
use sharelink_domain::{
    Brand, EmailAddress, Language, Share, SharedFile, SharerName, TimeLeft, Timestamp, Title,
};

use crate::frame::Frame;
use crate::quote::Quote;
use crate::texts::{Texts, wrap};
use crate::unlink::{link_text, unlink};

/// The contents of an email's HTML and text bodies.
struct Contents<'a> {
    frame: Frame<'a>,
    texts: &'static Texts,
    subject: String,
    /// The heading, after the sharer's name if it is known.
    heading: String,
    /// The sharer's name, if it is known and safe to show.
    sharer: Option<&'a str>,
    /// The sharer's address, if known. It receives the replies.
    reply_to: Option<&'a str>,
    message: Option<Quote>,
    /// The item's title, if known.
    title: Option<&'a str>,
    files: Vec<DisplayFile>,
    /// The size of all files, if there are several.
    total_size: Option<String>,
    /// The name of the only file, shortened for the button.
    button_file: Option<String>,
    link: &'a str,
    /// Whether the link downloads its only file at once, instead of showing a page.
    downloads_at_once: bool,
    /// For how long the link works, unless it has ended.
    duration: Option<String>,
    until: String,
    /// When the email was requested, if an earlier one was sent.
    sent_again_on: Option<String>,
    /// Whether earlier emails contain another link, which no longer works.
    replaces_link: bool,
    /// Whether this is the reminder to a recipient who has downloaded nothing.
    is_reminder: bool,
}

impl Contents<'_> {
    /// Returns the button's text around the name of the only file.
    fn button_text(&self) -> (&'static str, &'static str) {
        if self.downloads_at_once { self.texts.download_file } else { self.texts.view_file }
    }

    /// Returns the sharer's name and address, as far as they are known. Sharers may choose their names, but
    /// not their addresses.
    fn author(&self) -> Option<String> {
        match (self.sharer, self.reply_to) {
            (Some(name), Some(address)) => Some(format!("{} <{address}>", unlink(name))),
            (Some(name), None) => Some(unlink(name)),
            (None, address) => address.map(ToOwned::to_owned),
        }
    }
}

/// A file with a name that is safe to display.
struct DisplayFile {
    name: String,
    size: String,
}

impl DisplayFile {
    fn new(file: &SharedFile, language: Language) -> Self {
        Self { name: file.name.to_display_text(), size: language.size(file.size) }
    }
}

#[derive(Template)]
#[template(path = "email.html")]
struct HtmlBody<'a>(&'a Contents<'a>);

#[derive(Template)]
#[template(path = "email.txt", escape = "none")]
struct TextBody<'a>(&'a Contents<'a>);

/// Composes the email that gives a recipient the link to a share, or the reminder of it, as of `now`.
/// `shows_page` is whether the link to a single file shows a page.
pub(crate) fn compose<'a>(
    share: &'a Share,
    kind: MailKind,
    link: &str,
    brand: &Brand,
    shows_page: bool,
    now: Timestamp,
) -> Result<Email<'a>, askama::Error> {
    let name = share.created_by.name.as_deref();
    let sharer_name = name.and_then(|name| SharerName::parse(name, brand.name()));
    let sharer = sharer_name.as_ref().map(SharerName::as_str);
    let reply_to = share.created_by.email.as_ref();
    let title = share.title.as_ref().map(Title::as_str);
    let is_reminder = kind == MailKind::Reminder;
    let sent_again_on = share.resend_text().filter(|_| !is_reminder);
    let texts = Texts::of(share.language);
    let subject = subject(texts, sharer, &share.files, title);
    let heading = if sharer.is_some() { texts.heading_after_sharer } else { texts.heading_without_sharer };
    let expiry = share.local_expiry();
    let id = if is_reminder { EmailId::of_reminder(share) } else { EmailId::of(share) };
    let contents = Contents {
        frame: Frame { brand, language: texts.language },
        texts,
        subject: match &sent_again_on {
            _ if is_reminder => format!("{}{}{subject}", texts.reminder, texts.colon),
            Some(on) => format!("{subject}{}{on}", texts.subject_sent_again_on),
            None => subject,
        },
        heading: heading(share.files.len()),
        sharer,
        reply_to: reply_to.map(EmailAddress::as_str),
        message: share.message.as_ref().map(Quote::of),
        title,
        files: share.files.iter().map(|file| DisplayFile::new(file, share.language)).collect(),
        total_size: (share.files.len() > 1).then(|| {
            let total = share.files.iter().fold(0, |sum: u64, file| sum.saturating_add(file.size));
            share.language.size(total)
        }),
        button_file: match share.files.as_slice() {
            [file] => Some(shorten_file_name(&file.name.to_display_text(), BUTTON_FILE_LIMIT).into_owned()),
            _ => None,
        },
        link,
        downloads_at_once: share.files.len() == 1 && !shows_page,
        duration: (share.expires_at > now).then(|| share.language.duration(TimeLeft::until(expiry, now))),
        until: share.expiry_text(),
        sent_again_on,
        replaces_link: share.email_replaces_link(),
        is_reminder,
    };
    Ok(Email {
        to: &share.recipient,
        from_name: brand.name().map(|name| name.display_name(sharer_name.as_ref())),
        reply_to: reply_to.map(|email| (email, sharer.unwrap_or(email.as_str()).to_owned())),
        text: TextBody(&contents).render()?,
        html: HtmlBody(&contents).render()?,
        subject: contents.subject,
        tags: id.to_tags().into(),
        reference: id.to_reference(),
    })
}

fn subject(texts: &Texts, sharer: Option<&str>, files: &[SharedFile], title: Option<&str>) -> String {
    let subject = match (sharer, files) {
        (Some(sharer), [file]) => (texts.subject)(sharer, &file.name.to_display_text()),
        (Some(sharer), files) => (texts.subject)(sharer, &(texts.files)(files.len())),
        (None, [file]) => (texts.subject_of_file)(&file.name.to_display_text()),
        (None, files) => (texts.subject_of_files)(files.len()),
    };
    match title {
        Some(title) => format!("{subject}{}{}", texts.colon, shorten(title, SUBJECT_TITLE_LIMIT)),
        None => subject,
    }
}

/// The maximum length of a file's name in the button, in bytes: two lines on a phone, with the verb.
const BUTTON_FILE_LIMIT: usize = 40;

/// The maximum length of the title in the subject, in characters.
const SUBJECT_TITLE_LIMIT: usize = 80;

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::HashSet;

    use chrono::TimeDelta;
    use sharelink_domain::brand::{Accent, Imprint};
    use sharelink_domain::sending::SendOutcome;
    use sharelink_domain::testing::{NOW, ShareBuilder, file, time};
    use sharelink_domain::{Action, Sharer};

    use super::*;

    fn share(message: &str, sharer: Option<&str>) -> Share {
        ShareBuilder::new()
            .files(vec![SharedFile { size: 2048, ..file("<b>.pdf") }])
            .sharer(Sharer {
                sub: "u1".into(),
                name: sharer.map(Into::into),
                email: Some("ann@example.com".parse().unwrap()),
            })
            .message(message)
            .expires_in(TimeDelta::days(1))
            .expiry_offset("+01:00")
            .recipient("bob@example.com")
            .build()
    }

    /// Returns a brand with every part.
    pub(crate) fn branded() -> Brand {
        let logo = "https://cdn.studio.example/logo.png".parse().ok();
        let url = "https://studio.example/imprint".parse().ok();
        let imprint = Imprint::new("Studio North Ltd\n1 Pier & Sons", url).unwrap();
        Brand::new("Studio <North>".parse().ok(), "#00695c".parse().unwrap(), logo, imprint).unwrap()
    }

    /// Returns a brand that is only a name.
    fn platform() -> Brand {
        Brand::new("Platform".parse().ok(), Accent::default(), None, None).unwrap()
    }

    fn compose<'a>(share: &'a Share, link: &str) -> Result<Email<'a>, askama::Error> {
        super::compose(share, MailKind::Email, link, &platform(), false, time(NOW))
    }

    const LINK: &str = "https://files.example.com/s/abc";

    #[test]
    fn user_text_is_escaped_in_html() {
        let message = "<script>alert(1)</script> & \"é\" שלום 🎉\r\nsecond line";
        let share = share(message, Some("Ann <i>"));
        let email = compose(&share, LINK).unwrap();
        let quoted = message.replace("\r\n", "\n> ");
        assert!(email.text.ends_with(&format!("\n> {quoted}")), "{}", email.text);
        assert!(email.html.contains("&#60;script&#62;alert(1)&#60;/script&#62;"));
        for tag in ["<script>", "<i>", "<b>"] {
            assert!(!email.html.contains(tag), "{tag}");
        }
    }

    #[test]
    fn subject_names_sharer_and_file() {
        let share = share("", Some("Ann"));
        assert_eq!(compose(&share, LINK).unwrap().subject, "Ann shared <b>.pdf with you");
    }

    #[test]
    fn subject_and_both_bodies_contain_the_title() {
        let share = Share { title: Title::parse("Spring <i> campaign"), ..share("", Some("Ann")) };
        let email = compose(&share, LINK).unwrap();
        assert_eq!(email.subject, "Ann shared <b>.pdf with you: Spring <i> campaign");
        assert!(
            email.text.contains(
                "\n\nShared by: Ann <ann@example.com>\n\nAbout: Spring <i> campaign\n\nThe file:\n"
            ),
            "{}",
            email.text
        );
        assert!(email.html.contains("<bdi>Spring &#60;i&#62; campaign</bdi>"), "{}", email.html);
    }

    #[test]
    fn both_bodies_contain_expiry_and_link() {
        let share = share("", Some("Ann"));
        let email = compose(&share, LINK).unwrap();
        for body in [&email.text, &email.html] {
            assert!(body.contains("11 March 2026 at 13:00 (UTC+01:00)"), "{body}");
            assert!(body.contains(LINK), "{body}");
        }
    }

    #[test]
    fn reminder_says_so_and_has_the_same_link() {
        let share = share("", Some("Ann"));
        let email =
            super::compose(&share, MailKind::Reminder, LINK, &Brand::default(), false, time(NOW)).unwrap();
        assert_eq!(email.subject, "Reminder: Ann shared <b>.pdf with you");
        assert!(email.text.contains(LINK) && email.html.contains(LINK));
        assert!(email.tags.contains(&("kind", "reminder".to_owned())));
        assert_ne!(email.reference, compose(&share, LINK).unwrap().reference);
    }

    #[test]
    fn sender_is_named_only_if_the_platform_is() {
        let share = share("", Some("Ann"));
        assert_eq!(compose(&share, LINK).unwrap().from_name.as_deref(), Some("Ann via Platform"));
        assert_eq!(
            super::compose(&share, MailKind::Email, LINK, &Brand::default(), false, time(NOW))
                .unwrap()
                .from_name,
            None
        );
    }

    #[test]
    fn replies_go_to_the_sharer() {
        let share = share("", Some("Ann"));
        let email = compose(&share, LINK).unwrap();
        let (reply_to, _) = email.reply_to.unwrap();
        assert_eq!(reply_to.as_str(), "ann@example.com");
        assert!(email.text.contains("Reply to this email to write to Ann."));
    }

    #[test]
    fn url_in_message_does_not_become_a_link() {
        let share = share("https://evil.example/\nOpen this instead.", Some("Ann"));
        let email = compose(&share, LINK).unwrap();
        assert!(!email.html.contains("href=\"https://evil"));
    }

    #[test]
    fn link_precedes_all_text_of_the_sharer() {
        let share = share("https://evil.example/\nOpen this instead.", Some("evil.museum"));
        let title = Title::parse("Open https://evil.example/login");
        let email = compose(&Share { title, ..share }, LINK).unwrap().text;
        let (before, after) = email.split_once(LINK).unwrap();
        for text in ["evil", "http", "Open https"] {
            assert!(!before.contains(text), "{before}");
        }
        let after = after.replace('\u{2060}', "");
        for text in [
            "Shared by: evil.museum <ann@example.com>",
            "About: Open https://evil.example/login",
            "\n> https:// evil.example/\n> Open this instead.",
        ] {
            assert!(after.contains(text), "{after}");
        }
    }

    #[test]
    fn message_is_quoted_below_the_button() {
        let message = "Click here\r\n\r\nReply to this email to write to Bank.\n\
                       Everything below was written by Platform.\n-----\n> Download";
        for files in [1, 2, 6] {
            let files = (0..files).map(|n| file(&format!("{n}.pdf"))).collect();
            let share = Share { files, ..share(message, Some("Ann")) };
            let email = compose(&share, LINK).unwrap();

            let (ours, quote) = email
                .text
                .split_once("\n\nEverything below was written by Ann <ann@example.com>.\n")
                .unwrap();
            assert!(ours.contains(LINK) && !ours.contains("Click here"), "{ours}");
            let (_, quote) = quote.split_once("\n\n").unwrap();
            assert_eq!(quote.lines().count(), 6);
            assert!(quote.lines().all(|line| line.starts_with('>')), "{quote}");

            let (above, below) = email.html.split_once("Message from <bdi").unwrap();
            assert!(above.contains("class=\"button-text\"") && !above.contains("Click here"), "{above}");
            let (author, below) = below.split_once("</bdi>").unwrap();
            assert!(author.ends_with(">Ann &#60;ann@example.com&#62;"), "{author}");
            let (quote, ours) = below.split_once("</table>").unwrap();
            assert!(quote.contains("Click here<br><br>Reply") && quote.contains("&#62; Download"), "{quote}");
            assert!(ours.contains("If the button does not work") && !ours.contains("Click here"), "{ours}");
        }
    }

    #[test]
    fn sharer_is_shown_with_name_and_address() {
        let shown = |name, email: Option<&str>| {
            let created_by =
                Sharer { email: email.map(|email| email.parse().unwrap()), ..share("", name).created_by };
            let share = Share { created_by, ..share("Hi", name) };
            let email = compose(&share, LINK).unwrap();
            (email.text, email.html)
        };
        let address = ">ann@example.com</bdi></td>";
        for (name, email, shared_by, written_by) in [
            (Some("Ann"), Some("ann@example.com"), "Ann <ann@example.com>", "Ann <ann@example.com>"),
            (Some("Ann"), None, "Ann", "Ann"),
            (None, Some("ann@example.com"), "ann@example.com", "ann@example.com"),
            (Some("Platform Support"), Some("ann@example.com"), "ann@example.com", "ann@example.com"),
            (None, None, "", "the sharer"),
        ] {
            let (text, html) = shown(name, email);
            assert!(text.contains(&format!("\nEverything below was written by {written_by}.\n")), "{text}");
            assert_eq!(
                text.contains(&format!("\nShared by: {shared_by}\n")),
                !shared_by.is_empty(),
                "{text}"
            );
            let (before, _) = html.split_once("class=\"button-text\"").unwrap();
            assert_eq!(before.contains(address), email.is_some(), "{before}");
        }
    }

    /// Mail programs show the start of an email beside the sender in the list of emails.
    #[test]
    fn message_is_not_in_the_preview() {
        let share = share("Your account is locked", Some("Ann"));
        let html = compose(&share, LINK).unwrap().html;
        let (_, body) = html.split_once("<body").unwrap();
        let (preview, _) = body.split_once("</div>").unwrap();
        assert!(preview.contains("&#60;b&#62;.pdf") && !preview.contains("locked"), "{preview}");
    }

    #[test]
    fn message_with_websites_says_that_they_are_not_links() {
        let note = "Web addresses in it are not links.";
        for (message, is_said) in [("See https://evil.example.", true), ("See brief.pdf.", false)] {
            let share = share(message, Some("Ann"));
            let email = compose(&share, LINK).unwrap();
            for body in [email.text, email.html] {
                assert_eq!(body.contains(note), is_said, "{body}");
            }
        }
    }

    /// Returns the text of an HTML body that is outside of links, where mail programs add links.
    fn text_outside_links(html: &str) -> String {
        let (_, body) = html.split_once("<body").unwrap();
        let pieces = body.split("<a ").map(|piece| piece.split_once("</a>").map_or(piece, |(_, rest)| rest));
        let tags = pieces.collect::<Vec<_>>().join(" ");
        tags.split('<')
            .map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn mail_programs_find_no_address_in_text_of_the_sharer() {
        let names = [
            "budget.zip",
            "report.mov",
            "README.md",
            "setup.py",
            "archive.tar.gz",
            "www.example.com.pdf",
            "ann@example.com.txt",
            "https:example.com",
            "例え。テスト",
            "evil.example",
            "evil.xn--p1ai",
            "10.0.0.1",
            "server 192.168.1.20.pdf",
            r"\\evil\share",
            r"file:\\evil",
            ".net",
        ];
        let title = "Open https://evil.example/login or write to eve@evil.example";
        let message = names.join("\n") + "\nOpen https://evil.example/login";
        let share = Share {
            title: Title::parse(title),
            files: names.map(file).to_vec(),
            ..share(&message, Some("evil.museum"))
        };
        let email = compose(&share, LINK).unwrap();
        // The sharer's own address may be a link.
        let (html, text) = (text_outside_links(&email.html), email.text.replace(LINK, ""));
        for (part, body) in [("HTML", html), ("text", text)] {
            let body = body.replace("ann@example.com", "");
            for address in [
                ".zip", ".mov", ".md", ".py", ".tar", ".gz", "www.", ".com", "@", ":/", ".example",
                ".museum", "え。", ".net", ".xn--", ".0", ".168", ".1.", ".20", r"\evil", r"\share", r":\",
                r"\\",
            ] {
                let is_unlinked = |(i, _): (usize, &str)| {
                    let is_followed_by_space = body[i..].trim_start_matches([':', '/']).starts_with(' ');
                    body[..i].ends_with('\u{2060}') || (address == ":/" && is_followed_by_space)
                };
                assert!(body.match_indices(address).all(is_unlinked), "{part}: {address} in {body}");
            }
        }
        let shown = email.text.replace('\u{2060}', "");
        for name in names {
            assert!(shown.contains(&format!("- {name}")), "{name}: {shown}");
        }
    }

    #[test]
    fn file_name_is_a_link_to_the_share_and_can_be_copied() {
        let share = Share {
            files: vec![file("budget.zip"), file("www.example.com.pdf"), file("שלום.pdf")],
            title: Title::parse("notes.md"),
            ..share("", Some("Dr. No"))
        };
        let html = compose(&share, LINK).unwrap().html;
        for (direction, name) in [
            (" dir=\"ltr\"", "budget.zip"),
            (" dir=\"ltr\"", "www\u{2060}.example\u{2060}.com.pdf"),
            (" dir=\"ltr\"", "שלום.pdf"),
            ("", "notes.md"),
        ] {
            let (before, _) = html.rsplit_once(&format!("<bdi{direction}>{name}</bdi></a>")).unwrap();
            let (_, link) = before.rsplit_once("<a ").unwrap();
            assert!(link.contains(&format!("href=\"{LINK}\"")), "{link}");
        }
        assert!(html.contains("Dr. No"), "a name that is not linked is unchanged");
    }

    #[test]
    fn file_names_are_visible_and_on_one_line() {
        let one_file = |name: &str| {
            let share = Share { files: vec![file(name)], ..share("", Some("Ann")) };
            let email = compose(&share, LINK).unwrap();
            (email.subject, email.text, email.html)
        };
        for (name, shown) in [("\u{202e}\u{2066}", "file"), ("a\u{2028}b\u{2029}c.pdf", "a b c.pdf")] {
            let (subject, text, html) = one_file(name);
            assert_eq!(subject, format!("Ann shared {shown} with you"));
            assert!(text.contains(&format!("\n- {shown}\u{200e} (3 B)\n")), "{text}");
            assert!(html.contains(&format!("<bdi dir=\"ltr\">{shown}</bdi></a>")), "{html}");
        }
    }

    /// A share with several files has a page, which says it.
    #[test]
    fn email_with_one_file_says_how_to_restart_a_download() {
        let hint = "If the download stops, reopen the link to restart it.";
        for (files, is_said) in [(vec![file("a")], true), (vec![file("a"), file("b")], false)] {
            let share = Share { files, ..share("", Some("Ann")) };
            let email = compose(&share, LINK).unwrap();
            assert_eq!(email.text.contains(hint), is_said, "{}", email.text);
            assert_eq!(email.html.contains(hint), is_said, "{}", email.html);
        }
    }

    #[test]
    fn email_says_view_if_the_link_shows_a_page() {
        let share = share("", Some("Ann"));
        let shown =
            super::compose(&share, MailKind::Email, LINK, &Brand::default(), true, time(NOW)).unwrap();
        assert!(shown.html.contains(">View <bdi ") && !shown.html.contains("If the download stops"));
        assert!(shown.text.contains("Open this link. No login"), "{}", shown.text);
        let downloaded =
            super::compose(&share, MailKind::Email, LINK, &Brand::default(), false, time(NOW)).unwrap();
        assert!(downloaded.html.contains(">Download <bdi "));
    }

    /// Returns the text of an email's button.
    fn button(share: &Share) -> String {
        let html = compose(share, LINK).unwrap().html;
        let (_, button) = html.split_once("class=\"button-text\"").unwrap();
        let (_, text) = button.split_once("text-decoration:none;overflow-wrap:anywhere").unwrap();
        let (text, _) = text.split_once("</a>").unwrap();
        text.split(['<', '>']).skip(1).step_by(2).collect()
    }

    #[test]
    fn button_names_the_only_file() {
        let long = format!("{} (final).pdf", "Packaging ".repeat(20));
        for (name, shown) in [
            ("brief.pdf", "Download brief.pdf"),
            ("\u{5e9}\u{5dc}\u{5d5}\u{5dd}.pdf", "Download \u{5e9}\u{5dc}\u{5d5}\u{5dd}.pdf"),
            ("harmless\u{202e}fdp.exe", "Download harmlessfdp.exe"),
            ("www.evil.example.pdf", "Download www\u{2060}.evil\u{2060}.example.pdf"),
            (&long, "Download Packaging Packaging Packaging Pac….pdf"),
        ] {
            let share = Share { files: vec![file(name)], ..share("", Some("Ann")) };
            assert_eq!(button(&share), shown);
        }
        let several = Share { files: vec![file("a"), file("b")], ..share("", Some("Ann")) };
        assert_eq!(button(&several), "View files");
    }

    #[test]
    fn several_files_have_a_total_size() {
        let of_size = |size| SharedFile { size, ..file("a.pdf") };
        for (sizes, total) in [
            (vec![2_400_000, 41_900], Some("2.44 MB")),
            (vec![u64::MAX, u64::MAX], Some("18.44 EB")),
            (vec![2_400_000], None),
        ] {
            let share = Share { files: sizes.into_iter().map(of_size).collect(), ..share("", None) };
            let email = compose(&share, LINK).unwrap();
            assert_eq!(email.text.contains("Total size"), total.is_some(), "{}", email.text);
            if let Some(total) = total {
                assert!(email.text.contains(&format!("\nTotal size: {total}\n")), "{}", email.text);
                assert!(email.html.contains(&format!(">{total}</td>")), "{}", email.html);
            }
        }
    }

    #[test]
    fn time_left_is_in_words_unless_access_has_ended() {
        let share = share("", Some("Ann"));
        let text = |now| {
            super::compose(&share, MailKind::Email, LINK, &Brand::default(), false, now)
                .unwrap()
                .text
                .replace('\n', " ")
        };
        let until = "11 March 2026 at 13:00 (UTC+01:00).";
        assert!(text(time(NOW)).contains(&format!(" It works for 24 hours, until {until}")));
        assert!(text(share.expires_at).contains(&format!(" It works until {until}")));
    }

    #[test]
    fn names_are_not_translated() {
        let share = Share { title: Title::parse("Spring"), ..share("Hi", Some("Ann")) };
        let html = compose(&share, LINK).unwrap().html;
        let (author, address) = ("Ann &#60;ann@example.com&#62;", "ann@example.com");
        for (name, count) in [("Ann", 2), (author, 1), (address, 1), ("Spring", 1), ("&#60;b&#62;.pdf", 2)] {
            let shown: Vec<_> = html.match_indices(&format!(">{name}</bdi>")).collect();
            assert_eq!(shown.len(), count, "{name}");
            for (end, _) in shown {
                // The attribute is on the element itself, on its link or on the table of files.
                let start = end.saturating_sub(600);
                assert!(html[start..end].contains("translate=\"no\""), "{name}: {}", &html[start..end]);
            }
        }
    }

    #[test]
    fn resent_email_differs_in_subject_and_before_the_link() {
        let first = share("Hi", Some("Ann"));
        let resend = |share: &Share, minutes| {
            let at = share.created_at + TimeDelta::minutes(minutes);
            let action = Action { by: share.created_by.clone(), at };
            let sent = share.mail.after_sending(SendOutcome::Sent, at);
            Share { mail: sent.next_attempt(&action), ..share.clone() }
        };
        let second = resend(&first, 5);
        let third = resend(&second, 15);
        let emails = [&first, &second, &third].map(|share| compose(share, LINK).unwrap());
        assert!(!emails[0].text.contains("again") && !emails[0].html.contains("again"));
        assert_eq!(
            emails[1].subject,
            "Ann shared <b>.pdf with you – sent again on 10 March 2026 at 13:05 (UTC+01:00)"
        );
        let mut starts = Vec::new();
        for email in emails {
            for body in [email.text, email.html] {
                starts.push(body.split_once(LINK).unwrap().0.to_owned());
            }
            starts.push(email.subject);
            starts.push(email.reference.clone());
        }
        assert_eq!(starts.iter().collect::<HashSet<_>>().len(), 12, "{starts:?}");
    }

    #[test]
    fn email_of_a_renewal_says_that_it_replaces_the_link() {
        let first = share("Hi", Some("Ann"));
        let action = Action { by: first.created_by.clone(), at: first.created_at + TimeDelta::minutes(5) };
        let sent = first.mail.after_sending(SendOutcome::Sent, action.at);
        let renewed =
            Share { mail: sent.next_attempt(&action), renewed_at: Some(action.at), ..first.clone() };
        let later = Action { at: action.at + TimeDelta::hours(1), ..action.clone() };
        let resent = Share { mail: sent.next_attempt(&later), ..renewed.clone() };
        for (share, replaces) in [(first, false), (renewed, true), (resent, false)] {
            let email = compose(&share, LINK).unwrap();
            for body in [email.text, email.html] {
                let (before, _) = body.split_once(LINK).unwrap();
                let says = before.contains("The link in earlier emails no longer works.");
                assert_eq!(says, replaces, "{body}");
            }
        }
    }

    #[test]
    fn long_title_is_shortened_in_the_subject_only() {
        let title = "t".repeat(81);
        let share = Share { title: Title::parse(&title), ..share("", Some("Ann")) };
        let email = compose(&share, LINK).unwrap();
        assert_eq!(email.subject, format!("Ann shared <b>.pdf with you: {}…", "t".repeat(80)));
        assert!(email.text.contains(&title) && email.html.contains(&title));
    }

    #[test]
    fn misleading_name_appears_nowhere() {
        for name in ["Platform Security", "ceo@bank.example", "\u{3164}"] {
            let share = share("Hi", Some(name));
            let email = compose(&share, LINK).unwrap();
            assert_eq!(email.from_name.as_deref(), Some("Platform"));
            assert_eq!(email.reply_to.unwrap().1, "ann@example.com");
            assert_eq!(email.subject, "<b>.pdf is shared with you");
            for body in [email.text, email.html] {
                assert!(!body.contains(name), "{body}");
            }
        }
    }

    #[test]
    fn every_html_link_opts_out_of_click_tracking() {
        let share = share("https://evil.example/\nOpen this instead.", Some("Ann"));
        let email = compose(&share, LINK).unwrap();
        let links = email.html.matches("<a ").count();
        assert!(links > 0);
        assert_eq!(email.html.matches("<a ses:no-track ").count(), links);
    }

    #[test]
    fn email_loads_no_remote_content() {
        let share = share("Hi", Some("Ann"));
        let email = compose(&share, LINK).unwrap();
        for remote in ["<img", "<link", "url(", "src=", "@import"] {
            assert!(!email.html.contains(remote), "{remote}");
        }
    }

    #[test]
    fn email_without_a_brand_names_no_platform() {
        let share = share("Hi", Some("Ann"));
        let email =
            super::compose(&share, MailKind::Email, LINK, &Brand::default(), false, time(NOW)).unwrap();
        for color in ["background:#1a56c4", "color:#1a56c4", ".link { color: #8ab4ff !important; }"] {
            assert!(email.html.contains(color), "{color}");
        }
        assert!(!email.html.contains("Platform") && !email.text.contains("Platform"), "{}", email.text);
        assert!(email.html.contains(">\n<tr><td><h1"), "the heading is first: {}", email.html);
    }

    #[test]
    fn email_shows_the_brand() {
        let share = share("Hi", Some("Ann"));
        let brand = branded();
        let email = super::compose(&share, MailKind::Email, LINK, &brand, false, time(NOW)).unwrap();
        assert_eq!(email.from_name.as_deref(), Some("Ann via Studio <North>"));
        let (header, rest) = email.html.split_once("<h1").unwrap();
        assert!(
            header.contains("src=\"https://cdn.studio.example/logo.png\" alt=\"Studio &#60;North&#62;\"")
        );
        for part in [
            "bgcolor=\"#00695c\"",
            "<bdi lang=\"\">Studio North Ltd</bdi><br><bdi lang=\"\">1 Pier &#38; Sons</bdi><br>",
            "href=\"https://studio.example/imprint\" style=\"color:#00695c\">Legal notice</a>",
        ] {
            assert!(rest.contains(part), "{part}: {rest}");
        }
        assert!(email.html.contains(".button { background: #4a948b !important; }"), "{}", email.html);
        assert!(!email.html.contains("#1a56c4") && !email.html.contains("#8ab4ff"), "{}", email.html);
        let imprint =
            "\n\nStudio North Ltd\n1 Pier & Sons\nhttps://studio.example/imprint\n\nEverything below";
        assert!(email.text.contains(imprint), "{}", email.text);
    }

    #[test]
    fn branded_email_loads_only_the_logo() {
        let share = share("Hi", Some("Ann"));
        let html = super::compose(&share, MailKind::Email, LINK, &branded(), false, time(NOW)).unwrap().html;
        assert_eq!([html.matches("<img ").count(), html.matches("src=").count()], [1, 1]);
        for remote in ["<link", "url(", "@import", "srcset"] {
            assert!(!html.contains(remote), "{remote}");
        }
        assert_eq!(html.matches("<a ").count(), html.matches("<a ses:no-track ").count());
    }

    #[test]
    fn brand_without_a_logo_is_shown_by_name() {
        let name = "\u{5e9}".repeat(40);
        let brand = Brand::new(name.parse().ok(), Accent::default(), None, None).unwrap();
        let share = share("Hi", Some("Ann"));
        let html = super::compose(&share, MailKind::Email, LINK, &brand, false, time(NOW)).unwrap().html;
        assert!(
            html.contains(&format!("<bdi class=\"notranslate\" translate=\"no\">{name}</bdi></td></tr>"))
        );
        assert!(!html.contains("<img"));
    }

    /// Gmail clips messages larger than 102 KB.
    #[test]
    fn email_with_a_hundred_files_is_not_clipped() {
        let mut share = share(&"m".repeat(2_000), Some(&"n".repeat(200)));
        let size = u64::MAX / 1_000_000;
        share.files = (0..100).map(|n| SharedFile { size, ..file(&format!("{n:0>160}.pdf")) }).collect();
        let email = compose(&share, &format!("{LINK}{}", "x".repeat(200))).unwrap();
        assert!(email.html.len() < 102_000, "{}", email.html.len());
    }
}
