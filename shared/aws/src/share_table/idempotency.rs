//! Idempotency records, stored for a day.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sharelink_domain::Timestamp;
use sharelink_domain::idempotency::{IDEMPOTENCY_WINDOW, IdempotentRequest, KeyReused};

use super::record::{DecodeError, decode_time};
use super::{Attributes, SERVICE, ShareTable, millis, text};
use crate::{AwsError, IdempotencyError, InternalError};

pub(super) const PARTITION: &str = "REQUEST#";
const ENTRY: &str = "REQUEST";

/// The facts about an idempotent request that its retries reuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyRecord<T> {
    /// When the request was first received.
    pub received_at: Timestamp,
    /// What the first attempt decided. The facts behind it may have changed since.
    pub settled: T,
}

#[derive(Deserialize, Serialize)]
struct RequestRow<T> {
    item: String,
    entry: String,
    fingerprint: String,
    received: i64,
    settled: T,
    ttl: i64,
}

impl ShareTable {
    /// Finds the record that an earlier attempt at this request stored.
    pub async fn find_idempotency_record<T: DeserializeOwned>(
        &self,
        request: &IdempotentRequest,
        now: Timestamp,
    ) -> Result<Option<IdempotencyRecord<T>>, IdempotencyError> {
        let response = self
            .client
            .get_item()
            .table_name(&self.name)
            .key("item", text(&partition(request)))
            .key("entry", text(&ENTRY))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::new(SERVICE, &e))?;
        let Some(attributes) = response.item else { return Ok(None) };
        let row = parse_row::<T>(attributes)?;
        // TTL may delete an expired row late.
        if row.received <= window_start(now).timestamp_millis() {
            return Ok(None);
        }
        into_record(request, row).map(Some)
    }

    /// Stores a request's record, or returns the record that a concurrent attempt stored first.
    pub async fn save_idempotency_record<T: DeserializeOwned + Serialize>(
        &self,
        request: &IdempotentRequest,
        settled: T,
        now: Timestamp,
    ) -> Result<IdempotencyRecord<T>, IdempotencyError> {
        let row = RequestRow {
            item: partition(request),
            entry: ENTRY.to_owned(),
            fingerprint: request.fingerprint(),
            received: now.timestamp_millis(),
            settled,
            ttl: (now + IDEMPOTENCY_WINDOW).timestamp(),
        };
        let attributes = serde_dynamo::to_item(&row)
            .map_err(|_| crate::Error::from(InternalError::Encoding("an idempotency record")))?;
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(attributes))
            .condition_expression("attribute_not_exists(entry) OR received <= :expired")
            .expression_attribute_values(":expired", millis(window_start(now)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = put else {
            return Ok(IdempotencyRecord { received_at: now, settled: row.settled });
        };
        let Some(PutItemError::ConditionalCheckFailedException(failure)) = error.as_service_error() else {
            return Err(AwsError::new(SERVICE, &error).into());
        };
        into_record(request, parse_row(failure.item.clone().unwrap_or_default())?)
    }
}

fn partition(request: &IdempotentRequest) -> String {
    format!("{PARTITION}{}", request.id())
}

/// Returns the start of the window. Records received at or before this time have expired.
fn window_start(now: Timestamp) -> Timestamp {
    now - IDEMPOTENCY_WINDOW
}

fn parse_row<T: DeserializeOwned>(attributes: Attributes) -> Result<RequestRow<T>, AwsError> {
    serde_dynamo::from_item(attributes).map_err(|_| DecodeError("request").into())
}

fn into_record<T>(
    request: &IdempotentRequest,
    row: RequestRow<T>,
) -> Result<IdempotencyRecord<T>, IdempotencyError> {
    if row.fingerprint != request.fingerprint() {
        return Err(KeyReused.into());
    }
    let received_at = decode_time(row.received, "received").map_err(AwsError::from)?;
    Ok(IdempotencyRecord { received_at, settled: row.settled })
}
