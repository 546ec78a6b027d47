//! Archives in their bucket: whether one is there, how far it has been made, and the request to make it.
//!
//! The object is the truth: an archive is ready if and only if its object exists, because a multipart upload
//! is completed atomically. The row in the table only says what is being worked on.

mod bucket;
mod order;

use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::head_object::HeadObjectError;
pub use bucket::{ArchiveBucket, BuildError};
use sharelink_domain::archive::ArchiveId;
pub use sharelink_domain::archive::ArchiveOrder;
use sharelink_domain::{FileName, Timestamp};

use crate::call_timer::CallTimer;
use crate::files::{SERVICE, SignedMethod, StoredObject, client_settings};
use crate::share_table::ShareTable;
use crate::{AwsConfig, AwsError, Error, InternalError, new_write_id};

const QUEUE_SERVICE: &str = "sqs";

/// How far an archive has been made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveStatus {
    Ready,
    /// Requested, or being made.
    Building {
        bytes_done: u64,
        bytes: u64,
    },
    /// Nothing works on it: it was never requested, has expired, cannot be made, or its run has crashed.
    Missing,
}

/// The bucket with the archives, and the queue of requests for them.
#[derive(Clone, Debug)]
pub struct ArchiveStore {
    client: Client,
    bucket: String,
    queue: ArchiveQueue,
    table: ShareTable,
}

/// The queue of the archives to make. A message contains only an archive's id.
#[derive(Clone, Debug)]
pub struct ArchiveQueue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl ArchiveQueue {
    /// Creates a client for the queue with this URL.
    #[must_use]
    pub fn new(config: &AwsConfig, url: impl Into<String>) -> Self {
        let settings =
            aws_sdk_sqs::config::Builder::from(&config.sdk).interceptor(CallTimer(QUEUE_SERVICE)).build();
        Self { client: aws_sdk_sqs::Client::from_conf(settings), url: url.into() }
    }

    /// Asks for a run that makes the archive.
    pub async fn send(&self, id: &ArchiveId) -> Result<(), AwsError> {
        let message = self.client.send_message().queue_url(&self.url).message_body(id.to_string());
        message.send().await.map(drop).map_err(|e| AwsError::new(QUEUE_SERVICE, &e))
    }

    /// Hides a message for this time. The queue then delivers it again.
    pub async fn retry_after(&self, receipt_handle: &str, delay: Duration) -> Result<(), AwsError> {
        let change = self.client.change_message_visibility().queue_url(&self.url);
        let change = change.receipt_handle(receipt_handle);
        let seconds = i32::try_from(delay.as_secs()).unwrap_or(i32::MAX);
        let change = change.visibility_timeout(seconds);
        change.send().await.map(drop).map_err(|e| AwsError::new(QUEUE_SERVICE, &e))
    }
}

impl ArchiveStore {
    /// Creates clients for the bucket with this name and the queue with this URL.
    #[must_use]
    pub fn new(
        config: &AwsConfig,
        table: ShareTable,
        bucket: impl Into<String>,
        queue_url: impl Into<String>,
    ) -> Self {
        let client = Client::from_conf(client_settings(config).build());
        Self { client, bucket: bucket.into(), queue: ArchiveQueue::new(config, queue_url), table }
    }

    /// Returns how far an archive has been made.
    pub async fn status(&self, id: &ArchiveId, now: Timestamp) -> Result<ArchiveStatus, AwsError> {
        if has_archive(&self.client, &self.bucket, id).await? {
            return Ok(ArchiveStatus::Ready);
        }
        let progress = self.table.archive_progress(id, now).await?;
        Ok(progress.map_or(ArchiveStatus::Missing, |(bytes_done, bytes)| ArchiveStatus::Building {
            bytes_done,
            bytes,
        }))
    }

    /// Requests an archive. However many recipients do so at once, one run makes it.
    ///
    /// The row comes first, so that only one of them stores the order and sends a message. If one of these
    /// steps fails, the request is withdrawn; if this function dies, the request ends soon.
    pub async fn request(&self, order: &ArchiveOrder, now: Timestamp) -> Result<(), Error> {
        let request = new_write_id()?;
        if !self.table.request_archive(&order.id, order.bytes(), request, now).await? {
            return Ok(());
        }
        let result = async {
            self.put_order(order).await?;
            Ok(self.queue.send(&order.id).await?)
        };
        let result = result.await;
        if result.is_err()
            && let Err(error) = self.table.withdraw_archive_request(&order.id, request).await
        {
            tracing::warn!(%error, "a failed request for an archive could not be withdrawn");
        }
        result
    }

    async fn put_order(&self, order: &ArchiveOrder) -> Result<(), Error> {
        let put = self.client.put_object().bucket(&self.bucket).key(order_key(&order.id));
        let put = put.content_type("application/json").body(order::encode(order)?.into());
        put.send().await.map(drop).map_err(|e| AwsError::new(SERVICE, &e).into())
    }

    /// Signs a URL that downloads the archive under this name. The lifetime starts at `decided_at`, as in
    /// [`FileStore::sign_url`](crate::files::FileStore::sign_url).
    pub async fn sign_url(
        &self,
        id: &ArchiveId,
        name: &FileName,
        method: SignedMethod,
        decided_at: SystemTime,
        lifetime: Duration,
    ) -> Result<String, InternalError> {
        let object = StoredObject { client: &self.client, bucket: &self.bucket, key: &archive_key(id) };
        object.sign_url(None, name, method, decided_at, lifetime).await
    }
}

/// Returns whether an archive exists.
async fn has_archive(client: &Client, bucket: &str, id: &ArchiveId) -> Result<bool, AwsError> {
    match client.head_object().bucket(bucket).key(archive_key(id)).send().await {
        Ok(_) => Ok(true),
        Err(SdkError::ServiceError(error)) if HeadObjectError::is_not_found(error.err()) => Ok(false),
        Err(error) => Err(AwsError::new(SERVICE, &error)),
    }
}

fn archive_key(id: &ArchiveId) -> String {
    format!("archives/{id}.zip")
}

fn order_key(id: &ArchiveId) -> String {
    format!("orders/{id}.json")
}
