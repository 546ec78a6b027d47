//! Batches of records from the table's stream.

use std::fmt::Display;

use aws_lambda_events::dynamodb::{Event, EventRecord};
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use futures_util::{StreamExt, stream};

/// The maximum number of records from one batch to process concurrently.
const CONCURRENCY: usize = 10;

/// Processes each record in a batch. If a record fails, the other records are still processed. The failure is
/// reported to Lambda, which redelivers that record and all records after it.
pub async fn process_records<F, E>(event: Event, handle: impl Fn(EventRecord) -> F) -> DynamoDbEventResponse
where
    F: Future<Output = Result<(), E>>,
    E: Display,
{
    let results = event.records.into_iter().map(|record| {
        let (sequence_number, event_id) = (record.change.sequence_number.clone(), record.event_id.clone());
        let result = handle(record);
        async move {
            let error = result.await.err()?;
            tracing::error!(%error, event_id, "a record could not be processed");
            let mut failure = DynamoDbBatchItemFailure::default();
            failure.item_identifier = sequence_number;
            Some(failure)
        }
    });
    let failures = stream::iter(results).buffered(CONCURRENCY).filter_map(std::future::ready);
    let mut response = DynamoDbEventResponse::default();
    response.batch_item_failures = failures.collect().await;
    response
}
