//! A request to share an item's files with several recipients.

use std::collections::HashSet;
use std::fmt;

use thiserror::Error;

use crate::address::AddressError;
use crate::{EmailAddress, Expiry, Generation, Item, Mail, Share, ShareId, SharedFile, Sharer, Timestamp};

/// The most recipients in one request.
pub const RECIPIENTS_LIMIT: usize = 100;
/// The most characters in a message.
pub const MESSAGE_LIMIT: usize = 2_000;
/// The most files in one share.
pub const FILES_LIMIT: usize = 100;
/// The most bytes that the names of a share's files may take: every write of a share pays for its size.
pub const FILE_NAMES_LIMIT: usize = 16 * 1024;

/// Why a message was refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum MessageError {
    #[error("must have at most {MESSAGE_LIMIT} characters")]
    TooLong,
    #[error("must not hold control characters other than line breaks and tabs")]
    Control,
}

/// What the sharer tells the recipients: 1 to 2,000 characters, kept exactly as typed.
#[derive(Clone, PartialEq, Eq)]
pub struct Message(String);

impl Message {
    /// Reads a message; an empty one is none.
    pub fn parse(text: &str) -> Result<Option<Self>, MessageError> {
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return Err(MessageError::Control);
        }
        if text.chars().count() > MESSAGE_LIMIT {
            return Err(MessageError::TooLong);
        }
        Ok((!text.trim().is_empty()).then(|| Self(text.to_owned())))
    }

    /// The text, as typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Never shows the text: a debug print may end up in a log.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Message(..)")
    }
}

/// What a typed recipient turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// An address, seen for the first time in the request.
    Address(EmailAddress),
    /// The same recipient as an earlier one.
    Duplicate,
    /// No address.
    Invalid(AddressError),
}

/// Reads the typed recipients. Each stands alone: one that is no address does not stop the others.
#[must_use]
pub fn recipients(typed: &[String]) -> Vec<Recipient> {
    let mut seen = HashSet::new();
    let mut read = |typed: &String| match typed.parse::<EmailAddress>() {
        Ok(address) if seen.insert(address.identity()) => Recipient::Address(address),
        Ok(_) => Recipient::Duplicate,
        Err(error) => Recipient::Invalid(error),
    };
    typed.iter().map(&mut read).collect()
}

/// Why files cannot be shared together.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum FilesError {
    #[error("nothing to share: the item has no files")]
    Nothing,
    #[error("must be at most {FILES_LIMIT} files")]
    TooMany,
    #[error("must have names of at most {FILE_NAMES_LIMIT} bytes together")]
    NamesTooLong,
}

/// Checks that files fit into one share.
pub fn validate_files(files: &[SharedFile]) -> Result<(), FilesError> {
    if files.is_empty() {
        return Err(FilesError::Nothing);
    }
    if files.len() > FILES_LIMIT {
        return Err(FilesError::TooMany);
    }
    if files.iter().map(|file| file.name.as_str().len()).sum::<usize>() > FILE_NAMES_LIMIT {
        return Err(FilesError::NamesTooLong);
    }
    Ok(())
}

/// What all the shares of one request have in common.
#[derive(Clone, Debug)]
pub struct ShareRequest {
    pub item: Item,
    /// As [`validate_files`] accepted them.
    pub files: Vec<SharedFile>,
    pub sharer: Sharer,
    pub message: Option<Message>,
    pub expiry: Expiry,
    /// Whether the recipients get an email.
    pub notify: bool,
}

impl ShareRequest {
    /// The share for one of the recipients.
    #[must_use]
    pub fn share_with(&self, recipient: EmailAddress, generation: Generation, now: Timestamp) -> Share {
        Share {
            id: ShareId::new(&self.item, &recipient),
            item: self.item.clone(),
            recipient,
            files: self.files.clone(),
            created_by: self.sharer.clone(),
            message: self.message.clone(),
            created_at: now,
            expires_at: self.expiry.at(),
            expires_offset: self.expiry.offset(),
            revoked_at: None,
            version: 1,
            generation,
            link_key: None,
            mail: if self.notify { Mail::queued(now) } else { Mail::none() },
            usage: crate::share::Usage::default(),
            changed: None,
            link_copied: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileName;

    #[test]
    fn a_message_may_hold_anything_a_person_types() {
        for text in ["<b>hi</b>\r\nBcc: x", "🎉 שלום", "\ttabbed"] {
            assert_eq!(Message::parse(text).unwrap().unwrap().as_str(), text);
        }
        assert_eq!(Message::parse(""), Ok(None));
        assert_eq!(Message::parse(" \n"), Ok(None));
        assert!(Message::parse(&"🎉".repeat(2_000)).unwrap().is_some());
        assert_eq!(Message::parse(&"a".repeat(2_001)), Err(MessageError::TooLong));
        assert_eq!(Message::parse("a\0b"), Err(MessageError::Control));
        assert_eq!(Message::parse("\u{1b}[31m"), Err(MessageError::Control));
    }

    #[test]
    fn a_debug_print_does_not_show_the_message() {
        let message = Message::parse("ann@example.com asked for it").unwrap();
        assert_eq!(format!("{message:?}"), "Some(Message(..))");
    }

    #[test]
    fn each_recipient_stands_alone() {
        let typed = ["Ann@example.com", "ann@EXAMPLE.com ", "nobody", "bob@example.com"].map(String::from);
        assert_eq!(
            recipients(&typed),
            [
                Recipient::Address("Ann@example.com".parse().unwrap()),
                Recipient::Duplicate,
                Recipient::Invalid(AddressError::Shape),
                Recipient::Address("bob@example.com".parse().unwrap()),
            ]
        );
    }

    #[test]
    fn files_must_fit_into_one_share() {
        let files = |count: usize, length: usize| -> Vec<_> {
            (0..count)
                .map(|i| SharedFile { name: format!("{i:0length$}").parse::<FileName>().unwrap(), size: 1 })
                .collect()
        };
        assert_eq!(validate_files(&[]), Err(FilesError::Nothing));
        assert_eq!(validate_files(&files(100, 163)), Ok(()));
        // 16 KiB exactly, and a byte more.
        let full = [files(84, 164), files(16, 163)].concat();
        assert_eq!(validate_files(&full), Ok(()));
        assert_eq!(validate_files(&[&full[1..], &files(1, 165)].concat()), Err(FilesError::NamesTooLong));
        assert_eq!(validate_files(&files(101, 3)), Err(FilesError::TooMany));
    }
}
