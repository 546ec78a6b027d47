//! `POST …/shares/{shareId}/resend`.

use lambda_http::http::StatusCode;
use sharelink_aws::new_write_id;
use sharelink_aws::share_table::IdempotencyRecord;
use sharelink_domain::idempotency::IdempotentRequest;
use sharelink_domain::share::ResendError;
use sharelink_domain::{Share, ShareId, Timestamp};
use sharelink_http::{Problem, ProblemType, Response, idempotent_request, require_empty_body};

use crate::email_limits::Decide;
use crate::parameters::parse_share_id;
use crate::router::{Call, ManageShares};

impl ManageShares {
    pub(crate) async fn resend(&self, call: &Call<'_>) -> Result<Response, Problem> {
        let id = parse_share_id(call.request)?;
        require_empty_body(call.request)?;
        self.require_switched_on(call, id).await?;
        let (write, attempt) = match idempotent_request(call.request, &call.action.by, &())? {
            None => (new_write_id()?, None),
            Some(request) => {
                let record = self.settle_attempt(call, id, &request).await?;
                (request.write_id(record.received_at), Some(record.settled))
            }
        };
        let decide = |share: &Share| match attempt {
            // An earlier attempt already requested this email, and a newer email has been requested since.
            Some(attempt) if share.mail.attempt > attempt => Ok(None),
            _ => share.resent(&call.action, &self.rules).map(Some),
        };
        let resend =
            async |decide: &Decide<'_, ResendError>| self.table.resend(&call.item, id, write, decide).await;
        let to_problem = |error| resend_problem(error, call.action.at);
        let share = self.change_with_email(call, id, write, decide, resend, to_problem).await?;
        Ok(call.share_response(StatusCode::ACCEPTED, &share))
    }

    /// Determines the attempt number of the email to send. A retry gets the same number as the first request.
    async fn settle_attempt(
        &self,
        call: &Call<'_>,
        id: ShareId,
        request: &IdempotentRequest,
    ) -> Result<IdempotencyRecord<u32>, Problem> {
        let now = call.action.at;
        if let Some(record) = self.table.find_idempotency_record(request, now).await? {
            return Ok(record);
        }
        let share = self.table.get(&call.item, id).await?.ok_or(ProblemType::ShareNotFound)?;
        // Do not record a refused request, so that the caller can send it again with the same key.
        let resent = share.resent(&call.action, &self.rules).map_err(|error| resend_problem(error, now))?;
        Ok(self.table.save_idempotency_record(request, resent.mail.attempt, now).await?)
    }
}

fn resend_problem(error: ResendError, now: Timestamp) -> Problem {
    match error {
        ResendError::Inactive => ProblemType::ShareInactive.into(),
        ResendError::Complained => ProblemType::RecipientComplained.into(),
        ResendError::EmailsStopped => ProblemType::EmailsStopped.into(),
        ResendError::TooSoon { until } => Problem::TooSoon(until - now),
        ResendError::Rule(violation) => violation.into(),
    }
}
