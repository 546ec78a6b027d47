//! Test fixtures for this crate and, with the feature `testing`, for the crates that depend on it.

#![allow(clippy::missing_panics_doc, clippy::unwrap_used, reason = "fixtures are valid by construction")]

use chrono::TimeDelta;

use crate::expiry::RequestedExpiry;
use crate::mail::Pending;
use crate::reminder::ReminderDays;
use crate::request::ShareRequest;
use crate::{
    Action, EmailAddress, Expiry, Generation, Item, Language, MailState, Message, PermittedShare, Share,
    ShareRules, SharedFile, Sharer, Timestamp, Title,
};

/// The time at which fixture shares are created.
pub const NOW: &str = "2026-03-10T12:00:00Z";

/// The generation of every fixture share, as bytes.
pub const GENERATION: [u8; 16] = [7; 16];

/// Parses an RFC 3339 time.
#[must_use]
pub fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Parses an RFC 3339 time into a requested expiry.
#[must_use]
pub fn requested_expiry(text: &str) -> RequestedExpiry {
    text.parse().unwrap()
}

/// Returns the item `jobs/1042`.
#[must_use]
pub fn item() -> Item {
    Item::parse("jobs/1042").unwrap()
}

/// Returns a 3-byte file with this name, whose key follows from the name.
#[must_use]
pub fn file(name: &str) -> SharedFile {
    SharedFile { name: name.parse().unwrap(), size: 3, key: None }
}

/// Returns a sharer with this subject and no name or email address.
#[must_use]
pub fn sharer(sub: &str) -> Sharer {
    Sharer { sub: sub.to_owned(), name: None, email: None }
}

/// Returns an action at [`NOW`] by a sharer with this subject.
#[must_use]
pub fn action_by(sub: &str) -> Action {
    Action { by: sharer(sub), at: time(NOW) }
}

/// Returns an action by Ann at [`NOW`].
#[must_use]
pub fn ann() -> Action {
    action_by("ann")
}

/// Returns the state of a pending email.
#[must_use]
pub fn pending(due: Timestamp, tries: u32) -> MailState {
    MailState::Queued(Pending { due, tries })
}

/// Returns a share of these files, with [`ShareBuilder`]'s defaults for everything else.
#[must_use]
pub fn share(files: &[&str]) -> Share {
    ShareBuilder::new().files(files.iter().map(|name| file(name)).collect()).build()
}

/// Returns a share as one that the rules permit.
#[must_use]
pub fn permitted(share: &Share) -> PermittedShare<'_> {
    ShareRules::default().permit(share).unwrap()
}

/// Builds a share. By default, `u1` shares `brief.pdf` from the item `jobs/1042` with ann@example.com at
/// [`NOW`] for one hour, and the email is pending.
#[derive(Clone, Debug)]
pub struct ShareBuilder {
    item: Item,
    files: Vec<SharedFile>,
    sharer: Sharer,
    message: Option<Message>,
    title: Option<Title>,
    language: Language,
    recipient: EmailAddress,
    created_at: Timestamp,
    expires_in: TimeDelta,
    expiry_offset: &'static str,
    generation: Generation,
    notify: bool,
    reminder: ReminderDays,
    notify_on_first_download: bool,
}

impl Default for ShareBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ShareBuilder {
    #[must_use]
    pub fn new() -> Self {
        Self {
            item: item(),
            files: vec![file("brief.pdf")],
            sharer: sharer("u1"),
            message: None,
            title: None,
            language: Language::English,
            recipient: "ann@example.com".parse().unwrap(),
            created_at: time(NOW),
            expires_in: TimeDelta::hours(1),
            expiry_offset: "+00:00",
            generation: Generation::from_bytes(GENERATION),
            notify: true,
            reminder: ReminderDays::default(),
            notify_on_first_download: false,
        }
    }

    #[must_use]
    pub fn item(self, item: Item) -> Self {
        Self { item, ..self }
    }

    #[must_use]
    pub fn files(self, files: Vec<SharedFile>) -> Self {
        Self { files, ..self }
    }

    #[must_use]
    pub fn sharer(self, sharer: Sharer) -> Self {
        Self { sharer, ..self }
    }

    #[must_use]
    pub fn message(self, text: &str) -> Self {
        Self { message: Message::parse(text).unwrap(), ..self }
    }

    #[must_use]
    pub fn title(self, text: &str) -> Self {
        Self { title: Title::parse(text), ..self }
    }

    #[must_use]
    pub fn language(self, language: Language) -> Self {
        Self { language, ..self }
    }

    #[must_use]
    pub fn recipient(self, address: &str) -> Self {
        Self { recipient: address.parse().unwrap(), ..self }
    }

    #[must_use]
    pub fn created_at(self, created_at: Timestamp) -> Self {
        Self { created_at, ..self }
    }

    /// Sets the expiry relative to the creation time. The expiry must not be on an earlier day.
    #[must_use]
    pub fn expires_in(self, expires_in: TimeDelta) -> Self {
        Self { expires_in, ..self }
    }

    /// Sets the expiry's UTC offset, such as `+01:00`.
    #[must_use]
    pub fn expiry_offset(self, expiry_offset: &'static str) -> Self {
        Self { expiry_offset, ..self }
    }

    #[must_use]
    pub fn generation(self, generation: Generation) -> Self {
        Self { generation, ..self }
    }

    /// Sets whether the recipient gets an email.
    #[must_use]
    pub fn notify(self, notify: bool) -> Self {
        Self { notify, ..self }
    }

    /// Sets the days before the end of access on which the recipient gets a reminder.
    #[must_use]
    pub fn reminder(self, days: u64) -> Self {
        Self { reminder: days.try_into().unwrap(), ..self }
    }

    #[must_use]
    pub fn notify_on_first_download(self) -> Self {
        Self { notify_on_first_download: true, ..self }
    }

    #[must_use]
    pub fn build(self) -> Share {
        let offset = self.expiry_offset.parse::<chrono::FixedOffset>().unwrap();
        let expiry = (self.created_at + self.expires_in).with_timezone(&offset).to_rfc3339();
        ShareRequest {
            item: self.item,
            files: self.files,
            sharer: self.sharer,
            message: self.message,
            title: self.title,
            language: self.language,
            expiry: Expiry::parse(&expiry, self.created_at).unwrap(),
            notify: self.notify,
            reminder: self.reminder,
            notify_on_first_download: self.notify_on_first_download,
        }
        .share_with(self.recipient, self.generation, self.created_at)
    }
}
