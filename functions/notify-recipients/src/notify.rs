//! Sends pending emails.

use std::time::Duration;

use aws_lambda_events::dynamodb::{Event, EventRecord};
use aws_lambda_events::streams::DynamoDbEventResponse;
use futures_util::{StreamExt, stream};
use lambda_runtime::LambdaEvent;
use serde::Deserialize;
use sharelink_aws::link_builder::LinkBuilder;
use sharelink_aws::mailer::Mailer;
use sharelink_aws::share_table::{DueEmail, ShareTable, parse_share_image};
use sharelink_aws::switch_cache::SwitchCache;
use sharelink_aws::{AwsError, Error, new_write_id};
use sharelink_domain::mail::OVERDUE_AFTER;
use sharelink_domain::sending::{Fault, SendError, SendOutcome};
use sharelink_domain::{Item, PlatformName, Share, ShareId, Timestamp};
use sharelink_runtime::streams::process_records;
use sharelink_runtime::{Clock, Metrics};

use crate::email;
use crate::rate_limiter::RateLimiter;
use crate::send_budget::SendBudget;

/// The maximum number of overdue emails to process concurrently.
const CONCURRENCY: usize = 10;

pub(crate) struct NotifyRecipients {
    pub(crate) clock: Clock,
    pub(crate) links: LinkBuilder,
    pub(crate) mailer: Mailer,
    pub(crate) metrics: Metrics,
    /// The name in the From header. If it is `None`, the header contains only the address.
    /// Whether a link to a single file shows a page.
    pub(crate) always_show_page: bool,
    pub(crate) platform_name: Option<PlatformName>,
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
            self.notify(&share.item, share.id, budget).await?;
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
            if let Err(error) = self.notify(&mail.item, mail.share, budget).await {
                tracing::error!(%error, "an overdue email could not be processed");
            }
        };
        stream::iter(due).for_each_concurrent(CONCURRENCY, notify).await;
        Ok(())
    }

    /// Sends a share's email if it is due and no other invocation has claimed it.
    async fn notify(&self, item: &Item, id: ShareId, budget: &SendBudget) -> Result<(), Error> {
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
        let claimed = self.table.claim_email(item, id, key.as_ref(), claim, now).await?;
        let Some((share, sharer)) = claimed else { return Ok(()) };
        let is_switched_off = switches.is_share_off(&item.module, sharer, &share.recipient);
        let outcome = match SendOutcome::without_sending(&share, is_switched_off, now) {
            Some(outcome) => outcome,
            None => SendOutcome::from_result(self.send(&share, now).await, &share, now),
        };
        budget.record(outcome);
        self.table.record_send_outcome(&share, claim, outcome, self.clock.now()).await?;
        report_outcome(outcome, &share);
        Ok(())
    }

    async fn send(&self, share: &Share, now: Timestamp) -> Result<(), SendError> {
        let link = self.links.build(share, now).await.map_err(|error| {
            tracing::error!(%error, "a link could not be built");
            SendError::Transient(Fault::NoLink)
        })?;
        let email = email::compose(share, &link, self.platform_name.as_ref(), self.always_show_page)
            .map_err(|_| SendError::Permanent("the email could not be composed"))?;
        self.mailer.send(&email).await
    }
}

/// Records an email's outcome in the metrics and the log.
fn report_outcome(outcome: SendOutcome, share: &Share) {
    let (attempt, tries) = (share.mail.attempt, share.mail.pending().map(|pending| pending.tries));
    if let SendOutcome::Deferred { fault, .. } = outcome {
        metrics::counter!("EmailsPutOff", "Reason" => fault.name()).increment(1);
        tracing::warn!(reason = fault.name(), attempt, tries, "an email was deferred");
    } else {
        metrics::counter!("Emails", "Outcome" => outcome.name()).increment(1);
        tracing::info!(outcome = outcome.name(), attempt, tries, "an email was handled");
    }
}
