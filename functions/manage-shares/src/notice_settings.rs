//! `GET` and `PUT /notice-settings`: which notices the caller wants as a sharer.

use lambda_http::http::StatusCode;
use serde::{Deserialize, Serialize};
use sharelink_domain::SharerKey;
use sharelink_domain::notices::NoticeKinds;
use sharelink_http::{FieldError, Problem, Request, Response, json_response, parse_json_body};

use crate::router::ManageShares;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SettingsBody {
    email_problem: Option<bool>,
    first_download: Option<bool>,
    more_time: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SettingsResponse {
    email_problem: bool,
    first_download: bool,
    more_time: bool,
}

impl SettingsBody {
    /// Requires every field, so that no client switches on what it does not know.
    fn validate(self) -> Result<NoticeKinds, Problem> {
        let Self { email_problem, first_download, more_time } = self;
        if let (Some(email_problem), Some(first_download), Some(more_time)) =
            (email_problem, first_download, more_time)
        {
            return Ok(NoticeKinds { email_problem, first_download, more_time });
        }
        let fields =
            [("/emailProblem", email_problem), ("/firstDownload", first_download), ("/moreTime", more_time)];
        let missing = fields.into_iter().filter(|(_, value)| value.is_none());
        let errors = missing.map(|(pointer, _)| FieldError::pointer(pointer, "is required"));
        Err(Problem::Invalid(errors.collect()))
    }
}

impl ManageShares {
    pub(crate) async fn get_notice_settings(&self, request: &Request) -> Result<Response, Problem> {
        let sharer = self.caller_key(request).await?;
        Ok(settings_response(self.table.notice_settings(sharer).await?))
    }

    pub(crate) async fn put_notice_settings(&self, request: &Request) -> Result<Response, Problem> {
        let sharer = self.caller_key(request).await?;
        let wanted = parse_json_body::<SettingsBody>(request)?.validate()?;
        self.table.save_notice_settings(sharer, wanted).await?;
        Ok(settings_response(wanted))
    }

    /// Returns the hash of the caller as a sharer. Everyone who may call the API has settings.
    async fn caller_key(&self, request: &Request) -> Result<SharerKey, Problem> {
        let caller = self.authorization.authenticate(request)?;
        Ok(self.index_key.get_or_fetch().await?.sharer(caller.sub()))
    }
}

fn settings_response(wanted: NoticeKinds) -> Response {
    let NoticeKinds { email_problem, first_download, more_time } = wanted;
    let body = SettingsResponse { email_problem, first_download, more_time };
    json_response(StatusCode::OK, "application/json", &body)
}
