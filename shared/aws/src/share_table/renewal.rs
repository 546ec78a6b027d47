//! Renewing links.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use chrono::TimeDelta;
use sharelink_domain::{Item, Share, ShareId, WriteId};

use super::mail_record::MailRecord;
use super::outbox::UNCHANGED;
use super::record::{mail_shard, prepend_write};
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
        let mut set = vec![
            "generation = :new, renewedAt = :at, expiresAt = :expires, expiresOffset = :offset, \
             #version = :newVersion, changed = :change, #ttl = :ttl"
                .to_owned(),
            prepend_write("lastWrites"),
        ];
        let mut remove = vec!["linkKeyId", "revokedAt"];
        let mut update = self.update(&current.item, current.id);
        // The new email is decided from the old one, so a claim or a report must not come in between.
        let condition = match current.mail.pending() {
            None => format!("{UNCHANGED} AND mailState = :oldState AND attribute_not_exists(mailDue)"),
            Some(pending) => {
                update = update.expression_attribute_values(":oldDue", millis(pending.due));
                format!("{UNCHANGED} AND mailState = :oldState AND mailDue = :oldDue")
            }
        };
        if renewed.mail != current.mail {
            for (name, value) in MailRecord::from(&renewed.mail).attributes()? {
                match value {
                    None => remove.push(name),
                    Some(value) => {
                        set.push(format!("{name} = :{name}"));
                        update = update.expression_attribute_values(format!(":{name}"), value);
                    }
                }
            }
            // Without its claim, the sender of an email with the old link cannot record an outcome.
            remove.push("mailClaim");
            if renewed.mail.pending().is_some() {
                set.push("mailShard = :shard".to_owned());
                update = update.expression_attribute_values(":shard", text(&mail_shard(current.id)));
            } else {
                remove.push("mailShard");
            }
        }
        let change = renewed.changed.as_ref().map(StoredChange::from);
        let at = renewed.renewed_at.ok_or(InternalError::Encoding("a renewal without a time"))?;
        Ok(update
            .update_expression(format!("SET {} REMOVE {}", set.join(", "), remove.join(", ")))
            .condition_expression(condition)
            .expression_attribute_names("#version", "version")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":generation", text(&current.generation))
            .expression_attribute_values(":version", number(&current.version))
            .expression_attribute_values(":old", number(&current.mail.attempt))
            .expression_attribute_values(":oldState", text(&current.mail.state.name()))
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
