//! Counting the email that a change to a share queues.
//!
//! A change is tried first with [`refuse_uncounted`]. If it would queue an email, the email is counted, and the
//! change is made. As a result, a change that is refused for another reason does not count.

use sharelink_aws::email_quota::EmailRequest;
use sharelink_domain::quota::until_next_day;
use sharelink_domain::{EmailAddress, Share, ShareId, WriteId};
use sharelink_http::Problem;

use crate::router::{Call, ManageShares};

/// The reason a change was not made.
pub(crate) enum Refusal<E> {
    Other(E),
    /// The change may be made once its email to this recipient has been counted.
    NotCounted(EmailAddress),
}

/// Returns the same decision, except that a change that queues an email is refused.
pub(crate) fn refuse_uncounted<E>(
    decide: impl Fn(&Share) -> Result<Option<Share>, E>,
) -> impl Fn(&Share) -> Result<Option<Share>, Refusal<E>> {
    move |share| match decide(share).map_err(Refusal::Other)? {
        Some(changed) if changed.mail.attempt > share.mail.attempt => {
            Err(Refusal::NotCounted(changed.recipient))
        }
        decision => Ok(decision),
    }
}

impl ManageShares {
    /// Counts an email that is about to be queued, unless a daily limit is reached.
    pub(crate) async fn count_email(
        &self,
        call: &Call<'_>,
        id: ShareId,
        recipient: &EmailAddress,
        write: WriteId,
    ) -> Result<(), Problem> {
        let now = call.action.at;
        let request = EmailRequest { sharer: &call.action.by, write, emails: vec![(id, recipient)] };
        let ring = self.links.key_ring(now).await?;
        let refused = request.count(&self.table, &ring, self.email_limits, now).await?;
        match refused.get(&id) {
            Some(limit) => Err(Problem::LimitReached(*limit, until_next_day(now))),
            None => Ok(()),
        }
    }
}
