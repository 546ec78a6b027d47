//! The outbox: emails, reminders and digests that are not sent yet, and the outcome of sending them.
//!
//! A share's row holds its email or its reminder. A sharer's row holds the notices for a digest. All have the
//! same attributes in the index, the same claim and the same write under a claim.

use std::iter;
use std::time::Duration;

use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use futures_util::{StreamExt, TryStreamExt, stream};
use sharelink_domain::link::KeyId;
use sharelink_domain::mail;
use sharelink_domain::sending::SendOutcome;
use sharelink_domain::{Item, Share, ShareId, SharerKey, Timestamp, WriteId};

use super::mail_record::MailUpdate;
use super::record::{DecodeError, MAIL_SHARDS, ShareRecord, decode_time, parse_share_key};
use super::{
    Attributes, SERVICE, ShareTable, is_failed_condition, millis, notices, number, string_attribute, text,
    update_row,
};
use crate::{AwsError, ChangeError, Error};

/// The assignments of a claim.
pub(super) const CLAIM: &str =
    "SET mailDue = :leased, mailClaim = :write, mailTries = if_not_exists(mailTries, :zero) + :one";

/// The maximum number of due emails that one query returns for each shard.
const DUE_LIMIT: i32 = 100;

/// The maximum number of decisions about an outcome. Each further one follows from a change to the share that
/// came in between.
const MAX_DECISIONS: usize = 10;

/// A row of the table that can be in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutboxRow {
    /// A share's email or reminder.
    Share { item: Item, id: ShareId },
    /// The notices to a sharer.
    Notices(SharerKey),
}

/// A row that is due.
#[derive(Clone, Debug)]
pub struct DueEmail {
    pub row: OutboxRow,
    /// When the email became due.
    pub since: Timestamp,
}

impl DueEmail {
    fn parse(entry: &Attributes) -> Result<Self, DecodeError> {
        let part = |name| string_attribute(entry, name).unwrap_or("");
        let row = if let Some(sharer) = notices::parse_partition(part("item")) {
            OutboxRow::Notices(sharer)
        } else {
            let (item, id) = parse_share_key(part("item"), part("entry"))?;
            OutboxRow::Share { item, id }
        };
        let due = entry.get("mailDue").and_then(|due| due.as_n().ok()?.parse().ok());
        Ok(Self { row, since: decode_time(due.ok_or(DecodeError("mailDue"))?, "mailDue")? })
    }
}

/// The reason a delivery report was not applied: the report adds nothing new.
struct NothingNew;

/// Returns a configuration that retries longer than other calls do.
pub(super) fn patient_config() -> Builder {
    let retries = RetryConfig::standard()
        .with_max_attempts(10)
        .with_initial_backoff(Duration::from_millis(200))
        .with_max_backoff(Duration::from_secs(3));
    let timeouts = TimeoutConfig::builder().operation_timeout(Duration::from_secs(20)).build();
    Builder::new().retry_config(retries).timeout_config(timeouts)
}

impl ShareTable {
    /// Queues another email for a share.
    ///
    /// `decide` receives the current share and returns it with a new due email, `None` if that email was
    /// already requested, or the reason to refuse the resend.
    pub async fn resend<E>(
        &self,
        item: &Item,
        id: ShareId,
        write: WriteId,
        decide: impl Fn(&Share) -> Result<Option<Share>, E>,
    ) -> Result<Share, ChangeError<E>> {
        let update = |old: &Share, new: &Share| self.resend_update(old, new, write);
        Ok(self.decide_and_write(item, id, write, decide, update).await?.share)
    }

    fn resend_update(
        &self,
        current: &Share,
        resent: &Share,
        write: WriteId,
    ) -> Result<UpdateItemFluentBuilder, Error> {
        let changes = MailUpdate::new(self.update(&current.item, current.id), current, resent)?
            // The sender of the previous email must not record an outcome.
            .and_end_claim()
            .and_set("mailRequestId = :write".to_owned());
        Ok(changes.if_not_claimed(current).expression_attribute_values(":write", text(&write)))
    }

    /// Lists the emails that were due at or before `by`, the longest overdue first. Returns at most 100
    /// emails from each of the outbox's 16 shards. The read is eventually consistent, so only a claim decides
    /// who sends an email.
    pub async fn due_emails(&self, by: Timestamp) -> Result<Vec<DueEmail>, AwsError> {
        let shards: Vec<Vec<Attributes>> = stream::iter(MAIL_SHARDS)
            .map(|shard| self.due_entries(shard, by))
            .buffered(4)
            .try_collect()
            .await?;
        let parse = |entry| match DueEmail::parse(&entry) {
            Ok(due) => Some(due),
            // An invalid row must not block the other rows.
            Err(error) => {
                tracing::error!(%error, "a row was omitted from the outbox");
                None
            }
        };
        let mut due: Vec<DueEmail> = shards.into_iter().flatten().filter_map(parse).collect();
        due.sort_by_key(|email| email.since);
        Ok(due)
    }

    async fn due_entries(&self, shard: char, by: Timestamp) -> Result<Vec<Attributes>, AwsError> {
        let response = self
            .client
            .query()
            .table_name(&self.name)
            .index_name("outbox")
            .key_condition_expression("mailShard = :shard AND mailDue <= :by")
            .expression_attribute_values(":shard", text(&shard))
            .expression_attribute_values(":by", millis(by))
            .limit(DUE_LIMIT)
            .send()
            .await
            .map_err(|e| AwsError::new(SERVICE, &e))?;
        Ok(response.items.unwrap_or_default())
    }

    /// Claims a share's email or reminder if it is due, and returns the share with the hash of its sharer. If
    /// the share has no link key yet, sets it to `current_key`, if given. Returns `None` if nothing is due or
    /// another sender has claimed it.
    ///
    /// If the share cannot be decoded, removes it from the outbox, where it would otherwise stay due forever.
    pub async fn claim_email(
        &self,
        item: &Item,
        id: ShareId,
        current_key: Option<&KeyId>,
        write: WriteId,
        now: Timestamp,
    ) -> Result<Option<(Share, SharerKey)>, AwsError> {
        let update = || self.update(item, id);
        let claim = match current_key {
            None => update().update_expression(CLAIM),
            Some(key) => update()
                .update_expression(format!("{CLAIM}, linkKeyId = if_not_exists(linkKeyId, :key)"))
                .expression_attribute_values(":key", AttributeValue::S(key.as_str().to_owned())),
        };
        let decode = |row| ShareRecord::parse(row)?.into_share_and_sharer();
        self.claim(claim, update(), decode, write, now).await
    }

    /// Claims a row of the outbox. `update` is an update of the same row, to remove it from the outbox if it
    /// cannot be decoded.
    pub(super) async fn claim<T>(
        &self,
        claim: UpdateItemFluentBuilder,
        update: UpdateItemFluentBuilder,
        decode: impl FnOnce(Attributes) -> Result<T, DecodeError>,
        write: WriteId,
        now: Timestamp,
    ) -> Result<Option<T>, AwsError> {
        let claim = claim
            .condition_expression("attribute_exists(mailShard) AND mailDue <= :due")
            .expression_attribute_values(":leased", millis(now + mail::LEASE))
            .expression_attribute_values(":due", millis(now + mail::CLOCK_SKEW))
            .expression_attribute_values(":zero", number(&0))
            .expression_attribute_values(":one", number(&1))
            .expression_attribute_values(":write", text(&write));
        let row = match update_row(claim).await? {
            Ok(row) => row,
            Err(Some(row)) if string_attribute(&row, "mailClaim") == Some(&write.to_string()) => row,
            Err(_) => return Ok(None),
        };
        match decode(row) {
            Ok(decoded) => Ok(Some(decoded)),
            Err(error) => {
                let removal = update.update_expression("REMOVE mailShard, mailDue");
                self.write_under_claim(removal, write).await?;
                Err(error.into())
            }
        }
    }

    /// Records the outcome for an email or a reminder that this sender claimed, and ends the claim. Does
    /// nothing if the claim is no longer valid, because the lease expired and another sender claimed the
    /// email, a resend or a renewal replaced the email, the sharer canceled the reminder, or SES reported on
    /// the email first.
    ///
    /// Whether a reminder follows depends on the share, so if the share was changed since the claim, decides
    /// again.
    ///
    /// Retries longer than other writes do, because an email that is sent but not recorded is sent again.
    pub async fn record_send_outcome(
        &self,
        share: &Share,
        claim: WriteId,
        mut outcome: SendOutcome,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (item, id) = (&share.item, share.id);
        let mut current = share.clone();
        for _ in 0..MAX_DECISIONS {
            let after = current.after_sending(outcome, now);
            let changes = MailUpdate::new(self.update(item, id), &current, &after)?.and_end_claim();
            let (update, unchanged) = changes.build();
            let condition = format!("attribute_exists(mailShard) AND {unchanged}");
            if self.try_to_write_under_claim(update, claim, &condition).await? {
                return Ok(());
            }
            let read = self.read_records(iter::once((item, id))).await?.remove(&id);
            let claimed = read.filter(|record| record.mail_claim == Some(claim.to_string()));
            let Some(record) = claimed else { return Ok(()) };
            current = record.into_share()?;
            if let SendOutcome::Held { until } = &mut outcome {
                // What it waits for may have changed. The next claim decides on the share as it is now.
                *until = now;
            }
        }
        Err(AwsError::Unavailable { service: SERVICE, code: "ConditionalCheckFailed".to_owned() }.into())
    }

    /// Runs an update if this claim is still valid. Retries longer than other writes do.
    pub(super) async fn write_under_claim(
        &self,
        update: UpdateItemFluentBuilder,
        claim: WriteId,
    ) -> Result<(), AwsError> {
        self.try_to_write_under_claim(update, claim, "attribute_exists(mailShard)").await.map(drop)
    }

    /// Runs an update if this claim is still valid and the condition holds. Returns whether it ran.
    pub(super) async fn try_to_write_under_claim(
        &self,
        update: UpdateItemFluentBuilder,
        claim: WriteId,
        condition: &str,
    ) -> Result<bool, AwsError> {
        let written = update
            .condition_expression(format!("mailClaim = :claim AND {condition}"))
            .expression_attribute_values(":claim", text(&claim))
            .customize()
            .config_override(patient_config())
            .send()
            .await;
        match written {
            Ok(_) => Ok(true),
            Err(error) if is_failed_condition(&error) => Ok(false),
            Err(error) => Err(AwsError::new(SERVICE, &error)),
        }
    }

    /// Applies an SES report on a share's email. Returns whether the report changed the share.
    ///
    /// `decide` receives the current share and returns it with the email's new state, or `None` if the report
    /// adds nothing new.
    pub async fn apply_report(
        &self,
        item: &Item,
        id: ShareId,
        write: WriteId,
        decide: impl Fn(&Share) -> Option<Share>,
    ) -> Result<bool, Error> {
        let decide_or_refuse = |share: &Share| match decide(share) {
            Some(reported) => Ok(Some(reported)),
            None => Err(NothingNew),
        };
        let update = |old: &Share, new: &Share| self.report_update(old, new);
        match self.decide_and_write(item, id, write, decide_or_refuse, update).await {
            Ok(_) => Ok(true),
            Err(ChangeError::NotFound | ChangeError::Refused(NothingNew)) => Ok(false),
            Err(ChangeError::Failed(error)) => Err(error),
        }
    }

    fn report_update(&self, current: &Share, reported: &Share) -> Result<UpdateItemFluentBuilder, Error> {
        // If what is in the outbox changes, the report comes first: its sender records no outcome.
        let changes = MailUpdate::new(self.update(&current.item, current.id), current, reported)?;
        Ok(changes.if_unchanged())
    }
}
