//! Daily limits on emails, counted for the sharer and for each mailbox.

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt, TryStreamExt, stream};
use sharelink_domain::email_limits::{Counter, EmailLimits, LimitReached, email_id};
use sharelink_domain::hash_key::HashKey;
use sharelink_domain::{EmailAddress, ShareId, Sharer, Timestamp, WriteId};
use sharelink_runtime::{SettingError, required_positive_number};

use crate::AwsError;
use crate::share_table::ShareTable;

/// The maximum number of mailboxes that are counted concurrently.
const CONCURRENCY: usize = 16;

/// Reads the limits from the environment.
pub fn load_email_limits() -> Result<EmailLimits, SettingError> {
    Ok(EmailLimits {
        per_sharer: required_positive_number("SHARER_EMAILS_PER_DAY")?.into(),
        per_mailbox: required_positive_number("MAILBOX_EMAILS_PER_DAY")?.into(),
    })
}

/// A request's emails, which are about to be queued.
pub struct EmailRequest<'a> {
    pub sharer: &'a Sharer,
    /// The id of the request's writes, which is the same for every attempt.
    pub write: WriteId,
    /// Each email's share and recipient.
    pub emails: Vec<(ShareId, &'a EmailAddress)>,
}

impl EmailRequest<'_> {
    /// Counts the emails, and returns those that must not be queued, with the limit that each would exceed.
    ///
    /// The sharer is counted first. Otherwise, a sharer who has reached the limit could still use up the
    /// limits of mailboxes.
    pub async fn count(
        &self,
        table: &ShareTable,
        key: &HashKey,
        limits: EmailLimits,
        now: Timestamp,
    ) -> Result<HashMap<ShareId, LimitReached>, AwsError> {
        if self.emails.is_empty() {
            return Ok(HashMap::new());
        }
        let sharer = Counter::of_sharer(key, self.sharer, now);
        let reserved =
            table.reserve_emails(&sharer, self.emails.len(), limits.per_sharer, self.write).await?;
        if let Err(reached) = reserved {
            return Ok(self.emails.iter().map(|(share, _)| (*share, reached)).collect());
        }
        let admitted = self.count_for_mailboxes(table, key, limits.per_mailbox, now).await?;
        let is_refused = |share: &ShareId| !admitted.contains(&email_id(self.write, *share));
        let refused: HashMap<ShareId, LimitReached> = self
            .emails
            .iter()
            .filter(|(share, _)| is_refused(share))
            .map(|(share, _)| (*share, LimitReached::Mailbox))
            .collect();
        if !refused.is_empty() {
            table.release_emails(&sharer, refused.len(), self.write).await?;
        }
        Ok(refused)
    }

    /// Returns the ids of the emails that their mailboxes may get.
    async fn count_for_mailboxes(
        &self,
        table: &ShareTable,
        key: &HashKey,
        limit: usize,
        now: Timestamp,
    ) -> Result<HashSet<WriteId>, AwsError> {
        let mut mailboxes: HashMap<Counter, Vec<WriteId>> = HashMap::new();
        for (share, address) in &self.emails {
            let mailbox = Counter::of_mailbox(key, address, now);
            mailboxes.entry(mailbox).or_default().push(email_id(self.write, *share));
        }
        stream::iter(mailboxes)
            .map(|(mailbox, emails)| async move { table.count_emails(&mailbox, &emails, limit).await })
            .buffer_unordered(CONCURRENCY)
            .try_concat()
            .await
    }
}
