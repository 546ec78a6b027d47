//! The notices to each sharer, in one row until their digest is sent, and the sharers' settings.
//!
//! A notice is appended in one transaction with the log entry that causes it. The entry's condition therefore
//! also makes the notice idempotent: a change that is processed twice is noticed once, and no crash can lose
//! the notice of a logged event.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use sharelink_domain::log::LogEntry;
use sharelink_domain::mail::Pending;
use sharelink_domain::notices::{
    GATHERED_FOR, LISTED_LIMIT, Notice, NoticeKind, NoticeKinds, PendingNotices,
};
use sharelink_domain::sending::SendOutcome;
use sharelink_domain::{Item, Share, ShareId, SharerKey, Timestamp, WriteId};
use tokio::time::sleep;

use super::outbox::{CLAIM, patient_config};
use super::record::{DecodeError, ShareRecord, decode_time, mail_shard};
use super::restore::put_in;
use super::stored::encode;
use super::{
    Attributes, SERVICE, ShareLog, ShareTable, is_failed_condition, log, millis, number, string_attribute,
    text,
};
use crate::{AwsError, Error, InternalError};

/// The prefix of the partition key of a sharer's notices. The hash of the sharer follows.
pub(super) const PARTITION: &str = "NOTICES#";
const ENTRY: &str = "NOTICES";

/// The prefix of the partition key of a sharer's settings. Not the partition of the notices, so that the role
/// that writes settings cannot write notices.
pub(super) const SETTINGS_PARTITION: &str = "SETTINGS#";
const SETTINGS_ENTRY: &str = "SETTINGS";

/// How long notices are kept if their digest is never sent, such as while everything is switched off.
const KEPT: TimeDelta = TimeDelta::days(30);

/// How often a transaction is tried. Every other sweeper that logs about the same sharer can be in its way.
const MAX_TRIES: u32 = 8;

/// The backoff after the first try. Doubles with each try.
const FIRST_BACKOFF: Duration = Duration::from_millis(25);

/// A sharer's row of notices. It also has the attributes of the outbox.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NoticesRecord {
    item: String,
    notice_count: u64,
    /// When the first of these notices was appended.
    notices_since: i64,
    mail_due: i64,
    #[serde(default)]
    mail_tries: u32,
}

/// The stored form of a [`Notice`].
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct StoredNotice {
    kind: String,
    item: String,
    /// Removed when the share's recipient is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    share_id: Option<String>,
    /// In milliseconds since 1970.
    at: i64,
}

/// A sharer's settings.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct SettingsRecord {
    item: String,
    entry: String,
    email_problem: bool,
    first_download: bool,
    more_time: bool,
}

impl From<&Notice> for StoredNotice {
    fn from(notice: &Notice) -> Self {
        Self {
            kind: notice.kind.name().to_owned(),
            item: notice.item.to_string(),
            share_id: Some(notice.share.to_string()),
            at: notice.at.timestamp_millis(),
        }
    }
}

impl StoredNotice {
    /// Returns `None` if the recipient was erased.
    fn parse(value: AttributeValue) -> Result<Option<Notice>, DecodeError> {
        let invalid = || DecodeError("notices");
        let stored: Self = serde_dynamo::from_attribute_value(value).map_err(|_| invalid())?;
        let Some(share) = stored.share_id else { return Ok(None) };
        Ok(Some(Notice {
            kind: NoticeKind::parse(&stored.kind).ok_or_else(invalid)?,
            item: Item::parse(&stored.item).map_err(|_| invalid())?,
            share: share.parse().map_err(|_| invalid())?,
            at: decode_time(stored.at, "notices")?,
        }))
    }
}

impl NoticesRecord {
    fn parse(mut row: Attributes) -> Result<PendingNotices, DecodeError> {
        let Some(AttributeValue::L(listed)) = row.remove("notices") else {
            return Err(DecodeError("notices"));
        };
        let parse = |value| match StoredNotice::parse(value) {
            Ok(notice) => notice,
            // An invalid notice must not hide the others.
            Err(error) => {
                tracing::error!(%error, "a notice was omitted from a digest");
                None
            }
        };
        let record: Self = serde_dynamo::from_item(row).map_err(|_| DecodeError("attributes"))?;
        let pending = Pending { due: decode_time(record.mail_due, "mailDue")?, tries: record.mail_tries };
        Ok(PendingNotices {
            sharer: parse_partition(&record.item).ok_or(DecodeError("item"))?,
            listed: listed.into_iter().map(parse).collect(),
            count: record.notice_count,
            since: decode_time(record.notices_since, "noticesSince")?,
            pending,
        })
    }
}

impl SettingsRecord {
    fn parse(row: Attributes) -> Result<NoticeKinds, DecodeError> {
        let Self { email_problem, first_download, more_time, .. } =
            serde_dynamo::from_item(row).map_err(|_| DecodeError("settings"))?;
        Ok(NoticeKinds { email_problem, first_download, more_time })
    }
}

/// Returns the sharer whose notices are in this partition, if they are in one.
pub(super) fn parse_partition(item: &str) -> Option<SharerKey> {
    item.strip_prefix(PARTITION)?.parse().ok()
}

/// Returns the key of a sharer's notices.
pub(super) fn notices_key(sharer: SharerKey) -> Attributes {
    row_key(PARTITION, sharer, ENTRY)
}

/// Returns the key of a sharer's settings.
pub(super) fn settings_key(sharer: SharerKey) -> Attributes {
    row_key(SETTINGS_PARTITION, sharer, SETTINGS_ENTRY)
}

fn row_key(partition: &str, sharer: SharerKey, entry: &str) -> Attributes {
    HashMap::from([
        ("item".to_owned(), AttributeValue::S(format!("{partition}{sharer}"))),
        ("entry".to_owned(), AttributeValue::S(entry.to_owned())),
    ])
}

/// Returns the places in a sharer's list of the notices about shares that are erased, with the shares' ids.
pub(super) fn find_erased(
    row: &Attributes,
    is_erased: impl Fn(&Item, ShareId) -> bool,
) -> Vec<(usize, ShareId)> {
    let Some(AttributeValue::L(listed)) = row.get("notices") else { return vec![] };
    let share = |value: &AttributeValue| -> Option<ShareId> {
        let notice = value.as_m().ok()?;
        let item = Item::parse(string_attribute(notice, "item")?).ok()?;
        let id = string_attribute(notice, "shareId")?.parse().ok()?;
        is_erased(&item, id).then_some(id)
    };
    listed.iter().enumerate().filter_map(|(n, value)| Some((n, share(value)?))).collect()
}

/// How a notice is appended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Appending {
    Listed,
    /// The list is full, so the notice is only counted.
    Counted,
}

impl Appending {
    fn assignments(self) -> &'static str {
        match self {
            Self::Listed => "notices = list_append(if_not_exists(notices, :none), :notice), ",
            Self::Counted => "",
        }
    }

    /// While a digest is being sent, the list has room for as many notices again.
    fn condition(self) -> &'static str {
        match self {
            Self::Listed => {
                "attribute_not_exists(notices) OR size(notices) < :max \
                 OR (attribute_exists(mailClaim) AND size(notices) < :twice)"
            }
            Self::Counted => "attribute_exists(notices)",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Listed => Self::Counted,
            Self::Counted => Self::Listed,
        }
    }
}

/// Why a transaction was canceled.
enum Canceled {
    /// The entry is already in the log, and with it the notice.
    Logged,
    /// The list is full, or no longer full.
    List,
    /// Another transaction is in the way, or DynamoDB throttles.
    Busy,
}

impl ShareTable {
    /// Appends an entry to the log as [`ShareLog::append`] does, together with the notice that follows from
    /// it. The digest is due ten minutes after the first notice.
    pub async fn append_with_notice(
        &self,
        log: &ShareLog,
        entry: LogEntry,
        log_retention: TimeDelta,
        (notice, sharer): (&Notice, SharerKey),
        now: Timestamp,
    ) -> Result<(), Error> {
        let row = log::encode_row(&notice.item, entry, log_retention)?;
        let put = Put::builder().condition_expression("attribute_not_exists(entry)");
        let put = put_in(&log.name, put, row)?;
        let mut appending = Appending::Listed;
        let mut backoff = FIRST_BACKOFF;
        for tries_left in (0..MAX_TRIES).rev() {
            let update = self.notice_update(notice, sharer, appending, now)?;
            let update = TransactWriteItem::builder().update(update).build();
            let transaction = self.client.transact_write_items().transact_items(put.clone());
            let Err(error) = transaction.transact_items(update).send().await else { return Ok(()) };
            match error.as_service_error().and_then(canceled) {
                Some(Canceled::Logged) => return Ok(()),
                Some(Canceled::List) => appending = appending.other(),
                Some(Canceled::Busy) if tries_left > 0 => {
                    sleep(backoff).await;
                    backoff *= 2;
                }
                Some(Canceled::Busy) => {}
                None => return Err(AwsError::new(SERVICE, &error).into()),
            }
        }
        Err(AwsError::Unavailable { service: SERVICE, code: "TransactionConflict".to_owned() }.into())
    }

    fn notice_update(
        &self,
        notice: &Notice,
        sharer: SharerKey,
        appending: Appending,
        now: Timestamp,
    ) -> Result<Update, InternalError> {
        let update = Update::builder()
            .table_name(&self.name)
            .set_key(Some(notices_key(sharer)))
            .update_expression(format!(
                "SET {}noticeCount = if_not_exists(noticeCount, :zero) + :one, \
                 noticesSince = if_not_exists(noticesSince, :now), mailShard = :shard, \
                 mailDue = if_not_exists(mailDue, :due), #ttl = :ttl",
                appending.assignments()
            ))
            .condition_expression(appending.condition())
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":zero", number(&0))
            .expression_attribute_values(":one", number(&1))
            .expression_attribute_values(":now", millis(now))
            .expression_attribute_values(":due", millis(now + GATHERED_FOR))
            .expression_attribute_values(":shard", text(&mail_shard(&sharer)))
            .expression_attribute_values(":ttl", number(&(now + KEPT).timestamp()));
        let with_list = |update: UpdateBuilder| -> Result<UpdateBuilder, InternalError> {
            let stored = StoredNotice::from(notice);
            Ok(update
                .expression_attribute_values(":none", AttributeValue::L(vec![]))
                .expression_attribute_values(":notice", AttributeValue::L(vec![encode(&stored)?]))
                .expression_attribute_values(":max", number(&LISTED_LIMIT))
                .expression_attribute_values(":twice", number(&(2 * LISTED_LIMIT))))
        };
        let update = if appending == Appending::Listed { with_list(update)? } else { update };
        update.build().map_err(|_| InternalError::Encoding("a notice"))
    }

    /// Claims a sharer's notices if their digest is due, as [`claim_email`](Self::claim_email) does.
    pub async fn claim_notices(
        &self,
        sharer: SharerKey,
        write: WriteId,
        now: Timestamp,
    ) -> Result<Option<PendingNotices>, AwsError> {
        let update = || self.client.update_item().table_name(&self.name).set_key(Some(notices_key(sharer)));
        self.claim(update().update_expression(CLAIM), update(), NoticesRecord::parse, write, now).await
    }

    /// Reads those of the shares of these notices that still exist and are the sharer's, with strong
    /// consistency. Another sharer may have shared with the same recipient since.
    pub async fn read_noticed_shares(&self, notices: &PendingNotices) -> Result<Vec<Share>, Error> {
        let mut keys: Vec<(&Item, _)> = Vec::new();
        for notice in notices.listed.iter().flatten() {
            let key = (&notice.item, notice.share);
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let records = self.read_records(keys.into_iter()).await?;
        let share = |record: ShareRecord| {
            let (share, sharer) = record.into_share_and_sharer().ok()?;
            (sharer == notices.sharer).then_some(share)
        };
        Ok(records.into_values().filter_map(share).collect())
    }

    /// Removes the shares' ids from the notices about shares that are erased. These notices keep their places
    /// in the list, because a sender may be about to remove them. Returns their number.
    pub async fn forget_notices(
        &self,
        sharer: SharerKey,
        is_erased: impl Fn(&Item, ShareId) -> bool,
    ) -> Result<u64, AwsError> {
        for _ in 0..MAX_TRIES {
            let get = self.client.get_item().table_name(&self.name).set_key(Some(notices_key(sharer)));
            let read = get.consistent_read(true).send().await.map_err(|e| AwsError::new(SERVICE, &e))?;
            let erased = read.item.map(|row| find_erased(&row, &is_erased)).unwrap_or_default();
            if erased.is_empty() {
                return Ok(0);
            }
            let paths: Vec<String> = erased.iter().map(|(n, _)| format!("notices[{n}].shareId")).collect();
            let unchanged: Vec<String> =
                paths.iter().zip(0..).map(|(path, n)| format!("{path} = :id{n}")).collect();
            let values = erased.iter().zip(0..).map(|((_, id), n)| (format!(":id{n}"), text(id)));
            let update = self
                .client
                .update_item()
                .table_name(&self.name)
                .set_key(Some(notices_key(sharer)))
                .update_expression(format!("REMOVE {}", paths.join(", ")))
                .condition_expression(unchanged.join(" AND "))
                .set_expression_attribute_values(Some(values.collect()));
            match update.send().await {
                Ok(_) => return Ok(erased.len() as u64),
                // A sender has removed notices that it sent.
                Err(error) if is_failed_condition(&error) => {}
                Err(error) => return Err(AwsError::new(SERVICE, &error)),
            }
        }
        Err(AwsError::Unavailable { service: SERVICE, code: "ConditionalCheckFailed".to_owned() })
    }

    /// Records the outcome for a digest that this sender claimed. Unless the digest becomes due again,
    /// deletes its notices, and keeps those that were appended since the claim for another digest.
    ///
    /// Retries as long as [`record_send_outcome`](Self::record_send_outcome) does, for the same reason.
    pub async fn record_digest_outcome(
        &self,
        notices: &PendingNotices,
        claim: WriteId,
        outcome: SendOutcome,
        now: Timestamp,
    ) -> Result<(), AwsError> {
        let update =
            || self.client.update_item().table_name(&self.name).set_key(Some(notices_key(notices.sharer)));
        if let Some(pending) = outcome.requeued(notices.pending) {
            let update = update()
                .update_expression("SET mailDue = :due, mailTries = :tries REMOVE mailClaim")
                .expression_attribute_values(":due", millis(pending.due))
                .expression_attribute_values(":tries", number(&pending.tries));
            return self.write_under_claim(update, claim).await;
        }
        let delete = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(notices_key(notices.sharer)))
            .condition_expression("mailClaim = :claim AND noticeCount = :count")
            .expression_attribute_values(":claim", text(&claim))
            .expression_attribute_values(":count", number(&notices.count));
        match delete.customize().config_override(patient_config()).send().await {
            Ok(_) => return Ok(()),
            Err(error) if is_failed_condition(&error) => {}
            Err(error) => return Err(AwsError::new(SERVICE, &error)),
        }
        // If the list was full all the time, its last notice stays: it leads to the sharer's address.
        let listed = notices.listed.len();
        for (removed, condition) in
            [(listed, "size(notices) > :listed"), (listed.max(1) - 1, "size(notices) = :listed")]
        {
            // The last first, because some emulators remove one after another.
            let elements: Vec<String> = (0..removed).rev().map(|n| format!(", notices[{n}]")).collect();
            let elements = elements.concat();
            let update = update()
                .update_expression(format!(
                    "SET noticeCount = noticeCount - :count, noticesSince = :now, mailDue = :due, \
                     mailTries = :zero REMOVE mailClaim{elements}"
                ))
                .expression_attribute_values(":count", number(&notices.count))
                .expression_attribute_values(":listed", number(&listed))
                .expression_attribute_values(":now", millis(now))
                .expression_attribute_values(":due", millis(now + GATHERED_FOR))
                .expression_attribute_values(":zero", number(&0));
            if self.try_to_write_under_claim(update, claim, condition).await? {
                break;
            }
        }
        Ok(())
    }

    /// Returns which notices a sharer wants. The read is strongly consistent.
    pub async fn notice_settings(&self, sharer: SharerKey) -> Result<NoticeKinds, AwsError> {
        let get = self.client.get_item().table_name(&self.name).set_key(Some(settings_key(sharer)));
        let response = get.consistent_read(true).send().await.map_err(|e| AwsError::new(SERVICE, &e))?;
        match response.item {
            Some(row) => Ok(SettingsRecord::parse(row)?),
            None => Ok(NoticeKinds::ALL),
        }
    }

    /// Stores which notices a sharer wants.
    pub async fn save_notice_settings(&self, sharer: SharerKey, wanted: NoticeKinds) -> Result<(), Error> {
        let NoticeKinds { email_problem, first_download, more_time } = wanted;
        let record = SettingsRecord {
            item: format!("{SETTINGS_PARTITION}{sharer}"),
            entry: SETTINGS_ENTRY.to_owned(),
            email_problem,
            first_download,
            more_time,
        };
        let row = serde_dynamo::to_item(record).map_err(|_| InternalError::Encoding("settings"))?;
        let put = self.client.put_item().table_name(&self.name).set_item(Some(row));
        Ok(put.send().await.map(drop).map_err(|e| AwsError::new(SERVICE, &e))?)
    }
}

/// Returns why the transaction was canceled, if a later try may succeed or none is necessary.
fn canceled(error: &TransactWriteItemsError) -> Option<Canceled> {
    let TransactWriteItemsError::TransactionCanceledException(canceled) = error else { return None };
    let codes: Vec<&str> =
        canceled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or("None")).collect();
    match codes[..] {
        ["ConditionalCheckFailed", _] => Some(Canceled::Logged),
        ["None", "ConditionalCheckFailed"] => Some(Canceled::List),
        _ if codes.iter().any(|code| BUSY.contains(code)) => Some(Canceled::Busy),
        _ => None,
    }
}

/// The reasons for which the SDK does not repeat a canceled transaction although it may succeed
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>).
const BUSY: [&str; 3] = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sharelink_domain::testing::{NOW, item, share, time};

    use super::*;

    /// Rows in existing tables have this form. Never edit the expected values.
    #[test]
    fn rows_are_frozen() {
        let share = share(&["a"]);
        let notice = Notice { kind: NoticeKind::EmailProblem, item: item(), share: share.id, at: time(NOW) };
        let stored = serde_json::to_value(StoredNotice::from(&notice)).unwrap();
        let now = 1_773_144_000_000_i64;
        let id = share.id.to_string();
        assert_eq!(stored, json!({"kind": "emailProblem", "item": "jobs/1042", "shareId": id, "at": now}));

        let row = json!({
            "item": "NOTICES#01010101010101010101010101010101", "entry": "NOTICES", "notices": [stored],
            "noticeCount": 3, "noticesSince": now, "mailShard": "0", "mailDue": now, "ttl": 1,
        });
        let pending = Pending { due: time(NOW), tries: 0 };
        let sharer = SharerKey::from_bytes([1; 16]);
        let expected =
            PendingNotices { sharer, listed: vec![Some(notice)], count: 3, since: time(NOW), pending };
        assert_eq!(NoticesRecord::parse(serde_dynamo::to_item(row).unwrap()), Ok(expected));
        assert_eq!(notices_key(sharer)["item"], text(&"NOTICES#01010101010101010101010101010101"));
        assert_eq!(settings_key(sharer)["item"], text(&"SETTINGS#01010101010101010101010101010101"));

        let settings = json!({
            "item": "SETTINGS#x", "entry": "SETTINGS", "emailProblem": false, "firstDownload": true,
            "moreTime": true,
        });
        let wanted = NoticeKinds { email_problem: false, ..NoticeKinds::ALL };
        assert_eq!(SettingsRecord::parse(serde_dynamo::to_item(settings).unwrap()), Ok(wanted));
    }

    #[test]
    fn unreadable_and_erased_notices_keep_their_places() {
        let share = share(&["a"]);
        let notice = Notice { kind: NoticeKind::MoreTime, item: item(), share: share.id, at: time(NOW) };
        let valid = serde_json::to_value(StoredNotice::from(&notice)).unwrap();
        let with = |name: &str, value: serde_json::Value| {
            let mut changed = valid.clone();
            changed[name] = value;
            changed
        };
        let mut erased = valid.clone();
        erased.as_object_mut().unwrap().remove("shareId");
        let listed = [with("kind", json!("x")), erased, valid.clone(), with("at", json!("x")), json!(1)];
        let row = json!({
            "item": format!("NOTICES#{}", SharerKey::from_bytes([1; 16])), "entry": "NOTICES", "notices": listed,
            "noticeCount": 5, "noticesSince": 0, "mailShard": "0", "mailDue": 0,
        });
        let row: Attributes = serde_dynamo::to_item(row).unwrap();
        assert_eq!(find_erased(&row, |_, id| id == share.id), [(0, share.id), (2, share.id), (3, share.id)]);
        assert_eq!(find_erased(&row, |_, _| false), []);
        let pending = NoticesRecord::parse(row).unwrap();
        assert_eq!(pending.listed, [None, None, Some(notice), None, None]);
    }

    #[test]
    fn partition_names_a_sharer() {
        let sharer = SharerKey::from_bytes([1; 16]);
        assert_eq!(parse_partition(&format!("NOTICES#{sharer}")), Some(sharer));
        for other in ["NOTICES#x", "jobs/1042", "SETTINGS#01010101010101010101010101010101"] {
            assert_eq!(parse_partition(other), None, "{other}");
        }
    }
}
