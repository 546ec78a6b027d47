//! A request to share an item's files with several recipients.

use std::collections::HashSet;

use thiserror::Error;

use crate::address::AddressError;
use crate::history::Usage;
use crate::reminder::{Reminder, ReminderDays};
use crate::share::FIRST_VERSION;
use crate::{
    EmailAddress, Expiry, Generation, Item, Language, Mail, MailState, Message, RecipientName, Share,
    ShareId, SharedFile, Sharer, Timestamp, Title, read_recipient,
};

/// The maximum number of recipients in a request.
pub const RECIPIENTS_LIMIT: usize = 100;
/// The maximum number of files in a share.
pub const FILES_LIMIT: usize = 100;
/// The maximum total length of a share's file names, in bytes. DynamoDB's charge for each write to a share
/// depends on the share's size.
pub const FILE_NAMES_LIMIT: usize = 16 * 1024;

/// An entry in a request's recipient list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParsedRecipient {
    /// A valid address, at its first occurrence in the request, and the name entered with it.
    Address(EmailAddress, Option<RecipientName>),
    /// The same recipient as an earlier entry.
    Duplicate,
    /// Not a valid address.
    Invalid(AddressError),
}

/// Parses a request's recipients. Entries are independent: an invalid entry does not affect the others.
#[must_use]
pub fn parse_recipients(entries: &[String]) -> Vec<ParsedRecipient> {
    let mut seen = HashSet::new();
    let parse = |entry: &String| match read_recipient(entry) {
        Ok((address, name)) if seen.insert(address.identity()) => ParsedRecipient::Address(address, name),
        Ok(_) => ParsedRecipient::Duplicate,
        Err(error) => ParsedRecipient::Invalid(error),
    };
    entries.iter().map(parse).collect()
}

/// The maximum total length of a share's object keys, in bytes, for the same reason. Only keys that do not
/// follow from the files' names are stored.
pub const KEYS_LIMIT: usize = 16 * 1024;

/// The reason files cannot be put in one share.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum FilesError {
    #[error("nothing to share: the item has no shareable files")]
    Nothing,
    #[error("must contain at most {0} files")]
    TooMany(usize),
    #[error("must have file names that total at most {FILE_NAMES_LIMIT} bytes")]
    NamesTooLong,
    #[error("must have keys in the files bucket that total at most {KEYS_LIMIT} bytes")]
    KeysTooLong,
}

/// Checks that files fit in one share, of which the deployment's rules allow at most `max_files`.
pub fn validate_files<'a, F>(files: F, max_files: usize) -> Result<(), FilesError>
where
    F: IntoIterator<Item = &'a SharedFile, IntoIter: ExactSizeIterator + Clone>,
{
    let files = files.into_iter();
    if files.len() == 0 {
        return Err(FilesError::Nothing);
    }
    if files.len() > max_files {
        return Err(FilesError::TooMany(max_files));
    }
    if files.clone().map(|file| file.name.as_str().len()).sum::<usize>() > FILE_NAMES_LIMIT {
        return Err(FilesError::NamesTooLong);
    }
    if files.filter_map(|file| Some(file.key.as_ref()?.as_str().len())).sum::<usize>() > KEYS_LIMIT {
        return Err(FilesError::KeysTooLong);
    }
    Ok(())
}

/// The properties common to all shares that one request creates.
#[derive(Clone, Debug)]
pub struct ShareRequest {
    pub item: Item,
    /// Accepted by [`validate_files`].
    pub files: Vec<SharedFile>,
    pub sharer: Sharer,
    pub message: Option<Message>,
    /// The item's title, if known.
    pub title: Option<Title>,
    /// The language of the emails and pages for the recipients.
    pub language: Language,
    pub expiry: Expiry,
    /// Whether the recipients get an email.
    pub notify: bool,
    pub reminder: ReminderDays,
    /// Whether the sharer gets a notice of each share's first download.
    pub notify_on_first_download: bool,
}

impl ShareRequest {
    /// Returns the new share for one recipient. It is stored only if the rules
    /// [permit](crate::ShareRules::permit) it.
    #[must_use]
    pub fn share_with(&self, recipient: EmailAddress, generation: Generation, now: Timestamp) -> Share {
        Share {
            id: ShareId::new(&self.item, &recipient),
            item: self.item.clone(),
            recipient,
            recipient_name: None,
            files: self.files.clone(),
            created_by: self.sharer.clone(),
            message: self.message.clone(),
            title: self.title.clone(),
            language: self.language,
            created_at: now,
            expires_at: self.expiry.at(),
            expires_offset: self.expiry.offset(),
            revoked_at: None,
            version: FIRST_VERSION,
            generation,
            link_key: None,
            mail: if self.notify { Mail::queued(now) } else { Mail::none() },
            reminder: Reminder::new(self.reminder),
            notify_on_first_download: self.notify_on_first_download,
            usage: Usage::default(),
            changed: None,
            link_copied: None,
            renewed_at: None,
            more_time: None,
            email_choice: None,
        }
    }
}

impl Share {
    /// Returns this new share as it is if it was created at another time.
    #[must_use]
    pub fn as_created_at(self, created_at: Timestamp) -> Self {
        let has_email = self.mail.state != MailState::None;
        let mail = if has_email { Mail::queued(created_at) } else { Mail::none() };
        Self { created_at, mail, ..self }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::testing::{NOW, file, share, time};

    #[test]
    fn creation_time_of_a_new_share_can_be_replaced() {
        let later = time(NOW) + TimeDelta::hours(1);
        let emailed = Share { created_at: later, mail: Mail::queued(later), ..share(&["a"]) };
        let expected = Share { created_at: time(NOW), mail: Mail::queued(time(NOW)), ..emailed.clone() };
        assert_eq!(emailed.as_created_at(time(NOW)), expected);
        let without_email = Share { created_at: later, mail: Mail::none(), ..share(&["a"]) };
        assert_eq!(without_email.as_created_at(time(NOW)).mail, Mail::none());
    }

    #[test]
    fn each_recipient_is_parsed_independently() {
        let entries = ["Ann@example.com", "ann@EXAMPLE.com ", "nobody", "bob@example.com"].map(String::from);
        assert_eq!(
            parse_recipients(&entries),
            [
                ParsedRecipient::Address("Ann@example.com".parse().unwrap(), None),
                ParsedRecipient::Duplicate,
                ParsedRecipient::Invalid(AddressError::Shape),
                ParsedRecipient::Address("bob@example.com".parse().unwrap(), None),
            ]
        );
    }

    fn files(count: usize, name_length: usize) -> Vec<SharedFile> {
        (0..count).map(|i| file(&format!("{i:0name_length$}"))).collect()
    }

    fn validate(files: &[SharedFile]) -> Result<(), FilesError> {
        validate_files(files, FILES_LIMIT)
    }

    #[test]
    fn share_has_between_1_and_100_files() {
        assert_eq!(validate(&[]), Err(FilesError::Nothing));
        assert_eq!(validate(&files(100, 163)), Ok(()));
        assert_eq!(validate(&files(101, 3)), Err(FilesError::TooMany(100)));
        assert_eq!(validate_files(&files(3, 3), 3), Ok(()));
        assert_eq!(validate_files(&files(4, 3), 3), Err(FilesError::TooMany(3)));
    }

    #[test]
    fn stored_keys_total_at_most_16_kib() {
        let with_keys = |length: usize| -> Vec<SharedFile> {
            let with_key =
                |(i, file)| SharedFile { key: Some(format!("{i:0length$}").try_into().unwrap()), ..file };
            files(32, 3).into_iter().enumerate().map(with_key).collect()
        };
        assert_eq!(validate(&with_keys(512)), Ok(()));
        assert_eq!(validate(&with_keys(513)), Err(FilesError::KeysTooLong));
    }

    #[test]
    fn file_names_total_at_most_16_kib() {
        let exactly_16_kib = [files(84, 164), files(16, 163)].concat();
        assert_eq!(validate(&exactly_16_kib), Ok(()));
        let one_byte_more = [&exactly_16_kib[1..], &files(1, 165)].concat();
        assert_eq!(validate(&one_byte_more), Err(FilesError::NamesTooLong));
    }
}
