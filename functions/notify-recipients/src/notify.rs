//! From a record of the stream to an email.

use aws_lambda_events::dynamodb::{Event, EventRecord};
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use futures_util::{StreamExt, stream};
use lambda_runtime::Error;
use sharelink_aws::links::Links;
use sharelink_aws::mailer::Mailer;
use sharelink_aws::share_table::{MailOutcome, ShareTable, Unreadable, share_from_image};
use sharelink_aws::{AwsError, new_write_id};
use sharelink_domain::mail::{self, SendError};
use sharelink_domain::{MailState, Share, Timestamp};
use sharelink_runtime::Clock;
use thiserror::Error;

use crate::email;

/// How many emails of one batch may be under way at the same time: all of it, or a slow service would hold
/// the batch longer than the function may run.
const CONCURRENCY: usize = 10;

pub(crate) struct NotifyRecipients {
    pub(crate) clock: Clock,
    pub(crate) links: Links,
    pub(crate) mailer: Mailer,
    pub(crate) table: ShareTable,
}

/// Why a record must come again. A fault of any other service is none: the share says when its email is due
/// again.
#[derive(Debug, Error)]
enum RecordError {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl NotifyRecipients {
    /// Sends the emails that a batch of records says are pending. A record that fails is reported, and keeps
    /// none of the others from their emails.
    pub(crate) async fn handle(&self, event: Event) -> Result<DynamoDbEventResponse, Error> {
        let failures = stream::iter(event.records)
            .map(|record| async move {
                let error = self.notify(&record).await.err()?;
                tracing::error!(%error, event_id = record.event_id, "a record could not be handled");
                Some(record.change.sequence_number)
            })
            .buffered(CONCURRENCY)
            .filter_map(std::future::ready)
            .collect::<Vec<_>>()
            .await;
        let mut response = DynamoDbEventResponse::default();
        response.batch_item_failures = failures.into_iter().map(failure).collect();
        Ok(response)
    }

    async fn notify(&self, record: &EventRecord) -> Result<(), RecordError> {
        let share = share_from_image(record.change.new_image.clone())?;
        let now = self.clock.now();
        if !share.mail.is_due(now) {
            return Ok(());
        }
        let key = self.links.current_key(now).await;
        let key = key.inspect_err(|error| tracing::error!(%error, "the key ring is out of reach")).ok();
        let claim = new_write_id()?;
        let Some(share) = self.table.claim_mail(&share.item, share.id, key.as_ref(), claim, now).await?
        else {
            return Ok(());
        };
        let outcome = self.send(&share, now).await;
        self.table.record_mail(&share, claim, &outcome, self.clock.now()).await?;
        tracing::info!(outcome = outcome.name(), attempt = share.mail.attempt, "an email was handled");
        Ok(())
    }

    /// Sends the email of a share that was claimed, and says what became of it.
    async fn send(&self, share: &Share, now: Timestamp) -> MailOutcome {
        if !mail::may_leave(share) {
            return MailOutcome::Ended(MailState::None, "revoked before the email was sent");
        }
        let again = MailOutcome::Due(mail::retry_at(now, share.mail.tries));
        let link = match self.links.link(share, now).await {
            Ok(link) => link,
            Err(error) => {
                tracing::error!(%error, "a link could not be made");
                return again;
            }
        };
        let Ok(email) = email::compose(share, &link) else {
            return MailOutcome::Ended(MailState::Failed, "the email could not be composed");
        };
        match self.mailer.send(&email).await {
            Ok(()) => MailOutcome::Sent,
            Err(SendError::Refused(reason)) => MailOutcome::Ended(MailState::Failed, reason),
            Err(SendError::Passing) => again,
        }
    }
}

fn failure(sequence_number: Option<String>) -> DynamoDbBatchItemFailure {
    let mut failure = DynamoDbBatchItemFailure::default();
    failure.item_identifier = sequence_number;
    failure
}
