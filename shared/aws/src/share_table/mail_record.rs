//! The stored form of a share's email and reminder, and of their common place in the outbox.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use sharelink_domain::mail::{BounceType, Pending};
use sharelink_domain::reminder::{Reminder, ReminderState};
use sharelink_domain::{Mail, MailReason, MailState, Share};

use super::record::{DecodeError, decode_optional_time, mail_shard};
use super::stored::StoredAction;
use super::{Attributes, millis, number, text};
use crate::InternalError;

/// A share's email and reminder, stored as attributes of the share.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MailRecord {
    pub(super) mail_state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mail_at: Option<i64>,
    /// The reason's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    mail_detail: Option<String>,
    /// The bounce type. Present only in the state `bounced`.
    #[serde(skip_serializing_if = "Option::is_none")]
    mail_bounce: Option<String>,
    mail_attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mail_requested: Option<StoredAction>,
    #[serde(default, skip_serializing_if = "is_false")]
    mail_sent_before: bool,
    mail_tries: u32,
    /// The partition key in the index `outbox`. Present only while the email or the reminder is in the
    /// outbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    mail_shard: Option<String>,
    /// The sort key in the index `outbox`, present as `mail_shard` is. Belongs to the email if it is queued,
    /// and otherwise to the reminder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mail_due: Option<i64>,
    /// The days before the end of access on which the recipient gets a reminder.
    #[serde(skip_serializing_if = "Option::is_none")]
    remind_days: Option<u64>,
    /// `sent`, `failed` or `dropped`. Absent before.
    #[serde(skip_serializing_if = "Option::is_none")]
    remind_state: Option<String>,
    /// When the reminder entered this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    remind_at: Option<i64>,
    /// The code of the reason for which the reminder failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    remind_detail: Option<String>,
}

/// Omits the attribute from the rows of most shares, because DynamoDB bills every write by the size of the
/// row.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(super) fn is_false(value: &bool) -> bool {
    !value
}

const TRANSIENT: &str = "transient";
const PERMANENT: &str = "permanent";

const SENT: &str = "sent";
const FAILED: &str = "failed";
const DROPPED: &str = "dropped";

impl From<&Share> for MailRecord {
    fn from(share: &Share) -> Self {
        let mail = &share.mail;
        let bounce = match mail.state {
            MailState::Bounced(BounceType::Transient) => Some(TRANSIENT),
            MailState::Bounced(BounceType::Permanent) => Some(PERMANENT),
            _ => None,
        };
        let (remind_state, remind_at, reason) = match share.reminder.map(|reminder| reminder.state) {
            None | Some(ReminderState::Idle | ReminderState::Queued(_)) => (None, None, None),
            Some(ReminderState::Dropped) => (Some(DROPPED), None, None),
            Some(ReminderState::Sent { at }) => (Some(SENT), Some(at), None),
            Some(ReminderState::Failed { at, reason }) => (Some(FAILED), Some(at), Some(reason)),
        };
        let pending = share.queued().map(|queued| queued.pending);
        Self {
            mail_state: mail.state.name().to_owned(),
            mail_at: mail.at.map(|at| at.timestamp_millis()),
            mail_detail: mail.reason.map(|reason| reason.code().to_owned()),
            mail_bounce: bounce.map(Into::into),
            mail_attempt: mail.attempt,
            mail_requested: mail.requested.as_ref().map(StoredAction::from),
            mail_sent_before: mail.was_sent_before,
            mail_tries: pending.map_or(0, |pending| pending.tries),
            mail_shard: pending.map(|_| mail_shard(&share.id)),
            mail_due: pending.map(|pending| pending.due.timestamp_millis()),
            remind_days: share.reminder.map(|reminder| reminder.days_before.get().into()),
            remind_state: remind_state.map(Into::into),
            remind_at: remind_at.map(|at| at.timestamp_millis()),
            remind_detail: reason.map(|reason| reason.code().to_owned()),
        }
    }
}

impl MailRecord {
    pub(super) fn decode(self) -> Result<(Mail, Option<Reminder>), DecodeError> {
        let requested = match self.mail_requested {
            Some(action) => Some(action.decode("mailRequested")?),
            None => None,
        };
        let due = decode_optional_time(self.mail_due, "mailDue")?;
        let pending = due.map(|due| Pending { due, tries: self.mail_tries });
        let (of_mail, of_reminder) =
            if self.mail_state == "queued" { (pending, None) } else { (None, pending) };
        let state = match (self.mail_state.as_str(), of_mail, self.mail_bounce.as_deref()) {
            ("queued", Some(pending), None) => MailState::Queued(pending),
            ("none", None, None) => MailState::None,
            ("sent", None, None) => MailState::Sent,
            ("delivered", None, None) => MailState::Delivered,
            ("failed", None, None) => MailState::Failed,
            ("bounced", None, Some(TRANSIENT)) => MailState::Bounced(BounceType::Transient),
            ("bounced", None, Some(PERMANENT)) => MailState::Bounced(BounceType::Permanent),
            ("complained", None, None) => MailState::Complained,
            _ => return Err(DecodeError("mailState")),
        };
        let remind_at = decode_optional_time(self.remind_at, "remindAt")?;
        let reminder = match (self.remind_days, self.remind_state.as_deref(), of_reminder, remind_at) {
            (None, None, None, None) => None,
            (Some(_), None, None, None) => Some(ReminderState::Idle),
            (Some(_), None, Some(pending), None) => Some(ReminderState::Queued(pending)),
            (Some(_), Some(DROPPED), None, None) => Some(ReminderState::Dropped),
            (Some(_), Some(SENT), None, Some(at)) => Some(ReminderState::Sent { at }),
            (Some(_), Some(FAILED), None, Some(at)) => {
                let reason = MailReason::parse(self.remind_detail.as_deref().unwrap_or_default());
                Some(ReminderState::Failed { at, reason })
            }
            _ => return Err(DecodeError("remindState")),
        };
        let days_before = self.remind_days.unwrap_or_default().try_into();
        let days_before = days_before.map_err(|_| DecodeError("remindDays"))?;
        let mail = Mail {
            state,
            at: decode_optional_time(self.mail_at, "mailAt")?,
            reason: self.mail_detail.as_deref().map(MailReason::parse),
            attempt: self.mail_attempt,
            requested,
            was_sent_before: self.mail_sent_before,
        };
        Ok((mail, reminder.map(|state| Reminder { days_before, state })))
    }
}

/// The names of all attributes of an email and a reminder that can change, except those of a claim.
const MAIL_ATTRIBUTES: [&str; 14] = [
    "mailState",
    "mailAt",
    "mailDetail",
    "mailBounce",
    "mailAttempt",
    "mailRequested",
    "mailSentBefore",
    "mailTries",
    "mailShard",
    "mailDue",
    "remindDays",
    "remindState",
    "remindAt",
    "remindDetail",
];

/// The changes of the attributes of an email and a reminder, and other changes in the same update.
///
/// The changes are those between two states of a share, so the row must still be as the first one, in
/// everything from which the second one follows. Otherwise, it could become one that cannot be decoded.
pub(super) struct MailUpdate {
    set: Vec<String>,
    remove: Vec<&'static str>,
    /// Whether a sender that has claimed the row can no longer record an outcome.
    ends_claim: bool,
    /// The conditions that hold if the row is still as the first state.
    unchanged: Vec<String>,
    update: UpdateItemFluentBuilder,
}

impl MailUpdate {
    /// Adds the changes between two states of a share to an update.
    pub(super) fn new(
        update: UpdateItemFluentBuilder,
        before: &Share,
        after: &Share,
    ) -> Result<Self, InternalError> {
        let attributes = |share: &Share| -> Result<Attributes, InternalError> {
            let record = MailRecord::from(share);
            serde_dynamo::to_item(record).map_err(|_| InternalError::Encoding("an email"))
        };
        let pending = |share: &Share| share.queued().map(|queued| queued.pending);
        let is_moved = pending(before) != pending(after);
        let update = update
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":oldVersion", number(&before.version))
            .expression_attribute_values(":oldGeneration", text(&before.generation));
        let unchanged = vec!["generation = :oldGeneration AND #version = :oldVersion".to_owned()];
        let (before, mut after) = (attributes(before)?, attributes(after)?);
        let mut changes = Self { set: vec![], remove: vec![], ends_claim: is_moved, unchanged, update };
        for name in ["mailState", "mailAt", "mailAttempt", "remindDays", "remindState"] {
            changes.require_unchanged(name, before.get(name));
        }
        for name in MAIL_ATTRIBUTES {
            match after.remove(name) {
                // A claim may have changed the number of tries since the share was read.
                value if value.as_ref() == before.get(name) && !(is_moved && name == "mailTries") => {}
                Some(value) => changes.set(name, value),
                None => changes.remove.push(name),
            }
        }
        Ok(changes)
    }

    fn require_unchanged(&mut self, name: &str, value: Option<&AttributeValue>) {
        let Some(value) = value else {
            return self.unchanged.push(format!("attribute_not_exists({name})"));
        };
        self.unchanged.push(format!("{name} = :old_{name}"));
        self.update = self.update.clone().expression_attribute_values(format!(":old_{name}"), value.clone());
    }

    fn set(&mut self, name: &str, value: AttributeValue) {
        self.set.push(format!("{name} = :{name}"));
        self.update = self.update.clone().expression_attribute_values(format!(":{name}"), value);
    }

    /// Adds other assignments, whose values the caller adds.
    #[must_use]
    pub(super) fn and_set(mut self, assignments: String) -> Self {
        self.set.push(assignments);
        self
    }

    #[must_use]
    pub(super) fn and_remove(mut self, names: &[&'static str]) -> Self {
        self.remove.extend(names);
        self
    }

    /// Ends the claim of a sender. A claim also ends if what is in the outbox leaves its place or moves.
    #[must_use]
    pub(super) fn and_end_claim(self) -> Self {
        Self { ends_claim: true, ..self }
    }

    /// Completes the update with its condition. What was in the outbox must still be there, with the same due
    /// time: a claim must not come in between.
    pub(super) fn if_not_claimed(mut self, current: &Share) -> UpdateItemFluentBuilder {
        let due = current.queued().map(|queued| millis(queued.pending.due));
        self.require_unchanged("mailDue", due.as_ref());
        self.if_unchanged()
    }

    /// Completes the update with its condition.
    pub(super) fn if_unchanged(self) -> UpdateItemFluentBuilder {
        let (update, unchanged) = self.build();
        update.condition_expression(unchanged)
    }

    /// Completes the update. Returns it with its condition.
    pub(super) fn build(mut self) -> (UpdateItemFluentBuilder, String) {
        if self.ends_claim {
            self.remove.push("mailClaim");
        }
        let clause = |keyword, parts: String| {
            if parts.is_empty() { parts } else { format!("{keyword} {parts}") }
        };
        let set = clause("SET", self.set.join(", "));
        let remove = clause("REMOVE", self.remove.join(", "));
        (
            self.update.update_expression(format!("{set} {remove}").trim().to_owned()),
            self.unchanged.join(" AND "),
        )
    }
}
