//! `GET …/shares`, and `GET` and `PATCH …/shares/{shareId}`.

use std::fmt::Display;

use lambda_http::http::StatusCode;
use serde::{Deserialize, Serialize};
use sharelink_aws::share_table::Cursor;
use sharelink_aws::{ChangeError, new_write_id};
use sharelink_domain::expiry::RequestedExpiry;
use sharelink_domain::reminder::{ReminderDays, ReminderError};
use sharelink_domain::share::{ChangeExpirationError, ExpectedVersion, RequestedChanges};
use sharelink_domain::{Action, Share};
use sharelink_http::{
    FieldError, Problem, ProblemType, Response, ShareResponse, encode_cursor, json_response, parse_cursor,
    parse_if_match, parse_json_body,
};

use crate::email_limits::Decide;
use crate::parameters::{parse_limit, parse_share_id, parse_status};
use crate::router::{Call, ManageShares};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SharesResponse<'a> {
    shares: Vec<ShareResponse<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChangeBody {
    expires_at: Option<String>,
    remind_days_before: Option<u64>,
}

impl ChangeBody {
    fn parse(self) -> Result<RequestedChanges, Problem> {
        if self.expires_at.is_none() && self.remind_days_before.is_none() {
            return Err(invalid_expiry("is required, unless remindDaysBefore is given"));
        }
        let expiry = self.expires_at.as_deref().map(str::parse).transpose().map_err(invalid_expiry)?;
        let reminder = self.remind_days_before.map(ReminderDays::try_from).transpose();
        Ok(RequestedChanges { expiry, reminder: reminder.map_err(invalid_reminder)? })
    }
}

fn invalid_reminder(detail: impl Display) -> Problem {
    Problem::Invalid(vec![FieldError::pointer("/remindDaysBefore", detail)])
}

pub(crate) fn invalid_expiry(detail: impl Display) -> Problem {
    Problem::Invalid(vec![FieldError::pointer("/expiresAt", detail)])
}

/// Converts the error from a failed expiration change or revocation to a problem.
pub(crate) fn change_problem(error: ChangeError<ChangeExpirationError>) -> Problem {
    match error {
        ChangeError::NotFound => ProblemType::ShareNotFound.into(),
        ChangeError::Refused(error) => refusal_problem(error),
        ChangeError::Failed(error) => error.into(),
    }
}

fn refusal_problem(error: ChangeExpirationError) -> Problem {
    match error {
        ChangeExpirationError::StaleVersion => ProblemType::StaleVersion.into(),
        ChangeExpirationError::Expiry(error) => invalid_expiry(error),
        ChangeExpirationError::Rule(violation) => violation.into(),
        ChangeExpirationError::CallerOff => ProblemType::SharingOff.into(),
        ChangeExpirationError::Reminder(ReminderError::EmailsStopped) => ProblemType::EmailsStopped.into(),
        ChangeExpirationError::Reminder(error) => invalid_reminder(error),
    }
}

impl ManageShares {
    pub(crate) async fn list_shares(&self, call: &Call<'_>) -> Result<Response, Problem> {
        let filter = parse_status(call.request)?;
        let limit = parse_limit(call.request)?;
        let cursor = parse_cursor(call.request, Cursor::parse)?;
        let now = call.action.at;
        let page = self.table.list(&call.item, filter, limit, cursor.as_ref(), now).await?;
        let body = SharesResponse {
            shares: page.shares.iter().map(|share| ShareResponse::new(share, now)).collect(),
            next_cursor: page.next.map(|cursor| encode_cursor(cursor.as_str())),
        };
        Ok(json_response(StatusCode::OK, "application/json", &body))
    }

    pub(crate) async fn get_share(&self, call: &Call<'_>) -> Result<Response, Problem> {
        let share = self.table.get(&call.item, parse_share_id(call.request)?).await?;
        Ok(call.share_response(StatusCode::OK, &share.ok_or(ProblemType::ShareNotFound)?))
    }

    pub(crate) async fn change_expiration(&self, call: &Call<'_>) -> Result<Response, Problem> {
        let id = parse_share_id(call.request)?;
        let expected = parse_if_match(call.request)?;
        let changes = parse_json_body::<ChangeBody>(call.request)?.parse()?;
        let is_caller_off = self.is_caller_off(&call.action.by.sub, call.action.at).await?;
        let decide =
            |share: &Share| share.with_changes(changes, &call.action, expected, is_caller_off, &self.rules);
        let write = new_write_id()?;
        let change = async |decide: &Decide<'_, ChangeExpirationError>| {
            self.table.change(&call.item, id, self.retention, write, decide).await
        };
        let share = self.change_with_email(call, id, write, decide, change, refusal_problem).await?;
        Ok(call.share_response(StatusCode::OK, &share))
    }

    /// Decides a change of the expiration.
    pub(crate) fn decide_expiration(
        &self,
        share: &Share,
        expiry: RequestedExpiry,
        action: &Action,
        expected: ExpectedVersion,
        is_caller_off: bool,
    ) -> Result<Option<Share>, ChangeExpirationError> {
        if is_caller_off {
            share.with_expiration_by_off_caller(expiry, action, expected, &self.rules)
        } else {
            share.with_expiration(expiry, action, expected, &self.rules)
        }
    }
}
