//! Batches of the table's stream.

use std::fmt::Display;

use aws_lambda_events::dynamodb::{Event, EventRecord};
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use futures_util::{StreamExt, stream};

/// How many records of one batch may be under way at the same time.
const CONCURRENCY: usize = 10;

/// Handles each record of a batch. One that fails is reported, and keeps no other from being handled; Lambda
/// delivers it again, with those after it.
pub async fn process_records<F, E>(event: Event, handle: impl Fn(EventRecord) -> F) -> DynamoDbEventResponse
where
    F: Future<Output = Result<(), E>>,
    E: Display,
{
    let handled = event.records.into_iter().map(|record| {
        let (sequence_number, event_id) = (record.change.sequence_number.clone(), record.event_id.clone());
        let handled = handle(record);
        async move {
            let error = handled.await.err()?;
            tracing::error!(%error, event_id, "a record could not be handled");
            let mut failure = DynamoDbBatchItemFailure::default();
            failure.item_identifier = sequence_number;
            Some(failure)
        }
    });
    let failures = stream::iter(handled).buffered(CONCURRENCY).filter_map(std::future::ready);
    let mut response = DynamoDbEventResponse::default();
    response.batch_item_failures = failures.collect().await;
    response
}
