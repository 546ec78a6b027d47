//! The stored form of a share.
//!
//! Times are stored as numbers, in milliseconds since 1970, so that conditions can compare them. Only `ttl`
//! is in seconds, as DynamoDB requires.

use chrono::{Datelike, FixedOffset, SecondsFormat, TimeDelta};
use serde::{Deserialize, Serialize};
use sharelink_domain::history::Usage;
use sharelink_domain::{
    IndexHashes, Item, Language, Message, RecipientKey, RecipientName, Share, ShareId, SharerKey, Timestamp,
    Title, WriteId,
};
use thiserror::Error;

use super::all_shares::{parse_partition, partition};
use super::mail_record::{MailRecord, is_false};
use super::recipient::RecipientRecord;
use super::stored::{
    StoredChange, StoredFailedDownload, StoredFile, StoredLinkCopy, StoredSharer, StoredUseSource,
};
use super::{Attributes, SERVICE};
use crate::{AwsError, Error, InternalError};

/// The prefix of a share's sort key.
pub(super) const SHARE_PREFIX: &str = "SHARE#";

/// The error for a row that cannot be decoded. Contains the name of the invalid attribute.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("invalid row: {0}")]
pub struct DecodeError(pub(super) &'static str);

impl From<DecodeError> for AwsError {
    fn from(DecodeError(what): DecodeError) -> Self {
        Self::InvalidData { service: SERVICE, what }
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        AwsError::from(error).into()
    }
}

/// Parses a share from an image in the table's stream.
pub fn parse_share_image(image: serde_dynamo::Item) -> Result<Share, DecodeError> {
    serde_dynamo::from_item::<_, ShareRecord>(image).map_err(|_| DecodeError("attributes"))?.into_share()
}

/// A share, and the hashes by which the indexes find it, unless they are unreadable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedShare {
    pub share: Share,
    pub hashes: Option<IndexHashes>,
}

/// Parses a share and its hashes from an image in the table's stream.
pub fn parse_indexed_share_image(image: serde_dynamo::Item) -> Result<IndexedShare, DecodeError> {
    let record: ShareRecord = serde_dynamo::from_item(image).map_err(|_| DecodeError("attributes"))?;
    record.into_indexed_share()
}

/// A share's row. `item` is the item. `entry` is [`SHARE_PREFIX`] followed by the share's id.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShareRecord {
    item: String,
    entry: String,
    /// The sort key in the indexes of shares: the creation time, then the share's id.
    created: String,
    /// The partition key in the index `bySharer`.
    sharer_key: String,
    /// The partition key in the index `byRecipient`.
    recipient_key: String,
    recipient: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient_name: Option<String>,
    files: Vec<StoredFile>,
    /// The number of files, for use in conditions.
    file_count: usize,
    downloads_per_open: u64,
    created_by: StoredSharer,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// The item's title.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// The language's tag. Absent in rows of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    created_at: i64,
    expires_at: i64,
    /// The UTC offset in seconds, positive east of UTC.
    expires_offset: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<i64>,
    version: u64,
    generation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_key_id: Option<String>,
    #[serde(flatten)]
    mail: MailRecord,
    /// The id of the write that requested the email, if the email is a resend.
    #[serde(skip_serializing_if = "Option::is_none")]
    mail_request_id: Option<String>,
    /// The id of the write that last claimed the email or the reminder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mail_claim: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    notify_on_first_download: bool,
    opens: u64,
    downloads: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    archive_downloads: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    failed_downloads: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_opened_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_opened_at: Option<i64>,
    /// The source of the last use, if the deployment keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_source: Option<StoredUseSource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    download_failed: Option<StoredFailedDownload>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<StoredChange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_copied: Option<StoredLinkCopy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    renewed_at: Option<i64>,
    #[serde(flatten)]
    recipient_changes: RecipientRecord,
    create_id: String,
    /// The ids of the latest changes, newest first.
    last_writes: [String; REMEMBERED_WRITES],
    /// The ids of the latest uses, and the [correction ids](correction_id) of the latest failed downloads,
    /// newest first.
    last_uses: [String; REMEMBERED_WRITES],
    pub(super) ttl: i64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The number of latest changes, and of latest uses, whose ids a share stores. A retry recognizes its first
/// attempt unless this many other writes came in between.
const REMEMBERED_WRITES: usize = 4;

/// Returns the assignments that prepend `:write` to one of these lists and drop the list's last entry. All
/// assignments in an update see the original list.
pub(super) fn prepend_write(list: &str) -> String {
    let shifted = (1..REMEMBERED_WRITES).map(|i| format!("{list}[{i}] = {list}[{}]", i - 1));
    shifted.chain([format!("{list}[0] = :write")]).collect::<Vec<_>>().join(", ")
}

/// Returns the id of the write that records the failed download with this id. It never equals a use's id.
pub(super) fn correction_id(download: WriteId) -> String {
    format!("-{download}")
}

impl ShareRecord {
    pub(super) fn new(share: &Share, hashes: IndexHashes, create_id: WriteId, retention: TimeDelta) -> Self {
        let id = share.id.to_string();
        Self {
            item: share.item.to_string(),
            entry: format!("{SHARE_PREFIX}{id}"),
            created: created_key(share.created_at, share.id),
            sharer_key: partition(&hashes.sharer, share.id),
            recipient_key: partition(&hashes.recipient, share.id),
            recipient: share.recipient.to_string(),
            recipient_name: share.recipient_name.as_ref().map(|name| name.as_str().to_owned()),
            files: share.files.iter().map(StoredFile::from).collect(),
            file_count: share.files.len(),
            downloads_per_open: share.downloads_per_open(),
            created_by: StoredSharer::from(&share.created_by),
            message: share.message.as_ref().map(|message| message.as_str().to_owned()),
            title: share.title.as_ref().map(|title| title.as_str().to_owned()),
            language: Some(share.language.tag().to_owned()),
            created_at: share.created_at.timestamp_millis(),
            expires_at: share.expires_at.timestamp_millis(),
            expires_offset: share.expires_offset.local_minus_utc(),
            revoked_at: share.revoked_at.map(|at| at.timestamp_millis()),
            version: share.version,
            generation: share.generation.to_string(),
            link_key_id: share.link_key.as_ref().map(|key| key.as_str().to_owned()),
            mail: MailRecord::from(share),
            mail_request_id: None,
            mail_claim: None,
            notify_on_first_download: share.notify_on_first_download,
            opens: share.usage.opens,
            downloads: share.usage.downloads,
            archive_downloads: share.usage.archive_downloads,
            failed_downloads: share.usage.failed_downloads,
            first_opened_at: share.usage.first_at.map(|at| at.timestamp_millis()),
            last_opened_at: share.usage.last_at.map(|at| at.timestamp_millis()),
            last_source: share.usage.last_source.map(StoredUseSource::from),
            download_failed: share.usage.last_failure.as_ref().map(StoredFailedDownload::from),
            changed: share.changed.as_ref().map(StoredChange::from),
            link_copied: share.link_copied.as_ref().map(StoredLinkCopy::from),
            renewed_at: share.renewed_at.map(|at| at.timestamp_millis()),
            recipient_changes: RecipientRecord::from(share),
            create_id: create_id.to_string(),
            last_writes: Default::default(),
            last_uses: Default::default(),
            ttl: share.purge_at(retention).timestamp(),
        }
    }

    /// Returns whether this write created the share, requested its email or is one of the latest changes.
    pub(super) fn was_written_by(&self, write: WriteId) -> bool {
        let write_id = write.to_string();
        [&self.create_id]
            .into_iter()
            .chain(&self.mail_request_id)
            .chain(&self.last_writes)
            .any(|id| *id == write_id)
    }

    pub(super) fn created_at(&self) -> Result<Timestamp, DecodeError> {
        decode_time(self.created_at, "createdAt")
    }

    /// Returns the hashes by which the indexes find the share.
    pub(super) fn index_hashes(&self) -> Result<IndexHashes, DecodeError> {
        let sharer: SharerKey = parse_partition(&self.sharer_key).ok_or(DecodeError("sharerKey"))?;
        let recipient: RecipientKey =
            parse_partition(&self.recipient_key).ok_or(DecodeError("recipientKey"))?;
        Ok(IndexHashes { sharer, recipient })
    }

    pub(super) fn into_indexed_share(self) -> Result<IndexedShare, DecodeError> {
        let hashes = self.index_hashes().ok();
        Ok(IndexedShare { share: self.into_share()?, hashes })
    }

    /// Returns whether the share has this place in the index `bySharer` or `byRecipient`.
    pub(super) fn is_indexed_at(&self, partition: &str, created: &str) -> bool {
        (self.sharer_key == partition || self.recipient_key == partition) && self.created == created
    }

    pub(super) fn parse(attributes: Attributes) -> Result<Self, DecodeError> {
        serde_dynamo::from_item(attributes).map_err(|_| DecodeError("attributes"))
    }

    pub(super) fn into_attributes(self) -> Result<Attributes, InternalError> {
        serde_dynamo::to_item(self).map_err(|_| InternalError::Encoding("a share"))
    }

    /// Converts the row to the share and the hash of its sharer in the index `bySharer`.
    pub(super) fn into_share_and_sharer(self) -> Result<(Share, SharerKey), DecodeError> {
        let IndexHashes { sharer, .. } = self.index_hashes()?;
        Ok((self.into_share()?, sharer))
    }

    pub(super) fn into_share(self) -> Result<Share, DecodeError> {
        let (item, id) = parse_share_key(&self.item, &self.entry)?;
        let link_key = match self.link_key_id {
            Some(key) => Some(key.parse().map_err(|_| DecodeError("linkKeyId"))?),
            None => None,
        };
        let (mail, reminder) = self.mail.decode()?;
        Ok(Share {
            id,
            item,
            recipient: self.recipient.parse().map_err(|_| DecodeError("recipient"))?,
            recipient_name: self.recipient_name.as_deref().and_then(RecipientName::parse),
            files: self.files.into_iter().map(Into::into).collect(),
            created_by: self.created_by.into(),
            message: Message::parse(&self.message.unwrap_or_default()).map_err(|_| DecodeError("message"))?,
            title: self.title.as_deref().and_then(Title::parse),
            // Never a reason for a link not to work.
            language: self.language.and_then(|tag| Language::parse(&tag).ok()).unwrap_or_default(),
            created_at: decode_time(self.created_at, "createdAt")?,
            expires_at: decode_time(self.expires_at, "expiresAt")?,
            expires_offset: FixedOffset::east_opt(self.expires_offset).ok_or(DecodeError("expiresOffset"))?,
            revoked_at: decode_optional_time(self.revoked_at, "revokedAt")?,
            version: self.version,
            generation: self.generation.parse().map_err(|_| DecodeError("generation"))?,
            link_key,
            mail,
            reminder,
            notify_on_first_download: self.notify_on_first_download,
            usage: Usage {
                opens: self.opens,
                downloads: self.downloads,
                archive_downloads: self.archive_downloads,
                failed_downloads: self.failed_downloads,
                first_at: decode_optional_time(self.first_opened_at, "firstOpenedAt")?,
                last_at: decode_optional_time(self.last_opened_at, "lastOpenedAt")?,
                last_id: self.last_uses[0].parse().ok(),
                last_source: self.last_source.map(Into::into),
                last_failure: self.download_failed.map(StoredFailedDownload::decode).transpose()?,
            },
            changed: self.changed.map(StoredChange::decode).transpose()?,
            link_copied: self.link_copied.map(StoredLinkCopy::decode).transpose()?,
            renewed_at: decode_optional_time(self.renewed_at, "renewedAt")?,
            more_time: self.recipient_changes.more_time()?,
            email_choice: self.recipient_changes.email_choice()?,
        })
    }
}

/// Longer than any deployment's retention, and short enough to be added to any stored time.
const MAX_RETENTION: TimeDelta = TimeDelta::days(36_500);

/// Returns the time from the end of a share's access until its TTL.
pub(super) fn retention(share: &Share, ttl: i64) -> TimeDelta {
    let seconds = ttl.saturating_sub(share.purge_at(TimeDelta::zero()).timestamp());
    TimeDelta::seconds(seconds.clamp(0, MAX_RETENTION.num_seconds()))
}

/// Parses the primary key of a share.
pub(super) fn parse_share_key(item: &str, entry: &str) -> Result<(Item, ShareId), DecodeError> {
    let item = Item::parse(item).map_err(|_| DecodeError("item"))?;
    let id = entry.strip_prefix(SHARE_PREFIX).and_then(|id| id.parse().ok()).ok_or(DecodeError("entry"))?;
    Ok((item, id))
}

/// The partitions of the index `outbox`.
pub(super) const MAIL_SHARDS: [char; 16] =
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];

/// Returns the outbox partition of a row: the first digit of its share's id or of its sharer's hash.
pub(super) fn mail_shard(id: &impl ToString) -> String {
    id.to_string().chars().take(1).collect()
}

/// Decodes a time in the years 0 to 9999. Within this range, the text from [`sortable`] sorts correctly, and
/// adding a wait or a retention period cannot overflow.
pub(super) fn decode_time(millis: i64, attribute: &'static str) -> Result<Timestamp, DecodeError> {
    let time = Timestamp::from_timestamp_millis(millis);
    time.filter(|time| (0..=9999).contains(&time.year())).ok_or(DecodeError(attribute))
}

/// Decodes a time that may be absent.
pub(super) fn decode_optional_time(
    millis: Option<i64>,
    attribute: &'static str,
) -> Result<Option<Timestamp>, DecodeError> {
    match millis {
        Some(millis) => decode_time(millis, attribute).map(Some),
        None => Ok(None),
    }
}

/// Returns a share's sort key in the indexes of shares.
pub(super) fn created_key(at: Timestamp, id: ShareId) -> String {
    format!("{}#{id}", sortable(at))
}

/// Formats a time as text that sorts chronologically.
pub(crate) fn sortable(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use sharelink_domain::Action;
    use sharelink_domain::MailReason;
    use sharelink_domain::SharedFile;
    use sharelink_domain::UseSource;
    use sharelink_domain::access::DownloadError;
    use sharelink_domain::email_choice::EmailChoice;
    use sharelink_domain::history::{Change, ChangeKind, FailedDownload, LinkCopy};
    use sharelink_domain::more_time::MoreTime;
    use sharelink_domain::reminder::ReminderState;
    use sharelink_domain::sending::SendOutcome;
    use sharelink_domain::testing::{ShareBuilder, file, share, sharer};
    use sharelink_domain::use_source::ClientKind;

    use super::super::stored::StoredAction;
    use super::*;

    const RETENTION: TimeDelta = TimeDelta::days(30);

    fn record() -> ShareRecord {
        record_of(&share(&["a"]))
    }

    fn record_of(share: &Share) -> ShareRecord {
        let hashes = IndexHashes {
            sharer: SharerKey::from_bytes([2; 16]),
            recipient: RecipientKey::from_bytes([3; 16]),
        };
        ShareRecord::new(share, hashes, WriteId::from_bytes([1; 16]), RETENTION)
    }

    fn decode_error(edit: impl Fn(&mut ShareRecord)) -> DecodeError {
        let mut record = record();
        edit(&mut record);
        record.into_share().unwrap_err()
    }

    /// Found by the fuzz target `stream_record`: adding a retention period to the latest representable time.
    #[test]
    fn share_with_an_out_of_range_time_is_rejected() {
        let at = Timestamp::MAX_UTC.timestamp_millis();
        assert_eq!(decode_error(|record| record.created_at = at), DecodeError("createdAt"));
        assert_eq!(decode_error(|record| record.expires_at = at), DecodeError("expiresAt"));
        assert_eq!(decode_error(|record| record.expires_at = -at), DecodeError("expiresAt"));
        assert_eq!(decode_error(|record| record.mail.mail_due = Some(at)), DecodeError("mailDue"));
    }

    #[test]
    fn action_with_an_out_of_range_time_is_rejected() {
        let action = Action { by: sharer("u1"), at: Timestamp::MAX_UTC };
        let requested = StoredAction::from(&action);
        assert_eq!(
            decode_error(|record| record.mail.mail_requested = Some(requested.clone())),
            DecodeError("mailRequested")
        );
        let copy = LinkCopy { action: action.clone(), id: WriteId::from_bytes([1; 16]) };
        assert_eq!(
            decode_error(|record| record.link_copied = Some(StoredLinkCopy::from(&copy))),
            DecodeError("linkCopied")
        );
        let change = Change { kind: ChangeKind::Expiration, action };
        assert_eq!(
            decode_error(|record| record.changed = Some(StoredChange::from(&change))),
            DecodeError("changed")
        );
    }

    #[test]
    fn last_second_of_year_9999_is_in_range() {
        let latest = ShareRecord { expires_at: 253_402_300_799_000, ..record() }.into_share().unwrap();
        assert_eq!(sortable(latest.purge_at(-RETENTION)), "9999-12-01T23:59:59.000Z");
    }

    /// Rows in existing tables have this form. Never edit the expected values.
    #[test]
    fn stored_form_is_frozen() {
        let action = Action { by: sharer("u1"), at: Timestamp::UNIX_EPOCH };
        let copy = LinkCopy { action: action.clone(), id: WriteId::from_bytes([1; 16]) };
        let change = Change { kind: ChangeKind::Revocation, action };
        let title = Title::parse("Spring campaign");
        let mut share = Share { changed: Some(change), link_copied: Some(copy), title, ..share(&["a"]) };
        let failed = FailedDownload {
            id: WriteId::from_bytes([1; 16]),
            at: Timestamp::UNIX_EPOCH,
            error: DownloadError::Archived,
            number: None,
            source: None,
        };
        share.usage.last_failure = Some(failed);
        let stored: serde_json::Value = serde_json::to_value(record_of(&share)).unwrap();
        let by = serde_json::json!({"sub": "u1"});
        assert_eq!(stored["changed"], serde_json::json!({"of": "revocation", "action": {"by": by, "at": 0}}));
        assert_eq!(
            stored["linkCopied"],
            serde_json::json!({"action": {"by": by, "at": 0}, "id": "01010101010101010101010101010101"})
        );
        assert_eq!(
            stored["downloadFailed"],
            serde_json::json!({"id": "01010101010101010101010101010101", "at": 0, "error": "archived"})
        );
        assert_eq!(stored["files"], serde_json::json!([{"name": "a", "size": 3}]));
        let with_key = SharedFile { key: Some("k/a".to_owned().try_into().unwrap()), ..file("a") };
        assert_eq!(
            serde_json::to_value(StoredFile::from(&with_key)).unwrap(),
            serde_json::json!({"name": "a", "size": 3, "key": "k/a"})
        );
        let source = UseSource { network: "203.0.113.0/24".parse().ok(), client: ClientKind::Firefox };
        let failed = FailedDownload { number: Some(7), source: Some(source), ..failed };
        assert_eq!(
            serde_json::to_value(StoredFailedDownload::from(&failed)).unwrap(),
            serde_json::json!({
                "id": "01010101010101010101010101010101", "at": 0, "error": "archived", "number": 7,
                "source": {"network": "203.0.113.0/24", "client": "firefox"},
            })
        );
        assert_eq!(stored["title"], "Spring campaign");
        assert_eq!(stored["mailState"], "queued");
        assert_eq!(stored["mailDue"], 1_773_144_000_000_i64);
    }

    /// Rows in existing tables have these tags. Never edit the expected values.
    #[test]
    fn stored_languages_are_frozen() {
        let tags = Language::ALL.map(|language| {
            let record = record_of(&ShareBuilder::new().language(language).build());
            let stored = serde_json::to_value(&record).unwrap();
            assert_eq!(record.into_share().unwrap().language, language);
            stored["language"].clone()
        });
        assert_eq!(tags, ["en", "de", "fr", "es", "da", "nl", "sv"]);
    }

    #[test]
    fn row_without_a_known_language_is_in_english() {
        for language in [None, Some("tlh".to_owned())] {
            let record = ShareRecord { language, ..record() };
            assert_eq!(record.into_share().unwrap().language, Language::English);
        }
    }

    /// Rows in existing tables have this form. Never edit the expected values.
    #[test]
    fn stored_reminder_is_frozen() {
        let new = ShareBuilder::new().reminder(3).expires_in(TimeDelta::days(7)).notify_on_first_download();
        let new = new.build();
        let first_digit = &new.id.to_string()[..1];
        let now = 1_773_144_000_000_i64;
        let due = now + TimeDelta::days(4).num_milliseconds();
        let sent = new.after_sending(SendOutcome::Sent, new.created_at);
        let reminded = sent.after_sending(SendOutcome::Sent, new.created_at);
        let failed = sent.after_sending(SendOutcome::Failed(MailReason::GivenUp), new.created_at);
        let mut dropped = sent.clone();
        dropped.reminder.as_mut().unwrap().state = ReminderState::Dropped;
        for (share, expected) in [
            (&new, serde_json::json!(["queued", first_digit, now, 3, null, null, null])),
            (&sent, serde_json::json!(["sent", first_digit, due, 3, null, null, null])),
            (&reminded, serde_json::json!(["sent", null, null, 3, "sent", now, null])),
            (&failed, serde_json::json!(["sent", null, null, 3, "failed", now, "givenUp"])),
            (&dropped, serde_json::json!(["sent", null, null, 3, "dropped", null, null])),
        ] {
            let stored = serde_json::to_value(record_of(share)).unwrap();
            let names = [
                "mailState",
                "mailShard",
                "mailDue",
                "remindDays",
                "remindState",
                "remindAt",
                "remindDetail",
            ];
            assert_eq!(serde_json::json!(names.map(|name| &stored[name])), expected);
            assert_eq!(stored["notifyOnFirstDownload"], true);
            assert_eq!(record_of(share).into_share().unwrap(), *share);
        }
    }

    #[test]
    fn place_in_the_outbox_belongs_to_an_email_or_a_reminder() {
        let sent = share(&["a"]).after_sending(SendOutcome::Sent, Timestamp::UNIX_EPOCH);
        let mut record = record_of(&sent);
        record.mail.mail_due = Some(0);
        assert_eq!(record.into_share().unwrap_err(), DecodeError("remindState"));
    }

    /// Rows in existing tables have this form. Never edit the expected values.
    #[test]
    fn index_partitions_are_frozen() {
        for (recipient, digit) in
            [("ann@example.com", '1'), ("eve@example.com", '2'), ("kim@example.com", '3')]
        {
            let share = ShareBuilder::new().recipient(recipient).build();
            let stored = serde_json::to_value(record_of(&share)).unwrap();
            assert_eq!(stored["sharerKey"], format!("02020202020202020202020202020202#{digit}"));
            assert_eq!(stored["recipientKey"], format!("03030303030303030303030303030303#{digit}"));
        }
    }

    #[test]
    fn record_keeps_the_index_hashes() {
        let hashes = record().index_hashes().unwrap();
        assert_eq!(hashes.sharer, SharerKey::from_bytes([2; 16]));
        assert_eq!(hashes.recipient, RecipientKey::from_bytes([3; 16]));
        for (attribute, damage) in [
            ("sharerKey", ShareRecord { sharer_key: "x#0".into(), ..record() }),
            ("recipientKey", ShareRecord { recipient_key: hashes.recipient.to_string(), ..record() }),
        ] {
            assert_eq!(damage.index_hashes().unwrap_err(), DecodeError(attribute));
        }
    }

    /// Rows in existing tables have this form. Never edit the expected values.
    #[test]
    fn stored_changes_by_recipients_are_frozen() {
        let at = Timestamp::UNIX_EPOCH;
        let more_time = Some(MoreTime { requests: 2, requested_at: at, version: 3 });
        for (wants_emails, attribute, other) in
            [(false, "emailsStoppedAt", "emailsAllowedAt"), (true, "emailsAllowedAt", "emailsStoppedAt")]
        {
            let email_choice = Some(EmailChoice { wants_emails, at, number: 4 });
            let changed = Share { more_time, email_choice, ..share(&["a"]) };
            let record = record_of(&changed);
            let stored: serde_json::Value = serde_json::to_value(&record).unwrap();
            assert_eq!(stored["moreTimeRequests"], 2);
            assert_eq!(stored["moreTimeRequestedAt"], 0);
            assert_eq!(stored["moreTimeVersion"], 3);
            assert_eq!(stored["emailChoices"], 4);
            assert_eq!((&stored[attribute], stored.get(other)), (&0.into(), None));
            assert_eq!(record.into_share().unwrap(), changed);
        }
    }

    /// Rows in existing tables have this form. Never edit the expected values.
    #[test]
    fn stored_renewal_is_frozen() {
        let at = Timestamp::UNIX_EPOCH;
        let change =
            Change { kind: ChangeKind::Renewal { notify: true }, action: Action { by: sharer("u1"), at } };
        let renewed = Share { changed: Some(change), renewed_at: Some(at), ..share(&["a"]) };
        let record = record_of(&renewed);
        let stored: serde_json::Value = serde_json::to_value(&record).unwrap();
        let action = serde_json::json!({"by": {"sub": "u1"}, "at": 0});
        let expected = serde_json::json!({"of": "renewal", "action": action, "notify": true});
        assert_eq!(stored["changed"], expected);
        assert_eq!(stored["renewedAt"], 0);
        assert_eq!(record.into_share().unwrap(), renewed);
    }
}
