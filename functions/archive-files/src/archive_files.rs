//! Handles messages of the queue.

use std::time::{Duration, SystemTime};

use lambda_runtime::{Error, LambdaEvent};
use sharelink_aws::archives::{ArchiveBucket, ArchiveQueue};
use sharelink_aws::share_table::ShareTable;
use sharelink_domain::archive::ArchiveId;
use sharelink_runtime::{Clock, Metrics};

use crate::event::{FailedMessage, QueueEvent, QueueMessage, QueueResponse};
use crate::run::{Outcome, Run, RunError};

/// When a failed message is delivered again. Longer than a lease, in case it could not be given up. Otherwise,
/// the queue would wait for as long as a run may take.
const RETRY_AFTER: Duration = Duration::from_secs(90);

pub(crate) struct ArchiveFiles {
    pub(crate) bucket: ArchiveBucket,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    pub(crate) queue: ArchiveQueue,
    pub(crate) table: ShareTable,
}

impl ArchiveFiles {
    /// Makes the archives that the messages ask for. Returns the messages that failed, which the queue
    /// delivers again.
    pub(crate) async fn handle(&self, event: LambdaEvent<QueueEvent>) -> Result<QueueResponse, Error> {
        let deadline = event.context.deadline();
        let mut response = QueueResponse::default();
        for message in event.payload.records {
            if let Err(error) = self.handle_message(&message, deadline).await {
                tracing::error!(%error, "an archive could not be made");
                self.retry_soon(&message).await;
                let failure = FailedMessage { item_identifier: message.message_id };
                response.batch_item_failures.push(failure);
            }
        }
        self.metrics.flush();
        Ok(response)
    }

    async fn handle_message(&self, message: &QueueMessage, deadline: SystemTime) -> Result<(), RunError> {
        let id = message.body.parse::<ArchiveId>();
        let Ok(id) = id else {
            tracing::warn!("a message without an archive's id was ignored");
            return Ok(());
        };
        let outcome = Run::new(self, id, deadline)?.make().await?;
        metrics::counter!("Archives", "Outcome" => outcome.name()).increment(1);
        tracing::info!(outcome = outcome.name(), "an archive was handled");
        if outcome == Outcome::HandedOver {
            self.queue.send(&id).await?;
        }
        Ok(())
    }

    /// If this fails, the queue delivers the message later.
    async fn retry_soon(&self, message: &QueueMessage) {
        if let Err(error) = self.queue.retry_after(&message.receipt_handle, RETRY_AFTER).await {
            tracing::warn!(%error, "a message could not be scheduled for a retry");
        }
    }
}
