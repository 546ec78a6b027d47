//! Changes by a link's holder that are not uses: requests for more time, and the choice about emails.

use serde::{Deserialize, Serialize};
use sharelink_domain::access::MIN_URL_LIFETIME;
use sharelink_domain::email_choice::EmailChoice;
use sharelink_domain::link::Link;
use sharelink_domain::more_time::{MAX_REQUESTS, MoreTime, REQUEST_INTERVAL};
use sharelink_domain::{Share, Timestamp};

use super::record::{DecodeError, decode_time};
use super::{ShareTable, UpdateResult, millis, number, run_update, text};
use crate::Error;

/// A recipient's requests and choice, stored as attributes of the share. They are not nested, because an
/// update cannot add an attribute to a map that does not exist yet.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RecipientRecord {
    #[serde(skip_serializing_if = "Option::is_none")]
    more_time_requests: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more_time_requested_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more_time_version: Option<u64>,
    /// The number of choices about emails.
    #[serde(skip_serializing_if = "Option::is_none")]
    email_choices: Option<u64>,
    /// Present only if the latest choice is to get no emails.
    #[serde(skip_serializing_if = "Option::is_none")]
    emails_stopped_at: Option<i64>,
    /// Present only if the latest choice is to get emails again.
    #[serde(skip_serializing_if = "Option::is_none")]
    emails_allowed_at: Option<i64>,
}

impl From<&Share> for RecipientRecord {
    fn from(share: &Share) -> Self {
        let choice_at = |wants_emails| {
            let choice = share.email_choice.filter(|choice| choice.wants_emails == wants_emails);
            choice.map(|choice| choice.at.timestamp_millis())
        };
        Self {
            more_time_requests: share.more_time.map(|request| request.requests),
            more_time_requested_at: share.more_time.map(|request| request.requested_at.timestamp_millis()),
            more_time_version: share.more_time.map(|request| request.version),
            email_choices: share.email_choice.map(|choice| choice.number),
            emails_stopped_at: choice_at(false),
            emails_allowed_at: choice_at(true),
        }
    }
}

impl RecipientRecord {
    pub(super) fn more_time(&self) -> Result<Option<MoreTime>, DecodeError> {
        match (self.more_time_requests, self.more_time_requested_at, self.more_time_version) {
            (None, None, None) => Ok(None),
            (Some(requests), Some(at), Some(version)) => {
                let requested_at = decode_time(at, "moreTimeRequestedAt")?;
                Ok(Some(MoreTime { requests, requested_at, version }))
            }
            _ => Err(DecodeError("moreTimeRequests")),
        }
    }

    pub(super) fn email_choice(&self) -> Result<Option<EmailChoice>, DecodeError> {
        let (number, wants_emails, at) = match (self.email_choices, self.emails_stopped_at) {
            (None, None) => return Ok(None),
            (Some(number), Some(at)) => (number, false, at),
            (Some(number), None) => {
                (number, true, self.emails_allowed_at.ok_or(DecodeError("emailsAllowedAt"))?)
            }
            (None, Some(_)) => return Err(DecodeError("emailChoices")),
        };
        Ok(Some(EmailChoice { wants_emails, at: decode_time(at, "emailsStoppedAt")?, number }))
    }
}

impl ShareTable {
    /// Records a request for more time if [`Share::with_more_time_requested`] allows it, and returns the
    /// share to call [`Share::redeem`] on. Returns `None` if the share does not exist.
    ///
    /// A single conditional update decides, so that one of many simultaneous requests is recorded. Every link
    /// that has ended causes this one call, so the time that it takes does not show which ones are revoked.
    pub async fn request_more_time(&self, link: &Link, now: Timestamp) -> Result<Option<Share>, Error> {
        let update = self
            .update(&link.item, link.share)
            .update_expression(
                "SET moreTimeRequests = if_not_exists(moreTimeRequests, :zero) + :one, \
                 moreTimeRequestedAt = :now, moreTimeVersion = #version",
            )
            .condition_expression(
                "generation = :generation AND expiresAt < :least AND attribute_not_exists(revokedAt) \
                 AND (attribute_not_exists(moreTimeRequests) \
                 OR (moreTimeRequests < :max AND moreTimeRequestedAt <= :before))",
            )
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":zero", number(&0))
            .expression_attribute_values(":one", number(&1))
            .expression_attribute_values(":now", millis(now))
            .expression_attribute_values(":generation", text(&link.generation))
            .expression_attribute_values(":least", millis(now + MIN_URL_LIFETIME))
            .expression_attribute_values(":max", number(&MAX_REQUESTS))
            .expression_attribute_values(":before", millis(now - REQUEST_INTERVAL));
        match run_update(update).await? {
            UpdateResult::Updated(record) | UpdateResult::ConditionFailed(Some(record)) => {
                Ok(Some(record.into_share()?))
            }
            UpdateResult::ConditionFailed(None) => Ok(None),
        }
    }

    /// Records the recipient's choice about emails, unless it was the choice before, and returns the share.
    /// Returns `None` if the share does not exist. The link may be an old one, so the caller must compare the
    /// generation.
    pub async fn choose_emails(
        &self,
        link: &Link,
        wants_emails: bool,
        now: Timestamp,
    ) -> Result<Option<Share>, Error> {
        let (set, remove, condition) = if wants_emails {
            ("emailsAllowedAt", "emailsStoppedAt", "attribute_exists(emailsStoppedAt)")
        } else {
            ("emailsStoppedAt", "emailsAllowedAt", "attribute_not_exists(emailsStoppedAt)")
        };
        let update = self
            .update(&link.item, link.share)
            .update_expression(format!(
                "SET {set} = :now, emailChoices = if_not_exists(emailChoices, :zero) + :one REMOVE {remove}"
            ))
            .condition_expression(format!("generation = :generation AND {condition}"))
            .expression_attribute_values(":now", millis(now))
            .expression_attribute_values(":zero", number(&0))
            .expression_attribute_values(":one", number(&1))
            .expression_attribute_values(":generation", text(&link.generation));
        match run_update(update).await? {
            UpdateResult::Updated(record) | UpdateResult::ConditionFailed(Some(record)) => {
                Ok(Some(record.into_share()?))
            }
            UpdateResult::ConditionFailed(None) => Ok(None),
        }
    }
}
