//! Archives: the function that makes them, under crashes, changes and faults.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use sharelink_aws::new_write_id;
use sharelink_domain::archive::{ArchiveFile, ArchiveOrder, LEASE, Limits, REQUEST_LIFETIME};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::oneshot;

use crate::support::function::{Failure, Function};
use crate::support::proxy::{Fault, Notice};
use crate::support::{Aws, Proxy, Stack, World, eventually, unique, within_minutes};

const MIB: usize = 1 << 20;

const NO_FAILURES: &str = r#"{"batchItemFailures":[]}"#;

/// Patterns of requests to S3, as the proxy shows them.
const CREATE: &[&str] = &["method: POST", "?uploads"];
const PUT_PART: &[&str] = &["method: PUT", "partNumber="];
const COMPLETE: &[&str] = &["method: POST", "uploadId="];

/// Returns bytes that no two files share.
fn content(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut bytes: Vec<u8> =
        std::iter::repeat_with(|| next().to_le_bytes()).take(len / 8 + 1).flatten().collect();
    bytes.truncate(len);
    bytes
}

/// An order for an archive, and a function that makes it.
struct Archiving<'a> {
    stack: &'a Stack,
    world: World<'a>,
    function: Arc<Function>,
    files: BTreeMap<String, Vec<u8>>,
    order: ArchiveOrder,
    bucket: String,
    sqs: Proxy,
    queue: String,
}

/// How a file is uploaded.
#[derive(Clone, Copy)]
enum Upload {
    /// S3 knows the CRC-32.
    Crc32,
    Other,
}

/// Files of which S3 copies some, and of which the function must read others.
const MIXED: [(&str, usize, Upload); 6] = [
    ("a.txt", 3, Upload::Crc32),
    ("Übersicht.pdf", 0, Upload::Other),
    ("known.bin", 12 * MIB, Upload::Crc32),
    ("unknown.bin", 11 * MIB + 7, Upload::Other),
    ("A.txt", 1_000, Upload::Other),
    ("six.bin", 6 * MIB, Upload::Crc32),
];

/// One part of more than 5 MiB, and the last one.
const SMALL: [(&str, usize, Upload); 2] =
    [("a.bin", 6 * MIB, Upload::Crc32), ("b.bin", 11 * MIB, Upload::Crc32)];

impl<'a> Archiving<'a> {
    /// Uploads files and requests an archive of them.
    async fn new(stack: &'a Stack, files: &[(&str, usize, Upload)]) -> Self {
        let aws = Aws::new(stack);
        let name = unique("archives");
        let created = aws.call("sqs", "AmazonSQS.CreateQueue", &json!({"QueueName": name})).await;
        let queue = created["QueueUrl"].as_str().unwrap().to_owned();
        let sqs = Proxy::start(&stack.info.aws_endpoint_url).await;
        let variables = [("ARCHIVE_QUEUE_URL", queue.as_str()), ("AWS_ENDPOINT_URL_SQS", sqs.url.as_str())];
        let world = World::with_variables(stack, &variables).await;
        let bucket = aws.function_environment("ArchiveFiles").await["ARCHIVE_BUCKET"].clone();

        let mut contents = BTreeMap::new();
        let mut ordered = Vec::new();
        for (index, (name, size, upload)) in files.iter().enumerate() {
            let key = stack.info.file_key(&world.item.to_string(), name);
            let bytes = content(index as u64, *size);
            match upload {
                Upload::Crc32 => aws.upload(&key, &bytes).await,
                Upload::Other => aws.upload_without_crc32(&key, &bytes).await,
            }
            ordered.push(aws.archive_file(name, &key).await);
            contents.insert((*name).to_owned(), bytes);
        }
        let order = ArchiveOrder::new(ordered, vec![], Limits { bytes: 1 << 40, files: 1000 }).unwrap();
        aws.put_object(
            &bucket,
            &format!("orders/{}.json", order.id),
            order_json(&order).to_string().as_bytes(),
        )
        .await;
        let function = world.new_function("ArchiveFiles").await;
        let archiving = Self { stack, world, function, files: contents, order, bucket, sqs, queue };
        assert!(archiving.request().await);
        archiving
    }

    async fn request(&self) -> bool {
        let (id, bytes) = (&self.order.id, self.order.bytes());
        self.world.table.request_archive(id, bytes, new_write_id().unwrap(), self.world.now()).await.unwrap()
    }

    fn aws(&self) -> Aws<'a> {
        Aws::new(self.stack)
    }

    fn key(&self) -> String {
        format!("archives/{}.zip", self.order.id)
    }

    fn event(&self) -> Value {
        json!({"Records": [{
            "messageId": "m1", "receiptHandle": "unknown", "body": self.order.id.to_string(), "attributes": {},
            "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs", "awsRegion": "us-east-1",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:archives",
        }]})
    }

    async fn run(&self) {
        self.run_in(&self.function).await;
    }

    async fn run_in(&self, function: &Function) {
        let response = function.invoke(&self.event()).await.unwrap();
        assert_eq!(response.to_string(), NO_FAILURES, "{}", function.output());
    }

    async fn assert_run_fails(&self) {
        let response = self.function.invoke(&self.event()).await.unwrap();
        assert_eq!(response, json!({"batchItemFailures": [{"itemIdentifier": "m1"}]}));
    }

    /// Runs the function until S3 gets a request with these patterns, and kills it there.
    async fn crash_at(&self, patterns: &[&str], fault: impl FnOnce(Notice) -> Fault) {
        let (notice, reached) = oneshot::channel();
        self.world.s3.inject_once(patterns, fault(notice));
        self.crash_on(reached).await;
    }

    async fn crash_on(&self, reached: oneshot::Receiver<()>) {
        let kill = async {
            reached.await.unwrap();
            self.function.kill();
        };
        let event = self.event();
        let (result, ()) = within_minutes(2, join(self.function.invoke(&event), kill)).await;
        assert_eq!(result, Err(Failure::Crash));
    }

    async fn archive(&self) -> Option<Vec<u8>> {
        self.aws().object(&self.bucket, &self.key()).await
    }

    async fn uploads(&self) -> Vec<String> {
        self.aws().uploads(&self.bucket, &self.key()).await
    }

    /// Returns the lease, unless it has ended.
    async fn lease(&self) -> Option<i64> {
        let [row] = self.world.aws().rows(&format!("ARCHIVE#{}", self.order.id)).await.try_into().ok()?;
        let until = row.get("leaseUntil")?.as_n().ok()?.parse().ok()?;
        (self.world.now().timestamp_millis() <= until).then_some(until)
    }

    async fn row_exists(&self) -> bool {
        !self.world.aws().rows(&format!("ARCHIVE#{}", self.order.id)).await.is_empty()
    }

    /// Asserts that the archive has these files with their contents, and that nothing else is left.
    async fn assert_made_of(&self, names: &[&str]) {
        let archive =
            self.archive().await.unwrap_or_else(|| panic!("no archive: {}", self.function.output()));
        let entries = read(&archive).await;
        assert_eq!(entries.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), names);
        for (name, digest) in entries {
            // Names that differ only in case are made unique.
            let original = name.replace(" (2)", "");
            if let Some(content) = self.files.get(&original) {
                assert_eq!(digest, sha256(content), "{name}");
            }
        }
        self.assert_nothing_left().await;
    }

    async fn assert_made(&self) {
        let names: Vec<String> =
            self.order.archive(&[]).unwrap().entries().iter().map(|e| e.name.as_str().to_owned()).collect();
        self.assert_made_of(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }

    async fn assert_nothing_left(&self) {
        assert_eq!(self.uploads().await, [""; 0]);
        assert!(!self.row_exists().await);
    }

    /// Replaces a file's content.
    async fn replace(&self, name: &str) {
        let file = self.order.files.iter().find(|file| file.name.as_str() == name).unwrap();
        self.aws().upload(file.key.as_str(), b"replaced").await;
    }

    fn file(&self, name: &str) -> &ArchiveFile {
        self.order.files.iter().find(|file| file.name.as_str() == name).unwrap()
    }

    /// Returns the messages in this test's queue.
    async fn messages(&self) -> Vec<String> {
        let receive = json!({"QueueUrl": self.queue, "MaxNumberOfMessages": 10});
        let response = self.aws().call("sqs", "AmazonSQS.ReceiveMessage", &receive).await;
        let messages = response["Messages"].as_array().cloned().unwrap_or_default();
        messages.iter().map(|message| message["Body"].as_str().unwrap().to_owned()).collect()
    }
}

/// Returns an order in its stored form.
fn order_json(order: &ArchiveOrder) -> Value {
    let files = order.files.iter().map(|file| {
        json!({
            "name": file.name.as_str(), "key": file.key.as_str(), "etag": file.etag.as_str(), "size": file.size,
            "modified": file.modified.timestamp_millis(),
        })
    });
    json!({"files": files.collect::<Vec<_>>(), "leftOut": []})
}

fn sha256(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// Returns the entries of an archive and the SHA-256 of each, as Python reads them. Checks every CRC-32.
async fn read(archive: &[u8]) -> Vec<(String, String)> {
    const SCRIPT: &str = "import hashlib, io, json, sys, zipfile\n\
        z = zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read()))\n\
        assert z.testzip() is None\n\
        print(json.dumps([[i.filename, hashlib.sha256(z.read(i)).hexdigest()] for i in z.infolist()]))";
    let mut python = Command::new("python3");
    python.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut process = python.spawn().unwrap();
    let mut input = process.stdin.take().unwrap();
    input.write_all(archive).await.unwrap();
    drop(input);
    let output = within_minutes(2, process.wait_with_output()).await.unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn archive_has_every_file_unchanged() {
    let stack = Stack::get().await;
    let archiving = Archiving::new(&stack, &MIXED).await;
    archiving.run().await;
    archiving
        .assert_made_of(&["a.txt", "Übersicht.pdf", "known.bin", "unknown.bin", "A (2).txt", "six.bin"])
        .await;
    // A file's bytes pass through the function only where S3 must not copy them.
    assert!(archiving.world.s3.take_call_count(&["x-amz-copy-source"]) >= 2);
}

/// The queue, the event source mapping and the deployed function's settings.
#[tokio::test]
async fn deployed_queue_triggers_the_function() {
    let stack = Stack::get().await;
    let archiving = Archiving::new(&stack, &SMALL).await;
    let variables = Aws::new(&stack).function_environment("ArchiveFiles").await;
    // The deployed function uses the deployed table.
    let row = json!({
        "item": {"S": format!("ARCHIVE#{}", archiving.order.id)}, "entry": {"S": "ARCHIVE"},
        "requestedAt": {"N": "0"},
    });
    let put = json!({"TableName": stack.info.table_name, "Item": row});
    Aws::new(&stack).call("dynamodb", "DynamoDB_20120810.PutItem", &put).await;
    let message = json!({
        "QueueUrl": variables["ARCHIVE_QUEUE_URL"], "MessageBody": archiving.order.id.to_string(),
    });
    archiving.aws().call("sqs", "AmazonSQS.SendMessage", &message).await;
    let archive = eventually("the archive", || archiving.archive()).await;
    assert_eq!(read(&archive).await.len(), 2);
}

#[tokio::test]
async fn many_requests_at_once_start_one_run() {
    let stack = Stack::get().await;
    let mut archiving = Archiving::new(&stack, &SMALL).await;
    archiving.world.advance(REQUEST_LIFETIME + TimeDelta::milliseconds(1));
    let requested = join_all((0..100).map(|_| archiving.request())).await;
    assert_eq!(requested.iter().filter(|is_first| **is_first).count(), 1);

    // Even if the queue delivers a message twice.
    let another = archiving.world.new_function("ArchiveFiles").await;
    join(archiving.run(), archiving.run_in(&another)).await;
    archiving.run().await;
    archiving.assert_made().await;
}

#[tokio::test]
async fn duplicate_message_makes_no_second_upload() {
    let stack = Stack::get().await;
    let archiving = Archiving::new(&stack, &SMALL).await;
    let (notice, reached) = oneshot::channel();
    let (resume, resumed) = oneshot::channel();
    archiving.world.s3.inject_once(PUT_PART, Fault::Pause(notice, resumed));
    let another = archiving.world.new_function("ArchiveFiles").await;
    let duplicate = async {
        reached.await.unwrap();
        archiving.run_in(&another).await;
        assert_eq!(archiving.uploads().await.len(), 1, "the first run's upload");
        resume.send(()).unwrap();
    };
    within_minutes(2, join(archiving.run(), duplicate)).await;
    archiving.assert_made().await;
}

/// A request to S3, and whether it is forwarded before the function crashes.
type CrashPoint = (&'static [&'static str], fn(Notice) -> Fault);

/// A crash leaves no archive. The lease keeps others out until it ends; then the next run finishes.
#[tokio::test]
async fn run_after_a_crash_finishes_the_archive() {
    let stack = Stack::get().await;
    let points: [CrashPoint; 7] = [
        (CREATE, Fault::HoldRequest),
        (CREATE, Fault::HoldResponse),
        (PUT_PART, Fault::HoldRequest),
        (PUT_PART, Fault::HoldResponse),
        (&["x-amz-copy-source\""], Fault::HoldResponse),
        (COMPLETE, Fault::HoldRequest),
        (COMPLETE, Fault::HoldResponse),
    ];
    for (index, (patterns, fault)) in points.into_iter().enumerate() {
        let mut archiving = Archiving::new(&stack, &SMALL).await;
        archiving.crash_at(patterns, fault).await;
        let is_complete = index == 6;
        assert_eq!(archiving.archive().await.is_some(), is_complete, "{patterns:?}");
        if !is_complete {
            archiving.run().await;
            assert!(archiving.archive().await.is_none(), "{patterns:?}: the lease has not ended");
        }
        assert!(!archiving.request().await, "{patterns:?}");
        archiving.world.advance(LEASE + TimeDelta::milliseconds(1));
        assert!(archiving.request().await, "{patterns:?}");
        archiving.run().await;
        archiving.assert_made().await;
    }
}

#[tokio::test]
async fn crash_before_the_row_is_deleted_leaves_a_finished_archive() {
    let stack = Stack::get().await;
    let mut archiving = Archiving::new(&stack, &SMALL).await;
    let (notice, reached) = oneshot::channel();
    archiving.world.dynamodb.inject_once(&["DeleteItem"], Fault::HoldRequest(notice));
    archiving.crash_on(reached).await;
    assert!(archiving.archive().await.is_some());
    archiving.world.advance(LEASE + TimeDelta::milliseconds(1));
    archiving.run().await;
    archiving.assert_made().await;
}

#[tokio::test]
async fn next_run_continues_the_upload() {
    let stack = Stack::get().await;
    let mut archiving = Archiving::new(&stack, &SMALL).await;
    archiving.crash_at(COMPLETE, Fault::HoldRequest).await;
    let [upload] = archiving.uploads().await.try_into().unwrap();
    archiving.world.advance(LEASE + TimeDelta::milliseconds(1));
    archiving.crash_at(COMPLETE, Fault::HoldRequest).await;
    assert_eq!(archiving.uploads().await, [upload]);
}

/// Every run ends after its first parts, because Lambda would soon end it. It sends a message for the next.
#[tokio::test]
async fn run_near_its_time_limit_hands_over() {
    let stack = Stack::get().await;
    let files: Vec<(String, usize)> = (0..5).map(|index| (format!("{index}.bin"), 11 * MIB)).collect();
    let files: Vec<_> = files.iter().map(|(name, size)| (name.as_str(), *size, Upload::Other)).collect();
    let archiving = Archiving::new(&stack, &files).await;
    let limit = Duration::from_secs(85);
    let function = archiving.world.new_function_with_time_limit("ArchiveFiles", limit).await;
    // The retry of a lost response finds the lease given up already.
    archiving.world.dynamodb.inject_once(&["REMOVE lease"], Fault::LoseResponse);
    let mut runs = 0;
    while archiving.archive().await.is_none() {
        archiving.run_in(&function).await;
        runs += 1;
        assert!(runs < 20, "{}", function.output());
        if archiving.archive().await.is_none() {
            assert_eq!(archiving.messages().await, [archiving.order.id.to_string()]);
            let (done, bytes) = archiving
                .world
                .table
                .archive_progress(&archiving.order.id, archiving.world.now())
                .await
                .unwrap()
                .unwrap();
            assert!(done > 0 && done < bytes, "{done} of {bytes}");
        }
    }
    assert!(runs > 1);
    assert_eq!(archiving.world.dynamodb.pending_faults(), 0);
    archiving.assert_made().await;
    assert_eq!(archiving.world.s3.take_call_count(&[".zip?uploads"]), 1);
}

/// S3 may take minutes to complete an upload.
#[tokio::test]
async fn lease_lasts_while_s3_completes_the_upload() {
    let stack = Stack::get().await;
    let mut archiving = Archiving::new(&stack, &SMALL).await;
    let (notice, reached) = oneshot::channel();
    let (resume, resumed) = oneshot::channel();
    archiving.world.s3.inject_once(COMPLETE, Fault::Pause(notice, resumed));
    let (function, event) = (Arc::clone(&archiving.function), archiving.event());
    let run = tokio::spawn(async move { function.invoke(&event).await });
    within_minutes(2, reached).await.unwrap();
    archiving.world.advance(LEASE + TimeDelta::milliseconds(1));
    eventually("the renewed lease", || archiving.lease()).await;
    let another = archiving.world.new_function("ArchiveFiles").await;
    archiving.run_in(&another).await;
    resume.send(()).unwrap();
    assert_eq!(within_minutes(2, run).await.unwrap().unwrap().to_string(), NO_FAILURES);
    archiving.assert_made().await;
    assert_eq!(archiving.world.s3.take_call_count(&[".zip?uploads"]), 1);
}

#[tokio::test]
async fn run_near_its_time_limit_does_not_wait_for_completion() {
    let stack = Stack::get().await;
    let archiving = Archiving::new(&stack, &SMALL).await;
    let (notice, mut reached) = oneshot::channel();
    archiving.world.s3.inject_once(COMPLETE, Fault::HoldRequest(notice));
    let limit = Duration::from_secs(40);
    let function = archiving.world.new_function_with_time_limit("ArchiveFiles", limit).await;
    // The first runs make the parts.
    let mut runs = 0;
    while reached.try_recv().is_err() {
        within_minutes(1, archiving.run_in(&function)).await;
        assert_eq!(archiving.messages().await, [archiving.order.id.to_string()]);
        runs += 1;
        assert!(runs < 20, "{}", function.output());
    }
    assert!(archiving.archive().await.is_none());
    archiving.run().await;
    archiving.assert_made().await;
    assert_eq!(archiving.world.s3.take_call_count(&[".zip?uploads"]), 1);
}

#[tokio::test]
async fn replaced_file_never_makes_a_mixed_archive() {
    let stack = Stack::get().await;
    for name in ["a.txt", "known.bin", "unknown.bin", "six.bin"] {
        let archiving = Archiving::new(&stack, &MIXED).await;
        archiving.replace(name).await;
        archiving.run().await;
        assert!(archiving.archive().await.is_none(), "{name}");
        archiving.assert_nothing_left().await;
    }
}

#[tokio::test]
async fn file_replaced_during_a_run_stops_the_run() {
    let stack = Stack::get().await;
    let archiving = Archiving::new(&stack, &SMALL).await;
    let (notice, reached) = oneshot::channel();
    let (resume, resumed) = oneshot::channel();
    archiving.world.s3.inject_once(&["x-amz-copy-source\""], Fault::Pause(notice, resumed));
    let replace = async {
        reached.await.unwrap();
        archiving.replace("b.bin").await;
        resume.send(()).unwrap();
    };
    within_minutes(2, join(archiving.run(), replace)).await;
    assert!(archiving.archive().await.is_none());
    archiving.assert_nothing_left().await;
}

#[tokio::test]
async fn missing_files_are_named_in_the_archive() {
    let stack = Stack::get().await;
    for name in ["a.txt", "known.bin", "unknown.bin"] {
        let archiving = Archiving::new(&stack, &MIXED).await;
        archiving.aws().delete(archiving.file(name).key.as_str()).await;
        archiving.run().await;
        let names = archiving.assert_lacks(name).await;
        assert_eq!(names[0], "_Missing files.txt", "{name}");
    }
}

#[tokio::test]
async fn archived_file_is_named_in_the_archive() {
    let stack = Stack::get().await;
    let archiving = Archiving::new(&stack, &MIXED).await;
    let name = "known.bin";
    archiving.aws().upload_archived(archiving.file(name).key.as_str(), &archiving.files[name]).await;
    archiving.run().await;
    archiving.assert_lacks(name).await;
}

#[tokio::test]
async fn unreadable_file_is_named_in_the_archive() {
    let stack = Stack::get().await;
    let archiving = Archiving::new(&stack, &MIXED).await;
    let key = archiving.file("a.txt").key.as_str().to_owned();
    archiving.world.s3.set_fault_policy(move |call| {
        let is_read = call.contains(&key) && !call.contains("copy-source");
        is_read.then_some(if call.contains("method: HEAD") {
            Fault::RespondEmpty(403)
        } else {
            Fault::RespondXml(403, "AccessDenied")
        })
    });
    archiving.run().await;
    archiving.assert_lacks("a.txt").await;
}

/// S3 returns the metadata of an object without a checksum even to those who may not use its KMS key.
#[tokio::test]
async fn file_with_unreadable_content_is_left_out() {
    let stack = Stack::get().await;
    for name in ["a.txt", "known.bin", "unknown.bin"] {
        let archiving = Archiving::new(&stack, &MIXED).await;
        let key = archiving.file(name).key.as_str().to_owned();
        archiving.world.s3.set_fault_policy(move |call| {
            let is_denied = call.contains(&key) && !call.contains("method: HEAD");
            is_denied.then_some(Fault::RespondXml(403, "AccessDenied"))
        });
        archiving.run().await;
        archiving.assert_lacks(name).await;
    }
}

/// If no file can be read, a permission is probably missing. The archive must not remain useless for a day.
#[tokio::test]
async fn archive_without_a_readable_file_is_retried() {
    let stack = Stack::get().await;
    let archiving = Archiving::new(&stack, &MIXED).await;
    archiving.world.s3.set_fault_policy(|call| {
        let is_denied = call.contains("method: HEAD") && !call.contains("archives/");
        is_denied.then_some(Fault::RespondEmpty(403))
    });
    archiving.world.s3.inject(20, &["method: GET", "range"], || Some(Fault::RespondXml(403, "AccessDenied")));
    archiving.assert_run_fails().await;
    assert!(archiving.archive().await.is_none());

    archiving.world.s3.clear_faults();
    archiving.run().await;
    archiving.assert_made().await;
}

#[tokio::test]
async fn archive_of_deleted_files_is_not_made() {
    let stack = Stack::get().await;
    let archiving = Archiving::new(&stack, &MIXED).await;
    for file in &archiving.order.files {
        archiving.aws().delete(file.key.as_str()).await;
    }
    archiving.run().await;
    assert!(archiving.archive().await.is_none());
    archiving.assert_nothing_left().await;
}

#[tokio::test]
async fn several_missing_files_start_one_more_upload() {
    let stack = Stack::get().await;
    let files: Vec<String> = (0..6).map(|index| format!("{index}.txt")).collect();
    let files: Vec<_> = files.iter().map(|name| (name.as_str(), 1_000, Upload::Other)).collect();
    let archiving = Archiving::new(&stack, &files).await;
    for file in &archiving.order.files[..5] {
        archiving.aws().delete(file.key.as_str()).await;
    }
    archiving.run().await;
    archiving.assert_made_of(&["_Missing files.txt", "5.txt"]).await;
    assert_eq!(archiving.world.s3.take_call_count(&[".zip?uploads"]), 2);
}

/// A file may be deleted while others are already in the upload.
#[tokio::test]
async fn file_deleted_during_a_run_is_left_out() {
    let stack = Stack::get().await;
    let archiving = Archiving::new(&stack, &SMALL).await;
    let (notice, reached) = oneshot::channel();
    let (resume, resumed) = oneshot::channel();
    archiving.world.s3.inject_once(&["x-amz-copy-source\""], Fault::Pause(notice, resumed));
    let delete = async {
        reached.await.unwrap();
        archiving.aws().delete(archiving.file("b.bin").key.as_str()).await;
        resume.send(()).unwrap();
    };
    within_minutes(2, join(archiving.run(), delete)).await;
    archiving.assert_lacks("b.bin").await;
}

impl Archiving<'_> {
    /// Asserts that the archive has every file but one. Returns the names in it.
    async fn assert_lacks(&self, lacking: &str) -> Vec<String> {
        let archive =
            self.archive().await.unwrap_or_else(|| panic!("no archive: {}", self.function.output()));
        let names: Vec<String> = read(&archive).await.into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), self.files.len(), "one less, and the text");
        assert!(!names.iter().any(|name| name == lacking), "{names:?}");
        self.assert_nothing_left().await;
        names
    }
}

#[tokio::test]
async fn lost_and_failed_responses_do_not_harm_an_archive() {
    let stack = Stack::get().await;
    let archiving = Archiving::new(&stack, &MIXED).await;
    let s3 = &archiving.world.s3;
    s3.lose_responses(1, CREATE);
    s3.lose_responses(2, PUT_PART);
    s3.lose_responses(1, COMPLETE);
    s3.inject(2, &["x-amz-copy-source\""], || Some(Fault::RespondXml(503, "SlowDown")));
    // S3 reports some failures only after it has sent the status.
    s3.inject(1, &["x-amz-copy-source\""], || Some(Fault::RespondXml(200, "InternalError")));
    s3.inject(1, COMPLETE, || Some(Fault::RespondXml(200, "InternalError")));
    s3.inject(2, &["method: GET", "range"], || Some(Fault::Shorten(1_000)));
    archiving.world.dynamodb.lose_responses(1, &["UpdateItem"]);
    archiving.run().await;
    assert_eq!(archiving.world.s3.pending_faults(), 0);
    archiving.assert_made().await;
}

#[tokio::test]
async fn upload_that_s3_lost_or_rejected_is_started_again() {
    let stack = Stack::get().await;
    for code in ["EntityTooSmall", "InvalidPart", "NoSuchUpload", "ConditionalRequestConflict"] {
        let archiving = Archiving::new(&stack, &SMALL).await;
        let status = if code == "NoSuchUpload" { 404 } else { 400 };
        archiving.world.s3.inject_once(COMPLETE, Fault::RespondXml(status, code));
        archiving.run().await;
        assert_eq!(archiving.world.s3.pending_faults(), 0, "{code}");
        archiving.assert_made().await;
    }
}

/// S3 has completed the upload, but the response was lost, and the retry no longer finds the upload.
#[tokio::test]
async fn upload_that_was_completed_unnoticed_is_not_repeated() {
    let stack = Stack::get().await;
    let archiving = Archiving::new(&stack, &SMALL).await;
    archiving.world.s3.lose_responses(1, COMPLETE);
    archiving.world.s3.inject_once(COMPLETE, Fault::RespondXml(404, "NoSuchUpload"));
    archiving.run().await;
    assert_eq!(archiving.world.s3.take_call_count(&[".zip?uploads"]), 1);
    archiving.assert_made().await;
}

#[tokio::test]
async fn upload_aborted_during_a_run_is_started_again() {
    let stack = Stack::get().await;
    let archiving = Archiving::new(&stack, &SMALL).await;
    let (notice, reached) = oneshot::channel();
    let (resume, resumed) = oneshot::channel();
    archiving.world.s3.inject_once(&["x-amz-copy-source\""], Fault::Pause(notice, resumed));
    let abort = async {
        reached.await.unwrap();
        for upload in archiving.uploads().await {
            archiving.aws().abort_upload(&archiving.bucket, &archiving.key(), &upload).await;
        }
        resume.send(()).unwrap();
    };
    within_minutes(2, join(archiving.run(), abort)).await;
    archiving.assert_made().await;
}

/// The message stays in the queue, to be delivered soon, and the lease is given up.
#[tokio::test]
async fn failed_run_is_retried_soon() {
    let stack = Stack::get().await;
    let archiving = Archiving::new(&stack, &SMALL).await;
    archiving.world.s3.set_fault_policy(|call| {
        PUT_PART.iter().all(|pattern| call.contains(pattern)).then_some(Fault::RespondXml(503, "SlowDown"))
    });
    archiving.assert_run_fails().await;
    assert_eq!(archiving.sqs.take_call_count(&["ChangeMessageVisibility"]), 1);
    assert!(archiving.archive().await.is_none());

    archiving.world.s3.clear_faults();
    archiving.run().await;
    archiving.assert_made().await;
}

#[tokio::test]
async fn message_without_an_order_is_dropped() {
    let stack = Stack::get().await;
    let archiving = Archiving::new(&stack, &SMALL).await;
    let order = format!("orders/{}.json", archiving.order.id);
    archiving.world.s3.inject_once(&[&order], Fault::RespondXml(404, "NoSuchKey"));
    archiving.run().await;
    assert!(archiving.archive().await.is_none());
    archiving.assert_nothing_left().await;

    let event = json!({"Records": [{"messageId": "m1", "receiptHandle": "r", "body": "not an id"}]});
    let response = archiving.function.invoke(&event).await.unwrap();
    assert_eq!(response.to_string(), NO_FAILURES);
}
