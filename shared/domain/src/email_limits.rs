//! Daily limits on emails: how many a sharer may request, and how many may go to a mailbox.
//!
//! An email is counted before it is queued, on the day (UTC) of the request. It is counted under an id that
//! is the same for every attempt at the request, so a retry does not count it again. Counts are stored under
//! keyed hashes, so the counters do not reveal any sharer or mailbox.

use std::collections::HashSet;
use std::hash::BuildHasher;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{NaiveDate, NaiveTime, TimeDelta};

use crate::hash_key::HashKey;
use crate::{EmailAddress, ShareId, Sharer, Timestamp, WriteId};

/// The maximum numbers of emails per day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmailLimits {
    pub per_sharer: usize,
    pub per_mailbox: usize,
}

/// The limit that an email would exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitReached {
    /// The sharer's limit. A request's emails are counted all or none, so there may be some left.
    Sharer {
        left: usize,
        limit: usize,
    },
    Mailbox,
}

/// The counter of one sharer's or one mailbox's emails on one day.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Counter {
    /// Identifies the sharer or the mailbox.
    pub hash: String,
    pub day: NaiveDate,
}

impl Counter {
    /// Returns the counter of the emails that a sharer requests.
    #[must_use]
    pub fn of_sharer(key: &HashKey, sharer: &Sharer, now: Timestamp) -> Self {
        Self { hash: key.hash_sharer(&sharer.sub), day: now.date_naive() }
    }

    /// Returns the counter of the emails to an address's [mailbox](EmailAddress::mailbox).
    #[must_use]
    pub fn of_mailbox(key: &HashKey, address: &EmailAddress, now: Timestamp) -> Self {
        Self { hash: key.hash_mailbox(&address.mailbox()), day: now.date_naive() }
    }

    /// Returns when the counter's day ends.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        end_of(self.day)
    }
}

/// Returns how long it takes until every counter starts again at zero.
#[must_use]
pub fn until_next_day(now: Timestamp) -> TimeDelta {
    end_of(now.date_naive()) - now
}

fn end_of(day: NaiveDate) -> Timestamp {
    day.and_time(NaiveTime::MIN).and_utc() + TimeDelta::days(1)
}

/// Returns the id under which a request's email for a share is counted.
#[must_use]
pub fn email_id(request: WriteId, share: ShareId) -> WriteId {
    let name = format!("sharelink email 1\0{request}\0{share}");
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest(&SHA256, name.as_bytes()).as_ref()[..16]);
    WriteId::from_bytes(bytes)
}

/// Returns which of the requested emails a mailbox may get: those that are already counted, and as many of
/// the others as fit, in order.
#[must_use]
pub fn admit(
    requested: &[WriteId],
    counted: &HashSet<WriteId, impl BuildHasher>,
    limit: usize,
) -> HashSet<WriteId> {
    let (earlier, new): (Vec<WriteId>, Vec<WriteId>) = requested.iter().partition(|id| counted.contains(id));
    earlier.into_iter().chain(new.into_iter().take(limit.saturating_sub(counted.len()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, sharer, time};

    fn key() -> HashKey {
        HashKey::new("a secret that has 32 bytes or more").unwrap()
    }

    fn ids(numbers: std::ops::Range<u8>) -> Vec<WriteId> {
        numbers.map(|n| WriteId::from_bytes([n; 16])).collect()
    }

    #[test]
    fn counter_depends_on_the_sharer_and_the_day() {
        let counter = |sub: &str, now: &str| Counter::of_sharer(&key(), &sharer(sub), time(now));
        let first = counter("u1", "2026-03-10T00:00:00Z");
        assert_eq!(counter("u1", "2026-03-10T23:59:59.999Z"), first);
        assert_eq!(first.ends_at(), time("2026-03-11T00:00:00Z"));
        assert_ne!(counter("u1", "2026-03-11T00:00:00Z"), first, "the next day");
        assert_ne!(counter("u2", "2026-03-10T00:00:00Z"), first, "another sharer");
    }

    #[test]
    fn variants_of_an_address_have_one_counter() {
        let counter = |address: &str| Counter::of_mailbox(&key(), &address.parse().unwrap(), time(NOW));
        assert_eq!(counter("Victim+1@example.com"), counter("vic.tim+2@EXAMPLE.com"));
        assert_ne!(counter("victim@example.com"), counter("other@example.com"));
    }

    #[test]
    fn counter_does_not_contain_the_address() {
        let ann = "ann@example.com".parse().unwrap();
        let counter = Counter::of_mailbox(&key(), &ann, time(NOW));
        assert_eq!(counter.hash.len(), 32);
        assert_ne!(counter.hash, Counter::of_sharer(&key(), &sharer("ann@example.com"), time(NOW)).hash);
    }

    #[test]
    fn wait_ends_at_midnight_in_utc() {
        assert_eq!(until_next_day(time("2026-03-10T23:59:59Z")), TimeDelta::seconds(1));
        assert_eq!(until_next_day(time("2026-03-10T00:00:00Z")), TimeDelta::days(1));
    }

    #[test]
    fn mailbox_gets_the_first_emails_that_fit() {
        let counted: HashSet<WriteId> = ids(0..3).into_iter().collect();
        let admitted = |requested: &[WriteId], limit| {
            let admitted = admit(requested, &counted, limit);
            requested.iter().map(|id| admitted.contains(id)).collect::<Vec<_>>()
        };
        assert_eq!(admitted(&ids(3..6), 5), [true, true, false]);
        assert_eq!(admitted(&ids(2..5), 4), [true, true, false], "the first is already counted");
        assert_eq!(admitted(&ids(2..4), 3), [true, false]);
        assert_eq!(admitted(&ids(0..4), 1), [true, true, true, false], "the limit was lowered");
    }

    #[test]
    fn each_email_of_a_request_has_its_id() {
        let share = |n| ShareId::from_bytes([n; 16]);
        let [one, other] = [WriteId::from_bytes([1; 16]), WriteId::from_bytes([2; 16])];
        assert_eq!(email_id(one, share(1)), email_id(one, share(1)));
        assert_ne!(email_id(one, share(1)), email_id(one, share(2)));
        assert_ne!(email_id(one, share(1)), email_id(other, share(1)));
    }
}
