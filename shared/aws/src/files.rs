//! An item's files: the objects directly under `{module}/{item}/` in the files bucket.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::head_object::{HeadObjectError, HeadObjectOutput};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_types::SdkConfig;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sharelink_domain::names::NameError;
use sharelink_domain::request::FILES_LIMIT;
use sharelink_domain::{FileName, Item, SharedFile};

use crate::call_timer::CallTimer;
use crate::warm_up::warm_up;
use crate::{AwsError, InternalError};

const SERVICE: &str = "s3";

/// The HTTP method that a URL is signed for. S3 rejects any other method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedMethod {
    Get,
    Head,
}

/// Whether an object exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Present,
    Missing,
    /// The call to S3 failed.
    Unknown,
}

/// The shareable files of an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileListing {
    pub files: Vec<SharedFile>,
    /// Whether files were omitted because their names contain control characters or are too long.
    pub is_partial: bool,
}

/// The bucket that contains the platform's files.
#[derive(Clone, Debug)]
pub struct FileStore {
    client: Client,
    bucket: String,
}

impl FileStore {
    /// Creates a client for the bucket with this name.
    #[must_use]
    pub fn new(config: &SdkConfig, bucket: impl Into<String>) -> Self {
        let settings = aws_sdk_s3::config::Builder::from(config)
            // A custom endpoint, such as an emulator, does not have a host name for each bucket.
            .force_path_style(config.endpoint_url().is_some())
            // Otherwise, every request to a signed URL would need a checksum header.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .interceptor(CallTimer(SERVICE))
            .build();
        Self { client: Client::from_conf(settings), bucket: bucket.into() }
    }

    /// Creates a client and opens a connection, so that the first request does not wait for one.
    pub async fn connected(config: &SdkConfig, bucket: impl Into<String>) -> Self {
        let store = Self::new(config, bucket);
        let head = store.client.head_bucket().bucket(&store.bucket).send();
        warm_up(SERVICE, async { head.await.map_err(|e| AwsError::new(SERVICE, &e)) }).await;
        store
    }

    /// Lists the item's files in name order, starting after the name `after`. Returns at most one file more
    /// than a share may have, so that the caller can tell when there are too many.
    pub async fn list(&self, item: &Item, after: Option<&FileName>) -> Result<FileListing, AwsError> {
        let prefix = format!("{item}/");
        let mut listing = FileListing::default();
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(&prefix)
            .set_start_after(after.map(|name| item.file_key(name)))
            .delimiter("/")
            .into_paginator()
            .send();
        while let Some(response) = pages.next().await {
            let page = response.map_err(|e| AwsError::new(SERVICE, &e))?;
            for object in page.contents() {
                let name = object.key().and_then(|key| key.strip_prefix(&prefix)).unwrap_or_default();
                match name.parse::<FileName>() {
                    Ok(name) => listing.files.push(SharedFile { name, size: size(object.size()) }),
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

    /// Finds one of the item's files.
    pub async fn find(&self, item: &Item, name: &FileName) -> Result<Option<SharedFile>, AwsError> {
        let head = self.client.head_object().bucket(&self.bucket).key(item.file_key(name));
        parse_head(name, head.send().await)
    }

    /// Checks whether one of the item's files exists. If S3 fails, logs the error and returns
    /// [`Presence::Unknown`].
    pub async fn check_presence(&self, item: &Item, name: &FileName) -> Presence {
        let head = self.client.head_object().bucket(&self.bucket).key(item.file_key(name));
        match parse_head(name, head.send().await) {
            Ok(Some(_)) => Presence::Present,
            Ok(None) => Presence::Missing,
            Err(error) => {
                tracing::warn!(%error, "could not check whether a shared file exists");
                Presence::Unknown
            }
        }
    }

    /// Signs a URL that gives anyone who has it access to the file, as an attachment with the file's name.
    ///
    /// The lifetime starts at `decided_at`, the system time at which access was granted, not at the time of
    /// signing. Otherwise, if the share were revoked in between, the URL could outlive the revocation by more
    /// than its lifetime.
    pub async fn sign_url(
        &self,
        item: &Item,
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
        let key = item.file_key(name);
        let disposition = content_disposition(name);
        let signed = match method {
            SignedMethod::Get => {
                let get = self.client.get_object().bucket(&self.bucket).key(key);
                get.response_content_disposition(disposition).presigned(config).await.ok()
            }
            SignedMethod::Head => {
                let head = self.client.head_object().bucket(&self.bucket).key(key);
                head.response_content_disposition(disposition).presigned(config).await.ok()
            }
        };
        Ok(signed.ok_or(InternalError::Signing)?.uri().to_owned())
    }
}

fn parse_head(
    name: &FileName,
    head: Result<HeadObjectOutput, SdkError<HeadObjectError, HttpResponse>>,
) -> Result<Option<SharedFile>, AwsError> {
    match head {
        Ok(object) => Ok(Some(SharedFile { name: name.clone(), size: size(object.content_length()) })),
        Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => Ok(None),
        Err(error) => Err(AwsError::new(SERVICE, &error)),
    }
}

fn size(bytes: Option<i64>) -> u64 {
    bytes.and_then(|bytes| bytes.try_into().ok()).unwrap_or_default()
}

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

/// Returns a `Content-Disposition` value (RFC 6266) that saves the file under its name, with an ASCII
/// fallback for clients that do not support `filename*`.
fn content_disposition(name: &FileName) -> String {
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ';
    let fallback: String = name.as_str().chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let extended = utf8_percent_encode(name.as_str(), ATTR_CHAR);
    format!("attachment; filename=\"{fallback}\"; filename*=UTF-8''{extended}")
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(disposition("100%.pdf"), "attachment; filename=\"100_.pdf\"; filename*=UTF-8''100%25.pdf");
    }
}
