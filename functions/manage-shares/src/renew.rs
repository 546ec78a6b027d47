//! `POST …/shares/{shareId}/renew`: replaces the share's link with a new one.

use lambda_http::http::StatusCode;
use serde::{Deserialize, Serialize};
use sharelink_aws::{new_generation, new_write_id};
use sharelink_domain::idempotency::IdempotentRequest;
use sharelink_domain::share::{ExpectedVersion, RenewError, Renewal};
use sharelink_domain::{Share, ShareId, WriteId};
use sharelink_http::{Problem, ProblemType, Response, idempotent_request, parse_if_match, parse_json_body};

use crate::email_limits::Decide;
use crate::parameters::parse_share_id;
use crate::router::{Call, ManageShares};
use crate::shares::invalid_expiry;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RenewBody {
    notify: Option<bool>,
    expires_at: Option<String>,
}

impl ManageShares {
    pub(crate) async fn renew(&self, call: &Call<'_>) -> Result<Response, Problem> {
        let id = parse_share_id(call.request)?;
        let expected = parse_if_match(call.request)?;
        let body = parse_json_body::<RenewBody>(call.request)?;
        let renewal = Renewal {
            generation: new_generation()?,
            expiry: body.expires_at.as_deref().map(str::parse).transpose().map_err(invalid_expiry)?,
            notify: body.notify.unwrap_or(true),
        };
        self.require_switched_on(call, id).await?;
        let version = match expected {
            ExpectedVersion::Exactly(version) => Some(version),
            ExpectedVersion::Any => None,
        };
        let (write, expected) = match idempotent_request(call.request, &call.action.by, &(body, version))? {
            None => (new_write_id()?, expected),
            Some(request) => self.settle_renewal(call, id, &request, &renewal, expected).await?,
        };
        let decide = |share: &Share| share.renewed(&renewal, &call.action, expected, &self.rules);
        let renew = async |decide: &Decide<'_, RenewError>| {
            self.table.renew(&call.item, id, self.retention, write, decide).await
        };
        let share = self.change_with_email(call, id, write, decide, renew, renew_problem).await?;
        Ok(call.share_response(StatusCode::OK, &share))
    }

    /// Determines the id of the write, which is the same for every attempt, and the version to renew. A retry
    /// renews only the version that the first attempt saw, even if the request accepts any version.
    /// Otherwise, a late retry could replace a link that has been sent since.
    async fn settle_renewal(
        &self,
        call: &Call<'_>,
        id: ShareId,
        request: &IdempotentRequest,
        renewal: &Renewal,
        expected: ExpectedVersion,
    ) -> Result<(WriteId, ExpectedVersion), Problem> {
        let now = call.action.at;
        if let Some(record) = self.table.find_idempotency_record::<u64>(request, now).await? {
            let expected = ExpectedVersion::Exactly(record.settled);
            return Ok((request.write_id(record.received_at), expected));
        }
        let share = self.table.get(&call.item, id).await?.ok_or(ProblemType::ShareNotFound)?;
        // Do not record a refused request, so that the caller can send it again with the same key.
        share.renewed(renewal, &call.action, expected, &self.rules).map_err(renew_problem)?;
        let record = self.table.save_idempotency_record(request, share.version, now).await?;
        Ok((request.write_id(record.received_at), expected))
    }
}

fn renew_problem(error: RenewError) -> Problem {
    match error {
        RenewError::StaleVersion => ProblemType::StaleVersion.into(),
        RenewError::Inactive => ProblemType::ShareInactive.into(),
        RenewError::EmailsStopped => ProblemType::EmailsStopped.into(),
        RenewError::Expiry(error) => invalid_expiry(error),
        RenewError::Rule(violation) => violation.into(),
    }
}
