//! Requests under an idempotency key, remembered for a day.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sharelink_domain::Timestamp;
use sharelink_domain::idempotency::{IDEMPOTENCY_WINDOW, IdempotentRequest, KeyReused};

use super::record::{DecodeError, time};
use super::{Attributes, SERVICE, ShareTable, millis, text};
use crate::{AwsError, IdempotencyError};

const PARTITION: &str = "REQUEST#";
const ENTRY: &str = "REQUEST";

/// A request as it was received first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyRecord<T> {
    pub received: Timestamp,
    /// What was found out for it then, and is not to be found out differently for its repetitions.
    pub settled: T,
}

#[derive(Deserialize, Serialize)]
struct RequestRecord<T> {
    item: String,
    entry: String,
    fingerprint: String,
    received: i64,
    settled: T,
    ttl: i64,
}

impl ShareTable {
    /// Reads a request that nobody made: every function that may read may read that.
    pub(super) async fn read_nothing(&self) -> Result<(), AwsError> {
        let read = self.client.get_item().table_name(&self.name);
        let read = read.key("item", text(&format!("{PARTITION}warm-up"))).key("entry", text(&ENTRY));
        read.send().await.map(drop).map_err(|e| AwsError::new(SERVICE, &e))
    }

    /// The request as it was received first, if it is a repetition.
    pub async fn recall<T: DeserializeOwned>(
        &self,
        request: &IdempotentRequest,
        now: Timestamp,
    ) -> Result<Option<IdempotencyRecord<T>>, IdempotencyError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.name)
            .key("item", text(&partition(request)))
            .key("entry", text(&ENTRY))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::new(SERVICE, &e))?;
        let Some(row) = answer.item else { return Ok(None) };
        let record = read::<T>(row)?;
        // Its row may outlive it: TTL deletes late.
        if record.received <= forgotten(now).timestamp_millis() {
            return Ok(None);
        }
        first(request, record).map(Some)
    }

    /// Remembers a request and what was settled for it. Where a repetition was faster, that one counts.
    pub async fn remember<T: DeserializeOwned + Serialize>(
        &self,
        request: &IdempotentRequest,
        settled: T,
        now: Timestamp,
    ) -> Result<IdempotencyRecord<T>, IdempotencyError> {
        let record = RequestRecord {
            item: partition(request),
            entry: ENTRY.to_owned(),
            fingerprint: request.fingerprint(),
            received: now.timestamp_millis(),
            settled,
            ttl: (now + IDEMPOTENCY_WINDOW).timestamp(),
        };
        let row = serde_dynamo::to_item(&record).map_err(|_| AwsError::from(DecodeError("request")))?;
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(row))
            .condition_expression("attribute_not_exists(entry) OR received <= :forgotten")
            .expression_attribute_values(":forgotten", millis(forgotten(now)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = put else {
            return Ok(IdempotencyRecord { received: now, settled: record.settled });
        };
        let Some(PutItemError::ConditionalCheckFailedException(refused)) = error.as_service_error() else {
            return Err(AwsError::new(SERVICE, &error).into());
        };
        first(request, read(refused.item.clone().unwrap_or_default())?)
    }
}

fn partition(request: &IdempotentRequest) -> String {
    format!("{PARTITION}{}", request.id())
}

fn forgotten(now: Timestamp) -> Timestamp {
    now - IDEMPOTENCY_WINDOW
}

fn read<T: DeserializeOwned>(row: Attributes) -> Result<RequestRecord<T>, AwsError> {
    serde_dynamo::from_item(row).map_err(|_| DecodeError("request").into())
}

fn first<T>(
    request: &IdempotentRequest,
    record: RequestRecord<T>,
) -> Result<IdempotencyRecord<T>, IdempotencyError> {
    if record.fingerprint != request.fingerprint() {
        return Err(KeyReused.into());
    }
    let received = time(record.received, "received").map_err(AwsError::from)?;
    Ok(IdempotencyRecord { received, settled: record.settled })
}
