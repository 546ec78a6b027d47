//! Pages of all shares of a sharer or with a recipient, newest first.
//!
//! Each index spreads a hash's entries over [`PARTITIONS`] partitions, because one index partition takes only
//! 1,000 writes a second, and a write to the table waits for its indexes. A page reads the partitions
//! concurrently and merges them. A position is the sort key of an entry, so a page costs the same anywhere in
//! the list.
//!
//! The indexes are eventually consistent: a new share usually appears within a second. The shares themselves
//! are read with strong consistency, so a page never shows an outdated share.

use std::collections::VecDeque;
use std::fmt::Display;
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::try_join_all;
use sharelink_domain::{Item, RecipientKey, Share, ShareId, SharerKey, Status, Timestamp};

use super::list::{
    Cursor, PAGE_LIMIT, Page, QUERY_LIMIT, StatusFilter, cursor_at, decode_for_list, share_id,
};
use super::record::{DecodeError, ShareRecord, decode_optional_time, decode_time};
use super::{Attributes, SERVICE, ShareTable, string_attribute, text};
use crate::{AwsError, Error};

/// The number of partitions for each hash.
const PARTITIONS: u8 = 4;

/// The number of index entries that a page looks at, unless they end earlier. Bounds the time of a request
/// whose filter matches few shares.
const MAX_ENTRIES: usize = 4_000;

/// The number of shares that a page reads if the shares themselves are filtered.
const MAX_READS: usize = 500;

/// Which of the shares a list contains.
#[derive(Clone, Copy)]
pub struct Selection<'a> {
    pub status: Option<StatusFilter>,
    /// Whether the list may contain an item's shares.
    pub includes_item: &'a (dyn Fn(&Item) -> bool + Sync),
    /// Whether the list contains a share. `None` includes every share, which costs fewer reads.
    pub includes_share: Option<&'a (dyn Fn(&Share) -> bool + Sync)>,
}

impl Selection<'_> {
    /// Every share.
    pub const ALL: Selection<'static> =
        Selection { status: None, includes_item: &|_| true, includes_share: None };

    fn includes_entry(&self, entry: &IndexEntry, now: Timestamp) -> bool {
        let status = || Status::at(now, entry.expires_at, entry.revoked_at);
        (self.includes_item)(&entry.item) && self.status.is_none_or(|filter| filter.matches(status()))
    }

    fn includes_share(&self, share: &Share, now: Timestamp) -> bool {
        self.status.is_none_or(|filter| filter.matches(share.status(now)))
            && self.includes_share.is_none_or(|includes| includes(share))
    }
}

/// Returns the index partition of a share with this hash.
pub(super) fn partition(hash: &impl Display, id: ShareId) -> String {
    let [.., last] = id.to_bytes();
    format!("{hash}#{}", last % PARTITIONS)
}

/// Returns the hash in the name of an index partition.
pub(super) fn parse_partition<H: FromStr>(partition: &str) -> Option<H> {
    partition.split_once('#')?.0.parse().ok()
}

impl ShareTable {
    /// Returns a page of a sharer's shares, newest first.
    ///
    /// If the selection matches few shares, a page may contain fewer than `limit`, even none, although there
    /// is a next page.
    pub async fn list_by_sharer(
        &self,
        sharer: SharerKey,
        selection: &Selection<'_>,
        limit: usize,
        after: Option<&Cursor>,
        now: Timestamp,
    ) -> Result<Page, Error> {
        let index = Index { name: "bySharer", key: "sharerKey" };
        self.list_by_hash(index, &sharer, selection, limit, after, now).await
    }

    /// Returns a page of all sharers' shares with a recipient, like [`list_by_sharer`](Self::list_by_sharer).
    pub async fn list_by_recipient(
        &self,
        recipient: RecipientKey,
        selection: &Selection<'_>,
        limit: usize,
        after: Option<&Cursor>,
        now: Timestamp,
    ) -> Result<Page, Error> {
        let index = Index { name: "byRecipient", key: "recipientKey" };
        self.list_by_hash(index, &recipient, selection, limit, after, now).await
    }

    async fn list_by_hash(
        &self,
        index: Index,
        hash: &impl Display,
        selection: &Selection<'_>,
        limit: usize,
        after: Option<&Cursor>,
        now: Timestamp,
    ) -> Result<Page, Error> {
        let limit = limit.clamp(1, PAGE_LIMIT);
        // One batch is enough, unless the shares themselves are filtered.
        let batch = if selection.includes_share.is_some() { PAGE_LIMIT } else { limit };
        let is_selected = |entry: &IndexEntry| selection.includes_entry(entry, now);
        let mut entries = Entries::new(self, index, hash, batch, after);
        let mut shares = Vec::new();
        let mut reads = 0;
        loop {
            let mut found = Vec::with_capacity(batch);
            while found.len() < batch
                && let Some(entry) = entries.next(is_selected).await?
            {
                found.push(entry);
            }
            let Some(last) = found.last() else { return Ok(Page { shares, next: entries.position() }) };
            let last = last.position.clone();
            reads += found.len();
            let keys = found.iter().map(|entry| (&entry.item, entry.id));
            let mut records = self.read_records(keys).await?;
            let mut found = found.into_iter();
            while let Some(entry) = found.next() {
                // The share may have been purged and created again, by another sharer or later.
                let is_current =
                    |record: &ShareRecord| record.is_indexed_at(&entry.partition, entry.position.as_str());
                let record = records.remove(&entry.id).filter(is_current);
                let share = record.and_then(decode_for_list);
                shares.extend(share.filter(|share| selection.includes_share(share, now)));
                if shares.len() == limit {
                    let has_more = found.len() > 0 || entries.has_more(is_selected).await?;
                    return Ok(Page { shares, next: has_more.then_some(entry.position) });
                }
            }
            if reads >= MAX_READS {
                let has_more = entries.has_more(is_selected).await?;
                return Ok(Page { shares, next: has_more.then_some(last) });
            }
        }
    }

    /// Reads entries of an index partition, newest first.
    async fn read_partition(
        &self,
        index: Index,
        partition: &mut Partition,
        limit: usize,
    ) -> Result<(), Error> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(index.name)
            .scan_index_forward(false)
            .expression_attribute_names("#key", index.key)
            .expression_attribute_values(":key", text(&partition.name))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let query = match &partition.before {
            None => query.key_condition_expression("#key = :key"),
            Some(before) => query
                .key_condition_expression("#key = :key AND created < :before")
                .expression_attribute_values(":before", AttributeValue::S(before.clone())),
        };
        let response = query.send().await.map_err(|e| AwsError::new(SERVICE, &e))?;
        for row in response.items.unwrap_or_default() {
            match IndexEntry::parse(&row, &partition.name) {
                Ok(entry) => partition.entries.push_back(entry),
                // An invalid entry must not hide the others.
                Err(error) => tracing::error!(%error, "an index entry was skipped"),
            }
        }
        match response.last_evaluated_key {
            None => partition.is_finished = true,
            Some(last) => {
                let created = string_attribute(&last, "created").ok_or(DecodeError("created"))?;
                partition.before = Some(created.to_owned());
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Index {
    name: &'static str,
    /// The attribute that is the partition key.
    key: &'static str,
}

struct IndexEntry {
    partition: String,
    item: Item,
    id: ShareId,
    position: Cursor,
    created_at: Timestamp,
    expires_at: Timestamp,
    revoked_at: Option<Timestamp>,
}

impl IndexEntry {
    fn parse(row: &Attributes, partition: &str) -> Result<Self, DecodeError> {
        let item = string_attribute(row, "item").and_then(|item| Item::parse(item).ok());
        let millis = |name: &str| row.get(name).and_then(|value| value.as_n().ok()?.parse().ok());
        let position = cursor_at(row)?;
        Ok(Self {
            partition: partition.to_owned(),
            item: item.ok_or(DecodeError("item"))?,
            id: share_id(row)?,
            created_at: position.created_at().ok_or(DecodeError("created"))?,
            position,
            expires_at: decode_time(millis("expiresAt").ok_or(DecodeError("expiresAt"))?, "expiresAt")?,
            revoked_at: decode_optional_time(millis("revokedAt"), "revokedAt")?,
        })
    }
}

struct Partition {
    name: String,
    /// The entries that were read and not yet merged.
    entries: VecDeque<IndexEntry>,
    /// The sort key before which the unread entries are.
    before: Option<String>,
    is_finished: bool,
}

/// The merged entries of a hash's partitions, newest first.
struct Entries<'a> {
    table: &'a ShareTable,
    index: Index,
    partitions: Vec<Partition>,
    /// The number of entries that each query reads.
    query_limit: usize,
    /// The number of entries so far.
    count: usize,
    /// The creation time of the last entry.
    last: Option<Timestamp>,
    /// Whether [`MAX_ENTRIES`] were read and more may follow.
    is_exhausted: bool,
}

impl<'a> Entries<'a> {
    fn new(
        table: &'a ShareTable,
        index: Index,
        hash: &impl Display,
        batch: usize,
        after: Option<&Cursor>,
    ) -> Self {
        let partitions = (0..PARTITIONS).map(|n| Partition {
            name: format!("{hash}#{n}"),
            entries: VecDeque::new(),
            before: after.map(|cursor| cursor.as_str().to_owned()),
            is_finished: false,
        });
        Self {
            table,
            index,
            partitions: partitions.collect(),
            // Ids are random, so each partition has about a quarter of the entries. With this reserve, 3.5
            // standard deviations, hardly any page needs more than one query of each partition.
            query_limit: batch / usize::from(PARTITIONS) + 3 * batch.isqrt() / 2 + 2,
            count: 0,
            last: None,
            is_exhausted: false,
        }
    }

    /// Returns the next selected entry, or `None` at the end or after [`MAX_ENTRIES`].
    async fn next(&mut self, is_selected: impl Fn(&IndexEntry) -> bool) -> Result<Option<IndexEntry>, Error> {
        Ok(if self.find(is_selected).await? { self.take() } else { None })
    }

    /// Returns whether more entries may be selected.
    async fn has_more(&mut self, is_selected: impl Fn(&IndexEntry) -> bool) -> Result<bool, Error> {
        Ok(self.find(is_selected).await? || self.is_exhausted)
    }

    /// Returns the position after all entries so far, if more may follow.
    fn position(&self) -> Option<Cursor> {
        self.last.filter(|_| self.is_exhausted).map(Cursor::after_time)
    }

    /// Skips entries until the newest one is selected, and returns whether there is one.
    async fn find(&mut self, is_selected: impl Fn(&IndexEntry) -> bool) -> Result<bool, Error> {
        loop {
            self.fill().await?;
            let Some(newest) = self.newest() else { return Ok(false) };
            // Stop only between two times. The position then is a time: a caller may not be allowed to see the
            // id of the last share.
            if self.count >= MAX_ENTRIES && self.last.is_some_and(|last| newest.created_at < last) {
                self.is_exhausted = true;
                return Ok(false);
            }
            if is_selected(newest) {
                return Ok(true);
            }
            self.take();
        }
    }

    fn take(&mut self) -> Option<IndexEntry> {
        // A partition without entries is the least.
        let position =
            |partition: &Partition| partition.entries.front().map(|entry| &entry.position).cloned();
        let newest = self.partitions.iter_mut().max_by_key(|partition| position(partition))?;
        let entry = newest.entries.pop_front()?;
        self.count += 1;
        self.last = Some(entry.created_at);
        Some(entry)
    }

    fn newest(&self) -> Option<&IndexEntry> {
        let newest = self.partitions.iter().filter_map(|partition| partition.entries.front());
        newest.max_by(|a, b| a.position.cmp(&b.position))
    }

    /// Reads from the partitions whose entries have run out, so that the newest entry is known.
    async fn fill(&mut self) -> Result<(), Error> {
        while self.partitions.iter().any(|partition| partition.entries.is_empty() && !partition.is_finished) {
            let (table, index, limit) = (self.table, self.index, self.query_limit);
            // Those that will run out soon, too: the queries are concurrent.
            let may_run_out =
                |partition: &&mut Partition| !partition.is_finished && partition.entries.len() <= limit / 2;
            let reads = self.partitions.iter_mut().filter(may_run_out);
            try_join_all(reads.map(|partition| table.read_partition(index, partition, limit))).await?;
            // A few more entries are usually enough, but finding rare ones takes larger steps.
            self.query_limit = (limit * 2).min(QUERY_LIMIT);
        }
        Ok(())
    }
}
