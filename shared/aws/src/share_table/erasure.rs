//! Erasing people from both tables.
//!
//! First records the time of the erasure, so that `sweep-shares` logs nothing more about erased recipients.
//! Then deletes the shares that the index finds, which ends access within seconds, and at last scans both
//! tables for everything else. Every step is idempotent, so an erasure that was interrupted can be run again.
//!
//! An erasure covers what was created at its recorded time or earlier. A share that was created later, while
//! the erasure runs, is deleted too, but only after a later time was recorded.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use futures_util::{StreamExt, TryStreamExt, stream};
use sharelink_domain::email_limits::Counter;
use sharelink_domain::erasure::People;
use sharelink_domain::hash_key::HashKey;
use sharelink_domain::index_key::IndexKey;
use sharelink_domain::{EmailAddress, Item, RecipientKey, Share, ShareId, Sharer, SharerKey, Timestamp};

use super::all_shares::{Selection, partition};
use super::notices::{self, notices_key, settings_key};
use super::record::SHARE_PREFIX;
use super::stored::{StoredSharer, encode};
use super::traces::{Finder, Parts, Trace, scan, value_at};
use super::{
    Attributes, Cursor, PAGE_LIMIT, Page, SERVICE, ShareLog, ShareTable, counters, key, string_attribute,
};
use crate::failure_queue::{FailureQueue, MessageAction};
use crate::{AwsError, Error};

/// The maximum number of concurrent writes.
const CONCURRENCY: usize = 16;

/// How often an edit is tried again because the row has changed since it was read.
const MAX_EDITS: usize = 10;

/// The keys of the hashes under which people are stored.
#[derive(Clone, Copy)]
pub struct PersonKeys<'a> {
    /// The key of the hashes in the indexes.
    pub index: &'a IndexKey,
    /// The key of the hashes in the counters of emails.
    pub counters: &'a HashKey,
}

/// How to erase people.
#[derive(Clone, Copy, Debug)]
pub struct ErasureOptions {
    pub now: Timestamp,
    /// Whether to remove other shares' messages and titles that mention a recipient, instead of counting them.
    pub is_deep: bool,
    /// Whether to count what would be erased, without writing anything.
    pub is_dry_run: bool,
}

/// The number of things of each kind. A dry run counts what it would erase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErasureSummary {
    /// Shares deleted.
    pub shares: u64,
    /// Log entries deleted.
    pub log_entries: u64,
    /// Counters of emails deleted.
    pub counters: u64,
    /// Rows of notices and of settings deleted.
    pub notices: u64,
    /// Notices to other sharers that no longer name their share.
    pub notices_edited: u64,
    /// Idempotency records deleted.
    pub requests: u64,
    /// Expiry alarms deleted that no longer had a share.
    pub alarms: u64,
    /// Failed SES reports deleted.
    pub reports: u64,
    /// Failed SES reports that another consumer has received, and that were not searched.
    pub reports_in_flight: u64,
    /// Other shares in which a sharer was replaced.
    pub shares_edited: u64,
    /// Other log entries in which a sharer was replaced.
    pub log_entries_edited: u64,
    /// Messages and titles of other shares that were removed.
    pub texts: u64,
    /// Messages, titles, file names and other texts that mention a recipient, and that remain.
    pub texts_left: u64,
    /// Rows that were not edited, because they kept changing. Another run edits them.
    pub not_edited: u64,
}

/// An erasure from a deployment's tables.
pub struct Erasure<'a> {
    shares: &'a ShareTable,
    log: &'a ShareLog,
    keys: PersonKeys<'a>,
    people: &'a People,
    finder: Finder<'a>,
    options: ErasureOptions,
    /// The addresses of the erased sharers, as their shares name them.
    sharers_addresses: BTreeSet<String>,
    summary: ErasureSummary,
}

impl<'a> Erasure<'a> {
    /// Creates an erasure of these people, which has erased nothing yet.
    #[must_use]
    pub fn new(
        shares: &'a ShareTable,
        log: &'a ShareLog,
        keys: PersonKeys<'a>,
        people: &'a People,
        options: ErasureOptions,
    ) -> Self {
        let finder = Finder::new(people, keys.index);
        let (sharers_addresses, summary) = (BTreeSet::new(), ErasureSummary::default());
        Self { shares, log, keys, people, finder, options, sharers_addresses, summary }
    }

    /// Returns the numbers so far.
    #[must_use]
    pub fn summary(&self) -> ErasureSummary {
        self.summary
    }

    /// Erases the people. Calls `report` with the numbers so far from time to time.
    pub async fn run(
        &mut self,
        reports: &FailureQueue,
        mut report: impl FnMut(&ErasureSummary),
    ) -> Result<(), Error> {
        self.record().await?;
        self.delete_indexed_shares().await?;
        report(&self.summary);
        self.delete_counters().await?;
        self.delete_notices().await?;
        self.delete_reports(reports).await?;
        let (shares, log) = (self.shares, self.log);
        scan(&shares.client, &shares.name, async |rows| {
            self.erase_from_shares(rows).await?;
            report(&self.summary);
            Ok(())
        })
        .await?;
        scan(&log.client, &log.name, async |rows| {
            self.erase_from_log(rows).await?;
            report(&self.summary);
            Ok(())
        })
        .await
    }

    async fn record(&self) -> Result<(), AwsError> {
        if self.options.is_dry_run {
            return Ok(());
        }
        for recipient in self.people.recipients() {
            self.shares.record_erasure(&self.keys.index.recipient(recipient), self.options.now).await?;
        }
        for sub in self.people.sharers() {
            self.shares.record_erasure(&self.keys.index.sharer(sub), self.options.now).await?;
        }
        Ok(())
    }

    /// Deletes the shares that the index finds, so that access ends before the tables are scanned. Also
    /// collects the sharers' addresses.
    async fn delete_indexed_shares(&mut self) -> Result<(), Error> {
        for recipient in self.people.recipients() {
            let hash = self.keys.index.recipient(recipient);
            let mut after = None;
            loop {
                let page = self.page_of_recipient(hash, after.as_ref()).await?;
                // A dry run counts them in the scan.
                if !self.options.is_dry_run {
                    let created_at = page.shares.iter().map(|share| share.created_at).max();
                    self.cover(recipient, created_at).await?;
                    let shares = self.shares;
                    stream::iter(&page.shares)
                        .map(|share| async move { shares.delete(share).await })
                        .buffer_unordered(CONCURRENCY)
                        .try_collect::<Vec<()>>()
                        .await?;
                    self.summary.shares += page.shares.len() as u64;
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        for sub in self.people.sharers() {
            let hash = self.keys.index.sharer(sub);
            let mut after = None;
            loop {
                let page = self.page_of_sharer(hash, after.as_ref()).await?;
                let addresses = page.shares.iter().filter_map(|share| share.created_by.email.as_ref());
                self.sharers_addresses.extend(addresses.map(EmailAddress::identity));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Records a later erasure of a recipient if a share to delete was created after the recorded time.
    async fn cover(&self, recipient: &EmailAddress, created_at: Option<Timestamp>) -> Result<(), AwsError> {
        match created_at.filter(|created_at| *created_at > self.options.now && !self.options.is_dry_run) {
            Some(later) => self.shares.record_erasure(&self.keys.index.recipient(recipient), later).await,
            None => Ok(()),
        }
    }

    async fn page_of_recipient(&self, hash: RecipientKey, after: Option<&Cursor>) -> Result<Page, Error> {
        self.shares.list_by_recipient(hash, &Selection::ALL, PAGE_LIMIT, after, self.options.now).await
    }

    async fn page_of_sharer(&self, hash: SharerKey, after: Option<&Cursor>) -> Result<Page, Error> {
        self.shares.list_by_sharer(hash, &Selection::ALL, PAGE_LIMIT, after, self.options.now).await
    }

    async fn delete_counters(&mut self) -> Result<(), Error> {
        let now = self.options.now;
        let of_mailbox = |address| Counter::of_mailbox(self.keys.counters, address, now);
        let of_sharer = |sub: &str| {
            let sharer = Sharer { sub: sub.to_owned(), name: None, email: None };
            Counter::of_sharer(self.keys.counters, &sharer, now)
        };
        let recipients = self.people.recipients().iter().map(of_mailbox);
        let counters: Vec<Counter> = recipients.chain(self.people.sharers().map(of_sharer)).collect();
        for counter in counters {
            for row in self.shares.counter_rows(&counter).await? {
                self.summary.counters += 1;
                self.delete_row(row).await?;
            }
        }
        Ok(())
    }

    /// Deletes the sharers' notices and settings. Later notices are about shares that no longer name them,
    /// and are dropped.
    async fn delete_notices(&mut self) -> Result<(), Error> {
        let sharers: Vec<SharerKey> = self.people.sharers().map(|sub| self.keys.index.sharer(sub)).collect();
        for key in sharers.into_iter().flat_map(|sharer| [notices_key(sharer), settings_key(sharer)]) {
            if let Some(row) = self.shares.read_row(&key).await? {
                self.summary.notices += 1;
                self.delete_row(row).await?;
            }
        }
        Ok(())
    }

    async fn delete_reports(&mut self, reports: &FailureQueue) -> Result<(), Error> {
        let addresses: Vec<EmailAddress> =
            self.sharers_addresses.iter().filter_map(|address| address.parse().ok()).collect();
        let sharers = People::new(addresses, []);
        self.summary.reports_in_flight = reports.messages_in_flight().await?;
        let (mut found, is_dry_run) = (0, self.options.is_dry_run);
        let searched = reports.for_each(|body| {
            let is_mentioned = self.people.are_mentioned_in(body) || sharers.are_mentioned_in(body);
            found += u64::from(is_mentioned);
            if is_mentioned && !is_dry_run { MessageAction::Delete } else { MessageAction::Keep }
        });
        searched.await?;
        self.summary.reports += found;
        Ok(())
    }

    async fn erase_from_shares(&mut self, rows: Vec<Attributes>) -> Result<(), Error> {
        for row in rows {
            self.edit_notices(&row).await?;
            match self.finder.trace_in_share(&row) {
                Trace::Nothing => {}
                Trace::Row => {
                    let entry = string_attribute(&row, "entry").unwrap_or_default();
                    let item = string_attribute(&row, "item").unwrap_or_default();
                    if entry.starts_with(SHARE_PREFIX) {
                        for recipient in self.finder.recipients_of(&row) {
                            self.cover(recipient, created_at(&row)).await?;
                        }
                    }
                    *if entry.starts_with(SHARE_PREFIX) {
                        &mut self.summary.shares
                    } else if item.starts_with(super::alarms::PREFIX) {
                        &mut self.summary.alarms
                    } else {
                        &mut self.summary.requests
                    } += 1;
                    self.delete_row(row).await?;
                }
                Trace::Parts(parts) => self.edit_share(row, parts).await?,
            }
        }
        Ok(())
    }

    async fn delete_row(&self, row: Attributes) -> Result<(), AwsError> {
        if self.options.is_dry_run { Ok(()) } else { self.shares.delete_row(row).await }
    }

    async fn erase_from_log(&mut self, rows: Vec<Attributes>) -> Result<(), Error> {
        let mut deletions = Vec::new();
        for row in rows {
            match self.finder.trace_in_log(&row) {
                Trace::Nothing => {}
                Trace::Row => deletions.push(row),
                Trace::Parts(parts) => {
                    self.summary.texts_left += parts.other_texts;
                    self.edit_log(row, parts).await?;
                }
            }
        }
        self.summary.log_entries += deletions.len() as u64;
        if self.options.is_dry_run {
            return Ok(());
        }
        let log = self.log;
        stream::iter(deletions)
            .map(|row| async move { log.delete_row(row).await })
            .buffer_unordered(CONCURRENCY)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(())
    }

    /// Removes the ids of the recipients' shares from a row of notices.
    async fn edit_notices(&mut self, row: &Attributes) -> Result<(), AwsError> {
        let sharer = string_attribute(row, "item").and_then(notices::parse_partition);
        let is_erased = |item: &Item, id| self.people.includes_share(item, id);
        let found = notices::find_erased(row, is_erased).len() as u64;
        let Some(sharer) = sharer.filter(|_| found > 0) else { return Ok(()) };
        self.summary.notices_edited += if self.options.is_dry_run {
            found
        } else {
            self.shares.forget_notices(sharer, is_erased).await?
        };
        Ok(())
    }

    /// Replaces the sharers in another recipient's share, and removes the texts that mention a recipient.
    async fn edit_share(&mut self, row: Attributes, parts: Parts) -> Result<(), Error> {
        let (mut row, mut parts) = (row, parts);
        self.summary.texts_left += parts.other_texts;
        for _ in 0..MAX_EDITS {
            let texts = if self.options.is_deep { parts.texts.as_slice() } else { &[] };
            let has_edits = !parts.sharers.is_empty() || !texts.is_empty();
            if self.options.is_dry_run || !has_edits || self.try_edit_share(&row, &parts, texts).await? {
                self.summary.texts += texts.len() as u64;
                self.summary.texts_left += (parts.texts.len() - texts.len()) as u64;
                self.summary.shares_edited += u64::from(!parts.sharers.is_empty());
                return Ok(());
            }
            let Some(current) = self.shares.read_row(&row).await? else { return Ok(()) };
            let Trace::Parts(current_parts) = self.finder.trace_in_share(&current) else { return Ok(()) };
            (row, parts) = (current, current_parts);
        }
        self.summary.not_edited += 1;
        Ok(())
    }

    /// Returns `false` if the row has changed since it was read.
    async fn try_edit_share(&self, row: &Attributes, parts: &Parts, texts: &[&str]) -> Result<bool, Error> {
        let mut edit = Edit::new(row);
        for (path, sharer) in &parts.sharers {
            edit.replace_sharer(path, sharer)?;
            let id: Option<ShareId> = string_attribute(row, "entry")
                .and_then(|entry| entry.strip_prefix(SHARE_PREFIX)?.parse().ok());
            if let Some(id) = id.filter(|_| *path == ["createdBy"]) {
                let hash = self.keys.index.sharer(&sharer.sub);
                edit.set(&["sharerKey"], super::text(&partition(&hash, id)));
            }
        }
        for name in texts {
            edit.remove(name);
        }
        edit.run(self.shares.client.update_item().table_name(&self.shares.name)).await
    }

    async fn edit_log(&mut self, row: Attributes, parts: Parts) -> Result<(), Error> {
        if parts.sharers.is_empty() {
            return Ok(());
        }
        self.summary.log_entries_edited += 1;
        if self.options.is_dry_run {
            return Ok(());
        }
        let mut edit = Edit::new(&row);
        for (path, sharer) in &parts.sharers {
            edit.replace_sharer(path, sharer)?;
        }
        // Only another erasure or TTL can have changed it.
        edit.run(self.log.client.update_item().table_name(&self.log.name)).await?;
        Ok(())
    }
}

/// A conditional update of some of a row's attributes.
struct Edit<'a> {
    row: &'a Attributes,
    set: Vec<String>,
    remove: Vec<String>,
    conditions: Vec<String>,
    names: Attributes2,
    values: Attributes,
}

type Attributes2 = std::collections::HashMap<String, String>;

impl<'a> Edit<'a> {
    fn new(row: &'a Attributes) -> Self {
        let conditions = vec!["attribute_exists(entry)".to_owned()];
        Self {
            row,
            set: vec![],
            remove: vec![],
            conditions,
            names: Attributes2::new(),
            values: Attributes::new(),
        }
    }

    /// Returns the expression for a path, whose names may be reserved words.
    fn path(&mut self, path: &[&str]) -> String {
        let mut placeholder = |name: &&str| {
            self.names.insert(format!("#{name}"), (*name).to_owned());
            format!("#{name}")
        };
        path.iter().map(&mut placeholder).collect::<Vec<_>>().join(".")
    }

    fn value(&mut self, value: aws_sdk_dynamodb::types::AttributeValue) -> String {
        let name = format!(":v{}", self.values.len());
        self.values.insert(name.clone(), value);
        name
    }

    /// Requires that the value is still the same as in the row.
    fn expect_unchanged(&mut self, path: &[&str]) {
        if let Some(value) = value_at(self.row, path).cloned() {
            let condition = format!("{} = {}", self.path(path), self.value(value));
            self.conditions.push(condition);
        }
    }

    fn set(&mut self, path: &[&str], value: aws_sdk_dynamodb::types::AttributeValue) {
        let assignment = format!("{} = {}", self.path(path), self.value(value));
        self.set.push(assignment);
    }

    fn replace_sharer(&mut self, path: &[&str], sharer: &Sharer) -> Result<(), Error> {
        self.expect_unchanged(path);
        self.set(path, encode(&StoredSharer::from(sharer))?);
        Ok(())
    }

    fn remove(&mut self, name: &str) {
        self.expect_unchanged(&[name]);
        let path = self.path(&[name]);
        self.remove.push(path);
    }

    /// Runs the update. Returns `false` if the row has changed.
    async fn run(self, update: UpdateItemFluentBuilder) -> Result<bool, Error> {
        let clause = |keyword: &str, parts: &[String]| {
            if parts.is_empty() { String::new() } else { format!("{keyword} {} ", parts.join(", ")) }
        };
        let expression = clause("SET", &self.set) + &clause("REMOVE", &self.remove);
        let updated = update
            .set_key(Some(key_of(self.row)))
            .update_expression(expression.trim_end())
            .condition_expression(self.conditions.join(" AND "))
            .set_expression_attribute_names(Some(self.names).filter(|names| !names.is_empty()))
            .set_expression_attribute_values(Some(self.values).filter(|values| !values.is_empty()))
            .send()
            .await;
        match updated {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(failed) if failed.is_conditional_check_failed_exception() => Ok(false),
                _ => Err(AwsError::new(SERVICE, &error).into()),
            },
        }
    }
}

/// Returns the creation time in a share's row, if it is readable.
fn created_at(row: &Attributes) -> Option<Timestamp> {
    let millis = row.get("createdAt")?.as_n().ok()?.parse().ok()?;
    Timestamp::from_timestamp_millis(millis)
}

/// Returns a row's primary key.
fn key_of(row: &Attributes) -> Attributes {
    let part = |name: &str| Some((name.to_owned(), row.get(name)?.clone()));
    ["item", "entry"].into_iter().filter_map(part).collect()
}

impl ShareTable {
    /// Deletes a share and its expiry alarm.
    async fn delete(&self, share: &Share) -> Result<(), AwsError> {
        self.delete_row(super::alarms::alarm_key(share)).await?;
        self.delete_row(key(&share.item, share.id)).await
    }

    async fn delete_row(&self, row: Attributes) -> Result<(), AwsError> {
        let delete = self.client.delete_item().table_name(&self.name).set_key(Some(key_of(&row)));
        delete.send().await.map(drop).map_err(|e| AwsError::new(SERVICE, &e))
    }

    async fn read_row(&self, row: &Attributes) -> Result<Option<Attributes>, AwsError> {
        let get = self.client.get_item().table_name(&self.name).set_key(Some(key_of(row)));
        let response = get.consistent_read(true).send().await.map_err(|e| AwsError::new(SERVICE, &e))?;
        Ok(response.item)
    }

    /// Returns the rows of a counter, on every day.
    pub(super) async fn counter_rows(&self, counter: &Counter) -> Result<Vec<Attributes>, AwsError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("#item = :item")
            .expression_attribute_names("#item", "item")
            .expression_attribute_values(":item", super::text(&counters::partition(counter)));
        let response = query.send().await.map_err(|e| AwsError::new(SERVICE, &e))?;
        Ok(response.items.unwrap_or_default())
    }
}

impl ShareLog {
    async fn delete_row(&self, row: Attributes) -> Result<(), AwsError> {
        let delete = self.client.delete_item().table_name(&self.name).set_key(Some(key_of(&row)));
        delete.send().await.map(drop).map_err(|e| AwsError::new(SERVICE, &e))
    }
}
