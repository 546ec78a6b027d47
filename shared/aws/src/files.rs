//! The files bucket. An item's files are the objects directly under the item's prefix.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::head_object::{HeadObjectError, HeadObjectOutput};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{
    ChecksumMode, Object, ObjectStorageClass, OptionalObjectAttributes, RestoreStatus, StorageClass,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use futures_util::{StreamExt, TryStreamExt, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sharelink_domain::access::DownloadError;
use sharelink_domain::archive::{ArchiveFile, ETag, LeftOut, LeftOutReason};
use sharelink_domain::names::{NameError, shorten_file_name};
use sharelink_domain::request::FILES_LIMIT;
use sharelink_domain::resolution::ItemFile;
use sharelink_domain::{FileName, Item, KeyLayout, ObjectKey, SharedFile, Timestamp};
use thiserror::Error;

use crate::call_timer::CallTimer;
use crate::connections::Connections;
use crate::warm_up::warm_up;
use crate::{AwsConfig, AwsError, InternalError};

pub(crate) const SERVICE: &str = "s3";

/// How many files are looked up at a time.
const CONCURRENT_HEADS: usize = 16;

/// The type of every downloaded file. Programs then go by the file's name.
const CONTENT_TYPE: &str = "application/octet-stream";

/// The HTTP method that a URL is signed for. S3 rejects any other method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedMethod {
    Get,
    Head,
}

/// The shareable files of an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileListing {
    /// A listing of the bucket does not show whether a file is in an archive tier of S3 Intelligent-Tiering.
    pub files: Vec<ItemFile>,
    /// Whether files were omitted because they cannot be shared under their names.
    pub is_partial: bool,
}

/// The reason a named file cannot be shared.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum FindError {
    #[error("is not a file of this item")]
    Missing,
    #[error("cannot be read by this deployment")]
    Forbidden,
    #[error(transparent)]
    Failed(#[from] AwsError),
}

/// A file that a signed URL can download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadableFile {
    /// Whether the object has, or may have, a `Content-Encoding`.
    may_be_encoded: bool,
}

/// The objects at the start of an item's prefix, as one request lists them.
#[derive(Debug, Default)]
pub struct ListedObjects {
    /// The objects, or why they cannot be read, by their keys.
    objects: HashMap<String, Result<ObjectAttributes, LeftOutReason>>,
    /// The prefix, if the response lists all objects under it.
    whole_prefix: Option<String>,
}

/// What an archive depends on: an object's content and when it was written.
#[derive(Clone, Debug)]
struct ObjectAttributes {
    etag: ETag,
    size: u64,
    modified: Timestamp,
}

impl ObjectAttributes {
    fn parse(
        etag: Option<&str>,
        bytes: Option<i64>,
        modified: Option<&DateTime>,
    ) -> Result<Self, LeftOutReason> {
        let etag = etag.and_then(ETag::parse).ok_or(LeftOutReason::Unreadable)?;
        let modified =
            modified.and_then(|time| Timestamp::from_timestamp(time.secs(), 0)).unwrap_or_default();
        Ok(Self { etag, size: size(bytes), modified })
    }
}

/// The bucket that contains the platform's files.
#[derive(Clone, Debug)]
pub struct FileStore {
    client: Client,
    connections: Connections,
    bucket: String,
}

impl FileStore {
    /// Creates a client for the bucket with this name.
    #[must_use]
    pub fn new(config: &AwsConfig, bucket: impl Into<String>) -> Self {
        let connections = config.network.pooled();
        let settings = client_settings(config).http_client(connections.clone()).build();
        Self { client: Client::from_conf(settings), connections, bucket: bucket.into() }
    }

    /// Creates a client and opens a connection, so that the first request does not wait for one.
    pub async fn connected(config: &AwsConfig, bucket: impl Into<String>) -> Self {
        let store = Self::new(config, bucket);
        let head = store.client.head_bucket().bucket(&store.bucket).send();
        let result = async {
            let Err(error) = head.await else { return Ok(()) };
            match error.as_service_error() {
                // Otherwise, a deleted or misnamed bucket would look like missing files.
                Some(error) if error.is_not_found() => tracing::error!("the files bucket does not exist"),
                // Any response proves that the connection is open. A role that is restricted to a prefix may
                // not head the bucket.
                Some(_) => {}
                None => return Err(AwsError::new(SERVICE, &error)),
            }
            Ok(())
        };
        warm_up(SERVICE, result).await;
        store
    }

    /// Opens a connection in the background if the last call is so long ago that S3 has probably closed its
    /// connection. The next call then waits for less than a whole handshake.
    pub fn preconnect_if_idle(&self) {
        self.connections.preconnect_if_idle();
    }

    /// Lists the files directly under an item's prefix in name order, starting after the name `after`.
    /// Returns at most one file more than a share may have, so that the caller can tell when there are too
    /// many.
    pub async fn list(&self, prefix: &str, after: Option<&FileName>) -> Result<FileListing, AwsError> {
        let mut listing = FileListing::default();
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix)
            .set_start_after(after.map(|name| format!("{prefix}{name}")))
            .delimiter("/")
            .optional_object_attributes(OptionalObjectAttributes::RestoreStatus)
            .into_paginator()
            .send();
        while let Some(response) = pages.next().await {
            let page = response.map_err(|e| AwsError::new(SERVICE, &e))?;
            for object in page.contents() {
                let name = object.key().and_then(|key| key.strip_prefix(prefix)).unwrap_or_default();
                match name.parse::<FileName>() {
                    Ok(name) => listing.files.push(ItemFile {
                        file: SharedFile { name, size: size(object.size()), key: None },
                        is_archived: is_listed_as_archived(object),
                    }),
                    // This is the folder's placeholder object, which some tools create.
                    Err(NameError::Empty) => {}
                    Err(_) => listing.is_partial = true,
                }
            }
            if listing.files.len() > FILES_LIMIT {
                break;
            }
        }
        listing.files.truncate(FILES_LIMIT + 1);
        Ok(listing)
    }

    /// Finds the file with this key and name.
    pub async fn find(&self, key: &ObjectKey, name: &FileName) -> Result<ItemFile, FindError> {
        match self.client.head_object().bucket(&self.bucket).key(key.as_str()).send().await {
            Ok(object) => {
                let file = SharedFile { name: name.clone(), size: size(object.content_length()), key: None };
                Ok(ItemFile { file, is_archived: is_archived(&object) })
            }
            Err(error) if is_missing(&error) => Err(FindError::Missing),
            Err(error) => {
                let is_forbidden = is_forbidden(&error);
                let error = AwsError::new(SERVICE, &error);
                if is_forbidden {
                    tracing::error!(%error, "a file to share may not be read");
                    return Err(FindError::Forbidden);
                }
                Err(error.into())
            }
        }
    }

    /// Lists the item's objects in one request. Returns none if the item has no prefix, or if S3 fails:
    /// [`find_for_archive`](Self::find_for_archive) then asks for each file.
    pub async fn list_objects(&self, layout: &KeyLayout, item: &Item) -> ListedObjects {
        let KeyLayout::PerItem(prefixes) = layout else { return ListedObjects::default() };
        let prefix = prefixes.prefix(item);
        let list = self.client.list_objects_v2().bucket(&self.bucket).prefix(&prefix).delimiter("/");
        let list = list.optional_object_attributes(OptionalObjectAttributes::RestoreStatus);
        let page = match list.send().await {
            Ok(page) => page,
            Err(error) => {
                let error = AwsError::new(SERVICE, &error);
                tracing::warn!(%error, "could not list an item's files");
                return ListedObjects::default();
            }
        };
        let objects = page.contents().iter().filter_map(|object| {
            let attributes = if is_listed_as_archived(object) {
                Err(LeftOutReason::Archived)
            } else {
                ObjectAttributes::parse(object.e_tag(), object.size(), object.last_modified())
            };
            Some((object.key()?.to_owned(), attributes))
        });
        let objects = objects.collect();
        let is_complete = page.is_truncated() == Some(false);
        ListedObjects { objects, whole_prefix: is_complete.then_some(prefix) }
    }

    /// Finds the objects of a share's files for an archive, in order. Asks S3 for those that the listing does
    /// not cover.
    pub async fn find_for_archive(
        &self,
        layout: &KeyLayout,
        item: &Item,
        files: &[SharedFile],
        listed: &ListedObjects,
    ) -> Result<Vec<Result<ArchiveFile, LeftOut>>, AwsError> {
        let found = files.iter().map(async |file| {
            let name = file.name.clone();
            let Some(key) = layout.key(item, file) else {
                return Ok(Err(LeftOut { name, reason: LeftOutReason::Missing }));
            };
            let attributes = match listed.find(&key) {
                Some(attributes) => attributes,
                None => self.find_attributes(&key).await?,
            };
            Ok(match attributes {
                Ok(ObjectAttributes { etag, size, modified }) => {
                    Ok(ArchiveFile { name, key, etag, size, crc32: None, modified })
                }
                Err(reason) => Err(LeftOut { name, reason }),
            })
        });
        stream::iter(found).buffered(CONCURRENT_HEADS).try_collect().await
    }

    /// Asks S3 for the attributes of the object with this key.
    async fn find_attributes(
        &self,
        key: &ObjectKey,
    ) -> Result<Result<ObjectAttributes, LeftOutReason>, AwsError> {
        let head = self.client.head_object().bucket(&self.bucket).key(key.as_str());
        match head.checksum_mode(ChecksumMode::Enabled).send().await {
            Ok(object) if is_archived(&object) => Ok(Err(LeftOutReason::Archived)),
            Ok(object) => {
                Ok(ObjectAttributes::parse(object.e_tag(), object.content_length(), object.last_modified()))
            }
            Err(error) if is_missing(&error) => Ok(Err(LeftOutReason::Missing)),
            Err(error) => {
                let is_forbidden = is_forbidden(&error);
                let error = AwsError::new(SERVICE, &error);
                if !is_forbidden {
                    return Err(error);
                }
                tracing::error!(%error, "a shared file may not be read");
                Ok(Err(LeftOutReason::Unreadable))
            }
        }
    }

    /// Checks whether a signed URL can download the file with this key. If S3 fails, logs the error and
    /// assumes that it can.
    ///
    /// In checksum mode, S3 must decrypt the stored checksum of an object that is encrypted with a KMS key,
    /// so the check fails if this function may not use the key ([HeadObject]). An object without a checksum
    /// passes the check, even if its key may not be used: S3 has added a checksum to every new object since
    /// December 2024 ([default integrity protections]), but not to older objects.
    ///
    /// [HeadObject]: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
    /// [default integrity protections]: https://aws.amazon.com/blogs/aws/introducing-default-data-integrity-protections-for-new-objects-in-amazon-s3/
    pub async fn check_access(&self, key: &ObjectKey) -> Result<ReadableFile, DownloadError> {
        let head = self.client.head_object().bucket(&self.bucket).key(key.as_str());
        match head.checksum_mode(ChecksumMode::Enabled).send().await {
            Ok(object) if is_archived(&object) => Err(DownloadError::Archived),
            Ok(object) => Ok(ReadableFile { may_be_encoded: object.content_encoding().is_some() }),
            Err(error) if is_missing(&error) => Err(DownloadError::Missing),
            Err(error) => {
                let is_forbidden = is_forbidden(&error);
                let error = AwsError::new(SERVICE, &error);
                if is_forbidden {
                    tracing::error!(%error, "a shared file may not be read");
                    return Err(DownloadError::Forbidden);
                }
                tracing::warn!(%error, "could not check whether a shared file can be read");
                Ok(ReadableFile { may_be_encoded: true })
            }
        }
    }

    /// Signs a URL that gives anyone who has it access to the file, as an attachment with the file's name.
    ///
    /// The recipient gets the object's bytes and the file's name unchanged. The object's headers could change
    /// both: browsers decompress a `report.csv.gz` whose `Content-Encoding` is `gzip`, and fail to download a
    /// file whose encoding is wrong. Safari adds `.txt` to the name of a `text/plain` file. The URL therefore
    /// overrides these headers.
    ///
    /// The lifetime starts at `decided_at`, the system time at which access was granted, not at the time of
    /// signing. Otherwise, if the share were revoked in between, the URL could outlive the revocation by more
    /// than its lifetime.
    pub async fn sign_url(
        &self,
        key: &ObjectKey,
        file: ReadableFile,
        name: &FileName,
        method: SignedMethod,
        decided_at: SystemTime,
        lifetime: Duration,
    ) -> Result<String, InternalError> {
        let encoding = file.may_be_encoded.then(|| "identity".to_owned());
        let object = StoredObject { client: &self.client, bucket: &self.bucket, key: key.as_str() };
        object.sign_url(encoding, name, method, decided_at, lifetime).await
    }
}

/// Returns the settings of a client.
pub(crate) fn client_settings(config: &AwsConfig) -> aws_sdk_s3::config::Builder {
    aws_sdk_s3::config::Builder::from(&config.sdk)
        // A custom endpoint, such as an emulator, does not have a host name for each bucket.
        .force_path_style(config.endpoint_url().is_some())
        // Otherwise, every request to a signed URL would need a checksum header.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .interceptor(CallTimer(SERVICE))
}

/// An object in a bucket.
pub(crate) struct StoredObject<'a> {
    pub(crate) client: &'a Client,
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
}

impl StoredObject<'_> {
    /// Signs a URL that downloads the object as an attachment, with this `Content-Encoding` or its own.
    pub(crate) async fn sign_url(
        &self,
        encoding: Option<String>,
        name: &FileName,
        method: SignedMethod,
        decided_at: SystemTime,
        lifetime: Duration,
    ) -> Result<String, InternalError> {
        let config = PresigningConfig::builder()
            .start_time(decided_at)
            .expires_in(lifetime)
            .build()
            .map_err(|_| InternalError::Signing)?;
        let disposition = content_disposition(name);
        let signed = match method {
            SignedMethod::Get => {
                let get = self.client.get_object().bucket(self.bucket).key(self.key);
                let get = get.response_content_disposition(disposition).response_content_type(CONTENT_TYPE);
                get.set_response_content_encoding(encoding).presigned(config).await.ok()
            }
            SignedMethod::Head => {
                let head = self.client.head_object().bucket(self.bucket).key(self.key);
                let head = head.response_content_disposition(disposition).response_content_type(CONTENT_TYPE);
                head.set_response_content_encoding(encoding).presigned(config).await.ok()
            }
        };
        Ok(signed.ok_or(InternalError::Signing)?.uri().to_owned())
    }
}

impl ListedObjects {
    /// Returns the attributes of the object with this key, or `None` if the listing does not cover it.
    fn find(&self, key: &ObjectKey) -> Option<Result<ObjectAttributes, LeftOutReason>> {
        let covers = |prefix: &String| {
            key.as_str().strip_prefix(prefix.as_str()).is_some_and(|name| !name.contains('/'))
        };
        match self.objects.get(key.as_str()) {
            Some(attributes) => Some(attributes.clone()),
            None if self.whole_prefix.as_ref().is_some_and(covers) => Some(Err(LeftOutReason::Missing)),
            None => None,
        }
    }
}

type HeadError = SdkError<HeadObjectError, HttpResponse>;

fn is_missing(error: &HeadError) -> bool {
    error.as_service_error().is_some_and(HeadObjectError::is_not_found)
}

/// Returns whether S3 refused access to the object.
///
/// The response to a HEAD request has no body, so the status must suffice: 403 if a permission is missing,
/// and 400 if the object's KMS key is disabled or was deleted, or if the object is encrypted with a key that
/// the client must send ([SSE-C]), which a signed URL cannot do.
///
/// [SSE-C]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
fn is_forbidden(error: &HeadError) -> bool {
    let SdkError::ServiceError(response) = error else { return false };
    matches!(response.raw().status().as_u16(), 400 | 403)
}

/// Returns whether an object is in an archive, without a restored copy ([archived objects]).
///
/// [archived objects]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/archived-objects.html
pub(crate) fn is_archived(object: &HeadObjectOutput) -> bool {
    let is_in_archive_class =
        matches!(object.storage_class(), Some(StorageClass::Glacier | StorageClass::DeepArchive));
    // S3 Intelligent-Tiering reports an archive tier here.
    let is_in_archive = is_in_archive_class || object.archive_status().is_some();
    is_in_archive && !object.restore().is_some_and(has_restored_copy)
}

/// Parses the header `x-amz-restore`, such as `ongoing-request="false", expiry-date="…"`. The expiry needs no
/// check: S3 omits the header once the restored copy is gone.
fn has_restored_copy(restore: &str) -> bool {
    restore.split(',').any(|field| field.trim() == "ongoing-request=\"false\"")
}

/// Like [`is_archived`], for an object in a listing.
fn is_listed_as_archived(object: &Object) -> bool {
    let is_in_archive =
        matches!(object.storage_class(), Some(ObjectStorageClass::Glacier | ObjectStorageClass::DeepArchive));
    let has_restored_copy = |status: &RestoreStatus| status.restore_expiry_date().is_some();
    is_in_archive && !object.restore_status().is_some_and(has_restored_copy)
}

fn size(bytes: Option<i64>) -> u64 {
    bytes.and_then(|bytes| bytes.try_into().ok()).unwrap_or_default()
}

/// The maximum length of a downloaded file's name, in bytes. File systems allow 255, and Chromium appends
/// `.crdownload` to the name until the download is complete. Its desktop versions shorten the name to this
/// length themselves. Without this limit, downloads to a folder that a program sets (`DevTools`, headless
/// mode) and to a name that the user confirms in the dialog "Save as" would fail.
const SAVED_NAME_LIMIT: usize = 255 - ".crdownload".len();

/// All characters except those that RFC 8187 allows unencoded in an extended value.
const ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// Returns a `Content-Disposition` value (RFC 6266) that saves the file under its name as pages and emails
/// show it, with an ASCII fallback for clients that do not support `filename*`.
fn content_disposition(name: &FileName) -> String {
    let name = name.to_display_text();
    let name = shorten_file_name(&name, SAVED_NAME_LIMIT);
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ';
    let fallback: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let extended = utf8_percent_encode(&name, ATTR_CHAR);
    format!("attachment; filename=\"{fallback}\"; filename*=UTF-8''{extended}")
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::primitives::DateTime;
    use aws_sdk_s3::types::ArchiveStatus;

    use super::*;

    const RESTORING: &str = r#"ongoing-request="true""#;
    const RESTORED: &str = r#"ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT""#;

    #[test]
    fn archived_object_is_readable_only_once_restored() {
        let head = |class: &str, restore: Option<&str>| {
            let builder = HeadObjectOutput::builder().storage_class(class.into());
            is_archived(&builder.set_restore(restore.map(str::to_owned)).build())
        };
        for class in ["GLACIER", "DEEP_ARCHIVE"] {
            assert!(head(class, None), "{class}");
            assert!(head(class, Some(RESTORING)), "{class}");
            assert!(!head(class, Some(RESTORED)), "{class}");
        }
        for class in ["STANDARD", "STANDARD_IA", "GLACIER_IR", "INTELLIGENT_TIERING", "A_NEW_CLASS"] {
            assert!(!head(class, None), "{class}");
        }
        assert!(!is_archived(&HeadObjectOutput::builder().build()), "STANDARD is reported as no class");
    }

    #[test]
    fn archive_tier_of_intelligent_tiering_is_archived() {
        for status in [ArchiveStatus::ArchiveAccess, ArchiveStatus::DeepArchiveAccess] {
            let head = HeadObjectOutput::builder().storage_class(StorageClass::IntelligentTiering);
            let head = head.archive_status(status);
            assert!(is_archived(&head.clone().build()));
            assert!(is_archived(&head.restore(RESTORING).build()));
        }
    }

    #[test]
    fn restore_header_is_parsed() {
        for (header, is_restored) in [
            (RESTORED, true),
            (r#"expiry-date="Fri, 21 Dec 2012 00:00:00 GMT", ongoing-request="false""#, true),
            (r#"ongoing-request="false""#, true),
            (RESTORING, false),
            ("", false),
            ("ongoing-request=", false),
        ] {
            assert_eq!(has_restored_copy(header), is_restored, "{header}");
        }
    }

    #[test]
    fn listed_object_is_archived_until_it_is_restored() {
        let object = |class: &str, restore: Option<RestoreStatus>| {
            is_listed_as_archived(
                &Object::builder().storage_class(class.into()).set_restore_status(restore).build(),
            )
        };
        let restoring = RestoreStatus::builder().is_restore_in_progress(true).build();
        let restored = RestoreStatus::builder()
            .is_restore_in_progress(false)
            .restore_expiry_date(DateTime::from_secs(0))
            .build();
        for class in ["GLACIER", "DEEP_ARCHIVE"] {
            assert!(object(class, None), "{class}");
            assert!(object(class, Some(restoring.clone())), "{class}");
            assert!(!object(class, Some(restored.clone())), "{class}");
        }
        assert!(!object("GLACIER_IR", None));
        assert!(!object("STANDARD", None));
    }

    #[test]
    fn attachment_has_its_name_and_an_ascii_fallback() {
        let disposition = |name: &str| content_disposition(&name.parse().unwrap());
        assert_eq!(
            disposition("brief.pdf"),
            "attachment; filename=\"brief.pdf\"; filename*=UTF-8''brief.pdf"
        );
        assert_eq!(
            disposition("Ünï \"a\";b.pdf"),
            "attachment; filename=\"_n_ _a_;b.pdf\"; filename*=UTF-8''%C3%9Cn%C3%AF%20%22a%22%3Bb.pdf"
        );
        assert_eq!(
            disposition("a\u{202e}fdp.exe"),
            "attachment; filename=\"afdp.exe\"; filename*=UTF-8''afdp.exe"
        );
        assert_eq!(disposition("\u{202e}"), "attachment; filename=\"file\"; filename*=UTF-8''file");
        assert_eq!(
            disposition("a\u{2028}b.pdf"),
            "attachment; filename=\"a b.pdf\"; filename*=UTF-8''a%20b.pdf"
        );
        let longest = format!("{}.pdf", "x".repeat(240));
        assert!(disposition(&longest).ends_with(&longest));
        assert!(disposition(&format!("x{longest}")).ends_with(&format!("{}%E2%80%A6.pdf", "x".repeat(237))));
        assert_eq!(disposition("100%.pdf"), "attachment; filename=\"100_.pdf\"; filename*=UTF-8''100%25.pdf");
    }
}
