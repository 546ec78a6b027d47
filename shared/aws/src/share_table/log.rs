//! An item's share log, newest first, by pages.

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use sharelink_domain::log::{LogEntry, LogEvent};
use sharelink_domain::{Item, Sharer, Timestamp};

use super::list::{CursorError, string};
use super::record::{DecodeError, sortable};
use super::{Attributes, PAGE_LIMIT, SERVICE, ShareTable};
use crate::AwsError;

/// The place in an item's log after which a page begins: an entry's time and its sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogCursor(String);

impl LogCursor {
    /// Reads a place as [`as_str`](Self::as_str) gave it.
    pub fn parse(text: &str) -> Result<Self, CursorError> {
        let (at, sequence) = text.split_once('#').ok_or(CursorError)?;
        let at: Timestamp = at.parse().map_err(|_| CursorError)?;
        let sequence = (1..=80).contains(&sequence.len()) && sequence.bytes().all(|b| b.is_ascii_graphic());
        if sequence && text.starts_with(&sortable(at)) { Ok(Self(text.to_owned())) } else { Err(CursorError) }
    }

    /// The place.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Some of an item's log.
#[derive(Clone, Debug)]
pub struct LogPage {
    /// Newest first.
    pub entries: Vec<LogEntry>,
    /// Where the next page begins, if there is one.
    pub next: Option<LogCursor>,
}

/// An entry in the table: `item` is `LOG#` and the item, `entry` the time and a sequence.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct LogRecord {
    item: String,
    entry: String,
    share_id: String,
    recipient: String,
    #[serde(flatten)]
    event: LogEvent,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Sharer>,
    ttl: i64,
}

impl ShareTable {
    /// Appends an entry to the item's log, where it stays for `retention`. An entry that is there already is
    /// written once more, the same as it was.
    pub async fn append_to_log(
        &self,
        item: &Item,
        entry: LogEntry,
        retention: TimeDelta,
    ) -> Result<(), AwsError> {
        let record = LogRecord {
            item: partition(item),
            entry: format!("{}#{}", sortable(entry.at), entry.sequence),
            share_id: entry.share.to_string(),
            recipient: entry.recipient.to_string(),
            event: entry.event,
            by: entry.by,
            ttl: (entry.at + retention).timestamp(),
        };
        let row = serde_dynamo::to_item(record).map_err(|_| AwsError::from(DecodeError("log entry")))?;
        let put = self.client.put_item().table_name(&self.name).set_item(Some(row)).send().await;
        put.map(|_| ()).map_err(|e| AwsError::new(SERVICE, &e))
    }

    /// A page of at most `limit` (1 to [`PAGE_LIMIT`]) entries of the item's log, newest first.
    pub async fn log(
        &self,
        item: &Item,
        limit: usize,
        after: Option<&LogCursor>,
    ) -> Result<LogPage, AwsError> {
        let limit = limit.clamp(1, PAGE_LIMIT);
        let partition = || AttributeValue::S(partition(item));
        let start = after.map(|cursor| {
            Attributes::from([
                ("item".to_owned(), partition()),
                ("entry".to_owned(), AttributeValue::S(cursor.0.clone())),
            ])
        });
        let answer = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .scan_index_forward(false)
            .key_condition_expression("#item = :item")
            .expression_attribute_names("#item", "item")
            .expression_attribute_values(":item", partition())
            // One more than the page tells whether there is a next one.
            .limit(i32::try_from(limit + 1).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(|e| AwsError::new(SERVICE, &e))?;
        let mut rows = answer.items.unwrap_or_default();
        // An answer ends at 1 MB, too.
        let more = rows.len() > limit || answer.last_evaluated_key.is_some();
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).and_then(|last| string(last, "entry"));
        let next = next.map(|entry| LogCursor(entry.to_owned()));
        let mut entries = Vec::new();
        for row in rows {
            // One row that cannot be read must not hide the others.
            match read(row) {
                Ok(entry) => entries.push(entry),
                Err(error) => tracing::error!(%error, "an entry was left out of a log"),
            }
        }
        Ok(LogPage { entries, next })
    }
}

fn partition(item: &Item) -> String {
    format!("LOG#{item}")
}

fn read(row: Attributes) -> Result<LogEntry, DecodeError> {
    let record: LogRecord = serde_dynamo::from_item(row).map_err(|_| DecodeError("attributes"))?;
    let (at, sequence) = record.entry.split_once('#').ok_or(DecodeError("entry"))?;
    Ok(LogEntry {
        at: at.parse().map_err(|_| DecodeError("entry"))?,
        sequence: sequence.to_owned(),
        share: record.share_id.parse().map_err(|_| DecodeError("shareId"))?,
        recipient: record.recipient.parse().map_err(|_| DecodeError("recipient"))?,
        event: record.event,
        by: record.by,
    })
}
