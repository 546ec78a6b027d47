//! An order for an archive.

use chrono::TimeDelta;

use super::{Archive, ArchiveError, ArchiveFile, ArchiveId, LeftOut, LeftOutReason, Limits};
use crate::ObjectKey;

/// How long a run may make an archive without renewing its lease. After a crash, another run continues then.
pub const LEASE: TimeDelta = TimeDelta::minutes(1);

/// How long a request stands for all others for the same archive, until a run has started.
pub const REQUEST_LIFETIME: TimeDelta = TimeDelta::minutes(1);

/// No limits: an order was within them when it was made.
const UNLIMITED: Limits = Limits { bytes: u64::MAX, files: usize::MAX };

/// The files to put into an archive, and the id of the archive. What the function that makes the archive gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveOrder {
    pub id: ArchiveId,
    pub files: Vec<ArchiveFile>,
    /// The files that were known to be unavailable when the recipient asked.
    pub left_out: Vec<LeftOut>,
}

impl ArchiveOrder {
    /// Creates an order within these limits.
    pub fn new(
        files: Vec<ArchiveFile>,
        left_out: Vec<LeftOut>,
        limits: Limits,
    ) -> Result<Self, ArchiveError> {
        let id = Archive::new(files.clone(), &left_out, limits)?.id();
        Ok(Self { id, files, left_out })
    }

    /// Returns the size of all files together, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).fold(0, u64::saturating_add)
    }

    /// Returns the positions of the files with this key.
    pub fn positions_of<'a>(&'a self, key: &'a ObjectKey) -> impl Iterator<Item = usize> + 'a {
        self.files.iter().enumerate().filter(move |(_, file)| file.key == *key).map(|(index, _)| index)
    }

    /// Returns the archive without the files at these positions, which turned out to be unavailable. The id
    /// stays: the list that the recipient asked for is the same.
    pub fn archive(&self, unavailable: &[(usize, LeftOutReason)]) -> Result<Archive, ArchiveError> {
        let reason_of = |index| unavailable.iter().find(|(at, _)| *at == index).map(|(_, reason)| *reason);
        let mut left_out = self.left_out.clone();
        let mut files = Vec::with_capacity(self.files.len());
        for (index, file) in self.files.iter().enumerate() {
            match reason_of(index) {
                None => files.push(file.clone()),
                Some(reason) => left_out.push(LeftOut { name: file.name.clone(), reason }),
            }
        }
        Archive::new(files, &left_out, UNLIMITED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::testing::archive_file;

    #[test]
    fn order_has_the_id_of_its_archive() {
        let files = vec![archive_file("a", 1), archive_file("b", 2)];
        let order = ArchiveOrder::new(files, vec![], UNLIMITED).unwrap();
        assert_eq!(order.archive(&[]).unwrap().id(), order.id);
        assert_eq!(order.bytes(), 3);
        let without = order.archive(&[(0, LeftOutReason::Missing)]).unwrap();
        let names: Vec<_> = without.entries().iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["_Missing files.txt", "b"]);
        assert_ne!(without.id(), order.id);
    }

    #[test]
    fn order_beyond_the_limits_is_refused() {
        let limits = Limits { bytes: 1, files: 1 };
        let order = ArchiveOrder::new(vec![archive_file("a", 2)], vec![], limits);
        assert_eq!(order, Err(ArchiveError::TooManyBytes { limit: 1 }));
    }
}
