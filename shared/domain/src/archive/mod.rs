//! Archives: all files of a share in one ZIP archive, which S3 puts together.
//!
//! An archive stores its files without compression, so the sizes alone decide where everything is. It is made
//! by a multipart upload. Most bytes of large files never pass through the function that makes the archive: S3
//! copies them. Smaller files, headers and the central directory are assembled in memory.
//!
//! 1. [`Archive::new`] names the entries and enforces the limits. [`Archive::id`] identifies the archive, and
//!    needs nothing that a listing of the bucket lacks.
//! 2. [`Plan::new`] divides the archive into parts. The plan follows from the archive alone, so another run can
//!    continue where one stopped.
//! 3. [`Progress`] records which parts are done. [`Plan::ready_parts`] says which can be made next.
//!
//! # CRC-32
//!
//! A header contains the checksum of the content behind it. S3 knows it if the object was uploaded with a
//! CRC-32 of the full object. Otherwise, all content is read, but still not sent: the function computes the
//! checksum of a range while S3 copies it. The part that contains the header is made after all others of its
//! file, and the checksums of the pieces are combined. Every byte is therefore read once at most, and none is
//! held back in memory.
//!
//! # Files that are left out
//!
//! A recipient with eleven of twelve files is better served than one with an error. An archive is therefore
//! made without the files that are missing, archived or unreadable, and a [text file](LeftOut) in it names
//! them. If an object turns out to be unreadable only while the archive is made, make another [`Archive`]
//! without it, and keep the id of the first: the list that the recipient asked for is the same.

mod crc32;
mod entry_name;
mod id;
mod left_out;
mod order;
mod plan;
mod progress;
#[cfg(test)]
mod readers;
#[cfg(test)]
mod testing;
mod zip;

use std::fmt;

use thiserror::Error;

pub use crc32::{Crc32, Crc32Hasher};
pub use entry_name::EntryName;
pub use id::{ArchiveId, ArchiveIdError};
pub use left_out::{LeftOut, LeftOutReason};
pub use order::{ArchiveOrder, LEASE, REQUEST_LIFETIME};
pub use plan::{
    AssembleError, ObjectRange, Part, PartContent, PartNumber, Plan, Segment, SegmentContent, may_be_copied,
};
pub use progress::{Checksums, Progress};

use crate::{FileName, ObjectKey, Timestamp};

/// The maximum size of an archive's files, whatever the limits are. Leaves room for headers in an object of
/// 5 TiB.
const MAX_BYTES: u64 = 4 << 40;

/// The maximum number of an archive's files, whatever the limits are. Keeps the central directory, which the
/// function holds in memory, below 400 MB.
const MAX_FILES: usize = 1_000_000;

/// The limits of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The maximum size of all files together, in bytes.
    pub bytes: u64,
    /// The maximum number of files.
    pub files: usize,
}

/// The reason why no archive is made.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ArchiveError {
    #[error("has no files")]
    Empty,
    #[error("has more than {limit} files")]
    TooManyFiles { limit: usize },
    #[error("has more than {limit} bytes")]
    TooManyBytes { limit: u64 },
}

/// The entity tag of an object's content. Changes with the content.
#[derive(Clone, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    /// Creates the tag from S3's text, with or without quotation marks. Returns `None` if it is not 1 to 255
    /// visible ASCII characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        let is_visible = |b: u8| b.is_ascii_graphic() && b != b'"';
        let is_valid = (1..=255).contains(&text.len()) && text.bytes().all(is_visible);
        is_valid.then(|| Self(format!("\"{text}\"")))
    }

    /// Returns the tag with quotation marks, as in `If-Match`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Hides the tag, which may be the MD5 hash of a file.
impl fmt::Debug for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ETag(..)")
    }
}

/// A file to put into an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveFile {
    pub name: FileName,
    pub key: ObjectKey,
    pub etag: ETag,
    pub size: u64,
    /// The checksum of the full object, if S3 knows it. Used only for files that are
    /// [copied](may_be_copied), so S3 need not be asked about others.
    pub crc32: Option<Crc32>,
    pub modified: Timestamp,
}

/// An archive's content: named entries with known sizes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    entries: Vec<Entry>,
}

/// An entry of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: EntryName,
    pub size: u64,
    pub modified: Timestamp,
    pub content: Content,
}

/// Where an entry's content comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    Object(Object),
    /// The text that names the files that were left out.
    LeftOut(String),
}

/// Hides the text, which contains names: debug output may reach a log.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(object) => object.fmt(f),
            Self::LeftOut(_) => f.write_str("LeftOut(..)"),
        }
    }
}

/// An object in the files bucket. Read and copied only while it has this entity tag, so that an archive never
/// contains half of an old file and half of a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub key: ObjectKey,
    pub etag: ETag,
    /// The checksum of the full object.
    pub crc32: Option<Crc32>,
}

impl Archive {
    /// Creates an archive of the files in their order, with a text about those that were left out. Returns
    /// [`ArchiveError::Empty`] if all were.
    pub fn new(files: Vec<ArchiveFile>, left_out: &[LeftOut], limits: Limits) -> Result<Self, ArchiveError> {
        let (max_files, max_bytes) = (limits.files.min(MAX_FILES), limits.bytes.min(MAX_BYTES));
        if files.is_empty() {
            return Err(ArchiveError::Empty);
        }
        if files.len().saturating_add(left_out.len()) > max_files {
            return Err(ArchiveError::TooManyFiles { limit: max_files });
        }
        let bytes = files.iter().map(|file| file.size).fold(0, u64::saturating_add);
        if bytes > max_bytes {
            return Err(ArchiveError::TooManyBytes { limit: max_bytes });
        }

        let note_name = if left_out.is_empty() { None } else { left_out::note_name() };
        // The note comes last, so that its name yields to a file's.
        let mut names = EntryName::for_files(files.iter().map(|file| &file.name).chain(&note_name));
        let note_name = note_name.and_then(|_| names.pop());
        let latest = files.iter().map(|file| file.modified).max().unwrap_or_default();
        let mut entries: Vec<Entry> = files
            .into_iter()
            .zip(names)
            .map(|(file, name)| Entry {
                name,
                size: file.size,
                modified: file.modified,
                content: Content::Object(Object { key: file.key, etag: file.etag, crc32: file.crc32 }),
            })
            .collect();
        if let Some(name) = note_name {
            let text = left_out::note(left_out);
            // The first entry, where readers that keep the order show it first.
            let size = text.len() as u64;
            entries.insert(0, Entry { name, size, modified: latest, content: Content::LeftOut(text) });
        }
        Ok(Self { entries })
    }

    /// Returns the entries in the archive's order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> ArchiveId {
        ArchiveId::new(self)
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{UNLIMITED, archive_file};
    use super::*;
    use crate::testing::time;

    fn left_out(name: &str) -> LeftOut {
        LeftOut { name: name.parse().unwrap(), reason: LeftOutReason::Missing }
    }

    fn names(archive: &Archive) -> Vec<&str> {
        archive.entries().iter().map(|entry| entry.name.as_str()).collect()
    }

    #[test]
    fn limits_count_all_files() {
        let files = vec![archive_file("a", 6), archive_file("b", 4)];
        let new = |files: &[ArchiveFile], left_out: &[LeftOut], max_files, bytes| {
            Archive::new(files.to_vec(), left_out, Limits { bytes, files: max_files }).map(|_| ())
        };
        assert_eq!(new(&files, &[], 2, 10), Ok(()));
        assert_eq!(new(&files, &[], 1, 10), Err(ArchiveError::TooManyFiles { limit: 1 }));
        assert_eq!(new(&files, &[left_out("c")], 2, 10), Err(ArchiveError::TooManyFiles { limit: 2 }));
        assert_eq!(new(&files, &[], 2, 9), Err(ArchiveError::TooManyBytes { limit: 9 }));
        assert_eq!(new(&[], &[], 2, 9), Err(ArchiveError::Empty));
        let huge = [archive_file("a", u64::MAX), archive_file("b", u64::MAX)];
        assert_eq!(new(&huge, &[], 2, u64::MAX), Err(ArchiveError::TooManyBytes { limit: MAX_BYTES }));
    }

    #[test]
    fn left_out_files_are_named_in_a_text_file() {
        let mut file = archive_file("a", 6);
        file.modified = time("2026-01-02T03:04:05Z");
        let archive = Archive::new(vec![file], &[left_out("b")], UNLIMITED).unwrap();
        assert_eq!(names(&archive), ["_Missing files.txt", "a"]);
        let note = &archive.entries()[0];
        let Content::LeftOut(text) = &note.content else { panic!("no text") };
        assert!(text.contains("- b\r\n"));
        assert_eq!(note.size, text.len() as u64);
        assert_eq!(note.modified, time("2026-01-02T03:04:05Z"));
        // An archive of nothing but a text would not help the recipient.
        assert_eq!(Archive::new(vec![], &[left_out("b")], UNLIMITED), Err(ArchiveError::Empty));
    }

    #[test]
    fn shared_file_keeps_its_name_before_the_text_file() {
        let files = vec![archive_file("_missing FILES.txt", 1)];
        let archive = Archive::new(files, &[left_out("b")], UNLIMITED).unwrap();
        assert_eq!(names(&archive), ["_Missing files (2).txt", "_missing FILES.txt"]);
    }

    #[test]
    fn entity_tag_is_quoted() {
        for text in ["abc-2", "\"abc-2\""] {
            assert_eq!(ETag::parse(text).unwrap().as_str(), "\"abc-2\"");
        }
        for text in ["", "\"\"", "a b", "a\"b", "ä", &"x".repeat(256)] {
            assert_eq!(ETag::parse(text), None, "{text}");
        }
    }

    #[test]
    fn debug_output_hides_names_and_tags() {
        let file = archive_file("secret", 1);
        let archive = Archive::new(vec![file.clone()], &[left_out("secret.pdf")], UNLIMITED).unwrap();
        let debug = format!("{archive:?} {:?} {:?}", archive.id(), file.etag);
        for hidden in ["EntryName(..)", "LeftOut(..)", "ArchiveId(..)", "ETag(..)"] {
            assert!(debug.contains(hidden), "{hidden}");
        }
        assert!(!debug.contains("secret"));
    }
}
