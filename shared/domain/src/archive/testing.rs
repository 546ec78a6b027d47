//! An S3 bucket in memory, which makes archives as the function does, and enforces S3's limits.

use std::collections::HashMap;

use super::plan::{MAX_PART, MAX_PARTS, MIN_PART};
use super::*;
use crate::testing::{NOW, time};

/// A file and its content.
#[derive(Clone, Debug)]
pub(super) struct TestFile {
    pub(super) name: String,
    pub(super) content: Vec<u8>,
    /// Whether S3 knows the checksum.
    pub(super) has_crc: bool,
}

impl TestFile {
    pub(super) fn new(name: &str, content: impl Into<Vec<u8>>) -> Self {
        Self { name: name.to_owned(), content: content.into(), has_crc: false }
    }
}

/// Returns the bytes as hexadecimal digits.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|d| char::from_digit(d.into(), 16))
        .collect()
}

/// No limits.
pub(super) const UNLIMITED: Limits = Limits { bytes: u64::MAX, files: usize::MAX };

/// Returns a file of this size. Its key and entity tag follow from its name.
pub(super) fn archive_file(name: &str, size: u64) -> ArchiveFile {
    ArchiveFile {
        name: name.parse().unwrap(),
        key: ObjectKey::try_from(format!("files/{name}")).unwrap(),
        etag: ETag::parse(&format!("{:08x}", Crc32::of(name.as_bytes()).to_u32())).unwrap(),
        size,
        crc32: None,
        modified: time(NOW),
    }
}

/// Returns an archive of these files.
pub(super) fn archive_of(files: &[TestFile], left_out: &[LeftOut]) -> Archive {
    let files = files.iter().map(|file| ArchiveFile {
        crc32: file.has_crc.then(|| Crc32::of(&file.content)),
        ..archive_file(&file.name, file.content.len() as u64)
    });
    Archive::new(files.collect(), left_out, UNLIMITED).unwrap()
}

/// A multipart upload.
#[derive(Debug)]
pub(super) struct Upload<'a> {
    objects: HashMap<String, &'a [u8]>,
    parts: HashMap<i32, Vec<u8>>,
    /// The number of bytes that were read by the function.
    pub(super) read: u64,
    /// The number of bytes that were sent by the function.
    pub(super) sent: u64,
}

impl<'a> Upload<'a> {
    pub(super) fn new(files: &'a [TestFile]) -> Self {
        let objects = files.iter().map(|file| (format!("files/{}", file.name), &*file.content)).collect();
        Self { objects, parts: HashMap::new(), read: 0, sent: 0 }
    }

    fn object(&self, plan: &Plan, range: &ObjectRange) -> &'a [u8] {
        let bytes = self.objects[plan.object(range).unwrap().key.as_str()];
        &bytes[usize::try_from(range.bytes.start).unwrap()..usize::try_from(range.bytes.end).unwrap()]
    }

    /// Makes a part and records it.
    pub(super) fn make(&mut self, plan: &Plan, part: &Part, progress: &mut Progress) {
        let (bytes, crcs) = match &part.content {
            PartContent::Copy(range) => {
                let bytes = self.object(plan, range);
                let crc = plan.needs_checksum(range).then(|| Crc32::of(bytes));
                self.read += crc.map_or(0, |_| part.size);
                (bytes.to_vec(), Checksums::of_copied(crc))
            }
            PartContent::Assemble(_) => {
                let mut buffer = vec![0; usize::try_from(part.size).unwrap()];
                for (place, range) in part.objects() {
                    let bytes = self.object(plan, range);
                    self.read += bytes.len() as u64;
                    buffer[place].copy_from_slice(bytes);
                }
                let crcs = plan.assemble(part, progress, &mut buffer).unwrap();
                self.sent += buffer.len() as u64;
                (buffer, crcs)
            }
        };
        assert_eq!(bytes.len() as u64, part.size);
        let etag = ETag::parse(&format!("{:032x}", Crc32::of(&bytes).to_u32())).unwrap();
        assert!(self.parts.insert(part.number.into(), bytes).is_none(), "a part was made twice");
        progress.record(part, etag, crcs);
    }

    /// Puts the parts together.
    pub(super) fn complete(self, plan: &Plan, progress: &Progress) -> Vec<u8> {
        let completed = progress.completed(plan).unwrap();
        assert_eq!(completed.len(), self.parts.len());
        completed.iter().flat_map(|(number, _)| &self.parts[&i32::from(*number)]).copied().collect()
    }
}

/// Makes the whole archive. `choose` selects the next of the ready parts.
pub(super) fn make_archive(
    plan: &Plan,
    files: &[TestFile],
    mut choose: impl FnMut(usize) -> usize,
) -> Vec<u8> {
    let mut upload = Upload::new(files);
    let mut progress = Progress::new(plan);
    while progress.completed(plan).is_none() {
        // Another run continues after every part.
        progress = Progress::from_bytes(plan, &progress.to_bytes(plan)).unwrap();
        let ready: Vec<&Part> = plan.ready_parts(&progress).collect();
        let part = ready[choose(ready.len())];
        upload.make(plan, part, &mut progress);
    }
    let archive = upload.complete(plan, &progress);
    assert_eq!(archive.len() as u64, plan.size());
    archive
}

/// Checks that S3 accepts the parts: their sizes and their number.
pub(super) fn check_parts(plan: &Plan) {
    assert!(plan.parts().len() <= MAX_PARTS);
    let (last, others) = plan.parts().split_last().unwrap();
    for part in others {
        assert!((MIN_PART..=MAX_PART).contains(&part.size), "{} bytes", part.size);
    }
    assert!((1..=MAX_PART).contains(&last.size));
}
