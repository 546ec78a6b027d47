//! The table of shares, in DynamoDB.
//!
//! The primary key is the one-link rule: a share's key is made of the item and the recipient, so one
//! conditional put decides whether it exists. Every write carries an id of its own invocation, which the share
//! keeps; where a condition fails and the share bears our id, the SDK's retry met its own first attempt, which is
//! success. Every update requires that the share exists, so that a late one cannot bring a
//! purged share back.

mod alarms;
mod list;
mod log;
mod outbox;
mod record;
mod requests;

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_types::SdkConfig;
use chrono::TimeDelta;
use sharelink_domain::link::{KeyId, Link};
use sharelink_domain::share::{LinkCopy, MIN_URL_LIFETIME, Target, WriteId};
use sharelink_domain::{Item, Share, ShareId, Timestamp};

use crate::AwsError;
use crate::calls::CallTimer;
use crate::warm_up::warm_up;
pub use alarms::parse_alarm_keys;
pub use list::{Cursor, CursorError, PAGE_LIMIT, Page, StatusFilter};
pub use log::{LogCursor, LogPage};
pub use outbox::DueEmail;
pub use record::{DecodeError, parse_share_image};
use record::{SHARE_PREFIX, ShareRecord, encode, remember};
pub use requests::IdempotencyRecord;

pub(crate) const SERVICE: &str = "dynamodb";

/// An item as the SDK has it.
type Attributes = HashMap<String, AttributeValue>;

/// What became of a share that was to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation {
    /// It exists now.
    Created,
    /// This very write had created it before, and nobody heard of it.
    Retried,
    /// Its key was taken by this share.
    Exists(Box<Share>),
}

/// The table of shares.
#[derive(Clone, Debug)]
pub struct ShareTable {
    client: Client,
    name: String,
}

impl ShareTable {
    /// The table of this name.
    #[must_use]
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        let settings = Builder::from(config).interceptor(CallTimer(SERVICE)).build();
        Self { client: Client::from_conf(settings), name: name.into() }
    }

    /// The same, with an open connection, so that the first request need not wait for one.
    pub async fn connected(config: &SdkConfig, name: impl Into<String>) -> Self {
        let table = Self::new(config, name);
        warm_up(SERVICE, table.read_nothing()).await;
        table
    }

    /// Creates a share, unless its item and recipient have one already. It stays for `retention` after its
    /// access has ended.
    pub async fn create(
        &self,
        share: &Share,
        retention: TimeDelta,
        write: WriteId,
    ) -> Result<Creation, AwsError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(ShareRecord::new(share, write, retention).into_attributes()?))
            .condition_expression("attribute_not_exists(entry)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = put else { return Ok(Creation::Created) };
        let Some(PutItemError::ConditionalCheckFailedException(refused)) = error.as_service_error() else {
            return Err(AwsError::new(SERVICE, &error));
        };
        let existing = refused.item.clone().unwrap_or_default();
        let existing = ShareRecord::read(existing)?;
        if existing.was_written_by(write) {
            return Ok(Creation::Retried);
        }
        Ok(Creation::Exists(Box::new(existing.into_share()?)))
    }

    /// Reads a share, strongly consistent.
    pub async fn get(&self, item: &Item, id: ShareId) -> Result<Option<Share>, AwsError> {
        let record = self.read(item, id).await?;
        Ok(record.map(ShareRecord::into_share).transpose()?)
    }

    async fn read(&self, item: &Item, id: ShareId) -> Result<Option<ShareRecord>, AwsError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(key(item, id)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::new(SERVICE, &e))?;
        answer.item.map(ShareRecord::read).transpose()
    }

    /// Changes the expiration or the revocation of a share, as `decide` says of the share as it is now: what
    /// it becomes, or that it is so already, or why it must not. `None`: there is no such share.
    pub async fn change<E>(
        &self,
        item: &Item,
        id: ShareId,
        retention: TimeDelta,
        write: WriteId,
        decide: impl Fn(&Share) -> Result<Option<Share>, E>,
    ) -> Result<Option<Result<Share, E>>, AwsError> {
        let update = |old: &Share, new: &Share| self.put_change(old, new, retention, write);
        self.decide(item, id, write, decide, update).await
    }

    /// Decides on a share as it is now, and writes on condition that it still is. Decided anew when another
    /// write came first, so writes that race leave one after the other, and never half of each; but a share
    /// that this very write has changed already is not decided on again.
    async fn decide<E>(
        &self,
        item: &Item,
        id: ShareId,
        write: WriteId,
        decide: impl Fn(&Share) -> Result<Option<Share>, E>,
        update: impl Fn(&Share, &Share) -> Result<UpdateItemFluentBuilder, AwsError>,
    ) -> Result<Option<Result<Share, E>>, AwsError> {
        loop {
            let Some(record) = self.read(item, id).await? else { return Ok(None) };
            let written = record.was_written_by(write);
            let share = record.into_share()?;
            if written {
                return Ok(Some(Ok(share)));
            }
            let changed = match decide(&share) {
                Ok(Some(changed)) => changed,
                Ok(None) => return Ok(Some(Ok(share))),
                Err(refusal) => return Ok(Some(Err(refusal))),
            };
            if let Update::Done(new) = run(update(&share, &changed)?).await? {
                return Ok(Some(Ok(new.into_share()?)));
            }
        }
    }

    fn put_change(
        &self,
        share: &Share,
        changed: &Share,
        retention: TimeDelta,
        write: WriteId,
    ) -> Result<UpdateItemFluentBuilder, AwsError> {
        let set = format!(
            "SET expiresAt = :expires, expiresOffset = :offset, #version = :new, changed = :change, \
             #ttl = :ttl, {}",
            remember("lastWrites")
        );
        let update = self.update(&share.item, share.id);
        let update = match changed.revoked_at {
            None => update.update_expression(format!("{set} REMOVE revokedAt")),
            Some(at) => update
                .update_expression(format!("{set}, revokedAt = :revoked"))
                .expression_attribute_values(":revoked", millis(at)),
        };
        Ok(update
            .condition_expression("generation = :generation AND #version = :old")
            .expression_attribute_names("#version", "version")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":expires", millis(changed.expires_at))
            .expression_attribute_values(":offset", number(&changed.expires_offset.local_minus_utc()))
            .expression_attribute_values(":new", number(&changed.version))
            .expression_attribute_values(":old", number(&share.version))
            .expression_attribute_values(":generation", text(&share.generation))
            .expression_attribute_values(":change", encode(&changed.changed)?)
            .expression_attribute_values(":write", text(&write))
            .expression_attribute_values(":ttl", number(&changed.purge_at(retention).timestamp())))
    }

    /// Records that somebody is shown the link, and settles which key seals it, where none has yet. `None`:
    /// there is no such share.
    pub async fn copy_link(
        &self,
        item: &Item,
        id: ShareId,
        current_key: &KeyId,
        copy: &LinkCopy,
    ) -> Result<Option<Share>, AwsError> {
        let update = self
            .update(item, id)
            .update_expression("SET linkCopied = :copy, linkKeyId = if_not_exists(linkKeyId, :key)")
            .condition_expression("attribute_exists(entry)")
            .expression_attribute_values(":copy", encode(copy)?)
            .expression_attribute_values(":key", AttributeValue::S(current_key.as_str().to_owned()));
        match run(update).await? {
            Update::Done(share) => Ok(Some(share.into_share()?)),
            Update::Refused(_) => Ok(None),
        }
    }

    /// Counts a use of a link and returns the share as the use found it; what the recipient gets of it is for
    /// [`Share::redeem`] to say. One conditional update decides and counts in the same step: nothing is
    /// counted unless access is given. A use whose answer was lost is counted once, unless more uses than a
    /// share remembers came in between. `None`: there is no such share.
    pub async fn redeem(
        &self,
        link: &Link,
        target: Target,
        write: WriteId,
        now: Timestamp,
    ) -> Result<Option<Share>, AwsError> {
        let count = match target {
            Target::Link => "opens = opens + :one, downloads = downloads + downloadsPerOpen",
            Target::File(_) => "downloads = downloads + :one",
        };
        let file = match target {
            Target::Link => 1,
            Target::File(n) => n.get(),
        };
        let update = self
            .update(&link.item, link.share)
            .update_expression(format!(
                "SET {count}, lastOpenedAt = :now, firstOpenedAt = if_not_exists(firstOpenedAt, :now), {}",
                remember("lastUses")
            ))
            .condition_expression(
                "generation = :generation AND expiresAt >= :least AND attribute_not_exists(revokedAt) \
                 AND fileCount >= :file AND NOT contains(lastUses, :write)",
            )
            .expression_attribute_values(":one", number(&1))
            .expression_attribute_values(":now", millis(now))
            .expression_attribute_values(":least", millis(now + MIN_URL_LIFETIME))
            .expression_attribute_values(":file", number(&file))
            .expression_attribute_values(":generation", text(&link.generation))
            .expression_attribute_values(":write", text(&write));
        match run(update).await? {
            Update::Done(share) | Update::Refused(Some(share)) => Ok(Some(share.into_share()?)),
            Update::Refused(None) => Ok(None),
        }
    }

    fn update(&self, item: &Item, id: ShareId) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.name).set_key(Some(key(item, id)))
    }
}

/// What became of a conditional update.
enum Update {
    /// The item as it is now.
    Done(ShareRecord),
    /// The condition did not hold for this item, or there is none.
    Refused(Option<ShareRecord>),
}

async fn run(update: UpdateItemFluentBuilder) -> Result<Update, AwsError> {
    let answer = update
        .return_values(ReturnValue::AllNew)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await;
    match answer {
        Ok(done) => ShareRecord::read(done.attributes.unwrap_or_default()).map(Update::Done),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                refused.item.clone().map(ShareRecord::read).transpose().map(Update::Refused)
            }
            _ => Err(AwsError::new(SERVICE, &error)),
        },
    }
}

/// A write that its condition refused is as good as done: what it would have said has been overtaken.
fn ignore_failed_condition<T, E: ProvideErrorMetadata>(
    written: Result<T, SdkError<E, HttpResponse>>,
) -> Result<(), AwsError> {
    match written {
        Err(error) if error.code() != Some("ConditionalCheckFailedException") => {
            Err(AwsError::new(SERVICE, &error))
        }
        _ => Ok(()),
    }
}

fn read_share(attributes: Attributes) -> Result<Share, AwsError> {
    Ok(ShareRecord::read(attributes)?.into_share()?)
}

fn key(item: &Item, id: ShareId) -> Attributes {
    HashMap::from([
        ("item".to_owned(), AttributeValue::S(item.to_string())),
        ("entry".to_owned(), AttributeValue::S(format!("{SHARE_PREFIX}{id}"))),
    ])
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
