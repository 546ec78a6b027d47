//! Divides an archive into the parts of a multipart upload.

use std::ops::Range;

use aws_lc_rs::digest::{SHA256, digest};
use thiserror::Error;

use super::zip::{End, Record};
use super::{Archive, Checksums, Content, Crc32, Entry, Object, Progress};

const MIB: u64 = 1 << 20;

/// S3's limits for parts: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>. The last part
/// may be smaller.
pub(super) const MIN_PART: u64 = 5 * MIB;
pub(super) const MAX_PART: u64 = 5 << 30;
pub(super) const MAX_PARTS: usize = 10_000;

/// Returns whether S3 may copy some of an object of this size. The checksum of a smaller one is not worth a
/// request: the object is read in any case.
#[must_use]
pub fn may_be_copied(size: u64) -> bool {
    size >= MIN_PART
}

/// The sizes of parts, in bytes.
#[derive(Clone, Copy, Debug)]
struct PartSizes {
    /// The minimum of every part but the last.
    min: u64,
    /// Files that are not copied are gathered up to about this size, which decides how much memory the function
    /// needs.
    target: u64,
    /// A larger range is copied in several parts, which S3 can do at the same time. At least twice the minimum.
    copied: u64,
}

impl PartSizes {
    /// The sizes for every archive below 48 GiB, and for most others.
    const USUAL: Self = Self { min: MIN_PART, target: 16 * MIB, copied: 256 * MIB };

    /// Returns sizes to try, from the best to those that suffice for any archive of this many bytes.
    fn for_archive(size: u64) -> [Self; 3] {
        // All parts but the last have the minimum size, which therefore limits their number.
        let min = MIN_PART.max(size.div_ceil(MAX_PARTS as u64 - 1));
        let fewer_copies = Self { copied: MAX_PART, ..Self::USUAL };
        [Self::USUAL, fewer_copies, Self { min, target: (16 * MIB).max(2 * min), copied: MAX_PART }]
    }
}

/// A part's number: 1 to 10,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartNumber(u16);

impl PartNumber {
    pub(super) fn index(self) -> usize {
        usize::from(self.0) - 1
    }
}

impl From<PartNumber> for i32 {
    fn from(number: PartNumber) -> Self {
        number.0.into()
    }
}

/// A range of an object, or all of it. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRange {
    /// The index of the object's entry in the archive.
    pub entry: usize,
    /// The bytes of the object.
    pub bytes: Range<u64>,
}

/// A part of the upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub number: PartNumber,
    pub size: u64,
    pub content: PartContent,
}

/// How to make a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartContent {
    /// S3 copies the range. If the plan [needs its checksum](Plan::needs_checksum), the function also reads it.
    Copy(ObjectRange),
    /// The function puts the part together in memory, and uploads it.
    Assemble(Vec<Segment>),
}

/// A piece of an assembled part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where the piece is in the part.
    pub place: Range<usize>,
    pub content: SegmentContent,
}

/// The content of a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SegmentContent {
    /// An entry's local header.
    Header { entry: usize },
    /// The text of an entry that is not an object.
    Text { entry: usize },
    /// Bytes from the bucket.
    Object(ObjectRange),
    /// The central directory and what ends the archive.
    Directory,
}

impl Part {
    /// Returns the ranges of objects that an assembled part contains, and where.
    pub fn objects(&self) -> impl Iterator<Item = (Range<usize>, &ObjectRange)> {
        let segments = match &self.content {
            PartContent::Copy(_) => &[][..],
            PartContent::Assemble(segments) => segments,
        };
        segments.iter().filter_map(|segment| match &segment.content {
            SegmentContent::Object(range) => Some((segment.place.clone(), range)),
            _ => None,
        })
    }
}

/// The reason why a part cannot be assembled.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum AssembleError {
    #[error("the part is copied")]
    Copied,
    #[error("the buffer does not have the part's size")]
    Length,
    #[error("a checksum in the part is not known yet")]
    NotReady,
    /// The object's bytes do not have the checksum that S3 reports for them.
    #[error("entry {entry} has another checksum")]
    Checksum { entry: usize },
}

/// The start of an entry in the archive.
#[derive(Clone, Copy, Debug)]
struct Start {
    /// The offset of the local header in the archive.
    offset: u64,
    /// The index of the part with the local header.
    part: usize,
    /// The index of the entry's object among the objects in that part.
    object: usize,
    /// The number of the object's bytes in that part. All others are in copied parts.
    len: u64,
}

/// The layout of an archive, and the parts that make it.
///
/// Depends on the archive alone, and not on its checksums: two plans for the same entries have the same parts.
#[derive(Clone, Debug)]
pub struct Plan {
    archive: Archive,
    starts: Vec<Start>,
    parts: Vec<Part>,
    end: End,
    fingerprint: [u8; 16],
}

impl Plan {
    #[must_use]
    pub fn new(archive: Archive) -> Self {
        Self::with_sizes(archive, PartSizes::for_archive)
    }

    /// Divides the archive with the first sizes that make few enough parts, or else with the last.
    fn with_sizes<const N: usize>(archive: Archive, sizes: impl Fn(u64) -> [PartSizes; N]) -> Self {
        let layout = Layout::of(&archive);
        let (mut parts, mut starts) = (Vec::new(), Vec::new());
        for sizes in sizes(layout.size()) {
            (parts, starts) = Builder::divide(&archive, &layout, sizes);
            if parts.len() <= MAX_PARTS {
                break;
            }
        }
        let fingerprint = fingerprint(&archive, &parts);
        Self { archive, starts, parts, end: layout.end, fingerprint }
    }

    #[must_use]
    pub fn archive(&self) -> &Archive {
        &self.archive
    }

    /// Returns the parts in order. They are the whole archive.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Returns the archive's size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.end.directory_offset + self.end.directory_len + self.end.len()
    }

    /// Returns the object that a range belongs to.
    #[must_use]
    pub fn object(&self, range: &ObjectRange) -> Option<&Object> {
        match &self.archive.entries().get(range.entry)?.content {
            Content::Object(object) => Some(object),
            Content::LeftOut(_) => None,
        }
    }

    /// Returns whether a range is all of its object. S3 refuses to copy a range of an object of exactly 5 MiB.
    #[must_use]
    pub fn is_whole(&self, range: &ObjectRange) -> bool {
        let size = self.archive.entries().get(range.entry).map(|entry| entry.size);
        range.bytes.start == 0 && size == Some(range.bytes.end)
    }

    /// Returns whether the function must read a range that S3 copies, because nothing else knows the object's
    /// checksum.
    #[must_use]
    pub fn needs_checksum(&self, copied: &ObjectRange) -> bool {
        self.object(copied).is_some_and(|object| object.crc32.is_none())
    }

    /// Returns the parts that can be made next, including those that are being made already.
    pub fn ready_parts(&self, progress: &Progress) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| !self.is_done(part, progress) && self.is_ready(part, progress))
    }

    pub(super) fn fingerprint(&self) -> &[u8; 16] {
        &self.fingerprint
    }

    pub(super) fn is_done(&self, part: &Part, progress: &Progress) -> bool {
        let crcs = progress.checksums(part.number);
        match &part.content {
            PartContent::Copy(range) if self.needs_checksum(range) => {
                crcs.is_some_and(|crcs| !crcs.is_empty())
            }
            _ => crcs.is_some(),
        }
    }

    /// Returns whether all checksums in the part are known, once the part's own content has been read.
    fn is_ready(&self, part: &Part, progress: &Progress) -> bool {
        let index = part.number.index();
        let is_done = |part: &Part| self.is_done(part, progress);
        match &part.content {
            PartContent::Copy(_) => true,
            PartContent::Assemble(_) if index + 1 == self.parts.len() => {
                self.parts[..index].iter().all(is_done)
            }
            // Only a part's last file can continue in the parts after it.
            PartContent::Assemble(_) => self.parts[index + 1..]
                .iter()
                .take_while(
                    |part| matches!(&part.content, PartContent::Copy(range) if self.needs_checksum(range)),
                )
                .all(is_done),
        }
    }

    /// Writes the headers, the text and the central directory into a part whose other bytes are in the buffer
    /// already, at the places that [`Part::objects`] returns. Returns the checksums for [`Progress::record`].
    pub fn assemble(
        &self,
        part: &Part,
        progress: &Progress,
        buffer: &mut [u8],
    ) -> Result<Checksums, AssembleError> {
        let PartContent::Assemble(segments) = &part.content else { return Err(AssembleError::Copied) };
        if buffer.len() as u64 != part.size {
            return Err(AssembleError::Length);
        }
        let mut crcs = Vec::new();
        for (place, range) in part.objects() {
            let crc = Crc32::of(buffer.get(place).ok_or(AssembleError::Length)?);
            let known = self.object(range).and_then(|object| object.crc32);
            if self.is_whole(range) && known.is_some_and(|known| known != crc) {
                return Err(AssembleError::Checksum { entry: range.entry });
            }
            crcs.push(crc);
        }
        let crc_of = |entry| self.crc_of(entry, progress, part, &crcs).ok_or(AssembleError::NotReady);
        for Segment { place, content } in segments {
            let bytes = match content {
                SegmentContent::Object(_) => continue,
                SegmentContent::Header { entry } => self.record(*entry).local_header(crc_of(*entry)?),
                SegmentContent::Text { entry } => self.text(*entry).as_bytes().to_vec(),
                SegmentContent::Directory => self.directory(crc_of)?,
            };
            let place = buffer.get_mut(place.clone()).filter(|place| place.len() == bytes.len());
            place.ok_or(AssembleError::Length)?.copy_from_slice(&bytes);
        }
        Ok(Checksums::of_assembled(crcs))
    }

    fn directory(
        &self,
        crc_of: impl Fn(usize) -> Result<Crc32, AssembleError>,
    ) -> Result<Vec<u8>, AssembleError> {
        let mut directory = Vec::new();
        for (entry, start) in self.starts.iter().enumerate() {
            directory.extend(self.record(entry).central_header(crc_of(entry)?, start.offset));
        }
        directory.extend(self.end.to_bytes());
        Ok(directory)
    }

    fn record(&self, entry: usize) -> Record<'_> {
        record(&self.archive.entries()[entry])
    }

    fn text(&self, entry: usize) -> &str {
        match &self.archive.entries()[entry].content {
            Content::LeftOut(text) => text,
            Content::Object(_) => "",
        }
    }

    /// Returns an entry's checksum if it is known, given the checksums of the current part's objects.
    fn crc_of(&self, entry: usize, progress: &Progress, current: &Part, crcs: &[Crc32]) -> Option<Crc32> {
        match &self.archive.entries()[entry].content {
            Content::LeftOut(text) => return Some(Crc32::of(text.as_bytes())),
            Content::Object(Object { crc32: Some(crc), .. }) => return Some(*crc),
            Content::Object(_) => {}
        }
        let start = self.starts[entry];
        let crcs_of = |part: &Part| {
            if part.number == current.number { Some(crcs) } else { progress.checksums(part.number) }
        };
        let mut crc = Crc32::EMPTY;
        if start.len > 0 {
            crc = *crcs_of(&self.parts[start.part])?.get(start.object)?;
        }
        for part in &self.parts[start.part + 1..] {
            match &part.content {
                PartContent::Copy(ObjectRange { entry: copied, bytes }) if *copied == entry => {
                    crc = crc.followed_by(*crcs_of(part)?.first()?, bytes.end - bytes.start);
                }
                _ => break,
            }
        }
        Some(crc)
    }
}

fn record(entry: &Entry) -> Record<'_> {
    Record { name: entry.name.as_str(), size: entry.size, modified: entry.modified }
}

/// Where an archive's headers are.
struct Layout {
    offsets: Vec<u64>,
    end: End,
}

impl Layout {
    fn of(archive: &Archive) -> Self {
        let entries = archive.entries();
        let mut offset = 0;
        let mut directory_len = 0;
        let mut offsets = Vec::with_capacity(entries.len());
        for entry in entries {
            offsets.push(offset);
            directory_len += record(entry).central_header_len(offset);
            offset += record(entry).local_header_len() + entry.size;
        }
        Self { offsets, end: End { entries: entries.len() as u64, directory_offset: offset, directory_len } }
    }

    fn size(&self) -> u64 {
        self.end.directory_offset + self.end.directory_len + self.end.len()
    }
}

/// Divides the archive from its beginning to its end.
struct Builder {
    sizes: PartSizes,
    parts: Vec<Part>,
    /// The part that is being gathered.
    segments: Vec<Segment>,
    len: u64,
    /// The number of objects in it.
    objects: usize,
}

impl Builder {
    /// Returns the archive's parts and the starts of its entries.
    fn divide(archive: &Archive, layout: &Layout, sizes: PartSizes) -> (Vec<Part>, Vec<Start>) {
        let mut builder = Self { sizes, parts: Vec::new(), segments: Vec::new(), len: 0, objects: 0 };
        let entries = archive.entries().iter().zip(&layout.offsets).enumerate();
        let starts = entries.map(|(index, (entry, offset))| builder.add(index, entry, *offset)).collect();
        (builder.finish(layout.end.directory_len + layout.end.len()), starts)
    }

    fn add(&mut self, index: usize, entry: &Entry, offset: u64) -> Start {
        let is_object = matches!(entry.content, Content::Object(_));
        let header_len = record(entry).local_header_len();
        // The part with the header needs this many bytes of the file to be large enough. If the rest of the
        // file is large enough, too, S3 copies it.
        let fill = self.sizes.min.saturating_sub(self.len + header_len);
        let is_copied = is_object && entry.size >= fill + self.sizes.min;
        if !is_copied {
            self.make_room(header_len + entry.size);
        }
        let assembled = if is_copied { fill } else { entry.size };
        let start = Start { offset, part: self.parts.len(), object: self.objects, len: assembled };

        self.push(SegmentContent::Header { entry: index }, header_len);
        if assembled > 0 {
            let content = if is_object {
                SegmentContent::Object(ObjectRange { entry: index, bytes: 0..assembled })
            } else {
                SegmentContent::Text { entry: index }
            };
            self.push(content, assembled);
        }
        if is_copied {
            self.close();
            self.copy(index, fill..entry.size);
        }
        start
    }

    /// Closes the current part if it would become too large with this many bytes more.
    fn make_room(&mut self, len: u64) {
        if self.len >= self.sizes.min && self.len + len > self.sizes.target {
            self.close();
        }
    }

    fn push(&mut self, content: SegmentContent, len: u64) {
        let place = to_usize(self.len)..to_usize(self.len + len);
        self.objects += usize::from(matches!(content, SegmentContent::Object(_)));
        self.segments.push(Segment { place, content });
        self.len += len;
    }

    fn close(&mut self) {
        let segments = std::mem::take(&mut self.segments);
        let size = std::mem::take(&mut self.len);
        self.objects = 0;
        self.push_part(size, PartContent::Assemble(segments));
    }

    /// Adds parts of about the same size.
    fn copy(&mut self, entry: usize, bytes: Range<u64>) {
        let len = bytes.end - bytes.start;
        let parts = len.div_ceil(self.sizes.copied);
        let mut start = bytes.start;
        for left in (1..=parts).rev() {
            let end = start + (bytes.end - start) / left;
            self.push_part(end - start, PartContent::Copy(ObjectRange { entry, bytes: start..end }));
            start = end;
        }
    }

    fn push_part(&mut self, size: u64, content: PartContent) {
        let number = PartNumber(u16::try_from(self.parts.len() + 1).unwrap_or(u16::MAX));
        self.parts.push(Part { number, size, content });
    }

    fn finish(mut self, directory_len: u64) -> Vec<Part> {
        self.make_room(directory_len);
        self.push(SegmentContent::Directory, directory_len);
        self.close();
        self.parts
    }
}

/// Converts a length within a part, which fits into memory.
fn to_usize(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

/// Returns a hash of everything that decides on the upload's bytes.
fn fingerprint(archive: &Archive, parts: &[Part]) -> [u8; 16] {
    // Change the number whenever the same parts have other bytes.
    let mut bytes = b"sharelink archive plan 1\0".to_vec();
    bytes.extend(archive.id().as_bytes());
    bytes.extend(archive.entries().iter().flat_map(|entry| entry.modified.timestamp().to_be_bytes()));
    bytes.extend(parts.iter().flat_map(|part| part.size.to_be_bytes()));
    let mut fingerprint = [0; 16];
    fingerprint.copy_from_slice(&digest(&SHA256, &bytes).as_ref()[..16]);
    fingerprint
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::archive::ArchiveFile;
    use crate::archive::testing::{
        TestFile, UNLIMITED, Upload, archive_file, archive_of, check_parts, make_archive,
    };

    /// Sizes that are small enough to make many archives.
    const SMALL: PartSizes = PartSizes { min: 500, target: 1_600, copied: 1_500 };

    fn plan_of(sizes: &[u64]) -> Plan {
        let files = sizes.iter().enumerate().map(|(index, size)| archive_file(&index.to_string(), *size));
        Plan::new(Archive::new(files.collect(), &[], UNLIMITED).unwrap())
    }

    /// Returns how a part is made: ranges of objects in `[]` are assembled, others copied.
    fn describe(plan: &Plan) -> Vec<String> {
        let parts = plan.parts().iter().map(|part| match &part.content {
            PartContent::Copy(range) => format!("{} {:?}", range.entry, range.bytes),
            PartContent::Assemble(_) => {
                let ranges: Vec<_> =
                    part.objects().map(|(_, range)| format!("{} {:?}", range.entry, range.bytes)).collect();
                format!("[{}]", ranges.join(", "))
            }
        });
        parts.collect()
    }

    /// Returns the number of bytes of objects that an upload sends.
    fn bytes_sent(plan: &Plan) -> u64 {
        let ranges = plan.parts().iter().flat_map(Part::objects);
        ranges.map(|(_, range)| range.bytes.end - range.bytes.start).sum()
    }

    /// The length of a header for a name of one character.
    const HEADER: u64 = 30 + 1 + 9;

    #[test]
    fn small_files_are_gathered() {
        let plan = plan_of(&[5 * MIB; 7]);
        // A file of exactly 5 MiB can be copied if the part in front of it is large enough without it.
        let half = ["[0 0..5242880]", "1 0..5242880", "[2 0..5242880]", "3 0..5242880"];
        assert_eq!(describe(&plan)[..4], half);
        let PartContent::Copy(copied) = &plan.parts()[1].content else { panic!("not copied") };
        assert!(plan.is_whole(copied));
        let plan = plan_of(&[5_000_000; 7]);
        assert_eq!(describe(&plan)[0], "[0 0..5000000, 1 0..5000000, 2 0..5000000]");
        assert_eq!(plan.parts().len(), 3);
        assert_eq!(describe(&plan_of(&[0, 0, 1])), ["[2 0..1]"]);
    }

    #[test]
    fn large_file_is_copied_except_its_first_bytes() {
        let fill = 5 * MIB - HEADER;
        let size = 200 * MIB;
        assert_eq!(
            describe(&plan_of(&[size])),
            [format!("[0 0..{fill}]"), format!("0 {fill}..{size}"), "[]".into()]
        );
        // Small files in front of it leave less to fill.
        let fill = 4 * MIB - 2 * HEADER;
        assert_eq!(describe(&plan_of(&[MIB, size]))[0], format!("[0 0..1048576, 1 0..{fill}]"));
        assert_eq!(describe(&plan_of(&[6 * MIB, size])), ["[0 0..6291456]", &format!("1 0..{size}"), "[]"]);
        // Exactly large enough.
        let exact = 10 * MIB - HEADER;
        assert_eq!(plan_of(&[exact]).parts().len(), 3);
        assert_eq!(plan_of(&[exact - 1]).parts().len(), 1);
    }

    #[test]
    fn only_files_of_five_mebibytes_may_be_copied() {
        assert!(!may_be_copied(5 * MIB - 1));
        assert!(may_be_copied(5 * MIB));
    }

    #[test]
    fn huge_file_is_copied_in_equal_parts() {
        let plan = plan_of(&[6 << 30]);
        check_parts(&plan);
        let copied: Vec<u64> = plan.parts()[1..25].iter().map(|part| part.size).collect();
        assert!(copied.iter().max().unwrap() - copied.iter().min().unwrap() <= 1);
        assert_eq!(plan.parts().len(), 26);
        assert_eq!(bytes_sent(&plan), 5 * MIB - HEADER - 20, "the header has a ZIP64 field");
    }

    #[test]
    fn minimum_grows_with_the_archive_so_that_parts_suffice() {
        for sizes in [vec![4 << 40], vec![40 << 30; 70], vec![10 * MIB; 11_000], vec![400 * MIB; 10_000]] {
            check_parts(&plan_of(&sizes));
        }
    }

    #[test]
    fn large_directory_is_a_part_of_its_own() {
        let plan = plan_of(&vec![66; 150_000]);
        assert_eq!(describe(&plan)[1], "[]");
        assert_eq!(plan.parts().len(), 2);
    }

    #[test]
    fn header_waits_for_the_checksum() {
        let mut file = archive_file("a", 600 * MIB);
        let plan = |file: &ArchiveFile| Plan::new(Archive::new(vec![file.clone()], &[], UNLIMITED).unwrap());
        let ready = |plan: &Plan, progress: &Progress| -> Vec<i32> {
            plan.ready_parts(progress).map(|part| part.number.into()).collect()
        };
        let unknown = plan(&file);
        let mut progress = Progress::new(&unknown);
        assert_eq!(ready(&unknown, &progress), [2, 3, 4]);
        let mut buffer = vec![0; to_usize(unknown.parts()[0].size)];
        let early = unknown.assemble(&unknown.parts()[0], &progress, &mut buffer);
        assert_eq!(early, Err(AssembleError::NotReady));
        for part in &unknown.parts()[1..4] {
            progress.record(part, file.etag.clone(), Checksums::of_copied(Some(Crc32::EMPTY)));
        }
        assert_eq!(ready(&unknown, &progress), [1]);

        file.crc32 = Some(Crc32::EMPTY);
        let known = plan(&file);
        assert_eq!(known.parts(), unknown.parts());
        assert_eq!(ready(&known, &Progress::new(&known)), [1, 2, 3, 4]);

        // A run that knew the checksum copied a part without reading it.
        let mut progress = Progress::new(&unknown);
        progress.record(&unknown.parts()[1], file.etag.clone(), Checksums::of_copied(None));
        assert_eq!(ready(&unknown, &progress), [2, 3, 4]);
    }

    #[test]
    fn changed_content_is_not_assembled() {
        let mut file = archive_file("a", 3);
        file.crc32 = Some(Crc32::of(b"abc"));
        let plan = Plan::new(Archive::new(vec![file], &[], UNLIMITED).unwrap());
        let (part, progress) = (&plan.parts()[0], Progress::new(&plan));
        let mut buffer = vec![0; to_usize(part.size)];
        let assembled = plan.assemble(part, &progress, &mut buffer);
        assert_eq!(assembled, Err(AssembleError::Checksum { entry: 0 }));
        buffer[part.objects().next().unwrap().0].copy_from_slice(b"abc");
        assert_eq!(
            plan.assemble(part, &progress, &mut buffer),
            Ok(Checksums::of_assembled(vec![Crc32::of(b"abc")]))
        );
        assert_eq!(plan.assemble(part, &progress, &mut buffer[1..]), Err(AssembleError::Length));
    }

    fn any_size() -> impl Strategy<Value = u64> {
        prop_oneof![
            0..100_u64,
            0..6 * MIB,
            4 * MIB..12 * MIB,
            12 * MIB..500 * MIB,
            (0xffff_ff00..0x1_0000_0100_u64),
            (1_u64 << 30)..(40 << 30),
        ]
    }

    proptest! {
        #[test]
        fn parts_are_the_whole_archive(sizes in prop::collection::vec(any_size(), 1..60)) {
            let plan = plan_of(&sizes);
            check_parts(&plan);
            prop_assert_eq!(plan.parts().iter().map(|part| part.size).sum::<u64>(), plan.size());

            // Headers and content follow each other in the order of the entries.
            let mut expected = Vec::new();
            let mut found = Vec::new();
            let mut offset = 0;
            for (index, part) in plan.parts().iter().enumerate() {
                prop_assert_eq!(part.number.index(), index);
                match &part.content {
                    PartContent::Copy(range) => {
                        prop_assert_eq!(range.bytes.end - range.bytes.start, part.size);
                        found.push((offset, Some(range.clone())));
                    }
                    PartContent::Assemble(segments) => {
                        let mut end = 0;
                        for Segment { place, content } in segments {
                            prop_assert_eq!(place.start, end);
                            end = place.end;
                            let start = offset + place.start as u64;
                            match content {
                                SegmentContent::Object(range) => found.push((start, Some(range.clone()))),
                                SegmentContent::Header { entry } => {
                                    prop_assert_eq!(plan.starts[*entry].offset, start);
                                    found.push((start, None));
                                }
                                _ => {}
                            }
                        }
                        prop_assert_eq!(end as u64, part.size);
                        prop_assert!(part.size <= 17 * MIB);
                    }
                }
                offset += part.size;
            }
            let mut offset = 0;
            for (entry, size) in sizes.iter().enumerate() {
                expected.push((offset, None));
                offset += plan.record(entry).local_header_len();
                let mut start = 0;
                for (_, range) in &found {
                    if let Some(range) = range.as_ref().filter(|range| range.entry == entry) {
                        prop_assert_eq!(range.bytes.start, start);
                        expected.push((offset + start, Some(range.clone())));
                        start = range.bytes.end;
                    }
                }
                prop_assert_eq!(start, *size);
                offset += size;
            }
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn large_file_costs_at_most_five_mebibytes(sizes in prop::collection::vec(any_size(), 1..60)) {
            let plan = plan_of(&sizes);
            let most: u64 = sizes.iter().map(|size| if *size < 10 * MIB { *size } else { 5 * MIB }).sum();
            prop_assert!(bytes_sent(&plan) <= most);
            // Files that are too small to be cut cost no more on average.
            let sizes: Vec<u64> = sizes.iter().map(|size| size.max(&(5 * MIB)).to_owned()).collect();
            let plan = plan_of(&sizes);
            prop_assert!(bytes_sent(&plan) <= (sizes.len() as u64 + 1) * 5 * MIB);
        }

        #[test]
        fn archive_is_the_same_in_any_order_and_after_any_crash(
            files in prop::collection::vec((0..4_000_usize, any::<u8>(), any::<bool>()), 1..20),
            choices in prop::collection::vec(any::<prop::sample::Index>(), 200),
        ) {
            let files: Vec<TestFile> = files
                .into_iter()
                .enumerate()
                .map(|(index, (size, byte, has_crc))| {
                    let content = (0..size).map(|i| byte.wrapping_add(u8::try_from(i % 251).unwrap()));
                    TestFile { has_crc, ..TestFile::new(&index.to_string(), content.collect::<Vec<u8>>()) }
                })
                .collect();
            let plan = Plan::with_sizes(archive_of(&files, &[]), |_| [SMALL]);
            let in_order = make_archive(&plan, &files, |_| 0);
            let mut choices = choices.iter().cycle();
            let shuffled = make_archive(&plan, &files, |len| choices.next().unwrap().index(len));
            prop_assert!(in_order == shuffled);

            // Knowing the checksums makes no difference to the archive, only to what is read.
            let known: Vec<TestFile> =
                files.iter().map(|file| TestFile { has_crc: true, ..file.clone() }).collect();
            let known_plan = Plan::with_sizes(archive_of(&known, &[]), |_| [SMALL]);
            prop_assert!(make_archive(&known_plan, &known, |_| 0) == in_order);

            let (last, others) = plan.parts().split_last().unwrap();
            prop_assert!(others.iter().all(|part| part.size >= SMALL.min));
            prop_assert!(last.size > 0);
        }

        #[test]
        fn every_byte_is_read_once_at_most(
            sizes in prop::collection::vec((0..4_000_usize, any::<bool>()), 1..20),
        ) {
            let files: Vec<TestFile> = sizes
                .iter()
                .enumerate()
                .map(|(index, (size, has_crc))| TestFile {
                    has_crc: *has_crc,
                    ..TestFile::new(&index.to_string(), vec![7; *size])
                })
                .collect();
            let plan = Plan::with_sizes(archive_of(&files, &[]), |_| [SMALL]);
            let (mut upload, mut progress) = (Upload::new(&files), Progress::new(&plan));
            while let Some(part) = plan.ready_parts(&progress).last() {
                upload.make(&plan, part, &mut progress);
            }
            let unknown: u64 = sizes.iter().filter(|(_, has_crc)| !has_crc).map(|(size, _)| *size as u64).sum();
            let sent = bytes_sent(&plan);
            prop_assert!(upload.read <= unknown + sent);
            prop_assert!(upload.sent - sent <= 200 + 120 * sizes.len() as u64, "headers");
            prop_assert_eq!(progress.bytes_done(&plan), plan.size());
        }
    }
}
