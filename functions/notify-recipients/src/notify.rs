//! From a pending email to a sent one.

use std::time::Duration;

use aws_lambda_events::dynamodb::{Event, EventRecord};
use aws_lambda_events::streams::DynamoDbEventResponse;
use futures_util::{StreamExt, stream};
use lambda_runtime::{Error, LambdaEvent};
use serde::Deserialize;
use sharelink_aws::links::LinkBuilder;
use sharelink_aws::mailer::Mailer;
use sharelink_aws::share_table::{DueEmail, ShareTable, parse_share_image};
use sharelink_aws::{AwsError, new_write_id};
use sharelink_domain::mail::{Fault, OVERDUE_AFTER, SendError, SendOutcome};
use sharelink_domain::{Item, Share, ShareId, Timestamp};
use sharelink_runtime::streams::process_records;
use sharelink_runtime::{Clock, Metrics};

use crate::email;
use crate::rate_limiter::{RateLimiter, Run};

/// How many overdue emails may be under way at the same time.
const CONCURRENCY: usize = 10;

pub(crate) struct NotifyRecipients {
    pub(crate) clock: Clock,
    pub(crate) links: LinkBuilder,
    pub(crate) mailer: Mailer,
    pub(crate) metrics: Metrics,
    pub(crate) pace: RateLimiter,
    pub(crate) table: ShareTable,
}

/// What there is to do.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Wakeup {
    /// Shares have changed whose emails are pending.
    Stream(Event),
    /// Another minute has passed.
    Schedule {
        #[serde(rename = "detail-type")]
        detail_type: Scheduled,
    },
}

/// How `EventBridge` calls what a schedule sends.
#[derive(Debug, Deserialize)]
pub(crate) enum Scheduled {
    #[serde(rename = "Scheduled Event")]
    Event,
}

impl NotifyRecipients {
    pub(crate) async fn handle(&self, event: LambdaEvent<Wakeup>) -> Result<DynamoDbEventResponse, Error> {
        let run = Run::new(event.context.deadline());
        let handled = match event.payload {
            Wakeup::Stream(event) => Ok(process_records(event, |record| self.on_change(record, &run)).await),
            Wakeup::Schedule { detail_type: Scheduled::Event } => {
                self.work_off(&run).await.map(|()| DynamoDbEventResponse::default())
            }
        };
        self.metrics.flush();
        Ok(handled?)
    }

    /// The fast path: a change of a share whose email is pending. Only a fault of the table brings a record again:
    /// after any other, the share says when its email is due.
    async fn on_change(&self, record: EventRecord, run: &Run) -> Result<(), AwsError> {
        let share = parse_share_image(record.change.new_image)?;
        if share.mail.is_due(self.clock.now()) {
            self.notify(&share.item, share.id, run).await?;
        }
        Ok(())
    }

    /// The recovery path: whatever is overdue, after a crash, an outage or a record that was lost.
    async fn work_off(&self, run: &Run) -> Result<(), AwsError> {
        let now = self.clock.now();
        let due = self.table.due_emails(now - OVERDUE_AFTER).await?;
        // Zero tells, too: that somebody has looked.
        let overdue =
            due.first().map_or(Duration::ZERO, |mail| (now - mail.since).to_std().unwrap_or_default());
        metrics::histogram!("LongestOverdue").record(overdue);
        let notify = |mail: DueEmail| async move {
            if let Err(error) = self.notify(&mail.item, mail.share, run).await {
                tracing::error!(%error, "an overdue email could not be handled");
            }
        };
        stream::iter(due).for_each_concurrent(CONCURRENCY, notify).await;
        Ok(())
    }

    /// Sends the email of a share, if it is due and nobody else has claimed it.
    async fn notify(&self, item: &Item, id: ShareId, run: &Run) -> Result<(), AwsError> {
        if !run.goes_on() {
            return Ok(());
        }
        let key = self.links.current_key(self.clock.now()).await;
        let key = key.inspect_err(|error| tracing::error!(%error, "the key ring is out of reach")).ok();
        self.pace.acquire().await;
        if !run.goes_on() {
            return Ok(());
        }
        let now = self.clock.now();
        let claim = new_write_id()?;
        let Some(share) = self.table.claim_email(item, id, key.as_ref(), claim, now).await? else {
            return Ok(());
        };
        let outcome = match SendOutcome::without_sending(&share, now) {
            Some(outcome) => outcome,
            None => SendOutcome::of_sending(self.send(&share, now).await, &share, now),
        };
        run.note(outcome);
        self.table.record_send_outcome(&share, claim, outcome, self.clock.now()).await?;
        tell(outcome, &share);
        Ok(())
    }

    async fn send(&self, share: &Share, now: Timestamp) -> Result<(), SendError> {
        let link = self.links.link(share, now).await.map_err(|error| {
            tracing::error!(%error, "a link could not be made");
            SendError::Transient(Fault::NoLink)
        })?;
        let email = email::compose(share, &link)
            .map_err(|_| SendError::Permanent("the email could not be composed"))?;
        self.mailer.send(&email).await
    }
}

/// Tells operators what became of an email.
fn tell(outcome: SendOutcome, share: &Share) {
    let (attempt, tries) = (share.mail.attempt, share.mail.pending().map(|pending| pending.tries));
    if let SendOutcome::Deferred { fault, .. } = outcome {
        metrics::counter!("EmailsPutOff", "Reason" => fault.name()).increment(1);
        tracing::warn!(reason = fault.name(), attempt, tries, "an email was put off");
    } else {
        metrics::counter!("Emails", "Outcome" => outcome.name()).increment(1);
        tracing::info!(outcome = outcome.name(), attempt, tries, "an email was handled");
    }
}
