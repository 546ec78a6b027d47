//! The queue of SES reports that `track-delivery` could not process. They contain addresses.

use std::collections::HashMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Builder;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, QueueAttributeName,
};

use crate::call_timer::CallTimer;
use crate::{AwsConfig, AwsError, Error, InternalError};

const SERVICE: &str = "sqs";

/// The maximum number of messages in one request.
const BATCH: usize = 10;

/// How long received messages are hidden from other consumers, in seconds, if they are not returned earlier.
const HIDDEN_SECONDS: i32 = 120;

/// A queue of failed reports.
#[derive(Clone, Debug)]
pub struct FailureQueue {
    client: Client,
    url: String,
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageAction {
    Keep,
    Delete,
}

impl FailureQueue {
    /// Creates a client for the queue with this URL.
    #[must_use]
    pub fn new(config: &AwsConfig, url: impl Into<String>) -> Self {
        let settings = Builder::from(&config.sdk).interceptor(CallTimer(SERVICE)).build();
        Self { client: Client::from_conf(settings), url: url.into() }
    }

    /// Returns the approximate number of messages that another consumer has received and not deleted.
    pub async fn messages_in_flight(&self) -> Result<u64, AwsError> {
        let name = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
        let get = self.client.get_queue_attributes().queue_url(&self.url).attribute_names(name.clone());
        let response = get.send().await.map_err(|e| AwsError::new(SERVICE, &e))?;
        let number = response.attributes.as_ref().and_then(|attributes| attributes.get(&name)?.parse().ok());
        Ok(number.unwrap_or_default())
    }

    /// Calls `decide` with the body of each message, and deletes the messages that it chooses. Returns the
    /// others to the queue.
    pub async fn for_each(&self, mut decide: impl FnMut(&str) -> MessageAction) -> Result<(), Error> {
        let (mut seen, mut kept) = (HashMap::new(), Vec::new());
        let result = self.receive_all(&mut decide, &mut seen, &mut kept).await;
        // In case of an error, too: the other messages are wanted.
        let returned = self.return_messages(kept).await;
        result.and(returned)
    }

    async fn receive_all(
        &self,
        decide: &mut impl FnMut(&str) -> MessageAction,
        seen: &mut HashMap<String, MessageAction>,
        kept: &mut Vec<String>,
    ) -> Result<(), Error> {
        loop {
            let receive = self
                .client
                .receive_message()
                .queue_url(&self.url)
                .max_number_of_messages(10)
                .visibility_timeout(HIDDEN_SECONDS)
                // Asks all of the queue's servers, so that an empty response means an empty queue.
                .wait_time_seconds(1);
            let response = receive.send().await.map_err(|e| AwsError::new(SERVICE, &e))?;
            let mut deletions = Vec::new();
            let mut has_new = false;
            for message in response.messages.unwrap_or_default() {
                let (Some(id), Some(receipt)) = (message.message_id, message.receipt_handle) else {
                    continue;
                };
                let action = seen.entry(id).or_insert_with(|| {
                    has_new = true;
                    decide(message.body.as_deref().unwrap_or_default())
                });
                match action {
                    MessageAction::Delete => deletions.push(receipt),
                    MessageAction::Keep => kept.push(receipt),
                }
            }
            self.delete(deletions).await?;
            // The first messages may be visible again before the last are received.
            if !has_new {
                return Ok(());
            }
        }
    }

    async fn delete(&self, receipts: Vec<String>) -> Result<(), Error> {
        if receipts.is_empty() {
            return Ok(());
        }
        let entries = receipts.into_iter().enumerate().map(|(n, receipt)| {
            DeleteMessageBatchRequestEntry::builder().id(n.to_string()).receipt_handle(receipt).build()
        });
        let entries = entries.collect::<Result<_, _>>().map_err(|_| InternalError::Encoding("a batch"))?;
        let delete = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries));
        let response = delete.send().await.map_err(|e| AwsError::new(SERVICE, &e))?;
        match response.failed.first() {
            Some(failed) => Err(AwsError::Unavailable { service: SERVICE, code: failed.code.clone() }.into()),
            None => Ok(()),
        }
    }

    async fn return_messages(&self, receipts: Vec<String>) -> Result<(), Error> {
        for batch in receipts.chunks(BATCH) {
            let entries = batch.iter().enumerate().map(|(n, receipt)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(n.to_string());
                entry.receipt_handle(receipt).visibility_timeout(0).build()
            });
            let entries =
                entries.collect::<Result<_, _>>().map_err(|_| InternalError::Encoding("a batch"))?;
            let change = self.client.change_message_visibility_batch().queue_url(&self.url);
            // A message that could not be returned is visible again after two minutes.
            change.set_entries(Some(entries)).send().await.map_err(|e| AwsError::new(SERVICE, &e))?;
        }
        Ok(())
    }
}
