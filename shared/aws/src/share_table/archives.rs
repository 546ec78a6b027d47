//! The archives that are being made.
//!
//! An archive has a row only from the first request until the archive is in its bucket, or until it turns out
//! that it cannot be made. The row ensures that one run at a time makes the archive, and that a run continues
//! where another one stopped.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use sharelink_domain::archive::{ArchiveId, LEASE, LeftOutReason, REQUEST_LIFETIME};
use sharelink_domain::{Timestamp, WriteId};

use super::{Attributes, SERVICE, ShareTable, encode, ignore_failed_condition, millis, number, text};
use crate::{AwsError, Error};

const PARTITION: &str = "ARCHIVE#";
const ENTRY: &str = "ARCHIVE";

/// How long the row of an archive is kept that is not made to its end. S3 aborts the upload after a day.
const KEPT: TimeDelta = TimeDelta::days(2);

/// How far an archive has been made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArchiveBuild {
    /// The id of the multipart upload, if one was started.
    pub upload: Option<String>,
    /// The parts in the upload, as `Progress` encodes them.
    pub progress: Vec<u8>,
    /// The order's files that turned out to be unavailable.
    pub unavailable: Vec<(usize, LeftOutReason)>,
    pub bytes_done: u64,
    pub bytes: u64,
}

/// The stored form of a file that is unavailable.
#[derive(Deserialize, Serialize)]
struct StoredUnavailable {
    file: usize,
    reason: StoredReason,
}

/// The stored form of a [`LeftOutReason`].
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum StoredReason {
    Missing,
    Archived,
    Unreadable,
}

impl From<LeftOutReason> for StoredReason {
    fn from(reason: LeftOutReason) -> Self {
        match reason {
            LeftOutReason::Missing => Self::Missing,
            LeftOutReason::Archived => Self::Archived,
            LeftOutReason::Unreadable => Self::Unreadable,
        }
    }
}

impl From<StoredReason> for LeftOutReason {
    fn from(reason: StoredReason) -> Self {
        match reason {
            StoredReason::Missing => Self::Missing,
            StoredReason::Archived => Self::Archived,
            StoredReason::Unreadable => Self::Unreadable,
        }
    }
}

impl ShareTable {
    /// Records a request for an archive of about this size. Returns `false` if the archive was requested or
    /// worked on so recently that another request would make no difference.
    pub async fn request_archive(
        &self,
        id: &ArchiveId,
        bytes: u64,
        request: WriteId,
        now: Timestamp,
    ) -> Result<bool, AwsError> {
        let update = self
            .archive(
                id,
                "SET requestedAt = :now, requestId = :request, bytes = if_not_exists(bytes, :bytes), #ttl = :ttl",
                now,
            )
            // The same request is a retry whose first attempt succeeded.
            .condition_expression(
                "attribute_not_exists(entry) OR requestId = :request OR requestedAt < :stale \
                 AND (attribute_not_exists(leaseUntil) OR leaseUntil < :now)",
            )
            .expression_attribute_values(":now", millis(now))
            .expression_attribute_values(":stale", millis(now - REQUEST_LIFETIME))
            .expression_attribute_values(":request", text(&request))
            .expression_attribute_values(":bytes", number(&bytes));
        Ok(run(update).await?.is_some())
    }

    /// Withdraws a request that did not reach the queue, so that the next one is not held back.
    pub(crate) async fn withdraw_archive_request(
        &self,
        id: &ArchiveId,
        request: WriteId,
    ) -> Result<(), AwsError> {
        self.delete_archive(id, "requestId = :id AND attribute_not_exists(lease)", request).await
    }

    /// Returns how many bytes of an archive are done, and how many it has. Returns `None` if nothing works on
    /// the archive.
    pub async fn archive_progress(
        &self,
        id: &ArchiveId,
        now: Timestamp,
    ) -> Result<Option<(u64, u64)>, AwsError> {
        let response = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(key(id)))
            .projection_expression("requestedAt, leaseUntil, bytesDone, bytes")
            .send()
            .await
            .map_err(|e| AwsError::new(SERVICE, &e))?;
        let Some(row) = response.item else { return Ok(None) };
        let is_leased = integer::<i64>(&row, "leaseUntil") >= now.timestamp_millis();
        let stale = (now - REQUEST_LIFETIME).timestamp_millis();
        let is_requested = integer::<i64>(&row, "requestedAt") >= stale;
        Ok((is_leased || is_requested).then(|| (integer(&row, "bytesDone"), integer(&row, "bytes"))))
    }

    /// Takes the lease of a requested archive. Returns `None` if another run has it, or if the archive is no
    /// longer wanted.
    pub async fn claim_archive(
        &self,
        id: &ArchiveId,
        run_id: WriteId,
        now: Timestamp,
    ) -> Result<Option<ArchiveBuild>, AwsError> {
        let update = self
            .archive(id, "SET lease = :run, leaseUntil = :until, #ttl = :ttl", now)
            .condition_expression(
                "attribute_exists(entry) \
                 AND (attribute_not_exists(leaseUntil) OR leaseUntil < :now OR lease = :run)",
            )
            .expression_attribute_values(":run", text(&run_id))
            .expression_attribute_values(":now", millis(now))
            .expression_attribute_values(":until", millis(now + LEASE));
        Ok(run(update).await?.map(|row| ArchiveBuild::parse(&row)))
    }

    /// Saves how far an archive has been made, and renews the lease. Returns `false` if another run has it.
    pub async fn save_archive(
        &self,
        id: &ArchiveId,
        run_id: WriteId,
        build: &ArchiveBuild,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let update = self
            .build_update(id, run_id, build, "leaseUntil = :until", "", now)?
            .expression_attribute_values(":until", millis(now + LEASE));
        Ok(run(update).await?.is_some())
    }

    /// Saves how far an archive has been made, and gives up the lease to the next run. Does nothing if another
    /// run has it already.
    pub async fn release_archive(
        &self,
        id: &ArchiveId,
        run_id: WriteId,
        build: &ArchiveBuild,
        now: Timestamp,
    ) -> Result<(), Error> {
        let update = self
            .build_update(id, run_id, build, "requestedAt = :now", "lease, leaseUntil", now)?
            .expression_attribute_values(":now", millis(now));
        run(update).await?;
        Ok(())
    }

    /// Deletes the row of an archive that is made, or that cannot be made.
    pub async fn finish_archive(&self, id: &ArchiveId, run_id: WriteId) -> Result<(), AwsError> {
        self.delete_archive(id, "lease = :id", run_id).await
    }

    /// Deletes an archive's row under this condition, in which `:id` stands for the id.
    async fn delete_archive(
        &self,
        id: &ArchiveId,
        condition: &str,
        condition_id: WriteId,
    ) -> Result<(), AwsError> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(key(id)))
            .condition_expression(condition)
            .expression_attribute_values(":id", text(&condition_id));
        ignore_failed_condition(delete.send().await)
    }

    fn build_update(
        &self,
        id: &ArchiveId,
        run_id: WriteId,
        build: &ArchiveBuild,
        set: &str,
        remove: &str,
        now: Timestamp,
    ) -> Result<UpdateItemFluentBuilder, Error> {
        let unavailable: Vec<_> = build
            .unavailable
            .iter()
            .map(|(file, reason)| StoredUnavailable { file: *file, reason: (*reason).into() })
            .collect();
        let (set_upload, remove_upload) = match build.upload {
            Some(_) => (", uploadId = :upload", None),
            None => ("", Some("uploadId")),
        };
        let removed: Vec<&str> =
            [Some(remove), remove_upload].into_iter().flatten().filter(|names| !names.is_empty()).collect();
        let remove =
            if removed.is_empty() { String::new() } else { format!(" REMOVE {}", removed.join(", ")) };
        let mut update = self
            .archive(
                id,
                &format!(
                    "SET {set}, progress = :progress, unavailable = :unavailable, bytesDone = :done, \
                     bytes = :bytes, #ttl = :ttl{set_upload}{remove}"
                ),
                now,
            )
            .condition_expression("lease = :run")
            .expression_attribute_values(":run", text(&run_id))
            .expression_attribute_values(":progress", AttributeValue::B(Blob::new(build.progress.clone())))
            .expression_attribute_values(":unavailable", encode(&unavailable)?)
            .expression_attribute_values(":done", number(&build.bytes_done))
            .expression_attribute_values(":bytes", number(&build.bytes));
        if let Some(upload) = &build.upload {
            update = update.expression_attribute_values(":upload", text(upload));
        }
        Ok(update)
    }

    fn archive(&self, id: &ArchiveId, update: &str, now: Timestamp) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key(id)))
            .update_expression(update)
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":ttl", number(&(now + KEPT).timestamp()))
    }
}

impl ArchiveBuild {
    /// Parses a row. An unreadable attribute only means that the archive is made from its beginning.
    fn parse(row: &Attributes) -> Self {
        let unavailable = row.get("unavailable").cloned();
        let unavailable: Vec<StoredUnavailable> =
            unavailable.and_then(|list| serde_dynamo::from_attribute_value(list).ok()).unwrap_or_default();
        Self {
            upload: super::string_attribute(row, "uploadId").map(str::to_owned),
            progress: row
                .get("progress")
                .and_then(|progress| progress.as_b().ok())
                .map(|progress| progress.as_ref().to_vec())
                .unwrap_or_default(),
            unavailable: unavailable.into_iter().map(|file| (file.file, file.reason.into())).collect(),
            bytes_done: integer(row, "bytesDone"),
            bytes: integer(row, "bytes"),
        }
    }
}

/// Runs a conditional update. Returns the new row, or `None` if the condition failed.
async fn run(update: UpdateItemFluentBuilder) -> Result<Option<Attributes>, AwsError> {
    match update.return_values(ReturnValue::AllNew).send().await {
        Ok(output) => Ok(Some(output.attributes.unwrap_or_default())),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(None),
        Err(error) => Err(AwsError::new(SERVICE, &error)),
    }
}

fn integer<T: std::str::FromStr + Default>(row: &Attributes, name: &str) -> T {
    row.get(name).and_then(|value| value.as_n().ok()?.parse().ok()).unwrap_or_default()
}

fn key(id: &ArchiveId) -> Attributes {
    Attributes::from([
        ("item".to_owned(), text(&format!("{PARTITION}{id}"))),
        ("entry".to_owned(), text(&ENTRY)),
    ])
}
