//! An item's shares, newest first, by pages.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use sharelink_domain::share::{Status, status};
use sharelink_domain::{Item, Share, ShareId, Timestamp};
use thiserror::Error;

use super::record::{SHARE_PREFIX, created_key};
use super::{Attributes, SERVICE, ShareTable, key, millis, read_share};
use crate::AwsError;

/// DynamoDB reads at most this many items in one batch.
pub const PAGE_LIMIT: usize = 100;

/// The most entries of the index that one query reads.
const QUERY_LIMIT: usize = 1_000;

/// How long to wait, each time, before what one answer left out is asked for again: DynamoDB throttles a part of a
/// batch without an error that the SDK would retry.
const UNPROCESSED_WAITS: [Duration; 5] = [
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
];

/// A tab of the Manage Link Access dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusFilter {
    Active,
    Inactive,
}

impl StatusFilter {
    fn holds(self, status: Status) -> bool {
        (status == Status::Active) == (self == Self::Active)
    }

    fn filter(self) -> &'static str {
        match self {
            Self::Active => "expiresAt > :now AND attribute_not_exists(revokedAt)",
            Self::Inactive => "expiresAt <= :now OR attribute_exists(revokedAt)",
        }
    }
}

/// The place in an item's list after which a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(String);

/// A text that no page ended with.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("is not a cursor of this list")]
pub struct CursorError;

impl Cursor {
    /// Reads a place as [`as_str`](Self::as_str) gave it.
    pub fn parse(text: &str) -> Result<Self, CursorError> {
        let (at, id) = text.split_once('#').ok_or(CursorError)?;
        let at: Timestamp = at.parse().map_err(|_| CursorError)?;
        let id: ShareId = id.parse().map_err(|_| CursorError)?;
        // Strict: DynamoDB compares the very characters.
        if created_key(at, id) == text { Ok(Self(text.to_owned())) } else { Err(CursorError) }
    }

    /// The place: a creation time and a share's id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn to_start_key(&self, item: &Item) -> Attributes {
        let id = self.0.split_once('#').map_or("", |(_, id)| id);
        HashMap::from([
            ("item".to_owned(), AttributeValue::S(item.to_string())),
            ("entry".to_owned(), AttributeValue::S(format!("{SHARE_PREFIX}{id}"))),
            ("created".to_owned(), AttributeValue::S(self.0.clone())),
        ])
    }
}

/// Some of an item's shares.
#[derive(Clone, Debug)]
pub struct Page {
    /// Newest first.
    pub shares: Vec<Share>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

impl ShareTable {
    /// A page of at most `limit` (1 to [`PAGE_LIMIT`]) of the item's shares, strongly consistent: newest
    /// first, of both tabs or of one.
    ///
    /// Reads the index, whose entries hold the two dates that decide the tab, until the page is full; then
    /// the page's shares. A share that changes tabs in between is left out.
    pub async fn list(
        &self,
        item: &Item,
        tab: Option<StatusFilter>,
        limit: usize,
        after: Option<&Cursor>,
        now: Timestamp,
    ) -> Result<Page, AwsError> {
        let limit = limit.clamp(1, PAGE_LIMIT);
        // One more than the page tells whether there is a next one.
        let mut query_limit = limit + 1;
        let mut start = after.map(|cursor| cursor.to_start_key(item));
        let mut found = Vec::new();
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
                .expression_attribute_values(":item", AttributeValue::S(item.to_string()))
                .limit(i32::try_from(query_limit).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start);
            if let Some(tab) = tab {
                query =
                    query.filter_expression(tab.filter()).expression_attribute_values(":now", millis(now));
            }
            let answer = query.send().await.map_err(|e| AwsError::new(SERVICE, &e))?;
            found.extend(answer.items.unwrap_or_default());
            start = answer.last_evaluated_key;
            if found.len() > limit || start.is_none() {
                break;
            }
            // Fuller each time: a mixed item needs little more, a sparse tab reads on in large steps.
            query_limit = (query_limit * 2).min(QUERY_LIMIT);
        }
        let more = found.len() > limit;
        found.truncate(limit);
        let next = if more { found.last().map(cursor_at).transpose()? } else { None };
        let mut shares = self.read_all(item, &found).await?;
        shares
            .retain(|share| tab.is_none_or(|tab| tab.holds(status(share.expires_at, share.revoked_at, now))));
        Ok(Page { shares, next })
    }

    /// Reads the shares of these index entries, in their order; those purged in between are left out.
    async fn read_all(&self, item: &Item, entries: &[Attributes]) -> Result<Vec<Share>, AwsError> {
        let ids = entries.iter().map(share_id).collect::<Result<Vec<_>, _>>()?;
        let mut wanted: Vec<Attributes> = ids.iter().map(|id| key(item, *id)).collect();
        let (mut shares, mut waits) = (HashMap::new(), UNPROCESSED_WAITS.into_iter());
        while !wanted.is_empty() {
            let keys = KeysAndAttributes::builder()
                .set_keys(Some(wanted))
                .consistent_read(true)
                .build()
                .map_err(|_| AwsError::Rejected { service: SERVICE, code: "request".into() })?;
            let answer = self
                .client
                .batch_get_item()
                .request_items(&self.name, keys)
                .send()
                .await
                .map_err(|e| AwsError::new(SERVICE, &e))?;
            for attributes in answer.responses.into_iter().flat_map(HashMap::into_values).flatten() {
                // One row that cannot be read must not hide the others.
                match read_share(attributes) {
                    Ok(share) => drop(shares.insert(share.id, share)),
                    Err(error) => tracing::error!(%error, "a share was left out of a list"),
                }
            }
            // What one answer has no room for, or was throttled, comes with the next request.
            wanted = answer
                .unprocessed_keys
                .into_iter()
                .flat_map(HashMap::into_values)
                .flat_map(|keys| keys.keys)
                .collect();
            if !wanted.is_empty() {
                let wait = waits.next().ok_or_else(|| AwsError::Unavailable {
                    service: SERVICE,
                    code: "UnprocessedKeys".into(),
                })?;
                tokio::time::sleep(wait).await;
            }
        }
        Ok(ids.iter().filter_map(|id| shares.remove(id)).collect())
    }
}

fn share_id(entry: &Attributes) -> Result<ShareId, AwsError> {
    string(entry, "entry")
        .and_then(|entry| entry.strip_prefix(SHARE_PREFIX)?.parse().ok())
        .ok_or(AwsError::InvalidData { service: SERVICE, what: "entry" })
}

fn cursor_at(entry: &Attributes) -> Result<Cursor, AwsError> {
    string(entry, "created")
        .and_then(|created| Cursor::parse(created).ok())
        .ok_or(AwsError::InvalidData { service: SERVICE, what: "created" })
}

pub(super) fn string<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    attributes.get(name)?.as_s().ok().map(String::as_str)
}
