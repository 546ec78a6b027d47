//! Everything that both tables keep about a recipient, as JSON.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde_json::{Map, Value};
use sharelink_domain::email_limits::Counter;
use sharelink_domain::erasure::People;
use sharelink_domain::{EmailAddress, SharerKey, Timestamp};

use super::all_shares::parse_partition;
use super::erasure::PersonKeys;
use super::notices::SETTINGS_PARTITION;
use super::record::SHARE_PREFIX;
use super::traces::{Finder, Parts, Trace, scan};
use super::{Attributes, ShareLog, ShareTable, string_attribute};
use crate::failure_queue::{FailureQueue, MessageAction};
use crate::{Error, InternalError};

/// The attributes with which links are built, and those that only serve retries.
const INTERNAL: [&str; 9] = [
    "createId",
    "generation",
    "lastUses",
    "lastWrites",
    "linkKeyId",
    "mailClaim",
    "mailRequestId",
    "mailShard",
    "entry",
];

/// Everything that is kept about a recipient.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Export {
    /// The recipient's shares, without their links.
    pub shares: Vec<Value>,
    /// The log entries of the recipient's shares, including purged ones.
    pub log_entries: Vec<Value>,
    /// Where else the recipient's address is kept.
    pub mentions: Vec<Mention>,
    /// Remembered requests that the recipient made as a sharer.
    pub requests: u64,
    /// Which notices the recipient wants as a sharer, if the recipient has chosen.
    pub notice_settings: Vec<Value>,
    /// Whether the emails to the recipient's mailbox are counted at the moment.
    pub has_counters: bool,
    /// SES reports about emails to the recipient that could not be processed.
    pub failed_reports: Vec<Value>,
    /// Failed SES reports that another consumer has received, and that were not searched.
    pub failed_reports_in_flight: u64,
}

/// A row about someone else that contains the recipient's address.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mention {
    /// `share` or `logEntry`.
    pub kind: &'static str,
    pub item: String,
    pub share_id: String,
    /// Where the address is: the attributes of sharers whose address it is, and of texts that mention it.
    pub attributes: Vec<String>,
}

impl Export {
    /// Collects everything that is kept about a recipient. Calls `report` with the number of shares and log
    /// entries so far from time to time.
    pub async fn collect(
        (shares, log): (&ShareTable, &ShareLog),
        reports: &FailureQueue,
        keys: PersonKeys<'_>,
        recipient: &EmailAddress,
        now: Timestamp,
        mut report: impl FnMut(usize),
    ) -> Result<Self, Error> {
        let people = People::new(vec![recipient.clone()], []);
        let finder = Finder::new(&people, keys.index);
        let mut export = Self::default();
        let counter = Counter::of_mailbox(keys.counters, recipient, now);
        export.has_counters = !shares.counter_rows(&counter).await?.is_empty();
        export.failed_reports_in_flight = reports.messages_in_flight().await?;
        let find = |body: &str| {
            if people.are_mentioned_in(body) {
                export.failed_reports.push(serde_json::from_str(body).unwrap_or_else(|_| body.into()));
            }
            MessageAction::Keep
        };
        reports.for_each(find).await?;
        let mut sharer_keys = BTreeSet::new();
        let mut settings = BTreeMap::new();
        scan(&shares.client, &shares.name, async |rows| {
            for row in rows {
                let item = string_attribute(&row, "item").unwrap_or_default();
                if let Some(sharer) = item.strip_prefix(SETTINGS_PARTITION) {
                    settings.insert(sharer.to_owned(), row);
                    continue;
                }
                let is_share =
                    string_attribute(&row, "entry").is_some_and(|entry| entry.starts_with(SHARE_PREFIX));
                match finder.trace_in_share(&row) {
                    Trace::Row if is_share => export.shares.push(describe(row)?),
                    Trace::Row if row.contains_key("settled") => export.requests += 1,
                    Trace::Row | Trace::Nothing => {}
                    Trace::Parts(parts) => {
                        if parts.sharers.iter().any(|(path, _)| *path == ["createdBy"]) {
                            let key = string_attribute(&row, "sharerKey").and_then(parse_partition);
                            sharer_keys.extend(key.map(|key: SharerKey| key.to_string()));
                        }
                        export.mentions.push(mention("share", &row, &parts));
                    }
                }
            }
            report(export.shares.len());
            Ok(())
        })
        .await?;
        for row in sharer_keys.iter().filter_map(|sharer| settings.remove(sharer)) {
            export.notice_settings.push(describe(row)?);
        }
        scan(&log.client, &log.name, async |rows| {
            for row in rows {
                match finder.trace_in_log(&row) {
                    Trace::Row => export.log_entries.push(describe(row)?),
                    Trace::Nothing => {}
                    Trace::Parts(parts) => export.mentions.push(mention("logEntry", &row, &parts)),
                }
            }
            report(export.shares.len() + export.log_entries.len());
            Ok(())
        })
        .await?;
        Ok(export)
    }
}

fn mention(kind: &'static str, row: &Attributes, parts: &Parts) -> Mention {
    let text = |name: &str| string_attribute(row, name).unwrap_or_default();
    let id = match kind {
        "share" => text("entry").trim_start_matches(SHARE_PREFIX),
        _ => text("shareId"),
    };
    let sharers = parts.sharers.iter().map(|(path, _)| path.join("."));
    let texts = parts.texts.iter().map(|name| (*name).to_owned());
    let others = (parts.other_texts > 0).then(|| "other texts".to_owned());
    Mention {
        kind,
        item: text("item").to_owned(),
        share_id: id.to_owned(),
        attributes: sharers.chain(texts).chain(others).collect(),
    }
}

/// Describes a row as stored, without its internal attributes, with readable times.
fn describe(row: Attributes) -> Result<Value, InternalError> {
    let id = string_attribute(&row, "entry").and_then(|entry| entry.strip_prefix(SHARE_PREFIX));
    let id = id.map(|id| ("shareId".to_owned(), AttributeValue::S(id.to_owned())));
    let at = string_attribute(&row, "entry").and_then(|entry| entry.split_once('#'));
    let at = at.filter(|_| id.is_none()).map(|(at, _)| ("at".to_owned(), AttributeValue::S(at.to_owned())));
    let row: Attributes = row.into_iter().chain(id).chain(at).collect();
    let mut described: Map<String, Value> =
        serde_dynamo::from_item(row).map_err(|_| InternalError::Encoding("a row"))?;
    described.retain(|name, _| !INTERNAL.contains(&name.as_str()));
    if let Some(ttl) = described.remove("ttl").and_then(|ttl| Timestamp::from_timestamp(ttl.as_i64()?, 0)) {
        described.insert("deletedAfter".to_owned(), ttl.to_rfc3339().into());
    }
    Ok(with_readable_times(Value::Object(described)))
}

/// Replaces times in milliseconds since 1970 by RFC 3339 times.
fn with_readable_times(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(name, value)| {
                    let is_time = name == "at" || name.ends_with("At") || name == "mailDue";
                    let at = value.as_i64().filter(|_| is_time).and_then(Timestamp::from_timestamp_millis);
                    let value = at.map_or_else(|| with_readable_times(value), |at| at.to_rfc3339().into());
                    (name, value)
                })
                .collect(),
        ),
        Value::Array(values) => values.into_iter().map(with_readable_times).collect(),
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_readable_at_every_depth() {
        let value =
            json!({"expiresAt": 0, "changed": {"action": {"at": 1000, "by": {"sub": "u1"}}}, "size": 3});
        assert_eq!(
            with_readable_times(value),
            json!({
                "expiresAt": "1970-01-01T00:00:00+00:00",
                "changed": {"action": {"at": "1970-01-01T00:00:01+00:00", "by": {"sub": "u1"}}},
                "size": 3,
            })
        );
    }

    #[test]
    fn description_has_no_link() {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let row = Attributes::from([
            ("entry".to_owned(), text("SHARE#877f")),
            ("generation".to_owned(), text("0707")),
            ("linkKeyId".to_owned(), text("k1")),
            ("recipient".to_owned(), text("ann@example.com")),
            ("ttl".to_owned(), AttributeValue::N("60".to_owned())),
        ]);
        let expected = json!({
            "shareId": "877f", "recipient": "ann@example.com", "deletedAfter": "1970-01-01T00:01:00+00:00",
        });
        assert_eq!(describe(row).unwrap(), expected);
    }
}
