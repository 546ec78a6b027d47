//! Expiry alarms: one row for each share with a scheduled expiry. TTL deletes the row after the expiry, and
//! the table's stream reports the deletion to the sweeper.
//!
//! Alarms are stored in separate partitions, so they do not slow down lists, and the role that sets alarms
//! needs no permission to write shares.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use sharelink_domain::{Item, Share, ShareId};

use super::record::DecodeError;
use super::{Attributes, ShareTable, ignore_failed_condition, number, text};
use crate::AwsError;

pub(super) const PREFIX: &str = "ALARM#";

/// Parses the row key in a record from the table's stream. Returns the item and the id of the alarm's share,
/// or `None` if the row is not an alarm.
pub fn parse_alarm_keys(keys: serde_dynamo::Item) -> Result<Option<(Item, ShareId)>, DecodeError> {
    let keys: HashMap<String, String> = serde_dynamo::from_item(keys).map_err(|_| DecodeError("keys"))?;
    let key = |name| keys.get(name).ok_or(DecodeError("keys"));
    let Some(path) = key("item")?.strip_prefix(PREFIX) else { return Ok(None) };
    let item = Item::parse(path).map_err(|_| DecodeError("item"))?;
    let share = key("entry")?.parse().map_err(|_| DecodeError("entry"))?;
    Ok(Some((item, share)))
}

impl ShareTable {
    /// Sets a share's alarm to the scheduled expiry, or clears the alarm if no expiry is scheduled. Does not
    /// replace an alarm that was set for a later version of the share, or for a later share with the same
    /// key.
    pub async fn set_alarm(&self, share: &Share) -> Result<(), AwsError> {
        let Some(at) = share.scheduled_expiry() else { return self.clear_alarm(share).await };
        let mut alarm = alarm_key(share);
        // The TTL is in seconds, rounded up so that the alarm does not fire before the expiry.
        let ttl = at.timestamp() + i64::from(at.timestamp_subsec_nanos() > 0);
        alarm.insert("ttl".to_owned(), number(&ttl));
        alarm.insert("createdAt".to_owned(), number(&share.created_at.timestamp_millis()));
        alarm.insert("version".to_owned(), number(&share.version));
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(alarm))
            .condition_expression(format!("attribute_not_exists(entry) OR {NOT_NEWER}"))
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":created", number(&share.created_at.timestamp_millis()))
            .expression_attribute_values(":version", number(&share.version))
            .send()
            .await;
        ignore_failed_condition(put)
    }

    /// Clears the alarm of a share that has no scheduled expiry.
    pub async fn clear_alarm(&self, share: &Share) -> Result<(), AwsError> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(alarm_key(share)))
            .condition_expression(NOT_NEWER)
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":created", number(&share.created_at.timestamp_millis()))
            .expression_attribute_values(":version", number(&share.version))
            .send()
            .await;
        ignore_failed_condition(delete)
    }
}

/// A condition that is true if the stored alarm belongs to this version of the share, to an earlier version,
/// or to an earlier share with the same key.
const NOT_NEWER: &str = "createdAt < :created OR (createdAt = :created AND #version <= :version)";

pub(super) fn alarm_key(share: &Share) -> Attributes {
    HashMap::from([
        ("item".to_owned(), AttributeValue::S(format!("{PREFIX}{}", share.item))),
        ("entry".to_owned(), text(&share.id)),
    ])
}
