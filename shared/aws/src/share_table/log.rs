//! The share log, in a table that has no index. In a table with a local index, as the table of shares has,
//! the log of one item could have at most 10 GB.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use sharelink_domain::log::{LogEntry, LogEvent};
use sharelink_domain::{Item, Timestamp};

use super::list::CursorError;
use super::record::{DecodeError, sortable};
use super::stored::{StoredDownloadError, StoredGeneration, StoredMailReason, StoredSharer, StoredUseSource};
use super::{Attributes, PAGE_LIMIT, SERVICE, ShareTable, ignore_failed_condition, string_attribute, text};
use crate::{AwsError, Error, InternalError};

/// The position in an item's log after which a page begins: an entry's time and sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogCursor(String);

impl LogCursor {
    /// Parses the text that [`as_str`](Self::as_str) returns.
    pub fn parse(text: &str) -> Result<Self, CursorError> {
        let (time, sequence) = text.split_once('#').ok_or(CursorError)?;
        let at: Timestamp = time.parse().map_err(|_| CursorError)?;
        let is_sequence =
            (1..=80).contains(&sequence.len()) && sequence.bytes().all(|b| b.is_ascii_graphic());
        if is_sequence && text.starts_with(&sortable(at)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(CursorError)
        }
    }

    /// Returns the position as text: an entry's time and sequence.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A page of an item's log.
#[derive(Clone, Debug)]
pub struct LogPage {
    /// Newest first.
    pub entries: Vec<LogEntry>,
    /// Where the next page begins, if there is one.
    pub next: Option<LogCursor>,
}

/// A row in the log. `item` is the item. `entry` is the time, `#` and the sequence.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct LogRow {
    item: String,
    entry: String,
    share_id: String,
    recipient: String,
    #[serde(flatten)]
    event: StoredEvent,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<StoredSharer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<StoredUseSource>,
    ttl: i64,
}

impl LogRow {
    fn into_entry(self) -> Result<LogEntry, DecodeError> {
        let (at, sequence) = self.entry.split_once('#').ok_or(DecodeError("entry"))?;
        Ok(LogEntry {
            at: at.parse().map_err(|_| DecodeError("entry"))?,
            sequence: sequence.to_owned(),
            share: self.share_id.parse().map_err(|_| DecodeError("shareId"))?,
            recipient: self.recipient.parse().map_err(|_| DecodeError("recipient"))?,
            event: self.event.into(),
            by: self.by.map(Into::into),
            source: self.source.map(Into::into),
        })
    }
}

/// The stored form of a [`LogEvent`].
#[derive(Deserialize, Serialize)]
#[serde(tag = "event", rename_all = "camelCase")]
enum StoredEvent {
    Created,
    Emailed,
    MailFailed {
        #[serde(rename = "detail")]
        reason: StoredMailReason,
    },
    Delivered,
    Bounced {
        #[serde(rename = "detail")]
        reason: StoredMailReason,
    },
    Complained,
    Reminded,
    ReminderFailed {
        #[serde(rename = "detail")]
        reason: StoredMailReason,
    },
    Opened {
        number: u64,
    },
    Downloaded {
        number: u64,
    },
    DownloadedAll {
        number: u64,
    },
    DownloadFailed {
        reason: StoredDownloadError,
    },
    ExpirationChanged {
        from: Timestamp,
        to: Timestamp,
    },
    Revoked,
    Reactivated,
    LinkCopied,
    LinkRenewed {
        generation: StoredGeneration,
    },
    Resent,
    MoreTimeRequested {
        number: u32,
    },
    EmailsStopped,
    EmailsAllowed,
    Expired,
    Purged {
        #[serde(rename = "createdAt", default, skip_serializing_if = "Option::is_none")]
        created_at: Option<Timestamp>,
    },
    Restored,
}

/// Converts between [`LogEvent`] and [`StoredEvent`], whose variants and fields have the same names.
macro_rules! convert_events {
    ($($variant:ident $({ $($field:ident),+ })?),+ $(,)?) => {
        impl From<LogEvent> for StoredEvent {
            fn from(event: LogEvent) -> Self {
                match event {
                    $(LogEvent::$variant $({ $($field),+ })? => {
                        Self::$variant $({ $($field: $field.into()),+ })?
                    })+
                }
            }
        }

        impl From<StoredEvent> for LogEvent {
            fn from(event: StoredEvent) -> Self {
                match event {
                    $(StoredEvent::$variant $({ $($field),+ })? => {
                        Self::$variant $({ $($field: $field.into()),+ })?
                    })+
                }
            }
        }
    };
}

convert_events! {
    Created, Emailed, MailFailed { reason }, Delivered, Bounced { reason }, Complained, Reminded,
    ReminderFailed { reason }, Opened { number },
    Downloaded { number }, DownloadedAll { number }, DownloadFailed { reason }, ExpirationChanged { from, to },
    Revoked, Reactivated, LinkCopied, LinkRenewed { generation }, Resent,
    MoreTimeRequested { number }, EmailsStopped, EmailsAllowed, Expired, Purged { created_at }, Restored,
}

/// The share log.
#[derive(Clone, Debug)]
pub struct ShareLog {
    pub(super) client: Client,
    pub(super) name: String,
}

impl ShareLog {
    /// Creates a client for the log in the table with this name. It shares the connections of the client for
    /// the shares.
    #[must_use]
    pub fn beside(shares: &ShareTable, name: impl Into<String>) -> Self {
        Self { client: shares.client.clone(), name: name.into() }
    }

    /// Appends an entry to the item's log. TTL deletes the entry after `retention`. Appending the same entry
    /// again changes nothing. A [correction](LogEntry::is_correction) replaces the entry that it corrects,
    /// and stays if that entry is appended later.
    pub async fn append(&self, item: &Item, entry: LogEntry, retention: TimeDelta) -> Result<(), Error> {
        let condition = (!entry.is_correction()).then(|| "attribute_not_exists(entry)".to_owned());
        let attributes = encode_row(item, entry, retention)?;
        let put = self.client.put_item().table_name(&self.name).set_item(Some(attributes));
        Ok(ignore_failed_condition(put.set_condition_expression(condition).send().await)?)
    }

    /// Removes an entry from the item's log, because the share's recipient was erased.
    pub async fn remove(&self, item: &Item, entry: &LogEntry) -> Result<(), AwsError> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.name)
            .key("item", text(item))
            .key("entry", AttributeValue::S(entry_key(entry)));
        delete.send().await.map(drop).map_err(|e| AwsError::new(SERVICE, &e))
    }

    /// Lists at most `limit` (1 to [`PAGE_LIMIT`]) entries of the item's log, newest first.
    pub async fn list(
        &self,
        item: &Item,
        limit: usize,
        after: Option<&LogCursor>,
    ) -> Result<LogPage, AwsError> {
        let limit = limit.clamp(1, PAGE_LIMIT);
        let start = after.map(|cursor| {
            Attributes::from([
                ("item".to_owned(), text(item)),
                ("entry".to_owned(), AttributeValue::S(cursor.0.clone())),
            ])
        });
        let response = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .scan_index_forward(false)
            .key_condition_expression("#item = :item")
            .expression_attribute_names("#item", "item")
            .expression_attribute_values(":item", text(item))
            // Request one extra entry, to find out whether there is a next page.
            .limit(i32::try_from(limit + 1).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(|e| AwsError::new(SERVICE, &e))?;
        let mut rows = response.items.unwrap_or_default();
        // DynamoDB also cuts a response off at 1 MB.
        let has_more = rows.len() > limit || response.last_evaluated_key.is_some();
        rows.truncate(limit);
        let last = rows.last().filter(|_| has_more).and_then(|row| string_attribute(row, "entry"));
        let next = last.map(|entry| LogCursor(entry.to_owned()));
        let mut entries = Vec::new();
        for row in rows {
            // An invalid row must not hide the other rows.
            match parse_row(row) {
                Ok(entry) => entries.push(entry),
                Err(error) => tracing::error!(%error, "an entry was omitted from a log"),
            }
        }
        Ok(LogPage { entries, next })
    }
}

/// Returns an entry's sort key.
fn entry_key(entry: &LogEntry) -> String {
    format!("{}#{}", sortable(entry.at), entry.sequence)
}

pub(super) fn encode_row(
    item: &Item,
    entry: LogEntry,
    retention: TimeDelta,
) -> Result<Attributes, InternalError> {
    let row = LogRow {
        item: item.to_string(),
        entry: entry_key(&entry),
        share_id: entry.share.to_string(),
        recipient: entry.recipient.to_string(),
        event: entry.event.into(),
        by: entry.by.as_ref().map(StoredSharer::from),
        source: entry.source.map(StoredUseSource::from),
        ttl: (entry.at + retention).timestamp(),
    };
    serde_dynamo::to_item(row).map_err(|_| InternalError::Encoding("a log entry"))
}

pub(super) fn parse_row(attributes: Attributes) -> Result<LogEntry, DecodeError> {
    serde_dynamo::from_item::<_, LogRow>(attributes).map_err(|_| DecodeError("attributes"))?.into_entry()
}

/// Returns whether the row with these keys is an entry of the log, and not a row of the table of shares.
#[must_use]
pub fn is_log_entry(keys: &serde_dynamo::Item) -> bool {
    let entry = keys.inner().get("entry");
    matches!(entry, Some(serde_dynamo::AttributeValue::S(entry)) if LogCursor::parse(entry).is_ok())
}

/// The attribute by which an entry that was copied from a backup is recognized.
pub(super) const RESTORED_AT: &str = "restoredAt";

/// Parses an entry and its item from an image in the log's stream. Returns `None` for an entry that a restoration
/// has copied from a backup.
pub fn parse_log_image(image: serde_dynamo::Item) -> Result<Option<(Item, LogEntry)>, DecodeError> {
    if image.inner().contains_key(RESTORED_AT) {
        return Ok(None);
    }
    let row: LogRow = serde_dynamo::from_item(image).map_err(|_| DecodeError("attributes"))?;
    let item = Item::parse(&row.item).map_err(|_| DecodeError("item"))?;
    Ok(Some((item, row.into_entry()?)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sharelink_domain::access::DownloadError;
    use sharelink_domain::{Generation, MailReason};

    use super::*;

    /// Rows in existing logs have this form. Never edit the expected values.
    #[test]
    fn stored_events_are_frozen() {
        let (from, to) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH + TimeDelta::milliseconds(1));
        let changed = json!({
            "event": "expirationChanged", "from": "1970-01-01T00:00:00Z", "to": "1970-01-01T00:00:00.001Z",
        });
        for (event, stored) in [
            (LogEvent::Created, json!({"event": "created"})),
            (LogEvent::Opened { number: 128 }, json!({"event": "opened", "number": 128})),
            (LogEvent::Downloaded { number: 1 }, json!({"event": "downloaded", "number": 1})),
            (LogEvent::DownloadedAll { number: 2 }, json!({"event": "downloadedAll", "number": 2})),
            (
                LogEvent::MailFailed { reason: MailReason::GivenUp },
                json!({"event": "mailFailed", "detail": "givenUp"}),
            ),
            (LogEvent::Reminded, json!({"event": "reminded"})),
            (
                LogEvent::ReminderFailed { reason: MailReason::GivenUp },
                json!({"event": "reminderFailed", "detail": "givenUp"}),
            ),
            (
                LogEvent::Bounced { reason: MailReason::MailboxFull },
                json!({"event": "bounced", "detail": "mailboxFull"}),
            ),
            (
                LogEvent::DownloadFailed { reason: DownloadError::Forbidden },
                json!({"event": "downloadFailed", "reason": "forbidden"}),
            ),
            (LogEvent::ExpirationChanged { from, to }, changed),
            (LogEvent::Purged { created_at: None }, json!({"event": "purged"})),
            (
                LogEvent::Purged { created_at: Some(to) },
                json!({"event": "purged", "createdAt": "1970-01-01T00:00:00.001Z"}),
            ),
            (LogEvent::LinkCopied, json!({"event": "linkCopied"})),
            (
                LogEvent::LinkRenewed { generation: Generation::from_bytes([7; 16]) },
                json!({"event": "linkRenewed", "generation": "07070707070707070707070707070707"}),
            ),
            (LogEvent::Restored, json!({"event": "restored"})),
            (LogEvent::MoreTimeRequested { number: 2 }, json!({"event": "moreTimeRequested", "number": 2})),
            (LogEvent::EmailsStopped, json!({"event": "emailsStopped"})),
            (LogEvent::EmailsAllowed, json!({"event": "emailsAllowed"})),
        ] {
            assert_eq!(serde_json::to_value(StoredEvent::from(event.clone())).unwrap(), stored);
            let parsed: StoredEvent = serde_json::from_value(stored).unwrap();
            assert_eq!(LogEvent::from(parsed), event);
        }
    }
}
