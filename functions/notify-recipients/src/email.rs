//! The email of a share.

use askama::Template;
use sharelink_aws::mailer::Email;
use sharelink_domain::delivery::EmailId;
use sharelink_domain::names::strip_bidi_controls;
use sharelink_domain::request::Message;
use sharelink_domain::{EmailAddress, Share, SharedFile};

/// What both forms of the email say.
struct Contents<'a> {
    heading: String,
    /// The sharer's name, if they have one.
    sharer: Option<&'a str>,
    /// The sharer's address, if a reply reaches them.
    reply_to: Option<&'a str>,
    message: Option<&'a str>,
    files: Vec<File>,
    link: &'a str,
    until: String,
}

/// A file as it is shown.
struct File {
    name: String,
    size: u64,
}

impl From<&SharedFile> for File {
    fn from(file: &SharedFile) -> Self {
        Self { name: strip_bidi_controls(file.name.as_str()), size: file.size }
    }
}

#[derive(Template)]
#[template(path = "email.html")]
struct Html<'a>(&'a Contents<'a>);

#[derive(Template)]
#[template(path = "email.txt", escape = "none")]
struct Text<'a>(&'a Contents<'a>);

/// Composes the email that brings a share's link to its recipient.
pub(crate) fn compose<'a>(share: &'a Share, link: &str) -> Result<Email<'a>, askama::Error> {
    let sharer = share.created_by.name.as_deref().map(strip_bidi_controls);
    let sharer = sharer.as_deref();
    let reply_to = share.created_by.email.as_ref();
    let contents = Contents {
        heading: heading(sharer, &share.files),
        sharer,
        reply_to: reply_to.map(EmailAddress::as_str),
        message: share.message.as_ref().map(Message::as_str),
        files: share.files.iter().map(File::from).collect(),
        link,
        until: share.expiry_in_words(),
    };
    Ok(Email {
        to: &share.recipient,
        reply_to: reply_to.map(|email| (email, sharer.unwrap_or(email.as_str()).to_owned())),
        text: Text(&contents).render()?,
        html: Html(&contents).render()?,
        subject: contents.heading,
        id: EmailId::of(share),
    })
}

fn heading(sharer: Option<&str>, files: &[SharedFile]) -> String {
    let what = match files {
        [file] => strip_bidi_controls(file.name.as_str()),
        files => format!("{} files", files.len()),
    };
    match sharer {
        Some(sharer) => format!("{sharer} shared {what} with you"),
        None if files.len() == 1 => format!("{what} is shared with you"),
        None => format!("{what} are shared with you"),
    }
}

#[cfg(test)]
mod tests {
    use sharelink_domain::request::ShareRequest;
    use sharelink_domain::{Expiry, Generation, Item, Sharer, Timestamp};

    use super::*;

    fn share(message: &str, sharer: Option<&str>) -> Share {
        let now: Timestamp = "2026-03-10T12:00:00Z".parse().unwrap();
        ShareRequest {
            item: Item { module: "jobs".parse().unwrap(), name: "1042".parse().unwrap() },
            files: vec![SharedFile { name: "<b>.pdf".parse().unwrap(), size: 2048 }],
            sharer: Sharer {
                sub: "u1".into(),
                name: sharer.map(Into::into),
                email: Some("ann@example.com".parse().unwrap()),
            },
            message: Message::parse(message).unwrap(),
            expiry: Expiry::parse("2026-03-11T13:00:00+01:00", now).unwrap(),
            notify: true,
        }
        .share_with("bob@example.com".parse().unwrap(), Generation::from_bytes([7; 16]), now)
    }

    const LINK: &str = "https://files.example.com/s/abc";

    #[test]
    fn what_people_type_is_shown_and_never_run() {
        let message = "<script>alert(1)</script> & \"é\" שלום 🎉\r\nsecond line";
        let share = share(message, Some("Ann <i>"));
        let email = compose(&share, LINK).unwrap();
        assert!(email.text.contains(message));
        assert!(
            !email.html.contains("<script>") && !email.html.contains("<i>") && !email.html.contains("<b>")
        );
        assert!(email.html.contains("&#60;script&#62;alert(1)&#60;/script&#62;"));
    }

    #[test]
    fn both_forms_say_who_what_until_when_and_where() {
        let share = share("", Some("Ann"));
        let email = compose(&share, LINK).unwrap();
        assert_eq!(email.subject, "Ann shared <b>.pdf with you");
        for part in [&email.text, &email.html] {
            assert!(part.contains("11 March 2026 at 13:00 (UTC+01:00)") && part.contains(LINK), "{part}");
        }
        assert_eq!(email.reply_to.unwrap().0.as_str(), "ann@example.com");
        assert!(email.text.contains("Reply to this email to write to Ann."));
    }

    #[test]
    fn a_message_cannot_pass_for_the_link() {
        let share = share("https://evil.example/\nOpen this instead.", Some("Ann"));
        let email = compose(&share, LINK).unwrap();
        assert_eq!(email.text.lines().find(|line| line.starts_with("http")), Some(LINK));
        assert!(!email.html.contains("href=\"https://evil"));
        // SES rewrites no link that is marked so.
        assert_eq!(email.html.matches("<a ").count(), email.html.matches("<a ses:no-track ").count());
    }

    #[test]
    fn nothing_in_an_email_is_fetched_from_elsewhere() {
        let share = share("Hi", Some("Ann"));
        let email = compose(&share, LINK).unwrap();
        for remote in ["<img", "<link", "url(", "src=", "@import"] {
            assert!(!email.html.contains(remote), "{remote}");
        }
    }

    /// Gmail cuts off what is longer than 102 KB.
    #[test]
    fn an_email_with_a_hundred_files_is_shown_whole() {
        let mut share = share(&"m".repeat(2_000), Some(&"n".repeat(200)));
        let name = |n: usize| format!("{n:0>160}.pdf").parse().unwrap();
        share.files = (0..100).map(|n| SharedFile { name: name(n), size: u64::MAX / 1_000_000 }).collect();
        let email = compose(&share, &format!("{LINK}{}", "x".repeat(200))).unwrap();
        assert!(email.html.len() < 102_000, "{}", email.html.len());
    }
}
