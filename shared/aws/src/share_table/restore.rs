//! Restoring missing and damaged rows from backups, which are other tables.
//!
//! Every write is conditional: it never replaces a row that appeared or changed since it was read. A restore
//! can therefore run while the system is in use, and an interrupted restore can be run again.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use chrono::TimeDelta;
use sharelink_domain::index_key::IndexKey;
use sharelink_domain::restore::{Decision, LiveRow, Policy, Remains, Replay, Restoration, SkipReason};
use sharelink_domain::{EmailAddress, IndexHashes, Item, Share, ShareId, Sharer, Timestamp};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::erasures::Erasures;
use super::log::{self, RESTORED_AT, ShareLog};
use super::record::{DecodeError, SHARE_PREFIX, ShareRecord, retention, sortable};
use super::stored::{StoredSharer, encode};
use super::{
    Attributes, SERVICE, ShareTable, ignore_failed_condition, millis, notices, string_attribute, text,
};
use crate::{AwsError, Error, InternalError, new_generation, new_write_id};

/// How to restore rows.
#[derive(Clone, Copy, Debug)]
pub struct RestoreOptions {
    pub policy: Policy,
    /// How long the log entries of the restoration are kept.
    pub log_retention: TimeDelta,
    pub max_writes_per_second: NonZeroU32,
    /// Whether to count the rows that would be written, without writing them.
    pub is_dry_run: bool,
}

/// The number of rows with each result. A dry run counts what it would write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RestoreSummary {
    /// Shares restored in their last known state.
    pub restored: u64,
    /// Shares restored as revoked, because they may have been revoked after their last known state.
    pub restored_as_revoked: u64,
    /// Shares whose rows are readable.
    pub intact: u64,
    /// Shares that were purged and created again, or whose link was renewed, and that so have a newer link.
    pub replaced: u64,
    /// Shares whose retention period has ended.
    pub retention_ended: u64,
    /// Shares whose row in the backup cannot be decoded.
    pub unreadable: u64,
    /// Shares that were not written, because their row was changing or DynamoDB throttled the write. Another
    /// run restores them if it is still necessary.
    pub not_written: u64,
    /// Log entries restored.
    pub log_entries: u64,
    /// Shares and log entries whose recipient was erased since.
    pub erased: u64,
    /// Switches that are off in the backup and were copied.
    pub switches: u64,
    /// Switches that are off in the backup and were not copied, because the live table has switches that show
    /// them as on.
    pub switches_left: u64,
}

/// Reads a table page by page: the given items' partitions, or the whole table if there are none.
async fn for_each_page(
    client: &Client,
    table: &str,
    items: &[Item],
    mut handle: impl AsyncFnMut(&[Attributes]) -> Result<(), Error>,
) -> Result<(), Error> {
    if items.is_empty() {
        let mut pages = client.scan().table_name(table).into_paginator().send();
        while let Some(page) = pages.next().await {
            handle(page.map_err(|e| AwsError::new(SERVICE, &e))?.items()).await?;
        }
    }
    for item in items {
        let query = query_partition(client, table, &item.to_string());
        let mut pages = query.key_condition_expression("#item = :item").into_paginator().send();
        while let Some(page) = pages.next().await {
            handle(page.map_err(|e| AwsError::new(SERVICE, &e))?.items()).await?;
        }
    }
    Ok(())
}

/// Returns a strongly consistent query of a partition, without a key condition.
fn query_partition(client: &Client, table: &str, partition: &str) -> QueryFluentBuilder {
    client
        .query()
        .table_name(table)
        .consistent_read(true)
        .expression_attribute_names("#item", "item")
        .expression_attribute_values(":item", text(&partition))
}

/// Returns the partition's rows from one sort key to another, both included, by their sort keys.
async fn rows_between(
    client: &Client,
    table: &str,
    partition: &str,
    first: &str,
    last: &str,
) -> Result<HashMap<String, Attributes>, AwsError> {
    let mut pages = query_partition(client, table, partition)
        .key_condition_expression("#item = :item AND entry BETWEEN :first AND :last")
        .expression_attribute_values(":first", text(&first))
        .expression_attribute_values(":last", text(&last))
        .into_paginator()
        .items()
        .send();
    let mut rows = HashMap::new();
    while let Some(row) = pages.next().await {
        let row = row.map_err(|e| AwsError::new(SERVICE, &e))?;
        if let Some(entry) = string_attribute(&row, "entry") {
            rows.insert(entry.to_owned(), row);
        }
    }
    Ok(rows)
}

/// The rows of a page that are in the same partition. A scan and a query return them one after the other, in
/// the order of their sort keys.
struct Group<'a> {
    partition: &'a str,
    first: &'a str,
    last: &'a str,
    rows: &'a [Attributes],
}

fn groups(rows: &[Attributes]) -> impl Iterator<Item = Group<'_>> {
    let by_partition = rows.chunk_by(|a, b| a.get("item") == b.get("item"));
    by_partition.filter_map(|rows| {
        let (first, last) = (rows.first()?, rows.last()?);
        Some(Group {
            partition: string_attribute(first, "item")?,
            first: string_attribute(first, "entry")?,
            last: string_attribute(last, "entry")?,
            rows,
        })
    })
}

/// A share that is missing or damaged in the live table.
struct LostShare {
    replay: Replay,
    /// The damaged row, if there is one.
    damaged: Option<Attributes>,
    kept: Kept,
}

/// What a restored row keeps from the backup, beside the share.
#[derive(Clone, Copy)]
struct Kept {
    hashes: IndexHashes,
    retention: TimeDelta,
}

impl LostShare {
    fn live_row(&self) -> LiveRow {
        self.damaged.as_ref().map_or(LiveRow::Missing, |row| LiveRow::Damaged(remains(row)))
    }
}

/// A restoration into a deployment's tables.
#[derive(Debug)]
pub struct Restore<'a> {
    shares: &'a ShareTable,
    log: &'a ShareLog,
    backup: &'a ShareTable,
    key: &'a IndexKey,
    erasures: Erasures<'a>,
    options: RestoreOptions,
    rate: Interval,
    summary: RestoreSummary,
}

impl<'a> Restore<'a> {
    /// Creates a restoration into these tables, which has restored nothing yet. `backup` is the backup of the
    /// table of shares. `key` is the key of the indexes' hashes, under which both tables remember who was
    /// erased.
    #[must_use]
    pub fn new(
        shares: &'a ShareTable,
        log: &'a ShareLog,
        backup: &'a ShareTable,
        key: &'a IndexKey,
        options: RestoreOptions,
    ) -> Self {
        let mut rate = interval(Duration::from_secs(1) / options.max_writes_per_second.get());
        rate.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let erasures = Erasures::new(shares, backup, key, options.is_dry_run);
        Self { shares, log, backup, key, erasures, options, rate, summary: RestoreSummary::default() }
    }

    /// Returns the numbers so far.
    #[must_use]
    pub fn summary(&self) -> RestoreSummary {
        self.summary
    }

    /// Restores missing log entries from a backup of the log. Restores only the given items, or every item if
    /// there are none. Restore the log before the shares: it shows what has happened to them.
    ///
    /// Calls `report` with the numbers so far after each page of the backup.
    pub async fn log_from(
        &mut self,
        backup: &ShareLog,
        items: &[Item],
        mut report: impl FnMut(&RestoreSummary),
    ) -> Result<(), Error> {
        for_each_page(&backup.client, &backup.name, items, async |rows| {
            for group in groups(rows) {
                self.restore_log(&group).await?;
            }
            report(&self.summary);
            Ok(())
        })
        .await
    }

    /// Restores missing and damaged shares from the backup. Expiry alarms are set again by the sweeper.
    /// Restores only the given items, or every item if there are none.
    ///
    /// First copies the switches, so that no paused link works again.
    ///
    /// Calls `report` with the numbers so far after each page of the backup.
    pub async fn shares(
        &mut self,
        items: &[Item],
        mut report: impl FnMut(&RestoreSummary),
    ) -> Result<(), Error> {
        let backup = self.backup;
        let switches = backup.copy_switches_to(self.shares, self.options.is_dry_run).await?;
        (self.summary.switches, self.summary.switches_left) = (switches.copied, switches.left);
        for_each_page(&backup.client, &backup.name, items, async |rows| {
            for row in rows {
                self.erasures.copy(row).await?;
                self.restore_settings(row).await?;
            }
            // Alarms are derived from shares, and retries no longer need old idempotency records. Notices may
            // have been sent since the backup, and the Inactive tab shows what they would say.
            for group in groups(rows).filter(|group| group.first.starts_with(SHARE_PREFIX)) {
                self.restore_shares(&group).await?;
            }
            report(&self.summary);
            Ok(())
        })
        .await
    }

    /// Copies a sharer's settings, unless the table has some, or the sharer was erased since.
    async fn restore_settings(&mut self, row: &Attributes) -> Result<(), Error> {
        let item = string_attribute(row, "item").unwrap_or_default();
        let Some(sharer) = item.strip_prefix(notices::SETTINGS_PARTITION) else { return Ok(()) };
        if self.options.is_dry_run || self.erasures.cover(&sharer, Timestamp::UNIX_EPOCH).await? {
            return Ok(());
        }
        self.rate.tick().await;
        let put = self.shares.client.put_item().table_name(&self.shares.name).set_item(Some(row.clone()));
        Ok(ignore_failed_condition(put.condition_expression("attribute_not_exists(entry)").send().await)?)
    }

    async fn restore_log(&mut self, group: &Group<'_>) -> Result<(), Error> {
        let Group { partition, first, last, rows } = group;
        let live = rows_between(&self.log.client, &self.log.name, partition, first, last).await?;
        for row in *rows {
            let is_live = string_attribute(row, "entry").is_some_and(|entry| live.contains_key(entry));
            let ttl = integer_attribute(row, "ttl").unwrap_or(i64::MAX);
            if is_live || ttl <= self.options.policy.now.timestamp() {
                continue;
            }
            let Some(mut row) = self.without_erased(row.clone()).await? else {
                self.summary.erased += 1;
                continue;
            };
            self.summary.log_entries += 1;
            if self.options.is_dry_run {
                continue;
            }
            self.rate.tick().await;
            // The event of the entry was published before.
            row.insert(RESTORED_AT.to_owned(), millis(self.options.policy.now));
            let put = self.log.client.put_item().table_name(&self.log.name).set_item(Some(row));
            ignore_failed_condition(put.condition_expression("attribute_not_exists(entry)").send().await)?;
        }
        Ok(())
    }

    /// Returns the log entry's row without the sharer if the sharer was erased since, or `None` if the
    /// recipient was erased since.
    async fn without_erased(&mut self, mut row: Attributes) -> Result<Option<Attributes>, Error> {
        let at = string_attribute(&row, "entry").and_then(|entry| entry.split_once('#')?.0.parse().ok());
        let at: Timestamp = at.unwrap_or(Timestamp::UNIX_EPOCH);
        let recipient = string_attribute(&row, "recipient").and_then(|address| address.parse().ok());
        let recipient: Option<EmailAddress> = recipient;
        if let Some(recipient) = recipient
            && self.erasures.cover_recipient(&recipient, at).await?
        {
            return Ok(None);
        }
        let sharer = row.get("by").cloned().map(serde_dynamo::from_attribute_value::<_, StoredSharer>);
        if let Some(Ok(stored)) = sharer {
            let mut sharer = stored.into();
            if self.erasures.replace_sharer(&mut sharer, at).await? {
                row.insert("by".to_owned(), encode(&StoredSharer::from(&sharer))?);
            }
        }
        Ok(Some(row))
    }

    /// Restores shares of one item.
    async fn restore_shares(&mut self, group: &Group<'_>) -> Result<(), Error> {
        let Group { partition, first, last, rows } = group;
        let mut live = rows_between(&self.shares.client, &self.shares.name, partition, first, last).await?;
        let mut lost = HashMap::new();
        for row in *rows {
            let Ok((mut share, mut kept)) = parse_backup(row) else {
                self.summary.unreadable += 1;
                continue;
            };
            let live_row = string_attribute(row, "entry").and_then(|entry| live.remove(entry));
            let id = share.id;
            let is_readable = matches!(live_row.as_ref().map(parse), Some(Ok(_)));
            if !is_readable {
                if self.erasures.cover_recipient(&share.recipient, share.created_at).await? {
                    self.summary.erased += 1;
                    continue;
                }
                for (sharer, at) in share.sharers_mut() {
                    self.erasures.replace_sharer(sharer, at).await?;
                }
                if share.created_by == Sharer::erased() {
                    kept.hashes.sharer = self.key.sharer(&share.created_by.sub);
                }
            }
            let replay = Replay::new(share);
            match live_row.as_ref().map(parse) {
                Some(Ok(readable)) => {
                    let row = LiveRow::Readable(readable.generation);
                    let policy = self.options.policy;
                    let decision = replay.decide(&row, kept.retention, policy, new_generation()?);
                    self.apply(decision, None, kept).await?;
                }
                Some(Err(_)) | None => {
                    lost.insert(id, LostShare { replay, damaged: live_row, kept });
                }
            }
        }
        self.replay_log(partition, &mut lost).await?;
        for share in lost.into_values() {
            let row = share.live_row();
            let policy = self.options.policy;
            let decision = share.replay.decide(&row, share.kept.retention, policy, new_generation()?);
            self.apply(decision, share.damaged, share.kept).await?;
        }
        Ok(())
    }

    /// Replays the live table's log on these shares of one item.
    async fn replay_log(&self, item: &str, lost: &mut HashMap<ShareId, LostShare>) -> Result<(), AwsError> {
        let Some(start) = lost.values().map(|share| share.replay.starts_at()).min() else { return Ok(()) };
        let mut entries = query_partition(&self.log.client, &self.log.name, item)
            .key_condition_expression("#item = :item AND entry >= :start")
            .expression_attribute_values(":start", text(&sortable(start)))
            .into_paginator()
            .items()
            .send();
        while let Some(row) = entries.next().await {
            let row = row.map_err(|e| AwsError::new(SERVICE, &e))?;
            // If an unreadable entry was a change, the share's version shows that a change is missing.
            let Ok(entry) = log::parse_row(row) else { continue };
            if let Some(share) = lost.get_mut(&entry.share) {
                share.replay.apply(&entry);
            }
        }
        Ok(())
    }

    /// Writes the restoration, if there is one, and counts the decision.
    async fn apply(
        &mut self,
        decision: Decision,
        damaged: Option<Attributes>,
        kept: Kept,
    ) -> Result<(), Error> {
        let summary = &mut self.summary;
        let restoration = match decision {
            Decision::Restore(restoration) => *restoration,
            Decision::Skip(reason) => {
                *match reason {
                    SkipReason::Intact => &mut summary.intact,
                    SkipReason::Replaced => &mut summary.replaced,
                    SkipReason::RetentionEnded => &mut summary.retention_ended,
                } += 1;
                return Ok(());
            }
        };
        let revokes = restoration.revokes;
        let is_written = self.options.is_dry_run || self.write(restoration, damaged, kept).await?;
        let summary = &mut self.summary;
        *match (is_written, revokes) {
            (false, _) => &mut summary.not_written,
            (true, false) => &mut summary.restored,
            (true, true) => &mut summary.restored_as_revoked,
        } += 1;
        Ok(())
    }

    /// Writes the share and its log entries in one transaction. Returns `false` if the row has changed since
    /// it was read or is being changed, or if DynamoDB throttled the write.
    async fn write(
        &mut self,
        restoration: Restoration,
        damaged: Option<Attributes>,
        kept: Kept,
    ) -> Result<bool, Error> {
        let Restoration { share, entries, .. } = restoration;
        let record = ShareRecord::new(&share, kept.hashes, new_write_id()?, kept.retention);
        let row = record.into_attributes()?;
        let mut transaction = vec![put_in(&self.shares.name, if_unchanged(Put::builder(), damaged), row)?];
        for entry in entries {
            let row = log::encode_row(&share.item, entry, self.options.log_retention)?;
            transaction.push(put_in(&self.log.name, Put::builder(), row)?);
        }
        self.rate.tick().await;
        let client = &self.shares.client;
        let written = client.transact_write_items().set_transact_items(Some(transaction)).send().await;
        let Err(error) = written else { return Ok(true) };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
                let mut codes = canceled.cancellation_reasons().iter().filter_map(|reason| reason.code());
                if codes.all(|code| HARMLESS_CANCELLATIONS.contains(&code)) {
                    Ok(false)
                } else {
                    Err(AwsError::new(SERVICE, &error).into())
                }
            }
            _ => Err(AwsError::new(SERVICE, &error).into()),
        }
    }
}

/// Returns a put as a part of a transaction.
pub(super) fn put_in(
    table: &str,
    put: PutBuilder,
    row: Attributes,
) -> Result<TransactWriteItem, InternalError> {
    let put = put.table_name(table).set_item(Some(row)).build();
    let put = put.map_err(|_| InternalError::Encoding("a row"))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// The reasons for a canceled transaction that another run may not meet. The SDK does not retry them.
/// `None` stands for the rows of the transaction that are not the cause
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>).
const HARMLESS_CANCELLATIONS: [&str; 5] = [
    "None",
    "ConditionalCheckFailed",
    "TransactionConflict",
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
];

/// Adds the condition that the row is still missing, or that the damaged row has not changed.
fn if_unchanged(put: PutBuilder, damaged: Option<Attributes>) -> PutBuilder {
    let Some(row) = damaged else { return put.condition_expression("attribute_not_exists(entry)") };
    let mut conditions = vec![];
    let mut put = put;
    for (n, (name, value)) in row.into_iter().enumerate() {
        conditions.push(format!("#a{n} = :a{n}"));
        put = put
            .expression_attribute_names(format!("#a{n}"), name)
            .expression_attribute_values(format!(":a{n}"), value);
    }
    put.condition_expression(conditions.join(" AND "))
}

/// Decodes a share from the backup. Its retention is the time from the end of access until its TTL.
fn parse_backup(row: &Attributes) -> Result<(Share, Kept), DecodeError> {
    let record = ShareRecord::parse(row.clone())?;
    let (ttl, hashes) = (record.ttl, record.index_hashes()?);
    let share = record.into_share()?;
    let retention = retention(&share, ttl);
    Ok((share, Kept { hashes, retention }))
}

fn parse(row: &Attributes) -> Result<Share, DecodeError> {
    ShareRecord::parse(row.clone())?.into_share()
}

fn remains(row: &Attributes) -> Remains {
    Remains {
        generation: string_attribute(row, "generation").and_then(|generation| generation.parse().ok()),
        version: integer_attribute(row, "version").and_then(|version| version.try_into().ok()),
        is_revoked: row.contains_key("revokedAt"),
    }
}

fn integer_attribute(row: &Attributes, name: &str) -> Option<i64> {
    row.get(name).map(AttributeValue::as_n)?.ok()?.parse().ok()
}
