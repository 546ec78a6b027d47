//! What making an archive takes: the order, the files, and the multipart upload.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sharelink_domain::archive::{ArchiveId, ArchiveOrder, Crc32, ETag, LeftOutReason, Object, PartNumber};
use thiserror::Error;
use tokio::time::timeout;

use super::{archive_key, has_archive, order, order_key};
use crate::config::{call_timeout, with_timeout};
use crate::files::{SERVICE, client_settings, is_archived};
use crate::{AwsConfig, AwsError};

/// Time allowed for a part to be uploaded, or to be copied by S3. Half of it is for one attempt.
const PART_TIMEOUT: Duration = Duration::from_mins(2);

/// Time allowed for S3 to put the parts together, which may take minutes
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>).
const COMPLETION_TIMEOUT: Duration = Duration::from_mins(4);

/// How long the next bytes of a file may take.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a file is requested if the response breaks off.
const READ_ATTEMPTS: usize = 4;

/// The characters that `x-amz-copy-source` may contain as they are.
const COPY_SOURCE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The reason a step failed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BuildError {
    /// An object no longer has the entity tag in the order. The archive can never be made.
    #[error("a file was replaced")]
    Changed,
    /// The object can no longer be read. The archive is made without it.
    #[error("a file is not available")]
    Unavailable(Object, LeftOutReason),
    /// The multipart upload does not exist: it was completed or aborted.
    #[error("the upload does not exist")]
    UploadLost,
    /// S3 does not accept the parts. Another upload may succeed.
    #[error("the upload cannot be completed: {0}")]
    UploadRejected(String),
    /// The archive exists already.
    #[error("the archive exists already")]
    Exists,
    #[error(transparent)]
    Failed(#[from] AwsError),
}

/// The files bucket and the archive bucket, for the function that makes archives.
#[derive(Clone, Debug)]
pub struct ArchiveBucket {
    /// For calls that take milliseconds.
    quick: Client,
    /// For calls that move many bytes.
    slow: Client,
    files: String,
    archives: String,
}

impl ArchiveBucket {
    /// Creates clients for the buckets with these names.
    #[must_use]
    pub fn new(config: &AwsConfig, files: impl Into<String>, archives: impl Into<String>) -> Self {
        let client = |config: &AwsConfig| Client::from_conf(client_settings(config).build());
        Self {
            quick: client(config),
            slow: client(&with_timeout(config, PART_TIMEOUT)),
            files: files.into(),
            archives: archives.into(),
        }
    }

    /// Returns whether the archive exists.
    pub async fn has_archive(&self, id: &ArchiveId) -> Result<bool, AwsError> {
        has_archive(&self.quick, &self.archives, id).await
    }

    /// Reads an order. Returns `None` if it has expired.
    pub async fn order(&self, id: ArchiveId) -> Result<Option<ArchiveOrder>, AwsError> {
        let get = self.quick.get_object().bucket(&self.archives).key(order_key(&id));
        let object = match get.send().await {
            Ok(object) => object,
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(AwsError::new(SERVICE, &error)),
        };
        let body = timeout(READ_TIMEOUT, object.body.collect()).await;
        let json = body.ok().and_then(Result::ok).ok_or_else(incomplete)?.into_bytes();
        Ok(Some(order::decode(id, &json)?))
    }

    /// Returns the CRC-32 of an object if S3 knows it. Fails if the object cannot be read.
    pub async fn crc32(&self, object: &Object) -> Result<Option<Crc32>, BuildError> {
        let head = self.head(object).await?;
        // The checksum of an object that was uploaded in parts may be a checksum of checksums.
        let is_of_full_object = head.checksum_type() == Some(&ChecksumType::FullObject);
        Ok(head.checksum_crc32().filter(|_| is_of_full_object).and_then(Crc32::from_base64))
    }

    async fn head(&self, object: &Object) -> Result<HeadObjectOutput, BuildError> {
        let head = self.quick.head_object().bucket(&self.files).key(object.key.as_str());
        let head = head.if_match(object.etag.as_str()).checksum_mode(ChecksumMode::Enabled);
        match head.send().await {
            Ok(output) if is_archived(&output) => {
                Err(BuildError::Unavailable(object.clone(), LeftOutReason::Archived))
            }
            Ok(output) => Ok(output),
            // The response to a HEAD request has no body, and therefore no error code.
            Err(error) => match status(&error) {
                Some(404) => Err(BuildError::Unavailable(object.clone(), LeftOutReason::Missing)),
                Some(412) => Err(BuildError::Changed),
                Some(400 | 403) => {
                    let reason = AwsError::new(SERVICE, &error);
                    tracing::error!(error = %reason, "a file for an archive may not be read");
                    Err(BuildError::Unavailable(object.clone(), LeftOutReason::Unreadable))
                }
                _ => Err(AwsError::new(SERVICE, &error).into()),
            },
        }
    }

    /// Finds out why S3 did not read or copy an object.
    async fn explain(&self, object: &Object, error: AwsError) -> BuildError {
        if let AwsError::Unavailable { .. } = error {
            return error.into();
        }
        match self.head(object).await {
            Err(reason) => reason,
            Ok(_) if self.denies_content(object).await => {
                tracing::error!(%error, "the content of a file for an archive may not be read");
                BuildError::Unavailable(object.clone(), LeftOutReason::Unreadable)
            }
            Ok(_) => error.into(),
        }
    }

    /// Returns whether S3 denies the content of an object whose metadata it returns. A HEAD request needs the
    /// KMS key only if the object was uploaded with a checksum.
    async fn denies_content(&self, object: &Object) -> bool {
        let get = self.quick.get_object().bucket(&self.files).key(object.key.as_str());
        let get = get.if_match(object.etag.as_str()).range("bytes=0-0");
        get.send().await.is_err_and(|error| matches!(status(&error), Some(400 | 403)))
    }

    /// Reads a range of an object, and passes its bytes on in order.
    pub async fn read(
        &self,
        object: &Object,
        range: std::ops::Range<u64>,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), BuildError> {
        let mut position = range.start;
        for _ in 0..READ_ATTEMPTS {
            let get = self.quick.get_object().bucket(&self.files).key(object.key.as_str());
            let get = get.if_match(object.etag.as_str());
            let get = get.range(format!("bytes={position}-{}", range.end.saturating_sub(1)));
            let mut body = match get.send().await {
                Ok(output) => output.body,
                Err(error) => return Err(self.explain(object, AwsError::new(SERVICE, &error)).await),
            };
            // If the response breaks off, the next request continues there.
            while let Ok(Some(Ok(bytes))) = timeout(READ_TIMEOUT, body.next()).await {
                let left = usize::try_from(range.end - position).unwrap_or(usize::MAX);
                let bytes = bytes.get(..left).unwrap_or(&bytes);
                take(bytes);
                position += bytes.len() as u64;
            }
            if position >= range.end {
                return Ok(());
            }
        }
        Err(incomplete().into())
    }

    /// Starts a multipart upload. Aborts all others for the same archive first: a crash may have left some.
    pub async fn start_upload(&self, id: &ArchiveId) -> Result<String, AwsError> {
        self.abort_uploads(id).await?;
        let create = self.quick.create_multipart_upload().bucket(&self.archives).key(archive_key(id));
        let create = create.content_type("application/zip");
        let upload = create.send().await.map_err(|e| AwsError::new(SERVICE, &e))?;
        let invalid = AwsError::InvalidData { service: SERVICE, what: "an upload without an id" };
        upload.upload_id.ok_or(invalid)
    }

    /// Aborts all multipart uploads for an archive.
    pub async fn abort_uploads(&self, id: &ArchiveId) -> Result<(), AwsError> {
        let key = archive_key(id);
        let list = self.quick.list_multipart_uploads().bucket(&self.archives).prefix(&key);
        let uploads = list.send().await.map_err(|e| AwsError::new(SERVICE, &e))?;
        for upload in uploads.uploads().iter().filter_map(|upload| upload.upload_id()) {
            let abort = self.quick.abort_multipart_upload().bucket(&self.archives).key(&key);
            match abort.upload_id(upload).send().await {
                Err(error) if error.code() != Some("NoSuchUpload") => {
                    return Err(AwsError::new(SERVICE, &error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Uploads a part.
    pub async fn upload_part(
        &self,
        id: &ArchiveId,
        upload: &str,
        number: PartNumber,
        bytes: Vec<u8>,
    ) -> Result<ETag, BuildError> {
        let part = self.slow.upload_part().bucket(&self.archives).key(archive_key(id));
        let part = part.upload_id(upload).part_number(number.into()).body(ByteStream::from(bytes));
        // TLS protects the bytes. Their hash in the signature would cost more than everything else here.
        match part.customize().disable_payload_signing().send().await {
            Ok(output) => parse_etag(output.e_tag()),
            Err(error) if error.code() == Some("NoSuchUpload") => Err(BuildError::UploadLost),
            Err(error) => Err(AwsError::new(SERVICE, &error).into()),
        }
    }

    /// Lets S3 copy a part from an object: a range of it, or all of it.
    pub async fn copy_part(
        &self,
        id: &ArchiveId,
        upload: &str,
        number: PartNumber,
        object: &Object,
        range: Option<std::ops::Range<u64>>,
    ) -> Result<ETag, BuildError> {
        let key = utf8_percent_encode(object.key.as_str(), COPY_SOURCE);
        let copy = self.slow.upload_part_copy().bucket(&self.archives).key(archive_key(id));
        let copy = copy.upload_id(upload).part_number(number.into());
        let copy = copy.copy_source(format!("{}/{key}", self.files));
        let copy = copy.copy_source_if_match(object.etag.as_str());
        let range = range.map(|bytes| format!("bytes={}-{}", bytes.start, bytes.end.saturating_sub(1)));
        match copy.set_copy_source_range(range).send().await {
            Ok(output) => parse_etag(output.copy_part_result().and_then(|result| result.e_tag())),
            Err(error) if error.code() == Some("NoSuchUpload") => Err(BuildError::UploadLost),
            Err(error) => Err(self.explain(object, AwsError::new(SERVICE, &error)).await),
        }
    }

    /// Makes the archive of its parts, unless it exists already.
    pub async fn complete(
        &self,
        id: &ArchiveId,
        upload: &str,
        parts: &[(PartNumber, &ETag)],
    ) -> Result<(), BuildError> {
        let part = |(number, etag): &(PartNumber, &ETag)| {
            CompletedPart::builder().part_number((*number).into()).e_tag(etag.as_str()).build()
        };
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.iter().map(part).collect()));
        let complete = self.slow.complete_multipart_upload().bucket(&self.archives).key(archive_key(id));
        let complete = complete.upload_id(upload).if_none_match("*").multipart_upload(parts.build());
        let timeouts = Builder::new().timeout_config(call_timeout(COMPLETION_TIMEOUT));
        let Err(error) = complete.customize().config_override(timeouts).send().await else { return Ok(()) };
        Err(match error.code() {
            Some("NoSuchUpload") => BuildError::UploadLost,
            Some("PreconditionFailed") => BuildError::Exists,
            // S3 asks for a new upload if there was another write at the same time. The other errors mean that
            // parts in the upload are not those that were recorded.
            Some(
                code @ ("ConditionalRequestConflict" | "EntityTooSmall" | "InvalidPart" | "InvalidPartOrder"),
            ) => BuildError::UploadRejected(code.to_owned()),
            _ => AwsError::new(SERVICE, &error).into(),
        })
    }
}

fn parse_etag(etag: Option<&str>) -> Result<ETag, BuildError> {
    let invalid = AwsError::InvalidData { service: SERVICE, what: "a part without an entity tag" };
    etag.and_then(ETag::parse).ok_or(BuildError::Failed(invalid))
}

fn incomplete() -> AwsError {
    AwsError::Unavailable { service: SERVICE, code: "incomplete".into() }
}

fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    let SdkError::ServiceError(response) = error else { return None };
    Some(response.raw().status().as_u16())
}
