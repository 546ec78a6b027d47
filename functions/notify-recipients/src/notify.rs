//! Sends pending emails, reminders and digests.

use std::time::Duration;

use aws_lambda_events::dynamodb::{Event, EventRecord};
use aws_lambda_events::streams::DynamoDbEventResponse;
use futures_util::future::try_join;
use futures_util::{StreamExt, stream};
use lambda_runtime::LambdaEvent;
use serde::Deserialize;
use sharelink_aws::link_builder::LinkBuilder;
use sharelink_aws::mailer::Mailer;
use sharelink_aws::share_table::{DueEmail, OutboxRow, ShareTable, parse_share_image};
use sharelink_aws::switch_cache::SwitchCache;
use sharelink_aws::{AwsError, Error, new_write_id};
use sharelink_domain::mail::OVERDUE_AFTER;
use sharelink_domain::notices::{Digest, PendingNotices};
use sharelink_domain::sending::{Fault, MailKind, Queued, SendError, SendOutcome};
use sharelink_domain::{Brand, Language, MailReason, PlatformUrl, Share, Timestamp, WriteId};
use sharelink_runtime::streams::process_records;
use sharelink_runtime::{Clock, Metrics};

use crate::rate_limiter::RateLimiter;
use crate::send_budget::SendBudget;
use crate::texts::DigestTexts;
use crate::{digest, email};

/// The maximum number of overdue emails to process concurrently.
const CONCURRENCY: usize = 10;

pub(crate) struct NotifyRecipients {
    /// Whether a link to a single file shows a page.
    pub(crate) always_show_page: bool,
    pub(crate) brand: Brand,
    pub(crate) clock: Clock,
    /// The language of digests.
    pub(crate) default_language: Language,
    pub(crate) links: LinkBuilder,
    pub(crate) mailer: Mailer,
    pub(crate) metrics: Metrics,
    /// The platform's page for a share, to which notices lead.
    pub(crate) platform_url: Option<PlatformUrl>,
    pub(crate) rate_limiter: RateLimiter,
    /// The switches by which operators pause shares, and their emails.
    pub(crate) switches: SwitchCache,
    pub(crate) table: ShareTable,
}

/// The event that triggers an invocation.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Trigger {
    /// A batch of changed shares with pending emails.
    Stream(Event),
    /// The schedule, which runs once a minute.
    Schedule {
        #[serde(rename = "detail-type")]
        detail_type: ScheduleDetailType,
    },
}

/// The `detail-type` of every scheduled event from `EventBridge`.
#[derive(Debug, Deserialize)]
pub(crate) enum ScheduleDetailType {
    #[serde(rename = "Scheduled Event")]
    ScheduledEvent,
}

impl NotifyRecipients {
    pub(crate) async fn handle(
        &self,
        event: LambdaEvent<Trigger>,
    ) -> Result<DynamoDbEventResponse, lambda_runtime::Error> {
        let budget = SendBudget::new(event.context.deadline());
        let result = match event.payload {
            Trigger::Stream(event) => {
                Ok(process_records(event, |record| self.process_change(record, &budget)).await)
            }
            Trigger::Schedule { detail_type: ScheduleDetailType::ScheduledEvent } => {
                self.send_overdue(&budget).await.map(|()| DynamoDbEventResponse::default())
            }
        };
        self.metrics.flush();
        Ok(result?)
    }

    /// The fast path: processes a change to a share with a pending email. If SES fails or the link cannot be
    /// built, the stream does not redeliver the record, because the share itself records when its email is
    /// due again.
    async fn process_change(&self, record: EventRecord, budget: &SendBudget) -> Result<(), Error> {
        let share = parse_share_image(record.change.new_image)?;
        if share.mail.is_due(self.clock.now()) {
            self.notify(&OutboxRow::Share { item: share.item, id: share.id }, budget).await?;
        }
        Ok(())
    }

    /// The recovery path: sends all overdue emails, for example after a crash, an outage or a lost stream
    /// record.
    async fn send_overdue(&self, budget: &SendBudget) -> Result<(), AwsError> {
        let now = self.clock.now();
        let due = self.table.due_emails(now - OVERDUE_AFTER).await?;
        // Record zero too: it proves that the schedule ran.
        let longest_overdue =
            due.first().map_or(Duration::ZERO, |mail| (now - mail.since).to_std().unwrap_or_default());
        metrics::histogram!("LongestOverdue").record(longest_overdue);
        let notify = |mail: DueEmail| async move {
            if let Err(error) = self.notify(&mail.row, budget).await {
                tracing::error!(%error, "an overdue email could not be processed");
            }
        };
        stream::iter(due).for_each_concurrent(CONCURRENCY, notify).await;
        Ok(())
    }

    /// Sends what a row of the outbox holds, if it is due and no other invocation has claimed it.
    async fn notify(&self, row: &OutboxRow, budget: &SendBudget) -> Result<(), Error> {
        if !budget.may_continue() {
            return Ok(());
        }
        let current_key = self.links.current_key(self.clock.now()).await;
        let key =
            current_key.inspect_err(|error| tracing::error!(%error, "the key ring is unavailable")).ok();
        self.rate_limiter.acquire().await;
        // The budget may have been exhausted while waiting.
        if !budget.may_continue() {
            return Ok(());
        }
        let now = self.clock.now();
        let switches = self.switches.read(now).await?.switches;
        let claim = new_write_id()?;
        match row {
            OutboxRow::Share { item, id } => {
                let claimed = self.table.claim_email(item, *id, key.as_ref(), claim, now).await?;
                let Some((share, sharer)) = claimed else { return Ok(()) };
                let Some(queued) = share.queued() else { return Ok(()) };
                let is_off = switches.is_share_off(&item.module, sharer, &share.recipient);
                let outcome = match SendOutcome::without_sending(&share, is_off, now) {
                    Some(outcome) => outcome,
                    None => SendOutcome::from_result(self.send(&share, queued.kind, now).await, queued, now),
                };
                budget.record(outcome);
                self.table.record_send_outcome(&share, claim, outcome, self.clock.now()).await?;
                report_outcome(outcome, queued);
            }
            OutboxRow::Notices(sharer) => {
                let claimed = self.table.claim_notices(*sharer, claim, now).await?;
                let Some(notices) = claimed else { return Ok(()) };
                let queued = notices.queued();
                let outcome = match queued.without_sending(switches.are_notices_off(*sharer), now) {
                    Some(outcome) => outcome,
                    None => self.send_digest(&notices, claim, now).await?,
                };
                budget.record(outcome);
                self.table.record_digest_outcome(&notices, claim, outcome, self.clock.now()).await?;
                report_outcome(outcome, queued);
            }
        }
        Ok(())
    }

    async fn send(&self, share: &Share, kind: MailKind, now: Timestamp) -> Result<(), SendError> {
        let link = self.links.build(share, now).await.map_err(|error| {
            tracing::error!(%error, "a link could not be built");
            SendError::Transient(Fault::NoLink)
        })?;
        let email = email::compose(share, kind, &link, &self.brand, self.always_show_page, now)
            .map_err(|_| SendError::Permanent(MailReason::NotComposed))?;
        self.mailer.send(&email).await
    }

    /// Sends the notices that are still true and wanted. If there are none, the digest is no longer wanted.
    ///
    /// The sharer's settings are read again, because they may have changed since the notices were appended.
    async fn send_digest(
        &self,
        notices: &PendingNotices,
        claim: WriteId,
        now: Timestamp,
    ) -> Result<SendOutcome, Error> {
        let read = try_join(self.table.read_noticed_shares(notices), async {
            Ok(self.table.notice_settings(notices.sharer).await?)
        });
        let (shares, wanted) = read.await?;
        let Some(digest) = Digest::new(notices, &shares, wanted) else {
            return Ok(SendOutcome::Withdrawn(MailReason::Withdrawn));
        };
        let platform = (&self.brand, self.platform_url.as_ref());
        let sent = match digest::compose(&digest, DigestTexts::of(self.default_language), claim, platform) {
            Ok(email) => self.mailer.send(&email).await,
            Err(_) => Err(SendError::Permanent(MailReason::NotComposed)),
        };
        Ok(SendOutcome::from_result(sent, notices.queued(), now))
    }
}

/// Records an email's outcome in the metrics and the log. The metrics count emails of every kind together.
fn report_outcome(outcome: SendOutcome, queued: Queued) {
    let (kind, tries) = (queued.kind.name(), queued.pending.tries);
    if let SendOutcome::Deferred { fault, .. } = outcome {
        metrics::counter!("EmailsPutOff", "Reason" => fault.name()).increment(1);
        tracing::warn!(reason = fault.name(), kind, tries, "an email was deferred");
    } else {
        metrics::counter!("Emails", "Outcome" => outcome.name()).increment(1);
        tracing::info!(outcome = outcome.name(), kind, tries, "an email was handled");
    }
}
