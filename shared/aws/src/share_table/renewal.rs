//! Renewing links.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use chrono::TimeDelta;
use sharelink_domain::{Item, Share, ShareId, WriteId};

use super::mail_record::MailUpdate;
use super::record::prepend_write;
use super::stored::{StoredChange, encode};
use super::{ShareTable, millis, number, text};
use crate::{ChangeError, Error, InternalError};

impl ShareTable {
    /// Renews a share's link in one conditional write. The write also changes the expiration and the email,
    /// so no reader sees the new link with the old email or the other way around.
    ///
    /// `decide` receives the current share and returns the renewed one, `None` if it was already renewed, or
    /// the reason to refuse the renewal.
    pub async fn renew<E>(
        &self,
        item: &Item,
        id: ShareId,
        retention: TimeDelta,
        write: WriteId,
        decide: impl Fn(&Share) -> Result<Option<Share>, E>,
    ) -> Result<Share, ChangeError<E>> {
        let update = |old: &Share, new: &Share| self.renewal_update(old, new, retention, write);
        Ok(self.decide_and_write(item, id, write, decide, update).await?.share)
    }

    fn renewal_update(
        &self,
        current: &Share,
        renewed: &Share,
        retention: TimeDelta,
        write: WriteId,
    ) -> Result<UpdateItemFluentBuilder, Error> {
        let changes = MailUpdate::new(self.update(&current.item, current.id), current, renewed)?
            // The sender of an email with the old link must not record an outcome.
            .and_end_claim()
            .and_set(format!(
                "generation = :new, renewedAt = :at, expiresAt = :expires, expiresOffset = :offset, \
                 #version = :newVersion, changed = :change, #ttl = :ttl, {}",
                prepend_write("lastWrites")
            ))
            .and_remove(&["linkKeyId", "revokedAt"]);
        // The new email is decided from the old one, so a claim or a report must not come in between.
        let update = changes.if_not_claimed(current);
        let change = renewed.changed.as_ref().map(StoredChange::from);
        let at = renewed.renewed_at.ok_or(InternalError::Encoding("a renewal without a time"))?;
        Ok(update
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":new", text(&renewed.generation))
            .expression_attribute_values(":at", millis(at))
            .expression_attribute_values(":expires", millis(renewed.expires_at))
            .expression_attribute_values(":offset", number(&renewed.expires_offset.local_minus_utc()))
            .expression_attribute_values(":newVersion", number(&renewed.version))
            .expression_attribute_values(":change", encode(&change)?)
            .expression_attribute_values(":ttl", number(&renewed.purge_at(retention).timestamp()))
            .expression_attribute_values(":write", text(&write)))
    }
}
