//! Publishes entries of the share log as events.
//!
//! The entries come from the log's own stream, in batches of their own. An entry is therefore in the log before
//! its event is published, whoever wrote it, and a bus that fails never delays the log.

use aws_lambda_events::dynamodb::EventRecord;
use aws_lambda_events::streams::DynamoDbBatchItemFailure;
use futures_util::{StreamExt, stream};
use sharelink_aws::Error;
use sharelink_aws::event_bus::{BATCH_LIMIT, EventBus, ShareEvent};
use sharelink_aws::share_table::parse_log_image;
use tokio::time::sleep;

use crate::sweep::{RETRY_DELAY, RetryDeadline, SweepShares};

/// The maximum number of concurrent calls.
const CONCURRENCY: usize = 5;

/// An event, and the sequence number of its entry's record.
struct Pending {
    event: ShareEvent,
    sequence_number: Option<String>,
}

impl SweepShares {
    /// Publishes the entries, retrying until the deadline. Returns the records that Lambda must deliver again.
    ///
    /// Every failure is retried, even a missing bus or permission: an operator can restore both, and the stream
    /// keeps the entries for a day.
    pub(crate) async fn publish(
        &self,
        records: Vec<EventRecord>,
        deadline: &RetryDeadline,
    ) -> Vec<DynamoDbBatchItemFailure> {
        // Without a bus, nothing reads the log's stream. A batch may still arrive while the bus is removed.
        let Some(bus) = &self.event_bus else { return vec![] };
        let mut pending: Vec<Pending> = records.into_iter().filter_map(parse).collect();
        while !pending.is_empty() && !deadline.has_passed() {
            pending = self.try_to_publish(bus, pending).await;
            if !pending.is_empty() {
                sleep(RETRY_DELAY).await;
            }
        }
        let failure = |pending: Pending| {
            let mut failure = DynamoDbBatchItemFailure::default();
            failure.item_identifier = pending.sequence_number;
            failure
        };
        pending.into_iter().map(failure).collect()
    }

    /// Tries to publish the events once. Returns those that were not accepted, in their order.
    async fn try_to_publish(&self, bus: &EventBus, mut pending: Vec<Pending>) -> Vec<Pending> {
        let mut batches = vec![];
        while !pending.is_empty() {
            let rest = pending.split_off(BATCH_LIMIT.min(pending.len()));
            batches.push(std::mem::replace(&mut pending, rest));
        }
        let now = self.clock.now();
        let publish = |batch: Vec<Pending>| async move {
            let events: Vec<&ShareEvent> = batch.iter().map(|pending| &pending.event).collect();
            let accepted = bus.publish(&events, now).await.unwrap_or_else(|error| {
                tracing::error!(%error, "events could not be published");
                vec![]
            });
            let is_accepted = |n: usize| accepted.get(n).copied().unwrap_or(false);
            batch
                .into_iter()
                .enumerate()
                .filter_map(|(n, p)| (!is_accepted(n)).then_some(p))
                .collect::<Vec<_>>()
        };
        stream::iter(batches.into_iter().map(publish)).buffered(CONCURRENCY).concat().await
    }
}

/// Parses a record. An unreadable entry must not block the others: the API omits it, too.
fn parse(record: EventRecord) -> Option<Pending> {
    let entry = parse_log_image(record.change.new_image).map_err(Error::from);
    let event = entry.and_then(|entry| match entry {
        Some((item, entry)) => Ok(ShareEvent::new(&item, &entry)?),
        None => Ok(None),
    });
    match event {
        Ok(event) => Some(Pending { event: event?, sequence_number: record.change.sequence_number }),
        Err(error) => {
            tracing::error!(%error, event_id = record.event_id, "an entry was not published");
            None
        }
    }
}
