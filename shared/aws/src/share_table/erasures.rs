//! The times of erasures, under a keyed hash of each erased person. They name no one, and have no TTL, because
//! a backup may be older than any retention period.

use std::collections::HashMap;
use std::fmt::Display;

use aws_sdk_dynamodb::types::AttributeValue;
use sharelink_domain::erasure::covers;
use sharelink_domain::index_key::IndexKey;
use sharelink_domain::{EmailAddress, Sharer, Timestamp};

use super::record::decode_time;
use super::{Attributes, SERVICE, ShareTable, ignore_failed_condition, millis, text};
use crate::AwsError;

pub(super) const PARTITION: &str = "ERASED#";
const ENTRY: &str = "ERASED";

impl ShareTable {
    /// Records that a person was erased. `hash` is the person's hash in the index of recipients or of sharers.
    /// Keeps the time of a later erasure.
    pub async fn record_erasure(&self, hash: &impl Display, at: Timestamp) -> Result<(), AwsError> {
        let put = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key(hash)))
            .update_expression("SET #at = :at")
            .condition_expression("attribute_not_exists(#at) OR #at < :at")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":at", millis(at));
        ignore_failed_condition(put.send().await)
    }

    /// Returns when the person with this hash was last erased. The read is strongly consistent.
    pub async fn erased_at(&self, hash: &impl Display) -> Result<Option<Timestamp>, AwsError> {
        let get = self.client.get_item().table_name(&self.name).set_key(Some(key(hash)));
        let response = get.consistent_read(true).send().await.map_err(|e| AwsError::new(SERVICE, &e))?;
        response.item.map(|row| Ok(parse(&row)?)).transpose()
    }
}

fn parse(row: &Attributes) -> Result<Timestamp, super::record::DecodeError> {
    let at = row.get("at").and_then(|at| at.as_n().ok()?.parse().ok());
    decode_time(at.ok_or(super::record::DecodeError("at"))?, "at")
}

fn key(hash: &impl Display) -> Attributes {
    HashMap::from([
        ("item".to_owned(), text(&format!("{PARTITION}{hash}"))),
        ("entry".to_owned(), AttributeValue::S(ENTRY.to_owned())),
    ])
}

/// Finds out who was erased, from a table and its backup, and reads each time only once.
#[derive(Debug)]
pub(super) struct Erasures<'a> {
    table: &'a ShareTable,
    backup: &'a ShareTable,
    key: &'a IndexKey,
    /// Whether to copy nothing.
    is_dry_run: bool,
    known: HashMap<String, Option<Timestamp>>,
}

impl<'a> Erasures<'a> {
    pub(super) fn new(
        table: &'a ShareTable,
        backup: &'a ShareTable,
        key: &'a IndexKey,
        is_dry_run: bool,
    ) -> Self {
        Self { table, backup, key, is_dry_run, known: HashMap::new() }
    }

    async fn erased_at(&mut self, hash: &impl Display) -> Result<Option<Timestamp>, AwsError> {
        let hash = hash.to_string();
        if let Some(at) = self.known.get(&hash) {
            return Ok(*at);
        }
        let (live, backup) = (self.table.erased_at(&hash).await?, self.backup.erased_at(&hash).await?);
        if let Some(at) = backup.filter(|_| backup > live && !self.is_dry_run) {
            self.table.record_erasure(&hash, at).await?;
        }
        let at = live.max(backup);
        self.known.insert(hash, at);
        Ok(at)
    }

    /// Returns whether the person with this hash was erased at this time or later.
    pub(super) async fn cover(&mut self, hash: &impl Display, at: Timestamp) -> Result<bool, AwsError> {
        Ok(covers(self.erased_at(hash).await?, at))
    }

    /// Returns whether a recipient was erased at this time or later.
    pub(super) async fn cover_recipient(
        &mut self,
        address: &EmailAddress,
        at: Timestamp,
    ) -> Result<bool, AwsError> {
        self.cover(&self.key.recipient(address), at).await
    }

    /// Replaces a sharer who acted at this time, if the sharer was erased since. Returns whether anything
    /// changed.
    pub(super) async fn replace_sharer(
        &mut self,
        sharer: &mut Sharer,
        at: Timestamp,
    ) -> Result<bool, AwsError> {
        let hash = self.key.sharer(&sharer.sub);
        if covers(self.erased_at(&hash).await?, at) {
            *sharer = Sharer::erased();
            return Ok(true);
        }
        match &sharer.email {
            Some(email) if self.cover_recipient(&email.clone(), at).await? => {
                sharer.email = None;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Copies an erasure from the backup to the table. Does nothing in a dry run, or if the row is none.
    pub(super) async fn copy(&self, row: &Attributes) -> Result<(), AwsError> {
        let item = super::string_attribute(row, "item").unwrap_or_default();
        match item.strip_prefix(PARTITION) {
            Some(hash) if !self.is_dry_run => self.table.record_erasure(&hash, parse(row)?).await,
            _ => Ok(()),
        }
    }
}
