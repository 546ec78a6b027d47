//! How far an archive has been made.

use super::{Crc32, ETag, Part, PartContent, PartNumber, Plan};

/// The parts of an archive that are done, in a form that another run can continue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    fingerprint: [u8; 16],
    parts: Vec<Option<PartResult>>,
}

/// A part in the upload.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PartResult {
    etag: ETag,
    crcs: Checksums,
}

/// The checksums that were computed while a part was made: one for each object in an assembled part, and at
/// most one for a copied part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksums(Vec<Crc32>);

impl Checksums {
    /// Returns the checksum of a copied part's range, if it was read.
    #[must_use]
    pub fn of_copied(crc: Option<Crc32>) -> Self {
        Self(crc.into_iter().collect())
    }

    pub(super) fn of_assembled(crcs: Vec<Crc32>) -> Self {
        Self(crcs)
    }
}

impl Progress {
    /// Creates the progress of an upload without parts.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self { fingerprint: *plan.fingerprint(), parts: vec![None; plan.parts().len()] }
    }

    /// Records that a part is in the upload, with the checksums that [`Plan::assemble`] returned, or the one
    /// that the plan [needs](Plan::needs_checksum) of a copied part.
    pub fn record(&mut self, part: &Part, etag: ETag, crcs: Checksums) {
        if let Some(result) = self.parts.get_mut(part.number.index()) {
            *result = Some(PartResult { etag, crcs });
        }
    }

    pub(super) fn checksums(&self, number: PartNumber) -> Option<&[Crc32]> {
        self.parts.get(number.index())?.as_ref().map(|result| &*result.crcs.0)
    }

    /// Returns how many bytes of the archive are done.
    #[must_use]
    pub fn bytes_done(&self, plan: &Plan) -> u64 {
        plan.parts().iter().filter(|part| plan.is_done(part, self)).map(|part| part.size).sum()
    }

    /// Returns the parts with their entity tags, as the completion of the upload needs them. Returns `None`
    /// if a part is not done.
    #[must_use]
    pub fn completed<'a>(&'a self, plan: &'a Plan) -> Option<Vec<(PartNumber, &'a ETag)>> {
        let results = plan.parts().iter().zip(&self.parts);
        results
            .map(|(part, result)| {
                let result = result.as_ref().filter(|_| plan.is_done(part, self))?;
                Some((part.number, &result.etag))
            })
            .collect()
    }

    /// Returns the progress in bytes: about 17 for each part and 4 for each file.
    #[must_use]
    pub fn to_bytes(&self, plan: &Plan) -> Vec<u8> {
        let mut bytes = self.fingerprint.to_vec();
        for (part, result) in plan.parts().iter().zip(&self.parts) {
            let Some(PartResult { etag, crcs: Checksums(crcs) }) = result else {
                bytes.push(NOT_DONE);
                continue;
            };
            if let Some(digest) = parse_digest(etag) {
                bytes.push(DIGEST);
                bytes.extend(digest);
            } else {
                // The tag has at most 255 characters, not counting its quotation marks.
                let tag = etag.as_str().trim_matches('"');
                bytes.extend([OTHER_TAG, u8::try_from(tag.len()).unwrap_or(u8::MAX)]);
                bytes.extend(tag.bytes());
            }
            if let PartContent::Copy(_) = part.content {
                bytes.push(u8::from(!crcs.is_empty()));
            }
            bytes.extend(crcs.iter().flat_map(|crc| crc.to_u32().to_be_bytes()));
        }
        bytes
    }

    /// Restores the progress. Returns `None` if the bytes do not belong to the plan: start again with a new
    /// upload.
    #[must_use]
    pub fn from_bytes(plan: &Plan, bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let fingerprint = reader.array()?;
        if fingerprint != *plan.fingerprint() {
            return None;
        }
        let parts: Option<Vec<_>> = plan.parts().iter().map(|part| reader.result(part)).collect();
        reader.0.is_empty().then_some(Self { fingerprint, parts: parts? })
    }
}

const NOT_DONE: u8 = 0;
const DIGEST: u8 = 1;
const OTHER_TAG: u8 = 2;

/// Returns the bytes of a tag of 32 lowercase hexadecimal digits, which S3's parts usually have.
fn parse_digest(etag: &ETag) -> Option<[u8; 16]> {
    let digits = etag.as_str().trim_matches('"');
    let is_hex = digits.len() == 32 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    is_hex.then(|| u128::from_str_radix(digits, 16).ok()).flatten().map(u128::to_be_bytes)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    /// Reads a part's result. The outer `Option` is `None` for malformed bytes.
    #[allow(clippy::option_option, reason = "a part that is not done is not an error")]
    fn result(&mut self, part: &Part) -> Option<Option<PartResult>> {
        let etag = match self.byte()? {
            NOT_DONE => return Some(None),
            DIGEST => ETag::parse(&format!("{:032x}", u128::from_be_bytes(self.array()?))),
            OTHER_TAG => {
                let len = self.byte()?;
                ETag::parse(std::str::from_utf8(self.take(len.into())?).ok()?)
            }
            _ => None,
        }?;
        let len = match part.content {
            PartContent::Copy(_) => usize::from(self.byte()?).min(1),
            PartContent::Assemble(_) => part.objects().count(),
        };
        let crcs: Option<Vec<_>> =
            (0..len).map(|_| self.array().map(u32::from_be_bytes).map(Crc32::new)).collect();
        Some(Some(PartResult { etag, crcs: Checksums(crcs?) }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::archive::Archive;
    use crate::archive::testing::{UNLIMITED, archive_file, to_hex};

    fn plan() -> Plan {
        let files = vec![archive_file("a", 3), archive_file("b", 300 << 20), archive_file("c", 0)];
        Plan::new(Archive::new(files, &[], UNLIMITED).unwrap())
    }

    fn etag(text: &str) -> ETag {
        ETag::parse(text).unwrap()
    }

    /// Golden vector: rows of unfinished archives contain these bytes. Never edit it.
    #[test]
    fn progress_is_frozen() {
        let plan = plan();
        let mut progress = Progress::new(&plan);
        let crc = Crc32::of(b"123456789");
        let digest = etag("\"00112233445566778899aabbccddeeff\"");
        progress.record(&plan.parts()[0], digest, Checksums(vec![crc, crc]));
        progress.record(&plan.parts()[2], etag("x-2"), Checksums(vec![crc]));
        assert_eq!(
            to_hex(&progress.to_bytes(&plan)[16..]),
            "0100112233445566778899aabbccddeeffcbf43926cbf43926000203782d3201cbf4392600"
        );
        assert_eq!(Progress::from_bytes(&plan, &progress.to_bytes(&plan)), Some(progress));
    }

    #[test]
    fn completed_upload_lists_every_part() {
        let plan = plan();
        let mut progress = Progress::new(&plan);
        assert_eq!(progress.completed(&plan), None);
        assert_eq!(progress.bytes_done(&plan), 0);
        for part in plan.parts() {
            progress.record(part, etag("x"), Checksums(vec![Crc32::EMPTY; part.objects().count().max(1)]));
        }
        let completed = progress.completed(&plan).unwrap();
        let numbers: Vec<i32> = completed.iter().map(|(number, _)| (*number).into()).collect();
        assert_eq!(numbers, [1, 2, 3, 4]);
        assert_eq!(completed[3].1.as_str(), "\"x\"");
        assert_eq!(progress.bytes_done(&plan), plan.size());
    }

    #[test]
    fn progress_of_another_archive_is_refused() {
        let plan = plan();
        let bytes = Progress::new(&plan).to_bytes(&plan);
        let mut entries = vec![archive_file("a", 3), archive_file("b", 300 << 20), archive_file("d", 0)];
        let other = Plan::new(Archive::new(entries.clone(), &[], UNLIMITED).unwrap());
        assert_eq!(Progress::from_bytes(&other, &bytes), None);
        // Headers contain the time.
        entries[2].name = "c".parse().unwrap();
        entries[0].modified += chrono::TimeDelta::seconds(1);
        let other = Plan::new(Archive::new(entries, &[], UNLIMITED).unwrap());
        assert_eq!(Progress::from_bytes(&other, &bytes), None);
    }

    proptest! {
        #[test]
        fn malformed_bytes_are_refused(
            bytes in prop::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 0..100),
            keeps_fingerprint: bool,
        ) {
            let plan = plan();
            let mut input = if keeps_fingerprint { plan.fingerprint().to_vec() } else { vec![] };
            input.extend(bytes);
            if let Some(progress) = Progress::from_bytes(&plan, &input) {
                prop_assert_eq!(Progress::from_bytes(&plan, &progress.to_bytes(&plan)), Some(progress));
            }
        }
    }
}
