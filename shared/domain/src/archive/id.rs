//! An archive's id.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256};
use thiserror::Error;

use super::{Archive, Content};

/// Identifies an archive by its content: the hash of the entries' names, keys, entity tags and sizes. A
/// replaced file therefore makes another archive, and everyone with the same list shares one.
///
/// Checksums and times of modification do not count: they do not change the files.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ArchiveId([u8; 32]);

impl ArchiveId {
    pub(super) fn new(archive: &Archive) -> Self {
        let mut context = Context::new(&SHA256);
        // Change the number whenever the same entries make different archives.
        context.update(b"sharelink archive 1\0");
        // Each text follows its length, so different lists never produce the same input.
        let mut update = |bytes: &[u8]| {
            context.update(&(bytes.len() as u64).to_be_bytes());
            context.update(bytes);
        };
        for entry in archive.entries() {
            update(entry.name.as_str().as_bytes());
            match &entry.content {
                Content::Object(object) => {
                    update(b"object");
                    update(object.key.as_str().as_bytes());
                    update(object.etag.as_str().as_bytes());
                    update(&entry.size.to_be_bytes());
                }
                Content::LeftOut(text) => {
                    update(b"left out");
                    update(text.as_bytes());
                }
            }
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        Self(hash)
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Displays 64 lowercase hexadecimal digits.
impl fmt::Display for ArchiveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The text is not an archive's id.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("is not an archive's id")]
pub struct ArchiveIdError;

impl FromStr for ArchiveId {
    type Err = ArchiveIdError;

    /// Parses the text that [`Display`](fmt::Display) writes, and no other.
    fn from_str(text: &str) -> Result<Self, ArchiveIdError> {
        let mut hash = [0; 32];
        let is_digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 64 || !text.bytes().all(is_digit) {
            return Err(ArchiveIdError);
        }
        for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| ArchiveIdError)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| ArchiveIdError)?;
        }
        Ok(Self(hash))
    }
}

/// Hides the id: debug output may reach a log.
impl fmt::Debug for ArchiveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ArchiveId(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::testing::{UNLIMITED, archive_file};
    use crate::archive::{ArchiveFile, Crc32, ETag, LeftOut, LeftOutReason};

    fn id(files: &[ArchiveFile], left_out: &[LeftOut]) -> String {
        Archive::new(files.to_vec(), left_out, UNLIMITED).unwrap().id().to_string()
    }

    /// Golden vector: archives in the bucket have these names. Never edit it.
    #[test]
    fn archive_ids_are_frozen() {
        let files = [archive_file("a.pdf", 3), archive_file("B:.pdf", 0)];
        assert_eq!(id(&files, &[]), "29b936c8368a84731ea4f8973b5b5dc560b442e2cecbeb2bb8fa4f71e156cf42");
        // The wording of the text about missing files is not frozen: another text is another archive.
        let mut archive = Archive::new(files.to_vec(), &[], UNLIMITED).unwrap();
        archive.entries[0].content = Content::LeftOut("text".to_owned());
        assert_eq!(
            archive.id().to_string(),
            "3726163f9e20daf276b5cc9ecfb5af9db194907478088b5419b32c183fdfbeac"
        );
    }

    #[test]
    fn id_is_parsed_from_its_text_alone() {
        let text = id(&[archive_file("a", 1)], &[]);
        assert_eq!(text.parse::<ArchiveId>().unwrap().to_string(), text);
        for other in ["", &text[1..], &format!("{text}0"), &text.to_uppercase(), &format!("+{}", &text[1..])]
        {
            assert_eq!(other.parse::<ArchiveId>(), Err(ArchiveIdError), "{other}");
        }
    }

    #[test]
    fn every_change_of_the_files_makes_another_archive() {
        let files = vec![archive_file("a", 1), archive_file("b", 2)];
        let original = id(&files, &[]);
        let change = |change: fn(&mut Vec<ArchiveFile>)| {
            let mut files = files.clone();
            change(&mut files);
            id(&files, &[])
        };
        let changed = [
            change(|files| files[0].name = "c".parse().unwrap()),
            change(|files| files[0].key = files[1].key.clone()),
            change(|files| files[0].etag = ETag::parse("2").unwrap()),
            change(|files| files[0].size = 3),
            change(|files| files.swap(0, 1)),
            change(|files| files.truncate(1)),
            id(&files[..1], &[LeftOut { name: "b".parse().unwrap(), reason: LeftOutReason::Missing }]),
            id(&files[..1], &[LeftOut { name: "b".parse().unwrap(), reason: LeftOutReason::Archived }]),
        ];
        for (index, id) in changed.iter().enumerate() {
            assert_ne!(*id, original, "{index}");
            assert!(!changed[..index].contains(id), "{index}");
        }
        assert_eq!(original, change(|files| files[0].crc32 = Some(Crc32::EMPTY)));
        assert_eq!(original, change(|files| files[0].modified += chrono::TimeDelta::days(1)));
    }
}
