//! The archives to make.

use std::fmt;

use chrono::Utc;
use serde_json::{Value, json};
use sharelink_aws::new_write_id;
use sharelink_domain::archive::{
    ArchiveFile, ArchiveId, ArchiveOrder, Crc32, ETag, Limits, ObjectRange, Part, PartContent, Plan,
    may_be_copied,
};
use sharelink_domain::truncate_to_millis;

use crate::disk_s3::DiskS3;
use crate::events::EventFactory;
use crate::support::unique;

/// Files of one size.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) files: u64,
    pub(crate) size: u64,
    /// Whether S3 knows the files' checksums.
    pub(crate) has_checksums: bool,
}

const MB: u64 = 1_000_000;
const MIB: u64 = 1 << 20;

pub(crate) const CASES: [Case; 4] = [
    Case { files: 20, size: 200 * MIB, has_checksums: true },
    Case { files: 3_000, size: 5 * MB, has_checksums: true },
    Case { files: 100, size: 9 * MIB, has_checksums: false },
    Case { files: 1, size: 6 * 1024 * MIB, has_checksums: true },
];

impl Case {
    /// Returns the case with a tenth of its bytes.
    pub(crate) fn tenth(self) -> Self {
        if self.files >= 10 {
            Self { files: self.files / 10, ..self }
        } else {
            Self { size: self.size / 10, ..self }
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.files * self.size
    }

    pub(crate) fn is_copied(&self) -> bool {
        may_be_copied(self.size)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (files, size) = (self.files, self.size);
        let (size, unit) = if size % MB == 0 { (size / MB, "MB") } else { (size / MIB, "MiB") };
        write!(f, "{files} of {size} {unit}{}", if self.has_checksums { "" } else { " without CRC" })
    }
}

/// A case whose files are in the files bucket.
pub(crate) struct PreparedCase<'a> {
    pub(crate) case: Case,
    s3: &'a DiskS3,
    events: &'a EventFactory<'a>,
    order: ArchiveOrder,
}

impl<'a> PreparedCase<'a> {
    pub(crate) async fn new(case: Case, s3: &'a DiskS3, events: &'a EventFactory<'a>) -> Self {
        let item = unique("item");
        let keys: Vec<String> = (1..=case.files).map(|n| format!("jobs/{item}/{n}.bin")).collect();
        let tags = s3.add_files(&keys, case.size, case.has_checksums).await;
        let files = keys.into_iter().zip(tags).enumerate().map(|(index, (key, (etag, crc32)))| ArchiveFile {
            name: format!("{}.bin", index + 1).parse().unwrap(),
            key: key.try_into().unwrap(),
            etag: ETag::parse(&etag).unwrap(),
            size: case.size,
            crc32: crc32.map(|crc32| Crc32::from_base64(&crc32).unwrap()),
            modified: "2026-01-01T00:00:00Z".parse().unwrap(),
        });
        let limits = Limits { bytes: u64::MAX, files: usize::MAX };
        let order = ArchiveOrder::new(files.collect(), vec![], limits).unwrap();
        Self { case, s3, events, order }
    }

    /// Orders the archive from this program. Returns the archive's key and the program's event.
    pub(crate) async fn order(&self, program: &str) -> (String, Value) {
        let ArchiveOrder { id, files, .. } = &self.order;
        match program {
            "archive-files" => {
                self.request(id).await;
                (format!("archives/{id}.zip"), message(&id.to_string()))
            }
            "mover" => {
                let plan = Plan::new(self.order.archive(&[]).unwrap());
                let parts: Vec<_> = plan.parts().iter().map(|part| moves(&plan, part)).collect();
                ("moved.zip".into(), json!({"key": "moved.zip", "parts": parts}))
            }
            _ => {
                let file =
                    |f: &ArchiveFile| json!({"key": f.key.as_str(), "name": f.name.as_str(), "size": f.size});
                let files: Vec<_> = files.iter().map(file).collect();
                ("reference.zip".into(), json!({"key": "reference.zip", "files": files}))
            }
        }
    }

    /// Requests the archive as `redeem-link` does.
    async fn request(&self, id: &ArchiveId) {
        let (bytes, now) = (self.order.bytes(), truncate_to_millis(Utc::now()));
        let request = new_write_id().unwrap();
        assert!(self.events.table.request_archive(id, bytes, request, now).await.unwrap());
        let file = |file: &ArchiveFile| {
            json!({"name": file.name.as_str(), "key": file.key.as_str(), "etag": file.etag.as_str(),
                   "size": file.size, "modified": file.modified.timestamp_millis()})
        };
        let files: Vec<_> = self.order.files.iter().map(file).collect();
        self.s3.put(&format!("orders/{id}.json"), json!({"files": files, "leftOut": []}).to_string()).await;
    }
}

/// Returns the queue's event with a message that asks for an archive.
pub(crate) fn message(id: &str) -> Value {
    json!({"Records": [{"messageId": unique("message"), "receiptHandle": "handle", "body": id}]})
}

/// Returns the bytes to move for a part.
fn moves(plan: &Plan, part: &Part) -> Value {
    let range = |range: &ObjectRange| {
        let bytes = &range.bytes;
        let text = (!plan.is_whole(range)).then(|| format!("bytes={}-{}", bytes.start, bytes.end - 1));
        json!({"key": plan.object(range).unwrap().key.as_str(), "range": text})
    };
    let (copy, reads) = match &part.content {
        PartContent::Copy(copied) if plan.needs_checksum(copied) => {
            (Some(range(copied)), vec![range(copied)])
        }
        PartContent::Copy(copied) => (Some(range(copied)), vec![]),
        PartContent::Assemble(_) => (None, part.objects().map(|(_, read)| range(read)).collect()),
    };
    json!({"number": i32::from(part.number), "copy": copy, "reads": reads, "size": part.size})
}
