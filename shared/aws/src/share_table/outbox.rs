//! The outbox: emails that have not left yet, and what became of those that have.

use std::time::Duration;

use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use futures_util::{StreamExt, TryStreamExt, stream};
use sharelink_domain::link::KeyId;
use sharelink_domain::mail::{self, SendOutcome};
use sharelink_domain::share::WriteId;
use sharelink_domain::{Item, Share, ShareId, Timestamp};

use super::list::string;
use super::record::{DecodeError, MailRecord, SHARDS, encode, mail_shard, share_key, time};
use super::{Attributes, SERVICE, ShareTable, Update, ignore_failed_condition, millis, number, run, text};
use crate::AwsError;

/// The share is the one that was read, no other of its key, and nobody has changed it or asked for an email.
const AS_READ: &str = "generation = :generation AND #version = :version AND mailAttempt = :old";

/// How many emails of each shard one look at the outbox finds.
const DUE_LIMIT: i32 = 100;

/// An email that is overdue.
#[derive(Clone, Debug)]
pub struct DueEmail {
    pub item: Item,
    pub share: ShareId,
    /// When it was due.
    pub since: Timestamp,
}

impl DueEmail {
    fn read(entry: &Attributes) -> Result<Self, DecodeError> {
        let (item, share) =
            share_key(string(entry, "item").unwrap_or(""), string(entry, "entry").unwrap_or(""))?;
        let due = entry.get("mailDue").and_then(|due| due.as_n().ok()?.parse().ok());
        Ok(Self { item, share, since: time(due.ok_or(DecodeError("mailDue"))?, "mailDue")? })
    }
}

impl ShareTable {
    /// Asks for another email of a share, as `decide` says of the share as it is now: the share with an email
    /// that is due, or that there has been one already, or why there must not be one. `None`: there is no such
    /// share.
    pub async fn resend<E>(
        &self,
        item: &Item,
        id: ShareId,
        write: WriteId,
        decide: impl Fn(&Share) -> Result<Option<Share>, E>,
    ) -> Result<Option<Result<Share, E>>, AwsError> {
        let update = |old: &Share, new: &Share| self.put_email(old, new, write);
        self.decide(item, id, write, decide, update).await
    }

    fn put_email(
        &self,
        share: &Share,
        resent: &Share,
        write: WriteId,
    ) -> Result<UpdateItemFluentBuilder, AwsError> {
        let mail = &resent.mail;
        let pending = mail.pending();
        let due =
            pending.ok_or(AwsError::InvalidData { service: SERVICE, what: "an email that is not due" })?.due;
        let update = self.update(&share.item, share.id);
        let update = match share.mail.pending() {
            None => update.condition_expression(format!("{AS_READ} AND attribute_not_exists(mailDue)")),
            Some(old) => update
                .condition_expression(format!("{AS_READ} AND mailDue = :oldDue"))
                .expression_attribute_values(":oldDue", millis(old.due)),
        };
        // Without the claim, a sender of the email before has no more say.
        Ok(update
            .update_expression(
                "SET mailState = :state, mailAt = :due, mailAttempt = :new, mailRequested = :action, \
                 mailRequestId = :write, mailTries = :zero, mailShard = :shard, mailDue = :due \
                 REMOVE mailDetail, mailBounce, mailClaim",
            )
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":generation", text(&share.generation))
            .expression_attribute_values(":version", number(&share.version))
            .expression_attribute_values(":old", number(&share.mail.attempt))
            .expression_attribute_values(":state", text(&mail.state.name()))
            .expression_attribute_values(":new", number(&mail.attempt))
            .expression_attribute_values(":action", encode(&mail.requested)?)
            .expression_attribute_values(":write", text(&write))
            .expression_attribute_values(":zero", number(&0))
            .expression_attribute_values(":shard", text(&mail_shard(share.id)))
            .expression_attribute_values(":due", millis(due)))
    }

    /// Emails that were due by then, the longest overdue first: whoever was to send them has not. At most 100 of each of the
    /// outbox's 16 shards; eventually consistent, so the claim decides.
    pub async fn due_emails(&self, by: Timestamp) -> Result<Vec<DueEmail>, AwsError> {
        let shards: Vec<Vec<Attributes>> =
            stream::iter(SHARDS).map(|shard| self.due_in(shard, by)).buffered(4).try_collect().await?;
        let read = |entry| match DueEmail::read(&entry) {
            Ok(due) => Some(due),
            // One row that cannot be read must not hold the others up.
            Err(error) => {
                tracing::error!(%error, "a row was left out of the outbox");
                None
            }
        };
        let mut due: Vec<DueEmail> = shards.into_iter().flatten().filter_map(read).collect();
        due.sort_by_key(|mail| mail.since);
        Ok(due)
    }

    async fn due_in(&self, shard: char, by: Timestamp) -> Result<Vec<Attributes>, AwsError> {
        let answer = self
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
        Ok(answer.items.unwrap_or_default())
    }

    /// Claims a share's email for this sender, if it is due, and settles which key seals its link, where the
    /// current one is known. `None`: there is nothing to send, or another sender has it.
    ///
    /// A share that cannot be read leaves the outbox, or it would be due for ever.
    pub async fn claim_email(
        &self,
        item: &Item,
        id: ShareId,
        current_key: Option<&KeyId>,
        write: WriteId,
        now: Timestamp,
    ) -> Result<Option<Share>, AwsError> {
        let claimed = self.claim(item, id, current_key, write, now).await;
        if let Err(AwsError::InvalidData { .. }) = claimed {
            let update = self.update(item, id).update_expression("REMOVE mailShard, mailDue");
            self.put_outcome(update, write).await?;
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
    ) -> Result<Option<Share>, AwsError> {
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
        match run(update).await? {
            Update::Done(share) => Ok(Some(share.into_share()?)),
            Update::Refused(Some(old)) if old.mail_claim.as_deref() == Some(&write.to_string()) => {
                Ok(Some(old.into_share()?))
            }
            Update::Refused(_) => Ok(None),
        }
    }

    /// Records what became of an email that this sender had claimed. Does nothing where the claim is no
    /// longer its own: the lease had ended, and the next sender's word counts; or SES's report of the email was
    /// faster.
    ///
    /// Tries harder than other writes: an email that was sent, and not recorded, is sent again.
    pub async fn record_send_outcome(
        &self,
        share: &Share,
        claim: WriteId,
        outcome: SendOutcome,
        now: Timestamp,
    ) -> Result<(), AwsError> {
        let (state, detail) = match outcome {
            SendOutcome::Deferred { until, .. } => {
                let update = self.update(&share.item, share.id).update_expression("SET mailDue = :due");
                return self
                    .put_outcome(update.expression_attribute_values(":due", millis(until)), claim)
                    .await;
            }
            SendOutcome::Sent => ("sent", None),
            SendOutcome::Withdrawn => ("none", Some(mail::WITHDRAWN)),
            SendOutcome::Failed(reason) => ("failed", Some(reason)),
        };
        let update = self.update(&share.item, share.id);
        let update = match detail {
            None => update.update_expression(
                "SET mailState = :state, mailAt = :now REMOVE mailShard, mailDue, mailDetail",
            ),
            Some(detail) => update
                .update_expression(
                    "SET mailState = :state, mailAt = :now, mailDetail = :detail REMOVE mailShard, mailDue",
                )
                .expression_attribute_values(":detail", text(&detail)),
        };
        let update = update
            .expression_attribute_values(":state", text(&state))
            .expression_attribute_values(":now", millis(now));
        self.put_outcome(update, claim).await
    }

    async fn put_outcome(&self, update: UpdateItemFluentBuilder, claim: WriteId) -> Result<(), AwsError> {
        let retries = RetryConfig::standard()
            .with_max_attempts(10)
            .with_initial_backoff(Duration::from_millis(200))
            .with_max_backoff(Duration::from_secs(3));
        let patient = Builder::new()
            .retry_config(retries)
            .timeout_config(TimeoutConfig::builder().operation_timeout(Duration::from_secs(20)).build());
        let put = update
            .condition_expression("mailClaim = :claim AND attribute_exists(mailShard)")
            .expression_attribute_values(":claim", text(&claim))
            .customize()
            .config_override(patient)
            .send()
            .await;
        ignore_failed_condition(put)
    }

    /// Takes note of what SES reports of a share's email, as `decide` says of the share as it is now: the share
    /// with the email's new state, or none if the report says nothing new. `false`: nothing was noted.
    pub async fn report(
        &self,
        item: &Item,
        id: ShareId,
        write: WriteId,
        decide: impl Fn(&Share) -> Option<Share>,
    ) -> Result<bool, AwsError> {
        let decide = |share: &Share| decide(share).map(Some).ok_or(());
        let decided = self.decide(item, id, write, decide, |old, new| self.put_report(old, new)).await?;
        Ok(matches!(decided, Some(Ok(_))))
    }

    fn put_report(&self, share: &Share, reported: &Share) -> Result<UpdateItemFluentBuilder, AwsError> {
        let mail = MailRecord::of(&reported.mail);
        let mut set = vec!["mailState = :state", "mailAt = :at"];
        let mut remove = vec!["mailShard", "mailDue", "mailClaim"];
        let mut update = self.update(&share.item, share.id);
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
        let at = mail
            .mail_at
            .ok_or(AwsError::InvalidData { service: SERVICE, what: "a report without a time" })?;
        Ok(update
            .update_expression(format!("SET {} REMOVE {}", set.join(", "), remove.join(", ")))
            .condition_expression(
                "generation = :generation AND mailAttempt = :attempt AND mailState = :old AND mailAt = :oldAt",
            )
            .expression_attribute_values(":state", text(&mail.mail_state))
            .expression_attribute_values(":at", number(&at))
            .expression_attribute_values(":generation", text(&share.generation))
            .expression_attribute_values(":attempt", number(&share.mail.attempt))
            .expression_attribute_values(":old", text(&share.mail.state.name()))
            .expression_attribute_values(":oldAt", share.mail.at.map_or(AttributeValue::Null(true), millis)))
    }
}
