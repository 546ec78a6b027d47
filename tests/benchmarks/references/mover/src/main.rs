//! The bare cost of an archive: the same reads, uploads and copies as in `archive-files`, with the same client
//! and as many at a time, but without checksums, ZIP records and progress.
//!
//! It discards what it reads, and uploads zeros: it does not even copy bytes in memory.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream, try_join};
use hyper::body::Bytes;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};
use sharelink_aws::{load_config, with_timeout};
use sharelink_runtime::required;

const PART_TIMEOUT: Duration = Duration::from_mins(2);

/// As many as in `archive-files`.
const ASSEMBLED_AT_ONCE: usize = 3;
const READ_AT_ONCE: usize = 4;
const COPIED_AT_ONCE: usize = 16;
const OBJECTS_AT_ONCE: usize = 8;

/// At least the size of the largest part that the function uploads.
const MAX_UPLOAD: usize = 32 << 20;

#[derive(Deserialize)]
struct Event {
    key: String,
    parts: Vec<Part>,
}

/// A part, as a plan of `archive-files` has it.
#[derive(Clone, Deserialize)]
struct Part {
    number: i32,
    /// The range that S3 copies. If there is none, the part is uploaded.
    copy: Option<Range>,
    /// The ranges to read.
    reads: Vec<Range>,
    /// The size of an upload.
    size: usize,
}

#[derive(Clone, Deserialize)]
struct Range {
    key: String,
    /// As in the header `Range`; none for a whole object.
    range: Option<String>,
}

struct Mover {
    client: Client,
    files: String,
    archives: String,
    zeros: Bytes,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = load_config()?;
    let settings = aws_sdk_s3::config::Builder::from(&*with_timeout(&config, PART_TIMEOUT))
        .force_path_style(config.endpoint_url().is_some())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    let mover = Arc::new(Mover {
        client: Client::from_conf(settings.build()),
        files: required("FILES_BUCKET")?,
        archives: required("ARCHIVE_BUCKET")?,
        zeros: vec![0; MAX_UPLOAD].into(),
    });
    run(service_fn(move |event: LambdaEvent<Event>| Arc::clone(&mover).handle(event.payload))).await
}

impl Mover {
    async fn handle(self: Arc<Self>, event: Event) -> Result<Value, Error> {
        let create = self.client.create_multipart_upload().bucket(&self.archives).key(&event.key);
        let created = create.send().await?;
        let upload = created.upload_id().ok_or("an upload without an id")?;
        let kinds = [
            (ASSEMBLED_AT_ONCE, (|part| part.copy.is_none()) as fn(&Part) -> bool),
            (READ_AT_ONCE, |part| part.copy.is_some() && !part.reads.is_empty()),
            (COPIED_AT_ONCE, |part| part.copy.is_some() && part.reads.is_empty()),
        ];
        let made = kinds.map(|(at_once, is_of_kind)| {
            let parts = event.parts.iter().filter(move |part| is_of_kind(part));
            let parts = stream::iter(parts).map(|part| self.make(&event.key, upload, part));
            parts.buffer_unordered(at_once).try_collect::<Vec<_>>()
        });
        let mut parts = try_join_all(made).await?.concat();
        parts.sort_by_key(CompletedPart::part_number);
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.client.complete_multipart_upload().bucket(&self.archives).key(&event.key);
        complete.upload_id(upload).multipart_upload(parts).send().await?;
        Ok(json!({}))
    }

    async fn make(&self, key: &str, upload: &str, part: &Part) -> Result<CompletedPart, Error> {
        let reads = async {
            let reads = stream::iter(&part.reads).map(|range| self.read(range));
            reads.buffer_unordered(OBJECTS_AT_ONCE).try_collect::<()>().await
        };
        let etag = if let Some(range) = &part.copy {
            let copy = self.client.upload_part_copy().bucket(&self.archives).key(key).upload_id(upload);
            let copy = copy.part_number(part.number).copy_source(format!("{}/{}", self.files, range.key));
            let copy = async { Ok(copy.set_copy_source_range(range.range.clone()).send().await?) };
            let (copied, ()) = try_join!(copy, reads)?;
            copied.copy_part_result.and_then(|result| result.e_tag)
        } else {
            reads.await?;
            let put = self.client.upload_part().bucket(&self.archives).key(key).upload_id(upload);
            let put = put.part_number(part.number).body(ByteStream::from(self.zeros.slice(..part.size)));
            put.customize().disable_payload_signing().send().await?.e_tag
        };
        Ok(CompletedPart::builder().part_number(part.number).set_e_tag(etag).build())
    }

    async fn read(&self, range: &Range) -> Result<(), Error> {
        let get = self.client.get_object().bucket(&self.files).key(&range.key);
        let mut body = get.set_range(range.range.clone()).send().await?.body;
        while body.try_next().await?.is_some() {}
        Ok(())
    }
}
