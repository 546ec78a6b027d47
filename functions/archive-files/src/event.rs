//! The event of the queue, and the response to it. The crate `aws_lambda_events` has both, but its feature for
//! queues needs twenty more crates.

use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize)]
pub(crate) struct QueueEvent {
    #[serde(rename = "Records")]
    pub(crate) records: Vec<QueueMessage>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueueMessage {
    pub(crate) message_id: String,
    pub(crate) receipt_handle: String,
    pub(crate) body: String,
}

/// The messages that Lambda must not delete from the queue.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueueResponse {
    pub(crate) batch_item_failures: Vec<FailedMessage>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FailedMessage {
    pub(crate) item_identifier: String,
}
