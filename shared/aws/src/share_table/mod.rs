//! The table of shares and the table of the share log, in DynamoDB.
//!
//! The primary key enforces the one-link rule: a share's key is derived from the item and the recipient, so a
//! single conditional put creates the share only if it does not exist yet.
//!
//! Every write has an id, which is stored in the share. If a condition fails but the share already has our
//! id, an earlier attempt by the SDK succeeded, and the write counts as successful. Every update requires the
//! share to exist, so that a late update does not recreate a purged share.

mod alarms;
mod all_shares;
#[cfg(feature = "archives")]
mod archives;
mod counters;
#[cfg(feature = "operator")]
mod erasure;
mod erasures;
#[cfg(feature = "operator")]
mod export;
mod idempotency;
mod list;
mod log;
mod mail_record;
mod notices;
mod outbox;
mod recipient;
mod record;
mod renewal;
mod restore;
mod stored;
mod switches;
#[cfg(feature = "operator")]
mod traces;

use std::collections::HashMap;

use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_types::SdkConfig;
use chrono::TimeDelta;
use sharelink_domain::access::{MIN_ARCHIVE_FILES, MIN_URL_LIFETIME, Target};
use sharelink_domain::history::{FailedDownload, LinkCopy, LinkUse};
use sharelink_domain::link::{KeyId, Link};
use sharelink_domain::{IndexHashes, Item, PermittedShare, Share, ShareId, SharerKey, Timestamp, WriteId};

use crate::call_timer::CallTimer;
use crate::connections::Connections;
use crate::error::CONFLICT;
use crate::{AwsConfig, AwsError, ChangeError, Error};
pub use alarms::parse_alarm_keys;
pub use all_shares::Selection;
#[cfg(feature = "archives")]
pub use archives::ArchiveBuild;
#[cfg(feature = "archives")]
pub(crate) use archives::StoredReason;
#[cfg(feature = "operator")]
pub use erasure::{Erasure, ErasureOptions, ErasureSummary, PersonKeys};
#[cfg(feature = "operator")]
pub use export::{Export, Mention};
pub use idempotency::IdempotencyRecord;
pub use list::{Cursor, CursorError, PAGE_LIMIT, Page, StatusFilter};
pub use log::{LogCursor, LogPage, ShareLog, is_log_entry, parse_log_image};
use mail_record::MailUpdate;
pub use outbox::{DueEmail, OutboxRow};
#[cfg(feature = "events")]
pub(crate) use record::sortable;
pub use record::{DecodeError, IndexedShare, parse_indexed_share_image, parse_share_image};
use record::{SHARE_PREFIX, ShareRecord, correction_id, prepend_write, retention};
pub use restore::{Restore, RestoreOptions, RestoreSummary};
use stored::{StoredChange, StoredFailedDownload, StoredLinkCopy, StoredUseSource, encode};
pub use stored::{StoredFile, StoredSharer};

pub(crate) const SERVICE: &str = "dynamodb";

/// The attributes of a row.
type Attributes = HashMap<String, AttributeValue>;

/// The result of creating a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation {
    Created,
    /// An earlier attempt at this write created the share at this time, but the response was lost.
    Retried {
        created_at: Timestamp,
    },
    /// This share already exists for the same item and recipient.
    Exists(Box<Share>),
}

impl Creation {
    fn found(existing: ShareRecord, write: WriteId) -> Result<Self, DecodeError> {
        if existing.was_written_by(write) {
            return Ok(Self::Retried { created_at: existing.created_at()? });
        }
        Ok(Self::Exists(Box::new(existing.into_share()?)))
    }
}

/// A share after a change was requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedShare {
    pub share: Share,
    /// Whether this request changed the share, now or in an earlier attempt.
    pub is_changed: bool,
}

/// The table of shares.
#[derive(Clone, Debug)]
pub struct ShareTable {
    client: Client,
    /// The table's own connections, if they may be opened early.
    connections: Option<Connections>,
    name: String,
}

impl ShareTable {
    /// Creates a client for the table with this name.
    #[must_use]
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        let settings = Builder::from(config)
            .interceptor(CallTimer(SERVICE))
            .retry_classifier(conflicts::<DeleteItemError>())
            .retry_classifier(conflicts::<PutItemError>())
            .retry_classifier(conflicts::<UpdateItemError>())
            .build();
        Self { client: Client::from_conf(settings), connections: None, name: name.into() }
    }

    /// Creates a client with its own connections, which can be opened early.
    #[must_use]
    pub fn with_connections(config: &AwsConfig, name: impl Into<String>) -> Self {
        let connections = config.network.pooled();
        let sdk = config.sdk.to_builder().http_client(connections.clone()).build();
        Self { connections: Some(connections), ..Self::new(&sdk, name) }
    }

    /// Opens a connection in the background if the last call is so long ago that DynamoDB may have closed its
    /// connection. Only for clients that were created with a connection.
    pub fn preconnect_if_idle(&self) {
        if let Some(connections) = &self.connections {
            connections.preconnect_if_idle();
        }
    }

    /// Creates a share, unless one already exists for the same item and recipient. The indexes find it by
    /// these hashes. TTL deletes the share once `retention` has passed since the end of access.
    pub async fn create(
        &self,
        share: PermittedShare<'_>,
        hashes: IndexHashes,
        retention: TimeDelta,
        write: WriteId,
    ) -> Result<Creation, Error> {
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(ShareRecord::new(&share, hashes, write, retention).into_attributes()?))
            .condition_expression("attribute_not_exists(entry)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = put else { return Ok(Creation::Created) };
        let Some(PutItemError::ConditionalCheckFailedException(failure)) = error.as_service_error() else {
            return Err(AwsError::new(SERVICE, &error).into());
        };
        Ok(Creation::found(ShareRecord::parse(failure.item.clone().unwrap_or_default())?, write)?)
    }

    /// Returns what [`create`](Self::create) would return for those of an item's shares that already exist.
    /// Rows that cannot be parsed are omitted: `create` then fails for their recipients only.
    pub async fn find_created(
        &self,
        item: &Item,
        ids: &[ShareId],
        write: WriteId,
    ) -> Result<HashMap<ShareId, Creation>, Error> {
        let records = self.read_records(ids.iter().map(|id| (item, *id))).await?;
        let found = |(id, record)| Some((id, Creation::found(record, write).ok()?));
        Ok(records.into_iter().filter_map(found).collect())
    }

    /// Reads a share with strong consistency.
    pub async fn get(&self, item: &Item, id: ShareId) -> Result<Option<Share>, AwsError> {
        match self.get_record(item, id).await? {
            Some(record) => Ok(Some(record.into_share()?)),
            None => Ok(None),
        }
    }

    /// Reads a share with strong consistency, with the hash of its sharer in the index `bySharer`.
    pub async fn get_with_sharer(
        &self,
        item: &Item,
        id: ShareId,
    ) -> Result<Option<(Share, SharerKey)>, AwsError> {
        match self.get_record(item, id).await? {
            Some(record) => Ok(Some(record.into_share_and_sharer()?)),
            None => Ok(None),
        }
    }

    /// Reads a share and its hashes with strong consistency.
    pub async fn get_indexed(&self, item: &Item, id: ShareId) -> Result<Option<IndexedShare>, AwsError> {
        match self.get_record(item, id).await? {
            Some(record) => Ok(Some(record.into_indexed_share()?)),
            None => Ok(None),
        }
    }

    async fn get_record(&self, item: &Item, id: ShareId) -> Result<Option<ShareRecord>, AwsError> {
        let response = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(key(item, id)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::new(SERVICE, &e))?;
        match response.item {
            Some(attributes) => Ok(Some(ShareRecord::parse(attributes)?)),
            None => Ok(None),
        }
    }

    /// Changes a share's expiration or revocation.
    ///
    /// `decide` receives the current share and returns the changed one, `None` if the change was already
    /// made, or the reason to refuse the change.
    pub async fn change<E>(
        &self,
        item: &Item,
        id: ShareId,
        retention: TimeDelta,
        write: WriteId,
        decide: impl Fn(&Share) -> Result<Option<Share>, E>,
    ) -> Result<Share, ChangeError<E>> {
        Ok(self.change_with_outcome(item, id, retention, write, decide).await?.share)
    }

    /// Changes a share like [`change`](Self::change), and also returns whether the request changed it.
    pub async fn change_with_outcome<E>(
        &self,
        item: &Item,
        id: ShareId,
        retention: TimeDelta,
        write: WriteId,
        decide: impl Fn(&Share) -> Result<Option<Share>, E>,
    ) -> Result<ChangedShare, ChangeError<E>> {
        let update = |old: &Share, new: &Share| self.version_update(old, new, retention, write);
        self.decide_and_write(item, id, write, decide, update).await
    }

    /// Changes a share as [`change`](Self::change) does, and keeps it as long as before after the end of its
    /// access.
    pub async fn change_and_keep_retention<E>(
        &self,
        item: &Item,
        id: ShareId,
        write: WriteId,
        decide: impl Fn(&Share) -> Result<Option<Share>, E>,
    ) -> Result<Share, ChangeError<E>> {
        let record = self.get_record(item, id).await?.ok_or(ChangeError::NotFound)?;
        let ttl = record.ttl;
        let share = record.into_share().map_err(AwsError::from)?;
        self.change(item, id, retention(&share, ttl), write, decide).await
    }

    /// Calls `decide` with the current share, and writes the result if the share has not changed since it was
    /// read.
    ///
    /// If another write comes first, decides again, so racing writes take effect one after the other. If the
    /// share already has this write's id, an earlier attempt succeeded, and the share is returned as it is.
    async fn decide_and_write<E>(
        &self,
        item: &Item,
        id: ShareId,
        write: WriteId,
        decide: impl Fn(&Share) -> Result<Option<Share>, E>,
        update: impl Fn(&Share, &Share) -> Result<UpdateItemFluentBuilder, Error>,
    ) -> Result<ChangedShare, ChangeError<E>> {
        loop {
            let record = self.get_record(item, id).await?.ok_or(ChangeError::NotFound)?;
            let is_retry = record.was_written_by(write);
            let current = record.into_share().map_err(AwsError::from)?;
            if is_retry {
                return Ok(ChangedShare { share: current, is_changed: true });
            }
            let Some(changed) = decide(&current).map_err(ChangeError::Refused)? else {
                return Ok(ChangedShare { share: current, is_changed: false });
            };
            if let UpdateResult::Updated(record) = run_update(update(&current, &changed)?).await? {
                let share = record.into_share().map_err(AwsError::from)?;
                return Ok(ChangedShare { share, is_changed: true });
            }
        }
    }

    fn version_update(
        &self,
        current: &Share,
        changed: &Share,
        retention: TimeDelta,
        write: WriteId,
    ) -> Result<UpdateItemFluentBuilder, Error> {
        let mut mail_update = MailUpdate::new(self.update(&current.item, current.id), current, changed)?;
        mail_update = mail_update.and_set(format!(
            "expiresAt = :expires, expiresOffset = :offset, #version = :newVersion, #ttl = :ttl, {}",
            prepend_write("lastWrites")
        ));
        mail_update = match changed.revoked_at {
            None => mail_update.and_remove(&["revokedAt"]),
            Some(_) => mail_update.and_set("revokedAt = :revoked".to_owned()),
        };
        let change = changed.changed.as_ref().map(StoredChange::from);
        if change.is_some() {
            mail_update = mail_update.and_set("changed = :change".to_owned());
        }
        // The reminder's due time follows from the expiration, also for a sender that queues it.
        let has_reminder = current.reminder.is_some() || changed.reminder.is_some();
        let update =
            if has_reminder { mail_update.if_not_claimed(current) } else { mail_update.if_unchanged() };
        let optional =
            |update: UpdateItemFluentBuilder, name: &str, value: Option<AttributeValue>| match value {
                None => update,
                Some(value) => update.expression_attribute_values(name, value),
            };
        let update = optional(update, ":revoked", changed.revoked_at.map(millis));
        let update = optional(update, ":change", change.as_ref().map(encode).transpose()?);
        Ok(update
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":expires", millis(changed.expires_at))
            .expression_attribute_values(":offset", number(&changed.expires_offset.local_minus_utc()))
            .expression_attribute_values(":newVersion", number(&changed.version))
            .expression_attribute_values(":write", text(&write))
            .expression_attribute_values(":ttl", number(&changed.purge_at(retention).timestamp())))
    }

    /// Records that a link was disclosed to a sharer. If the share has no link key yet, sets it to
    /// `current_key`. Returns `None` if the share does not exist.
    pub async fn record_link_copy(
        &self,
        item: &Item,
        id: ShareId,
        current_key: &KeyId,
        copy: &LinkCopy,
    ) -> Result<Option<Share>, Error> {
        let update = self
            .update(item, id)
            .update_expression("SET linkCopied = :copy, linkKeyId = if_not_exists(linkKeyId, :key)")
            .condition_expression("attribute_exists(entry)")
            .expression_attribute_values(":copy", encode(&StoredLinkCopy::from(copy))?)
            .expression_attribute_values(":key", AttributeValue::S(current_key.as_str().to_owned()));
        match run_update(update).await? {
            UpdateResult::Updated(record) => Ok(Some(record.into_share()?)),
            UpdateResult::ConditionFailed(_) => Ok(None),
        }
    }

    /// Counts a use of a link, and returns the share to call [`Share::redeem`] on. Returns `None` if the
    /// share does not exist.
    ///
    /// A single conditional update both decides and counts, so a use is counted only if it gives access. A
    /// retried use is counted once, unless so many other uses came in between that the share no longer stores
    /// its id.
    pub async fn redeem(
        &self,
        link: &Link,
        target: Target,
        link_use: &LinkUse,
    ) -> Result<Option<Share>, Error> {
        let LinkUse { id, at, source } = *link_use;
        let count = match target {
            Target::Link => "opens = opens + :one, downloads = downloads + downloadsPerOpen",
            Target::List => "opens = opens + :one",
            Target::File(_) => "downloads = downloads + :one",
            Target::Archive => {
                "downloads = downloads + :one, \
                 archiveDownloads = if_not_exists(archiveDownloads, :zero) + :one"
            }
        };
        let min_files = match target {
            Target::Link | Target::List => 1,
            Target::File(n) => n.get(),
            Target::Archive => MIN_ARCHIVE_FILES,
        };
        let set = format!(
            "SET {count}, lastOpenedAt = :now, firstOpenedAt = if_not_exists(firstOpenedAt, :now), {}",
            prepend_write("lastUses")
        );
        let update = self.update(&link.item, link.share);
        let update = match source {
            // An earlier use's source must not pass for this one's.
            None => update.update_expression(format!("{set} REMOVE lastSource")),
            Some(source) => update
                .update_expression(format!("{set}, lastSource = :source"))
                .expression_attribute_values(":source", encode(&StoredUseSource::from(source))?),
        };
        let update = update
            .condition_expression(
                "generation = :generation AND expiresAt >= :least AND attribute_not_exists(revokedAt) \
                 AND fileCount >= :files AND NOT contains(lastUses, :write)",
            )
            .expression_attribute_values(":one", number(&1))
            .expression_attribute_values(":now", millis(at))
            .expression_attribute_values(":least", millis(at + MIN_URL_LIFETIME))
            .expression_attribute_values(":files", number(&min_files))
            .expression_attribute_values(":generation", text(&link.generation))
            .expression_attribute_values(":write", text(&id));
        let update = match target {
            Target::Archive => update.expression_attribute_values(":zero", number(&0)),
            Target::Link | Target::List | Target::File(_) => update,
        };
        match run_update(update).await? {
            UpdateResult::Updated(record) | UpdateResult::ConditionFailed(Some(record)) => {
                Ok(Some(record.into_share()?))
            }
            UpdateResult::ConditionFailed(None) => Ok(None),
        }
    }

    /// Records that a download counted by [`redeem`](Self::redeem) failed, and no longer counts it. Does
    /// nothing if the share no longer exists.
    ///
    /// The times of use stay, because the recipient did use the link. A retry has no effect, unless so many
    /// other uses came in between that the share no longer stores the correction's id.
    pub async fn record_failed_download(&self, link: &Link, failed: &FailedDownload) -> Result<(), Error> {
        let update = self
            .update(&link.item, link.share)
            .update_expression(format!(
                "SET downloads = downloads - :one, downloadFailed = :failed, \
                 failedDownloads = if_not_exists(failedDownloads, :zero) + :one, {}",
                prepend_write("lastUses")
            ))
            // A count never becomes negative: such a row would be unreadable.
            .condition_expression(
                "generation = :generation AND downloads >= :one AND NOT contains(lastUses, :write)",
            )
            .expression_attribute_values(":one", number(&1))
            .expression_attribute_values(":zero", number(&0))
            .expression_attribute_values(":failed", encode(&StoredFailedDownload::from(failed))?)
            .expression_attribute_values(":generation", text(&link.generation))
            .expression_attribute_values(":write", AttributeValue::S(correction_id(failed.id)));
        Ok(ignore_failed_condition(update.send().await)?)
    }

    fn update(&self, item: &Item, id: ShareId) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.name).set_key(Some(key(item, id)))
    }
}

/// Makes the client retry writes that meet a transaction on the same row, which the SDK does not do by
/// itself.
fn conflicts<E>() -> AwsErrorCodeClassifier<E> {
    AwsErrorCodeClassifier::builder().transient_errors(&[CONFLICT][..]).build()
}

/// The result of a conditional update.
enum UpdateResult {
    /// The share after the update.
    Updated(ShareRecord),
    /// The unchanged share, if it exists.
    ConditionFailed(Option<ShareRecord>),
}

async fn run_update(update: UpdateItemFluentBuilder) -> Result<UpdateResult, AwsError> {
    Ok(match update_row(update).await? {
        Ok(row) => UpdateResult::Updated(ShareRecord::parse(row)?),
        Err(row) => UpdateResult::ConditionFailed(row.map(ShareRecord::parse).transpose()?),
    })
}

/// Runs a conditional update. Returns the row after it, or, as the error, the unchanged row, if it exists.
async fn update_row(
    update: UpdateItemFluentBuilder,
) -> Result<Result<Attributes, Option<Attributes>>, AwsError> {
    let response = update
        .return_values(ReturnValue::AllNew)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await;
    match response {
        Ok(output) => Ok(Ok(output.attributes.unwrap_or_default())),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failure)) => Ok(Err(failure.item.clone())),
            _ => Err(AwsError::new(SERVICE, &error)),
        },
    }
}

/// Treats a failed condition as success: a later write has made this write obsolete.
fn ignore_failed_condition<T, E: ProvideErrorMetadata>(
    written: Result<T, SdkError<E, HttpResponse>>,
) -> Result<(), AwsError> {
    match written {
        Err(error) if !is_failed_condition(&error) => Err(AwsError::new(SERVICE, &error)),
        _ => Ok(()),
    }
}

fn is_failed_condition<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}

fn key(item: &Item, id: ShareId) -> Attributes {
    HashMap::from([
        ("item".to_owned(), text(item)),
        ("entry".to_owned(), AttributeValue::S(format!("{SHARE_PREFIX}{id}"))),
    ])
}

fn string_attribute<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    attributes.get(name)?.as_s().ok().map(String::as_str)
}

fn text(value: &impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

fn number(value: &impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn millis(time: Timestamp) -> AttributeValue {
    number(&time.timestamp_millis())
}
