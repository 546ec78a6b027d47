//! All text in emails. Each language has a file, which the compiler rejects if a text is missing.
//!
//! Names of people and files stand between texts, and are never inflected. A text in two parts surrounds one.

mod da;
mod de;
mod en;
mod es;
mod fr;
mod nl;
mod sv;

use sharelink_domain::{Language, MailReason};

/// The texts in one language.
pub(crate) struct Texts {
    pub(crate) language: Language,
    /// What follows the label of a value, with a space.
    pub(crate) colon: &'static str,
    /// The files in the subject, if there are several.
    pub(crate) files: fn(usize) -> String,
    /// The subject: the sharer's name, and what it is about.
    pub(crate) subject: fn(&str, &str) -> String,
    /// The subject if the sharer's name is unknown, for a file with this name.
    pub(crate) subject_of_file: fn(&str) -> String,
    /// The subject if the sharer's name is unknown, for several files.
    pub(crate) subject_of_files: fn(usize) -> String,
    /// What the subject of a resent email ends with, before the time.
    pub(crate) subject_sent_again_on: &'static str,
    /// What the subject of a reminder, and the line above its heading, begin with, before a colon.
    pub(crate) reminder: &'static str,
    /// Why there is a reminder, after that colon.
    pub(crate) nothing_downloaded: &'static str,
    pub(crate) sent_again_on: &'static str,
    pub(crate) old_link_ended: &'static str,
    /// The part of the heading that follows the sharer's name. Depends on the number of files.
    pub(crate) heading_after_sharer: fn(usize) -> String,
    /// The heading used if the sharer's name is unknown.
    pub(crate) heading_without_sharer: fn(usize) -> String,
    pub(crate) shared_by: &'static str,
    /// The label of a link that downloads its only file, around the file's name.
    pub(crate) download_file: (&'static str, &'static str),
    /// The label of a link to the page of its only file, around the file's name.
    pub(crate) view_file: (&'static str, &'static str),
    pub(crate) view_files: &'static str,
    /// What precedes the link in the text body.
    pub(crate) open_link: &'static str,
    pub(crate) open_link_to_download: &'static str,
    pub(crate) no_login: &'static str,
    /// How long the link works, around the duration. Precedes the date in place of the text that does.
    pub(crate) link_works_for: (&'static str, &'static str),
    /// How long the link works, around the date.
    pub(crate) link_works_until: (&'static str, &'static str),
    /// The same two below the link in the text body.
    pub(crate) it_works_for: (&'static str, &'static str),
    pub(crate) it_works_until: (&'static str, &'static str),
    pub(crate) stopped_download: &'static str,
    /// The label of the item's title.
    pub(crate) about: &'static str,
    /// The headings of the list of files.
    pub(crate) the_file: &'static str,
    pub(crate) the_files: &'static str,
    /// The label of the size of several files together.
    pub(crate) total_size: &'static str,
    /// The heading of the sharer's message, before the sharer's name or [`the_sharer`](Self::the_sharer).
    pub(crate) message_from: &'static str,
    /// The same in the text body, around the sharer's name or [`the_sharer`](Self::the_sharer).
    pub(crate) written_by: (&'static str, &'static str),
    /// A sharer whose name and address are unknown.
    pub(crate) the_sharer: &'static str,
    pub(crate) websites_are_not_links: &'static str,
    pub(crate) button_fails: &'static str,
    pub(crate) for_you_only: &'static str,
    /// Whom a reply reaches, around the sharer's name or address.
    pub(crate) reply_to: (&'static str, &'static str),
    /// The label of the link to the page that stops emails about the share.
    pub(crate) stop_emails: &'static str,
    /// The label of the link to the platform's imprint.
    pub(crate) imprint: &'static str,
}

impl Texts {
    /// Returns the texts in a language.
    pub(crate) fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &en::TEXTS,
            Language::German => &de::TEXTS,
            Language::French => &fr::TEXTS,
            Language::Spanish => &es::TEXTS,
            Language::Danish => &da::TEXTS,
            Language::Dutch => &nl::TEXTS,
            Language::Swedish => &sv::TEXTS,
        }
    }
}

/// The texts of digests in one language.
pub(crate) struct DigestTexts {
    pub(crate) language: Language,
    /// The subject and the heading of several notices.
    pub(crate) heading: fn(u64) -> String,
    pub(crate) email_failed: &'static str,
    pub(crate) email_bounced: &'static str,
    pub(crate) reminder_failed: &'static str,
    pub(crate) downloaded: &'static str,
    pub(crate) more_time_requested: &'static str,
    /// What identifies a share of several files without a title.
    pub(crate) files: fn(usize) -> String,
    pub(crate) address_unknown: &'static str,
    pub(crate) address_suppressed: &'static str,
    pub(crate) mailbox_full: &'static str,
    pub(crate) content_refused: &'static str,
    pub(crate) too_large: &'static str,
    pub(crate) timed_out: &'static str,
    pub(crate) given_up: &'static str,
    pub(crate) refused: &'static str,
    pub(crate) check_address: &'static str,
    pub(crate) send_later: &'static str,
    pub(crate) contact_otherwise: &'static str,
    pub(crate) grant_time: &'static str,
    /// The label of the link to the platform's page for a share.
    pub(crate) manage: &'static str,
    /// The same without a link.
    pub(crate) open_manage: &'static str,
    /// How many notices have no line.
    pub(crate) more: fn(u64) -> String,
    pub(crate) switch_off: &'static str,
}

impl DigestTexts {
    /// Returns the texts in a language.
    pub(crate) fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &en::DIGEST,
            Language::German => &de::DIGEST,
            Language::French => &fr::DIGEST,
            Language::Spanish => &es::DIGEST,
            Language::Danish => &da::DIGEST,
            Language::Dutch => &nl::DIGEST,
            Language::Swedish => &sv::DIGEST,
        }
    }

    /// Returns why an email was not delivered, if the reason means something to a sharer.
    pub(crate) fn reason(&self, reason: MailReason) -> Option<&'static str> {
        match reason {
            MailReason::AddressUnknown => Some(self.address_unknown),
            MailReason::AddressSuppressed => Some(self.address_suppressed),
            MailReason::MailboxFull => Some(self.mailbox_full),
            MailReason::ContentRefused | MailReason::MaliciousContent => Some(self.content_refused),
            MailReason::TooLarge => Some(self.too_large),
            MailReason::TimedOut => Some(self.timed_out),
            MailReason::GivenUp => Some(self.given_up),
            MailReason::Refused | MailReason::Rejected | MailReason::AddressRejected => Some(self.refused),
            _ => None,
        }
    }
}

/// The maximum length of a line in the text body, in characters.
const LINE_LIMIT: usize = 70;

/// Breaks a paragraph into lines for the text body.
pub(crate) fn wrap(paragraph: &str) -> String {
    let mut wrapped = String::new();
    let mut length = 0;
    for word in paragraph.split(' ') {
        let word_length = word.chars().count();
        if length > 0 && length + 1 + word_length > LINE_LIMIT {
            wrapped.push('\n');
            length = 0;
        } else if length > 0 {
            wrapped.push(' ');
            length += 1;
        }
        wrapped.push_str(word);
        length += word_length;
    }
    wrapped
}

#[cfg(test)]
mod tests;
