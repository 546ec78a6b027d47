//! A share, and the changes that sharers make to it.

use chrono::{DateTime, FixedOffset, TimeDelta};
use thiserror::Error;

use crate::email_choice::EmailChoice;
use crate::expiry::{ExpiryError, RequestedExpiry};
use crate::history::{Action, Change, ChangeKind, LinkCopy, Usage};
use crate::link::KeyId;
use crate::more_time::MoreTime;
use crate::reminder::{Reminder, ReminderDays, ReminderError};
use crate::rules::RuleViolation;
use crate::{
    EmailAddress, FileName, Generation, Item, Language, Mail, MailState, Message, ObjectKey, RecipientName,
    ShareId, ShareRules, Sharer, Status, Timestamp, Title, WriteId,
};

/// A shared file, with its size at the time of sharing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedFile {
    pub name: FileName,
    /// The size in bytes.
    pub size: u64,
    /// The object's key, if the platform's item resolver determined it. Otherwise, it follows from the name.
    pub key: Option<ObjectKey>,
}

/// The version of a new share.
pub(crate) const FIRST_VERSION: u64 = 1;

/// One recipient's access to an item's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    pub id: ShareId,
    pub item: Item,
    pub recipient: EmailAddress,
    /// The recipient's name, if the sharer entered one with the address.
    pub recipient_name: Option<RecipientName>,
    /// Never empty.
    pub files: Vec<SharedFile>,
    pub created_by: Sharer,
    pub message: Option<Message>,
    /// The item's title, if the platform's item resolver gave one.
    pub title: Option<Title>,
    /// The language of the emails, and of the pages for a recipient whose browser asks for none.
    pub language: Language,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// The UTC offset of the requested expiry, for formatting the expiry.
    pub expires_offset: FixedOffset,
    pub revoked_at: Option<Timestamp>,
    /// Incremented only when the expiration, the revocation or the link changes.
    pub version: u64,
    pub generation: Generation,
    /// The key that seals the link. Set when the link is sealed for the first time.
    pub link_key: Option<KeyId>,
    pub mail: Mail,
    /// The reminder to the recipient, if one was requested.
    pub reminder: Option<Reminder>,
    /// Whether the sharer gets a notice of the first download.
    pub notify_on_first_download: bool,
    pub usage: Usage,
    /// The last change to the expiration, the revocation or the link.
    pub changed: Option<Change>,
    /// The last disclosure of the link to a sharer.
    pub link_copied: Option<LinkCopy>,
    /// When the link was last renewed.
    pub renewed_at: Option<Timestamp>,
    /// The recipient's requests for more time, if there were any.
    pub more_time: Option<MoreTime>,
    /// The recipient's latest choice whether to get emails, if the recipient has made one.
    pub email_choice: Option<EmailChoice>,
}

/// A request to change a share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestedChanges {
    pub expiry: Option<RequestedExpiry>,
    /// The days before the end of access on which the recipient gets a reminder.
    pub reminder: Option<ReminderDays>,
}

/// A request to replace a share's link with a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// The generation of the new link.
    pub generation: Generation,
    /// The new expiry. `None` keeps the current one, which requires an active share.
    pub expiry: Option<RequestedExpiry>,
    /// Whether to email the new link.
    pub notify: bool,
}

/// The share version that the caller believes it is changing (`If-Match`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedVersion {
    Exactly(u64),
    Any,
}

impl ExpectedVersion {
    fn matches(self, version: u64) -> bool {
        self == Self::Any || self == Self::Exactly(version)
    }

    /// Returns whether the caller believes it is changing the version before this one.
    fn is_one_behind(self, version: u64) -> bool {
        version.checked_sub(1).is_some_and(|previous| self.matches(previous))
    }
}

/// The reason an expiration was not changed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ChangeExpirationError {
    /// The share is not at the expected version.
    #[error("the share has changed since it was read")]
    StaleVersion,
    #[error(transparent)]
    Expiry(#[from] ExpiryError),
    #[error(transparent)]
    Rule(#[from] RuleViolation),
    /// The caller is switched off, and the change would give or prolong access.
    #[error("the caller is switched off")]
    CallerOff,
    /// The recipient would not get the requested reminder.
    #[error(transparent)]
    Reminder(#[from] ReminderError),
}

/// The reason the link was not renewed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RenewError {
    /// The share is not at the expected version.
    #[error("the share has changed since it was read")]
    StaleVersion,
    /// The share is inactive, and the request contains no new expiry.
    #[error("the share is inactive")]
    Inactive,
    /// The request asks for an email, but the recipient has stopped them.
    #[error("the recipient has stopped emails")]
    EmailsStopped,
    #[error(transparent)]
    Expiry(#[from] ExpiryError),
    #[error(transparent)]
    Rule(#[from] RuleViolation),
}

/// The reason the email was not resent.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ResendError {
    /// The link gives no access.
    #[error("the share is inactive")]
    Inactive,
    /// The previous email was requested too recently or is still pending.
    #[error("it is too soon for another email")]
    TooSoon { until: Timestamp },
    /// The recipient reported an earlier email as spam.
    #[error("the recipient has complained")]
    Complained,
    /// The recipient wants no more emails about the share.
    #[error("the recipient has stopped emails")]
    EmailsStopped,
    #[error(transparent)]
    Rule(#[from] RuleViolation),
}

impl Share {
    /// Returns the share after its revocation, or `None` if the share is already revoked.
    #[must_use]
    pub fn revoked(&self, action: &Action) -> Option<Self> {
        if self.revoked_at.is_some() {
            return None;
        }
        Some(Self {
            revoked_at: Some(action.at),
            version: self.version + 1,
            changed: Some(Change { kind: ChangeKind::Revocation, action: action.clone() }),
            ..self.clone()
        })
    }

    /// Returns the share with the requested expiration, or `None` if there is nothing to change.
    ///
    /// A future expiry reactivates an expired or revoked share, even if it is the share's current expiry:
    /// this is how a revocation is undone. A past expiry ends access immediately, and a revoked share stays
    /// revoked. An expiry equal to the current one, at any offset, changes nothing otherwise. Without this
    /// rule, the share log would contain changes that change nothing.
    ///
    /// A change that gives or prolongs access must meet the deployment's rules. Every other change is
    /// possible, even if the share itself does not meet them any longer.
    ///
    /// The request is treated as a retry after a lost response if the expected version is one behind, and the
    /// last change was made by the same sharer and set the same expiry. A retry succeeds even on a later day,
    /// when a new request with that expiry would be rejected.
    pub fn with_expiration(
        &self,
        requested: RequestedExpiry,
        action: &Action,
        expected: ExpectedVersion,
        rules: &ShareRules,
    ) -> Result<Option<Self>, ChangeExpirationError> {
        if !expected.matches(self.version) {
            let is_retry = expected.is_one_behind(self.version)
                && self.was_last_changed(ChangeKind::Expiration, &action.by)
                && self.expires_at == requested.at()
                && self.expires_offset == requested.offset();
            return if is_retry { Ok(None) } else { Err(ChangeExpirationError::StaleVersion) };
        }
        let expiry = requested.accept(action.at)?;
        let revoked_at = self.revoked_at.filter(|_| expiry.is_past());
        if expiry.at() == self.expires_at && revoked_at == self.revoked_at {
            return Ok(None);
        }
        let changed = Self {
            expires_at: expiry.at(),
            expires_offset: expiry.offset(),
            revoked_at,
            version: self.version + 1,
            changed: Some(Change { kind: ChangeKind::Expiration, action: action.clone() }),
            ..self.clone()
        };
        self.check_access_of(&changed, action.at, rules)?;
        Ok(Some(changed.with_reminder_moved(action.at)))
    }

    /// Returns the share with the expiration that a switched-off caller requests, as
    /// [`with_expiration`](Self::with_expiration) does. Such a caller can end and shorten access, but neither
    /// give nor prolong it: the link of another sharer's share works.
    pub fn with_expiration_by_off_caller(
        &self,
        requested: RequestedExpiry,
        action: &Action,
        expected: ExpectedVersion,
        rules: &ShareRules,
    ) -> Result<Option<Self>, ChangeExpirationError> {
        match self.with_expiration(requested, action, expected, rules)? {
            Some(changed) if changed.gives_more_than(self, action.at) => {
                Err(ChangeExpirationError::CallerOff)
            }
            changed => Ok(changed),
        }
    }

    /// Returns the share with the requested changes of its expiration and its reminder, or `None` if there is
    /// nothing to change. The expiration changes as in [`with_expiration`](Self::with_expiration), or in
    /// [`with_expiration_by_off_caller`](Self::with_expiration_by_off_caller) for a switched-off caller, who
    /// cannot request a reminder either. A changed reminder does not change the version.
    pub fn with_changes(
        &self,
        requested: RequestedChanges,
        action: &Action,
        expected: ExpectedVersion,
        is_caller_off: bool,
        rules: &ShareRules,
    ) -> Result<Option<Self>, ChangeExpirationError> {
        let RequestedChanges { expiry, reminder } = requested;
        if is_caller_off && reminder.is_some_and(|days| days.get() > 0) {
            return Err(ChangeExpirationError::CallerOff);
        }
        let changed = match expiry {
            Some(expiry) if is_caller_off => {
                self.with_expiration_by_off_caller(expiry, action, expected, rules)?
            }
            Some(expiry) => self.with_expiration(expiry, action, expected, rules)?,
            None if expected.matches(self.version) => None,
            None => return Err(ChangeExpirationError::StaleVersion),
        };
        // A retry of a change that was made does not match the version, and has changed the reminder, too.
        let Some(days) = reminder.filter(|_| expected.matches(self.version)) else { return Ok(changed) };
        if days.get() > 0 {
            rules.check_recipient(&self.recipient)?;
        }
        let reminded = changed.as_ref().unwrap_or(self).with_reminder(days, action.at)?;
        Ok((reminded != *self).then_some(reminded))
    }

    /// Returns whether the share gives access that it did not give before a change at `now`.
    fn gives_more_than(&self, before: &Self, now: Timestamp) -> bool {
        let is_active = |share: &Self| share.status(now) == Status::Active;
        is_active(self) && (!is_active(before) || self.expires_at > before.expires_at)
    }

    /// Checks the rules if the changed share gives access that this share does not give.
    fn check_access_of(
        &self,
        changed: &Self,
        now: Timestamp,
        rules: &ShareRules,
    ) -> Result<(), RuleViolation> {
        if changed.gives_more_than(self, now) { rules.check_access(changed, now) } else { Ok(()) }
    }

    /// Returns the share with a new link, or `None` if the link was already renewed. The old link no longer
    /// exists, and no other change can bring it back.
    ///
    /// An inactive share is renewed only together with a future expiry, which reactivates it. Everything else
    /// is kept, except that the email may change as [`Mail::after_renewal`] describes. Without an email, the
    /// reminder is dropped until one is requested, because it would email the new link.
    ///
    /// The deployment's rules must allow the recipient, and the renewal without an email if it has none. A new
    /// expiry must meet them as in [`with_expiration`](Self::with_expiration).
    ///
    /// A retry after a lost response is recognized as in [`with_expiration`](Self::with_expiration).
    pub fn renewed(
        &self,
        renewal: &Renewal,
        action: &Action,
        expected: ExpectedVersion,
        rules: &ShareRules,
    ) -> Result<Option<Self>, RenewError> {
        let kind = ChangeKind::Renewal { notify: renewal.notify };
        if !expected.matches(self.version) {
            let is_retry = expected.is_one_behind(self.version)
                && self.was_last_changed(kind, &action.by)
                && renewal.expiry.is_none_or(|requested| requested.at() == self.expires_at);
            return if is_retry { Ok(None) } else { Err(RenewError::StaleVersion) };
        }
        let (expires_at, expires_offset) = match renewal.expiry {
            Some(requested) => {
                let expiry = requested.accept(action.at)?;
                if expiry.is_past() {
                    return Err(ExpiryError::NotInFuture.into());
                }
                (expiry.at(), expiry.offset())
            }
            None if self.status(action.at) == Status::Active => (self.expires_at, self.expires_offset),
            None => return Err(RenewError::Inactive),
        };
        rules.check_recipient(&self.recipient)?;
        rules.check_email(renewal.notify)?;
        if renewal.notify && self.emails_stopped_at().is_some() {
            return Err(RenewError::EmailsStopped);
        }
        let renewed = Self {
            expires_at,
            expires_offset,
            revoked_at: None,
            version: self.version + 1,
            generation: renewal.generation,
            // The key that is current when the new link is sealed, because the old key may have leaked.
            link_key: None,
            mail: self.mail.after_renewal(renewal.notify, self.created_at, action),
            changed: Some(Change { kind, action: action.clone() }),
            renewed_at: Some(action.at),
            ..self.clone()
        };
        self.check_access_of(&renewed, action.at, rules)?;
        let renewed = if renewal.notify { renewed } else { renewed.with_reminder_dropped() };
        Ok(Some(renewed.with_reminder_moved(action.at)))
    }

    /// Returns whether the last change was of this kind and by this sharer.
    fn was_last_changed(&self, kind: ChangeKind, by: &Sharer) -> bool {
        let is_same = |change: &Change| change.kind == kind && change.action.by.sub == by.sub;
        self.changed.as_ref().is_some_and(is_same)
    }

    /// Returns the share with a new email, which contains the same link and is due immediately.
    pub fn resent(&self, action: &Action, rules: &ShareRules) -> Result<Self, ResendError> {
        rules.check_recipient(&self.recipient)?;
        if self.status(action.at) != Status::Active {
            return Err(ResendError::Inactive);
        }
        if self.mail.state == MailState::Complained {
            return Err(ResendError::Complained);
        }
        if self.emails_stopped_at().is_some() {
            return Err(ResendError::EmailsStopped);
        }
        match self.mail.resend_allowed_at(self.created_at) {
            Some(until) if action.at < until => Err(ResendError::TooSoon { until }),
            _ => {
                let resent = Self { mail: self.mail.next_attempt(action), ..self.clone() };
                Ok(resent.with_reminder_queued(action.at))
            }
        }
    }

    /// Returns the record that the link is disclosed to a sharer.
    pub fn copied(
        &self,
        action: &Action,
        id: WriteId,
        rules: &ShareRules,
    ) -> Result<LinkCopy, RuleViolation> {
        rules.check_email(false)?;
        rules.check_recipient(&self.recipient)?;
        Ok(LinkCopy { action: action.clone(), id })
    }

    /// Returns the expiry at the UTC offset that the sharer chose.
    #[must_use]
    pub fn local_expiry(&self) -> DateTime<FixedOffset> {
        self.expires_at.with_timezone(&self.expires_offset)
    }

    /// Returns the expiry in the share's language at the sharer's offset, such as `10 March 2026 at 14:00
    /// (UTC+01:00)`.
    #[must_use]
    pub fn expiry_text(&self) -> String {
        self.language.date(self.local_expiry())
    }

    /// Returns when the email was requested, in the share's language at the sharer's offset, if an earlier
    /// email was sent. The text differs for each resend, because resends are at least five minutes apart.
    #[must_use]
    pub fn resend_text(&self) -> Option<String> {
        let at = self.mail.requested.as_ref().filter(|_| self.mail.was_sent_before)?.at;
        Some(self.language.date(at.with_timezone(&self.expires_offset)))
    }

    /// Returns whether the email was requested by the renewal of the link, so that earlier emails contain another.
    #[must_use]
    pub fn email_replaces_link(&self) -> bool {
        self.renewed_at.is_some() && self.renewed_at == self.mail.requested.as_ref().map(|by| by.at)
    }

    /// Returns the time at which the share expires, or expired, on schedule. Returns `None` if the share is
    /// revoked, or if its expiry was already in the past when it was set.
    #[must_use]
    pub fn scheduled_expiry(&self) -> Option<Timestamp> {
        let last_set = self.changed.as_ref().filter(|change| change.kind == ChangeKind::Expiration);
        let set_at = last_set.map_or(self.created_at, |change| change.action.at);
        (self.revoked_at.is_none() && self.expires_at > set_at).then_some(self.expires_at)
    }

    /// Returns when the share may be purged: one retention period after its access ends. If the share was
    /// created already expired, its access ends at its creation.
    #[must_use]
    pub fn purge_at(&self, retention: TimeDelta) -> Timestamp {
        let end = self.revoked_at.map_or(self.expires_at, |revoked| revoked.min(self.expires_at));
        end.max(self.created_at) + retention
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MailReason;
    use crate::access::{InactiveReason, RedeemError, Target};
    use crate::mail::{self, MailState};
    use crate::sending::SendOutcome;
    use crate::testing::{NOW, action_by, ann, pending, requested_expiry, share, time};

    const PAST_TODAY: &str = "2026-03-10T01:00:00Z";

    fn with_expiration(share: &Share, expiry: &str, expected: ExpectedVersion) -> Share {
        share
            .with_expiration(requested_expiry(expiry), &ann(), expected, &ShareRules::default())
            .unwrap()
            .unwrap()
    }

    #[test]
    fn revocation_ends_access_and_is_idempotent() {
        let revoked = share(&["a"]).revoked(&ann()).unwrap();
        assert_eq!(revoked.version, 2);
        assert_eq!(revoked.status(time(NOW)), Status::Inactive(InactiveReason::Revoked));
        assert_eq!(revoked.revoked(&ann()), None);
    }

    #[test]
    fn future_expiry_reactivates_a_revoked_share() {
        let active = share(&["a"]);
        let revoked = active.revoked(&ann()).unwrap();
        let changed = with_expiration(&revoked, "2026-03-11T10:00:00+02:00", ExpectedVersion::Exactly(2));
        assert_eq!(changed.version, 3);
        assert_eq!(changed.status(time(NOW)), Status::Active);
        assert_eq!(changed.expires_at, time("2026-03-11T08:00:00Z"));
        assert_eq!(changed.expires_offset.local_minus_utc(), 7200);
        assert_eq!(changed.generation, active.generation, "the link must not change");
        assert_eq!(changed.mail, active.mail, "the email must not change");
    }

    #[test]
    fn past_expiry_leaves_a_revoked_share_revoked() {
        let revoked = share(&["a"]).revoked(&ann()).unwrap();
        let changed = with_expiration(&revoked, PAST_TODAY, ExpectedVersion::Exactly(2));
        assert_eq!(changed.status(time(NOW)), Status::Inactive(InactiveReason::Revoked));
    }

    #[test]
    fn past_expiry_ends_access_immediately() {
        let changed = with_expiration(&share(&["a"]), PAST_TODAY, ExpectedVersion::Any);
        assert_eq!(changed.status(time(NOW)), Status::Inactive(InactiveReason::Expired));
    }

    #[test]
    fn switched_off_caller_can_only_end_or_shorten_access() {
        let change = |share: &Share, expiry| {
            let (requested, rules) = (requested_expiry(expiry), ShareRules::default());
            share.with_expiration_by_off_caller(requested, &ann(), ExpectedVersion::Any, &rules)
        };
        let active = share(&["a"]);
        let revoked = active.revoked(&ann()).unwrap();
        let expired = with_expiration(&active, PAST_TODAY, ExpectedVersion::Any);
        let refused = Err(ChangeExpirationError::CallerOff);
        assert_eq!(change(&active, "2026-03-10T13:00:00.001Z"), refused, "prolonged");
        for inactive in [&revoked, &expired] {
            for future in ["2026-03-10T12:00:01Z", "2026-03-10T13:00:00Z", "2026-03-11T13:00:00Z"] {
                assert_eq!(change(inactive, future), refused, "reactivated until {future}");
            }
        }
        for shorter in ["2026-03-10T12:59:59Z", PAST_TODAY] {
            let expected = with_expiration(&active, shorter, ExpectedVersion::Any);
            assert_eq!(change(&active, shorter), Ok(Some(expected)));
        }
        assert_eq!(change(&active, "2026-03-10T13:00:00Z"), Ok(None), "unchanged");
        assert!(change(&revoked, PAST_TODAY).unwrap().is_some(), "still inactive");
    }

    #[test]
    fn change_requires_the_expected_version() {
        let expiry = requested_expiry("2026-03-11T10:00:00Z");
        let changed = with_expiration(&share(&["a"]), "2026-03-11T10:00:00Z", ExpectedVersion::Exactly(1));
        let change = |share: &Share, expiry, by: &Action, version| {
            share.with_expiration(expiry, by, ExpectedVersion::Exactly(version), &ShareRules::default())
        };
        let stale = Err(ChangeExpirationError::StaleVersion);
        let other_expiry = requested_expiry("2026-03-12T10:00:00Z");
        assert_eq!(change(&changed, other_expiry, &ann(), 1), stale, "another expiry");
        assert_eq!(change(&changed, expiry, &action_by("bob"), 1), stale, "another caller");
        assert_eq!(change(&changed, expiry, &ann(), 3), stale, "a future version");
        let other = with_expiration(&changed, "2026-03-12T10:00:00Z", ExpectedVersion::Exactly(2));
        let again = with_expiration(&other, "2026-03-11T10:00:00Z", ExpectedVersion::Exactly(3));
        assert_eq!(change(&again, expiry, &ann(), 1), stale, "three versions behind");
        let revoked = changed.revoked(&ann()).unwrap();
        assert_eq!(change(&revoked, expiry, &ann(), 2), stale, "revoked in between");
    }

    #[test]
    fn unchanged_expiry_changes_nothing() {
        let save = |share: &Share, expiry: &str, at: Timestamp| {
            let action = Action { at, ..action_by("bob") };
            share.with_expiration(
                requested_expiry(expiry),
                &action,
                ExpectedVersion::Exactly(share.version),
                &ShareRules::default(),
            )
        };
        let active = share(&["a"]);
        for same_moment in ["2026-03-10T13:00:00Z", "2026-03-10T14:00:00+01:00", "2026-03-10T13:00:00.0009Z"]
        {
            assert_eq!(save(&active, same_moment, time(NOW)), Ok(None), "active, {same_moment}");
        }
        let later_today = time("2026-03-10T18:00:00Z");
        assert_eq!(save(&active, "2026-03-10T13:00:00Z", later_today), Ok(None), "expired");
        let revoked = active.revoked(&ann()).unwrap();
        assert_eq!(save(&revoked, "2026-03-10T13:00:00Z", later_today), Ok(None), "revoked, then expired");
        for (expiry, at) in [("2026-03-10T13:00:00.001Z", time(NOW)), ("2026-03-10T13:00:01Z", later_today)] {
            assert_eq!(save(&active, expiry, at).unwrap().unwrap().version, 2, "another expiry, {expiry}");
        }
        let tomorrow = time("2026-03-11T00:00:00Z");
        let before_today = Err(ChangeExpirationError::Expiry(ExpiryError::BeforeToday));
        assert_eq!(save(&active, "2026-03-10T13:00:00Z", tomorrow), before_today);
    }

    #[test]
    fn same_future_expiry_undoes_a_revocation() {
        let revoked = share(&["a"]).revoked(&ann()).unwrap();
        let undone = with_expiration(&revoked, "2026-03-10T13:00:00Z", ExpectedVersion::Exactly(2));
        assert_eq!(undone.status(time(NOW)), Status::Active);
        assert_eq!(undone.version, 3);
        assert_eq!(undone.expires_at, revoked.expires_at);
    }

    #[test]
    fn unchanged_expiry_still_requires_the_version() {
        let same = requested_expiry("2026-03-10T13:00:00Z");
        let revoked = share(&["a"]).revoked(&ann()).unwrap();
        for version in [1, 3] {
            assert_eq!(
                revoked.with_expiration(
                    same,
                    &ann(),
                    ExpectedVersion::Exactly(version),
                    &ShareRules::default()
                ),
                Err(ChangeExpirationError::StaleVersion),
                "{version}"
            );
        }
    }

    #[test]
    fn retried_change_succeeds_without_another_change() {
        let changed = with_expiration(&share(&["a"]), "2026-03-11T10:00:00Z", ExpectedVersion::Exactly(1));
        let retried = changed.with_expiration(
            requested_expiry("2026-03-11T10:00:00Z"),
            &ann(),
            ExpectedVersion::Exactly(1),
            &ShareRules::default(),
        );
        assert_eq!(retried, Ok(None));
    }

    const NEW: Renewal = Renewal { generation: Generation::from_bytes([9; 16]), expiry: None, notify: false };

    fn with_expiry(expiry: &str) -> Renewal {
        Renewal { expiry: Some(requested_expiry(expiry)), ..NEW }
    }

    fn renewed(share: &Share, renewal: &Renewal, version: u64) -> Result<Option<Share>, RenewError> {
        share.renewed(renewal, &ann(), ExpectedVersion::Exactly(version), &ShareRules::default())
    }

    #[test]
    fn renewal_replaces_only_the_link() {
        let used = Share { link_key: Some("k1".parse().unwrap()), ..sent_share() };
        let renewed = renewed(&used, &NEW, 1).unwrap().unwrap();
        let change = Change { kind: ChangeKind::Renewal { notify: false }, action: ann() };
        assert_eq!(
            renewed,
            Share {
                generation: NEW.generation,
                link_key: None,
                version: 2,
                changed: Some(change),
                renewed_at: Some(time(NOW)),
                ..used.clone()
            }
        );
        assert_eq!(
            renewed.redeem(used.generation, Target::Link, time(NOW)),
            Err(RedeemError::UnknownLink),
            "the old link"
        );
        assert!(renewed.redeem(NEW.generation, Target::Link, time(NOW)).is_ok());
    }

    #[test]
    fn renewal_reactivates_only_with_a_future_expiry() {
        let expired = Share { expires_at: time(PAST_TODAY), ..share(&["a"]) };
        for (name, inactive) in [("expired", expired), ("revoked", share(&["a"]).revoked(&ann()).unwrap())] {
            let renew = |renewal: &Renewal| renewed(&inactive, renewal, inactive.version);
            assert_eq!(renew(&NEW), Err(RenewError::Inactive), "{name}");
            let not_future = Err(RenewError::Expiry(ExpiryError::NotInFuture));
            assert_eq!(renew(&with_expiry(PAST_TODAY)), not_future, "{name}");
            assert_eq!(renew(&with_expiry(NOW)), not_future, "{name}, now");
            let changed = renew(&with_expiry("2026-03-11T10:00:00+02:00")).unwrap().unwrap();
            assert_eq!(changed.status(time(NOW)), Status::Active, "{name}");
            assert_eq!(changed.expires_at, time("2026-03-11T08:00:00Z"), "{name}");
            assert_eq!(changed.expires_offset.local_minus_utc(), 7200, "{name}");
            assert_eq!(changed.generation, NEW.generation, "{name}");
        }
        let active = renewed(&share(&["a"]), &with_expiry(PAST_TODAY), 1);
        assert_eq!(active, Err(RenewError::Expiry(ExpiryError::NotInFuture)), "active");
    }

    #[test]
    fn renewal_requires_the_expected_version() {
        let first = renewed(&share(&["a"]), &NEW, 1).unwrap().unwrap();
        let stale = Err(RenewError::StaleVersion);
        let bob = first.renewed(&NEW, &action_by("bob"), ExpectedVersion::Exactly(1), &ShareRules::default());
        assert_eq!(bob, stale, "another caller");
        assert_eq!(renewed(&first, &Renewal { notify: true, ..NEW }, 1), stale, "another choice");
        assert_eq!(renewed(&first, &with_expiry("2026-03-11T10:00:00Z"), 1), stale, "another expiry");
        assert_eq!(renewed(&first, &NEW, 3), stale, "a future version");
        assert_eq!(renewed(&first.revoked(&ann()).unwrap(), &NEW, 2), stale, "revoked in between");
        let change = first.with_expiration(
            requested_expiry(NOW),
            &ann(),
            ExpectedVersion::Exactly(1),
            &ShareRules::default(),
        );
        assert_eq!(change, Err(ChangeExpirationError::StaleVersion), "a change of the expiration");
    }

    #[test]
    fn retried_renewal_succeeds_without_another_link() {
        for renewal in [NEW, with_expiry("2026-03-11T10:00:00Z"), Renewal { notify: true, ..NEW }] {
            let first = renewed(&share(&["a"]), &renewal, 1).unwrap().unwrap();
            let retry = Renewal { generation: Generation::from_bytes([10; 16]), ..renewal };
            assert_eq!(renewed(&first, &retry, 1), Ok(None), "{renewal:?}");
        }
    }

    #[test]
    fn retried_change_to_a_past_expiry_succeeds_the_next_day() {
        let revoked = share(&["a"]).revoked(&ann()).unwrap();
        let past = requested_expiry(PAST_TODAY);
        let changed = with_expiration(&revoked, PAST_TODAY, ExpectedVersion::Exactly(2));
        assert_eq!(
            changed.with_expiration(past, &ann(), ExpectedVersion::Exactly(2), &ShareRules::default()),
            Ok(None)
        );
        let tomorrow = Action { at: time(NOW) + TimeDelta::days(1), ..ann() };
        assert_eq!(
            changed.with_expiration(past, &tomorrow, ExpectedVersion::Exactly(2), &ShareRules::default()),
            Ok(None)
        );
        assert_eq!(
            changed.with_expiration(past, &tomorrow, ExpectedVersion::Exactly(3), &ShareRules::default()),
            Err(ChangeExpirationError::Expiry(ExpiryError::BeforeToday)),
            "a new change"
        );
    }

    #[test]
    fn same_moment_at_another_offset_is_not_a_retry() {
        let changed = with_expiration(&share(&["a"]), PAST_TODAY, ExpectedVersion::Exactly(1));
        let other_offset = requested_expiry("2026-03-10T02:00:00+01:00");
        assert_eq!(
            changed.with_expiration(
                other_offset,
                &ann(),
                ExpectedVersion::Exactly(1),
                &ShareRules::default()
            ),
            Err(ChangeExpirationError::StaleVersion)
        );
    }

    fn after_minutes(minutes: i64) -> Action {
        Action { at: time(NOW) + TimeDelta::minutes(minutes), ..ann() }
    }

    fn long_lived_share() -> Share {
        Share { expires_at: time(NOW) + TimeDelta::days(9), ..share(&["a"]) }
    }

    fn sent_share() -> Share {
        let mut share = long_lived_share();
        share.mail.state = MailState::Sent;
        share
    }

    #[test]
    fn resend_queues_the_same_link_again() {
        let sent = sent_share();
        let resent = sent.resent(&after_minutes(5), &ShareRules::default()).unwrap();
        assert_eq!(resent.version, sent.version);
        assert_eq!(resent.generation, sent.generation);
        assert_eq!(resent.mail.state, pending(after_minutes(5).at, 0));
        assert_eq!(resent.mail.attempt, 2);
        assert_eq!(resent.mail.requested, Some(after_minutes(5)));
    }

    #[test]
    fn early_resend_is_rejected() {
        let too_soon = |until| Err(ResendError::TooSoon { until });
        assert_eq!(
            sent_share().resent(&after_minutes(4), &ShareRules::default()),
            too_soon(after_minutes(5).at)
        );

        let mut pending_share = long_lived_share();
        assert_eq!(
            pending_share.resent(&after_minutes(0), &ShareRules::default()),
            too_soon(after_minutes(5).at)
        );
        assert_eq!(
            pending_share.resent(&after_minutes(5), &ShareRules::default()).unwrap().mail.attempt,
            2,
            "the sender's lease has expired"
        );
        pending_share.mail.state = pending(after_minutes(30).at, 3);
        assert_eq!(
            pending_share.resent(&after_minutes(31), &ShareRules::default()),
            too_soon(after_minutes(30).at + mail::LEASE),
            "the email is still pending"
        );
    }

    #[test]
    fn email_for_an_inactive_share_is_not_resent() {
        let sent = sent_share();
        assert_eq!(
            sent.resent(&after_minutes(9 * 24 * 60), &ShareRules::default()),
            Err(ResendError::Inactive)
        );
        assert_eq!(
            sent.revoked(&ann()).unwrap().resent(&after_minutes(5), &ShareRules::default()),
            Err(ResendError::Inactive)
        );
    }

    #[test]
    fn email_is_not_resent_after_a_complaint() {
        let mut complained = sent_share();
        complained.mail.state = MailState::Complained;
        assert_eq!(
            complained.resent(&after_minutes(24 * 60), &ShareRules::default()),
            Err(ResendError::Complained)
        );
    }

    #[test]
    fn stopped_emails_prevent_resends_and_emailed_renewals() {
        let sent = sent_share();
        let choose = |share: &Share, wants_emails| {
            share.with_email_choice(share.generation, wants_emails, time(NOW)).unwrap().unwrap()
        };
        let stopped = choose(&sent, false);
        let rules = ShareRules::default();
        assert_eq!(stopped.resent(&after_minutes(5), &rules), Err(ResendError::EmailsStopped));
        let renew_and_notify = Renewal { notify: true, ..NEW };
        assert_eq!(renewed(&stopped, &renew_and_notify, 1), Err(RenewError::EmailsStopped));
        assert_eq!(renewed(&stopped, &renew_and_notify, 2), Err(RenewError::StaleVersion));
        let silently_renewed = renewed(&stopped, &NEW, 1).unwrap().unwrap();
        assert_eq!(silently_renewed.emails_stopped_at(), Some(time(NOW)), "a new link changes no choice");
        assert!(choose(&stopped, true).resent(&after_minutes(5), &rules).is_ok(), "allowed again");
    }

    #[test]
    fn share_without_an_email_may_be_emailed_immediately() {
        let share = Share { mail: Mail::none(), ..long_lived_share() };
        assert_eq!(share.resent(&after_minutes(0), &ShareRules::default()).unwrap().mail.attempt, 1);
    }

    #[test]
    fn email_says_that_it_is_a_resend_only_if_one_was_sent() {
        let next_text = |mail: &Mail, minutes| {
            let resent = Share { mail: mail.clone(), ..long_lived_share() }
                .resent(&after_minutes(minutes), &ShareRules::default());
            let mail = resent.unwrap().mail;
            (Share { mail: mail.clone(), ..long_lived_share() }.resend_text(), mail)
        };
        let first = long_lived_share().mail;
        assert_eq!(long_lived_share().resend_text(), None, "the first email");
        let unsent = [
            ("no email", Mail::none()),
            ("pending", first.clone()),
            ("withdrawn", first.after_sending(SendOutcome::Withdrawn(MailReason::Withdrawn), time(NOW))),
            ("failed", first.after_sending(SendOutcome::Failed(MailReason::GivenUp), time(NOW))),
        ];
        for (case, mail) in unsent {
            let (text, next) = next_text(&mail, 5);
            assert_eq!(text, None, "{case}");
            assert_eq!(next_text(&next, 60).0, None, "{case}, twice");
        }
        let sent = first.after_sending(SendOutcome::Sent, time(NOW));
        let states = [MailState::Sent, MailState::Delivered, MailState::Bounced(mail::BounceType::Transient)];
        for state in states {
            let (text, next) = next_text(&Mail { state, ..sent.clone() }, 5);
            assert_eq!(text.as_deref(), Some("10 March 2026 at 12:05 (UTC)"), "{state:?}");
            let failed = next.after_sending(SendOutcome::Failed(MailReason::GivenUp), time(NOW));
            let (text, _) = next_text(&failed, 60);
            assert_eq!(text.as_deref(), Some("10 March 2026 at 13:00 (UTC)"), "{state:?}, then failed");
        }
    }

    #[test]
    fn expiry_text_uses_the_requested_offset() {
        let mut share = share(&["a"]);
        share.expires_offset = FixedOffset::east_opt(-(5 * 60 + 30) * 60).unwrap();
        assert_eq!(share.expiry_text(), "10 March 2026 at 07:30 (UTC-05:30)");
    }

    #[test]
    fn retention_starts_when_access_ends() {
        let mut share = share(&["a"]);
        let retention = TimeDelta::days(30);
        assert_eq!(share.purge_at(retention), share.expires_at + retention);
        share.revoked_at = Some(time(NOW));
        assert_eq!(share.purge_at(retention), time(NOW) + retention, "revoked");
        share.revoked_at = Some(share.expires_at + TimeDelta::days(1));
        assert_eq!(share.purge_at(retention), share.expires_at + retention, "revoked after the expiry");
        share.expires_at = share.created_at - TimeDelta::hours(1);
        assert_eq!(share.purge_at(retention), share.created_at + retention, "created already expired");
    }

    #[test]
    fn active_share_has_a_scheduled_expiry() {
        let share = share(&["a"]);
        assert_eq!(share.scheduled_expiry(), Some(share.expires_at));
        let revoked = share.revoked(&ann()).unwrap();
        let reactivated = with_expiration(&revoked, "2026-03-12T11:00:00Z", ExpectedVersion::Any);
        assert_eq!(reactivated.scheduled_expiry(), Some(time("2026-03-12T11:00:00Z")));
    }

    #[test]
    fn revoked_or_already_past_expiry_is_not_scheduled() {
        let share = share(&["a"]);
        assert_eq!(share.revoked(&ann()).unwrap().scheduled_expiry(), None, "revoked");
        let ended = with_expiration(&share, "2026-03-10T11:00:00Z", ExpectedVersion::Any);
        assert_eq!(ended.scheduled_expiry(), None, "expiry set in the past");
        let ended = share
            .with_expiration(
                requested_expiry("2026-03-10T12:30:00Z"),
                &after_minutes(50),
                ExpectedVersion::Any,
                &ShareRules::default(),
            )
            .unwrap()
            .unwrap();
        assert_eq!(ended.scheduled_expiry(), None, "expiry already past when it was set");
        let created_expired = Share { expires_at: share.created_at, ..share };
        assert_eq!(created_expired.scheduled_expiry(), None, "created already expired");
    }
}
