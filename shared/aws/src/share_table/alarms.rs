//! Alarm clocks: one entry for each share that is to expire, which TTL deletes when its time has come. The
//! table's stream then tells whoever logs expiries.
//!
//! They have partitions of their own, so that they weigh on no item's list, and whoever sets them needs no right to
//! write shares.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use sharelink_domain::{Item, Share, ShareId};

use super::record::DecodeError;
use super::{Attributes, ShareTable, ignore_failed_condition, number, text};
use crate::AwsError;

const PREFIX: &str = "ALARM#";

/// Of which share an alarm is, by its keys in an image of the table's stream; none if it is no alarm.
pub fn parse_alarm_keys(keys: serde_dynamo::Item) -> Result<Option<(Item, ShareId)>, DecodeError> {
    let keys: HashMap<String, String> = serde_dynamo::from_item(keys).map_err(|_| DecodeError("keys"))?;
    let key = |name| keys.get(name).ok_or(DecodeError("keys"));
    let Some(item) = key("item")?.strip_prefix(PREFIX) else { return Ok(None) };
    let item = Item::parse(item).map_err(|_| DecodeError("item"))?;
    let share = key("entry")?.parse().map_err(|_| DecodeError("entry"))?;
    Ok(Some((item, share)))
}

impl ShareTable {
    /// Sets a share's alarm to the time at which it expires by itself, or takes it away where it does not. An alarm
    /// that was set for a later version of the share, or for a share that was made anew, stays as it is.
    pub async fn set_alarm(&self, share: &Share) -> Result<(), AwsError> {
        let Some(at) = share.scheduled_expiry() else { return self.clear_alarm(share).await };
        let mut alarm = alarm_key(share);
        // TTL counts in seconds: not before the share has expired.
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

    /// Takes away the alarm of a share that expires no more.
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

/// The alarm is one of this version of the share, of an earlier one, or of an earlier share of the same key.
const NOT_NEWER: &str = "createdAt < :created OR (createdAt = :created AND #version <= :version)";

fn alarm_key(share: &Share) -> Attributes {
    HashMap::from([
        ("item".to_owned(), AttributeValue::S(format!("{PREFIX}{}", share.item))),
        ("entry".to_owned(), text(&share.id)),
    ])
}
