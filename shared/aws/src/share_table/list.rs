//! Pages of an item's shares, newest first.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use sharelink_domain::{Item, Share, ShareId, Status, Timestamp};
use thiserror::Error;

use super::record::{DecodeError, SHARE_PREFIX, ShareRecord, created_key};
use super::{Attributes, SERVICE, ShareTable, key, millis, string_attribute, text};
use crate::{AwsError, Error, InternalError};

/// The maximum number of shares on a page, which is the limit of `BatchGetItem`.
pub const PAGE_LIMIT: usize = 100;

/// The maximum number of index entries that one query reads.
pub(super) const QUERY_LIMIT: usize = 1_000;

/// The waits before each retry of unprocessed keys. DynamoDB can throttle part of a batch without returning
/// an error, so the SDK does not retry it.
const UNPROCESSED_WAITS: [Duration; 5] = [
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
];

/// The status that a list is filtered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusFilter {
    Active,
    Inactive,
}

impl StatusFilter {
    pub(super) fn matches(self, status: Status) -> bool {
        (status == Status::Active) == (self == Self::Active)
    }

    fn expression(self) -> &'static str {
        match self {
            Self::Active => "expiresAt > :now AND attribute_not_exists(revokedAt)",
            Self::Inactive => "expiresAt <= :now OR attribute_exists(revokedAt)",
        }
    }
}

/// The position in a list of shares after which a page begins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(String);

/// The error for a string that is not a cursor for the list.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("is not a cursor for this list")]
pub struct CursorError;

impl Cursor {
    /// Parses the text that [`as_str`](Self::as_str) returns.
    pub fn parse(text: &str) -> Result<Self, CursorError> {
        let (at, id) = text.split_once('#').ok_or(CursorError)?;
        let created_at: Timestamp = at.parse().map_err(|_| CursorError)?;
        let share: ShareId = id.parse().map_err(|_| CursorError)?;
        // Accept only the canonical form, because DynamoDB compares keys character by character.
        if created_key(created_at, share) == text { Ok(Self(text.to_owned())) } else { Err(CursorError) }
    }

    /// Returns the position after all shares that were created at this time or later.
    pub(super) fn after_time(at: Timestamp) -> Self {
        Self(created_key(at, ShareId::from_bytes([0; 16])))
    }

    /// Returns the creation time of the share at this position.
    pub(super) fn created_at(&self) -> Option<Timestamp> {
        self.0.split_once('#')?.0.parse().ok()
    }

    /// Returns the position as text: a creation time and a share id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn to_start_key(&self, item: &Item) -> Attributes {
        let id = self.0.split_once('#').map_or("", |(_, id)| id);
        HashMap::from([
            ("item".to_owned(), text(item)),
            ("entry".to_owned(), AttributeValue::S(format!("{SHARE_PREFIX}{id}"))),
            ("created".to_owned(), AttributeValue::S(self.0.clone())),
        ])
    }
}

/// A page of a list of shares.
#[derive(Clone, Debug)]
pub struct Page {
    /// Newest first.
    pub shares: Vec<Share>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

impl ShareTable {
    /// Lists at most `limit` (1 to [`PAGE_LIMIT`]) of the item's shares, newest first. The read is strongly
    /// consistent.
    ///
    /// Queries the index until the page is full, then reads the page's shares. The index entries contain the
    /// two dates that determine a share's status. A share that no longer matches the filter when it is read
    /// is omitted.
    pub async fn list(
        &self,
        item: &Item,
        filter: Option<StatusFilter>,
        limit: usize,
        after: Option<&Cursor>,
        now: Timestamp,
    ) -> Result<Page, Error> {
        let limit = limit.clamp(1, PAGE_LIMIT);
        // Request one extra entry, to find out whether there is a next page.
        let mut query_limit = limit + 1;
        let mut start = after.map(|cursor| cursor.to_start_key(item));
        let mut entries = Vec::new();
        loop {
            let mut query = self
                .client
                .query()
                .table_name(&self.name)
                .index_name("byCreated")
                .consistent_read(true)
                .scan_index_forward(false)
                .key_condition_expression("#item = :item")
                .expression_attribute_names("#item", "item")
                .expression_attribute_values(":item", text(item))
                .limit(i32::try_from(query_limit).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start);
            if let Some(filter) = filter {
                query = query
                    .filter_expression(filter.expression())
                    .expression_attribute_values(":now", millis(now));
            }
            let response = query.send().await.map_err(|e| AwsError::new(SERVICE, &e))?;
            entries.extend(response.items.unwrap_or_default());
            start = response.last_evaluated_key;
            if entries.len() > limit || start.is_none() {
                break;
            }
            // Double the limit each time: when statuses are mixed, a few more entries are enough, but finding
            // a rare status takes larger steps.
            query_limit = (query_limit * 2).min(QUERY_LIMIT);
        }
        let has_more = entries.len() > limit;
        entries.truncate(limit);
        let next = match entries.last() {
            Some(last) if has_more => Some(cursor_at(last)?),
            _ => None,
        };
        let mut shares = self.read_entries(item, &entries).await?;
        shares.retain(|share| filter.is_none_or(|filter| filter.matches(share.status(now))));
        Ok(Page { shares, next })
    }

    /// Reads the shares of these index entries, in the same order. Shares that have been purged since the
    /// query are omitted.
    async fn read_entries(&self, item: &Item, entries: &[Attributes]) -> Result<Vec<Share>, Error> {
        let ids = entries.iter().map(share_id).collect::<Result<Vec<_>, _>>()?;
        let mut records = self.read_records(ids.iter().map(|id| (item, *id))).await?;
        Ok(ids.iter().filter_map(|id| decode_for_list(records.remove(id)?)).collect())
    }

    /// Reads those of these shares that exist, with strong consistency: at most [`PAGE_LIMIT`]. Rows that
    /// cannot be parsed are omitted.
    pub(super) async fn read_records(
        &self,
        shares: impl Iterator<Item = (&Item, ShareId)>,
    ) -> Result<HashMap<ShareId, ShareRecord>, Error> {
        let mut remaining: Vec<Attributes> = shares.map(|(item, id)| key(item, id)).collect();
        let mut records = HashMap::new();
        let mut waits = UNPROCESSED_WAITS.into_iter();
        while !remaining.is_empty() {
            let keys = KeysAndAttributes::builder()
                .set_keys(Some(remaining))
                .consistent_read(true)
                .build()
                .map_err(|_| InternalError::Encoding("a batch of keys"))?;
            let response = self
                .client
                .batch_get_item()
                .request_items(&self.name, keys)
                .send()
                .await
                .map_err(|e| AwsError::new(SERVICE, &e))?;
            for attributes in response.responses.into_iter().flat_map(HashMap::into_values).flatten() {
                let parsed = share_id(&attributes).and_then(|id| Ok((id, ShareRecord::parse(attributes)?)));
                match parsed {
                    Ok((id, record)) => {
                        records.insert(id, record);
                    }
                    Err(error) => tracing::error!(%error, "a share could not be read"),
                }
            }
            // Keys that did not fit in the response or were throttled.
            remaining = response
                .unprocessed_keys
                .into_iter()
                .flat_map(HashMap::into_values)
                .flat_map(|keys| keys.keys)
                .collect();
            if !remaining.is_empty() {
                let wait = waits.next().ok_or_else(|| AwsError::Unavailable {
                    service: SERVICE,
                    code: "UnprocessedKeys".into(),
                })?;
                tokio::time::sleep(wait).await;
            }
        }
        Ok(records)
    }
}

/// Decodes a share for a list. An invalid row must not hide the other rows.
pub(super) fn decode_for_list(record: ShareRecord) -> Option<Share> {
    let share = record.into_share();
    share.inspect_err(|error| tracing::error!(%error, "a share was omitted from a list")).ok()
}

pub(super) fn share_id(entry: &Attributes) -> Result<ShareId, DecodeError> {
    string_attribute(entry, "entry")
        .and_then(|entry| entry.strip_prefix(SHARE_PREFIX)?.parse().ok())
        .ok_or(DecodeError("entry"))
}

pub(super) fn cursor_at(entry: &Attributes) -> Result<Cursor, DecodeError> {
    string_attribute(entry, "created")
        .and_then(|created| Cursor::parse(created).ok())
        .ok_or(DecodeError("created"))
}
