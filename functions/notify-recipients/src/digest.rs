//! Composes the email that tells a sharer what happened to several shares.
//!
//! It links to the platform and never to the files, so a forwarded digest grants no access.

use askama::Template;
use sharelink_aws::mailer::Email;
use sharelink_domain::delivery::KIND_TAG;
use sharelink_domain::names::shorten;
use sharelink_domain::notices::{Digest, Finding, Line};
use sharelink_domain::sending::MailKind;
use sharelink_domain::{Brand, MailReason, PlatformUrl, Share, Title, WriteId};

use crate::frame::Frame;
use crate::texts::{DigestTexts, wrap};
use crate::unlink::unlink;

/// The maximum length of the title or the file name that identifies a share, in characters.
const ABOUT_LIMIT: usize = 80;

struct Contents<'a> {
    frame: Frame<'a>,
    texts: &'static DigestTexts,
    heading: String,
    lines: Vec<DisplayLine>,
    /// What says how many notices have no line, if any.
    more: Option<String>,
}

struct DisplayLine {
    event: &'static str,
    recipient: String,
    about: String,
    /// Why, if it is known.
    reason: Option<&'static str>,
    advice: Option<&'static str>,
    /// The platform's page for the share, if it is known.
    url: Option<String>,
}

impl DisplayLine {
    fn new(line: &Line<'_>, texts: &'static DigestTexts, url: Option<&PlatformUrl>) -> Self {
        let Line { share, finding, .. } = line;
        let (event, reason) = match finding {
            Finding::EmailFailed(reason) => (texts.email_failed, Some(*reason)),
            Finding::EmailBounced(reason) => (texts.email_bounced, Some(*reason)),
            Finding::ReminderFailed(reason) => (texts.reminder_failed, Some(*reason)),
            Finding::Downloaded => (texts.downloaded, None),
            Finding::MoreTimeRequested => (texts.more_time_requested, None),
        };
        Self {
            event,
            recipient: share.recipient.as_str().to_owned(),
            about: about(share, texts),
            reason: reason.and_then(|reason| texts.reason(reason)),
            advice: match finding {
                Finding::MoreTimeRequested => Some(texts.grant_time),
                _ => reason.map(|reason| advice(reason, texts)),
            },
            url: url.map(|url| url.of(&share.item, share.id)),
        }
    }
}

/// Returns what identifies the share for its sharer: the item's title, or else the files.
fn about(share: &Share, texts: &DigestTexts) -> String {
    let text = match (&share.title, share.files.as_slice()) {
        (Some(title), _) => Title::as_str(title).to_owned(),
        (None, [file]) => file.name.to_display_text(),
        (None, files) => (texts.files)(files.len()),
    };
    unlink(&shorten(&text, ABOUT_LIMIT))
}

/// Returns what the sharer can do about an email that was not delivered.
fn advice(reason: MailReason, texts: &DigestTexts) -> &'static str {
    match reason {
        MailReason::AddressUnknown | MailReason::AddressRejected | MailReason::Refused => texts.check_address,
        MailReason::MailboxFull | MailReason::TimedOut | MailReason::GivenUp => texts.send_later,
        _ => texts.contact_otherwise,
    }
}

#[derive(Template)]
#[template(path = "digest.html")]
struct HtmlBody<'a>(&'a Contents<'a>);

#[derive(Template)]
#[template(path = "digest.txt", escape = "none")]
struct TextBody<'a>(&'a Contents<'a>);

/// Composes a digest. `claim` distinguishes it from every other.
pub(crate) fn compose<'a>(
    digest: &Digest<'a>,
    texts: &'static DigestTexts,
    claim: WriteId,
    (brand, url): (&Brand, Option<&PlatformUrl>),
) -> Result<Email<'a>, askama::Error> {
    let lines: Vec<DisplayLine> =
        digest.lines.iter().map(|line| DisplayLine::new(line, texts, url)).collect();
    let heading = match lines.as_slice() {
        [line] if digest.more == 0 => format!("{} ({})", line.event, line.recipient),
        lines => (texts.heading)(lines.len() as u64 + digest.more),
    };
    let more = (digest.more > 0).then(|| (texts.more)(digest.more));
    let contents = Contents { frame: Frame { brand, language: texts.language }, texts, heading, lines, more };
    Ok(Email {
        to: digest.to,
        from_name: brand.name().map(|name| name.display_name(None)),
        reply_to: None,
        text: TextBody(&contents).render()?,
        html: HtmlBody(&contents).render()?,
        subject: contents.heading,
        tags: vec![(KIND_TAG, MailKind::Digest.name().to_owned())],
        reference: claim.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use sharelink_domain::Language;
    use sharelink_domain::delivery::{Bounce, DeliveryEvent};
    use sharelink_domain::testing::{NOW, ShareBuilder, file, sharer, time};
    use sharelink_domain::{EmailAddress, Sharer};

    use super::*;
    use crate::email::tests::branded;

    fn share(recipient: &str) -> Share {
        let created_by = Sharer { email: Some("tess@example.com".parse().unwrap()), ..sharer("tess") };
        let share = ShareBuilder::new().sharer(created_by).recipient(recipient).title("Spring <i>").build();
        let bounced = DeliveryEvent::Bounced(Bounce::new("Permanent", "NoEmail"));
        Share { mail: share.mail.after_event(bounced, time(NOW)).unwrap(), ..share }
    }

    fn line(share: &Share, finding: Finding) -> Line<'_> {
        Line { share, finding, at: time(NOW) }
    }

    fn compose_in<'a>(
        language: Language,
        to: &'a EmailAddress,
        lines: Vec<Line<'a>>,
        more: u64,
    ) -> Email<'a> {
        let url: PlatformUrl = "https://p.example/{module}/{item}?share={share}".parse().unwrap();
        let digest = Digest { to, lines, more };
        let claim = WriteId::from_bytes([1; 16]);
        compose(&digest, DigestTexts::of(language), claim, (&Brand::default(), Some(&url))).unwrap()
    }

    fn all_findings(share: &Share) -> Vec<Line<'_>> {
        let findings = [
            Finding::EmailBounced(MailReason::AddressUnknown),
            Finding::EmailFailed(MailReason::GivenUp),
            Finding::ReminderFailed(MailReason::Rejected),
            Finding::Downloaded,
            Finding::MoreTimeRequested,
        ];
        findings.map(|finding| line(share, finding)).into()
    }

    #[test]
    fn notice_says_who_why_and_what_to_do() {
        let share = share("bob@exmaple.com");
        let to = "tess@example.com".parse().unwrap();
        let lines = vec![line(&share, Finding::EmailBounced(MailReason::AddressUnknown))];
        let email = compose_in(Language::English, &to, lines, 0);
        assert_eq!(email.subject, "The email could not be delivered (bob@exmaple.com)");
        for text in [
            "bob@exmaple.com\n",
            "Spring <i>\n",
            "The address does not exist.\nCheck the address for a typo, and share again.\n",
            &format!("https://p.example/jobs/1042?share={}\n", share.id),
            "You can switch off\nthese notices in Manage Link Access.",
        ] {
            assert!(email.text.contains(text), "{text}: {}", email.text);
        }
        assert!(email.html.contains("Spring &#60;i&#62;"), "{}", email.html);
        assert_eq!(email.tags, [("kind", "digest".to_owned())]);
    }

    #[test]
    fn digest_leads_to_the_platform_only_and_is_not_tracked() {
        let share = share("bob@example.com");
        let to = "tess@example.com".parse().unwrap();
        let email = compose_in(Language::English, &to, all_findings(&share), 2);
        let links = email.html.matches("<a ").count();
        assert_eq!(links, 5);
        assert_eq!(
            email.html.matches("<a ses:no-track class=\"link\" href=\"https://p.example/").count(),
            links
        );
        assert!(!email.text.contains("/s/") && !email.html.contains("/s/"));
        assert_eq!(email.subject, "7 notices about files that you shared");
        assert!(email.text.contains("\nAnd 2 more."), "{}", email.text);
    }

    #[test]
    fn digest_without_a_platform_url_says_where_to_look() {
        let share = share("bob@example.com");
        let to = "tess@example.com".parse().unwrap();
        let digest = Digest { to: &to, lines: all_findings(&share), more: 0 };
        let claim = WriteId::from_bytes([1; 16]);
        let email =
            compose(&digest, DigestTexts::of(Language::English), claim, (&Brand::default(), None)).unwrap();
        assert!(!email.html.contains("<a "));
        assert_eq!(email.text.matches("Open Manage Link Access of this item.").count(), 5);
    }

    #[test]
    fn digest_is_complete_in_every_language() {
        let share = share("bob@example.com");
        let to = "tess@example.com".parse().unwrap();
        for language in Language::ALL {
            let email = compose_in(language, &to, all_findings(&share), 3);
            let texts = DigestTexts::of(language);
            assert!(email.html.starts_with(&format!("<!doctype html>\n<html lang=\"{}\"", language.tag())));
            for text in [texts.email_bounced, texts.address_unknown, texts.more_time_requested] {
                assert!(email.text.contains(text), "{text}");
                assert!(!text.is_empty());
            }
        }
    }

    #[test]
    fn digest_shows_the_brand() {
        let share = share("bob@example.com");
        let to = "tess@example.com".parse().unwrap();
        let digest = Digest { to: &to, lines: all_findings(&share), more: 0 };
        let (claim, texts) = (WriteId::from_bytes([1; 16]), DigestTexts::of(Language::German));
        let email = compose(&digest, texts, claim, (&branded(), None)).unwrap();
        assert_eq!(email.from_name.as_deref(), Some("Studio <North>"));
        for part in ["alt=\"Studio &#60;North&#62;\"", ">Studio North Ltd</bdi>", ">Impressum</a>"] {
            assert!(email.html.contains(part), "{part}: {}", email.html);
        }
        assert!(email.text.ends_with("\n\nStudio North Ltd\n1 Pier & Sons\nhttps://studio.example/imprint"));
    }

    #[test]
    fn names_in_a_digest_are_not_links() {
        let mut share = share("bob@example.com");
        share.title = None;
        share.files = vec![file("www.evil.example.zip")];
        let to = "tess@example.com".parse().unwrap();
        let lines = vec![line(&share, Finding::Downloaded)];
        let email = compose_in(Language::English, &to, lines, 0);
        assert!(!email.text.contains("www.evil") && !email.html.contains("www.evil"), "{}", email.text);
    }
}
