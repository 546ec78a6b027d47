//! The outbox: pending emails, and the outcome of sending them.

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

use super::mail_record::MailRecord;
use super::record::{DecodeError, MAIL_SHARDS, decode_time, mail_shard, parse_share_key};
use super::stored::{StoredAction, encode};
use super::{
    Attributes, SERVICE, ShareTable, UpdateResult, ignore_failed_condition, millis, number, run_update,
    string_attribute, text,
};
use crate::{AwsError, ChangeError, Error, InternalError};

/// A condition that is true if the share's generation, version and email are the same as when it was read.
pub(super) const UNCHANGED: &str = "generation = :generation AND #version = :version AND mailAttempt = :old";

/// The maximum number of due emails that one query returns for each shard.
const DUE_LIMIT: i32 = 100;

/// A reference to a due email.
#[derive(Clone, Debug)]
pub struct DueEmail {
    pub item: Item,
    pub share: ShareId,
    /// When the email became due.
    pub since: Timestamp,
}

impl DueEmail {
    fn parse(entry: &Attributes) -> Result<Self, DecodeError> {
        let (item, share) = parse_share_key(
            string_attribute(entry, "item").unwrap_or(""),
            string_attribute(entry, "entry").unwrap_or(""),
        )?;
        let due = entry.get("mailDue").and_then(|due| due.as_n().ok()?.parse().ok());
        Ok(Self { item, share, since: decode_time(due.ok_or(DecodeError("mailDue"))?, "mailDue")? })
    }
}

/// The reason a delivery report was not applied: the report adds nothing new.
struct NothingNew;

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
        let mail = &resent.mail;
        let due = mail.pending().ok_or(InternalError::Encoding("an email that is not pending"))?.due;
        let update = self.update(&current.item, current.id);
        let update = match current.mail.pending() {
            None => update.condition_expression(format!("{UNCHANGED} AND attribute_not_exists(mailDue)")),
            Some(old) => update
                .condition_expression(format!("{UNCHANGED} AND mailDue = :oldDue"))
                .expression_attribute_values(":oldDue", millis(old.due)),
        };
        let requested = mail.requested.as_ref().map(StoredAction::from);
        // Remove the claim, so that the sender of the previous email can no longer record an outcome.
        Ok(update
            .update_expression(
                "SET mailState = :state, mailAt = :due, mailAttempt = :new, mailRequested = :action, \
                 mailSentBefore = :sentBefore, mailRequestId = :write, mailTries = :zero, \
                 mailShard = :shard, mailDue = :due \
                 REMOVE mailDetail, mailBounce, mailClaim",
            )
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":generation", text(&current.generation))
            .expression_attribute_values(":version", number(&current.version))
            .expression_attribute_values(":old", number(&current.mail.attempt))
            .expression_attribute_values(":state", text(&mail.state.name()))
            .expression_attribute_values(":new", number(&mail.attempt))
            .expression_attribute_values(":action", encode(&requested)?)
            .expression_attribute_values(":sentBefore", AttributeValue::Bool(mail.was_sent_before))
            .expression_attribute_values(":write", text(&write))
            .expression_attribute_values(":zero", number(&0))
            .expression_attribute_values(":shard", text(&mail_shard(current.id)))
            .expression_attribute_values(":due", millis(due)))
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

    /// Claims a share's email if it is due, and returns the share with the hash of its sharer. If the share has
    /// no link key yet, sets it to `current_key`, if given. Returns `None` if the email is not due or another
    /// sender has claimed it.
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
        let claimed = self.claim(item, id, current_key, write, now).await;
        if let Err(AwsError::InvalidData { .. }) = claimed {
            let update = self.update(item, id).update_expression("REMOVE mailShard, mailDue");
            self.write_under_claim(update, write).await?;
        }
        claimed
    }

    async fn claim(
        &self,
        item: &Item,
        id: ShareId,
        current_key: Option<&KeyId>,
        write: WriteId,
        now: Timestamp,
    ) -> Result<Option<(Share, SharerKey)>, AwsError> {
        let claim =
            "SET mailDue = :leased, mailClaim = :write, mailTries = if_not_exists(mailTries, :zero) + :one";
        let update = self.update(item, id);
        let update = match current_key {
            None => update.update_expression(claim),
            Some(key) => update
                .update_expression(format!("{claim}, linkKeyId = if_not_exists(linkKeyId, :key)"))
                .expression_attribute_values(":key", AttributeValue::S(key.as_str().to_owned())),
        };
        let update = update
            .condition_expression("attribute_exists(mailShard) AND mailDue <= :due")
            .expression_attribute_values(":leased", millis(now + mail::LEASE))
            .expression_attribute_values(":due", millis(now + mail::CLOCK_SKEW))
            .expression_attribute_values(":zero", number(&0))
            .expression_attribute_values(":one", number(&1))
            .expression_attribute_values(":write", text(&write));
        match run_update(update).await? {
            UpdateResult::Updated(record) => Ok(Some(record.into_share_and_sharer()?)),
            UpdateResult::ConditionFailed(Some(record))
                if record.mail_claim.as_deref() == Some(&write.to_string()) =>
            {
                Ok(Some(record.into_share_and_sharer()?))
            }
            UpdateResult::ConditionFailed(_) => Ok(None),
        }
    }

    /// Records the outcome for an email that this sender claimed. Does nothing if the claim is no longer
    /// valid, because the lease expired and another sender claimed the email, a resend replaced the email, or
    /// SES reported on the email first.
    ///
    /// Retries longer than other writes do, because an email that is sent but not recorded is sent again.
    pub async fn record_send_outcome(
        &self,
        share: &Share,
        claim: WriteId,
        outcome: SendOutcome,
        now: Timestamp,
    ) -> Result<(), AwsError> {
        let mail = MailRecord::from(&share.mail.after_sending(outcome, now));
        let update = self.update(&share.item, share.id);
        let update = match (mail.mail_due, mail.mail_detail) {
            (Some(due), _) => update
                .update_expression("SET mailDue = :due, mailTries = :tries")
                .expression_attribute_values(":due", number(&due))
                .expression_attribute_values(":tries", number(&mail.mail_tries)),
            (None, None) => update
                .update_expression(
                    "SET mailState = :state, mailAt = :now REMOVE mailShard, mailDue, mailDetail",
                )
                .expression_attribute_values(":state", text(&mail.mail_state))
                .expression_attribute_values(":now", millis(now)),
            (None, Some(detail)) => update
                .update_expression(
                    "SET mailState = :state, mailAt = :now, mailDetail = :detail REMOVE mailShard, mailDue",
                )
                .expression_attribute_values(":state", text(&mail.mail_state))
                .expression_attribute_values(":now", millis(now))
                .expression_attribute_values(":detail", text(&detail)),
        };
        self.write_under_claim(update, claim).await
    }

    /// Runs an update if this claim is still valid. Retries longer than other writes do.
    async fn write_under_claim(
        &self,
        update: UpdateItemFluentBuilder,
        claim: WriteId,
    ) -> Result<(), AwsError> {
        let retries = RetryConfig::standard()
            .with_max_attempts(10)
            .with_initial_backoff(Duration::from_millis(200))
            .with_max_backoff(Duration::from_secs(3));
        let patient_config = Builder::new()
            .retry_config(retries)
            .timeout_config(TimeoutConfig::builder().operation_timeout(Duration::from_secs(20)).build());
        let written = update
            .condition_expression("mailClaim = :claim AND attribute_exists(mailShard)")
            .expression_attribute_values(":claim", text(&claim))
            .customize()
            .config_override(patient_config)
            .send()
            .await;
        ignore_failed_condition(written)
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
        let mail = MailRecord::from(&reported.mail);
        let mut set = vec!["mailState = :state", "mailAt = :at"];
        let mut remove = vec!["mailShard", "mailDue", "mailClaim"];
        let mut update = self.update(&current.item, current.id);
        match mail.mail_detail {
            None => remove.push("mailDetail"),
            Some(detail) => {
                set.push("mailDetail = :detail");
                update = update.expression_attribute_values(":detail", text(&detail));
            }
        }
        match mail.mail_bounce {
            None => remove.push("mailBounce"),
            Some(bounce) => {
                set.push("mailBounce = :bounce");
                update = update.expression_attribute_values(":bounce", text(&bounce));
            }
        }
        let at = mail.mail_at.ok_or(InternalError::Encoding("a report without a time"))?;
        let old_at = current.mail.at.map_or(AttributeValue::Null(true), millis);
        Ok(update
            .update_expression(format!("SET {} REMOVE {}", set.join(", "), remove.join(", ")))
            .condition_expression(
                "generation = :generation AND mailAttempt = :attempt AND mailState = :old AND mailAt = :oldAt",
            )
            .expression_attribute_values(":state", text(&mail.mail_state))
            .expression_attribute_values(":at", number(&at))
            .expression_attribute_values(":generation", text(&current.generation))
            .expression_attribute_values(":attempt", number(&current.mail.attempt))
            .expression_attribute_values(":old", text(&current.mail.state.name()))
            .expression_attribute_values(":oldAt", old_at))
    }
}
