//! The stored form of a share's email.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use sharelink_domain::mail::{BounceType, Pending};
use sharelink_domain::{Mail, MailState};

use super::Attributes;
use super::record::{DecodeError, decode_optional_time};
use super::stored::StoredAction;
use crate::InternalError;

/// A share's email, stored as attributes of the share.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the prefix marks the attributes of the email")]
pub(super) struct MailRecord {
    pub(super) mail_state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mail_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mail_detail: Option<String>,
    /// The bounce type. Present only in the state `bounced`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mail_bounce: Option<String>,
    mail_attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mail_requested: Option<StoredAction>,
    #[serde(default, skip_serializing_if = "is_false")]
    mail_sent_before: bool,
    pub(super) mail_tries: u32,
    /// The sort key in the index `outbox`. Present only while the email is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mail_due: Option<i64>,
}

/// Omits the attribute from the rows of most shares, because DynamoDB bills every write by the size of the
/// row.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

const TRANSIENT: &str = "transient";
const PERMANENT: &str = "permanent";

impl From<&Mail> for MailRecord {
    fn from(mail: &Mail) -> Self {
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
            mail_requested: mail.requested.as_ref().map(StoredAction::from),
            mail_sent_before: mail.was_sent_before,
            mail_tries: mail.pending().map_or(0, |pending| pending.tries),
            mail_due: mail.pending().map(|pending| pending.due.timestamp_millis()),
        }
    }
}

/// The names of all attributes of an email that can change, except those of its claim.
const MAIL_ATTRIBUTES: [&str; 9] = [
    "mailState",
    "mailAt",
    "mailDetail",
    "mailBounce",
    "mailAttempt",
    "mailRequested",
    "mailSentBefore",
    "mailTries",
    "mailDue",
];

impl MailRecord {
    /// Returns every attribute's value. `None` means that the attribute is absent.
    pub(super) fn attributes(&self) -> Result<Vec<(&'static str, Option<AttributeValue>)>, InternalError> {
        let attributes: Attributes =
            serde_dynamo::to_item(self).map_err(|_| InternalError::Encoding("an email"))?;
        Ok(MAIL_ATTRIBUTES.map(|name| (name, attributes.get(name).cloned())).into())
    }

    pub(super) fn into_mail(self) -> Result<Mail, DecodeError> {
        let requested = match self.mail_requested {
            Some(action) => Some(action.decode("mailRequested")?),
            None => None,
        };
        let due = decode_optional_time(self.mail_due, "mailDue")?;
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
        Ok(Mail {
            state,
            at: decode_optional_time(self.mail_at, "mailAt")?,
            detail: self.mail_detail,
            attempt: self.mail_attempt,
            requested,
            was_sent_before: self.mail_sent_before,
        })
    }
}
