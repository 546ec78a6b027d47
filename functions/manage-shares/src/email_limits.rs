//! Counting the email that a change to a share queues.
//!
//! A change is tried first with [`refuse_uncounted`]. If it would queue an email, the email is counted, and
//! the change is made. As a result, a change that is refused for another reason does not count.

use sharelink_aws::ChangeError;
use sharelink_aws::email_limits::EmailRequest;
use sharelink_domain::email_limits::until_next_day;
use sharelink_domain::{EmailAddress, Share, ShareId, WriteId};
use sharelink_http::{Problem, ProblemType};

use crate::router::{Call, ManageShares};

/// The reason a change was not made.
pub(crate) enum Refusal<E> {
    Other(E),
    /// The change may be made once its email to this recipient has been counted.
    NotCounted(EmailAddress),
}

/// Decides on a change: returns the changed share, `None` if the change is already made, or the reason to
/// refuse.
pub(crate) type Decide<'a, E> = dyn Fn(&Share) -> Result<Option<Share>, Refusal<E>> + 'a;

/// Returns the same decision, except that a change that queues an email is refused.
fn refuse_uncounted<E>(
    decide: impl Fn(&Share) -> Result<Option<Share>, E>,
) -> impl Fn(&Share) -> Result<Option<Share>, Refusal<E>> {
    move |share| match decide(share).map_err(Refusal::Other)? {
        Some(changed)
            if changed.mail.attempt > share.mail.attempt || share.requests_another_reminder(&changed) =>
        {
            Err(Refusal::NotCounted(changed.recipient))
        }
        decision => Ok(decision),
    }
}

impl ManageShares {
    /// Makes a change with `change`, after counting the email that it queues, if it queues one.
    pub(crate) async fn change_with_email<E>(
        &self,
        call: &Call<'_>,
        id: ShareId,
        write: WriteId,
        decide: impl Fn(&Share) -> Result<Option<Share>, E>,
        change: impl AsyncFn(&Decide<'_, E>) -> Result<Share, ChangeError<Refusal<E>>>,
        to_problem: impl Fn(E) -> Problem,
    ) -> Result<Share, Problem> {
        let changed = match change(&refuse_uncounted(&decide)).await {
            Err(ChangeError::Refused(Refusal::NotCounted(recipient))) => {
                self.count_email(call, id, &recipient, write).await?;
                change(&|share| decide(share).map_err(Refusal::Other)).await
            }
            changed => changed,
        };
        changed.map_err(|error| match error {
            ChangeError::NotFound => ProblemType::ShareNotFound.into(),
            ChangeError::Refused(Refusal::Other(error)) => to_problem(error),
            // The second decision refuses no email.
            ChangeError::Refused(Refusal::NotCounted(_)) => ProblemType::TemporarilyUnavailable.into(),
            ChangeError::Failed(error) => error.into(),
        })
    }

    /// Counts an email that is about to be queued, unless a daily limit is reached.
    async fn count_email(
        &self,
        call: &Call<'_>,
        id: ShareId,
        recipient: &EmailAddress,
        write: WriteId,
    ) -> Result<(), Problem> {
        let now = call.action.at;
        let request = EmailRequest { sharer: &call.action.by, write, emails: vec![(id, recipient)] };
        let key = self.hash_key.get_or_fetch().await?;
        let refused = request.count(&self.table, key, self.email_limits, now).await?;
        match refused.get(&id) {
            Some(limit) => Err(Problem::LimitReached(*limit, until_next_day(now))),
            None => Ok(()),
        }
    }
}
