//! Changes to the table, parsed from stream records.

use aws_lambda_events::dynamodb::EventRecord;
use sharelink_aws::share_table::{
    DecodeError, IndexedShare, parse_alarm_keys, parse_indexed_share_image, parse_share_image,
};
use sharelink_domain::{Item, Share, ShareId, Timestamp};
use sharelink_runtime::Clock;

/// A change to the table.
pub(crate) enum StreamChange {
    /// The row is new. It may have been restored from a backup.
    ShareCreated(Box<IndexedShare>),
    ShareChanged(Box<ShareImages>),
    SharePurged {
        share: Box<IndexedShare>,
        at: Timestamp,
    },
    /// Only this function sets alarms, so this change needs no action.
    AlarmSet,
    /// TTL deleted the alarm after the share's expiry, or this function cleared it.
    AlarmRemoved {
        item: Item,
        share: ShareId,
    },
}

/// A share before and after a change.
pub(crate) struct ShareImages {
    pub(crate) old: Share,
    pub(crate) new: IndexedShare,
}

impl StreamChange {
    /// Parses a stream record. The time of a purge comes from AWS, so it is adjusted to this deployment's
    /// clock.
    pub(crate) fn parse(record: EventRecord, clock: &Clock) -> Result<Self, DecodeError> {
        let change = record.change;
        let is_removal = record.event_name == "REMOVE";
        if let Some((item, share)) = parse_alarm_keys(change.keys)? {
            return Ok(if is_removal { Self::AlarmRemoved { item, share } } else { Self::AlarmSet });
        }
        if is_removal {
            let share = Box::new(parse_indexed_share_image(change.old_image)?);
            return Ok(Self::SharePurged { share, at: clock.adjust(change.approximate_creation_date_time) });
        }
        let new = parse_indexed_share_image(change.new_image)?;
        if record.event_name == "INSERT" {
            return Ok(Self::ShareCreated(Box::new(new)));
        }
        Ok(match parse_share_image(change.old_image) {
            Ok(old) => Self::ShareChanged(Box::new(ShareImages { old, new })),
            // A damaged row was repaired. Failing here would block the stream.
            Err(_) => Self::ShareCreated(Box::new(new)),
        })
    }
}
