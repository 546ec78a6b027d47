//! How a share is written in the table.
//!
//! Times are numbers of milliseconds since 1970, so that conditions compare them; only `ttl` is in seconds,
//! as DynamoDB wants it.

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{Datelike, FixedOffset, SecondsFormat, TimeDelta};
use serde::{Deserialize, Serialize};
use sharelink_domain::mail::{BounceType, Pending};
use sharelink_domain::request::Message;
use sharelink_domain::share::{Change, LinkCopy, Usage, WriteId};
use sharelink_domain::{Action, Item, Mail, MailState, Share, ShareId, SharedFile, Sharer, Timestamp};
use thiserror::Error;

use super::{Attributes, SERVICE};
use crate::AwsError;

/// What the sort key of a share begins with.
pub(super) const SHARE_PREFIX: &str = "SHARE#";

/// An item of the table that is not a share as we write it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("not a share as the table holds it: {0}")]
pub struct DecodeError(pub(super) &'static str);

impl From<DecodeError> for AwsError {
    fn from(DecodeError(what): DecodeError) -> Self {
        Self::InvalidData { service: SERVICE, what }
    }
}

/// Reads a share from an image in the table's stream.
pub fn parse_share_image(image: serde_dynamo::Item) -> Result<Share, DecodeError> {
    serde_dynamo::from_item::<_, ShareRecord>(image).map_err(|_| DecodeError("attributes"))?.into_share()
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShareRecord {
    item: String,
    entry: String,
    /// Sorts an item's shares in the index `byCreated`: the creation time, and the id to tell equals apart.
    created: String,
    recipient: String,
    files: Vec<SharedFile>,
    /// How many files there are, for a condition to compare.
    file_count: usize,
    downloads_per_open: u64,
    created_by: Sharer,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    created_at: i64,
    expires_at: i64,
    /// In seconds east of UTC.
    expires_offset: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<i64>,
    version: u64,
    generation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_key_id: Option<String>,
    #[serde(flatten)]
    mail: MailRecord,
    /// The write that asked for the email.
    #[serde(skip_serializing_if = "Option::is_none")]
    mail_request_id: Option<String>,
    /// Partition key of the index `outbox`, present only while the email is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    mail_shard: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mail_claim: Option<String>,
    opens: u64,
    downloads: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_opened_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_opened_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<Change>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_copied: Option<LinkCopy>,
    create_id: String,
    /// The ids of the latest changes, newest first.
    last_writes: [String; KEPT],
    /// The ids of the latest uses, newest first.
    last_uses: [String; KEPT],
    ttl: i64,
}

/// The email of a share, as attributes of the share.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "they are attributes among the share's own")]
pub(super) struct MailRecord {
    pub(super) mail_state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mail_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mail_detail: Option<String>,
    /// With the state `bounced`: whether for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mail_bounce: Option<String>,
    mail_attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    mail_requested: Option<Action>,
    mail_tries: u32,
    /// Sort key of the index `outbox`, present only while the email is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    mail_due: Option<i64>,
}

const TRANSIENT: &str = "transient";
const PERMANENT: &str = "permanent";

impl MailRecord {
    pub(super) fn of(mail: &Mail) -> Self {
        let bounce = match mail.state {
            MailState::Bounced(BounceType::Transient) => Some(TRANSIENT),
            MailState::Bounced(BounceType::Permanent) => Some(PERMANENT),
            _ => None,
        };
        Self {
            mail_state: mail.state.name().to_owned(),
            mail_at: mail.at.map(|at| at.timestamp_millis()),
            mail_detail: mail.detail.clone(),
            mail_bounce: bounce.map(Into::into),
            mail_attempt: mail.attempt,
            mail_requested: mail.requested.clone(),
            mail_tries: mail.pending().map_or(0, |pending| pending.tries),
            mail_due: mail.pending().map(|pending| pending.due.timestamp_millis()),
        }
    }

    fn into_mail(self) -> Result<Mail, DecodeError> {
        let due = self.mail_due.map(|due| time(due, "mailDue")).transpose()?;
        let state = match (self.mail_state.as_str(), due, self.mail_bounce.as_deref()) {
            ("queued", Some(due), None) => MailState::Queued(Pending { due, tries: self.mail_tries }),
            ("none", None, None) => MailState::None,
            ("sent", None, None) => MailState::Sent,
            ("delivered", None, None) => MailState::Delivered,
            ("failed", None, None) => MailState::Failed,
            ("bounced", None, Some(TRANSIENT)) => MailState::Bounced(BounceType::Transient),
            ("bounced", None, Some(PERMANENT)) => MailState::Bounced(BounceType::Permanent),
            ("complained", None, None) => MailState::Complained,
            _ => return Err(DecodeError("mailState")),
        };
        self.mail_requested.iter().try_for_each(|action| check(action, "mailRequested"))?;
        Ok(Mail {
            state,
            at: self.mail_at.map(|at| time(at, "mailAt")).transpose()?,
            detail: self.mail_detail,
            attempt: self.mail_attempt,
            requested: self.mail_requested,
        })
    }
}

/// How many writes a share remembers: an SDK's retry knows its first attempt unless so many others came between.
const KEPT: usize = 4;

/// What remembers `:write` as the newest in one of these lists. All of it sees the list as it was before.
pub(super) fn remember(list: &str) -> String {
    let moved = (1..KEPT).map(|i| format!("{list}[{i}] = {list}[{}]", i - 1));
    moved.chain([format!("{list}[0] = :write")]).collect::<Vec<_>>().join(", ")
}

impl ShareRecord {
    /// Whether this write made the share what it is, or what it was a few changes ago.
    pub(super) fn was_written_by(&self, write: WriteId) -> bool {
        let write = write.to_string();
        [&self.create_id]
            .into_iter()
            .chain(&self.mail_request_id)
            .chain(&self.last_writes)
            .any(|id| *id == write)
    }

    pub(super) fn new(share: &Share, create_id: WriteId, retention: TimeDelta) -> Self {
        let id = share.id.to_string();
        Self {
            item: share.item.to_string(),
            entry: format!("{SHARE_PREFIX}{id}"),
            created: created_key(share.created_at, share.id),
            recipient: share.recipient.to_string(),
            files: share.files.clone(),
            file_count: share.files.len(),
            downloads_per_open: share.downloads_per_open(),
            created_by: share.created_by.clone(),
            message: share.message.as_ref().map(|message| message.as_str().to_owned()),
            created_at: share.created_at.timestamp_millis(),
            expires_at: share.expires_at.timestamp_millis(),
            expires_offset: share.expires_offset.local_minus_utc(),
            revoked_at: share.revoked_at.map(|at| at.timestamp_millis()),
            version: share.version,
            generation: share.generation.to_string(),
            link_key_id: share.link_key.as_ref().map(|key| key.as_str().to_owned()),
            mail: MailRecord::of(&share.mail),
            mail_request_id: None,
            mail_shard: share.mail.pending().map(|_| mail_shard(share.id)),
            mail_claim: None,
            opens: share.usage.opens,
            downloads: share.usage.downloads,
            first_opened_at: share.usage.first_at.map(|at| at.timestamp_millis()),
            last_opened_at: share.usage.last_at.map(|at| at.timestamp_millis()),
            changed: share.changed.clone(),
            link_copied: share.link_copied.clone(),
            create_id: create_id.to_string(),
            last_writes: Default::default(),
            last_uses: Default::default(),
            ttl: share.purge_at(retention).timestamp(),
        }
    }

    pub(super) fn read(attributes: Attributes) -> Result<Self, AwsError> {
        serde_dynamo::from_item(attributes).map_err(|_| DecodeError("attributes").into())
    }

    pub(super) fn into_attributes(self) -> Result<Attributes, AwsError> {
        serde_dynamo::to_item(self).map_err(|_| DecodeError("attributes").into())
    }

    pub(super) fn into_share(self) -> Result<Share, DecodeError> {
        let (item, id) = share_key(&self.item, &self.entry)?;
        self.changed.iter().try_for_each(|change| check(&change.action, "changed"))?;
        self.link_copied.iter().try_for_each(|copy| check(&copy.action, "linkCopied"))?;
        Ok(Share {
            id,
            item,
            recipient: self.recipient.parse().map_err(|_| DecodeError("recipient"))?,
            files: self.files,
            created_by: self.created_by,
            message: self
                .message
                .map_or(Ok(None), |text| Message::parse(&text))
                .map_err(|_| DecodeError("message"))?,
            created_at: time(self.created_at, "createdAt")?,
            expires_at: time(self.expires_at, "expiresAt")?,
            expires_offset: FixedOffset::east_opt(self.expires_offset).ok_or(DecodeError("expiresOffset"))?,
            revoked_at: self.revoked_at.map(|at| time(at, "revokedAt")).transpose()?,
            version: self.version,
            generation: self.generation.parse().map_err(|_| DecodeError("generation"))?,
            link_key: self
                .link_key_id
                .map(|id| id.parse())
                .transpose()
                .map_err(|_| DecodeError("linkKeyId"))?,
            mail: self.mail.into_mail()?,
            usage: Usage {
                opens: self.opens,
                downloads: self.downloads,
                first_at: self.first_opened_at.map(|at| time(at, "firstOpenedAt")).transpose()?,
                last_at: self.last_opened_at.map(|at| time(at, "lastOpenedAt")).transpose()?,
            },
            changed: self.changed,
            link_copied: self.link_copied,
        })
    }
}

/// Of which share these keys are.
pub(super) fn share_key(item: &str, entry: &str) -> Result<(Item, ShareId), DecodeError> {
    let item = Item::parse(item).map_err(|_| DecodeError("item"))?;
    let id = entry.strip_prefix(SHARE_PREFIX).and_then(|id| id.parse().ok()).ok_or(DecodeError("entry"))?;
    Ok((item, id))
}

/// The partitions of the index `outbox`.
pub(super) const SHARDS: [char; 16] =
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];

/// The first digit of a share's id spreads the outbox over its partitions.
pub(super) fn mail_shard(id: ShareId) -> String {
    id.to_string()[..1].to_owned()
}

/// A time as [`sortable`] can write it: from none of these does a wait or a retention lead beyond what a time can be.
pub(super) fn time(millis: i64, what: &'static str) -> Result<Timestamp, DecodeError> {
    let time = Timestamp::from_timestamp_millis(millis);
    time.filter(|time| (0..=9999).contains(&time.year())).ok_or(DecodeError(what))
}

/// Checks the time of an action, which was read as it is.
fn check(action: &Action, what: &'static str) -> Result<(), DecodeError> {
    time(action.at.timestamp_millis(), what).map(drop)
}

/// The sort key of the index `byCreated`.
pub(super) fn created_key(at: Timestamp, id: ShareId) -> String {
    format!("{}#{id}", sortable(at))
}

/// A time whose text sorts as the time does.
pub(super) fn sortable(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Who did what and when, as an attribute.
pub(super) fn encode(value: &impl Serialize) -> Result<AttributeValue, AwsError> {
    serde_dynamo::to_attribute_value(value).map_err(|_| DecodeError("action").into())
}

#[cfg(test)]
mod tests {
    use sharelink_domain::request::ShareRequest;
    use sharelink_domain::{Expiry, Generation};

    use super::*;

    const RETENTION: TimeDelta = TimeDelta::days(30);

    fn record() -> ShareRecord {
        let now = "2026-03-10T12:00:00Z".parse().unwrap();
        let request = ShareRequest {
            item: Item::parse("jobs/1042").unwrap(),
            files: vec![SharedFile { name: "a".parse().unwrap(), size: 3 }],
            sharer: Sharer { sub: "u1".into(), name: None, email: None },
            message: None,
            expiry: Expiry::parse("2026-03-10T13:00:00Z", now).unwrap(),
            notify: true,
        };
        let share =
            request.share_with("ann@example.com".parse().unwrap(), Generation::from_bytes([7; 16]), now);
        ShareRecord::new(&share, WriteId::from_bytes([1; 16]), RETENTION)
    }

    /// Found by the fuzz target `stream_record`: a retention after the last time that there is.
    #[test]
    fn a_share_whose_times_are_out_of_this_age_is_unreadable() {
        let last = Timestamp::MAX_UTC;
        let action = || Action { by: Sharer { sub: "u1".into(), name: None, email: None }, at: last };
        let millis = last.timestamp_millis();
        let change = |change: fn(&mut ShareRecord, i64)| {
            let mut record = record();
            change(&mut record, millis);
            record.into_share().unwrap_err()
        };
        assert_eq!(change(|record, at| record.created_at = at), DecodeError("createdAt"));
        assert_eq!(change(|record, at| record.expires_at = at), DecodeError("expiresAt"));
        assert_eq!(change(|record, at| record.expires_at = -at), DecodeError("expiresAt"));
        assert_eq!(change(|record, at| record.mail.mail_due = Some(at)), DecodeError("mailDue"));
        let requested =
            ShareRecord { mail: MailRecord { mail_requested: Some(action()), ..record().mail }, ..record() };
        assert_eq!(requested.into_share(), Err(DecodeError("mailRequested")));
        let copied = LinkCopy { action: action(), id: WriteId::from_bytes([1; 16]) };
        let copied = ShareRecord { link_copied: Some(copied), ..record() };
        assert_eq!(copied.into_share(), Err(DecodeError("linkCopied")));
        let changed = Change { of: sharelink_domain::share::Changed::Expiration, action: action() };
        let changed = ShareRecord { changed: Some(changed), ..record() };
        assert_eq!(changed.into_share(), Err(DecodeError("changed")));
        // The last second of the year 9999 is fine.
        let latest = ShareRecord { expires_at: 253_402_300_799_000, ..record() }.into_share().unwrap();
        assert_eq!(sortable(latest.purge_at(-RETENTION)), "9999-12-01T23:59:59.000Z");
    }
}
