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
use serde::{Deserialize, Serialize};
use sharelink_domain::names::NameError;
use sharelink_domain::request::FILES_LIMIT;
use sharelink_domain::{FileName, Item, SharedFile};

use crate::AwsError;
use crate::calls::CallTimer;
use crate::warm_up::warm_up;

const SERVICE: &str = "s3";

/// What a signed URL is for; S3 refuses it for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedMethod {
    Get,
    Head,
}

/// Whether an object is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Present,
    Missing,
    /// S3 did not say.
    Unknown,
}

/// The files of an item.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileListing {
    pub files: Vec<SharedFile>,
    /// Whether there are objects whose names no share can hold: with control characters, or too long.
    pub left_out: bool,
}

/// The bucket that the platform keeps its files in.
#[derive(Clone, Debug)]
pub struct FileStore {
    client: Client,
    bucket: String,
}

impl FileStore {
    /// The bucket of this name.
    #[must_use]
    pub fn new(config: &SdkConfig, bucket: impl Into<String>) -> Self {
        let settings = aws_sdk_s3::config::Builder::from(config)
            // An endpoint of one's own, such as an emulator's, has no host name for every bucket.
            .force_path_style(config.endpoint_url().is_some())
            // Only where S3 asks for one: a checksum header would have to be signed into every URL.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .interceptor(CallTimer(SERVICE))
            .build();
        Self { client: Client::from_conf(settings), bucket: bucket.into() }
    }

    /// The same, with an open connection, so that the first request need not wait for one.
    pub async fn connected(config: &SdkConfig, bucket: impl Into<String>) -> Self {
        let files = Self::new(config, bucket);
        let look = files.client.head_bucket().bucket(&files.bucket).send();
        warm_up(SERVICE, async { look.await.map_err(|e| AwsError::new(SERVICE, &e)) }).await;
        files
    }

    /// The item's files in the order of their names, those after this one: all of them, or one more than fit into a
    /// share.
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
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| AwsError::new(SERVICE, &e))?;
            for object in page.contents() {
                let name = object.key().and_then(|key| key.strip_prefix(&prefix)).unwrap_or_default();
                match name.parse::<FileName>() {
                    Ok(name) => listing.files.push(SharedFile { name, size: size(object.size()) }),
                    // The item's own folder, which some tools make an object of.
                    Err(NameError::Empty) => {}
                    Err(_) => listing.left_out = true,
                }
            }
            if listing.files.len() > FILES_LIMIT {
                break;
            }
        }
        listing.files.truncate(FILES_LIMIT + 1);
        Ok(listing)
    }

    /// Looks up one of the item's files.
    pub async fn find(&self, item: &Item, name: &FileName) -> Result<Option<SharedFile>, AwsError> {
        let head = self.client.head_object().bucket(&self.bucket).key(item.file_key(name));
        found(name, head.send().await)
    }

    /// Whether one of the item's files is there. A fault of S3 is no answer, and must not keep a recipient from a
    /// file that may well be there.
    pub async fn presence(&self, item: &Item, name: &FileName) -> Presence {
        let head = self.client.head_object().bucket(&self.bucket).key(item.file_key(name));
        match found(name, head.send().await) {
            Ok(Some(_)) => Presence::Present,
            Ok(None) => Presence::Missing,
            Err(error) => {
                tracing::warn!(%error, "could not look for a shared file");
                Presence::Unknown
            }
        }
    }

    /// A URL that gives the file to whoever holds it, as an attachment under the file's own name, for this
    /// long from when access was decided: by the real clock, which S3 checks it against, and not from when
    /// the URL is signed, or a revocation in between would be overtaken.
    pub async fn signed_url(
        &self,
        item: &Item,
        name: &FileName,
        method: SignedMethod,
        decided: SystemTime,
        life: Duration,
    ) -> Result<String, AwsError> {
        let failed = || AwsError::Rejected { service: SERVICE, code: "presigning".into() };
        let config =
            PresigningConfig::builder().start_time(decided).expires_in(life).build().map_err(|_| failed())?;
        let key = item.file_key(name);
        let disposition = attachment(name);
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
        let signed = signed.ok_or_else(failed)?;
        Ok(signed.uri().to_owned())
    }
}

fn found(
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

/// What RFC 8187 allows unencoded in an extended value.
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

/// A `Content-Disposition` (RFC 6266) that saves the file under its own name, with a fallback in ASCII for
/// what does not know `filename*`.
fn attachment(name: &FileName) -> String {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ';
    let fallback: String = name.as_str().chars().map(|c| if plain(c) { c } else { '_' }).collect();
    let extended = utf8_percent_encode(name.as_str(), ATTR_CHAR);
    format!("attachment; filename=\"{fallback}\"; filename*=UTF-8''{extended}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attachment_has_its_own_name_and_a_fallback() {
        let attachment = |name: &str| attachment(&name.parse().unwrap());
        assert_eq!(attachment("brief.pdf"), "attachment; filename=\"brief.pdf\"; filename*=UTF-8''brief.pdf");
        assert_eq!(
            attachment("Ünï \"a\";b.pdf"),
            "attachment; filename=\"_n_ _a_;b.pdf\"; filename*=UTF-8''%C3%9Cn%C3%AF%20%22a%22%3Bb.pdf"
        );
        assert_eq!(attachment("100%.pdf"), "attachment; filename=\"100_.pdf\"; filename*=UTF-8''100%25.pdf");
    }
}
