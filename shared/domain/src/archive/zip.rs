//! The records of a ZIP archive (APPNOTE 6.3.10,
//! <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>).
//!
//! Written by hand: the crates for ZIP archives either seek back to fill in a header, or write the checksum in
//! a data descriptor behind the content (`zip`, `rawzip`, `cerniera`), or need the content in memory
//! (`async_zip`). Java's `ZipInputStream` refuses data descriptors behind stored content. This module needs
//! only four records, and every size in them is known.

use chrono::{DateTime, Datelike, Timelike};

use super::Crc32;
use crate::Timestamp;

/// An entry, as its local header and its central header describe it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub(super) name: &'a str,
    pub(super) size: u64,
    pub(super) modified: Timestamp,
}

/// The length of a local header without the name and the extra fields.
const LOCAL_HEADER_LEN: u64 = 30;
const CENTRAL_HEADER_LEN: u64 = 46;
const END_LEN: u64 = 22;
const ZIP64_END_LEN: u64 = 56;
const ZIP64_LOCATOR_LEN: u64 = 20;

/// A field of 4 bytes with this value refers to the ZIP64 field. The value itself therefore needs ZIP64, too.
const ZIP64_LIMIT: u64 = 0xffff_ffff;
const ZIP64_COUNT_LIMIT: u64 = 0xffff;

const TIMESTAMP_LEN: u64 = 9;

const VERSION: u16 = 20;
const ZIP64_VERSION: u16 = 45;
/// Unix, so that the external attributes are permissions.
const MADE_BY: u16 = 3 << 8;
/// A regular file with the permissions `rw-r--r--`. Without them, some programs extract files that cannot be
/// read.
const ATTRIBUTES: u32 = 0o100_644 << 16;
/// The name is in UTF-8.
const FLAGS: u16 = 1 << 11;
const STORED: u16 = 0;

fn needs_zip64(value: u64) -> bool {
    value >= ZIP64_LIMIT
}

/// Returns a value's field of 4 bytes.
fn short(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Returns a length's field of 2 bytes. No length in this module exceeds it.
fn short_len(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

impl Record<'_> {
    /// Returns the length of [`local_header`](Self::local_header).
    pub(super) fn local_header_len(&self) -> u64 {
        let zip64_len = if needs_zip64(self.size) { 20 } else { 0 };
        LOCAL_HEADER_LEN + self.name.len() as u64 + zip64_len + self.timestamp_len()
    }

    /// Returns the header in front of the content.
    pub(super) fn local_header(&self, crc: Crc32) -> Vec<u8> {
        let mut zip64 = Vec::new();
        if needs_zip64(self.size) {
            // Both sizes are required here, even if they were not both this large.
            zip64.extend([self.size, self.size]);
        }
        let extra = self.extra_fields(&zip64);
        let mut header = b"PK\x03\x04".to_vec();
        header.extend(version(!zip64.is_empty()).to_le_bytes());
        self.extend_common(&mut header, crc, &extra);
        header.extend(self.name.bytes());
        header.extend(extra);
        header
    }

    /// Returns the length of [`central_header`](Self::central_header).
    pub(super) fn central_header_len(&self, offset: u64) -> u64 {
        let zip64_len = match 16 * u64::from(needs_zip64(self.size)) + 8 * u64::from(needs_zip64(offset)) {
            0 => 0,
            len => 4 + len,
        };
        CENTRAL_HEADER_LEN + self.name.len() as u64 + zip64_len + self.timestamp_len()
    }

    /// Returns the entry's record in the central directory. `offset` is the position of its local header.
    pub(super) fn central_header(&self, crc: Crc32, offset: u64) -> Vec<u8> {
        // Only the values that do not fit their own fields, and in this order (APPNOTE 4.5.3).
        let mut zip64 = Vec::new();
        if needs_zip64(self.size) {
            zip64.extend([self.size, self.size]);
        }
        if needs_zip64(offset) {
            zip64.push(offset);
        }
        let extra = self.extra_fields(&zip64);
        let version = version(!zip64.is_empty());
        let mut header = b"PK\x01\x02".to_vec();
        header.extend((MADE_BY | version).to_le_bytes());
        header.extend(version.to_le_bytes());
        self.extend_common(&mut header, crc, &extra);
        // No comment, the first disk, no internal attributes.
        header.extend([0; 6]);
        header.extend(ATTRIBUTES.to_le_bytes());
        header.extend(short(offset).to_le_bytes());
        header.extend(self.name.bytes());
        header.extend(extra);
        header
    }

    /// Adds the fields that both headers have.
    fn extend_common(&self, header: &mut Vec<u8>, crc: Crc32, extra: &[u8]) {
        let (date, time) = dos_date_and_time(self.modified);
        for field in [FLAGS, STORED, time, date] {
            header.extend(field.to_le_bytes());
        }
        for field in [crc.to_u32(), short(self.size), short(self.size)] {
            header.extend(field.to_le_bytes());
        }
        for len in [self.name.len(), extra.len()] {
            header.extend(short_len(len).to_le_bytes());
        }
    }

    fn extra_fields(&self, zip64: &[u64]) -> Vec<u8> {
        let mut extra = Vec::new();
        if !zip64.is_empty() {
            extra.extend([0x01, 0x00]);
            extra.extend(short_len(8 * zip64.len()).to_le_bytes());
            extra.extend(zip64.iter().flat_map(|value| value.to_le_bytes()));
        }
        if let Some(seconds) = self.unix_time() {
            // "UT", five bytes, of which the first says that only the time of modification follows.
            extra.extend([0x55, 0x54, 5, 0, 1]);
            extra.extend(seconds.to_le_bytes());
        }
        extra
    }

    fn timestamp_len(&self) -> u64 {
        if self.unix_time().is_some() { TIMESTAMP_LEN } else { 0 }
    }

    /// Returns the time for the extended timestamp. Readers disagree about its sign bit.
    fn unix_time(&self) -> Option<i32> {
        i32::try_from(self.modified.timestamp()).ok().filter(|seconds| *seconds >= 0)
    }
}

fn version(is_zip64: bool) -> u16 {
    if is_zip64 { ZIP64_VERSION } else { VERSION }
}

/// Returns a time's date and time in the format of DOS, in UTC: a resolution of two seconds, from 1980 to
/// 2107.
fn dos_date_and_time(time: Timestamp) -> (u16, u16) {
    const FIRST: i64 = 315_532_800; // 1980-01-01T00:00:00Z
    const LAST: i64 = 4_354_819_198; // 2107-12-31T23:59:58Z
    let time = DateTime::from_timestamp(time.timestamp().clamp(FIRST, LAST), 0).unwrap_or_default();
    let years = u32::try_from(time.year() - 1980).unwrap_or_default();
    let date = (years << 9) | (time.month() << 5) | time.day();
    let time = (time.hour() << 11) | (time.minute() << 5) | (time.second() / 2);
    (u16::try_from(date).unwrap_or_default(), u16::try_from(time).unwrap_or_default())
}

/// The end of an archive: everything after the central directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) entries: u64,
    pub(super) directory_offset: u64,
    pub(super) directory_len: u64,
}

impl End {
    fn needs_zip64(&self) -> bool {
        self.entries >= ZIP64_COUNT_LIMIT
            || needs_zip64(self.directory_offset)
            || needs_zip64(self.directory_len)
    }

    /// Returns the length of [`to_bytes`](Self::to_bytes).
    pub(super) fn len(&self) -> u64 {
        if self.needs_zip64() { ZIP64_END_LEN + ZIP64_LOCATOR_LEN + END_LEN } else { END_LEN }
    }

    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut end = Vec::new();
        if self.needs_zip64() {
            end.extend(b"PK\x06\x06");
            // The length of the rest of the record.
            end.extend((ZIP64_END_LEN - 12).to_le_bytes());
            end.extend((MADE_BY | ZIP64_VERSION).to_le_bytes());
            end.extend(ZIP64_VERSION.to_le_bytes());
            // One disk.
            end.extend([0; 8]);
            for value in [self.entries, self.entries, self.directory_len, self.directory_offset] {
                end.extend(value.to_le_bytes());
            }
            end.extend(b"PK\x06\x07\0\0\0\0");
            end.extend((self.directory_offset + self.directory_len).to_le_bytes());
            end.extend(1_u32.to_le_bytes());
        }
        end.extend(b"PK\x05\x06\0\0\0\0");
        let entries = u16::try_from(self.entries).unwrap_or(u16::MAX).to_le_bytes();
        end.extend(entries);
        end.extend(entries);
        end.extend(short(self.directory_len).to_le_bytes());
        end.extend(short(self.directory_offset).to_le_bytes());
        // No comment.
        end.extend([0; 2]);
        end
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::archive::testing::to_hex;
    use crate::testing::time;

    fn record(size: u64) -> Record<'static> {
        Record { name: "ü.txt", size, modified: time("2026-11-26T20:58:07Z") }
    }

    /// Golden vectors, made with Python's `struct` from the tables in APPNOTE. Never edit a vector.
    #[test]
    fn records_are_frozen() {
        const LARGE: u64 = 0x1_2345_6789;
        let crc = Crc32::of(b"123456789");
        assert_eq!(
            to_hex(&record(9).local_header(crc)),
            "504b030414000008000043a77a5d2639f4cb090000000900000006000900c3bc2e74787455540500015f9d08\
             6b"
        );
        assert_eq!(
            to_hex(&record(LARGE).local_header(crc)),
            "504b03042d000008000043a77a5d2639f4cbffffffffffffffff06001d00c3bc2e7478740100100089674523\
             01000000896745230100000055540500015f9d086b"
        );
        assert_eq!(
            to_hex(&record(9).central_header(crc, 0x1234)),
            "504b0102140314000008000043a77a5d2639f4cb0900000009000000060009000000000000000000a4813412\
             0000c3bc2e74787455540500015f9d086b"
        );
        assert_eq!(
            to_hex(&record(9).central_header(crc, LARGE)),
            "504b01022d032d000008000043a77a5d2639f4cb0900000009000000060015000000000000000000a481ffff\
             ffffc3bc2e74787401000800896745230100000055540500015f9d086b"
        );
        assert_eq!(
            to_hex(&record(LARGE).central_header(crc, LARGE + 1)),
            "504b01022d032d000008000043a77a5d2639f4cbffffffffffffffff060025000000000000000000a481ffff\
             ffffc3bc2e74787401001800896745230100000089674523010000008a6745230100000055540500015f9d08\
             6b"
        );
        let end = End { entries: 3, directory_offset: 0x1111, directory_len: 0x222 };
        assert_eq!(to_hex(&end.to_bytes()), "504b0506000000000300030022020000111100000000");
        let end = End { entries: 70_000, directory_offset: LARGE, directory_len: 0x222 };
        assert_eq!(
            to_hex(&end.to_bytes()),
            "504b06062c000000000000002d032d0000000000000000007011010000000000701101000000000022020000\
             000000008967452301000000504b060700000000ab6945230100000001000000504b050600000000ffffffff\
             22020000ffffffff0000"
        );
    }

    #[test]
    fn dos_time_is_utc_and_clamped() {
        for (modified, year, rest) in [
            ("2026-11-26T20:58:07Z", 2026, (11, 26, 20, 58, 3)),
            ("1979-12-31T23:59:59Z", 1980, (1, 1, 0, 0, 0)),
            ("2107-12-31T23:59:59Z", 2107, (12, 31, 23, 59, 29)),
            ("2108-01-01T00:00:00Z", 2107, (12, 31, 23, 59, 29)),
        ] {
            let (date, time) = dos_date_and_time(time(modified));
            assert_eq!(1980 + (date >> 9), year, "{modified}");
            assert_eq!(
                (date >> 5 & 15, date & 31, time >> 11, time >> 5 & 63, time & 31),
                rest,
                "{modified}"
            );
        }
    }

    #[test]
    fn zip64_fields_are_written_only_where_needed() {
        const LAST: u64 = 0xffff_fffe;
        let plain = record(LAST);
        assert_eq!(plain.local_header(Crc32::EMPTY).len(), 30 + 6 + 9);
        assert_eq!(plain.central_header(Crc32::EMPTY, LAST).len(), 46 + 6 + 9);
        assert_eq!(record(LAST + 1).local_header(Crc32::EMPTY).len(), 30 + 6 + 9 + 20);
        assert_eq!(record(LAST + 1).central_header(Crc32::EMPTY, 0).len(), 46 + 6 + 9 + 20);
        assert_eq!(record(0).central_header(Crc32::EMPTY, LAST + 1).len(), 46 + 6 + 9 + 12);
        assert_eq!(record(LAST + 1).central_header(Crc32::EMPTY, LAST + 1).len(), 46 + 6 + 9 + 28);

        let end = End { entries: 0xfffe, directory_offset: LAST, directory_len: LAST };
        assert_eq!(end.to_bytes().len(), 22);
        for end in [
            End { entries: 0xffff, ..end },
            End { directory_offset: LAST + 1, ..end },
            End { directory_len: LAST + 1, ..end },
        ] {
            assert_eq!(end.to_bytes().len(), 98);
        }
    }

    #[test]
    fn time_that_readers_disagree_about_is_left_out() {
        for (modified, len) in [
            ("1970-01-01T00:00:00Z", 9),
            ("2038-01-19T03:14:07Z", 9),
            ("2038-01-19T03:14:08Z", 0),
            ("1969-12-31T23:59:59Z", 0),
        ] {
            let record = Record { modified: time(modified), ..record(0) };
            assert_eq!(record.local_header(Crc32::EMPTY).len(), 36 + len, "{modified}");
        }
    }

    proptest! {
        #[test]
        fn lengths_are_known_in_advance(
            name in "\\PC{1,60}",
            size in prop_oneof![0..100_u64, 0xffff_fff0..0x1_0000_0010_u64],
            offset in prop_oneof![0..100_u64, 0xffff_fff0..0x1_0000_0010_u64],
            entries in 0xfff0..0x1_0010_u64,
            seconds in -5_000_000_000..5_000_000_000_i64,
        ) {
            let modified = DateTime::from_timestamp(seconds, 0).unwrap();
            let record = Record { name: &name, size, modified };
            prop_assert_eq!(record.local_header(Crc32::EMPTY).len() as u64, record.local_header_len());
            prop_assert_eq!(
                record.central_header(Crc32::EMPTY, offset).len() as u64,
                record.central_header_len(offset)
            );
            let end = End { entries, directory_offset: offset, directory_len: size };
            prop_assert_eq!(end.to_bytes().len() as u64, end.len());
        }
    }
}
