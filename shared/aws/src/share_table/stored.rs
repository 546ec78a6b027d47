//! The stored forms of the domain's types. They are used only for the table, so renaming a field in the API
//! or the domain cannot make stored rows unreadable.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use sharelink_domain::access::DownloadError;
use sharelink_domain::history::{Change, ChangeKind, FailedDownload, LinkCopy};
use sharelink_domain::ids::IdError;
use sharelink_domain::use_source::ClientKind;
use sharelink_domain::{
    Action, EmailAddress, FileName, Generation, MailReason, ObjectKey, SharedFile, Sharer, UseSource,
};

use super::record::{DecodeError, decode_time};
use crate::InternalError;

/// Encodes a stored form as an attribute.
pub(super) fn encode(value: &impl Serialize) -> Result<AttributeValue, InternalError> {
    serde_dynamo::to_attribute_value(value).map_err(|_| InternalError::Encoding("an attribute"))
}

/// The stored form of a [`SharedFile`].
#[derive(Clone, Deserialize, Serialize)]
pub struct StoredFile {
    name: FileName,
    size: u64,
    /// Absent if the key follows from the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<ObjectKey>,
}

impl From<&SharedFile> for StoredFile {
    fn from(file: &SharedFile) -> Self {
        Self { name: file.name.clone(), size: file.size, key: file.key.clone() }
    }
}

impl From<StoredFile> for SharedFile {
    fn from(StoredFile { name, size, key }: StoredFile) -> Self {
        Self { name, size, key }
    }
}

/// The stored form of a [`Sharer`].
#[derive(Clone, Deserialize, Serialize)]
pub struct StoredSharer {
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<EmailAddress>,
}

impl From<&Sharer> for StoredSharer {
    fn from(sharer: &Sharer) -> Self {
        Self { sub: sharer.sub.clone(), name: sharer.name.clone(), email: sharer.email.clone() }
    }
}

impl From<StoredSharer> for Sharer {
    fn from(StoredSharer { sub, name, email }: StoredSharer) -> Self {
        Self { sub, name, email }
    }
}

/// The stored form of an [`Action`].
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct StoredAction {
    by: StoredSharer,
    /// In milliseconds since 1970.
    at: i64,
}

impl From<&Action> for StoredAction {
    fn from(action: &Action) -> Self {
        Self { by: StoredSharer::from(&action.by), at: action.at.timestamp_millis() }
    }
}

impl StoredAction {
    pub(super) fn decode(self, attribute: &'static str) -> Result<Action, DecodeError> {
        Ok(Action { by: self.by.into(), at: decode_time(self.at, attribute)? })
    }
}

/// The stored form of a [`Change`].
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct StoredChange {
    of: StoredChangeKind,
    action: StoredAction,
    /// Only for renewals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    notify: Option<bool>,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
enum StoredChangeKind {
    Expiration,
    Revocation,
    Renewal,
}

impl From<&Change> for StoredChange {
    fn from(change: &Change) -> Self {
        let (of, notify) = match change.kind {
            ChangeKind::Expiration => (StoredChangeKind::Expiration, None),
            ChangeKind::Revocation => (StoredChangeKind::Revocation, None),
            ChangeKind::Renewal { notify } => (StoredChangeKind::Renewal, Some(notify)),
        };
        Self { of, action: StoredAction::from(&change.action), notify }
    }
}

impl StoredChange {
    pub(super) fn decode(self) -> Result<Change, DecodeError> {
        let kind = match self.of {
            StoredChangeKind::Expiration => ChangeKind::Expiration,
            StoredChangeKind::Revocation => ChangeKind::Revocation,
            StoredChangeKind::Renewal => ChangeKind::Renewal { notify: self.notify.unwrap_or_default() },
        };
        Ok(Change { kind, action: self.action.decode("changed")? })
    }
}

/// The stored form of a [`LinkCopy`].
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct StoredLinkCopy {
    action: StoredAction,
    id: String,
}

impl From<&LinkCopy> for StoredLinkCopy {
    fn from(copy: &LinkCopy) -> Self {
        Self { action: StoredAction::from(&copy.action), id: copy.id.to_string() }
    }
}

impl StoredLinkCopy {
    pub(super) fn decode(self) -> Result<LinkCopy, DecodeError> {
        let id = self.id.parse().map_err(|_| DecodeError("linkCopied"))?;
        Ok(LinkCopy { action: self.action.decode("linkCopied")?, id })
    }
}

/// The stored form of a [`Generation`].
#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct StoredGeneration(Generation);

impl From<Generation> for StoredGeneration {
    fn from(generation: Generation) -> Self {
        Self(generation)
    }
}

impl From<StoredGeneration> for Generation {
    fn from(StoredGeneration(generation): StoredGeneration) -> Self {
        generation
    }
}

impl From<StoredGeneration> for String {
    fn from(StoredGeneration(generation): StoredGeneration) -> Self {
        generation.to_string()
    }
}

impl TryFrom<String> for StoredGeneration {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse().map(Self)
    }
}

/// The stored form of a [`MailReason`]: its code.
#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(from = "String", into = "&'static str")]
pub(super) struct StoredMailReason(MailReason);

impl From<MailReason> for StoredMailReason {
    fn from(reason: MailReason) -> Self {
        Self(reason)
    }
}

impl From<StoredMailReason> for MailReason {
    fn from(StoredMailReason(reason): StoredMailReason) -> Self {
        reason
    }
}

impl From<StoredMailReason> for &'static str {
    fn from(StoredMailReason(reason): StoredMailReason) -> Self {
        reason.code()
    }
}

impl From<String> for StoredMailReason {
    fn from(code: String) -> Self {
        Self(MailReason::parse(&code))
    }
}

/// The stored form of a [`DownloadError`].
#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum StoredDownloadError {
    Missing,
    Archived,
    Forbidden,
}

impl From<DownloadError> for StoredDownloadError {
    fn from(error: DownloadError) -> Self {
        match error {
            DownloadError::Missing => Self::Missing,
            DownloadError::Archived => Self::Archived,
            DownloadError::Forbidden => Self::Forbidden,
        }
    }
}

impl From<StoredDownloadError> for DownloadError {
    fn from(error: StoredDownloadError) -> Self {
        match error {
            StoredDownloadError::Missing => Self::Missing,
            StoredDownloadError::Archived => Self::Archived,
            StoredDownloadError::Forbidden => Self::Forbidden,
        }
    }
}

/// The stored form of a [`FailedDownload`].
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct StoredFailedDownload {
    id: String,
    /// In milliseconds since 1970.
    at: i64,
    error: StoredDownloadError,
    /// The download's number within its share, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<StoredUseSource>,
}

impl From<&FailedDownload> for StoredFailedDownload {
    fn from(failed: &FailedDownload) -> Self {
        Self {
            id: failed.id.to_string(),
            at: failed.at.timestamp_millis(),
            error: failed.error.into(),
            number: failed.number,
            source: failed.source.map(StoredUseSource::from),
        }
    }
}

impl StoredFailedDownload {
    pub(super) fn decode(self) -> Result<FailedDownload, DecodeError> {
        Ok(FailedDownload {
            id: self.id.parse().map_err(|_| DecodeError("downloadFailed"))?,
            at: decode_time(self.at, "downloadFailed")?,
            error: self.error.into(),
            number: self.number,
            source: self.source.map(Into::into),
        })
    }
}

/// The stored form of a [`UseSource`].
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct StoredUseSource {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    client: StoredClientKind,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
enum StoredClientKind {
    Chrome,
    Edge,
    Firefox,
    Safari,
    Browser,
    Bot,
    Tool,
    Unknown,
}

impl From<UseSource> for StoredUseSource {
    fn from(source: UseSource) -> Self {
        let client = match source.client {
            ClientKind::Chrome => StoredClientKind::Chrome,
            ClientKind::Edge => StoredClientKind::Edge,
            ClientKind::Firefox => StoredClientKind::Firefox,
            ClientKind::Safari => StoredClientKind::Safari,
            ClientKind::Browser => StoredClientKind::Browser,
            ClientKind::Bot => StoredClientKind::Bot,
            ClientKind::Tool => StoredClientKind::Tool,
            ClientKind::Unknown => StoredClientKind::Unknown,
        };
        Self { network: source.network.map(|network| network.to_string()), client }
    }
}

impl From<StoredUseSource> for UseSource {
    /// An unreadable network counts as unknown, so that it does not hide the use.
    fn from(source: StoredUseSource) -> Self {
        let client = match source.client {
            StoredClientKind::Chrome => ClientKind::Chrome,
            StoredClientKind::Edge => ClientKind::Edge,
            StoredClientKind::Firefox => ClientKind::Firefox,
            StoredClientKind::Safari => ClientKind::Safari,
            StoredClientKind::Browser => ClientKind::Browser,
            StoredClientKind::Bot => ClientKind::Bot,
            StoredClientKind::Tool => ClientKind::Tool,
            StoredClientKind::Unknown => ClientKind::Unknown,
        };
        Self { network: source.network.and_then(|network| network.parse().ok()), client }
    }
}
